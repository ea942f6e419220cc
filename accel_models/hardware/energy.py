"""What moving, computing, clocking and waiting cost: the one place that prices energy and power.

The first part is plain functions of numbers, which the batch paths compile; the second finds the numbers for an
accelerator. Energy has four kinds: of each access and operation (dynamic), of each clock cycle and flip-flop (the
clock tree), of each bit that changes in a register, and of time (static power). So energy depends on the clock: what
waits still leaks.
"""

from __future__ import annotations

from dataclasses import dataclass

from accel_models.breakdown import EnergyBreakdown
from accel_models.hardware.accelerator import Accelerator, MemoryKind
from accel_models.hardware.devices import Device, unchecked
from accel_models.hardware.technology import Technology, TechnologyKind
from accel_models.report import Bound, Infeasible, LayerCost, broken_bounds
from mappings.layer import Bits, Layer

#: Part of the bits of the array's registers that change in a cycle in which it works, and of all gates beside the MACs
#: that change in any cycle: weight and output stationary 4x4 as netlists of SG13G2, running a 3x3 convolution of random
#: integers (`python -m benchmarks.asic_power`). Other arrays are judged there.
DATA_TOGGLE = 0.15
CONTROL_TOGGLE = 0.02
_MW_S_TO_PJ = 1e9


def static_pj(static_mw: float, cycles: float, clock_hz: float) -> float:
    """Energy of static power over a time."""
    return static_mw * _MW_S_TO_PJ * cycles / clock_hz


def power_mw(energy_pj: float, cycles: float, clock_hz: float) -> float:
    """Mean power of an energy over a time; 0 cycles: 0."""
    return 0.0 if cycles <= 0 else energy_pj / _MW_S_TO_PJ * clock_hz / cycles


def clock_pj(flip_flops: float, cycles: float, ff_clock_pj: float) -> float:
    """Energy of the clock: every flip-flop's clock pin and its share of the tree, in every cycle."""
    return flip_flops * cycles * ff_clock_pj


def register_pj(bits: float, busy_cycles: float, ff_toggle_pj: float) -> float:
    """Energy of working registers, of which :data:`DATA_TOGGLE` change in each busy cycle."""
    return bits * busy_cycles * DATA_TOGGLE * ff_toggle_pj


def control_pj(gates: float, cycles: float, gate_toggle_pj: float) -> float:
    """Energy of control logic, of which :data:`CONTROL_TOGGLE` changes in each cycle."""
    return gates * cycles * CONTROL_TOGGLE * gate_toggle_pj


def access_pj(reads: float, writes: float, read_pj: float, write_pj: float) -> float:
    """Energy of the accesses to one memory."""
    return reads * read_pj + writes * write_pj


def operation_pj(layer: Layer, accelerator: Accelerator) -> float | None:
    """Energy of one step of work of one unit.

    A MAC; an operation that is none (a comparison, an addition) counts as a 32-bit addition of the technology, or,
    where only the energy of a MAC is known, as that: an upper bound.
    """
    technology = accelerator.tech
    if not layer.op.spec.multiplies and technology is not None and technology.value("add_32b_pj") is not None:
        return technology.value("add_32b_pj")
    if accelerator.mac_pj is not None or technology is None:
        return accelerator.mac_pj
    return technology.mac_pj(layer.bits.I, layer.bits.W, layer.bits.acc)


def leakage_mw(accelerator: Accelerator, bits: Bits) -> float | None:
    """Static power of all memories and MACs, None where a part of it is not modelled.

    On an FPGA, whose fabric leaks whatever is on it, what its device states stands for all that states nothing itself.

    Args:
        accelerator: a hierarchy.
        bits: widths that its MACs are built for.
    """
    tech, part = accelerator.tech, accelerator.part
    if tech is not None and tech.kind is TechnologyKind.FPGA and part is not None and part.static_mw is not None:
        own = (level.leakage_mw or 0.0 for level in accelerator.levels)
        stated = sum(one * accelerator.instances(index) for index, one in enumerate(own))
        return part.static_mw + stated + (accelerator.mac_leakage_mw or 0.0) * accelerator.pes
    parts = [
        None if (one := level.static_mw(accelerator.tech)) is None else one * accelerator.instances(index)
        for index, level in enumerate(accelerator.levels)
    ]
    mac = accelerator.mac_leakage_mw
    if mac is None and accelerator.tech is not None:
        area = accelerator.tech.mac_um2(bits.I, bits.W, bits.acc)
        mac = None if area is None else accelerator.tech.logic_leakage_mw(area)
    parts.append(None if mac is None else mac * accelerator.pes)
    known = [part for part in parts if part is not None]
    return None if len(known) < len(parts) else sum(known)


def waiting_mw(accelerator: Accelerator) -> float:
    """Power of a hierarchy's external memory while it waits, as its device has it; 0 where that is not modelled.

    A level that states its own static power has no other.
    """
    tech, part, outer = accelerator.tech, accelerator.part, accelerator.levels[0]
    if tech is None or part is None or outer.kind is not MemoryKind.DRAM or outer.leakage_mw is not None:
        return 0.0
    return part.dram_energies(tech)[1] or 0.0


@dataclass(frozen=True)
class TemplatePrices:
    """Energies of one of our accelerators, in pJ; plain numbers.

    Attributes:
        memories: (name, pJ a word read, pJ a word written) of each on-chip memory.
        dram_bit: of one bit to or from external memory.
        dram_mw: power of external memory while it waits; None: not modelled.
        mac: of one multiply-accumulate of the array.
        dual_mac: of one of the two that a multiplier makes at a time.
        post: of one element of post-processing.
        cycle: of every cycle: the clock of all flip-flops, and control.
        busy_cycle: of a cycle in which the array works: its registers.
        static_mw: power that flows whatever happens; None: not modelled.
    """

    memories: tuple[tuple[str, float, float], ...]
    dram_bit: float
    dram_mw: float | None
    mac: float
    dual_mac: float
    post: float
    cycle: float
    busy_cycle: float
    static_mw: float | None


@dataclass(frozen=True)
class TemplateShape:
    """What of a template its prices depend on.

    Attributes:
        memories: (name, bits of a word, bytes of both halves).
        act_bits, weight_bits, acc_bits: widths of the array's MACs; of two at a time each weight has half the bits.
        flip_flops: of the whole accelerator, those inside hard blocks included.
        array_bits: of them, the array's working registers.
        gates: of control and data paths beside the MACs, in two-input gates.
        logic_um2: area of everything but memories; None on an FPGA or where it is not modelled.
        memory_bytes: of all memories.
        hard_macs: the products are in hard blocks of an FPGA.
        device_static_mw: static power of the FPGA part; None: not stated.
    """

    memories: tuple[tuple[str, int, int], ...]
    act_bits: int
    weight_bits: int
    acc_bits: int
    flip_flops: float
    array_bits: float
    gates: float
    logic_um2: float | None
    memory_bytes: int
    hard_macs: bool = True
    device_static_mw: float | None = None


def template_prices(shape: TemplateShape, tech: Technology, part: Device | None = None) -> TemplatePrices | None:
    """Prices of a template in a technology, None where it lacks a coefficient of something that every design has.

    Args:
        part: whose board's memory counts; None: DDR3 or DDR4, by the bit.
    """
    memories = []
    for name, bits, size_bytes in shape.memories:
        read, write = tech.sram_read_pj_per_bit(size_bytes, bits), tech.sram_write_pj_per_bit(size_bytes, bits)
        if read is None or write is None:
            return None
        memories.append((name, read * bits, write * bits))
    dram_bit, dram_mw = (tech.dram_pj_per_bit(), None) if part is None else part.dram_energies(tech)
    mac = tech.mac_pj(shape.act_bits, shape.weight_bits, shape.acc_bits)
    # Two products at a time: one multiplication by both weights in one operand, a guard bit between, and two additions.
    both = tech.mac_pj(shape.act_bits, shape.act_bits + shape.weight_bits + 1, shape.acc_bits)
    add = tech.add_pj(shape.acc_bits)
    post = tech.mac_pj(32, 32, 64)
    each = [tech.value(name) for name in ("ff_clock_pj", "ff_toggle_pj", "gate_toggle_pj")]
    if dram_bit is None or mac is None or post is None or both is None or add is None:
        return None
    ff_clock, ff_toggle, gate = (0.0 if value is None else value for value in each)
    dual = (both + add) / 2
    if not shape.hard_macs:
        gap = tech.value("soft_logic_gap") or 1.0
        mac, dual = mac * gap, dual * gap
    return TemplatePrices(
        tuple(memories),
        dram_bit,
        dram_mw,
        mac,
        dual,
        post,
        clock_pj(shape.flip_flops, 1, ff_clock) + control_pj(shape.gates, 1, gate),
        register_pj(shape.array_bits, 1, ff_toggle),
        _template_static_mw(shape, tech),
    )


def _template_static_mw(shape: TemplateShape, tech: Technology) -> float | None:
    if tech.kind is TechnologyKind.FPGA:
        return shape.device_static_mw
    memory = tech.sram_leakage_mw(shape.memory_bytes)
    logic = None if shape.logic_um2 is None else tech.logic_leakage_mw(shape.logic_um2)
    return None if memory is None or logic is None else memory + logic


def broken_power(
    accelerator: Accelerator, layers: tuple[LayerCost, ...], cycles: int, part: Device | None
) -> Infeasible | None:
    """Whether the mean power on the chip, external memory excluded, is over a device's limit.

    Args:
        accelerator: whose levels tell which components are external.
        layers: with their energies.
        cycles: of the whole run.
        part: the device; None: unbounded.

    Raises:
        SpecError: there is a limit, and a layer without energy to hold against it.
    """
    if part is None or part.power_mw is None or cycles <= 0:
        return None
    energy = EnergyBreakdown.listed(layer.energy_pj for layer in layers)
    if energy is None:
        lacking = next(layer.name for layer in layers if layer.energy_pj is None)
        why = f"the energy of layer {lacking} is not modelled"
        raise unchecked(part, "power_mw", why, "energies", accelerator.technology)
    outside = {level.name for level in accelerator.levels if level.kind is MemoryKind.DRAM}
    mean_mw = power_mw(energy.without(outside).total_pj, cycles, accelerator.clock_hz)
    return over_power(mean_mw, part.power_mw)


def over_power(mean_mw: float, bound_mw: float) -> Infeasible | None:
    """Whether a mean power is over a bound."""
    remedy = "a slower clock, a smaller array, or mappings that move less"
    return next(iter(broken_bounds([Bound("power", mean_mw, bound_mw, "mW", remedy)])), None)
