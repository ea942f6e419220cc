"""Cells of a few blocks, stacked: one cell is searched, the network repeats it (Zoph 2018, NASNet; Zhong 2018).

A block takes two of the tensors before it in its cell (the inputs are those of the two cells before), applies an
operator to each, and adds the results; the cell's output is the sum of the blocks that no other reads. Between the
stages the image is halved and the channels doubled. Cells add where NASNet concatenates, so that every tensor of a
stage has one shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from codesign.decisions import Decision
from codesign.spaces.network import IMAGES, Network
from codesign.spaces.network.distance import Mass, OperatorGraph, transport
from codesign.spaces.network.layers import LayerList
from mappings.workload import Workload

#: Operators of a block's operand.
OPERATORS = ("identity", "conv1", "conv3", "conv5", "separable3", "separable5")


@dataclass(frozen=True)
class CellSpace:
    """The space for one image size.

    Attributes:
        blocks: of a cell.
        operators: choices of every operand.
        cells: in each stage.
        stages: between two, the image is halved.
        width: channels of the first stage.
        channels, extent, classes, dataset: as in the elastic space.
    """

    blocks: int = 4
    operators: tuple[str, ...] = OPERATORS
    cells: int = 1
    stages: int = 2
    width: int = 8
    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Block by block, so that a prefix of the decisions is a smaller cell."""
        out = []
        for block in range(1, self.blocks + 1):
            sources = ("in", "before", *(f"b{other}" for other in range(1, block)))
            for side in ("left", "right"):
                out.append(Decision(f"b{block}.{side}", "network", sources, ordered=False))
                out.append(Decision(f"b{block}.{side}_op", "network", self.operators, ordered=False))
        return tuple(out)

    @cached_property
    def hooks(self) -> Mapping[str, Any]:
        """A distance of cells, for kernels over them, and their graphs, for predictors."""
        return {"distance": self.distance, "graph": self.graph}

    def graph(self, point: Mapping[str, Any]) -> OperatorGraph:
        """The operators of a cell; one reads both operators of the block that it takes."""
        labels, links, ends = list[str](), list[tuple[int, int]](), dict[str, list[int]]()
        for block in range(1, self.blocks + 1):
            for side in ("left", "right"):
                source = str(point[f"b{block}.{side}"])
                links += [(other, len(labels)) for other in ends.get(source, [])]
                labels.append(f"{point[f'b{block}.{side}_op']}{'' if source in ends else ' of ' + source}")
            ends[f"b{block}"] = [len(labels) - 2, len(labels) - 1]
        return OperatorGraph(tuple(labels), tuple(links))

    def distance(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
        """By optimal transport of the operators of the two cells."""
        return transport(self._masses(one), self._masses(other))

    def _masses(self, point: Mapping[str, Any]) -> list[Mass]:
        depth = {"in": 0, "before": 0}
        out = []
        for block in range(1, self.blocks + 1):
            sources = [str(point[f"b{block}.{side}"]) for side in ("left", "right")]
            kinds = [str(point[f"b{block}.{side}_op"]) for side in ("left", "right")]
            out += [(kind, depth[source]) for kind, source in zip(kinds, sources, strict=True)]
            depth[f"b{block}"] = 1 + max(depth[source] for source in sources)
        return out

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "cells"."""
        net = LayerList(self.channels, self.extent)
        value = net.conv("stem", net.image, self.width, 3, relu=True)
        for stage in range(1, self.stages + 1):
            if stage > 1:
                value = net.conv(f"reduce{stage}", value, 2 * net.channels(value), 3, stride=2, relu=True)
            before = here = value
            for cell in range(1, self.cells + 1):
                before, here = here, self._cell(net, f"s{stage}c{cell}", point, here, before)
            value = here
        net.linear("fc", net.pool("pool", value), self.classes)
        return net.workload("cells")

    def _cell(self, net: LayerList, name: str, point: Mapping[str, Any], here: str, before: str) -> str:
        """One cell; the name of its result."""
        tensors, read = {"in": here, "before": before}, set[str]()
        for block in range(1, self.blocks + 1):
            ends = []
            for side in ("left", "right"):
                source = str(point[f"b{block}.{side}"])
                read.add(source)
                kind = str(point[f"b{block}.{side}_op"])
                ends.append(_operator(net, f"{name}b{block}{side}", tensors[source], kind))
            tensors[f"b{block}"] = net.add(f"{name}b{block}", *ends)
        loose = [f"b{block}" for block in range(1, self.blocks + 1) if f"b{block}" not in read]
        value = tensors[loose[0]]
        for place, end in enumerate(loose[1:], 1):
            value = net.add(f"{name}out{place}", value, tensors[end])
        return value


def _operator(net: LayerList, name: str, source: str, kind: str) -> str:
    """One operator on a tensor, and to one of its shape."""
    channels = net.channels(source)
    if kind == "identity":
        return source
    if kind.startswith("conv"):
        return net.conv(name, source, channels, int(kind[4:]), relu=True)
    value = net.conv(f"{name}_depthwise", source, channels, int(kind[9:]), groups=channels, relu=True)
    return net.conv(f"{name}_point", value, channels, 1, relu=True)
