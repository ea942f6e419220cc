"""A graph convolutional network over a network's operators (Wen 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from codesign.decisions import Point
from codesign.predictors.base import PredictorContext
from codesign.predictors.descent import Descent
from codesign.spaces.network.distance import OperatorGraph
from mappings.errors import Fault, SpecError

_HIDDEN, _LAYERS = 48, 3
#: Points that are drawn so that every operator of the space is known.
_DRAWN = 400


class GraphNetwork(Descent):
    """Each node is mixed with what it reads and with what reads it, layer by layer; the mean over nodes predicts.

    Args:
        context: with the hook "graph" (point to :class:`OperatorGraph`).

    Raises:
        SpecError: the space has no such hook.
    """

    def __init__(self, context: PredictorContext) -> None:
        super().__init__(context)
        if "graph" not in context.hooks:
            raise SpecError(
                Fault("predictor graph", "needs a space that gives graphs of networks", "nasbench201, cells")
            )
        self._graph = context.hooks["graph"]
        rng = np.random.default_rng(0)
        drawn = [self._graph(context.space.draw(rng)) for _ in range(_DRAWN)]
        names = sorted({label for graph in drawn for label in graph.labels})
        self._places = {name: place for place, name in enumerate(names)}

    def _inputs(self, points: Sequence[Point], more: Tensor) -> tuple[Tensor, ...]:
        """Operators [n, nodes, kinds], two-way adjacency [n, 2, nodes, nodes], nodes that are there [n, nodes]."""
        graphs: list[OperatorGraph] = [self._graph(point) for point in points]
        most = max((len(graph.labels) for graph in graphs), default=0)
        kinds = np.zeros((len(graphs), most, len(self._places)), np.float32)
        links = np.zeros((len(graphs), 2, most, most), np.float32)
        there = np.zeros((len(graphs), most), np.float32)
        for row, graph in enumerate(graphs):
            for node, label in enumerate(graph.labels):
                there[row, node] = 1.0
                links[row, :, node, node] = 1.0
                if label in self._places:
                    kinds[row, node, self._places[label]] = 1.0
            for a, b in graph.edges:
                links[row, 0, b, a] = links[row, 1, a, b] = 1.0
        links /= np.maximum(links.sum(axis=3, keepdims=True), 1.0)
        return torch.from_numpy(kinds), torch.from_numpy(links), torch.from_numpy(there), more

    def _made(self, more: int, targets: int) -> nn.Module:
        return _Convolutions(len(self._places), more, targets)


class _Convolutions(nn.Module):
    def __init__(self, kinds: int, more: int, targets: int) -> None:
        super().__init__()
        sizes = [kinds, *[_HIDDEN] * _LAYERS]
        pairs = list(pairwise(sizes))
        self.ahead = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.back = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.head = nn.Sequential(nn.Linear(_HIDDEN + more, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, targets))

    def forward(self, kinds: Tensor, links: Tensor, there: Tensor, more: Tensor) -> Tensor:
        value = kinds
        for ahead, back in zip(self.ahead, self.back, strict=True):
            value = 0.5 * (ahead(links[:, 0] @ value).relu() + back(links[:, 1] @ value).relu())
        mean = (value * there[:, :, None]).sum(dim=1) / there.sum(dim=1, keepdim=True).clamp(min=1.0)
        out: Tensor = self.head(torch.cat([mean, more], dim=1))
        return out
