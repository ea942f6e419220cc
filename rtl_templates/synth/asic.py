"""Synthesis for standard cells of a liberty file: area of everything but memories."""

from __future__ import annotations

import gzip
import json
import re
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mappings.errors import Fault, SpecError
from rtl_templates.synth.yosys import Netlist, netlist, read_command, run_passes

MAX_BYTES = 512 * 1024 * 1024
#: Groups, wherever they stand in their line (`test_cell`, `ff_bank` are others).
_FLIP_FLOP, _CELL = re.compile(r"\bff\s*\("), re.compile(r"\bcell\s*\(")


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
        except (OSError, EOFError, zlib.error) as error:
            raise SpecError(Fault(str(path), f"can not be read ({error})", "a liberty file")) from None
        text = raw.decode("utf-8", errors="replace")
        if len(raw) > MAX_BYTES or not _CELL.search(text):
            raise SpecError(Fault(str(path), "has no cells", "a liberty file of standard cells, up to 512 MiB"))
        texts.append(text)
    if not any(_FLIP_FLOP.search(text) for text in texts):
        names = ", ".join(str(path) for path in paths)
        raise SpecError(Fault(names, "has no flip-flops", "a liberty with sequential cells, or several files"))
    return tuple(texts)


#: Each memory keeps the ports of its own size: `--blackboxed-module` would give all of them those of one.
_FLAGS, _BLACK = "--keep-hierarchy", "blackbox cd_block*"


def _passes(liberty: int) -> list[str]:
    """From the sources to cells of so many liberty files."""
    given = " ".join(f"-liberty {{file{index}}}" for index in range(liberty))
    return [_BLACK, "synth -flatten -noabc -top {top}", f"dfflibmap {given}", f"abc {given}", "opt_clean -purge"]


def _written(texts: Sequence[str], folder: Path) -> list[Path]:
    """Liberty files as Yosys reads them."""
    files = [folder / f"cells{index}.lib" for index in range(len(texts))]
    for path, text in zip(files, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return files


def synthesize_cells(top: str, parameters: Mapping[str, int], liberty: Sequence[Path]) -> Netlist:
    """A module in standard cells, flattened; memories (`cd_block`) stay out and are not counted.

    Raises:
        SpecError: a wrong liberty, Yosys is missing or stopped.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = _written(read_liberty(liberty), Path(scratch))
        flat = " ".join(f"-liberty {path}" for path in files)
        return netlist(top, parameters, _passes(len(files)), _FLAGS, files, f"stat -json {flat}", "stat -json")


def cell_netlist(top: str, parameters: Mapping[str, int], texts: Sequence[str]) -> dict[str, Any]:
    """The same netlist itself, as Yosys writes it in JSON; it is not kept.

    Args:
        texts: of the liberty files, as :func:`read_liberty` gives them.

    Raises:
        SpecError: Yosys is missing or stopped.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files, out = _written(texts, Path(scratch)), Path(scratch) / "cells.json"
        names = {f"file{index}": str(path) for index, path in enumerate(files)} | {"top": top}
        passes = [read_command(top, parameters, _FLAGS), *(item.format(**names) for item in _passes(len(files)))]
        run_passes([*passes, f"write_json {out}"], Path(scratch))
        return cast(dict[str, Any], json.loads(out.read_text(encoding="utf-8")))
