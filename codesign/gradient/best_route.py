"""The likeliest route through a densely connected network, by dynamic programming (Viterbi 1967), within a cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codesign.gradient.routes import Graph, PartCosts

#: Costs that are told apart, between the least and the most of a block's partial routes.
_STEPS = 2000


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes:
        blocks: start and end included.
        operators: by layer of its blocks.
        score: logarithm of its chance.
        cost: the sum of its parts.
    """

    blocks: tuple[str, ...]
    operators: Mapping[str, str]
    score: float
    cost: float


@dataclass(frozen=True)
class _Label:
    score: float
    cost: float
    route: tuple[str, ...]
    picked: tuple[str, ...]


def likeliest_route(
    graph: Graph,
    edges: Mapping[str, NDArray[np.float64]],
    operators: Mapping[str, NDArray[np.float64]],
    costs: PartCosts | None = None,
    most: float = math.inf,
    least: float = -math.inf,
) -> Route | None:
    """The route and operators of the greatest joint chance whose parts cost from ``least`` to ``most``.

    Of partial routes to one block and of one cost the likeliest is kept; where there are very many, costs closer than
    1 / 2,000 of their range count as one.

    Args:
        edges, operators: shares, by source and by layer.
        costs: of parts; None: nothing costs anything.

    Returns:
        None: no route costs so.
    """

    def priced(kind: str, key: tuple[str, str]) -> float:
        if costs is None:
            return 0.0
        return (costs.edges if kind == "edge" else costs.operators)[key]

    kept: dict[str, list[_Label]] = {name: [] for name in (*graph.blocks, graph.end)}
    kept[graph.start] = [_Label(0.0, 0.0 if costs is None else costs.base, (graph.start,), ())]
    for name in (graph.start, *graph.blocks):
        labels = _best(kept[name])
        for layer in graph.layers.get(name, ()):
            grown = []
            for place, op in enumerate(graph.operators):
                gain, price = _log(operators[layer][place]), priced("operator", (layer, op))
                grown += [_Label(i.score + gain, i.cost + price, i.route, (*i.picked, op)) for i in labels]
            labels = _best(grown)
        for place, target in enumerate(graph.after[name]):
            gain, price = _log(edges[name][place]), priced("edge", (name, target))
            kept[target] += [_Label(i.score + gain, i.cost + price, (*i.route, target), i.picked) for i in labels]
    found = [label for label in kept[graph.end] if least <= label.cost <= most]
    if not found:
        return None
    best = max(found, key=lambda label: label.score)
    layers = [layer for block in best.route for layer in graph.layers.get(block, ())]
    return Route(best.route, dict(zip(layers, best.picked, strict=True)), best.score, best.cost)


def cheapest_route(graph: Graph, costs: PartCosts) -> Route:
    """The route of the least cost."""
    # A share that falls with the cost: the likeliest is the cheapest.
    unit = max(1.0, *(abs(cost) for cost in (*costs.edges.values(), *costs.operators.values())))

    def dear(prices: Sequence[float]) -> NDArray[np.float64]:
        return np.exp(-np.array(prices) / unit)

    edges = {name: dear([costs.edges[name, target] for target in targets]) for name, targets in graph.after.items()}
    layers = [layer for names in graph.layers.values() for layer in names]
    operators = {layer: dear([costs.operators[layer, op] for op in graph.operators]) for layer in layers}
    found = likeliest_route(graph, edges, operators)
    assert found is not None, "without a bound there is a route"
    return replace(found, cost=costs.of(found.blocks, found.operators))


def _log(share: float) -> float:
    return math.log(max(share, 1e-12))


def _best(labels: Sequence[_Label]) -> list[_Label]:
    """The likeliest of each cost."""
    costs = sorted({label.cost for label in labels})
    step = (costs[-1] - costs[0]) / _STEPS if len(costs) > _STEPS else 0.0
    out = dict[float, _Label]()
    for label in labels:
        place = (label.cost - costs[0]) // step if step else label.cost
        if place not in out or label.score > out[place].score:
            out[place] = label
    return list(out.values())
