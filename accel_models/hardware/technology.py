"""What one operation costs in a technology: energy, leakage and area, each coefficient with unit, node and source.

Published anchors exist at 45 nm (Horowitz 2014) and at 7 nm (Jouppi 2021). The nodes between are interpolated
geometrically, ``ln(value)`` linear in ``ln(node)``; those above follow ``C * V^2`` from 45 nm (node ratio times the
square of the supply ratio: 1.0 V, at 130 nm 1.2 V, against 0.9 V). Flip-flops and gates of 130 and 7 nm are those of
open libraries. A coefficient that nobody published is absent: its figures are ``None``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, wraps
from typing import Any, TypeVar, cast

from accel_models.hardware import sram
from mappings.registry import Registry


class TechnologyKind(StrEnum):
    """Standard cells, or the fabric of an FPGA."""

    ASIC = "asic"
    FPGA = "fpga"


@dataclass(frozen=True)
class Coefficient:
    """A number with its unit, the node it holds for, and where it comes from."""

    value: float
    unit: str
    node_nm: int
    source: str


_Formula = TypeVar("_Formula", bound=Callable[..., Any])


def _kept(formula: _Formula) -> _Formula:
    """A search asks a formula for few arguments, and for each of them a million times."""

    @wraps(formula)
    def ask(self: Technology, *args: Any, **named: Any) -> Any:
        asked = (formula.__name__, args, *named.items())
        known = self._answers
        if asked not in known:
            if len(known) > 100_000:
                known.clear()
            known[asked] = formula(self, *args, **named)
        return known[asked]

    return cast(_Formula, ask)


@dataclass(frozen=True)
class Technology:
    """Coefficients of one node, and the formulas over them.

    Attributes:
        name: in the registry.
        node_nm: feature size.
        kind: standard cells or FPGA fabric.
        coefficients: (name, coefficient) pairs; see :data:`COEFFICIENTS` for the names.
    """

    name: str
    node_nm: int
    kind: TechnologyKind
    coefficients: tuple[tuple[str, Coefficient], ...]

    def coefficient(self, name: str) -> Coefficient | None:
        """A coefficient by name, or None: not modelled here."""
        return self._by_name.get(name)

    @cached_property
    def _answers(self) -> dict[tuple[Any, ...], Any]:
        return {}

    @cached_property
    def _by_name(self) -> dict[str, Coefficient]:
        return dict(self.coefficients)

    def value(self, name: str) -> float | None:
        """The number alone, or None: not modelled here."""
        found = self.coefficient(name)
        return None if found is None else found.value

    @_kept
    def mac_pj(self, act_bits: int, weight_bits: int, acc_bits: int = 32) -> float | None:
        """Energy of one multiply-accumulate.

        The multiplier scales with the geometric mean of its widths to ``mult_exponent``, the adder with its own.
        """
        mult, exponent, add = self.value("mult_8b_pj"), self.value("mult_exponent"), self.add_pj(acc_bits)
        if mult is None or exponent is None or add is None:
            return None
        width = math.sqrt(act_bits * weight_bits) / 8
        return float(mult * width**exponent + add)

    @_kept
    def add_pj(self, acc_bits: int = 32) -> float | None:
        """Energy of one addition."""
        add, exponent = self.value("add_32b_pj"), self.value("add_exponent")
        return None if add is None or exponent is None else float(add * (acc_bits / 32) ** exponent)

    def sram_read_pj_per_bit(self, capacity_bytes: float, width_bits: int = 64) -> float | None:
        """Energy to read one bit of a memory.

        The published 8 KiB read of the node; over words and width up to 8 KiB as real macros have it
        (:mod:`accel_models.hardware.sram`), beyond over capacity as published. On an FPGA a memory is an array of
        blocks, of which one a column of the word is active, so the shape of one block counts.

        Args:
            capacity_bytes: of one bank.
            width_bits: of one access.
        """
        return self._sram_pj_per_bit(capacity_bytes, width_bits, write=False)

    def sram_write_pj_per_bit(self, capacity_bytes: float, width_bits: int = 64) -> float | None:
        """Energy to write one bit of a memory; arguments as :meth:`sram_read_pj_per_bit`."""
        return self._sram_pj_per_bit(capacity_bytes, width_bits, write=True)

    @_kept
    def _sram_pj_per_bit(self, capacity_bytes: float, width_bits: int, write: bool) -> float | None:
        base, block = self.value("sram_8kib_pj_per_bit"), self.value("sram_block_bytes")
        if base is None:
            return None
        bits = width_bits if block is None else min(width_bits, sram.MAX_BITS)
        words = (capacity_bytes if block is None else min(capacity_bytes, block)) * 8 / bits
        known = sram.access_130nm_pj(1024, 64, write=False) / 64
        found = base * sram.access_130nm_pj(min(words, _KIB8_BITS / bits), bits, write) / bits / known
        exponent = self.value("sram_capacity_exponent")
        if exponent is not None and words * bits > _KIB8_BITS:  # as published between 8 KiB and 1 MiB
            found *= (words * bits / _KIB8_BITS) ** exponent
        return found

    @property
    def register_pj_per_bit(self) -> float | None:
        """Energy to read or write one bit of a register file inside a PE (up to 0.5 KiB)."""
        return self.value("register_pj_per_bit")

    def dram_pj_per_bit(self, kind: str = "ddr") -> float | None:
        """Energy of one bit to or from external memory; ``kind`` is one of :data:`DRAMS`."""
        return self.value(f"dram_{kind}_pj_per_bit")

    def dram_background_mw(self, kind: str, bytes_per_s: float) -> float | None:
        """Power of external memory of that bandwidth while it waits; None: nobody says for that kind."""
        density = self.value(f"dram_{kind}_background_mw_per_gbs")
        return None if density is None else density * bytes_per_s / 1e9

    def sram_leakage_mw(self, capacity_bytes: float) -> float | None:
        """Static power of a memory."""
        per_bit_pw = self.value("sram_leakage_pw_per_bit")
        return None if per_bit_pw is None else capacity_bytes * 8 * per_bit_pw * 1e-9

    def logic_leakage_mw(self, area_um2: float) -> float | None:
        """Static power of standard cells of that area."""
        density = self.value("logic_leakage_nw_per_um2")
        return None if density is None else area_um2 * density * 1e-6

    @_kept
    def mac_um2(self, act_bits: int, weight_bits: int, acc_bits: int = 32) -> float | None:
        """Area of one multiplier and its adder, registers excluded."""
        mult, exponent, add = (self.value(n) for n in ("mult_8b_um2", "mult_area_exponent", "add_32b_um2"))
        if mult is None or exponent is None or add is None:
            return None
        return mult * float((math.sqrt(act_bits * weight_bits) / 8) ** exponent) + add * acc_bits / 32

    def sram_um2(self, capacity_bytes: float, width_bits: int = 64, ports: int = 1) -> float | None:
        """Area of a memory: that of SG13G2's macros of its words and width, times the ratio of the bit cells.

        Args:
            capacity_bytes: of one bank.
            width_bits: of a word.
            ports: 1, or 2 where it is read and written in the same cycle.
        """
        cell, known = self.value("sram_cell_um2"), self.value("sram_cell_130nm_um2")
        if cell is None or known is None:
            return None
        return sram.area_130nm_um2(capacity_bytes * 8 / width_bits, width_bits, ports) * cell / known

    @_kept
    def register_um2(self, bits: int) -> float | None:
        """Area of that many flip-flops."""
        cell = self.value("register_um2_per_bit")
        return None if cell is None else bits * cell


_KIB8_BITS = 8 * 8192
#: Every coefficient: name -> (unit, meaning).
COEFFICIENTS = {
    "mult_8b_pj": ("pJ", "one 8 x 8 bit multiplication"),
    "mult_exponent": ("", "energy of a multiplier over its width"),
    "add_32b_pj": ("pJ", "one 32-bit addition"),
    "add_exponent": ("", "energy of an adder over its width"),
    "sram_8kib_pj_per_bit": ("pJ/bit", "read of an 8 KiB memory, 64 bits wide"),
    "sram_capacity_exponent": ("", "energy over capacity, from 8 KiB to 1 MiB"),
    "sram_block_bytes": ("bytes", "largest single memory; bigger ones are made of these"),
    "register_pj_per_bit": ("pJ/bit", "register file inside a PE"),
    "dram_ddr_pj_per_bit": ("pJ/bit", "DDR3 or DDR4, interface included"),
    "dram_ddr3_pj_per_bit": ("pJ/bit", "DDR3, interface included"),
    "dram_ddr4_pj_per_bit": ("pJ/bit", "DDR4, interface included"),
    "dram_lpddr4_pj_per_bit": ("pJ/bit", "LPDDR4"),
    "dram_hbm2_pj_per_bit": ("pJ/bit", "HBM2"),
    "dram_ddr3_background_mw_per_gbs": ("mW/(GB/s)", "DDR3 with a row open, refreshed, over its peak bandwidth"),
    "dram_ddr4_background_mw_per_gbs": ("mW/(GB/s)", "the same of DDR4"),
    "dram_hbm2_background_mw_per_gbs": ("mW/(GB/s)", "the same of HBM2"),
    "sram_leakage_pw_per_bit": ("pW/bit", "static power of a low-power bit cell"),
    "logic_leakage_nw_per_um2": ("nW/um2", "static power of standard cells at 25 C"),
    "mult_8b_um2": ("um2", "area of an 8 x 8 bit multiplier"),
    "mult_area_exponent": ("", "area of a multiplier over its width"),
    "add_32b_um2": ("um2", "area of a 32-bit adder"),
    "sram_cell_um2": ("um2/bit", "six-transistor bit cell"),
    "sram_cell_130nm_um2": ("um2/bit", "bit cell of the macros whose areas are scaled"),
    "register_um2_per_bit": ("um2/bit", "one D flip-flop"),
    "gate_um2": ("um2", "a two-input NAND gate"),
    "ff_clock_pj": ("pJ", "clock pin of a flip-flop and its share of the tree, a cycle"),
    "ff_toggle_pj": ("pJ", "a flip-flop whose output changes, with its load"),
    "gate_toggle_pj": ("pJ", "a two-input gate whose output changes, with its load"),
    "soft_logic_gap": ("", "dynamic energy of look-up tables and routing over that of standard cells"),
}

_HOROWITZ = "Horowitz 2014 (ISSCC), 45 nm, 0.9 V"
_JOUPPI = "Jouppi 2021 (ISCA), table 2, 7 nm"
#: Published points: name -> (value at 45 nm, value at 7 nm, source). SRAM figures there are per 64-bit access.
_ENERGY_ANCHORS: dict[str, tuple[float, float, str]] = {
    "mult_8b_pj": (0.2, 0.07, f"int8 multiply: {_HOROWITZ}; {_JOUPPI}"),
    "add_32b_pj": (0.1, 0.03, f"int32 add: {_HOROWITZ}; {_JOUPPI}"),
    "sram_8kib_pj_per_bit": (10 / 64, 7.5 / 64, f"8 KB read: {_HOROWITZ}; {_JOUPPI}"),
}
#: Exponents between the ends of the published ranges.
_EXPONENT_ANCHORS: dict[str, tuple[float, float, str]] = {
    "mult_exponent": (
        math.log(3.1 / 0.2, 4),
        math.log(1.48 / 0.07, 4),
        f"our fit through int8 and int32 multiply: {_HOROWITZ}; {_JOUPPI}",
    ),
    "add_exponent": (
        math.log(0.1 / 0.03, 4),
        math.log(0.03 / 0.007, 4),
        f"our fit through int8 and int32 add: {_HOROWITZ}; {_JOUPPI}",
    ),
    "sram_capacity_exponent": (
        math.log(100 / 10, 128),
        math.log(14 / 7.5, 128),
        f"our fit through 8 KB and 1 MB reads: {_HOROWITZ}; {_JOUPPI}",
    ),
}
_SRAM_CELL_UM2 = {
    130: (2.0, "our assumption: six-transistor cells of 130 nm have about 2 um2"),
    65: (0.525, "TSMC 65 nm (IEDM 2005)"),
    45: (0.346, "Intel 45 nm (IEDM 2007)"),
    28: (0.127, "TSMC 28 nm (IEDM 2009)"),
    16: (0.070, "TSMC 16 nm FinFET (IEDM 2013)"),
    7: (0.027, "TSMC 7 nm (IEDM 2016)"),
}
#: An 8x8 int8 array synthesised with Nangate45 takes 56,964 um2, with ASAP7 4,065 um2 (Yosys + abc, no wires).
_LOGIC_AREA_EXPONENT = math.log(56964 / 4065) / math.log(45 / 7)
#: Supply of nodes above 45 nm.
_VOLTS = {55: 1.0, 65: 1.0, 130: 1.2}
_AREA_RULE = "scaled by (node / 45)^1.42: an 8x8 array synthesised with Nangate45 and ASAP7, our fit"
#: Soft logic alone; multipliers and memories are hard blocks, made as an ASIC's are, and are charged no gap.
_FPGA_GAP = 14.0
_FPGA_RULE = "times 14, the FPGA to ASIC gap in dynamic power of logic alone: Kuon 2007 (TCAD 26-2)"
_SOFT = ("register_pj_per_bit", "ff_clock_pj", "ff_toggle_pj", "gate_toggle_pj")
#: What a clock's tree takes beside its flip-flops, as a share of them (our assumption).
CLOCK_TREE = 0.3
#: Cells whose liberty files are open: name -> (at 130 nm, at 7 nm), pJ, our sums over those files.
_CELL_ANCHORS = {
    "ff_clock_pj": (0.0300 * (1 + CLOCK_TREE), 0.00083 * (1 + CLOCK_TREE)),
    "ff_toggle_pj": (0.0640, 0.00130),
    "gate_toggle_pj": (0.0140, 0.00090),
}
_CELL_RULES = {
    "ff_clock_pj": "both edges at the clock pin of sg13g2_dfrbp_1 (SG13G2, 1.2 V) and DFFHQNx1 (ASAP7, 0.7 V) where "
    "what is held stays, and 30 % for the tree (our assumption)",
    "ff_toggle_pj": "a change of the output of the same flip-flops, and of four gate inputs behind it",
    "gate_toggle_pj": "a change of the output of sg13g2_nand2_1 and NAND2x1 (ASAP7), and of four gate inputs behind it",
}
#: Static power of standard cells, nW/um2: the mean of SG13G2's 78 cells, and of ASAP7's combinational cells.
_LEAKAGE_ANCHORS = (0.0149, 1.08)


def _scaled(at_45: float, at_7: float, node_nm: int, is_energy: bool) -> tuple[float, str]:
    """A value at ``node_nm`` and the rule that gave it."""
    if node_nm in (45, 7):
        return (at_45 if node_nm == 45 else at_7), ""
    if node_nm > 45:
        if is_energy:
            volts = _VOLTS[node_nm]
            return at_45 * (node_nm / 45) * (volts / 0.9) ** 2, f"; C V^2 from 45 nm at 0.9 V to {volts} V"
        return at_45, "; exponent of 45 nm"
    part = math.log(45 / node_nm) / math.log(45 / 7)
    return at_45 ** (1 - part) * at_7**part, "; interpolated geometrically between 45 and 7 nm"


def _between(at_130: float, at_7: float, node_nm: int) -> float:
    """A value at ``node_nm``, geometrically between two nodes with open cell libraries."""
    part = math.log(130 / node_nm) / math.log(130 / 7)
    return float(at_130 ** (1 - part) * at_7**part)


#: External memories; "ddr" is DDR3 or DDR4, by the bit alone.
DRAMS = ("ddr", "ddr3", "ddr4", "lpddr4", "hbm2")
_LPDDR4 = (
    "middle of 13 (four dies of 8 Gb) and 14 pJ (one of 32 Gb) at 3.2 Gb/s a pin, simulated: Ha 2018 (thesis, "
    "Stanford), as the list of github.com/Dongyunkam/DRAM_info has them"
)
#: mA in standby with a row open (IDD3N) and in refresh (IDD5), share of time in refresh (tRFC / tREFI), V, GB/s of the
#: chip's (HBM2: the channel's) data pins, file.
_DRAM_CURRENTS = {
    "ddr3": (47, 235, 208 / 6240, 1.35, 3.2, "DDR3_4Gb_x16_1600.ini"),
    "ddr4": (47, 280, 420 / 9360, 1.2, 4.8, "DDR4_8Gb_x16_2400.ini; VPP not counted"),
    "hbm2": (55, 250, 260 / 3900, 1.2, 32.0, "HBM2_8Gb_x128.ini"),
}


def _dynamic(node_nm: int) -> dict[str, Coefficient]:
    """Dynamic energies of standard cells and memories at a node."""
    found: dict[str, Coefficient] = {}

    def put(name: str, value: float, source: str) -> None:
        found[name] = Coefficient(value, COEFFICIENTS[name][0], node_nm, source)

    for anchors, is_energy in ((_ENERGY_ANCHORS, True), (_EXPONENT_ANCHORS, False)):
        for name, (at_45, at_7, source) in anchors.items():
            value, rule = _scaled(at_45, at_7, node_nm, is_energy)
            put(name, value, source + rule)
    mac_16 = Technology("", node_nm, TechnologyKind.ASIC, tuple(found.items())).mac_pj(16, 16)
    if mac_16 is not None:
        put("register_pj_per_bit", mac_16 / 16, "1 x a 16-bit MAC, per bit: Chen 2016 (ISCA), table IV")
    for name, (at_130, at_7) in _CELL_ANCHORS.items():
        put(name, _between(at_130, at_7, node_nm), f"{_CELL_RULES[name]}; interpolated geometrically from 130 to 7 nm")
    for name in ("ddr", "ddr3", "ddr4"):
        text = f"1.3 nJ for 64 bits, whatever the logic's node: {_HOROWITZ}; {_JOUPPI}"
        put(f"dram_{name}_pj_per_bit", 1300 / 64, text)
    put("dram_lpddr4_pj_per_bit", 13.5, _LPDDR4)
    put("dram_hbm2_pj_per_bit", 350 / 64, f"middle of 250 to 450 pJ for 64 bits: {_JOUPPI}")
    for name, (idd3n, idd5, refresh, volts, gbs, file) in _DRAM_CURRENTS.items():
        value = (idd3n + (idd5 - idd3n) * refresh) * volts / gbs
        text = f"IDD3N and refresh at {volts} V over {gbs} GB/s, currents as DRAMsim3 has them ({file}); our sum"
        put(f"dram_{name}_background_mw_per_gbs", value, text)
    return found


def _asic(node_nm: int) -> Technology:
    found = _dynamic(node_nm)

    def put(name: str, value: float, source: str) -> None:
        found[name] = Coefficient(value, COEFFICIENTS[name][0], node_nm, source)

    area, register, rule = (node_nm / 45) ** _LOGIC_AREA_EXPONENT, 4.522, _AREA_RULE
    if node_nm == 130:  # the cells of an open library, which are larger than the rule has them
        area, rule = 7.2576 / 0.798, "scaled to SG13G2's sg13g2_nand2_1 (7.2576 um2) and sg13g2_dfrbp_1 (47.1744 um2)"
        register = 47.1744 / area
    put("mult_8b_um2", 282 * area, f"{_HOROWITZ}: 282 um2; {rule}")
    put("add_32b_um2", 137 * area, f"{_HOROWITZ}: 137 um2; {rule}")
    put("mult_area_exponent", math.log(3495 / 282, 4), f"our fit through 8 and 32 bits: {_HOROWITZ}")
    put("register_um2_per_bit", register * area, f"Nangate45 DFF_X1: 4.522 um2; {rule}")
    put("gate_um2", 0.798 * area, f"Nangate45 NAND2_X1: 0.798 um2; {rule}")
    cell, source = _SRAM_CELL_UM2[node_nm]
    put("sram_cell_um2", cell, source)
    put("sram_cell_130nm_um2", 2.0, "our assumption: six-transistor cells of 130 nm have about 2 um2")
    put("sram_leakage_pw_per_bit", 12.0, _SRAM_LEAKAGE)
    put("logic_leakage_nw_per_um2", _between(*_LEAKAGE_ANCHORS, node_nm), _LOGIC_LEAKAGE)
    return Technology(f"asic_{node_nm}nm", node_nm, TechnologyKind.ASIC, tuple(found.items()))


_SRAM_LEAKAGE = (
    "Wang 2008 (JSSC 43-1): 12 uA/Mb at 65 nm, about 1 V; SG13G2 macro: 12.1 pW/bit at 130 nm; "
    "our assumption: low-power cells keep it at every node"
)
_LOGIC_LEAKAGE = (
    "mean of SG13G2's cells (130 nm, 1.2 V) and of ASAP7's combinational RVT cells (7 nm, 0.7 V), typical, 25 C; "
    "interpolated geometrically: low-power cells, the least that a node leaks"
)


def _fpga(node_nm: int) -> Technology:
    """The fabric: multipliers and memories as an ASIC's, all else times the measured gap.

    Areas and leakage are not of the fabric but of a device: a part states its static power.
    """
    found: dict[str, Coefficient] = {}
    for name, item in _dynamic(node_nm).items():
        if name in _SOFT:
            item = replace(item, value=item.value * _FPGA_GAP, source=f"{item.source}; {_FPGA_RULE}")
        found[name] = item
    found["soft_logic_gap"] = Coefficient(_FPGA_GAP, "", node_nm, _FPGA_RULE)
    found["sram_block_bytes"] = Coefficient(4608, "bytes", node_nm, "one block of 36 Kb")
    return Technology(f"fpga_{node_nm}nm", node_nm, TechnologyKind.FPGA, tuple(found.items()))


def _register_builtins(registry: Registry[Technology]) -> None:
    for node_nm in _SRAM_CELL_UM2:
        registry.register(f"asic_{node_nm}nm", _asic(node_nm))
    for node_nm in (55, 40, 28, 16, 7):
        registry.register(f"fpga_{node_nm}nm", _fpga(node_nm))


TECHNOLOGIES: Registry[Technology] = Registry("technology", _register_builtins)


def technology(name: str, where: str = "technology") -> Technology:
    """A technology by name.

    Raises:
        SpecError: not registered.
    """
    return TECHNOLOGIES.get(name, where)
