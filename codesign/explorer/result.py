"""What a run found, as one value and as one file: everything that the report shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from accel_models.hardware.devices import device
from codesign.accuracy.task import task_of
from codesign.decisions import Point
from codesign.drivers.base import Trial
from codesign.explorer.finish import FrontPoint
from codesign.explorer.folder import RunFolder
from codesign.explorer.search import SearchTally, feasible, nearest_misses, tally
from codesign.explorer.synthesis import Synthesised
from codesign.explorer.verify import Verification
from codesign.objectives import METRICS
from codesign.recipe import Recipe
from mappings.durable import write_durably
from mappings.errors import Fault, SpecError
from mappings.files import read_json

MAX_RESULT_BYTES = 2**28
"""A million searched designs fit."""


#: Designs that are told where none is within its bounds.
NEAREST = 10


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        recipe: with all overrides.
        folder: of the run.
        networks, accelerators: sizes of the spaces.
        tally: how the search went.
        points: the front, from the best of the first objective.
        knee: name of the point nearest to the ideal.
        cloud: of every trial: whether it is feasible, and its objectives (None: not known).
        verifications: points that ran as hardware.
        syntheses: points that were synthesised.
        nearest: the trials that are nearest to their bounds, with their numbers, where none is within them.
        seconds, cpu_seconds: wall and processor time of this process and its workers.
        finished: False: the search as it stands, nothing deployed.
    """

    recipe: Recipe
    folder: str
    networks: float
    accelerators: float
    tally: SearchTally
    points: tuple[FrontPoint, ...]
    knee: str
    cloud: tuple[tuple[bool, tuple[float | None, ...]], ...]
    verifications: tuple[Verification, ...]
    seconds: float
    cpu_seconds: float = 0.0
    finished: bool = True
    syntheses: tuple[Synthesised, ...] = ()
    nearest: tuple[tuple[int, Trial], ...] = ()

    @property
    def score(self) -> str:
        """What the metric "accuracy" is: accuracy, mIoU, mAP."""
        return task_of(self.recipe.space.network).score_name

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        part = device(self.recipe.device)
        budget = {"DSP": part.dsp, "BRAM36": part.bram36, "LUT": part.lut, "FF": part.ff}
        names = dict.fromkeys((*self.recipe.objectives, *(name for name, _ in self.recipe.limits)))
        return {
            "recipe": self.recipe.to_dict(),
            "device": {"name": part.name, "title": part.title},
            "budget": {name: bound for name, bound in budget.items() if bound is not None},
            "metrics": {name: asdict(METRICS.get(name)) for name in names},
            "score": self.score,
            "folder": self.folder,
            "networks": _count(self.networks),
            "accelerators": _count(self.accelerators),
            "tally": asdict(self.tally),
            "knee": self.knee,
            "points": [_point(point) for point in self.points],
            "cloud": [[ok, list(values)] for ok, values in self.cloud],
            "verifications": [item.to_dict() for item in self.verifications],
            "syntheses": [item.to_dict() for item in self.syntheses],
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "finished": self.finished,
            "nearest": [_miss(number, trial) for number, trial in self.nearest],
        }


def searched(recipe: Recipe, folder: RunFolder, trials: Sequence[Trial]) -> RunResult:
    """What trials tell by themselves, without a front; where none is within its bounds, which are nearest to them."""
    return RunResult(
        recipe=recipe,
        folder=str(folder.path),
        networks=recipe.space.networks,
        accelerators=recipe.space.accelerators,
        tally=tally(recipe, trials),
        points=(),
        knee="",
        cloud=cloud_of(recipe, trials),
        verifications=(),
        seconds=0.0,
        nearest=() if feasible(trials) else tuple(nearest_misses(recipe.goal, trials, NEAREST)),
    )


def cloud_of(recipe: Recipe, trials: Sequence[Trial]) -> tuple[tuple[bool, tuple[float | None, ...]], ...]:
    """Every trial that is known in some objective."""
    out = []
    for trial in trials:
        outcome = trial.told.outcome
        values = tuple(outcome.metrics.get(name) for name in recipe.objectives)
        if any(value is not None for value in values):
            out.append((outcome.feasible, values))
    return tuple(out)


def _miss(number: int, trial: Trial) -> dict[str, Any]:
    outcome = trial.told.outcome
    return {
        "trial": number,
        "decisions": _plain(trial.told.point),
        "metrics": dict(outcome.metrics),
        "broken": [str(item) for item in outcome.broken],
    }


def _plain(point: Point) -> dict[str, Any]:
    """Decisions as files have them."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in point.items()}


def _count(value: float) -> int | None:
    """A number of points; None: infinitely many."""
    return None if value == float("inf") else int(value)


def _point(point: FrontPoint) -> dict[str, Any]:
    layers = {layer.name: layer for layer in point.workload.layers}
    template = None if point.design is None else point.design.accelerator.template
    return {
        "name": point.name,
        "trial": point.found.number,
        "decisions": _plain(point.found.point),
        "accuracy": dict(point.accuracy),
        "metrics": dict(point.metrics),
        "latency_ms": point.cost.latency_ms,
        "latency_cycles": point.cost.latency_cycles,
        "energy_uj": None if point.cost.energy_pj is None else point.cost.energy_pj / 1e6,
        "macs": point.workload.macs,
        "resources": dict(point.cost.resources or ()),
        "hardware": {} if template is None else template.to_dict(),
        "layers": [
            {
                "name": item.name,
                # A part of a layer (a phase, a copy) has its place behind the name.
                "op": str(layers[item.name if item.name in layers else item.name.rpartition("[")[0]].op),
                "macs": item.macs,
                "cycles": item.cycles,
                "compute_cycles": item.compute_cycles,
                "utilisation": item.utilisation,
                "bound_by": item.bound_by,
                # What the compute unit does or waits for from the layer before's last tile to this one's.
                "account_cycles": {} if item.account is None else item.account.groups,
                "energy_pj": dict(item.energy_pj or ()),
            }
            for item in point.cost.layers
        ],
    }


def write_result(result: RunResult, folder: RunFolder) -> None:
    """Write ``result.json``."""
    write_durably(folder.result_file, json.dumps(result.to_dict(), indent=1, allow_nan=False))


def read_result(folder: RunFolder) -> dict[str, Any]:
    """What :func:`write_result` wrote.

    Raises:
        SpecError: there is none, or it is malformed.
    """
    if not folder.result_file.exists():
        raise SpecError(Fault(str(folder.path), "holds no finished run", f"codesign explore --resume {folder.path}"))
    found = read_json(folder.result_file, MAX_RESULT_BYTES)
    if not isinstance(found, dict) or not isinstance(found.get("points"), list):
        raise SpecError(Fault(str(folder.result_file), "is not the result of a run", "what codesign explore writes"))
    if not found["points"]:
        raise SpecError(Fault(f"{folder.result_file}: points", "is empty", "one design or more"))
    return found
