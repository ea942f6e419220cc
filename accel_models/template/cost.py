"""What a network costs on one of our accelerators, from the program that the accelerator will run.

Cycles are those of :mod:`accel_models.template.timing`, which the simulated hardware equals; energy is that of
:mod:`accel_models.template.energy`.
"""

from __future__ import annotations

from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.devices import device
from accel_models.hardware.energy import broken_power
from accel_models.hardware.technology import technology
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.schedule import default_mapping, schedule_network
from accel_models.template.accelerator import template_accelerator
from accel_models.template.array_timing import ceil_div
from accel_models.template.energy import layer_energies
from accel_models.template.resources import area_um2, estimate, fits
from accel_models.template.spec import Template
from accel_models.template.timing import predict
from mappings.directives import Cluster, Directive, TemporalMap
from mappings.errors import Fault, SpecError
from mappings.layer import Op
from mappings.mapping import Mapping
from mappings.workload import Workload

_UNMAPPED = frozenset({Op.CONCAT, Op.RESHAPE, Op.CONSTANT})


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
    part = device(device_name)
    broken = fits(template, part)
    if broken:
        return broken
    caps = {"P": tile_rows, "K": tile_channels, "G": tile_channels}
    mappings: list[tuple[str, Mapping]] = []
    for layer in workload.layers:
        if layer.op in _UNMAPPED:
            continue
        mapping = default_mapping(layer, template)
        if isinstance(mapping, Infeasible):
            return (mapping,)
        mappings.append((layer.name, _capped(mapping, caps)))
    accelerator = template_accelerator(template, part.technology, device_name)
    return Design(workload, accelerator, tuple(mappings))


def template_cost(design: Design) -> CostReport | tuple[Infeasible, ...]:
    """Figures of a design on one of our accelerators, or the bounds that it breaks.

    Raises:
        SpecError: an accelerator without a template, or an operator that the hardware does not run.
    """
    accelerator: Accelerator = design.accelerator
    template = accelerator.template
    if template is None:
        raise SpecError(Fault(f"accelerator {accelerator.name}", "has no template", "one that rtl_templates builds"))
    if accelerator.device:
        broken = fits(template, accelerator.device)
        if broken:
            return broken
    schedule = schedule_network(design)
    if isinstance(schedule, Infeasible):
        return (schedule,)
    timing = predict(schedule)
    tech = technology(accelerator.technology, "technology") if accelerator.technology else None
    part = device(accelerator.device) if accelerator.device else None
    energies = layer_energies(schedule, timing, tech, part)
    pes = template.rows * template.cols
    layers = tuple(
        LayerCost(
            name=item.name,
            macs=plan.layer.macs,
            cycles=item.cycles,
            compute_cycles=item.compute_cycles,
            utilisation=plan.layer.macs / (max(item.cycles, 1) * pes),
            energy_pj=energy,
            # A program's transfers hold several tensors each; the bus counts them together.
            traffic_bytes=(("DRAM", "all", "read", item.read_bytes), ("DRAM", "all", "write", item.write_bytes)),
            port_cycles=(
                ("DRAM", "read", ceil_div(item.read_bytes, template.dram_bytes_per_cycle)),
                ("DRAM", "write", ceil_div(item.write_bytes, template.dram_bytes_per_cycle)),
            ),
        )
        for item, plan, energy in zip(timing.layers, schedule.plans, energies, strict=True)
    )
    hot = broken_power(accelerator, layers, timing.cycles, None if part is None else part.power_mw)
    if hot is not None:
        return (hot,)
    known = [layer.total_energy_pj for layer in layers]
    return CostReport(
        layers=layers,
        latency_cycles=timing.cycles,
        latency_ms=timing.cycles / template.clock_hz * 1e3,
        energy_pj=None if any(item is None for item in known) else sum(item for item in known if item is not None),
        area_um2=None if tech is None else area_um2(template, tech),
        resources=estimate(template).as_pairs(),
    )
