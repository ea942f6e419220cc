"""Pareto fronts and their knee."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.objectives.goal import Goal, Outcome

FloatArray = NDArray[np.float64]


def nondominated(costs: FloatArray) -> list[int]:
    """Rows [n, objectives] (all minimised) that no other dominates, ascending; of equal rows, the first."""
    if not len(costs):
        return []
    order = np.lexsort(costs.T[::-1])  # what dominates a row stands before it
    front = np.empty_like(costs)
    kept: list[int] = []
    for row in order:
        if not kept or not (front[: len(kept)] <= costs[row]).all(axis=1).any():
            front[len(kept)] = costs[row]
            kept.append(int(row))
    return sorted(kept)


def crowding(costs: FloatArray) -> FloatArray:
    """Crowding distance of each row of a front (Deb 2002); the ends of each objective are infinitely far."""
    distance = np.zeros(len(costs))
    for column in costs.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if span > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distance


def thinned(costs: FloatArray, count: int) -> list[int]:
    """At most ``count`` rows of a front, the least crowded, in their order; one at a time, so that gaps stay even."""
    rows = list(range(len(costs)))
    while len(rows) > count:
        distance = crowding(costs[rows])
        rows.pop(int(np.argmin(distance)) if np.isfinite(distance).any() else len(rows) - 1)
    return rows


def knee(costs: FloatArray) -> int:
    """The row nearest to the ideal point, each objective scaled to 0..1 over the front."""
    span = costs.max(axis=0) - costs.min(axis=0)
    scaled = (costs - costs.min(axis=0)) / np.where(span > 0, span, 1.0)
    return int(np.argmin(np.sqrt((scaled**2).sum(axis=1))))


def scaled_costs(goal: Goal, outcomes: Sequence[Outcome]) -> FloatArray:
    """Objectives [n, objectives] to minimise, as distances count: ratios by their logarithm; infinite: infeasible."""
    costs = goal.costs(outcomes)
    for column, metric in enumerate(goal.metrics):
        if metric.ratio:
            values = costs[:, column]
            costs[:, column] = np.log(np.maximum(np.abs(values), 1e-300)) * (-1.0 if metric.maximize else 1.0)
    costs[~np.array([outcome.feasible for outcome in outcomes], dtype=bool)] = np.inf
    return costs


def ranked(goal: Goal, outcomes: Sequence[Outcome]) -> list[int]:
    """Indices from best to worst: feasible ones front by front, the least crowded ahead; then by violation."""
    feasible = [place for place, outcome in enumerate(outcomes) if outcome.feasible]
    rest = sorted(set(range(len(outcomes))) - set(feasible), key=lambda place: (goal.distance(outcomes[place]), place))
    costs, out = scaled_costs(goal, outcomes), list[int]()
    if costs.shape[1] == 1:  # every front is one point
        return sorted(feasible, key=lambda place: (costs[place, 0], place)) + rest
    while feasible:
        front = [feasible[row] for row in nondominated(costs[feasible])]
        spread = crowding(costs[front])
        out += [front[place] for place in np.argsort(-spread, kind="stable")]
        taken = set(front)
        feasible = [place for place in feasible if place not in taken]
    return out + rest


def incumbent(goal: Goal, outcomes: Sequence[Outcome]) -> int:
    """The one to go on with: best by the reward, else the knee; the nearest to feasible where none is feasible."""
    feasible = [place for place, outcome in enumerate(outcomes) if outcome.feasible]
    if not feasible:
        return min(range(len(outcomes)), key=lambda place: (goal.distance(outcomes[place]), place))
    if goal.reward is not None:
        reward = goal.reward
        return max(feasible, key=lambda place: (reward(outcomes[place].metrics), -place))
    costs = scaled_costs(goal, [outcomes[place] for place in feasible])
    front = nondominated(costs)
    return feasible[front[knee(costs[front])]]
