"""NAS-Bench-101 (Ying 2019): 423,624 cells of at most seven vertices and nine edges, in one fixed skeleton.

A vertex is a convolution or a pooling of the sum of what flows into it, normalised and rectified; what flows out of a
cell is joined channel by channel, those of its vertices that end there having equal parts of them. What the cell reads
enters a vertex, or the sum at its end, through a 1x1 convolution. The skeleton is a stem, three stages of ``cells``
equal cells with ``width``, twice and four times as many channels, a pooling of stride 2 between stages, and a
classifier. Published: 128 channels, 3 cells, 32 x 32 colour images of ten classes.

A point gives each inner vertex an operation and each vertex one that it reads, and up to five more edges; so that every
point is a cell and every cell has a point. As the benchmark does, what does not lie on a way from the first to the last
vertex is left out. Of more than nine edges the last ones of the five do not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, TypeAlias

from codesign.decisions import Decision
from codesign.spaces.network import Network
from codesign.spaces.network.distance import Mass, OperatorGraph, transport
from codesign.spaces.network.layers import LayerList
from mappings.workload import Workload

VERTICES, MOST_EDGES = 7, 9
#: In the order by which the published names number them.
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}
#: Cells that are not alike.
COUNT = 423_624
STAGES = 3
#: Edges of a point beside those by which each vertex reads one: five vertices may have nine edges.
MORE_EDGES = 5
#: Vertices that may read one of several.
_CHOOSING = range(2, VERTICES)
_PAIRS = tuple(combinations(range(VERTICES), 2))
_INPUT, _OUTPUT = -1, -2

Edge: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Cell:
    """A cell of which every part counts.

    Attributes:
        operations: of its inner vertices, 1 to ``last - 1``; equal cells number them equally.
        edges: (from, to), sorted.
    """

    operations: tuple[str, ...]
    edges: tuple[Edge, ...]

    @property
    def last(self) -> int:
        """Its last vertex; the first one is 0."""
        return len(self.operations) + 1

    @property
    def name(self) -> str:
        """The published one: a digest that does not depend on the order of vertices."""
        return _digest(str(sorted(_marks(self.operations, self.edges))))

    def into(self, vertex: int) -> list[int]:
        """Vertices that a vertex reads."""
        return [a for a, b in self.edges if b == vertex]

    def channels(self, out: int) -> dict[int, int]:
        """Of each inner vertex; those that end the cell share its ``out`` channels, the first ones having the rest."""
        ends = [vertex for vertex in self.into(self.last) if vertex]
        share, rest = divmod(out, max(1, len(ends)))
        found = {vertex: share + (place < rest) for place, vertex in enumerate(ends)}
        for vertex in range(self.last - 1, 0, -1):
            if vertex not in found:
                found[vertex] = max(found[b] for a, b in self.edges if a == vertex)
        return found


def cell_of(operations: Sequence[str], edges: Iterable[Edge]) -> Cell:
    """What counts of a cell, its vertices in the order that equal cells have.

    Args:
        operations: of the inner vertices, from 1 on.
        edges: (from, to), each to a later vertex, among the inner vertices, the first (0) and the last, with a way from
            the first to the last.
    """
    last, links = len(operations) + 1, set(edges)
    reached, reaching = {0}, {last}
    for vertex in range(1, last + 1):
        if any(a in reached and b == vertex for a, b in links):
            reached.add(vertex)
    for vertex in range(last - 1, -1, -1):
        if any(a == vertex and b in reaching for a, b in links):
            reaching.add(vertex)
    kept = [vertex for vertex in range(last + 1) if vertex in reached & reaching]
    place = {vertex: number for number, vertex in enumerate(kept)}
    own = tuple(operations[vertex - 1] for vertex in kept[1:-1])
    left = tuple(sorted((place[a], place[b]) for a, b in links if a in place and b in place))
    order = _order(_marks(own, left), left)
    place = {vertex: number for number, vertex in enumerate(order)}
    return Cell(tuple(own[v - 1] for v in order[1:-1]), tuple(sorted((place[a], place[b]) for a, b in left)))


def _order(marks: Sequence[str], edges: Sequence[Edge]) -> list[int]:
    """Vertices, each behind those that it reads; of several that may come next the one of the least mark."""
    waiting, order = set(range(len(marks))), list[int]()
    while waiting:
        ready = [v for v in waiting if not any(b == v and a in waiting for a, b in edges)]
        order.append(min(ready, key=lambda vertex: marks[vertex]))
        waiting.remove(order[-1])
    return order


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _marks(operations: Sequence[str], edges: Sequence[Edge]) -> list[str]:
    """Of each vertex a digest of how it lies in the cell, as the benchmark's names are made from."""
    count = len(operations) + 2
    labels = [_INPUT, *map(OPERATIONS.index, operations), _OUTPUT]
    reads = [[a for a, b in edges if b == vertex] for vertex in range(count)]
    feeds = [[b for a, b in edges if a == vertex] for vertex in range(count)]
    marks = [_digest(str((len(feeds[v]), len(reads[v]), labels[v]))) for v in range(count)]
    for _ in range(count):
        marks = [
            _digest(
                "|".join(
                    ("".join(sorted(marks[w] for w in reads[v])), "".join(sorted(marks[w] for w in feeds[v])), marks[v])
                )
            )
            for v in range(count)
        ]
    return marks


@dataclass(frozen=True)
class NasBench101:
    """The space for one data set.

    Attributes:
        channels, extent, classes: of the images.
        dataset: their name.
        width: channels of the first stage.
        cells: of a stage.
    """

    channels: int = 3
    extent: int = 32
    classes: int = 10
    dataset: str = "cifar10"
    width: int = 128
    cells: int = 3

    @property
    def benchmark(self) -> str:
        """The table that knows its networks; "" where the skeleton or the data are not the published ones."""
        return "nasbench101" if self == NasBench101() else ""

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """An operation a vertex, what it reads, and further edges."""
        inner, more = range(1, VERTICES - 1), ("none", *(f"{a}-{b}" for a, b in _PAIRS))
        return (
            *(Decision(f"op{vertex}", "network", OPERATIONS, ordered=False) for vertex in inner),
            *(Decision(f"reads{vertex}", "network", tuple(range(vertex)), ordered=False) for vertex in _CHOOSING),
            *(Decision(f"edge{place}", "network", more, ordered=False) for place in range(MORE_EDGES)),
        )

    @cached_property
    def hooks(self) -> Mapping[str, Any]:
        """A distance of cells, for kernels over them, and their graphs, for predictors."""
        return {"distance": self.distance, "graph": self.graph}

    @staticmethod
    def cell(point: Mapping[str, Any]) -> Cell:
        """Of a point."""
        operations = [str(point[f"op{vertex}"]) for vertex in range(1, VERTICES - 1)]
        edges = [(0, 1), *((int(point[f"reads{vertex}"]), vertex) for vertex in _CHOOSING)]
        named = [str(point[f"edge{place}"]) for place in range(MORE_EDGES)]
        more = [(int(name[0]), int(name[-1])) for name in named if name != "none"]
        while len((cell := cell_of(operations, [*edges, *more])).edges) > MOST_EDGES:
            more.pop()
        return cell

    def graph(self, point: Mapping[str, Any]) -> OperatorGraph:
        """The vertices of a cell with their edges."""
        cell = self.cell(point)
        return OperatorGraph(("input", *cell.operations, "output"), cell.edges)

    def distance(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
        """By optimal transport of the two cells' operations."""
        return transport(_masses(self.cell(one)), _masses(self.cell(other)))

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data; its key is the published name, where it is a published one."""
        cell = self.cell(point)
        return Network(cell.name if self.benchmark else "", self.workload(cell))

    def workload(self, cell: Cell) -> Workload:
        """Its layers."""
        net = LayerList(self.channels, self.extent)
        value = net.conv("stem", net.image, self.width, 3, relu=True)
        for stage in range(STAGES):
            if stage:
                value = net.max_pool(f"down{stage}", value, 2, 2)
            for place in range(self.cells):
                value = _placed(net, f"s{stage}c{place}", value, cell, self.width << stage)
        net.linear("classifier", net.pool("pool", value), self.classes)
        return net.workload("nasbench101")


def _placed(net: LayerList, name: str, source: str, cell: Cell, out: int) -> str:
    """One cell; the name of its result."""

    def entering(vertex: int, channels: int) -> str:
        return net.conv(f"{name}_in{vertex}", source, channels, 1, relu=True)

    channels, values = cell.channels(out), dict[int, str]()
    for vertex, operation in enumerate(cell.operations, 1):
        where, width = f"{name}_v{vertex}", channels[vertex]
        parts = [net.first(f"{where}_of{a}", values[a], width) for a in cell.into(vertex) if a]
        parts += [entering(vertex, width)] if 0 in cell.into(vertex) else []
        value = parts[0]
        for place, part in enumerate(parts[1:]):
            value = net.add(f"{where}_add{place}", value, part)
        kernel = KERNELS.get(operation)
        values[vertex] = (
            net.conv(where, value, width, kernel, relu=True) if kernel else net.max_pool(where, value, 3, 1)
        )
    ends = [vertex for vertex in cell.into(cell.last) if vertex]
    if not ends:
        return entering(cell.last, out)
    if 0 in cell.into(cell.last):
        # The sum of what is joined and one convolution, part by part: parts of unequal width lie apart in memory, and
        # only what lies alike can be added.
        for vertex in ends:
            short = net.conv(f"{name}_in{cell.last}_{vertex}", source, channels[vertex], 1, relu=True)
            values[vertex] = net.add(f"{name}_add{vertex}", values[vertex], short)
    return net.joined(f"{name}_join", [values[vertex] for vertex in ends]) if len(ends) > 1 else values[ends[0]]


def _masses(cell: Cell) -> list[Mass]:
    """The operations of a cell, each with its depth."""
    depth = {0: 0}
    for vertex in range(1, cell.last):
        depth[vertex] = 1 + max(depth[a] for a in cell.into(vertex))
    return [(operation, depth[vertex]) for vertex, operation in enumerate(cell.operations, 1)]
