"""What a :class:`Template` takes of an FPGA (DSP, BRAM, LUT, FF) or of silicon, from its structure.

The structure is that of ``docs/hardware.md``. Multipliers are counted, memories become blocks by their geometry,
look-up tables and flip-flops come from :mod:`accel_models.template.fabric`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from accel_models.hardware.devices import Device, DeviceKind, device, unchecked
from accel_models.hardware.technology import Technology, technology
from accel_models.report import Bound, Infeasible, broken_bounds
from accel_models.template.cells import cells
from accel_models.template.fabric import Part, array_part, logic_key, shell_parts
from accel_models.template.families import TARGETS, XC7, Family, family_of
from accel_models.template.spec import ArrayKind, Template

_FAMILIES = ", ".join(TARGETS)
#: Bits of a channel's parameters beside its bias: multiplier and shift.
PARAM_BITS = 38


@dataclass(frozen=True)
class Resources:
    """What a design takes of an FPGA: the sum of its parts."""

    parts: tuple[Part, ...]
    family: Family = XC7

    @property
    def dsp(self) -> int:
        """Multiplier blocks."""
        return sum(part.dsp for part in self.parts)

    @property
    def bram36(self) -> int:
        """Blocks of 36 Kb: two of 18 Kb each."""
        return -(-sum(part.bram18 for part in self.parts) // self.family.blocks36)

    @property
    def lut(self) -> int:
        """Look-up tables."""
        return sum(part.lut for part in self.parts)

    @property
    def ff(self) -> int:
        """Flip-flops."""
        return sum(part.ff for part in self.parts)

    def as_pairs(self) -> tuple[tuple[str, int], ...]:
        """Totals as a report holds them."""
        return (("DSP", self.dsp), ("BRAM36", self.bram36), ("LUT", self.lut), ("FF", self.ff))


@lru_cache(maxsize=1 << 16)
def _bram18(width_bits: int, depth: int, family: Family) -> int:
    if depth <= family.shallow:
        return 0
    return min(-(-width_bits // bits) * -(-depth // words) for bits, words in family.shapes)


@dataclass(frozen=True)
class Memory:
    """On-chip memories of one kind.

    Attributes:
        width_bits, depth: of one.
        count: how many.
        registered: read through a register behind it.
        family: of the part.
    """

    name: str
    width_bits: int
    depth: int
    count: int = 1
    registered: bool = True
    family: Family = XC7

    @property
    def bram18(self) -> int:
        """Fewest blocks (18 Kb; iCE40: 4 Kb) over the shapes; 0 where it is shallow enough for look-up tables."""
        return self.count * _bram18(self.width_bits, self.depth, self.family)

    @property
    def lutram(self) -> int:
        """Look-up tables of a shallow memory: four (RAM32M) hold 32 words of six bits (UG474)."""
        if self.depth > self.family.shallow:
            return 0
        bits, words = self.family.ram
        return self.count * -(-self.width_bits // bits) * -(-self.depth // words) * 4

    @property
    def ff(self) -> int:
        """Flip-flops: the register behind it; one that look-up tables need, where a block has it inside."""
        inside = self.count * self.width_bits if self.depth <= self.family.shallow else 0
        return self.registers + inside

    @property
    def registers(self) -> int:
        """Flip-flops of the register behind it, on any fabric."""
        return self.count * self.width_bits if self.registered else 0

    @property
    def size_bytes(self) -> int:
        """Capacity of all of them."""
        return self.count * self.width_bits * self.depth // 8


def memories(template: Template, family: Family = XC7) -> tuple[Memory, ...]:
    """The on-chip memories. Both halves of a double buffer are one memory, but for the accumulators."""
    t = template
    act_word, acc_word = t.act_word_bytes * 8, t.word_lanes * t.acc_bits
    tables = (
        Memory(
            "activation tables", 16 * t.act_bits, 2 * t.table_words, count=t.ppu_lanes, registered=False, family=family
        ),
    )
    banks = 2 if t.array is ArrayKind.ROW_STATIONARY else 1
    return (
        # The row-stationary array reads two words at once, of even and of odd addresses.
        Memory("input buffer", act_word, 2 * t.input_words // banks, count=banks, family=family),
        Memory("weight buffer", t.weight_word_bytes * 8, 2 * t.weight_words, family=family),
        Memory("accumulator memory", acc_word, t.acc_words, count=2, family=family),
        Memory("output and residual buffers", act_word, 2 * t.output_words, count=2, family=family),
        Memory(
            "parameters", t.acc_bits + PARAM_BITS, 2 * t.param_channels // t.ppu_lanes, count=t.ppu_lanes, family=family
        ),
        *(tables if t.activation_tables else ()),
    )


_logic: dict[tuple[object, ...], Logic] = {}


class Logic(NamedTuple):
    """What the logic of a template takes, memories apart: in all, and of it the PE array."""

    dsp: int
    lut: int
    ff: int
    array_lut: int
    array_ff: int
    blocks: int


def logic(template: Template, family: Family = XC7) -> Logic:
    """The parts of :func:`estimate` but for the memories, summed once for equal arrays and shells."""
    key = (family.name, logic_key(template))
    found = _logic.get(key)
    if found is None:
        array, shell = array_part(template, family), shell_parts(template, family)
        parts = (array, *shell)
        sums = (sum(part.dsp for part in parts), sum(part.lut for part in parts), sum(part.ff for part in parts))
        found = _logic[key] = Logic(*sums, array.lut, array.ff, array.bram18)
    return found


class Stored(NamedTuple):
    """What all memories of a template take."""

    blocks: int
    lutram: int
    ff: int
    registers: int
    size_bytes: int


@lru_cache(maxsize=1 << 12)
def stored(template: Template, family: Family = XC7) -> Stored:
    """Sums over :func:`memories`; several questions about one template follow each other."""
    found = memories(template, family)
    return Stored(
        sum(memory.bram18 for memory in found),
        sum(memory.lutram for memory in found),
        sum(memory.ff for memory in found),
        sum(memory.registers for memory in found),
        sum(memory.size_bytes for memory in found),
    )


def demand(template: Template, family: Family = XC7) -> tuple[int, int, int, int]:
    """DSP, BRAM36, LUT and FF of :func:`estimate`."""
    found, held = logic(template, family), stored(template, family)
    return found.dsp, -(-(found.blocks + held.blocks) // family.blocks36), found.lut + held.lutram, found.ff + held.ff


#: Part of the structure that holds each memory.
_HOLDER = {"accumulator memory": "accumulators", "parameters": "drain", "activation tables": "drain"}


def part_lutram(template: Template, part: str) -> int:
    """Look-up tables of the shallow memories inside one part."""
    return sum(m.lutram for m in memories(template) if _HOLDER.get(m.name, "buffers") == part)


def part_registers(template: Template, part: str) -> int:
    """Registers behind the memories inside one part, in standard cells."""
    return sum(m.registers for m in memories(template) if _HOLDER.get(m.name, "buffers") == part)


def part_memory_ff(template: Template, part: str) -> int:
    """Flip-flops behind the memories inside one part."""
    return sum(m.ff for m in memories(template) if _HOLDER.get(m.name, "buffers") == part)


def estimate(template: Template, family: Family = XC7) -> Resources:
    """What the template takes of an FPGA of a family, part by part."""
    held = tuple(Part(m.name, bram18=m.bram18, lut=m.lutram, ff=m.ff) for m in memories(template, family))
    return Resources((array_part(template, family), *held, *shell_parts(template, family)), family)


def logic_um2(template: Template, tech: Technology) -> float | None:
    """Silicon area of everything but memories: gates and flip-flops of :mod:`accel_models.template.cells`, registers
    behind the memories.

    Returns:
        None where the technology models no areas (FPGA fabric).
    """
    gate, flop = tech.value("gate_um2"), tech.register_um2(1)
    if gate is None or flop is None:
        return None
    found = cells(template)
    return found.gates * gate + (found.flops + stored(template).registers) * flop


def area_um2(template: Template, tech: Technology) -> float | None:
    """Silicon area, memories included; None where the technology models no areas."""
    total = logic_um2(template, tech)
    for memory in memories(template):
        # The accelerator reads and writes each of its memories in the same cycle.
        one = tech.sram_um2(memory.width_bits * memory.depth / 8, memory.width_bits, ports=2)
        total = None if one is None or total is None else total + memory.count * one
    return total


def fpga_bounds(
    part: Device, dsp: float | None, bram36: float | None, lut: float | None, ff: float | None
) -> list[Bound]:
    """What a design takes of a part beside what there is; look-up tables are the part's own, up to the fill limit."""
    fewer = "fewer rows or cols, or a narrower bus"
    tables = _tables(part)
    filled = "" if part.lut is None else f"look-up tables ({part.lut_fill:.0%} of {part.lut:,}, the fill limit)"
    return [
        Bound("DSP", dsp, part.dsp, "blocks", "fewer rows or cols"),
        Bound("BRAM36", bram36, part.bram36, "blocks", "smaller buffers"),
        Bound("LUT", lut, tables, filled, fewer),
        Bound("FF", ff, part.ff, "flip-flops", fewer),
    ]


def _tables(part: Device) -> int | None:
    """Look-up tables that a design may fill."""
    return None if part.lut is None else int(part.lut * part.lut_fill)


def fpga_room(part: Device) -> tuple[int | None, int | None, float | None, int | None]:
    """Most DSP, BRAM36, LUT and FF, as :func:`demand` counts them for its family; None: not stated."""
    return part.dsp, part.bram36, _tables(part), part.ff


def highest_hz(template: Template, part: Device) -> int | None:
    """The least of what routing reaches and what the hard blocks do."""
    routed = part.routed_hz(template.array, template.rows * template.cols)
    limits = [limit for limit in (part.fmax_hz, routed) if limit is not None]
    return min(limits) if limits else None


def fits(template: Template, where: Device | str) -> tuple[Infeasible, ...]:
    """Every bound of a device that the template breaks; empty where it fits.

    Args:
        where: a device or its registered name.

    Raises:
        SpecError: no such device, or one whose limit on the area cannot be checked.
    """
    part = device(where) if isinstance(where, str) else where
    if part.kind is DeviceKind.FPGA:
        bounds = fpga_bounds(part, *demand(template, family_of(part)))
        slower = "a slower clock" if part.family else f"a slower clock, or a device that names its family: {_FAMILIES}"
        bounds.append(Bound("clock", template.clock_hz, highest_hz(template, part), "Hz", slower))
    else:
        area = area_um2(template, technology(part.technology, f"device {part.name}.technology"))
        if area is None and part.area_mm2 is not None:
            why = "the area of a template is not modelled"
            raise unchecked(part, "area_mm2", why, "areas", part.technology)
        used = None if area is None else area / 1e6
        bounds = [Bound("area", used, part.area_mm2, "mm2", "fewer rows or cols, or smaller buffers")]
    # The model lets reads and writes run at that rate at the same time; the board's memory is shared by both.
    rate = 2.0 * template.dram_bytes_per_cycle * template.clock_hz
    beats = template.axi_burst_beats
    bounds.append(Bound("memory port", template.axi_bits, part.axi_bits, "bits", "a narrower bus: axi_bits"))
    bounds.append(Bound("burst length", beats, part.axi_burst_beats, "beats", "shorter bursts: axi_burst_beats"))
    bounds.append(Bound("memory bandwidth", rate, part.dram_bytes_per_s, "bytes/s", "a lower dram_bytes_per_cycle"))
    return broken_bounds(bounds)
