"""Placement and routing by nextpnr, where it knows the family: Lattice ECP5 and iCE40, Gowin (``yowasp-nextpnr-*``)."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mappings.errors import Fault, SpecError, unknown_name
from mappings.process import refuse_killed, run_owned
from rtl_templates.synth.block_registers import use_block_registers
from rtl_templates.synth.clock_pad import CLOCK, keep_clock_pad
from rtl_templates.synth.fpga import PASSES
from rtl_templates.synth.yosys import RESULTS, key_of, read_command, run_passes, source_key, yosys_version

TIMEOUT_S = 4 * 3600
#: The clock to place for: what the templates reach for; a slower result is a result. The analytical placer of nextpnr's
#: two spreads a whole 4x4's 118 memory blocks over the chip: its wires are a fifth longer.
_ECP5 = "--speed 6 --freq 100 --timing-allow-fail --out-of-context --lpf-allow-unconstrained --placer static"
_GOWIN = "--vopt cst=pads.cst --freq 100 --timing-allow-fail"
#: Target -> (router, part -> options).
ROUTERS: dict[str, tuple[str, dict[str, str]]] = {
    "ecp5": (
        "nextpnr-ecp5",
        {f"ecp5_{size}k": f"--{size}k {_ECP5}" for size in (25, 45, 85)},
    ),
    "ice40": ("nextpnr-ice40", {"ice40_up5k": "--up5k --package sg48"}),
    "gowin": (
        "nextpnr-himbaechel-gowin",
        {
            "gowin_gw1n9": f"--device GW1NR-LV9QN88PC6/I5 --vopt family=GW1N-9C {_GOWIN}",
            "gowin_gw2a18": f"--device GW2A-LV18PG256C8/I7 --vopt family=GW2A-18 {_GOWIN}",
        },
    ),
}
#: Where a part's clock comes in, for a router that asks for it: the oscillator of the board that its title names.
_CLOCK_PAD = {"gowin_gw1n9": "52", "gowin_gw2a18": "H11"}
#: Passes before placement where they differ from those that count resources. ECP5: tables are chosen for wires of 1 ns,
#: as routing has them, not 0.3; 4 % more of them, fewer in a row.
_PASSES = {
    "ecp5": (
        "synth_ecp5 -top {top} -run :map_luts",
        "techmap -map +/lattice/latches_map.v",
        "abc9 -W 1000",
        "clean",
        "synth_ecp5 -top {top} -run map_cells:",
    )
}
#: What is done to a target's netlist between synthesis and placement: its name in the key of a result, and the step.
_BETWEEN: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "ecp5": ("registers in blocks, three for a product that no memory is read into", use_block_registers),
    "gowin": ("no pads but the clock's", keep_clock_pad),
}
_NO_ROOM = re.compile(r"ERROR: (.*)")


@dataclass(frozen=True)
class Routed:
    """What routing gave.

    Attributes:
        part: device.
        fmax_hz: highest clock.
        path: nets of the critical path's ends.
        used: (resource, used, available).
    """

    part: str
    fmax_hz: float
    path: str
    used: tuple[tuple[str, int, int], ...]


def router(target: str) -> str:
    """The command of the router of a target.

    Raises:
        SpecError: no open router for the target, or it is not installed.
    """
    if target not in ROUTERS:
        raise SpecError(Fault("--route", f"no open router for target {target}", ", ".join(ROUTERS)))
    name = ROUTERS[target][0]
    # A wheel's command lies beside Python, which is on no PATH where an environment is used without being activated.
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    found = shutil.which(name, path=places) or shutil.which(f"yowasp-{name}", path=places)
    if found is None:
        how = f"pip install yowasp-{name}; without it synthesis alone, no clock"
        raise SpecError(Fault("--route", f"{name} is missing", how))
    return found


def part_of(target: str, part: str = "") -> str:
    """A part that the target's router knows; "": its largest.

    Raises:
        SpecError: another part.
    """
    parts = ROUTERS[target][1]
    chosen = part or list(parts)[-1]
    if chosen not in parts:
        raise unknown_name("--device", "part of this router", chosen, parts)
    return chosen


def own_part(target: str, device: str) -> str:
    """A device where the target's router knows it, or "": its largest."""
    return device if target in ROUTERS and device in ROUTERS[target][1] else ""


def _version(command: str) -> str:
    name = Path(command).name
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return name


def route(top: str, parameters: Mapping[str, int], target: str, part: str = "", seed: int = 1) -> Routed:
    """Synthesise, place and route a module, from the cache where it is known.

    Raises:
        SpecError: no router, an unknown part, or the part has no room (the message says for what).
    """
    command, chosen = router(target), part_of(target, part)
    options = ROUTERS[target][1][chosen]
    passes = [item.format(top=top) for item in _PASSES.get(target, (PASSES[target],))]
    key = ["route", yosys_version(), _version(command), *source_key(top, parameters), *passes, options, str(seed)]
    key += [_BETWEEN[target][0]] if target in _BETWEEN else []
    known: Any = RESULTS.load(key_of(key))
    if known is None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            run_passes([read_command(top, parameters), *passes, f"write_json {folder}/n.json"], folder)
            if target in _BETWEEN:
                netlist = json.loads((folder / "n.json").read_text(encoding="utf-8"))
                _BETWEEN[target][1](netlist)
                (folder / "n.json").write_text(json.dumps(netlist), encoding="utf-8")
            if chosen in _CLOCK_PAD:
                (folder / "pads.cst").write_text(f'IO_LOC "{CLOCK}" {_CLOCK_PAD[chosen]};\n', encoding="utf-8")
            # The WebAssembly build sees the current folder alone.
            line = [command, *options.split(), "--json", "n.json", "--report", "r.json", "--seed", str(seed)]
            try:
                done = run_owned(line, timeout_s=TIMEOUT_S, folder=folder)
            except subprocess.TimeoutExpired:
                raise SpecError(Fault("routing", f"did not end in {TIMEOUT_S} s", "a smaller design")) from None
            report = folder / "r.json"
            if done.returncode != 0 or not report.exists():
                refuse_killed("routing", done.returncode, "")
                told = done.stdout + done.stderr
                if not _NO_ROOM.search(told):  # it says nothing of the design: no larger part would help
                    what = f"stopped with status {done.returncode} and no error of its own: {_why(told)}"
                    raise SpecError(Fault(f"routing on {chosen}", what, "the same again, with more memory"))
                raise SpecError(Fault(f"routing on {chosen}", _why(told), "a larger part"))
            known = _summary(json.loads(report.read_text(encoding="utf-8")))
        RESULTS.store(key_of(key), known)
    used = tuple((str(name), int(a), int(b)) for name, a, b in known["used"])
    return Routed(chosen, float(known["fmax_hz"]), str(known["path"]), used)


def _why(text: str) -> str:
    """The router's reason: its last error, on one line."""
    found = _NO_ROOM.findall(text)
    return " ".join(found[-1].split())[:300] if found else " ".join(text.split())[-300:]


def _summary(raw: dict[str, Any]) -> dict[str, Any]:
    clocks = raw.get("fmax", {})
    least = min((float(item["achieved"]) for item in clocks.values()), default=0.0)
    path = ""
    for item in raw.get("critical_paths", []):
        steps = item.get("path", [])
        if steps and item.get("from", "").startswith("posedge") and item.get("to", "").startswith("posedge"):
            ends = steps[0]["from"]["cell"], steps[-1]["to"]["cell"]
            path = " to ".join(str(end)[:80] for end in ends)
            break
    used = [
        [name, int(item["used"]), int(item["available"])]
        for name, item in raw.get("utilization", {}).items()
        if int(item["used"])
    ]
    return {"fmax_hz": least * 1e6, "path": path, "used": used}
