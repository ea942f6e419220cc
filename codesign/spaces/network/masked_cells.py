"""Cells of which any part may be left out: edges, operations of an edge, channels of an operation (Yan 2019, HM-NAS).

A stage is one cell: its input and some nodes, each the sum of what all operations on all edges from earlier tensors
give; the cell gives the sum of its nodes. An operation is a convolution to some hidden channels and one back, or the
identity. Its decision says how many hidden channels are left: with none the operation is out, and with no operation the
edge; a node that nothing leads to is out with all that reads it, and a cell without nodes gives its input.
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

#: The operation without weights.
IDENTITY = "same"


@dataclass(frozen=True)
class Operation:
    """One operation on one edge.

    Attributes:
        name: of its decision; its layers' names begin with it.
        source, target: nodes; 0 is the cell's input.
        kernel: of the convolution; 0: the identity.
    """

    name: str
    source: int
    target: int
    kernel: int

    @property
    def edge(self) -> str:
        """Name of its edge."""
        return self.name.rpartition("_")[0]


@dataclass(frozen=True)
class MaskedSpace:
    """The space for one image size.

    Attributes:
        widths: channels of each stage; each but the first halves the image.
        nodes: of a cell, beside its input.
        kernels: of operations.
        hidden: channels that an operation may keep, ascending; the last is all of them.
        stem_stride: of the first convolution.
        channels, extent, classes, dataset: as in the elastic space.
    """

    widths: tuple[int, ...] = (8, 16)
    nodes: int = 2
    kernels: tuple[int, ...] = (3, 5)
    hidden: tuple[int, ...] = (2, 4, 6, 8)
    stem_stride: int = 2
    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES

    def __post_init__(self) -> None:
        faults = []
        if any(kernel % 2 == 0 for kernel in self.kernels):
            faults.append(Fault("masked_cells.kernels", f"are {list(self.kernels)}", "odd numbers"))
        if list(self.hidden) != sorted(set(self.hidden)):
            faults.append(Fault("masked_cells.hidden", f"are {list(self.hidden)}", "ascending numbers"))
        if faults:
            raise SpecError(faults)

    @cached_property
    def operations(self) -> tuple[tuple[Operation, ...], ...]:
        """Of each stage, those of one node after those of another."""
        out = []
        for stage in range(1, len(self.widths) + 1):
            edges = sorted(combinations(range(self.nodes + 1), 2), key=lambda edge: (edge[1], edge[0]))
            kinds = [*((f"k{kernel}", kernel) for kernel in self.kernels), (IDENTITY, 0)]
            out.append(tuple(Operation(f"s{stage}e{a}{b}_{kind}", a, b, k) for a, b in edges for kind, k in kinds))
        return tuple(out)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Channels that each operation keeps; of the identity, whether it is kept. The last choice keeps all."""
        return tuple(
            Decision(item.name, "network", (0, *self.hidden) if item.kernel else (0, 1))
            for stage in self.operations
            for item in stage
        )

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "masked_cells"."""
        net = LayerList(self.channels, self.extent)
        value = net.conv("stem", net.image, self.widths[0], 3, stride=self.stem_stride, relu=True)
        for stage, (width, operations) in enumerate(zip(self.widths, self.operations, strict=True), 1):
            if stage > 1:
                value = net.conv(f"reduce{stage}", value, width, 3, stride=2, relu=True)
            value = self._cell(net, f"s{stage}", value, operations, point)
        net.linear("fc", net.pool("pool", value), self.classes)
        return net.workload("masked_cells")

    def _cell(
        self, net: LayerList, name: str, here: str, operations: tuple[Operation, ...], point: Mapping[str, Any]
    ) -> str:
        values, width = {0: here}, net.channels(here)
        for item in operations:
            count = int(point[item.name])
            if not count or item.source not in values:
                continue
            value = values[item.source]
            if item.kernel:
                value = net.conv(f"{item.name}_mix", value, count, item.kernel, relu=True)
                value = net.conv(f"{item.name}_out", value, width, 1)
            known = values.get(item.target)
            values[item.target] = value if known is None else net.add(f"{item.name}_add", known, value)
        ends = [(node, values[node]) for node in sorted(values) if node]
        total = ends[0][1] if ends else here
        for node, value in ends[1:]:
            total = net.add(f"{name}_sum{node}", total, value)
        return total
