"""What a network costs on an accelerator, layer by layer; and MAESTRO's figures for MAESTRO's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accel_models.cost import cost as design_cost
from accel_models.cost import mapped_cost
from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.accelerators import accelerator as find_accelerator
from accel_models.published.maestro import MaestroReport, maestro_cost, write_csv
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.reuse.evaluate import evaluate
from accel_models.reuse.nest import LOOP_OPS
from codesign.commands.targets import is_design, load_design, load_workload
from codesign.progress import Reporter, Silent
from mappings.dataflow import DATAFLOWS, dataflow
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.mapping import Mapping
from mappings.workload import Workload

OBJECTIVES = ("latency", "energy", "edp")


@dataclass(frozen=True)
class Costed:
    """A network on an accelerator.

    Attributes:
        network, accelerator: names.
        report: figures.
        dataflows: (layer, dataflow) pairs where mappings were chosen among dataflows.
        design: what was costed.
    """

    network: str
    accelerator: str
    report: CostReport
    dataflows: tuple[tuple[str, str], ...]
    design: Design

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        plain = {"network": self.network, "accelerator": self.accelerator, **self.report.to_dict()}
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


def library_mapping(
    layer: Layer, accelerator: Accelerator, flow: str | None, objective: str
) -> tuple[str, Mapping, LayerCost] | Infeasible:
    """The best among the library's dataflows (or the named one) with their own tile sizes."""
    best: tuple[str, Mapping, LayerCost] | None = None
    broken: Infeasible | None = None
    for item in [dataflow(flow, "--dataflow")] if flow else [DATAFLOWS.get(name) for name in DATAFLOWS.names()]:
        mapping = item.instantiate(layer, accelerator)
        cost = evaluate(layer, mapping, accelerator)
        if isinstance(cost, Infeasible):
            broken = broken or cost
        elif best is None or figure(cost, objective) < figure(best[2], objective):
            best = (item.name, mapping, cost)
    if best is None:
        assert broken is not None
        return broken
    return best


def map_library(
    workload: Workload, accelerator: Accelerator, flow: str | None, objective: str, reporter: Reporter
) -> tuple[Design, tuple[tuple[str, str], ...]] | Infeasible:
    """A design whose layers each have the library's best mapping, and which dataflow each has."""
    mappings: list[tuple[str, Mapping]] = []
    flows: list[tuple[str, str]] = []
    known: dict[str, tuple[str, Mapping, LayerCost]] = {}
    layers = [layer for layer in workload.layers if layer.op in LOOP_OPS]
    with reporter.task("layers", len(layers)) as advance:
        for layer in layers:
            if layer.digest not in known:
                found = library_mapping(layer, accelerator, flow, objective)
                if isinstance(found, Infeasible):
                    return found
                known[layer.digest] = found
            mappings.append((layer.name, known[layer.digest][1]))
            flows.append((layer.name, known[layer.digest][0]))
            advance()
    return Design(workload, accelerator, tuple(mappings)), tuple(flows)


def cost(
    target: str,
    *,
    inputs: Sequence[tuple[int, ...]] = (),
    accelerator: str | None = None,
    dataflow: str | None = None,
    objective: str = "latency",
    reporter: Reporter | None = None,
) -> Costed | Infeasible:
    """Cost of a design file, or of a network on an accelerator.

    Args:
        target: a design file, ``my_module.py:MyNet`` or a network by name.
        inputs: shapes of a module's inputs.
        accelerator: name or YAML file; a design file has its own.
        dataflow: name or YAML file; None: the best of the library for each layer.
        objective: what mappings are chosen for: latency, energy or edp.
        reporter: where progress goes.

    Raises:
        SpecError: wrong input.
    """
    if objective not in OBJECTIVES:
        raise SpecError(Fault("--objective", f"is {objective!r}", ", ".join(OBJECTIVES)))
    if is_design(target):
        if accelerator or dataflow or inputs:
            raise SpecError(Fault(target, "a design has its own network, accelerator and mappings", "no other option"))
        item = load_design(target)
        return cost_design(item.name, item.design)
    if accelerator is None:
        raise SpecError(Fault("--accelerator", "is missing", "a name (codesign list accelerators) or a YAML file"))
    hardware = find_accelerator(accelerator, "--accelerator")
    reporter = reporter or Silent()
    with reporter.task("network", None):
        workload = load_workload(target, inputs)
    mapped = map_library(workload, hardware, dataflow, objective, reporter)
    if isinstance(mapped, Infeasible):
        return mapped
    design, flows = mapped
    report = mapped_cost(design)
    if isinstance(report, Infeasible):
        return report
    return Costed(workload.name, hardware.name, report, flows, design)


def cost_design(name: str, design: Design) -> Costed | Infeasible:
    """Cost of a design: by its program where the hardware is one of our templates, else by its mappings."""
    result = design_cost(design)
    if not isinstance(result, CostReport):
        return result[0]
    return Costed(name, design.accelerator.name, result, (), design)


def cost_maestro(
    mapping: str, hardware: str, simd_lanes: int = 1, csv: str | None = None
) -> MaestroReport | Infeasible:
    """MAESTRO's figures for a MAESTRO mapping file.

    Args:
        mapping, hardware: paths of ``.m`` and ``.hw`` files.
        simd_lanes: multiply-accumulates of a PE and cycle.
        csv: where to write MAESTRO's 52 columns, or None.

    Raises:
        SpecError: malformed input, or a mapping on which MAESTRO itself fails.
    """
    report = maestro_cost(Path(mapping), Path(hardware), simd_lanes)
    if csv is not None and not isinstance(report, Infeasible):
        write_csv(report.rows, Path(csv))
    return report
