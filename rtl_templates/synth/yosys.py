"""Yosys from PyPI (``pip install pyosys``) in a process of its own: it prints at will and ends its process on an error.

A result is kept by the digest of all that made it: the sources that the top module reaches, its parameters, the passes
and the version of Yosys. So a change of one module asks only for the netlists that hold it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from accel_models.answers import Answers
from accel_models.program.parameters import ARRAY_KINDS
from mappings.errors import Fault, SpecError
from mappings.process import refuse_killed, run_owned
from rtl_templates.render import PACKAGES, RTL

TIMEOUT_S = 4 * 3600
#: What tools found, by sources, parameters, passes and version.
RESULTS = Answers("synthesis", "results of synthesis are")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_INSTANCE = re.compile(r"\bcd_[a-z0-9_]+\b")


@dataclass(frozen=True)
class Netlist:
    """What synthesis gave.

    Attributes:
        cells: (cell type, count) pairs.
        area_um2: of the cells whose area the liberty states; None without a liberty.
        sequential_um2: part of it that is flip-flops and latches.
        seconds: processor time of the run that made it.
    """

    cells: tuple[tuple[str, int], ...]
    area_um2: float | None
    sequential_um2: float | None
    seconds: float


@lru_cache(maxsize=1)
def _texts() -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in RTL.glob("*.sv")}


def reached(top: str, without: Collection[str] = ()) -> tuple[str, ...]:
    """Names of the modules (each in a file of its name) below and with ``top``, packages first.

    Args:
        without: modules that are not looked into.

    Raises:
        SpecError: no such module.
    """
    texts = _texts()
    if top not in texts:
        raise SpecError(Fault("synthesis: top", f'no module "{top}"', ", ".join(sorted(texts))))
    packages = [name for name in (Path(item).stem for item in PACKAGES) if name in texts]
    found, waiting = {top}, [top]
    while waiting:
        for name in _INSTANCE.findall(texts[waiting.pop()]):
            if name in texts and name not in found and name not in without:
                found.add(name)
                waiting.append(name)
    types = packages[0]
    return (types, *sorted(found - {types}))


def yosys_version() -> str:
    """Version of the installed Yosys.

    Raises:
        SpecError: it is missing.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise SpecError(Fault("synthesis", "Yosys is missing", "install it: pip install pyosys"))
    try:
        return importlib.metadata.version("pyosys")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def read_command(top: str, parameters: Mapping[str, int], flags: str = "") -> str:
    """The pass that reads ``top`` and what it reaches, with its parameters set."""
    files = " ".join(str(RTL / f"{name}.sv") for name in reached(top))
    given = " ".join(f"-G {name}={value:d}" for name, value in parameters.items())
    return f"read_slang --threads 1 {flags} --top {top} {given} {files}"


def run_passes(passes: Sequence[str], folder: Path, timeout_s: float = TIMEOUT_S) -> float:
    """Runs passes in a process of its own; returns its seconds.

    Raises:
        SpecError: Yosys is missing, or stopped (the message has its last lines), or took too long.
    """
    yosys_version()
    start = time.perf_counter()
    script = folder / "passes.json"
    script.write_text(json.dumps(list(passes)), encoding="utf-8")
    command = [sys.executable, "-m", "rtl_templates.synth.yosys", str(script)]
    try:
        done = run_owned(command, timeout_s=timeout_s)
    except subprocess.TimeoutExpired:
        raise SpecError(Fault("synthesis", f"Yosys did not end in {timeout_s:.0f} s", "a smaller design")) from None
    if done.returncode != 0:
        refuse_killed("synthesis", done.returncode, "")
        tail = " ".join((done.stdout + done.stderr).split())
        cut = tail.rfind("ERROR:")
        raise SpecError(Fault("synthesis", f"Yosys stopped: {tail[cut:][:600] if cut >= 0 else tail[-600:]}"))
    return time.perf_counter() - start


def key_of(parts: Sequence[str]) -> str:
    """Digest of all that a result depends on."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def source_key(top: str, parameters: Mapping[str, int]) -> list[str]:
    """What of the sources and parameters a result depends on."""
    return [top, json.dumps(dict(sorted(parameters.items()))), *source_digests(top, parameters)]


def source_digests(top: str, parameters: Mapping[str, int]) -> list[str]:
    """Of each file that a module reaches with its parameters: not those of the arrays that it does not have.

    Comments and spaces do not count.
    """
    others: tuple[str, ...] = ()
    if "ArrayKind" in parameters:
        own = ARRAY_KINDS[parameters["ArrayKind"]]
        others = tuple(f"cd_array_{kind}" for kind in ARRAY_KINDS if kind is not own)
    code = (" ".join(_COMMENT.sub("", _texts()[name]).split()) for name in reached(top, others))
    return [hashlib.sha256(text.encode()).hexdigest() for text in code]


def netlist(
    top: str,
    parameters: Mapping[str, int],
    passes: Sequence[str],
    flags: str = "",
    files: Sequence[Path] = (),
    stat: str = "stat -json",
    stat_key: str = "",
) -> Netlist:
    """Cells of a module after some passes, from the cache where they are known.

    Args:
        top: module.
        parameters: of the module; the others keep their defaults.
        passes: after reading; ``{top}`` stands for the module, ``{file0}`` ... for ``files``.
        flags: of ``read_slang``.
        files: that the passes read; their contents are part of the key.
        stat: the pass that counts.
        stat_key: what stands for it in the key, where it names a file of this run alone.

    Raises:
        SpecError: Yosys is missing or stopped.
    """
    key = _key(top, parameters, passes, flags, files, stat_key or stat)
    known = RESULTS.load(key)
    if known is None:
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "stat.json"
            names = {f"file{i}": str(item) for i, item in enumerate(files)} | {"top": top}
            commands = [read_command(top, parameters, flags)]
            commands += [item.format(**names) for item in (*passes, f"tee -q -o {out} {stat}")]
            seconds = run_passes(commands, Path(scratch))
            totals = json.loads(out.read_text(encoding="utf-8"))["design"]
        known = {
            "cells": totals["num_cells_by_type"],
            "area_um2": totals.get("area"),
            "sequential_um2": totals.get("sequential_area"),
            "seconds": round(seconds, 1),
        }
        RESULTS.store(key, known)
    return _netlist(known)


def known_netlist(top: str, parameters: Mapping[str, int], passes: Sequence[str]) -> Netlist | None:
    """A netlist that is kept, or None; arguments as :func:`netlist`."""
    known = RESULTS.load(_key(top, parameters, passes, "", (), "stat -json"))
    return None if known is None else _netlist(known)


def _key(
    top: str, parameters: Mapping[str, int], passes: Sequence[str], flags: str, files: Sequence[Path], stat: str
) -> str:
    key = ["netlist", yosys_version(), *source_key(top, parameters), flags, stat, *passes]
    return key_of([*key, *(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)])


def _netlist(known: dict[str, Any]) -> Netlist:
    cells = tuple(sorted((str(name), int(count)) for name, count in known["cells"].items()))
    return Netlist(cells, known["area_um2"], known["sequential_um2"], known["seconds"])


def main() -> int:
    """The child process: runs the passes of a file."""
    from pyosys import libyosys  # heavy, and present in the child alone

    design = libyosys.Design()
    for item in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        libyosys.run_pass(item, design)
    return 0


if __name__ == "__main__":
    sys.exit(main())
