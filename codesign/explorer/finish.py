"""From the search's front to designs: weights for deployment, integer accuracy, files."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accel_models.design import Design
from accel_models.report import CostReport
from codesign.accuracy.pool import AccuracyPool
from codesign.costs import CostProvider
from codesign.design_file import DesignFile
from codesign.explorer.folder import RunFolder
from codesign.explorer.front import FloatArray, as_costs, nondominated, thinned
from codesign.explorer.search import Candidate
from codesign.progress import Reporter
from codesign.recipe import Recipe
from codesign.space import SearchSpace
from mappings.errors import Fault, SpecError
from mappings.files import read_json
from mappings.workload import Workload

MAX_RECORD_BYTES = 100_000


@dataclass(frozen=True)
class FrontPoint:
    """One design of the front, deployed.

    Attributes:
        name: "point_00", ... by falling accuracy.
        candidate: the trial.
        design: network, accelerator, mappings.
        network: name of the files with the weights.
        accuracy: of the integer network by part ("held_out", "test"), and "search" as the search saw it.
        cost: predicted figures.
    """

    name: str
    candidate: Candidate
    design: Design
    network: str
    accuracy: dict[str, float]
    cost: CostReport


def candidate_costs(found: list[Candidate]) -> FloatArray:
    """Objectives [n, 3] to minimise."""
    columns = [np.array([getattr(item, name) for item in found]) for name in ("accuracy", "latency_ms", "energy_uj")]
    return as_costs(*columns)


def search_front(found: list[Candidate], limit: int) -> list[Candidate]:
    """The front as the search sees it, thinned to ``limit`` points."""
    front = [found[row] for row in nondominated(candidate_costs(found))]
    return [front[row] for row in thinned(candidate_costs(front), limit)]


def _deploy(
    folder: RunFolder, workloads: dict[str, Workload], pool: AccuracyPool, reporter: Reporter
) -> dict[str, dict[str, float]]:
    """Train every network for deployment; what an earlier process finished is read back."""
    accuracies: dict[str, dict[str, float]] = {}
    for digest in workloads:
        record = _record(folder, digest)
        if record.exists():
            accuracies[digest] = read_record(record)
    missing = [workload for digest, workload in workloads.items() if digest not in accuracies]
    with reporter.task("training for deployment", len(missing)) as advance:
        for workload, measured in pool.run("finish", missing):
            record = _record(folder, workload.digest)
            partial = record.with_suffix(".partial")
            partial.write_text(json.dumps(measured), encoding="utf-8")
            partial.replace(record)  # after the weights: a record says that they are whole
            accuracies[workload.digest] = measured
            advance()
    return accuracies


def network_name(digest: str) -> str:
    """Name of a deployed network's files."""
    return digest[:16]


def _record(folder: RunFolder, digest: str) -> Path:
    return folder.networks / f"{network_name(digest)}.accuracy.json"


def read_record(path: Path) -> dict[str, float]:
    """Accuracies by part.

    Raises:
        SpecError: the record is not whole.
    """
    found = read_json(path, MAX_RECORD_BYTES)
    if not isinstance(found, dict) or any(type(v) not in (int, float) or not 0 <= v <= 1 for v in found.values()):
        raise SpecError(Fault(str(path), "is not a record of accuracies", "delete it: the network is trained again"))
    return {name: float(value) for name, value in found.items()}


def deploy_front(
    chosen: list[Candidate],
    recipe: Recipe,
    space: SearchSpace,
    cost: CostProvider,
    folder: RunFolder,
    pool: AccuracyPool,
    reporter: Reporter,
) -> list[FrontPoint]:
    """Deploy the chosen candidates; those that are dominated by their deployed accuracy leave the front."""
    workloads = {item.network: space.network.workload(item.point) for item in chosen}
    accuracies = _deploy(folder, workloads, pool, reporter)
    deployed = np.array([accuracies[item.network]["held_out"] for item in chosen])
    latency = np.array([item.latency_ms for item in chosen])
    energy = np.array([item.energy_uj for item in chosen])
    rows = nondominated(as_costs(deployed, latency, energy))
    rows.sort(key=lambda row: (-deployed[row], latency[row], energy[row]))
    points = []
    for index, row in enumerate(rows):
        item = chosen[row]
        design = space.design(item.point, recipe.device)
        assert isinstance(design, Design), "a told candidate fits its device"
        figures = cost(design)
        assert isinstance(figures, CostReport), "a told candidate fits its buffers"
        points.append(
            FrontPoint(
                f"point_{index:02d}",
                item,
                design,
                network_name(item.network),
                {**accuracies[item.network], "search": item.accuracy},
                figures,
            )
        )
    return points


def write_designs(points: list[FrontPoint], space: SearchSpace, folder: RunFolder) -> None:
    """One design file a point; files of an earlier front go."""
    folder.designs.mkdir(exist_ok=True)
    for stale in folder.designs.glob("point_*.yaml"):
        stale.unlink()
    for point in points:
        DesignFile(
            point.name, point.design, point.network, space.network.dataset, point.candidate.point, point.accuracy
        ).save(folder.designs / f"{point.name}.yaml")


def write_front_csv(points: list[FrontPoint], folder: RunFolder) -> None:
    """The front as a table: measurements, resources, then every decision."""
    header = ["name", "trial", "accuracy_held_out", "accuracy_test", "accuracy_search", "latency_ms", "latency_cycles"]
    header += ["energy_uj", "layers", "macs"]
    resources = [name for name, _ in points[0].cost.resources or ()] if points else []
    decisions = list(points[0].candidate.point) if points else []
    partial = folder.front_csv.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*header, *resources, *decisions])
        for point in points:
            item = point.candidate
            row = [point.name, item.number, point.accuracy["held_out"], point.accuracy["test"], item.accuracy]
            row += [item.latency_ms, point.cost.latency_cycles, item.energy_uj]
            row += [len(point.design.workload.layers), point.design.workload.macs]
            taken = dict(point.cost.resources or ())
            writer.writerow([*row, *(taken[name] for name in resources), *(item.point[name] for name in decisions)])
    partial.replace(folder.front_csv)
