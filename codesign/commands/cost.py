"""What a network costs on an accelerator, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from accel_models.cost import cost as design_cost
from accel_models.cost import mapped_cost
from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.published.maestro import MaestroReport
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.reuse.evaluate import evaluate
from accel_models.reuse.nest import LOOP_OPS
from accel_models.schedule import default_mapping
from codesign.commands.applies import check_applies, refuse
from codesign.commands.kinds import Kind
from codesign.commands.maestro import cost_maestro
from codesign.commands.targets import (
    HardwareLike,
    ShapesLike,
    TargetLike,
    at_widths,
    find_hardware,
    load_workload,
    mappings_with,
    read_target,
    shapes_of,
)
from codesign.progress import Reporter, Silent
from mappings.dataflow import DATAFLOWS, Dataflow
from mappings.dataflow import dataflow as find_dataflow
from mappings.errors import Fault, SpecError, unknown_name
from mappings.layer import Layer
from mappings.mapping import Mapping
from mappings.workload import Workload

OBJECTIVES = ("edp", "latency", "energy")
OWN_PROGRAM = "the accelerator is one of our templates, which runs its own program"


@dataclass(frozen=True)
class Costed:
    """A network on an accelerator.

    Attributes:
        network, accelerator: names.
        report: figures.
        dataflows: (layer, dataflow) pairs where mappings were chosen among dataflows.
        design: what was costed.
        objective: what mappings were chosen for; "" where nothing was to choose.
    """

    network: str
    accelerator: str
    report: CostReport
    dataflows: tuple[tuple[str, str], ...]
    design: Design
    objective: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        plain = {"network": self.network, "accelerator": self.accelerator, **self.report.to_dict()}
        if self.objective:
            plain["objective"] = self.objective
        if self.dataflows:
            plain["dataflows"] = dict(self.dataflows)
        return plain


def figure(cost: LayerCost, objective: str) -> float:
    """What an objective makes of a layer; energies that are not modelled can not be compared.

    Raises:
        SpecError: energy asked for where it is not modelled.
    """
    if objective == "latency":
        return float(cost.cycles)
    energy = cost.total_energy_pj
    if energy is None:
        raise SpecError(Fault("--objective", f"{objective}: energy is not modelled for this accelerator", "latency"))
    return energy if objective == "energy" else energy * cost.cycles


def check_objective(objective: str | None) -> None:
    """Refuse what is no objective; None is the default.

    Raises:
        SpecError: unknown.
    """
    if objective is not None and objective not in OBJECTIVES:
        raise unknown_name("--objective", "objective", objective, OBJECTIVES)


def default_objective(workload: Workload, accelerator: Accelerator) -> str:
    """The energy-delay product where energy is modelled, else latency.

    Latency alone takes a cycle less at any price: 4,610 cycles at 91.3 uJ before 4,749 at 4.3 uJ.
    """
    for layer in workload.layers:
        if layer.op not in LOOP_OPS:
            continue
        for name in DATAFLOWS.names():
            found = evaluate(layer, DATAFLOWS.get(name).instantiate(layer, accelerator), accelerator)
            if isinstance(found, LayerCost):
                return "latency" if found.total_energy_pj is None else "edp"
    return "latency"


def library_mapping(
    layer: Layer, accelerator: Accelerator, flows: Sequence[Dataflow], objective: str
) -> tuple[str, Mapping, LayerCost] | Infeasible:
    """The best among dataflows with their own tile sizes."""
    best: tuple[str, Mapping, LayerCost] | None = None
    broken: Infeasible | None = None
    for item in flows:
        mapping = item.instantiate(layer, accelerator)
        cost = evaluate(layer, mapping, accelerator)
        if isinstance(cost, Infeasible):
            broken = broken or cost
        elif best is None or (len(flows) > 1 and figure(cost, objective) < figure(best[2], objective)):
            best = (item.name, mapping, cost)
    if best is None:
        assert broken is not None
        return broken
    return best


def map_library(
    workload: Workload, accelerator: Accelerator, flow: Dataflow | None, objective: str, reporter: Reporter
) -> tuple[Design, tuple[tuple[str, str], ...]] | Infeasible:
    """A design whose layers each have the library's best mapping, and which dataflow each has."""
    mappings: list[tuple[str, Mapping]] = []
    flows: list[tuple[str, str]] = []
    known: dict[str, tuple[str, Mapping, LayerCost]] = {}
    layers = [layer for layer in workload.layers if layer.op in LOOP_OPS]
    wanted = [DATAFLOWS.get(name) for name in DATAFLOWS.names()] if flow is None else [flow]
    with reporter.task("layers", len(layers)) as advance:
        for layer in layers:
            if layer.digest not in known:
                found = library_mapping(layer, accelerator, wanted, objective)
                if isinstance(found, Infeasible):
                    return found
                known[layer.digest] = found
            mappings.append((layer.name, known[layer.digest][1]))
            flows.append((layer.name, known[layer.digest][0]))
            advance()
    return Design(workload, accelerator, tuple(mappings)), tuple(flows)


def program_design(
    workload: Workload, accelerator: Accelerator, given: MappingType[str, Mapping] | None = None
) -> Design | Infeasible:
    """A network on an accelerator with a template: quantised to its widths, in given tiles or the default ones."""
    template = accelerator.template
    assert template is not None, "the caller asked"
    workload = at_widths(workload, template)
    mappings: list[tuple[str, Mapping]] = []
    for layer in workload.layers:
        if layer.op.spec.has_loops:
            known = (given or {}).get(layer.name)
            mapping = default_mapping(layer, template) if known is None else known
            if isinstance(mapping, Infeasible):
                return mapping
            mappings.append((layer.name, mapping))
    return Design(workload, accelerator, tuple(mappings))


@overload
def cost(
    target: TargetLike,
    *,
    input: ShapesLike | None = None,
    accelerator: HardwareLike | None = None,
    dataflow: str | Dataflow | None = None,
    objective: str | None = None,
    reporter: Reporter | None = None,
) -> Costed | Infeasible: ...


@overload
def cost(
    target: None = None,
    *,
    maestro: str | Path,
    hw: str | Path,
    simd_lanes: int | None = None,
    csv: str | Path | None = None,
) -> MaestroReport | Infeasible: ...


def cost(
    target: TargetLike | None = None,
    *,
    input: ShapesLike | None = None,  # noqa: A002 - the command line's word
    accelerator: HardwareLike | None = None,
    dataflow: str | Dataflow | None = None,
    objective: str | None = None,
    maestro: str | Path | None = None,
    hw: str | Path | None = None,
    simd_lanes: int | None = None,
    csv: str | Path | None = None,
    reporter: Reporter | None = None,
) -> Costed | MaestroReport | Infeasible:
    """Cost of a design, of a network on an accelerator, or of MAESTRO's files with MAESTRO's semantics.

    An accelerator with a template runs its own program, whose cycles are exact; any other is a hierarchy of memories,
    on which each layer has the best mapping of the library's dataflows.

    Args:
        target: a design, a workload, a module (or ``my_module.py:MyNet``) or a network by name.
        input: shapes of a module's inputs; of a network by name, where another than its own is wanted.
        accelerator: name, YAML file (of an accelerator, a design or a template) or the thing itself; a design has its
            own.
        dataflow: keep to this one (name, YAML file, or the thing itself); None: the best of the library for each layer.
        objective: what mappings are chosen for: edp, latency or energy; None: edp where energy is modelled, else
            latency.
        maestro, hw: MAESTRO's mapping and hardware files, in place of a target.
        simd_lanes: multiply-accumulates of a MAESTRO PE and cycle (1).
        csv: where to write MAESTRO's 52 columns.
        reporter: where progress goes.

    Raises:
        SpecError: wrong input, or an option that changes nothing.
    """
    given = {
        "input": input, "accelerator": accelerator, "dataflow": dataflow, "objective": objective,
        "maestro": maestro, "hw": hw, "simd_lanes": simd_lanes, "csv": csv,
    }  # fmt: skip
    check_objective(objective)
    if target is None and maestro is not None:
        check_applies("cost", Kind.MAESTRO, given)
        return cost_maestro(maestro, hw, simd_lanes, csv)
    if target is None:
        raise SpecError(Fault("target", "is missing", "design.yaml, my_module.py:MyNet, a network, or --maestro"))
    found = read_target(target)
    check_applies("cost", found.kind, given)
    if found.kind is Kind.DESIGN:
        return cost_design(found.name, found.value.design)
    if accelerator is None:
        raise SpecError(Fault("--accelerator", "is missing", "a name (codesign list accelerators) or a YAML file"))
    hardware = find_hardware(accelerator, "--accelerator")
    flow = find_dataflow(dataflow, "--dataflow") if isinstance(dataflow, str) else dataflow
    if hardware.template is not None:
        refuse(given, OWN_PROGRAM, ("dataflow", "objective"))
    elif flow is not None:
        refuse(given, "with one dataflow there is nothing to choose", ("objective",))
    reporter = reporter or Silent()
    with reporter.task("network", None):
        workload = load_workload(found, shapes_of(input))
    if hardware.template is not None:
        program = program_design(workload, hardware, mappings_with(accelerator, at_widths(workload, hardware.template)))
        return program if isinstance(program, Infeasible) else cost_design(workload.name, program)
    objective = objective or default_objective(workload, hardware)
    mapped = map_library(workload, hardware, flow, objective, reporter)
    if isinstance(mapped, Infeasible):
        return mapped
    design, flows = mapped
    report = mapped_cost(design)
    if isinstance(report, Infeasible):
        return report
    return Costed(workload.name, hardware.name, report, flows, design, "" if flow is not None else objective)


def cost_design(name: str, design: Design) -> Costed | Infeasible:
    """Cost of a design: by its program where the hardware is one of our templates, else by its mappings."""
    result = design_cost(design)
    if not isinstance(result, CostReport):
        return result[0]
    return Costed(name, design.accelerator.name, result, (), design)
