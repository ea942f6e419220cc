"""The best mapping of each layer of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accel_models.cost import cost as design_cost
from accel_models.cost import mapped_cost
from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.jit import is_compiled
from accel_models.mapper import ANY, TILES, best_mapping
from accel_models.mapper.program import ProgramSearch, best_program
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.reuse.nest import LOOP_OPS
from accel_models.schedule import schedule_network
from accel_models.template.energy import prices_on
from codesign.commands.applies import check_applies, refuse
from codesign.commands.cost import check_objective, default_objective
from codesign.commands.kinds import Kind
from codesign.commands.targets import (
    HardwareLike,
    ShapesLike,
    TargetLike,
    at_widths,
    find_hardware,
    load_workload,
    read_target,
    shapes_of,
)
from codesign.design_file import DesignFile
from codesign.progress import Reporter, Silent
from mappings.dataflow import Dataflow
from mappings.dataflow import dataflow as find_dataflow
from mappings.errors import Fault, SpecError, unknown_name
from mappings.layer import Layer, Op
from mappings.mapping import Mapping
from mappings.workload import Workload

#: One of each kind of loop that the mapper's machine code knows.
_PROBE = Layer("probe", Op.CONV, K=4, C=4, P=4, Q=4, R=3, S=3)
_DEFAULT = "default tiles"
_LEGAL = "the accelerator is one of our templates, whose program decides which tiles are legal"


@dataclass(frozen=True)
class MappedLayer:
    """One layer, or one part of it that runs by itself (a phase of a transposed convolution, a copy).

    Attributes:
        mapping: None: a part that has none (a copy).
        how: where the mapping comes from, and whether it is proved best.
    """

    layer: str
    mapping: Mapping | None
    cost: LayerCost
    how: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        mapping = None if self.mapping is None else self.mapping.to_dict()
        return {"layer": self.layer, "how": self.how, "mapping": mapping, "cost": self.cost.to_dict()}


@dataclass(frozen=True)
class Mapped:
    """A mapped network.

    Attributes:
        objective: what mappings were chosen for.
        report: figures of all layers and their totals.
        design: what ``codesign cost`` takes.
        file: the design file that was mapped, where one was given.
    """

    network: str
    accelerator: str
    objective: str
    layers: tuple[MappedLayer, ...]
    report: CostReport
    design: Design
    file: DesignFile | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values of the design: what ``--format json`` and ``yaml`` print, and any command reads.

        A design file keeps its network and data set, so that ``simulate`` and ``emit`` take it beside the old one.
        """
        plain, file = self.design.to_dict(), self.file
        if file is None or not file.network:
            return plain
        kept = {"name": file.name, "network": file.network, "dataset": file.dataset, "accuracy": dict(file.accuracy)}
        return {**kept, "design": plain}


def map_network(
    target: TargetLike,
    *,
    input: ShapesLike | None = None,  # noqa: A002 - the command line's word
    accelerator: HardwareLike | None = None,
    dataflow: str | Dataflow | None = None,
    objective: str | None = None,
    tiles: str | None = None,
    reporter: Reporter | None = None,
) -> Mapped | Infeasible:
    """The best mapping of each layer on an accelerator.

    Args:
        target: a design (its network and accelerator), a workload, a module (or ``my_module.py:MyNet``) or a network by
            name.
        input: shapes of a module's inputs; of a network by name, where another than its own is wanted.
        accelerator: name, YAML file (of an accelerator, a design or a template) or the thing itself; a design has its
            own. Of one with a template the program's legal tiles are searched, by its exact cycles and energy.
        dataflow: keep to this one; None: any.
        objective: edp, latency or energy; None: edp where energy is modelled, else latency.
        tiles: divisors (None), or any (slower: tiles that leave a smaller last one, too); not with a template.
        reporter: where progress goes.

    Raises:
        SpecError: wrong input, or an option that changes nothing.
    """
    options = {"dataflow": dataflow, "objective": objective, "tiles": tiles}
    check_objective(objective)
    if tiles is not None and tiles not in TILES:
        raise unknown_name("--tiles", "kind of tiles", tiles, TILES)
    found = read_target(target)
    check_applies("map", found.kind, {**options, "input": input, "accelerator": accelerator})
    flow = find_dataflow(dataflow, "--dataflow") if isinstance(dataflow, str) else dataflow
    reporter = reporter or Silent()
    if found.kind is Kind.DESIGN:
        given: Design = found.value.design
        if given.accelerator.template is not None:
            refuse(options, _LEGAL, ("dataflow", "tiles"))
            return _program(given, objective, reporter, None if found.value.path is None else found.value)
        workload, hardware = given.workload, given.accelerator
    else:
        if accelerator is None:
            raise SpecError(Fault("--accelerator", "is missing", "a name (codesign list accelerators) or a YAML file"))
        hardware = find_hardware(accelerator, "--accelerator")
        if hardware.template is not None:
            refuse(options, _LEGAL, ("dataflow", "tiles"))
        with reporter.task("network", None):
            workload = load_workload(found, shapes_of(input))
        if hardware.template is not None:
            empty = Design(at_widths(workload, hardware.template), hardware, ())
            return _program(empty, objective, reporter)
    chosen = objective or default_objective(workload, hardware)
    return _mapped(workload, hardware, ANY if flow is None else flow, chosen, tiles or "divisors", reporter)


def _program(
    given: Design, objective: str | None, reporter: Reporter, file: DesignFile | None = None
) -> Mapped | Infeasible:
    """The best tiles for a design's program, by its own exact figures; its mappings are where the search begins."""
    hardware = given.accelerator
    chosen = objective or ("latency" if prices_on(hardware) is None else "edp")
    if not is_compiled("pricing"):
        reporter.say("compiling the program's timing for this processor: this once, a minute or more")
    with reporter.task("mapping", None):
        found = best_program(given.workload, hardware, chosen, dict(given.mappings))
    if isinstance(found, Infeasible):
        return found
    report = design_cost(found.design)
    if not isinstance(report, CostReport):
        return report[0]
    schedule = schedule_network(found.design)
    assert not isinstance(schedule, Infeasible), "it was costed"
    mappings, how = dict(found.design.mappings), _how(found)
    layers = tuple(
        MappedLayer(item.name, mappings.get(plan.layer.name), item, how.get(plan.chain[0].name, _DEFAULT))
        for item, plan in zip(report.layers, schedule.plans, strict=True)
    )
    return Mapped(found.design.workload.name, hardware.name, chosen, layers, report, found.design, file)


def _how(found: ProgramSearch) -> dict[str, str]:
    """What is known of each layer's tiles: of a layer alone, or of the network that is one layer."""
    spot = "" if found.optimal else " alone"
    return {
        log.layer: f"{log.legal:,} legal tiles, {f'proved best{spot}' if log.optimal else 'best found'}"
        for log in found.layers
    }


def _mapped(
    workload: Workload, hardware: Accelerator, flow: str | Dataflow, objective: str, tiles: str, reporter: Reporter
) -> Mapped | Infeasible:
    """The mapper's answer for each layer."""
    if not is_compiled("mapper"):
        reporter.say("compiling the mapper for this processor: this once, a minute or more")
        with reporter.task("compiling the mapper", None):
            best_mapping(_PROBE, hardware, objective=objective, use_cache=False)
    layers = [layer for layer in workload.layers if layer.op in LOOP_OPS]
    found: list[tuple[str, Mapping, str]] = []
    known: dict[str, tuple[Mapping, str]] = {}
    with reporter.task("mapping", len(layers)) as advance:
        for layer in layers:
            if layer.digest not in known:
                best = best_mapping(layer, hardware, flow, objective, tiles=tiles)
                if isinstance(best, Infeasible):
                    return best
                known[layer.digest] = (
                    best.mapping,
                    f"{best.dataflow}, {'proved best' if best.optimal else 'best found'}",
                )
            found.append((layer.name, *known[layer.digest]))
            advance()
    design = Design(workload, hardware, tuple((name, mapping) for name, mapping, _ in found))
    report = mapped_cost(design)
    if isinstance(report, Infeasible):
        return report
    rows = zip(found, report.layers, strict=True)
    mapped = tuple(MappedLayer(name, mapping, cost, how) for (name, mapping, how), cost in rows)
    return Mapped(workload.name, hardware.name, objective, mapped, report, design)
