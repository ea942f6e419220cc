"""A densely connected network as one differentiable network, and what its routes cost (Fang 2020, DenseNAS).

A block sends a route on to each of its successors with a chance of its own: a Markov chain whose paths are the
networks. A block's input is what its predecessors give, each in the block's shape, weighed by the chance that a route
which passes the block comes from there. The expected cost is chained from the end: a block costs its own layers and,
by chance, the way to each successor and what that one costs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.gradient.network import ArmLayers
from codesign.quantization.qat import entering
from mappings.layer import Layer
from mappings.workload import Workload

#: An edge: source and target.
Edge = tuple[str, str]
#: An operator of a layer.
Choice = tuple[str, str]


class Routed(Protocol):
    """A space of routes; see :class:`codesign.spaces.network.dense_routes.DenseSpace`."""

    def route_at(self, point: Mapping[str, Any]) -> tuple[str, ...]:
        """The blocks that the route of a point passes."""
        ...

    def point_at(self, route: Sequence[str], operators: Mapping[str, str]) -> dict[str, str]:
        """The point of a route, start and end passed over, and its operators by layer."""
        ...

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """The layers of a network."""
        ...

    @property
    def blocks(self) -> Mapping[str, tuple[int, int]]:
        """In an order in which every route passes them."""
        ...

    @property
    def operators(self) -> tuple[str, ...]:
        """Of a layer."""
        ...

    def successors(self, name: str) -> tuple[str, ...]:
        """Of a block, or of the start."""
        ...

    def layers_of(self, block: str) -> tuple[str, ...]:
        """Names."""
        ...

    def stem_layers(self) -> tuple[Layer, ...]:
        """What every route begins with."""
        ...

    def edge_layers(self, source: str, target: str) -> tuple[Layer, ...]:
        """Between two blocks, or from one to the classes."""
        ...

    def operator_layers(self, layer: str, operator: str) -> tuple[Layer, ...]:
        """Of one layer of a block."""
        ...


@dataclass(frozen=True)
class Graph:
    """Blocks and ways between them.

    Attributes:
        start, end: what every route begins and ends with.
        blocks: in an order in which every route passes them.
        after: successors of the start and of each block.
        layers: names of the layers of each block.
        operators: of a layer.
    """

    start: str
    end: str
    blocks: tuple[str, ...]
    after: Mapping[str, tuple[str, ...]]
    layers: Mapping[str, tuple[str, ...]]
    operators: tuple[str, ...]

    @classmethod
    def of(cls, space: Routed, start: str, end: str) -> Graph:
        """Of a space."""
        blocks = tuple(space.blocks)
        after = {name: space.successors(name) for name in (start, *blocks)}
        return cls(start, end, blocks, after, {name: space.layers_of(name) for name in blocks}, space.operators)

    @property
    def edges(self) -> list[Edge]:
        """All of them."""
        return [(source, target) for source, targets in self.after.items() for target in targets]

    @property
    def choices(self) -> list[Choice]:
        """All operators of all layers."""
        return [(layer, op) for names in self.layers.values() for layer in names for op in self.operators]


@dataclass(frozen=True)
class Shares:
    """Chances.

    Attributes:
        edges: by source, of each successor; they sum to 1.
        operators: by layer, of each operator; they sum to 1.
    """

    edges: Mapping[str, Tensor]
    operators: Mapping[str, Tensor]


@dataclass(frozen=True)
class PartCosts:
    """What the parts of a route cost: they add up.

    Attributes:
        base: of every route.
        edges, operators: of each.
    """

    base: float
    edges: Mapping[Edge, float]
    operators: Mapping[Choice, float]

    def of(self, route: Sequence[str], operators: Mapping[str, str]) -> float:
        """Of one route, start and end included, and its operators."""
        total = self.base + sum(self.edges[edge] for edge in itertools.pairwise(route))
        return total + sum(self.operators[item] for item in operators.items())


def reach(graph: Graph, shares: Shares) -> dict[str, Tensor]:
    """The chance that a route passes the start, each block, and the end."""
    out = {name: torch.zeros(()) for name in (*graph.blocks, graph.end)}
    out[graph.start] = torch.ones(())
    for name in (graph.start, *graph.blocks):
        for share, target in zip(shares.edges[name], graph.after[name], strict=True):
            out[target] = out[target] + out[name] * share
    return out


def chained(graph: Graph, shares: Shares, costs: PartCosts) -> Tensor:
    """The expected cost of a route, differentiable in the shares."""
    ahead: dict[str, Tensor] = {graph.end: torch.zeros(())}
    for name in (*reversed(graph.blocks), graph.start):
        total = torch.zeros(())
        for layer in graph.layers.get(name, ()):
            own = torch.tensor([costs.operators[layer, op] for op in graph.operators])
            total = total + (shares.operators[layer] * own).sum()
        for share, target in zip(shares.edges[name], graph.after[name], strict=True):
            total = total + share * (costs.edges[name, target] + ahead[target])
        ahead[name] = total
    return costs.base + ahead[graph.start]


class RouteNetwork(nn.Module):
    """Every block, way and operator, mixed by their shares.

    Args:
        space: of the routes.
        graph: of the space.
        workload: any of its networks, for the image.
    """

    def __init__(self, space: Routed, graph: Graph, workload: Workload) -> None:
        super().__init__()
        self.graph, self._workload = graph, workload
        self.stem = ArmLayers(space.stem_layers(), ())
        self.ways = nn.ModuleDict({f"{a}>{b}": ArmLayers(space.edge_layers(a, b), ()) for a, b in graph.edges})
        self.arms = nn.ModuleDict(
            {f"{layer}>{op}": ArmLayers(space.operator_layers(layer, op), ()) for layer, op in graph.choices}
        )
        self.edge_logits = nn.ParameterDict(
            {name: nn.Parameter(1e-3 * torch.randn(len(targets))) for name, targets in graph.after.items()}
        )
        self.operator_logits = nn.ParameterDict(
            {
                layer: nn.Parameter(1e-3 * torch.randn(len(graph.operators)))
                for names in graph.layers.values()
                for layer in names
            }
        )

    def choosing(self) -> list[nn.Parameter]:
        """Logits."""
        return [*self.edge_logits.values(), *self.operator_logits.values()]

    def weights(self) -> list[nn.Parameter]:
        """All other parameters."""
        chosen = {id(logits) for logits in self.choosing()}
        return [parameter for parameter in self.parameters() if id(parameter) not in chosen]

    def shares(self) -> Shares:
        """As they are."""
        return Shares(
            {name: functional.softmax(logits, dim=0) for name, logits in self.edge_logits.items()},
            {name: functional.softmax(logits, dim=0) for name, logits in self.operator_logits.items()},
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, C, H, W] to logits [N, classes] or a map: each last block's by the chance of an end there."""
        graph, shares = self.graph, self.shares()
        chance = reach(graph, shares)
        values = {graph.start: self.stem(entering(images, self._workload))}
        for name in (*graph.blocks, graph.end):
            total = torch.zeros(())
            for source in values:
                if name not in graph.after[source]:
                    continue
                share = shares.edges[source][graph.after[source].index(name)]
                # A block that no route passes any more is nothing, not a quotient of zeros.
                from_there = chance[source] * share / chance[name].clamp_min(1e-20)
                total = total + from_there * self.ways[f"{source}>{name}"](values[source])
            for layer in graph.layers.get(name, ()):
                arms = [self.arms[f"{layer}>{op}"](total) for op in graph.operators]
                total = torch.stack([w * arm for w, arm in zip(shares.operators[layer], arms, strict=True)]).sum(dim=0)
            values[name] = total
        logits: Tensor = values[graph.end]
        return logits
