"""Weisfeiler-Lehman subtrees of networks as features of points (Shervashidze 2011, Ru 2021).

A network's graph has an operation at each node. In each round a node's label becomes its own with those of the nodes
that it reads; the features count how often each label stands in the graph, scaled to length 1. So networks that compute
the same have the same features, whichever decisions wrote them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from codesign.controllers.proposals import Key, key_of
from codesign.decisions import DecisionSpace, Point
from codesign.objectives.front import FloatArray
from codesign.spaces.network.distance import OperatorGraph

#: Rounds of refinement: a label of the last one tells of an operation and what it reads.
_ROUNDS = 1
#: Squared distance of two points whose networks have nothing in common.
_APART = 50.0


def subtrees(graph: OperatorGraph, rounds: int = _ROUNDS) -> Counter[str]:
    """How often each label stands in a graph, those of every round together."""
    labels, read = list(graph.labels), {source for source, _ in graph.edges}
    out = Counter(labels)
    for _ in range(rounds):
        sources: list[list[str]] = [[] for _ in labels]
        for source, reader in graph.edges:
            sources[reader].append(labels[source])
        labels = [
            f"{label}({','.join(sorted(sources[place])) or 'in'}){'' if place in read else 'out'}"
            for place, label in enumerate(labels)
        ]
        out.update(labels)
    return out


class Features:
    """Points as rows of numbers whose squared distances a kernel takes.

    The network decisions count by the subtrees of the graph that the hook gives, the others, or all without a hook, by
    the space's own features.

    Args:
        space: of the points.
        graph: the space's hook "graph": of a point, or None.
    """

    def __init__(self, space: DecisionSpace, graph: Callable[[Mapping[str, Any]], OperatorGraph] | None) -> None:
        self._graph, self._space = graph, space
        groups = {decision.group for decision in space.decisions}
        self._rest = space.of_groups(*(groups - {"network"})) if graph else space
        self._columns: dict[str, int] = {}
        self._counts: dict[Key, Counter[str]] = {}

    def rows(self, points: Sequence[Point], *, sizes: bool = False) -> FloatArray:
        """[points, features]; rows that were asked for together are alike, others may have fewer columns.

        Args:
            sizes: with the counts as they are beside, for what adds up over a network.
        """
        parts = []
        if self._graph is not None:
            counts = [self._counted(point) for point in points]
            found = np.zeros((len(points), len(self._columns)))
            for row, count in enumerate(counts):
                for label, number in count.items():
                    found[row, self._columns[label]] = number
            length = np.sqrt((found**2).sum(axis=1, keepdims=True))
            parts.append(found / np.maximum(length, 1.0) * np.sqrt(_APART / 2))
            parts += [found] if sizes else []
        if self._rest.decisions:
            own = [{name: point[name] for name in self._rest.names if name in point} for point in points]
            rest = self._rest.features(own)
            parts.append(rest * np.sqrt(_APART / len(self._rest.decisions) / 2))
        return np.hstack(parts)

    def _counted(self, point: Point) -> Counter[str]:
        assert self._graph is not None
        key = key_of(point)
        found = self._counts.get(key)
        if found is None:
            found = self._counts[key] = subtrees(self._graph(point))
            for label in found:
                self._columns.setdefault(label, len(self._columns))
        return found
