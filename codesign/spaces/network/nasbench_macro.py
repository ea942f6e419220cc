"""NAS-Bench-Macro (Su 2021): 6,561 chains of eight blocks, each an identity or an inverted bottleneck.

Three stages of 2, 3 and 3 blocks; the first of each halves rows and columns and doubles channels, from a stem of 32.
The published name of a network is its blocks' digits: 0 identity (with a 1x1 convolution where the shape changes), 1 an
inverted bottleneck with 3x3 filters that expands by 3, 2 one with 5x5 filters that expands by 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesign.decisions import Decision
from codesign.spaces.network import Network
from codesign.spaces.network.layers import LayerList
from mappings.workload import Workload

BLOCKS = ("identity", "bottleneck_k3_e3", "bottleneck_k5_e6")
_KERNEL_AND_EXPANSION = {BLOCKS[1]: (3, 3), BLOCKS[2]: (5, 6)}
STAGES = (2, 3, 3)
PLACES = sum(STAGES)


def digits_of(name: str) -> bool:
    """Whether it is a published name."""
    return len(name) == PLACES and set(name) <= set("012")


@dataclass(frozen=True)
class NasBenchMacro:
    """The space.

    Attributes:
        channels, extent, classes: of the images.
        dataset: their name.
        stem, head: channels before the first block and behind the last.
    """

    channels: int = 3
    extent: int = 32
    classes: int = 10
    dataset: str = "cifar10"
    stem: int = 32
    head: int = 1280

    @property
    def benchmark(self) -> str:
        """The table that knows its networks; "" where the skeleton or the data are not the published ones."""
        return "nasbench_macro" if self == NasBenchMacro() else ""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """One a block."""
        return tuple(Decision(f"block{place}", "network", BLOCKS, ordered=False) for place in range(PLACES))

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data; its key is the published name, where it is a published one."""
        blocks = [str(point[f"block{place}"]) for place in range(PLACES)]
        name = "".join(str(BLOCKS.index(block)) for block in blocks)
        row = int(name, len(BLOCKS)) if self.benchmark else None
        return Network(name if self.benchmark else "", self._workload(blocks), row)

    def _workload(self, blocks: list[str]) -> Workload:
        net, channels = LayerList(self.channels, self.extent), self.stem
        value = net.conv("stem", net.image, channels, 3, relu=True)
        place = 0
        for count in STAGES:
            for turn in range(count):
                stride = 1 if turn else 2
                channels *= stride
                value = _block(net, f"b{place}", value, channels, stride, blocks[place])
                place += 1
        value = net.conv("head", value, self.head, 1, relu=True)
        net.linear("classifier", net.pool("pool", value), self.classes)
        return net.workload("nasbench_macro")


def _block(net: LayerList, name: str, source: str, channels: int, stride: int, kind: str) -> str:
    if kind not in _KERNEL_AND_EXPANSION:
        return net.conv(f"{name}_down", source, channels, 1, stride=stride) if stride > 1 else source
    kernel, expansion = _KERNEL_AND_EXPANSION[kind]
    wide = net.channels(source) * expansion
    value = net.conv(f"{name}_expand", source, wide, 1, relu=True)
    value = net.conv(f"{name}_depthwise", value, wide, kernel, stride=stride, groups=wide, relu=True)
    value = net.conv(f"{name}_project", value, channels, 1)
    return net.add(f"{name}_add", value, source) if stride == 1 else value
