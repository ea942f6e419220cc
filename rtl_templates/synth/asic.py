"""Synthesis for standard cells of a liberty file: area of everything but memories."""

from __future__ import annotations

import gzip
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mappings.errors import Fault, SpecError
from rtl_templates.synth.yosys import Netlist, netlist

MAX_BYTES = 512 * 1024 * 1024
_FLIP_FLOP = re.compile(r"^\s*ff\s*\(", re.MULTILINE)
_CELL = re.compile(r"^\s*cell\s*\(", re.MULTILINE)


def read_liberty(paths: Sequence[Path]) -> tuple[str, ...]:
    """Texts of liberty files, gzipped ones too.

    Raises:
        SpecError: no file, one that can not be read or has no cells, or no flip-flop in any.
    """
    if not paths:
        raise SpecError(Fault("--liberty", "is missing", "one or more liberty files of standard cells for target asic"))
    texts = []
    for path in paths:
        try:
            with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except (OSError, EOFError) as error:
            raise SpecError(Fault(str(path), f"can not be read ({error})", "a liberty file")) from None
        text = raw.decode("utf-8", errors="replace")
        if len(raw) > MAX_BYTES or not _CELL.search(text):
            raise SpecError(Fault(str(path), "has no cells", "a liberty file of standard cells, up to 512 MiB"))
        texts.append(text)
    if not any(_FLIP_FLOP.search(text) for text in texts):
        names = ", ".join(str(path) for path in paths)
        raise SpecError(Fault(names, "has no flip-flops", "a liberty with sequential cells, or several files"))
    return tuple(texts)


def synthesize_cells(top: str, parameters: Mapping[str, int], liberty: Sequence[Path]) -> Netlist:
    """A module in standard cells, flattened; memories (`cd_block`) stay out and are not counted.

    Raises:
        SpecError: a wrong liberty, Yosys is missing or stopped.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = []
        for index, text in enumerate(read_liberty(liberty)):
            path = Path(scratch) / f"cells{index}.lib"
            path.write_text(text, encoding="utf-8")
            files.append(path)
        given = " ".join(f"-liberty {{file{i}}}" for i in range(len(files)))
        passes = [
            "synth -flatten -noabc -top {top}",
            f"dfflibmap {given}",
            f"abc {given}",
            "opt_clean -purge",
        ]
        flat = " ".join(f"-liberty {path}" for path in files)
        return netlist(
            top, parameters, passes, "--blackboxed-module cd_block", files, f"stat -json {flat}", "stat -json"
        )
