"""One number to climb where a goal has several objectives: its reward, or a preference that changes from draw to draw.

A controller that climbs one number finds one point of a front. Where the goal states no reward, each of its steps
draws a preference (weights over the objectives) and climbs that, so that its steps together cover the front (Knowles
2006, ParEGO: augmented Tchebycheff over objectives scaled to what has been seen).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.controllers.controller import Told
from codesign.objectives import Goal
from codesign.objectives.front import FloatArray, crowding, nondominated, scaled_costs

#: Share of the plain weighted sum beside the worst weighted distance (Knowles 2006).
_AUGMENTATION = 0.05


class Archive:
    """Everything that was told, as columns.

    Args:
        goal: of the search.
    """

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self.told: list[Told] = []
        self._costs: list[FloatArray] = []
        self._violations: list[FloatArray] = []

    def __len__(self) -> int:
        return len(self.told)

    def extend(self, told: Sequence[Told]) -> None:
        """Add what was told."""
        if not told:
            return
        outcomes = [item.outcome for item in told]
        self._costs.append(scaled_costs(self.goal, outcomes))
        self._violations.append(self.goal.violations(outcomes))
        self.told += told

    @property
    def costs(self) -> FloatArray:
        """Objectives [n, objectives] to be lowered, ratios as logarithms; infinite where infeasible."""
        if len(self._costs) > 1:
            self._costs = [np.concatenate(self._costs)]
        return self._costs[0] if self._costs else np.zeros((0, len(self.goal.objectives)))

    @property
    def violations(self) -> FloatArray:
        """How far over the bounds [n]."""
        if len(self._violations) > 1:
            self._violations = [np.concatenate(self._violations)]
        return self._violations[0] if self._violations else np.zeros(0)

    def front(self) -> NDArray[np.int64]:
        """Rows that no other dominates, by constrained domination, in the order in which they were told."""
        costs, over = self.costs, self.violations
        if not len(costs):
            return np.zeros(0, np.int64)
        if (over > 0).all():
            return np.flatnonzero(over == over.min())
        fine = np.flatnonzero(over <= 0)
        return fine[nondominated(costs[fine])]

    def scaled(self) -> FloatArray:
        """Objectives scaled to 0..1 over what is feasible so far; infinite where infeasible."""
        costs = self.costs
        fine = np.isfinite(costs).all(axis=1)
        if not fine.any():
            return costs
        low, high = costs[fine].min(axis=0), costs[fine].max(axis=0)
        scaled: FloatArray = (costs - low) / np.where(high > low, high - low, 1.0)
        return scaled

    def scores(self, weights: FloatArray | None, rows: NDArray[np.int64] | None = None) -> FloatArray:
        """One number a trial [..., n] to be raised: the goal's reward, or by a preference; feasible ones are above -2.

        Args:
            weights: of the objectives [..., objectives], summing to 1; None with a goal that has a reward.
            rows: of which trials; None: all.
        """
        chosen = np.arange(len(self)) if rows is None else rows
        over = self.violations[chosen]
        worst = -3.0 - np.minimum(over, 1e6) / (1.0 + np.minimum(over, 1e6))
        if self.goal.reward is not None:
            reward = self.goal.reward
            values = np.array(
                [
                    reward(self.told[row].outcome.metrics) if not gap else np.nan
                    for row, gap in zip(chosen, over, strict=True)
                ]
            )
            if np.isfinite(values).any():
                low, high = np.nanmin(values), np.nanmax(values)
                values = (values - high) / (high - low) if high > low else values - high
            return np.where(over > 0, worst, values)
        assert weights is not None
        scaled = self.scaled()[chosen]
        with np.errstate(invalid="ignore"):
            weighted = scaled * weights[..., None, :]
            distance = weighted.max(axis=-1) + _AUGMENTATION * weighted.sum(axis=-1)
        return np.where(over > 0, worst, -distance)

    def draw_weights(self, rng: np.random.Generator) -> FloatArray | None:
        """A preference, evenly over the simplex; None where the goal has a reward or one objective's order is all."""
        if self.goal.reward is not None:
            return None
        return rng.dirichlet(np.ones(len(self.goal.objectives)))


def ranks(costs: FloatArray, violations: FloatArray) -> NDArray[np.int64]:
    """Fronts [n] under constrained domination (Deb 2002): 0 the best; the infeasible after all, by their violation."""
    count = len(costs)
    out = np.zeros(count, np.int64)
    fine = np.flatnonzero(violations <= 0)
    left, level = fine, 0
    while len(left):
        block = costs[left]
        no_worse = (block[:, None, :] <= block[None, :, :]).all(axis=2)
        better = (block[:, None, :] < block[None, :, :]).any(axis=2)
        dominated = (no_worse & better).any(axis=0)
        out[left[~dominated]] = level
        left, level = left[dominated], level + 1
    bad = np.flatnonzero(violations > 0)
    out[bad] = level + np.unique(violations[bad], return_inverse=True)[1].reshape(-1)
    return out


def crowding_by_front(costs: FloatArray, front: NDArray[np.int64]) -> FloatArray:
    """Crowding distance [n] of each row within its front; 0 where infeasible."""
    distance = np.zeros(len(costs))
    for level in np.unique(front):
        rows = np.flatnonzero(front == level)
        if np.isfinite(costs[rows]).all():
            distance[rows] = crowding(costs[rows])
    return distance


def survivors(costs: FloatArray, violations: FloatArray, count: int) -> NDArray[np.int64]:
    """The ``count`` best rows by front, then by crowding; ties keep their order."""
    front = ranks(costs, violations)
    order = np.lexsort((-crowding_by_front(costs, front), front))
    return np.asarray(order[:count], np.int64)
