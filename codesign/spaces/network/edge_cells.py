"""Cells of which every edge carries one operator: what DARTS (Liu 2019) and those after it search.

A stage is one cell: its input and some nodes, each the sum of what the edges from all earlier tensors give; the cell
gives its last node. Each edge decides for itself, in each stage. Between stages a convolution halves the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from codesign.decisions import Decision
from codesign.spaces.network import IMAGES, Network
from codesign.spaces.network.layers import LayerList
from mappings.errors import Fault, SpecError
from mappings.workload import Workload

#: The operator without layers: the edge gives what it reads.
SAME = "same"
#: Operators; "k": a convolution of that kernel, "d": a depthwise one, then one of 1 x 1.
OPERATORS = (SAME, "k1", "k3", "k5", "d3", "d5")


@dataclass(frozen=True)
class EdgeSpace:
    """The space for one image size.

    Attributes:
        widths: channels of each stage.
        nodes: of a cell, beside its input.
        operators: of an edge, of :data:`OPERATORS`.
        stem_stride: of the first convolution.
        channels, extent, classes, dataset: as in the elastic space.
    """

    widths: tuple[int, ...] = (8, 16)
    nodes: int = 3
    operators: tuple[str, ...] = (SAME, "k1", "k3", "d3", "d5")
    stem_stride: int = 2
    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES

    def __post_init__(self) -> None:
        if not set(self.operators) - {SAME}:
            what = f"are {', '.join(self.operators)}: nothing that learns"
            raise SpecError(Fault("edge_cells.operators", what, ", ".join(OPERATORS)))

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Of a cell: (from, to), by the node where they end; 0 is the cell's input."""
        return tuple(sorted(combinations(range(self.nodes + 1), 2), key=lambda edge: (edge[1], edge[0])))

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """One an edge; the last choice has layers."""
        learning = [operator for operator in self.operators if operator != SAME]
        choices = (*(operator for operator in self.operators if operator == SAME), *learning)
        stages = range(1, len(self.widths) + 1)
        names = [f"s{stage}e{a}{b}" for stage in stages for a, b in self.edges]
        return tuple(Decision(name, "network", choices, ordered=False) for name in names)

    @property
    def cells(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each edge, with its decision."""
        return tuple((f"{decision.name}_", (decision.name,)) for decision in self.decisions)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "edge_cells"."""
        net = LayerList(self.channels, self.extent)
        value = net.conv("stem", net.image, self.widths[0], 3, stride=self.stem_stride, relu=True)
        for stage, width in enumerate(self.widths, 1):
            if stage > 1:
                value = net.conv(f"reduce{stage}", value, width, 3, stride=2, relu=True)
            values = {0: value}
            for a, b in self.edges:
                part = _edge(net, f"s{stage}e{a}{b}", values[a], str(point[f"s{stage}e{a}{b}"]))
                values[b] = part if b not in values else net.add(f"s{stage}n{b}_add{a}", values[b], part)
            value = values[self.nodes]
        net.linear("fc", net.pool("pool", value), self.classes)
        return net.workload("edge_cells")


def _edge(net: LayerList, name: str, source: str, operator: str) -> str:
    """One edge; the name of what it gives."""
    if operator == SAME:
        return source
    kernel, width = int(operator[1:]), net.channels(source)
    if operator[0] == "d":
        source = net.conv(f"{name}_deep", source, width, kernel, groups=width)
        kernel = 1
    return net.conv(f"{name}_conv", source, width, kernel, relu=True)
