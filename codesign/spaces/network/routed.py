"""What spaces of routes share: a network is a stem, blocks that a route passes, and an end; each block has layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from codesign.spaces.network import Network
from codesign.spaces.network.building import Builder
from mappings.layer import Layer
from mappings.workload import TensorShape, Workload

#: A layer that is left out.
SKIP = "skip"
START, END = "stem", "end"


class RouteSpace(ABC):
    """The layers of a network, whole and part by part, from what builds each part.

    Attributes:
        label: name of every workload.
        mark: what stands between the name of a block and the number of a layer in it.
        channels, extent: of an image.
    """

    label: ClassVar[str]
    mark: ClassVar[str]
    channels: int
    extent: int

    @abstractmethod
    def layers_of(self, block: str) -> tuple[str, ...]:
        """Names of the layers of a block, which are the names of their decisions."""

    @abstractmethod
    def route_at(self, point: Mapping[str, Any]) -> tuple[str, ...]:
        """The blocks that the route of a point passes."""

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers."""
        build, before = self._stem(), START
        for block in self.route_at(point):
            self._enter(build, before, block)
            for layer in self.layers_of(block):
                self._layer(build, layer, str(point[layer]))
            before = block
        self._leave(build, before)
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent)
        return Workload(self.label, (image,), tuple(build.layers))

    def stem_layers(self) -> tuple[Layer, ...]:
        """What every route begins with."""
        return tuple(self._stem().layers)

    def edge_layers(self, source: str, target: str) -> tuple[Layer, ...]:
        """What gives the tensor of one block the shape of another, or the scores."""
        build = self._at(source)
        if target == END:
            self._leave(build, source)
        else:
            self._enter(build, source, target)
        return tuple(build.layers)

    def operator_layers(self, layer: str, operator: str) -> tuple[Layer, ...]:
        """Of one layer of a block; none where it is left out."""
        build = self._at(layer.rpartition(self.mark)[0])
        self._layer(build, layer, operator)
        return tuple(build.layers)

    @abstractmethod
    def _stem(self) -> Builder:
        """With the stem built."""

    @abstractmethod
    def _at(self, block: str) -> Builder:
        """Within a block, or behind the stem."""

    @abstractmethod
    def _enter(self, build: Builder, source: str, target: str) -> None:
        """From one block, or the stem, to another."""

    @abstractmethod
    def _layer(self, build: Builder, name: str, operator: str) -> None:
        """A layer of a block."""

    @abstractmethod
    def _leave(self, build: Builder, source: str) -> None:
        """From the last block to the scores."""
