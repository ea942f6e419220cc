"""Synthesis of the real accelerator for a Xilinx FPGA, with Yosys from PyPI (``pip install pyosys``).

Yosys runs in a process of its own: it writes to the standard output at will, and ends its process on an error.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from accel_models.template.spec import Template
from mappings.errors import Fault, SpecError
from rtl_templates.render import TOP as WRAPPER
from rtl_templates.render import parameters, sources

TOP = "cd_accelerator"
TIMEOUT_S = 3600
#: Look-up tables that a distributed memory takes (UG953).
_RAM_LUT = {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4}


@dataclass(frozen=True)
class SynthReport:
    """What synthesis gave; the fields of an estimate beside it.

    Attributes:
        dsp, bram36, lut, ff: totals; look-up tables used as memory or shift register are counted.
        cells: (primitive, count) pairs.
        seconds: wall time.
    """

    dsp: int
    bram36: int
    lut: int
    ff: int
    cells: tuple[tuple[str, int], ...]
    seconds: float

    def as_pairs(self) -> tuple[tuple[str, int], ...]:
        """Totals as a report holds them."""
        return (("DSP", self.dsp), ("BRAM36", self.bram36), ("LUT", self.lut), ("FF", self.ff))


def totals(cells: dict[str, int]) -> dict[str, int]:
    """Resources by name from counts of Xilinx primitives. Inverters are absorbed by what they drive."""
    found = {"dsp": 0, "bram18": 0, "lut": 0, "ff": 0}
    for name, count in cells.items():
        if name.startswith("DSP48"):
            found["dsp"] += count
        elif name.startswith("RAMB"):
            found["bram18"] += count * (2 if name.startswith("RAMB36") else 1)
        elif name.startswith(("LUT", "SRL")):
            found["lut"] += count
        elif name in _RAM_LUT:
            found["lut"] += count * _RAM_LUT[name]
        elif name.startswith("FD"):
            found["ff"] += count
    return found


def synthesize(template: Template, family: str = "xc7") -> SynthReport:
    """Synthesise the accelerator of a template, flattened, without pads.

    Args:
        template: what to build.
        family: of ``synth_xilinx``.

    Raises:
        SpecError: Yosys is not installed, an unknown family, or it stopped (the message has its last lines).
    """
    if importlib.util.find_spec("pyosys") is None:
        raise SpecError(Fault("synthesis", "Yosys is missing", "install it: pip install pyosys"))
    if family not in ("xc7", "xcup", "xcu", "xc6s", "xc6v", "xc5v"):
        raise SpecError(Fault("synthesis: family", f'is "{family}"', "xc7, xcup, xcu, xc6s, xc6v, xc5v"))
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files = [path for path in sources() if path.name != WRAPPER]
        given = " ".join(f"-G {name}={value:d}" for name, value in parameters(template).items())
        passes = [
            f"read_slang --threads 1 --top {TOP} {given} {' '.join(map(str, files))}",
            f"synth_xilinx -family {family} -flatten -noiopad -noclkbuf -top {TOP}",
            f"tee -q -o {folder}/stat.json stat -json",
        ]
        (folder / "passes.json").write_text(json.dumps(passes), encoding="utf-8")
        command = [sys.executable, "-m", "rtl_templates.synthesize", str(folder / "passes.json")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        stat = folder / "stat.json"
        if done.returncode != 0 or not stat.exists():
            tail = " ".join((done.stdout + done.stderr).split())[-600:]
            raise SpecError(Fault("synthesis", f"Yosys stopped: {tail}"))
        cells = json.loads(stat.read_text(encoding="utf-8"))["design"]["num_cells_by_type"]
    found = totals(cells)
    return SynthReport(
        found["dsp"],
        -(-found["bram18"] // 2),
        found["lut"],
        found["ff"],
        tuple(sorted(cells.items())),
        time.perf_counter() - start,
    )


def main() -> int:
    """The child process: runs the passes of a file."""
    from pyosys import libyosys  # heavy, and present in the child alone

    design = libyosys.Design()
    for item in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        libyosys.run_pass(item, design)
    return 0


if __name__ == "__main__":
    sys.exit(main())
