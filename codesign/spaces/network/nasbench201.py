"""NAS-Bench-201 (Dong 2020): 15,625 cells of four nodes, in one fixed skeleton.

A cell's edge from node ``a`` to node ``b`` carries one of five operations; a node is the sum of its edges. The skeleton
is a stem, three stages of ``cells`` equal cells with ``channels``, twice and four times as many channels, a residual
block of stride 2 between stages, and a classifier. Published: 16 channels, 5 cells.

What computes nothing is left out, as the benchmark's own unique form of a cell does: "none", whatever is reached by it
alone, and whatever does not reach the last node. A cell whose last node is reached by nothing gives zeros. Convolutions
are ReLU, convolution, normalisation; those that read one node share its ReLU.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from codesign.decisions import Decision
from codesign.spaces.network import Network
from codesign.spaces.network.distance import Mass, OperatorGraph, transport
from codesign.spaces.network.layers import LayerList
from mappings.workload import Workload

#: (from, to), in the order of the published architecture strings.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
STAGES = 3
#: Of each data set: rows and columns of an image, classes.
DATASETS = {"cifar10": (32, 10), "cifar100": (32, 100), "imagenet16": (16, 120)}
_COLOURS = 3
PUBLISHED_CHANNELS, PUBLISHED_CELLS = 16, 5
#: Operations by edge, those that compute something alone.
Cell = dict[tuple[int, int], str]

_ARCHITECTURE = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|")


def edge_name(edge: tuple[int, int]) -> str:
    """Name of an edge's decision."""
    return f"edge_{edge[0]}_{edge[1]}"


def architecture(operations: Sequence[str]) -> str:
    """The published name of a cell: its operations, in the order of :data:`EDGES`."""
    a, b, c, d, e, f = operations
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def operations_of(name: str) -> tuple[str, ...] | None:
    """The operations of a published name; None where it is none."""
    found = _ARCHITECTURE.fullmatch(name.strip())
    if found is None or not set(found.groups()) <= set(OPERATIONS):
        return None
    return found.groups()


def row_of(operations: Sequence[str]) -> int:
    """A cell's number, 0 to 15,624: its operations as digits, the first edge's the highest."""
    number = 0
    for operation in operations:
        number = number * len(OPERATIONS) + OPERATIONS.index(operation)
    return number


def live_edges(operations: Sequence[str]) -> Cell:
    """What is left of a cell without that which computes nothing; empty: it gives zeros."""
    cell = {edge: operation for edge, operation in zip(EDGES, operations, strict=True) if operation != "none"}
    reached, reaching = {0}, {3}
    for node in (1, 2, 3):
        if any(a in reached and b == node for a, b in cell):
            reached.add(node)
    for node in (2, 1, 0):
        if any(a == node and b in reaching for a, b in cell):
            reaching.add(node)
    return {(a, b): operation for (a, b), operation in cell.items() if a in reached and b in reaching}


def _masses(operations: Sequence[str]) -> list[Mass]:
    """The live operations of a cell, each with the depth of the node that it reads."""
    cell, depth = live_edges(operations), {0: 0}
    for node in (1, 2, 3):
        into = [depth[a] for a, b in cell if b == node and a in depth]
        if into:
            depth[node] = 1 + max(into)
    return [(operation, depth[a]) for (a, _), operation in cell.items()]


@dataclass(frozen=True)
class NasBench201:
    """The space for one data set.

    Attributes:
        dataset: one of :data:`DATASETS`, or images of one's own, whose channels, extent and classes it takes.
        channels: of the first stage.
        cells: of a stage.
    """

    dataset: str = "cifar10"
    channels: int = PUBLISHED_CHANNELS
    cells: int = PUBLISHED_CELLS

    @property
    def benchmark(self) -> str:
        """The table that knows its networks; "" where the skeleton is not the published one."""
        published = (self.channels, self.cells) == (PUBLISHED_CHANNELS, PUBLISHED_CELLS)
        return "nasbench201" if published and self.dataset in DATASETS else ""

    @cached_property
    def _images(self) -> tuple[int, int, int]:
        """Channels, rows and classes."""
        if self.dataset in DATASETS:
            return _COLOURS, *DATASETS[self.dataset]
        # Imported where it is used: reading a recipe of the published data must not load any.
        from codesign.accuracy.data import load_dataset

        data = load_dataset(self.dataset, "nasbench201.dataset")
        return data.channels, data.extent, data.classes

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """One an edge."""
        return tuple(Decision(edge_name(edge), "network", OPERATIONS, ordered=False) for edge in EDGES)

    @cached_property
    def hooks(self) -> Mapping[str, Any]:
        """A distance of cells, for kernels over them, and their graphs, for predictors."""
        return {"distance": self.distance, "graph": self.graph}

    def graph(self, point: Mapping[str, Any]) -> OperatorGraph:
        """What computes something in a cell; an operation reads those that end at the node where it begins."""
        cell = live_edges(self.operations(point))
        edges = list(cell)
        links = [(i, j) for i, one in enumerate(edges) for j, other in enumerate(edges) if one[1] == other[0]]
        return OperatorGraph(tuple(cell.values()) or ("zero",), tuple(links))

    def distance(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
        """By optimal transport of what computes something in the two cells."""
        return transport(_masses(self.operations(one)), _masses(self.operations(other)))

    @staticmethod
    def operations(point: Mapping[str, Any]) -> tuple[str, ...]:
        """Of a point, in the order of :data:`EDGES`."""
        return tuple(str(point[edge_name(edge)]) for edge in EDGES)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data; its key is the published name, whatever its images are."""
        operations = self.operations(point)
        return Network(architecture(operations), self.workload(operations), row_of(operations))

    def module(self, point: Mapping[str, Any]) -> Any:
        """The network at a point as an untrained ``torch.nn.Module``."""
        # Imported where it is used: it loads torch, reading a recipe must not.
        from codesign.zoo.nasbench201 import NasBench201Net

        return NasBench201Net(live_edges(self.operations(point)), self.channels, self.cells, self._images[2])

    def workload(self, operations: Sequence[str]) -> Workload:
        """Its layers; those that tracing :meth:`module` gives.

        Raises:
            SpecError: an unknown data set.
        """
        channels, extent, classes = self._images
        cell = live_edges(operations)
        net = LayerList(channels, extent)
        value = net.conv("stem", net.image, self.channels, 3)
        for stage in range(STAGES):
            if stage:
                value = _residual(net, f"reduce{stage}", value, self.channels << stage)
            for place in range(self.cells):
                value = _cell(net, f"s{stage}c{place}", value, cell)
        value = net.scale("norm", value, relu=True)
        value = net.pool("pool", value)
        net.linear("classifier", value, classes)
        return net.workload("nasbench201")


def _cell(net: LayerList, name: str, source: str, cell: Cell) -> str:
    """One cell; the name of its result."""
    if not cell:
        return net.scale(f"{name}_zero", source)
    nodes, rectified = {0: source}, dict[int, str]()
    for node in (1, 2, 3):
        total = ""
        for (a, b), operation in cell.items():
            if b != node:
                continue
            where = f"{name}_{a}_{b}"
            if operation in KERNELS:
                if a not in rectified:
                    rectified[a] = net.relu(f"{name}_relu{a}", nodes[a])
                value = net.conv(f"{where}_conv", rectified[a], net.channels(source), KERNELS[operation])
            elif operation == "avg_pool_3x3":
                value = net.pool_same(f"{where}_pool", nodes[a])
            else:
                value = nodes[a]
            total = net.add(f"{where}_add", total, value) if total else value
        if total:
            nodes[node] = total
    return nodes[3]


def _residual(net: LayerList, name: str, source: str, channels: int) -> str:
    """The block between stages: half the rows and columns, twice the channels."""
    short = net.pool(f"{name}_short_pool", source, 2)
    short = net.conv(f"{name}_short", short, channels, 1)
    value = net.relu(f"{name}_relu", source)
    value = net.conv(f"{name}_a", value, channels, 3, stride=2, relu=True)
    value = net.conv(f"{name}_b", value, channels, 3)
    return net.add(f"{name}_add", short, value)
