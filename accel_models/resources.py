"""What a :class:`Template` takes of an FPGA (DSP, BRAM, LUT, FF) or of silicon, from its structure.

The structure is that of ``docs/hardware.md``: a PE array, four double-buffered memories whose words are
``N = max(rows, cols)`` lanes wide, accumulators that add in place, a post-processing lane for each of the N lanes,
load, store and control. Blocks are counted by geometry; look-up tables and flip-flops are linear in the structure,
with the coefficients of :data:`FABRIC`, from synthesis (Yosys, ``synth_xilinx -family xc7``).
"""

from __future__ import annotations

from dataclasses import dataclass

from accel_models.devices import Device, DeviceKind, device
from accel_models.report import Infeasible
from accel_models.technology import Technology, technology
from accel_models.template import ArrayKind, Template

#: Shapes of one block of 18 Kb: (bits of a word, words).
BRAM18_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
#: Words of at most this depth become distributed memory.
LUTRAM_DEPTH = 64


@dataclass(frozen=True)
class Part:
    """What one part of the structure takes."""

    name: str
    dsp: int = 0
    bram18: int = 0
    lut: int = 0
    ff: int = 0


@dataclass(frozen=True)
class Resources:
    """What a design takes of an FPGA: the sum of its parts."""

    parts: tuple[Part, ...]

    @property
    def dsp(self) -> int:
        """Multiplier blocks."""
        return sum(part.dsp for part in self.parts)

    @property
    def bram36(self) -> int:
        """Blocks of 36 Kb: two of 18 Kb each."""
        return -(-sum(part.bram18 for part in self.parts) // 2)

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


@dataclass(frozen=True)
class Memory:
    """One on-chip memory.

    Attributes:
        width_bits, depth: of the whole memory, both halves of a double buffer.
    """

    name: str
    width_bits: int
    depth: int

    @property
    def bram18(self) -> int:
        """Fewest blocks of 18 Kb over the shapes; 0 where it is shallow enough for look-up tables."""
        if self.depth <= LUTRAM_DEPTH:
            return 0
        return min(-(-self.width_bits // bits) * -(-self.depth // words) for bits, words in BRAM18_SHAPES)

    @property
    def lutram(self) -> int:
        """Look-up tables of a shallow memory: four 64 x 3 (dual-port) a slice of three bits (UG474)."""
        return -(-self.width_bits // 3) * 4 if self.depth <= LUTRAM_DEPTH else 0


@dataclass(frozen=True)
class Fabric:
    """Coefficients of the parts that geometry does not give.

    Attributes:
        pe_lut_no_dsp: of a PE whose product is narrower than a DSP is used for (4 x 4 bits).
        pe_ff: flip-flops of a PE outside its DSP, beyond its operand registers.
        lane_dsp, lane_lut, lane_ff: one post-processing lane (32 x 31 bit multiplier, 64-bit shifter).
        acc_lut_per_bit: of one accumulator lane's adder and first/add choice.
        bus_lut_per_bit, bus_ff_per_bit: load and store, per bit of the bus.
        control_lut, control_ff: sequencer, registers, address generators.
    """

    pe_lut_no_dsp: int
    pe_ff: int
    lane_dsp: int
    lane_lut: int
    lane_ff: int
    acc_lut_per_bit: float
    acc_ff_per_bit: float
    bus_lut_per_bit: float
    bus_ff_per_bit: float
    control_lut: int
    control_ff: int


#: Seven series. Of single modules (a PE, a lane) synthesised alone; the rest counted from the structure.
FABRIC = Fabric(
    pe_lut_no_dsp=87,
    pe_ff=0,
    lane_dsp=4,
    lane_lut=623,
    lane_ff=201,
    acc_lut_per_bit=1.5,
    acc_ff_per_bit=2.0,
    bus_lut_per_bit=8.0,
    bus_ff_per_bit=8.0,
    control_lut=3000,
    control_ff=2500,
)


def lanes(template: Template) -> int:
    """Channels of one memory word."""
    return max(template.rows, template.cols)


def memories(template: Template) -> tuple[Memory, ...]:
    """The on-chip memories, both halves of each double buffer."""
    n = lanes(template)
    shapes = (
        ("input buffer", n * template.act_bits, template.input_buffer_bytes),
        ("weight buffer", template.cols * template.weight_bits, template.weight_buffer_bytes),
        ("accumulators", n * template.acc_bits, template.acc_buffer_bytes),
        ("output buffer", n * template.act_bits, template.output_buffer_bytes),
    )
    return tuple(Memory(name, width, -(-2 * 8 * half // width)) for name, width, half in shapes)


def _array(template: Template) -> Part:
    pes = template.rows * template.cols
    uses_dsp = template.act_bits + template.weight_bits > 8
    operands = template.act_bits + (0 if uses_dsp else template.weight_bits)
    ff = pes * (operands + FABRIC.pe_ff)
    lut = 0 if uses_dsp else pes * FABRIC.pe_lut_no_dsp
    if not uses_dsp:
        ff += pes * template.acc_bits
    if template.array in (ArrayKind.CHANNEL_PARALLEL, ArrayKind.LOOP_TILE):
        # Adder trees: the products leave the DSPs, rows - 1 adders a column.
        lut += template.cols * (template.rows - 1) * template.acc_bits if uses_dsp else 0
    return Part("PE array", dsp=pes if uses_dsp else 0, lut=lut, ff=ff)


def estimate(template: Template) -> Resources:
    """What the template takes of an FPGA of six-input look-up tables, part by part."""
    n = lanes(template)
    acc_bits = n * template.acc_bits
    parts = [_array(template)]
    parts += [Part(m.name, bram18=m.bram18, lut=m.lutram) for m in memories(template)]
    parts += [
        Part("accumulate", lut=round(acc_bits * FABRIC.acc_lut_per_bit), ff=round(acc_bits * FABRIC.acc_ff_per_bit)),
        Part("post-processing", dsp=n * FABRIC.lane_dsp, lut=n * FABRIC.lane_lut, ff=n * FABRIC.lane_ff),
        Part(
            "load and store",
            lut=round(template.axi_bits * FABRIC.bus_lut_per_bit),
            ff=round(template.axi_bits * FABRIC.bus_ff_per_bit),
        ),
        Part("control", lut=FABRIC.control_lut, ff=FABRIC.control_ff),
    ]
    return Resources(tuple(parts))


def area_um2(template: Template, tech: Technology) -> float | None:
    """Silicon area: PEs with their registers, memories, post-processing multipliers, flip-flops of the rest.

    Returns:
        None where the technology models no areas (FPGA fabric).
    """
    n, pes = lanes(template), template.rows * template.cols
    taken = estimate(template)
    terms = [
        tech.mac_um2(template.act_bits, template.weight_bits, template.acc_bits),
        tech.register_um2(template.act_bits + template.weight_bits + template.acc_bits),
        tech.mac_um2(32, 32, 64),
        tech.register_um2(sum(part.ff for part in taken.parts if part.name != "PE array")),
        *(tech.sram_um2(memory.width_bits * memory.depth // 8) for memory in memories(template)),
    ]
    known = [term for term in terms if term is not None]
    if len(known) != len(terms):
        return None
    mac, registers, lane, other, *buffers = known
    return pes * (mac + registers) + n * lane + other + sum(buffers)


def _fpga_bounds(template: Template, part: Device) -> list[tuple[str, float, float | None, str, str]]:
    taken = estimate(template)
    # A four-input look-up table holds a quarter of a six-input one, but most functions here have few inputs.
    lut = taken.lut if part.lut_inputs == 6 else round(taken.lut * LUT4_PER_LUT6)
    return [
        ("DSP", taken.dsp, part.dsp, "blocks", "fewer rows or cols"),
        ("BRAM36", taken.bram36, part.bram36, "blocks", "smaller buffers"),
        ("LUT", lut, part.lut, "look-up tables", "fewer rows or cols, or a narrower bus"),
        ("FF", taken.ff, part.ff, "flip-flops", "fewer rows or cols, or a narrower bus"),
        ("clock", template.clock_hz, part.fmax_hz, "Hz", "a slower clock"),
    ]


#: Four-input look-up tables for one of six inputs, on adder and multiplexer logic (our assumption).
LUT4_PER_LUT6 = 1.6


def fits(template: Template, where: Device | str) -> tuple[Infeasible, ...]:
    """Every bound of a device that the template breaks; empty where it fits.

    Args:
        where: a device or its registered name.

    Raises:
        SpecError: no such device.
    """
    part = device(where) if isinstance(where, str) else where
    if part.kind is DeviceKind.FPGA:
        bounds = _fpga_bounds(template, part)
    else:
        area = area_um2(template, technology(part.technology, f"device {part.name}.technology"))
        bounds = []
        if area is not None:
            bounds.append(("area", area / 1e6, part.area_mm2, "mm2", "fewer rows or cols, or smaller buffers"))
    # The model lets reads and writes run at that rate at the same time; the board's memory is shared by both.
    demand = 2.0 * template.dram_bytes_per_cycle * template.clock_hz
    bounds.append(("memory bandwidth", demand, part.dram_bytes_per_s, "bytes/s", "a lower dram_bytes_per_cycle"))
    return tuple(
        Infeasible(resource, need, bound, unit, remedy)
        for resource, need, bound, unit, remedy in bounds
        if bound is not None and need > bound
    )
