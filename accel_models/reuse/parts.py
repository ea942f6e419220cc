"""The nests of a transposed convolution: one for each phase, and what its outputs without taps take.

A mapping is made for the extents of :func:`mappings.phases.envelope`; a phase runs it cut to its own. Its figures are
the sum over the phases, one after another; a memory must hold the largest of them.
"""

from __future__ import annotations

from dataclasses import replace

from accel_models.breakdown import EnergyBreakdown
from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.energy import leakage_mw, static_pj, waiting_mw
from accel_models.report import LayerCost
from accel_models.reuse.charges import ceil_cycles
from accel_models.reuse.nest import Nest, bounds_of
from mappings.layer import Layer
from mappings.phases import phases


def cut_to(nest: Nest, layer: Layer) -> Nest:
    """The nest of a smaller layer by the same mapping."""
    chains = tuple(
        tuple(min(size, bound) for size in chain) for chain, bound in zip(nest.chains, bounds_of(layer), strict=True)
    )
    return replace(nest, layer=layer, chains=chains)


def nests_of(nest: Nest) -> tuple[Nest, ...]:
    """The nests that run: of a transposed convolution one for each phase with taps, else the nest itself."""
    if not nest.layer.op.spec.transposed:
        return (nest,)
    return tuple(cut_to(nest, phase.layer) for phase in phases(nest.layer) if not phase.empty)


def bias_bits(layer: Layer) -> int:
    """Bits of a transposed convolution's outputs that meet no tap: the outermost memory is given their bias."""
    empty = (phase.layer for phase in phases(layer) if phase.empty)
    return layer.bits.O * sum(part.elements["O"] for part in empty)


def bias_cost(layer: Layer, accelerator: Accelerator) -> LayerCost:
    """What writing the outputs without taps takes."""
    bits, dram = bias_bits(layer), accelerator.levels[0]
    rate = (dram.write_bytes_per_cycle or 0) * 8
    cycles = ceil_cycles(bits / rate) if rate else 0
    write_pj = dram.access_pj_per_byte(accelerator.tech, accelerator.part)[1]
    waits_pj = static_pj(waiting_mw(accelerator), cycles, accelerator.clock_hz)
    energy: list[tuple[str, float]] = [] if write_pj is None else [(dram.name, bits * write_pj / 8 + waits_pj)]
    static = leakage_mw(accelerator, layer.bits)
    if static is not None:
        energy.append(("leakage", static_pj(static, cycles, accelerator.clock_hz)))
    return LayerCost(
        name=layer.name,
        macs=0,
        cycles=cycles,
        compute_cycles=0,
        utilisation=0.0,
        energy_pj=None if write_pj is None else EnergyBreakdown(energy),
        traffic_bytes=((dram.name, "O", "write", -(-bits // 8)),),
        port_cycles=((dram.name, "write", cycles),) if rate else (),
    )


def joined(layer: Layer, parts: list[LayerCost], executed_macs: int, pes: int) -> LayerCost:
    """One layer's figures from those of its phases; it is busy with its own products, not with what padding adds."""
    cycles = sum(part.cycles for part in parts)

    def summed(name: str) -> dict[tuple[str, ...], int]:
        total: dict[tuple[str, ...], int] = {}
        for part in parts:
            for *key, count in getattr(part, name):
                total[tuple(key)] = total.get(tuple(key), 0) + count
        return total

    peaks: dict[tuple[str, str], int] = {}
    for level, tensor, size in (item for part in parts for item in part.peak_bytes):
        peaks[level, tensor] = max(size, peaks.get((level, tensor), 0))
    return LayerCost(
        name=layer.name,
        macs=layer.macs,
        cycles=cycles,
        compute_cycles=sum(part.compute_cycles for part in parts),
        utilisation=min(layer.macs, executed_macs) / (max(cycles, 1) * pes),
        energy_pj=EnergyBreakdown.joined(part.energy_pj for part in parts),
        traffic_bytes=tuple((k[0], k[1], k[2], n) for k, n in summed("traffic_bytes").items()),
        peak_bytes=tuple((level, tensor, size) for (level, tensor), size in peaks.items()),
        port_cycles=tuple((k[0], k[1], n) for k, n in summed("port_cycles").items()),
    )
