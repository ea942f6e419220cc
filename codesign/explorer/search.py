"""The joint search: batches of designs, the cost gate first, then accuracy for those that fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial

from accel_models.design import Design
from accel_models.report import CostReport, Infeasible
from codesign.accuracy.pool import AccuracyPool
from codesign.costs import CostProvider
from codesign.decisions import Point
from codesign.explorer.study import REPORT_KEY, ask, finished, is_feasible
from codesign.progress import Advance
from codesign.recipe import Recipe
from codesign.space import SearchSpace
from mappings.errors import Fault, SpecError
from mappings.workload import Workload

#: Values of a design that breaks a bound: the worst there are. Constrained domination never looks at them.
WORST = (0.0, float("inf"), float("inf"))


@dataclass(frozen=True)
class Candidate:
    """A told trial that breaks no bound.

    Attributes:
        number: of the trial.
        point: its decisions.
        network: digest of its workload.
        accuracy: on held-out images after the search's training.
        latency_ms, energy_uj: of one image.
    """

    number: int
    point: Point
    network: str
    accuracy: float
    latency_ms: float
    energy_uj: float


@dataclass(frozen=True)
class SearchTally:
    """How a search went.

    Attributes:
        told: finished trials.
        infeasible: of those, refused by the cost gate.
        trained: networks that were trained.
        bounds: how often each bound was the broken one.
    """

    told: int
    infeasible: int
    trained: int
    bounds: dict[str, int]


def _report(trial: FrozenTrial) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(trial.user_attrs[REPORT_KEY])
    return found


def known_accuracies(study: optuna.Study) -> dict[str, float]:
    """Accuracy of every network that the search has measured, by digest."""
    return {_report(trial)["network"]: trial.values[0] for trial in finished(study) if is_feasible(trial)}


def candidates(study: optuna.Study) -> list[Candidate]:
    """Every told design that breaks no bound, by trial number."""
    return [
        Candidate(trial.number, dict(trial.params), _report(trial)["network"], *trial.values)
        for trial in finished(study)
        if is_feasible(trial)
    ]


def tally(study: optuna.Study) -> SearchTally:
    """Counts over the told trials."""
    told = finished(study)
    bounds: dict[str, int] = {}
    for trial in told:
        for resource in _report(trial).get("broken", ()):
            bounds[resource] = bounds.get(resource, 0) + 1
    infeasible = sum(not is_feasible(trial) for trial in told)
    return SearchTally(len(told), infeasible, len(known_accuracies(study)), bounds)


def _set_constraint(trial: Trial, excess: float) -> None:
    """How far over budget; a trial that was cut off between this and its telling has it already."""
    if not trial.constraints:
        trial.set_constraint("budget", excess)


def _tell_infeasible(study: optuna.Study, trial: Trial, network: str, broken: tuple[Infeasible, ...]) -> None:
    # The constraint is how far over its bounds a design is, in bounds: a search can follow it downhill.
    excess = sum(item.demand / item.bound - 1.0 for item in broken if item.bound > 0)
    report = {"network": network, "broken": [item.resource for item in broken], "why": [str(item) for item in broken]}
    trial.set_user_attr(REPORT_KEY, json.dumps(report))
    _set_constraint(trial, max(excess, 1e-6))
    study.tell(trial, WORST)


def _tell(study: optuna.Study, trial: Trial, network: str, accuracy: float, cost: CostReport) -> None:
    if cost.energy_pj is None:
        raise SpecError(Fault("recipe.device", "its technology has no energy figures", "one that states them"))
    trial.set_user_attr(REPORT_KEY, json.dumps({"network": network, "cycles": cost.latency_cycles}))
    _set_constraint(trial, 0.0)
    study.tell(trial, (accuracy, cost.latency_ms, cost.energy_pj / 1e6))


def search(
    study: optuna.Study,
    recipe: Recipe,
    space: SearchSpace,
    cost: CostProvider,
    pool: AccuracyPool,
    advance: Advance,
) -> None:
    """Ask, gate, train and tell until the study has the recipe's number of trials.

    A trial is told as soon as it is known. All of a batch are asked for before its first is told, and proposals
    depend on finished batches alone, so that neither order nor interruption changes what is proposed.
    """
    accuracies = known_accuracies(study)
    for first in range(0, recipe.trials, recipe.batch):
        asked = [
            ask(study, space.decisions, number) for number in range(first, min(first + recipe.batch, recipe.trials))
        ]
        waiting: dict[str, list[tuple[Trial, CostReport]]] = {}
        workloads: dict[str, Workload] = {}
        for item in asked:
            if item is None:
                advance()
                continue
            trial, point = item
            workload = space.network.workload(point)
            digest = workload.digest
            design = space.design(point, recipe.device)
            result = cost(design) if isinstance(design, Design) else design
            if not isinstance(result, CostReport):
                _tell_infeasible(study, trial, digest, result)
                advance()
            elif digest in accuracies:
                _tell(study, trial, digest, accuracies[digest], result)
                advance()
            else:
                waiting.setdefault(digest, []).append((trial, result))
                workloads[digest] = workload
        for workload, accuracy in pool.run("measure", list(workloads.values())):
            accuracies[workload.digest] = accuracy
            for trial, result in waiting[workload.digest]:
                _tell(study, trial, workload.digest, accuracy, result)
                advance()


def describe(tallied: SearchTally, accuracies: Mapping[str, float]) -> str:
    """One line on how a search went."""
    share = tallied.infeasible / tallied.told if tallied.told else 0.0
    most = max(tallied.bounds, key=lambda name: tallied.bounds[name], default="")
    budget = f"{tallied.infeasible:,} over budget ({share:.0%}, mostly {most}) and never trained" if most else "all fit"
    best = f", the best names {max(accuracies.values()):.1%} of the held-out images" if accuracies else ""
    return f"{tallied.told:,} designs: {budget}; {tallied.trained:,} networks trained{best}"
