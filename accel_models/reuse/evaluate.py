"""The scalar path: one layer, one mapping, one accelerator; every step a value to look at.

``nest = lower(layer, mapping, accelerator)`` -> ``counts = count(nest)`` -> ``charged = charge(nest, counts)`` ->
``evaluate`` puts bounds, cycles and energy on top.
"""

from __future__ import annotations

from dataclasses import dataclass

from accel_models.breakdown import EnergyBreakdown
from accel_models.hardware.accelerator import Accelerator, Buffering, MemoryLevel
from accel_models.hardware.energy import access_pj, leakage_mw, operation_pj, static_pj, waiting_mw
from accel_models.report import Infeasible, LayerCost
from accel_models.reuse import charges
from accel_models.reuse.counts import Counts, Table, count, profiles_of, table
from accel_models.reuse.formulas import C, I, scanned
from accel_models.reuse.lower import lower
from accel_models.reuse.nest import Nest, relevance, tensors_of
from accel_models.reuse.parts import bias_bits, bias_cost, joined, nests_of
from mappings.errors import Fault, SpecError
from mappings.layer import TENSORS, Layer
from mappings.mapping import Mapping

MODES = {
    Buffering.SINGLE: charges.SINGLE,
    Buffering.DOUBLE: charges.DOUBLE,
    Buffering.STREAM: charges.STREAM,
}
#: Bits moved are held in 64-bit counts by the batch path; the scalar path refuses what would not fit there.
MAX_COUNT = 2**62


@dataclass(frozen=True)
class Charged:
    """Bits of a nest; rows are memory levels, columns I, W, O.

    Attributes:
        read_bits, write_bits: accesses.
        down_bits, up_bits: one row more (the MACs): into, out of the units of a level.
        sum_width: bits at which each level stores an output element.
        replaced: how often each level's tiles are replaced.
    """

    read_bits: Table
    write_bits: Table
    down_bits: Table
    up_bits: Table
    sum_width: tuple[int, ...]
    replaced: Table


def charge(nest: Nest, counts: Counts) -> Charged:
    """Element counts to bits, at the widths of the layer's tensors."""
    levels, layer = nest.levels, nest.layer
    relevant, exists = relevance(layer.op), tensors_of(layer.op)
    profiles = profiles_of(nest)
    read_bits, write_bits = ([[0] * 3 for _ in range(levels)] for _ in range(2))
    down_bits, up_bits = ([[0] * 3 for _ in range(levels + 1)] for _ in range(2))
    sum_width = [0] * levels
    charges.bits(
        levels,
        nest.bounds,
        relevant,
        nest.keeps,
        profiles,
        counts.reads,
        counts.writes,
        counts.arrivals,
        counts.returns,
        (layer.bits.I, layer.bits.W, layer.bits.O, layer.bits.acc),
        read_bits,
        write_bits,
        down_bits,
        up_bits,
        sum_width,
    )
    replaced = [
        [
            charges.events(x, m, nest.bounds, nest.chains, nest.orders, relevant, levels, profiles)
            * (scanned(m, levels, layer.op.spec.scans, nest.bounds[C], nest.chains[C]) if x == I else 1)
            if m and exists[x] and nest.keeps[m][x]
            else 0
            for x in range(3)
        ]
        for m in range(levels)
    ]
    return Charged(
        table(read_bits), table(write_bits), table(down_bits), table(up_bits), tuple(sum_width), table(replaced)
    )


def evaluate(layer: Layer, mapping: Mapping, accelerator: Accelerator) -> LayerCost | Infeasible:
    """Cost of one mapped layer, or the first bound that it breaks.

    Raises:
        SpecError: the mapping is not one of this layer or hierarchy, or its counts overflow.
    """
    nest = lower(layer, mapping, accelerator)
    if isinstance(nest, Infeasible):
        return nest
    return evaluate_nest(nest, accelerator)


def evaluate_nest(nest: Nest, accelerator: Accelerator) -> LayerCost | Infeasible:
    """Cost of a nest that :func:`lower` made for this accelerator, or the first capacity that it breaks.

    Raises:
        SpecError: counts overflow 64 bits.
    """
    if not nest.layer.op.spec.transposed:
        return _evaluate_one(nest, accelerator)
    parts: list[LayerCost] = []
    for one in nests_of(nest):
        part = _evaluate_one(one, accelerator)
        if isinstance(part, Infeasible):
            return part
        parts.append(part)
    executed = sum(part.macs for part in parts)
    if bias_bits(nest.layer):
        parts.append(bias_cost(nest.layer, accelerator))
    return joined(nest.layer, parts, executed, accelerator.pes)


def _evaluate_one(nest: Nest, accelerator: Accelerator) -> LayerCost | Infeasible:
    counts = count(nest)
    charged = charge(nest, counts)
    widest = max(max(row) for rows in (charged.read_bits, charged.write_bits) for row in rows)
    if widest > MAX_COUNT:
        raise SpecError(Fault(f"layer {nest.layer.name}", f"{widest} bits moved overflow 64-bit counts"))
    peaks = _peak_bits(nest, counts, charged, accelerator)
    broken = _broken_capacity(peaks, accelerator, nest.layer.name)
    if broken is not None:
        return broken
    cycles, ports = _cycles(nest, counts, charged, accelerator)
    names = [level.name for level in accelerator.levels]
    return LayerCost(
        name=nest.layer.name,
        macs=nest.layer.macs,
        cycles=cycles,
        compute_cycles=counts.steps,
        utilisation=counts.macs / (cycles * accelerator.pes),
        energy_pj=_energy_pj(nest, counts, charged, accelerator, cycles),
        traffic_bytes=tuple(
            (name, tensor, way, _bytes(rows[m][x]))
            for m, name in enumerate(names)
            for x, tensor in enumerate(TENSORS)
            for way, rows in (("read", charged.read_bits), ("write", charged.write_bits))
            if rows[m][x]
        ),
        peak_bytes=tuple(
            (name, tensor, _bytes(peaks[m][x]))
            for m, name in enumerate(names)
            for x, tensor in enumerate(TENSORS)
            if m and peaks[m][x]
        ),
        port_cycles=tuple(
            (level.name, way, charges.ceil_cycles(busy))
            for level, row in zip(accelerator.levels, ports, strict=True)
            for way, rate, busy in zip(
                ("read", "write"), (level.read_bytes_per_cycle, level.write_bytes_per_cycle), row, strict=True
            )
            if rate is not None
        ),
    )


def _bytes(bits: int) -> int:
    return -(-bits // 8)


def _peak_bits(nest: Nest, counts: Counts, charged: Charged, accelerator: Accelerator) -> list[list[int]]:
    width = (nest.layer.bits.I, nest.layer.bits.W, nest.layer.bits.O)
    modes = [MODES[level.buffering] for level in accelerator.levels]
    return [
        [charges.capacity_bits(m, x, counts.peaks[m][x], width, charged.sum_width, modes) for x in range(3)]
        for m in range(nest.levels)
    ]


def _broken_capacity(peaks: list[list[int]], accelerator: Accelerator, name: str) -> Infeasible | None:
    for level, row in zip(accelerator.levels[1:], peaks[1:], strict=True):
        halves = ", both halves of the double buffer" if level.buffering is Buffering.DOUBLE else ""
        if isinstance(level.capacity_bytes, int) and sum(row) > level.capacity_bytes * 8:
            return _over(f"{level.name} capacity", sum(row), level.capacity_bytes, halves, name)
        if isinstance(level.capacity_bytes, tuple):
            for tensor, capacity in level.capacity_bytes:
                demand = row[TENSORS.index(tensor)]
                if demand > capacity * 8:
                    return _over(f"{level.name} capacity for {tensor}", demand, capacity, halves, name)
    return None


def _over(resource: str, demand_bits: int, bound: int, halves: str, name: str) -> Infeasible:
    return Infeasible(resource, demand_bits / 8, bound, f"bytes{halves}", "smaller tiles in the level above", name)


def _rate(bytes_per_cycle: float | None) -> float:
    return 0.0 if bytes_per_cycle is None else bytes_per_cycle * 8


def _cycles(nest: Nest, counts: Counts, charged: Charged, accelerator: Accelerator) -> tuple[int, list[list[float]]]:
    levels = accelerator.levels
    ports = [[0.0, 0.0] for _ in levels]
    total = charges.latency(
        nest.levels,
        counts.steps,
        nest.keeps,
        tensors_of(nest.layer.op),
        counts.units,
        charged.read_bits,
        charged.write_bits,
        charged.down_bits,
        charged.up_bits,
        charged.replaced,
        [MODES[level.buffering] for level in levels],
        [_rate(level.read_bytes_per_cycle) for level in levels],
        [_rate(level.write_bytes_per_cycle) for level in levels],
        [level.latency_cycles for level in levels],
        ports,
    )
    return max(counts.steps, charges.ceil_cycles(total)), ports  # a float may not hold all digits of the steps


def _level_pj(level: MemoryLevel, accelerator: Accelerator, read: int, written: int) -> float | None:
    read_pj, write_pj = level.access_pj_per_byte(accelerator.tech, accelerator.part)
    if read_pj is None or write_pj is None:
        return None
    return access_pj(read, written, read_pj / 8, write_pj / 8)


def _energy_pj(
    nest: Nest, counts: Counts, charged: Charged, accelerator: Accelerator, cycles: int
) -> EnergyBreakdown | None:
    step_pj = operation_pj(nest.layer, accelerator)
    if step_pj is None:
        return None
    parts = [("MAC", counts.macs * step_pj)]
    for m, level in enumerate(accelerator.levels):
        one = _level_pj(level, accelerator, sum(charged.read_bits[m]), sum(charged.write_bits[m]))
        if one is None:
            return None
        if m == 0:
            one += static_pj(waiting_mw(accelerator), cycles, accelerator.clock_hz)
        parts.append((level.name, one))
        if level.network_pj_per_byte is not None:
            moved = _network_bits(nest, charged, m)
            parts.append((f"{level.name} network", moved * level.network_pj_per_byte / 8))
    static = leakage_mw(accelerator, nest.layer.bits)
    if static is not None:
        parts.append(("leakage", static_pj(static, cycles, accelerator.clock_hz)))
    return EnergyBreakdown(parts)


def _network_bits(nest: Nest, charged: Charged, level: int) -> int:
    """Bits delivered to and sent by the units below a level, whatever memory they come from or go to."""
    total = 0
    for x in range(3):
        below = level + 1
        while below < nest.levels and not nest.keeps[below][x]:
            below += 1
        total += charged.down_bits[below][x] + charged.up_bits[below][x]
    return total
