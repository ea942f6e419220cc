"""The 52 figures of a layer: energy, area and power from the counts (MODEL 11 and 12)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter

from accel_models.published.maestro.columns import COLUMNS
from accel_models.published.maestro.hardware_file import MaestroHardware
from accel_models.published.maestro.mapping_file import MaestroLayer
from accel_models.published.maestro.problem import TENSORS, Problem
from accel_models.published.maestro.recursion import LevelCost
from mappings.directives import Cluster

L1_ACCESS_PER_MAC = 1.68
L2_ACCESS_PER_MAC = 18.61
MAC_ENERGY_NJ = 0.00023
"""Energies of one access relative to one MAC, and of one MAC; of no stated technology (MAESTRO's constants)."""

NAN = math.nan


@dataclass(frozen=True)
class TensorTraffic:
    """Accesses of one tensor, in elements; ``reuse`` is reads over writes of L1."""

    l1_reads: int
    l1_writes: int
    l2_reads: int
    l2_writes: int
    reuse: float


@dataclass(frozen=True)
class Delays:
    """Cycles of one kind over all steps."""

    least_cycles: int
    most_cycles: int
    average_cycles: int


@dataclass(frozen=True)
class MaestroRow:
    """Figures of one layer; elements are words of any width ("bytes" in MAESTRO's header is nominal).

    ``energy_nj`` is the column of the CSV file, which lacks the MACs and takes the L1 accesses of another layer (Q1);
    ``total_energy_nj`` is what MAESTRO prints on its terminal, in nJ: this layer's own accesses and MACs.
    Where MAESTRO prints a figure that cannot be (NaN, a negative count, a wrapped counter), it is reproduced and
    ``warnings`` says so, as of PEs that no cluster uses and of MACs that the layer does not have. Without a warning,
    every figure is finite and not negative.
    """

    network: str
    layer: str
    num_pes: int
    runtime_cycles: int
    energy_nj: float
    macs_per_cycle: float
    macs_per_cycle_per_joule: float
    area_um2: float
    power_mw: float
    average_bandwidth: float
    peak_bandwidth: int
    simd_lanes: int
    offchip_bandwidth: int
    l2_required_elements: int
    l1_required_elements: int
    weight_multicast: float
    input_multicast: float
    input_elements: int
    weight_elements: int
    macs_per_joule: float
    macs: int
    pe_power_mw: float
    l1_power_mw: float
    l2_power_mw: float
    noc_power_mw: float
    input: TensorTraffic
    weight: TensorTraffic
    output: TensorTraffic
    ingress_delay: Delays
    egress_delay: Delays
    compute_delay: Delays
    active_pes: float
    macs_per_element: float
    total_energy_nj: float
    warnings: tuple[str, ...] = ()


figures_of: Callable[[MaestroRow], tuple[str | int | float, ...]] = attrgetter(*(path for _, path in COLUMNS))
"""The 52 figures of a row, in the order of the columns."""


def ratio(dividend: float, divisor: float) -> float:
    """Floating-point division as hardware does it: 0/0 is NaN, anything else over 0 an infinity."""
    if divisor == 0:
        return NAN if dividend == 0 or math.isnan(dividend) else math.copysign(math.inf, dividend)
    return dividend / divisor


def wrap32(value: int) -> int:
    """A value in a 32-bit signed integer."""
    return (value + 2**31) % 2**32 - 2**31


def l1_accesses(cost: LevelCost) -> int:
    """All reads and writes of L1."""
    return sum(cost.l1_reads[tensor] + cost.l1_writes[tensor] for tensor in TENSORS)


def total_energy_macs(cost: LevelCost) -> float:
    """Energy of a layer in MAC energies, as on MAESTRO's terminal: all accesses of its own, and the MACs."""
    l2 = sum(cost.l2_reads[tensor] + cost.l2_writes[tensor] for tensor in TENSORS)
    return L2_ACCESS_PER_MAC * l2 + L1_ACCESS_PER_MAC * l1_accesses(cost) + cost.macs


def layer_row(
    network: str,
    layer: MaestroLayer,
    problem: Problem,
    hardware: MaestroHardware,
    simd_lanes: int,
    cost: LevelCost,
    previous_l1_accesses: int,
) -> MaestroRow:
    """All figures of one layer.

    Args:
        network: name of the network.
        layer: as written.
        problem: the layer's sizes and couplings.
        hardware: as read.
        simd_lanes: multiply-accumulates per PE and cycle.
        cost: result of the top level.
        previous_l1_accesses: L1 accesses of the layer before in the file, 0 for the first: MAESTRO charges *them* to a
            layer that has more than one cluster level (Q1).
    """
    first = cost.first or cost
    l1_required = sum(first.l1_required.values())
    l2_required = sum(cost.l2_required.values())
    l1, l2 = wrap32(l1_required), wrap32(l2_required)
    charged_l1 = l1_accesses(cost) if first is cost else previous_l1_accesses
    operand_l2 = sum(cost.l2_reads[tensor] + cost.l2_writes[tensor] for tensor in ("I", "W"))
    energy_nj = MAC_ENERGY_NJ * (
        L2_ACCESS_PER_MAC * (operand_l2 + cost.l2_writes["O"]) + L1_ACCESS_PER_MAC * charged_l1
    )
    macs_per_cycle = ratio(cost.macs, cost.runtime_cycles)
    power = _powers_mw(hardware, simd_lanes, l1, l2)
    declared = dict(layer.dims)

    def elements(tensor: str) -> int:
        return math.prod(declared[dim] for dim in problem.coupled[tensor] if dim in declared)

    def traffic(tensor: str) -> TensorTraffic:
        reads, writes = cost.l1_reads[tensor], cost.l1_writes[tensor]
        return TensorTraffic(reads, writes, cost.l2_reads[tensor], cost.l2_writes[tensor], ratio(reads, writes))

    row = MaestroRow(
        network=network,
        layer=layer.name,
        num_pes=hardware.num_pes,
        runtime_cycles=cost.runtime_cycles,
        energy_nj=energy_nj,
        macs_per_cycle=macs_per_cycle,
        macs_per_cycle_per_joule=ratio(macs_per_cycle, energy_nj) * 1e9,
        area_um2=_area_um2(hardware, simd_lanes, l1, l2),
        power_mw=sum(power),
        average_bandwidth=cost.average_bandwidth if cost.occurrences else NAN,
        peak_bandwidth=cost.peak_bandwidth,
        simd_lanes=simd_lanes,
        offchip_bandwidth=cost.offchip_bandwidth,
        l2_required_elements=l2,
        l1_required_elements=l1,
        weight_multicast=ratio(cost.l1_writes["W"], cost.l2_reads["W"]),
        input_multicast=ratio(cost.l1_writes["I"], cost.l2_reads["I"]),
        input_elements=elements("I"),
        weight_elements=elements("W"),
        macs_per_joule=ratio(cost.macs, energy_nj) * 1e9,
        macs=cost.macs,
        pe_power_mw=power[0],
        l1_power_mw=power[1],
        l2_power_mw=power[2],
        noc_power_mw=power[3],
        input=traffic("I"),
        weight=traffic("W"),
        output=traffic("O"),
        ingress_delay=Delays(*cost.ingress_delay.figures(cost.occurrences)),
        egress_delay=Delays(*cost.egress_delay.figures(cost.occurrences)),
        compute_delay=Delays(*cost.compute_delay.figures(cost.occurrences)),
        active_pes=cost.active_units,
        macs_per_element=cost.intensity,
        total_energy_nj=MAC_ENERGY_NJ * total_energy_macs(cost),
    )
    return replace(row, warnings=_warnings(row, cost, layer, l1_required != l1 or l2_required != l2))


def _cells(elements: int) -> int:
    return elements or 1


def _area_um2(hardware: MaestroHardware, simd_lanes: int, l1: int, l2: int) -> float:
    """MACs, SRAM of the *required* size, bus, and an arbiter quadratic in the PEs."""
    pes, bandwidth = hardware.num_pes, hardware.noc_elements_per_cycle
    cores = pes * (283 * simd_lanes + 0.104 * _cells(l1)) + 0.104 * _cells(l2)
    bus = 101.7938 * (14.662 * pes + 28.895) * bandwidth
    arbiter = max(1.0, 1.2886 * pes**2 + 5.5814 * pes - 23.711) * 395.473
    return cores + bus + arbiter


def _powers_mw(hardware: MaestroHardware, simd_lanes: int, l1: int, l2: int) -> tuple[float, float, float, float]:
    """Power of PEs, L1, L2 and network-on-chip."""
    pes, bandwidth = hardware.num_pes, hardware.noc_elements_per_cycle
    bus = 0.8 * (14.662 * pes + 28.895) / 1000 * bandwidth
    arbiter = max(0.34, 0.34 * (1.2886 * pes**2 + 5.5814 * pes - 23.711) / 1000)
    return (1.2223 * simd_lanes * pes, 0.00345 * _cells(l1) * pes, 0.00345 * _cells(l2), bus + arbiter)


def true_macs(layer: MaestroLayer) -> int | None:
    """Multiply-accumulates that the layer really has; None where its dims do not tell."""
    dims = dict(layer.dims)
    if layer.kind == "GEMM":
        return dims["M"] * dims["N"] * dims["K"]
    if "R" not in dims or "S" not in dims:
        return None
    macs = dims.get("N", 1) * dims["C"] * dims["R"] * dims["S"]
    for dim, out, window, stride in (("Y", "Y'", "R", layer.stride_y), ("X", "X'", "S", layer.stride_x)):
        if dim in dims:
            macs *= max(0, (dims[dim] - dims[window]) // stride + 1)
        else:
            macs *= dims[out]
    if layer.kind != "DSCONV":
        macs *= dims["K"]
    return macs * dims["G"] if layer.kind == "NGCONV" else macs


def _warnings(row: MaestroRow, cost: LevelCost, layer: MaestroLayer, buffers_wrapped: bool) -> tuple[str, ...]:
    """What is wrong with figures that are reproduced as MAESTRO prints them."""
    found: list[str] = []
    figures = [value for value in figures_of(row) if not isinstance(value, str)]
    if cost.occurrences == 0:
        found.append("no step of the mapping holds a whole filter window: runtime 0, no averages")
    if any(math.isnan(value) or math.isinf(value) for value in figures):
        found.append("a figure is a division by zero")
    if any(value < 0 for value in figures):
        found.append("a figure is negative")
    if cost.wrapped or buffers_wrapped:
        found.append("a 32-bit counter of MAESTRO has wrapped")
    group = math.prod(directive.size for directive in layer.directives if isinstance(directive, Cluster))
    if row.num_pes % group:
        found.append(f"{row.num_pes % group} of {row.num_pes} PEs belong to no cluster")
    macs = true_macs(layer)
    if macs is not None and macs != row.macs:
        found.append(f"{row.macs} MACs are counted, the layer has {macs}")
    return tuple(found)
