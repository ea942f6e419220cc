"""What a network costs on one of our accelerators, from the program that the accelerator will run.

Cycles are those of :mod:`accel_models.template.timing`, which the simulated hardware equals. Energy counts every word
that the program moves, at each memory's price, every multiply-accumulate, and the multiplier of each post-processed
element.
"""

from __future__ import annotations

import numpy as np

from accel_models.breakdown import EnergyBreakdown
from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.devices import device
from accel_models.hardware.energy import broken_power
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.schedule import Buffer, Schedule, as_run, default_mapping, schedule_network
from accel_models.schedule.builder import CHUNK
from accel_models.template.accelerator import template_accelerator
from accel_models.template.array_timing import ceil_div
from accel_models.template.cycle_account import layer_accounts
from accel_models.template.energy import (
    COMPONENTS,
    COUNTS,
    DUAL_MACS,
    TENSOR_OF,
    Counts,
    count,
    energies,
    prices_on,
    total_pj,
    word_bits,
)
from accel_models.template.families import family_of
from accel_models.template.resources import area_um2, estimate, fits
from accel_models.template.spec import Template
from accel_models.template.timing import predict
from mappings.directives import Cluster, Directive, TemporalMap
from mappings.errors import Fault, SpecError
from mappings.mapping import Mapping
from mappings.workload import Workload


def _capped(mapping: Mapping, caps: dict[str, int]) -> Mapping:
    """The mapping with smaller tiles at the DRAM level; tiles that fit a buffer still do."""
    out: list[Directive] = []
    outermost = True
    for directive in mapping.directives:
        if isinstance(directive, Cluster):
            outermost = False
        if outermost and isinstance(directive, TemporalMap) and directive.dim in caps:
            out.append(TemporalMap(directive.dim, min(directive.size, caps[directive.dim])))
        else:
            out.append(directive)
    return Mapping(tuple(out), mapping.bypass)


def template_design(
    workload: Workload, template: Template, device_name: str, tile_rows: int, tile_channels: int
) -> Design | tuple[Infeasible, ...]:
    """A design on one of our accelerators, or every bound of the device that it breaks.

    Args:
        tile_rows, tile_channels: at most so many output rows and channels a tile; fewer where a buffer is small.

    Raises:
        SpecError: no such device, or an operator that the hardware does not run.
    """
    broken = fits(template, device(device_name))
    return broken or mapped_design(workload, template, device_name, tile_rows, tile_channels)


def mapped_design(
    workload: Workload, template: Template, device_name: str, tile_rows: int, tile_channels: int
) -> Design | tuple[Infeasible, ...]:
    """As :func:`template_design`, whether or not the device has room: what a design over its budget would cost."""
    caps = {"P": tile_rows, "K": tile_channels, "G": tile_channels}
    mappings: list[tuple[str, Mapping]] = []
    for layer in workload.layers:
        if not layer.op.spec.has_loops:
            continue
        mapping = default_mapping(layer, template)
        if isinstance(mapping, Infeasible):
            return (mapping,)
        capped = as_run(layer, _capped(mapping, caps), template)
        if isinstance(capped, Infeasible):
            return (capped,)
        mappings.append((layer.name, capped))
    accelerator = template_accelerator(template, device(device_name).technology, device_name)
    return Design(workload, accelerator, tuple(mappings))


def moved(schedule: Schedule) -> Counts:
    """What each layer's commands move, ``[layers, COUNTS]``; the program's first chunk goes under the first."""
    counts = np.zeros((len(schedule.plans), COUNTS), dtype=np.int64)
    for command in schedule.commands:
        count(command, schedule.template, counts[command.tag])
    for plan in schedule.plans:
        counts[plan.index, DUAL_MACS] += plan.done_macs if plan.shape.form.dual else 0
    counts[0, Buffer.PROGRAM] += CHUNK  # the first chunk comes without a command
    return counts


def _traffic(counts: Counts, template: Template) -> tuple[tuple[str, str, str, int], ...]:
    """Bytes that a layer's transfers carry, by tensor; what bursts carry beside them is in the port's cycles."""
    found: dict[tuple[str, str], int] = {}
    for buffer, tensor in TENSOR_OF.items():
        way = "write" if buffer is Buffer.OUTPUT else "read"
        size = int(counts[buffer]) * word_bits(buffer, template) // 8
        found[tensor, way] = found.get((tensor, way), 0) + size
    return tuple(("DRAM", tensor, way, size) for (tensor, way), size in found.items() if size)


def template_cost(design: Design, *, bounded: bool = True) -> CostReport | tuple[Infeasible, ...]:
    """Figures of a design on one of our accelerators, or the bounds that it breaks.

    Args:
        bounded: the room, clock and power of its device bind; False: what it would cost all the same (a tile that the
            accelerator's own buffers cannot hold has no figures).

    Raises:
        SpecError: an accelerator without a template, or an operator that the hardware does not run.
    """
    accelerator: Accelerator = design.accelerator
    template = accelerator.template
    if template is None:
        raise SpecError(Fault(f"accelerator {accelerator.name}", "has no template", "one that rtl_templates builds"))
    part = accelerator.part
    if part is not None and bounded:
        broken = fits(template, part)
        if broken:
            return broken
    schedule = schedule_network(design)
    if isinstance(schedule, Infeasible):
        return (schedule,)
    if not schedule.plans:
        what = "has no layer that the hardware runs"
        raise SpecError(Fault(f"workload {design.workload.name}", what, "a layer that computes or moves"))
    timing = predict(schedule)
    tech, prices = accelerator.tech, prices_on(accelerator)
    counts = moved(schedule)
    macs = np.array([plan.done_macs for plan in schedule.plans], dtype=np.int64)
    by_layer: list[EnergyBreakdown | None] = [None] * len(macs)
    energy_pj = None
    if prices is not None:
        figures, shape = np.array([prices.figures]), np.array([prices.shape])
        cycles = np.array([item.cycles for item in timing.layers], dtype=np.int64)
        busy = np.array([item.compute_cycles for item in timing.layers], dtype=np.int64)
        parts = energies(figures, shape, counts, macs, busy, cycles)
        by_layer = [
            EnergyBreakdown((name, float(part)) for name, part in zip(COMPONENTS, row, strict=True) if part)
            for row in parts
        ]
        sums = (macs.sum(keepdims=True), busy.sum(keepdims=True), cycles.sum(keepdims=True))
        whole = energies(figures, shape, counts.sum(axis=0, keepdims=True), *sums)
        energy_pj = float(total_pj(whole)[0])
    pes = template.rows * template.cols
    layers = tuple(
        LayerCost(
            name=item.name,
            macs=plan.useful_macs,
            cycles=item.cycles,
            compute_cycles=item.compute_cycles,
            utilisation=plan.utilised_macs / (max(item.cycles, 1) * pes),
            energy_pj=energy,
            traffic_bytes=_traffic(row, template),
            port_cycles=(
                ("DRAM", "read", ceil_div(item.read_bytes, template.dram_bytes_per_cycle)),
                ("DRAM", "write", ceil_div(item.write_bytes, template.dram_bytes_per_cycle)),
            ),
            account=account,
        )
        for item, plan, energy, row, account in zip(
            timing.layers, schedule.plans, by_layer, counts, layer_accounts(schedule, timing), strict=True
        )
    )
    hot = broken_power(accelerator, layers, timing.cycles, part if bounded else None)
    if hot is not None:
        return (hot,)
    return CostReport(
        layers=layers,
        latency_cycles=timing.cycles,
        latency_ms=timing.cycles / template.clock_hz * 1e3,
        energy_pj=energy_pj,
        area_um2=None if tech is None else area_um2(template, tech),
        resources=estimate(template, family_of(part)).as_pairs(),
    )
