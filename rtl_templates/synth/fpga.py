"""Synthesis for FPGA families: which passes, and what their primitives are of a part's resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mappings.errors import unknown_name
from rtl_templates.synth.yosys import Netlist, netlist

#: Target -> the pass that maps for it.
PASSES = {
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}",
    "xcup": "synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top {top}",
    "ecp5": "synth_ecp5 -top {top}",
    "ice40": "synth_ice40 -dsp -top {top}",
    "gowin": "synth_gowin -noiopads -top {top}",
}
#: Look-up tables that a distributed memory takes (UG953 for Xilinx; four 4-input tables of a slice pair for Lattice's).
_RAM_LUT = {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM32M16": 8, "RAM64M8": 8}
_RAM_LUT |= {"TRELLIS_DPR16X4": 4, "RAM16SDP4": 4, "RAM16SDP2": 4, "RAM16SDP1": 4}
#: Blocks of 9 or 18 Kb and larger, in blocks of 18 Kb.
_BLOCK = {"RAMB36E1": 2, "RAMB36E2": 2, "RAMB18E1": 1, "RAMB18E2": 1, "DP16KD": 1, "PDPW16KD": 1}
#: Small blocks that count as they are (iCE40: 4 Kb; Gowin: 18 Kb).
_SMALL = ("SB_RAM40_4K", "SDPB", "DPB", "SPX9", "SDPX9B", "DPX9B", "pROM")
_DSP = ("DSP48", "MULT18X18D", "ALU54B", "SB_MAC16", "MULT9X9", "MULT18X18", "MULT36X36", "MULTALU")


@dataclass(frozen=True)
class Taken:
    """Resources of a synthesised module; look-up tables used as memory, shift register or carry logic count.

    Attributes:
        dsp: multiplier blocks.
        bram18: blocks of 18 Kb (iCE40: of 4 Kb).
        lut: look-up tables, of six inputs or of four.
        ff: flip-flops.
    """

    dsp: int
    bram18: int
    lut: int
    ff: int


def totals(cells: Mapping[str, int]) -> Taken:
    """Resources from counts of primitives.

    Xilinx: inverters are absorbed by what they drive and carries take none; wide multiplexers are free. ECP5: a
    ``CCU2C`` takes two tables. iCE40 and Gowin: a carry shares the cell of its table.
    """
    dsp = bram = lut = ff = 0
    for name, count in cells.items():
        if name.startswith(_DSP):
            dsp += count * (2 if name.startswith(("ALU54B", "MULTALU")) else 1)
        elif name in _BLOCK:
            bram += count * _BLOCK[name]
        elif name.startswith(_SMALL):
            bram += count
        elif name in _RAM_LUT:
            lut += count * _RAM_LUT[name]
        elif name in ("CCU2C", "ALU"):
            lut += count * (2 if name == "CCU2C" else 1)
        elif name.startswith(("LUT", "SRL", "SB_LUT4", "TRELLIS_SLICE")):
            lut += count
        elif name.startswith(("FD", "TRELLIS_FF", "SB_DFF", "DFF")):
            ff += count
    return Taken(dsp, bram, lut, ff)


def synthesize_module(top: str, parameters: Mapping[str, int], target: str = "xc7") -> tuple[Taken, Netlist]:
    """Synthesis of one module alone, flattened, without pads.

    Raises:
        SpecError: an unknown target or module, Yosys is missing or stopped.
    """
    if target not in PASSES:
        raise unknown_name("synthesis: target", "target", target, PASSES)
    found = netlist(top, parameters, [PASSES[target]])
    return totals(dict(found.cells)), found
