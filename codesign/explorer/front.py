"""Pareto fronts and their knee."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def nondominated(costs: FloatArray) -> list[int]:
    """Rows [n, objectives] (all minimised) that no other dominates; of equal rows, the first."""
    kept: list[int] = []
    for row in range(len(costs)):
        no_worse = (costs <= costs[row]).all(axis=1)
        better = no_worse & (costs < costs[row]).any(axis=1)
        equal_before = (costs[:row] == costs[row]).all(axis=1)
        if not better.any() and not equal_before.any():
            kept.append(row)
    return kept


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


def as_costs(accuracy: FloatArray, latency_ms: FloatArray, energy_uj: FloatArray) -> FloatArray:
    """Objectives as columns to minimise: error, and the logarithms of latency and energy (ratios count, not sums)."""
    return np.stack([1.0 - accuracy, np.log(latency_ms), np.log(energy_uj)], axis=1)
