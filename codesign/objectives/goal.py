"""The goal of a search: objectives in any set of metrics, hard limits, and one reward for those that climb one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accel_models.report import Infeasible
from codesign.objectives.metrics import METRICS, Metric
from codesign.objectives.rewards import Reward
from mappings.errors import Fault, SpecError


@dataclass(frozen=True)
class Limit:
    """A hard limit on one metric.

    Attributes:
        metric: its name.
        bound: at most this where the metric is to be lowered, at least this where it is to be raised.
    """

    metric: str
    bound: float

    def excess(self, value: float) -> float:
        """How far over, in bounds; 0 or less: met."""
        over = self.bound - value if METRICS.get(self.metric).maximize else value - self.bound
        return over / abs(self.bound) if self.bound else over


@dataclass(frozen=True)
class Outcome:
    """What is known of one point.

    Attributes:
        metrics: figures by name; an infeasible design keeps those that are known (what it would have cost).
        broken: bounds of the device, the hardware or the goal that it breaks; empty: feasible.
        measured_by: names of the providers that measured it, cheap to dear; those after a broken bound are missing.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    broken: tuple[Infeasible, ...] = ()
    measured_by: tuple[str, ...] = ()

    @property
    def feasible(self) -> bool:
        """Breaks no bound."""
        return not self.broken

    @property
    def violation(self) -> float:
        """How far over its bounds, in bounds, summed; 0: feasible. A search can follow it downhill."""
        if not self.broken:
            return 0.0
        over = sum(_excess(item) for item in self.broken)
        return max(over, 1e-6)


def _excess(item: Infeasible) -> float:
    if item.bound > 0:
        return abs(item.demand / item.bound - 1.0)
    return abs(item.demand - item.bound)


@dataclass(frozen=True)
class Goal:
    """What a search is for.

    Attributes:
        objectives: names of metrics, in order.
        limits: all must hold.
        reward: one number of a feasible design; None: controllers that climb one number sweep over preferences among
            the objectives instead.
        infeasible_reward: of a design that breaks a bound.
    """

    objectives: tuple[str, ...] = ("accuracy", "latency_ms", "energy_uj")
    limits: tuple[Limit, ...] = ()
    reward: Reward | None = None
    infeasible_reward: float = 0.0

    def __post_init__(self) -> None:
        faults: list[Fault] = []
        for place, name in enumerate(self.objectives):
            try:
                METRICS.get(name, f"objectives[{place}]")
            except SpecError as error:
                faults += error.faults
        for limit in self.limits:
            try:
                least, most = METRICS.get(limit.metric, "limits").span
            except SpecError as error:
                faults += error.faults
                continue
            if not math.isfinite(limit.bound) or not least <= limit.bound <= most:
                allowed = "a finite number" if least < 0 else f"{least:g} or more" if most > 1 else "0 to 1"
                faults.append(Fault(f"limits.{limit.metric}", f"is {limit.bound:g}", allowed))
        if not self.objectives or len(set(self.objectives)) != len(self.objectives):
            faults.append(Fault("objectives", f"are {list(self.objectives)}", "one or more distinct metrics"))
        if faults:
            raise SpecError(faults)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Of the objectives, in order."""
        return tuple(METRICS.get(name) for name in self.objectives)

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """Every metric that providers must give: of the objectives, the limits and the reward."""
        read = self.reward.metrics if self.reward is not None else ()
        return tuple(dict.fromkeys((*self.objectives, *(limit.metric for limit in self.limits), *read)))

    def costs(self, outcomes: Sequence[Outcome]) -> NDArray[np.float64]:
        """Objectives [n, objectives], all to be lowered, in the metrics' own units; infinite where infeasible."""
        rows = np.full((len(outcomes), len(self.objectives)), np.inf)
        for row, outcome in enumerate(outcomes):
            if outcome.feasible:
                for column, (name, metric) in enumerate(zip(self.objectives, self.metrics, strict=True)):
                    rows[row, column] = -outcome.metrics[name] if metric.maximize else outcome.metrics[name]
        return rows

    def violations(self, outcomes: Sequence[Outcome]) -> NDArray[np.float64]:
        """How far over the bounds [n]; 0 where feasible."""
        return np.array([outcome.violation for outcome in outcomes])

    def distance(self, outcome: Outcome) -> tuple[int, float]:
        """How far from feasible, to sort by: limits of which it has no figure, then how far over its bounds it is.

        What can not run has no cost: by its bounds alone it would be nearer than what runs, but not fast enough.
        """
        if outcome.feasible:
            return 0, 0.0
        return sum(limit.metric not in outcome.metrics for limit in self.limits), outcome.violation

    def broken(self, metrics: Mapping[str, float]) -> tuple[Infeasible, ...]:
        """Limits that the known figures break."""
        out = []
        for limit in self.limits:
            if limit.metric in metrics and limit.excess(metrics[limit.metric]) > 0:
                metric = METRICS.get(limit.metric)
                remedy = f"a limit {'of at most' if metric.maximize else 'of at least'} {metrics[limit.metric]:.4g}"
                out.append(Infeasible(limit.metric, metrics[limit.metric], limit.bound, metric.unit, remedy))
        return tuple(out)
