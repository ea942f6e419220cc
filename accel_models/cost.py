"""What a design costs: the one entry, whatever its hardware.

An accelerator that one of our templates builds runs a program, whose cycles are known exactly
(:mod:`accel_models.template.cost`); any other is a hierarchy of memories, on which the mappings are evaluated.
"""

from __future__ import annotations

from accel_models.design import Design
from accel_models.hardware.budget import broken_budget, resources, silicon_um2
from accel_models.hardware.energy import broken_power
from accel_models.report import CostReport, Infeasible, LayerCost, network_energy_pj
from accel_models.reuse.evaluate import evaluate
from accel_models.template.cost import template_cost
from mappings.errors import Fault, SpecError
from mappings.layer import Bits
from mappings.workload import Workload


def cost(design: Design) -> CostReport | tuple[Infeasible, ...]:
    """Cost of a whole design, or the bounds that it breaks.

    By its program where the accelerator has a template, else by its mappings (then the first broken bound alone).

    Raises:
        SpecError: a layer without a mapping, a mapping that is not one of its layer, an operator that the hardware does
            not run, an unknown device.
    """
    if design.accelerator.template is not None:
        return template_cost(design)
    found = mapped_cost(design)
    return (found,) if isinstance(found, Infeasible) else found


def widest_bits(workload: Workload) -> Bits:
    """Widths of the MACs that run every layer of a workload; of bytes where no layer multiplies."""
    found = [layer.bits for layer in workload.layers if layer.op.spec.multiplies]
    if not found:
        return Bits()
    return Bits(*(max(getattr(bits, name) for bits in found) for name in ("I", "W", "O", "acc")))


def mapped_cost(design: Design) -> CostReport | Infeasible:
    """Cost of a design by its mappings on the hierarchy of its accelerator, or the first bound that it breaks.

    Layers run one after another. Operators that only change layout or addresses (concatenation, reshape, constants)
    move nothing and are not in the report. Where the accelerator names a device, its budget binds.

    Raises:
        SpecError: a layer of the array has no mapping, a mapping is not one of its layer, an unknown device, or one
            whose limit cannot be checked.
    """
    mapped = dict(design.mappings)
    missing = [
        Fault(f"design.mappings.{layer.name}", "is missing", "a mapping for each layer that the array runs")
        for layer in design.workload.layers
        if layer.op.spec.has_loops and layer.name not in mapped
    ]
    if missing:
        raise SpecError(missing)
    accelerator = design.accelerator
    bits = widest_bits(design.workload)
    broken = broken_budget(accelerator, bits)
    if broken is not None:
        return broken
    layers: list[LayerCost] = []
    seen: dict[tuple[str, str], LayerCost] = {}
    for layer in design.workload.layers:
        if not layer.op.spec.has_loops:
            continue
        key = (layer.digest, mapped[layer.name].digest)
        if key not in seen:
            result = evaluate(layer, mapped[layer.name], accelerator)
            if isinstance(result, Infeasible):
                return result
            seen[key] = result
        layers.append(seen[key].named(layer.name))
    cycles = sum(layer.cycles for layer in layers)
    broken = broken_power(accelerator, tuple(layers), cycles, accelerator.part)
    if broken is not None:
        return broken
    return CostReport(
        layers=tuple(layers),
        latency_cycles=cycles,
        latency_ms=cycles / accelerator.clock_hz * 1e3,
        energy_pj=network_energy_pj(layers),
        area_um2=silicon_um2(accelerator, bits),
        resources=resources(accelerator),
    )
