"""From shares to one network that is under its limit: the likeliest arms within a window of cost, checked and mended.

The table is exact for one changed cell and adds up for several; the exact model tells how far off the sum is, and the
window moves by that until what is derived fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEPS = 4000


@dataclass(frozen=True)
class CostTable:
    """What arms cost.

    Attributes:
        base: the cost with each cell's last arm.
        differences: for each cell, what each arm changes of it.
    """

    base: float
    differences: tuple[tuple[float, ...], ...]

    def of(self, places: Sequence[int]) -> float:
        """The sum for one arm a cell."""
        return self.base + sum(arms[place] for arms, place in zip(self.differences, places, strict=True))

    @property
    def least(self) -> float:
        """The cheapest sum."""
        return self.base + sum(min(arms) for arms in self.differences)

    @property
    def most(self) -> float:
        """The dearest sum."""
        return self.base + sum(max(arms) for arms in self.differences)


def likeliest(
    shares: Sequence[NDArray[np.float64]], table: CostTable, low: float, high: float
) -> tuple[int, ...] | None:
    """The arms of greatest joint share whose cost in the table is from ``low`` to ``high``; None: there are none.

    Costs are counted in steps of a few thousandths of the table's range, rounded up, so that ``high`` holds.
    """
    step = max((table.most - table.least) / _STEPS, 1e-12 * max(1.0, abs(table.base)))
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for share, arms in zip(shares, table.differences, strict=True):
        least = min(arms)
        logs = np.log(np.maximum(share, 1e-12))
        costs = [int(np.ceil((arm - least) / step - 1e-9)) for arm in arms]
        grown: dict[int, tuple[float, tuple[int, ...]]] = {}
        for used, (score, places) in best.items():
            for place, cost in enumerate(costs):
                found = (score + float(logs[place]), (*places, place))
                if used + cost not in grown or found[0] > grown[used + cost][0]:
                    grown[used + cost] = found
        best = grown
    allowed = [found for found in best.values() if low <= table.of(found[1]) <= high]
    return max(allowed, key=lambda item: item[0])[1] if allowed else None


def derived(
    shares: Sequence[NDArray[np.float64]],
    table: CostTable,
    exact: Callable[[tuple[int, ...]], float],
    limit: float,
    fill: float,
    tries: int = 24,
) -> tuple[tuple[int, ...], float]:
    """Arms whose exact cost is at most ``limit`` and, where arms allow it, at least ``fill`` of it.

    Args:
        exact: cost by the exact model.

    Returns:
        the arms and their exact cost; the cheapest arms where none that was tried is within the limit.
    """
    seen: dict[tuple[int, ...], float] = {}

    def asked(places: tuple[int, ...]) -> float:
        if places not in seen:
            seen[places] = exact(places)
        return seen[places]

    low, high = fill * limit, limit
    for _ in range(tries):
        places = likeliest(shares, table, low, high)
        if places is None:
            # Nothing between: whatever is under the upper bound, as near to it as there is.
            low -= 0.1 * limit
            if low < table.least - 0.2 * limit:
                break
            continue
        cost = asked(places)
        if fill * limit <= cost <= limit:
            return places, cost
        gap = cost - table.of(places)
        low, high = fill * limit - gap, min(limit - gap, high if cost <= limit else table.of(places) - 1e-9 * limit)
        low = min(low, high - 0.2 * (1 - fill) * limit)
    cheapest = tuple(int(np.argmin(arms)) for arms in table.differences)
    if not any(cost <= limit for cost in seen.values()):
        asked(cheapest)
    inside = [(places, cost) for places, cost in seen.items() if cost <= limit]
    if not inside:
        return min(seen.items(), key=lambda item: item[1])
    return _filled(max(inside, key=lambda item: item[1]), table, asked, limit, fill)


def _filled(
    start: tuple[tuple[int, ...], float],
    table: CostTable,
    asked: Callable[[tuple[int, ...]], float],
    limit: float,
    fill: float,
) -> tuple[tuple[int, ...], float]:
    """Changes of one cell after another, each the dearest that still fits, until the limit is filled."""
    places, cost = start
    for _ in range(4 * len(places)):
        if cost >= fill * limit:
            break
        moves = [
            (*places[:cell], arm, *places[cell + 1 :])
            for cell, arms in enumerate(table.differences)
            for arm in range(len(arms))
            if 0 < arms[arm] - arms[places[cell]] <= limit - cost
        ]
        found = [(move, asked(move)) for move in sorted(moves, key=table.of, reverse=True)[:8]]
        better = [item for item in found if cost < item[1] <= limit]
        if not better:
            break
        places, cost = max(better, key=lambda item: item[1])
    return places, cost
