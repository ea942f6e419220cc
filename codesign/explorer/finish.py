"""From the search's front to designs: weights for deployment, integer accuracy, files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from accel_models.design import Design
from accel_models.report import CostReport
from accel_models.template.cost import template_cost
from codesign.commands.targets import quantized_network, read_target
from codesign.design_file import DesignFile
from codesign.explorer.finished import read_record, write_record
from codesign.explorer.folder import RunFolder
from codesign.explorer.search import Found, found_costs
from codesign.objectives import Goal
from codesign.objectives.front import knee, nondominated
from codesign.progress import Reporter
from codesign.providers.base import Candidate, Provider
from codesign.recipe import Recipe
from codesign.spaces.network.fixed import FixedNetwork
from codesign.spaces.search_space import SearchSpace
from mappings.durable import write_durably
from mappings.errors import Fault, SpecError
from mappings.network_io import save_network
from mappings.workload import Workload


@dataclass(frozen=True)
class FrontPoint:
    """One design of the front, deployed.

    Attributes:
        name: "point_00", ... from the best of the first objective.
        found: the trial.
        workload: the network.
        design: network, accelerator, mappings; None: hardware that is not ours, whose model maps by itself.
        network: name of the files with the weights; "": there are none, so the design cannot be run.
        accuracy: of the integer network by part ("held_out", "test"), or "test" as a table tells it, and "search" as
            the search saw it; empty where accuracy was not asked for.
        metrics: every figure, with the deployed network's accuracy.
        cost: predicted figures, layer by layer.
    """

    name: str
    found: Found
    workload: Workload
    design: Design | None
    network: str
    accuracy: dict[str, float]
    metrics: dict[str, float]
    cost: CostReport


def report_of(candidate: Candidate, providers: Iterable[Provider]) -> CostReport:
    """Predicted figures of a design that fits, layer by layer; its provider's where the hardware is not ours.

    Raises:
        SpecError: no provider tells them.
    """
    design = candidate.design
    if design is not None and design.accelerator.template is not None:
        figures = template_cost(design)
        assert isinstance(figures, CostReport), "a design without a broken bound fits"
        return figures
    for provider in providers:
        report = getattr(provider, "report", None)
        if report is not None:
            found = report(candidate)
            assert isinstance(found, CostReport), "a provider's report is one"
            return found
    raise SpecError(Fault("providers", "none tells the figures of this hardware layer by layer", "one with a report"))


def network_name(digest: str) -> str:
    """Name of a deployed network's files."""
    return digest[:16]


def _record(folder: RunFolder, digest: str) -> Path:
    return folder.networks / f"{network_name(digest)}.accuracy.json"


def _network_files(folder: RunFolder, digest: str) -> list[Path]:
    name = network_name(digest)
    return [folder.networks / f"{name}.{kind}" for kind in ("npz", "yaml")]


def _trained(
    folder: RunFolder, workloads: Mapping[str, Workload], provider: Any, reporter: Reporter
) -> dict[str, dict[str, float]]:
    """Train every network for deployment; what an earlier process finished is read back."""
    accuracies: dict[str, dict[str, float]] = {}
    for digest in workloads:
        found = read_record(_record(folder, digest))
        if found is not None:
            accuracies[digest] = found
    missing = [workload for digest, workload in workloads.items() if digest not in accuracies]
    missing.sort(key=lambda workload: -workload.macs)  # so that workers end together
    with reporter.task("training for deployment", len(missing)) as advance:
        for workload, measured in provider.deploy(missing):
            record = _record(folder, workload.digest)
            write_record(record, measured, _network_files(folder, workload.digest))
            accuracies[workload.digest] = measured
            advance()
    return accuracies


def _untrained(folder: RunFolder, space: SearchSpace, workloads: Mapping[str, Workload], reporter: Reporter) -> str:
    """Weights of a network that is searched as it is, quantised after training; "" where it has none."""
    network = space.network
    if not workloads or not isinstance(network, FixedNetwork) or network.is_file:
        return ""
    (digest, workload), *others = workloads.items()
    if others:
        return ""
    name = network_name(digest)
    record = _record(folder, digest)
    if read_record(record) is None:
        with reporter.task("quantising the network", None):
            shapes = [tuple(network.input)] if network.input else []
            made = quantized_network(read_target(network.network), shapes)
            save_network(made, folder.networks / name)
        if made.workload != workload:
            return ""
        write_record(record, {}, _network_files(folder, digest))
    return name


def deploy_front(
    chosen: list[Found],
    recipe: Recipe,
    goal: Goal,
    folder: RunFolder,
    provider: Any,
    measuring: Sequence[Provider],
    reporter: Reporter,
) -> list[FrontPoint]:
    """Deploy the chosen designs; those that are dominated by their deployed accuracy leave the front.

    Args:
        provider: trains for deployment, or tells what a table reports; None: networks are taken as they are.
        measuring: all providers of the recipe.
    """
    space = recipe.space
    candidates = space.decode([item.point for item in chosen])
    workloads = {item.network: item.workload for item in candidates if item.workload is not None}
    accuracies: dict[str, dict[str, float]] = {}
    name, deployed_weights = "", provider is not None and hasattr(provider, "deploy")
    if provider is not None and not deployed_weights:
        accuracies = {network: provider.reported(network) for network in workloads}
    elif provider is not None:
        trained = _trained(folder, {each.digest: each for each in workloads.values()}, provider, reporter)
        accuracies = {network: trained[workload.digest] for network, workload in workloads.items()}
    elif any(item.design is not None and item.design.accelerator.template is not None for item in candidates):
        name = _untrained(folder, space, workloads, reporter)
    deployed = []
    for item, candidate in zip(chosen, candidates, strict=True):
        measured = accuracies.get(candidate.network, {})
        told = measured.get("held_out", measured.get("test"))
        metrics = item.metrics if told is None else {**item.metrics, "accuracy": told}
        deployed.append(Found(item.number, item.point, metrics))
    costs = found_costs(goal, deployed)
    rows = sorted(nondominated(costs), key=lambda row: tuple(costs[row]))
    with reporter.task("figures of the front, layer by layer", len(rows)) as advance:
        reports = []
        for row in rows:
            reports.append(report_of(candidates[row], measuring))
            advance()
    points = []
    for index, (row, figures) in enumerate(zip(rows, reports, strict=True)):
        item, candidate = chosen[row], candidates[row]
        assert candidate.workload is not None, "what is deployed has layers"
        accuracy = dict(accuracies.get(candidate.network, {}))
        if accuracy:
            accuracy["search"] = item.metrics["accuracy"]
        weights = network_name(candidate.workload.digest) if accuracy and deployed_weights else name
        title = f"point_{index:02d}"
        points.append(
            FrontPoint(
                title,
                item,
                candidate.workload,
                candidate.design,
                weights,
                accuracy,
                deployed[row].metrics,
                figures,
            )
        )
    return points


def knee_of(points: list[FrontPoint], goal: Goal) -> int:
    """Index of the knee, by deployed accuracy."""
    return knee(found_costs(goal, [Found(0, {}, point.metrics) for point in points]))


def write_designs(points: list[FrontPoint], space: SearchSpace, folder: RunFolder) -> None:
    """One design file a point that has a design; files of an earlier front go."""
    folder.designs.mkdir(exist_ok=True)
    for stale in folder.designs.glob("point_*.yaml"):
        stale.unlink()
    for point in points:
        if point.design is None:
            continue
        dataset = space.network.dataset if point.accuracy else ""
        DesignFile(point.name, point.design, point.network, dataset, point.found.point, point.accuracy).save(
            folder.designs / f"{point.name}.yaml"
        )


class SynthesisedPoint(Protocol):
    """What :mod:`codesign.explorer.synthesis` found of one point."""

    @property
    def point(self) -> str:
        """Its name."""

    @property
    def found(self) -> dict[str, float]:
        """By resource."""


def write_front_csv(points: list[FrontPoint], folder: RunFolder, syntheses: Sequence[SynthesisedPoint] = ()) -> None:
    """The front as a table: measurements, what synthesis found where it ran (``synth_*``), every decision."""
    parts = [part for part in ("held_out", "test", "search") if points and part in points[0].accuracy]
    metrics = [name for name in (points[0].metrics if points else ()) if name != "accuracy"]
    decisions = list(dict.fromkeys(name for point in points for name in point.found.point))
    header = ["name", "trial", *(f"accuracy_{part}" for part in parts), *metrics, "layers", "network_macs"]
    found = {item.point: item.found for item in syntheses}
    kinds = list(dict.fromkeys(kind for item in found.values() for kind in item))
    header += [*(f"synth_{kind.lower()}" for kind in kinds), *decisions]
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(header)
    for point in points:
        row: list[Any] = [point.name, point.found.number, *(point.accuracy[part] for part in parts)]
        row += [_plain(point.metrics[name]) for name in metrics]
        row += [len(point.workload.layers), point.workload.macs]
        row += [_plain(found[point.name][kind]) if kind in found.get(point.name, {}) else "" for kind in kinds]
        writer.writerow([*row, *(point.found.point.get(name, "") for name in decisions)])
    write_durably(folder.front_csv, table.getvalue())


def _plain(value: float) -> float | int:
    """Counts as counts."""
    return int(value) if float(value).is_integer() and np.abs(value) < 2**53 else value
