"""Segmentation networks whose decoder is found: a cell, and which maps it is applied to (Nekrasov 2019).

An encoder gives maps of three levels, each of half the resolution of the one before. A block takes two of the maps so
far, applies the cell to each, brings the coarser result to the resolution of the finer and adds them; the sum is a map
like the others. Every block has the same cell, with weights of its own. What no block has taken is added at the finest
level, and gives the scores. The sums are what a training may supervise too (``auxiliary`` of the provider ``train``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from codesign.accuracy.task import Segmentation
from codesign.decisions import Decision
from codesign.spaces.network import Network
from codesign.spaces.network.building import Builder
from codesign.spaces.network.pyramid import LEVELS, check_levels
from mappings.layer import Bits
from mappings.workload import TensorShape, Workload

#: What a cell reads; an operator that leaves its operand as it is.
IN, SKIP = "in", "skip"
#: Kernel and dilation of an operator, separable where the kernel is over 1.
KINDS = {"conv1": (1, 1), "sep3": (3, 1), "sep5": (5, 1), "holes3": (3, 2)}


@dataclass(frozen=True)
class DecoderSpace:
    """The space for one image size.

    Attributes:
        blocks: sums of two maps.
        steps: operators of the cell.
        widths: channels of the encoder's stages.
        width: channels of the decoder.
        channels, extent, classes, dataset: of the images; classes of a pixel.
    """

    blocks: int = 3
    steps: int = 2
    widths: tuple[int, ...] = (8, 16, 24)
    width: int = 16
    channels: int = 1
    extent: int = 32
    classes: int = 11
    dataset: str = "digit_scenes"
    task = Segmentation.name

    def __post_init__(self) -> None:
        check_levels("decoder", self.widths, self.extent)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Which maps each block takes, then the cell, operator by operator."""
        out = []
        for block in range(1, self.blocks + 1):
            maps = (*LEVELS, *(f"d{other}" for other in range(1, block)))
            pairs = tuple("+".join(pair) for pair in combinations(maps, 2))
            out.append(Decision(f"d{block}_pair", "network", pairs, ordered=False))
        for place in range(1, self.steps + 1):
            sources = (IN, *(f"c{other}" for other in range(1, place)))
            if place > 1:
                out.append(Decision(f"c{place}_from", "network", sources, ordered=False))
            out.append(Decision(f"c{place}_kind", "network", (SKIP, *KINDS), ordered=False))
        return tuple(out)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "decoder"."""
        build = Builder(Bits(), self.channels, self.extent)
        maps = dict[str, tuple[str, int]]()
        for level, width in zip(LEVELS, self.widths, strict=True):
            build.conv(f"{level}_down", width, 3, 2, relu=True)
            behind = build.tensor, build.channels, build.extent
            build.conv(level, self.width, 1, relu=True)
            maps[level] = build.tensor, build.extent
            build.tensor, build.channels, build.extent = behind
        build.channels, taken = self.width, set[str]()
        for block in range(1, self.blocks + 1):
            pair = str(point[f"d{block}_pair"]).split("+")
            taken |= set(pair)
            finest = max(maps[source][1] for source in pair)
            ends = []
            for source in pair:
                build.tensor, build.extent = maps[source]
                self._cell(build, f"d{block}_{source}", point)
                build.enlarge(f"d{block}_{source}_up", finest // build.extent)
                ends.append(build.tensor)
            build.tensor = ends[0]
            build.add(f"d{block}", ends[1], relu=True)
            maps[f"d{block}"] = build.tensor, build.extent
        self._scores(build, [found for source, found in maps.items() if source not in taken])
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent)
        return Workload("decoder", (image,), tuple(build.layers))

    def _cell(self, build: Builder, name: str, point: Mapping[str, Any]) -> None:
        """The sum of what no operator of the cell reads."""
        values, read = {IN: build.tensor}, set[str]()
        for place in range(1, self.steps + 1):
            source = str(point.get(f"c{place}_from", IN))
            read.add(source)
            build.tensor = values[source]
            self._operator(build, f"{name}_c{place}", str(point[f"c{place}_kind"]))
            values[f"c{place}"] = build.tensor
        loose = [value for source, value in values.items() if source not in read]
        build.tensor = loose[0]
        for place, other in enumerate(loose[1:], 1):
            if other != build.tensor:
                build.add(f"{name}_sum{place}", other, relu=True)

    def _operator(self, build: Builder, name: str, kind: str) -> None:
        if kind == SKIP:
            return
        kernel, apart = KINDS[kind]
        if kernel > 1:
            build.conv(f"{name}_deep", self.width, kernel, depthwise=True, relu=True, dilation=(apart, apart))
        build.conv(name, self.width, 1, relu=True)

    def _scores(self, build: Builder, loose: list[tuple[str, int]]) -> None:
        finest = self.extent // 2
        brought = []
        for tensor, extent in loose:
            build.tensor, build.extent = tensor, extent
            build.enlarge(f"{tensor}_out", finest // extent)
            brought.append(build.tensor)
        build.tensor = brought[0]
        for place, other in enumerate(brought[1:], 1):
            build.add(f"out{place}", other, relu=True)
        build.conv("scores", self.classes, 1, relu=False)
