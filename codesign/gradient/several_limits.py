"""The likeliest arms within several limits at once, checked and mended by the exact model.

Metrics may pull apart (power falls with what makes a network slow), so that no one of them can stand for the others.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from codesign.gradient.derive import CostTable

#: Most partial choices that one search for the likeliest arms looks at.
_MOST = 20_000
#: A correction below this share of its limit is none.
_LEAST_GAP = 1e-3
Places = tuple[int, ...]


def likeliest_within(
    shares: Sequence[NDArray[np.float64]],
    tables: Mapping[str, CostTable],
    limits: Mapping[str, float],
    gaps: Mapping[str, float],
    fill: float,
    without: Container[Places] = (),
) -> Places | None:
    """The arms of greatest joint share whose costs by the tables are within every limit; None: none was found.

    Best first over arms of one cell after another. What the cells that are left cost at least is known of each metric
    and of each sum of metrics in limits: the sums tell early where metrics pull apart.

    Args:
        gaps: what exact costs are above those of the tables, by metric.
        fill: the least share of some limit that is used.
        without: arms that are left out.
    """
    names = list(limits)
    sums = [rows for size in range(1, len(names) + 1) for rows in combinations(range(len(names)), size)]
    joint = np.array([[float(row in rows) for row in range(len(names))] for rows in sums])  # [sums, metrics]
    room = np.array([1.0 - (tables[name].base + gaps[name]) / limits[name] for name in names])
    costs = [
        np.array([tables[name].differences[cell] for name in names]).T / [limits[name] for name in names] @ joint.T
        for cell in range(len(shares))
    ]  # a cell: [arms, sums]
    logs = [np.log(np.maximum(share, 1e-12)) for share in shares]
    left = [joint @ room + 1e-12]  # what the first cells may cost, the last cells' least left out
    ahead = [0.0]
    for rows, log in zip(reversed(costs), reversed(logs), strict=True):
        left.append(left[-1] - rows.min(axis=0))
        ahead.append(ahead[-1] + float(log.max()))
    left.reverse()
    ahead.reverse()
    heap: list[tuple[float, Places, NDArray[np.float64]]] = [(-ahead[0], (), np.zeros(len(sums)))]
    for _ in range(_MOST):
        if not heap:
            break
        worth, places, used = heapq.heappop(heap)
        depth = len(places)
        if depth == len(shares):
            if places not in without and float((1.0 - room + used[: len(names)]).max()) >= fill - 1e-9:
                return places
            continue
        told = -worth - ahead[depth]
        for arm, cost in enumerate(used + costs[depth]):
            if (cost <= left[depth + 1]).all():
                heapq.heappush(heap, (-(told + float(logs[depth][arm]) + ahead[depth + 1]), (*places, arm), cost))
    return None


def within_all(
    shares: Sequence[NDArray[np.float64]],
    tables: Mapping[str, CostTable],
    exact: Callable[[Places], Mapping[str, float]],
    limits: Mapping[str, float],
    fill: float,
    tries: int = 24,
) -> Places:
    """Arms whose exact costs are within every limit and, where arms allow it, use ``fill`` of one.

    Args:
        exact: costs by the exact model, by metric.

    Returns:
        the arms; those that are least over where none was found within.
    """
    seen: dict[Places, Mapping[str, float]] = {}

    def over(places: Places) -> float:
        if places not in seen:
            seen[places] = exact(places)
        return sum(max(0.0, seen[places][name] / limit - 1.0) for name, limit in limits.items())

    for least in (fill, 0.0):
        gaps = dict.fromkeys(limits, 0.0)
        for _ in range(tries):
            places = likeliest_within(shares, tables, limits, gaps, least, seen)
            if places is None:
                if all(abs(gap) < _LEAST_GAP * limits[name] for name, gap in gaps.items()):
                    break
                gaps = {name: gap / 2.0 for name, gap in gaps.items()}
            elif over(places) == 0:
                return places
            else:
                gaps = {name: seen[places][name] - table.of(places) for name, table in tables.items() if name in limits}
    parts = [sum(np.array(tables[n].differences[cell]) / limits[n] for n in limits) for cell in range(len(shares))]
    over(tuple(int(np.argmin(part)) for part in parts))
    best = min(seen, key=over)
    while over(best) > 0:  # downhill by one cell at a time
        moves = [
            (*best[:cell], arm, *best[cell + 1 :]) for cell, share in enumerate(shares) for arm in range(len(share))
        ]
        found = min(moves, key=over)
        if over(found) >= over(best):
            break
        best = found
    return best
