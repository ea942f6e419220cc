"""A chain of convolutions, each with choices of its own: the space of the first searches by reinforcement.

Every layer has a kernel and a number of filters (FNAS: Jiang 2019; two to four such pairs a layer, in Zhang 2019), and
may add the output of an earlier layer, through a 1 x 1 convolution (the skip connections of Zoph 2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesign.decisions import Decision
from codesign.spaces.network import IMAGES, Network
from codesign.spaces.network.layers import LayerList
from mappings.workload import Workload

#: A layer that adds no earlier one.
NO_SKIP = "none"


@dataclass(frozen=True)
class ChainSpace:
    """The space for one image size.

    Attributes:
        layers: convolutions; each has a ReLU.
        kernels, filters: choices of every layer.
        skips: a layer may add the output of one before its predecessor.
        halved: numbers (from 1) of the layers whose convolution has stride 2.
        channels, extent, classes, dataset: as in the elastic space.
    """

    layers: int = 4
    kernels: tuple[int, ...] = (3, 5, 7)
    filters: tuple[int, ...] = (9, 18, 36)
    skips: bool = False
    halved: tuple[int, ...] = (1, 3)
    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Layer by layer."""
        out = []
        for place in range(1, self.layers + 1):
            out.append(Decision(f"l{place}.kernel", "network", self.kernels))
            out.append(Decision(f"l{place}.filters", "network", self.filters))
            if self.skips and place > 2:
                earlier = tuple(f"l{other}" for other in range(1, place - 1))
                out.append(Decision(f"l{place}.skip", "network", (NO_SKIP, *earlier), ordered=False))
        return tuple(out)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "chain"."""
        net = LayerList(self.channels, self.extent)
        value, ends = net.image, dict[str, str]()
        for place in range(1, self.layers + 1):
            name = f"l{place}"
            out, kernel = int(point[f"{name}.filters"]), int(point[f"{name}.kernel"])
            value = net.conv(name, value, out, kernel, stride=2 if place in self.halved else 1, relu=True)
            skip = str(point.get(f"{name}.skip", NO_SKIP))
            if skip != NO_SKIP:
                source = ends[skip]
                stride = 1
                while -(-net.extent(source) // stride) > net.extent(value):
                    stride *= 2
                short = net.conv(f"{name}_skip", source, out, 1, stride=stride)
                value = net.add(f"{name}_add", short, value)
            ends[name] = value
        net.linear("fc", net.pool("pool", value), self.classes)
        return net.workload("chain")
