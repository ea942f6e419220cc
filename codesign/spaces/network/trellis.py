"""Segmentation networks as routes through layers and resolutions (Liu 2019, Auto-DeepLab), for small images.

The stem halves the image. Each layer then is at one of some levels, each of half the resolution of the one before: on
the level of the layer before, one finer or one coarser. A layer has a cell: operators one after another, each with a
shortcut. What the last layer gives goes through two branches, one with holes, which are added (a small atrous pyramid),
to a score a class, repeated to the resolution of the finest level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from codesign.accuracy.task import Segmentation
from codesign.decisions import Decision, When
from codesign.spaces.network.building import Builder
from codesign.spaces.network.routed import END, SKIP, START, RouteSpace
from mappings.errors import Fault, SpecError
from mappings.layer import Bits

#: Kernel and dilation of an operator: separable convolutions, some with holes.
KINDS = {"sep3": (3, 1), "sep5": (5, 1), "atrous3": (3, 2), "atrous5": (5, 2)}


@dataclass(frozen=True)
class TrellisSpace(RouteSpace):
    """The space for one image size.

    Attributes:
        depth: layers.
        widths: channels of each level, from the finest.
        cell: operators of a layer.
        kinds: of an operator, of :data:`KINDS`; or none.
        channels, extent, classes, dataset: of the images; classes of a pixel.
    """

    depth: int = 4
    widths: tuple[int, ...] = (8, 16, 24)
    cell: int = 2
    kinds: tuple[str, ...] = tuple(KINDS)
    channels: int = 1
    extent: int = 32
    classes: int = 11
    dataset: str = "digit_scenes"
    task = Segmentation.name
    label, mark = "trellis", "o"

    def __post_init__(self) -> None:
        step = 2 ** len(self.widths)
        if self.extent % step:
            what = f"has {len(self.widths)} levels, and images of {self.extent} rows are not halved so often"
            raise SpecError(Fault("trellis.widths", what, f"fewer levels, or an extent that is a multiple of {step}"))

    @cached_property
    def paths(self) -> tuple[tuple[int, ...], ...]:
        """Levels (from 1) of the layers of each route."""
        found: list[tuple[int, ...]] = [()]
        for _ in range(self.depth):
            found = [
                (*path, level)
                for path in found
                for level in range(1, len(self.widths) + 1)
                if abs(level - (path[-1] if path else 1)) <= 1
            ]
        return tuple(found)

    @cached_property
    def blocks(self) -> dict[str, tuple[int, int]]:
        """Layer and level of each place that some route passes, in order."""
        there = {(place, level) for path in self.paths for place, level in enumerate(path, 1)}
        return {f"l{place}s{level}": (place, level) for place, level in sorted(there)}

    @property
    def operators(self) -> tuple[str, ...]:
        """Of a place in a cell."""
        return (SKIP, *self.kinds)

    def successors(self, name: str) -> tuple[str, ...]:
        """Where a route may go from a block, or from the start."""
        place, level = self.blocks.get(name, (0, 1))
        if place == self.depth:
            return (END,)
        return tuple(other for other, (at, its) in self.blocks.items() if at == place + 1 and abs(its - level) <= 1)

    def layers_of(self, block: str) -> tuple[str, ...]:
        """Names of the operators of a block's cell, which are the names of their decisions."""
        return tuple(f"{block}o{place}" for place in range(1, self.cell + 1))

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """The route, then the operators of each block that it may pass."""
        names = {"-".join(map(str, path)): path for path in self.paths}
        out = [Decision("path", "network", tuple(names), ordered=False)]
        for block, (place, level) in self.blocks.items():
            through = tuple(name for name, path in names.items() if path[place - 1] == level)
            there = (When("path", through),)
            out += [
                Decision(layer, "network", self.operators, ordered=False, when=there) for layer in self.layers_of(block)
            ]
        return tuple(out)

    def route_at(self, point: Mapping[str, Any]) -> tuple[str, ...]:
        """The blocks that the route of a point passes."""
        return tuple(f"l{place}s{level}" for place, level in enumerate(str(point["path"]).split("-"), 1))

    def point_at(self, route: Sequence[str], operators: Mapping[str, str]) -> dict[str, str]:
        """The point of a route.

        Args:
            route: its blocks; start and end are passed over.
            operators: by place of the cells that it passes.
        """
        on = [name for name in route if name in self.blocks]
        out = {"path": "-".join(str(self.blocks[name][1]) for name in on)}
        return out | {layer: operators[layer] for name in on for layer in self.layers_of(name)}

    def _stem(self) -> Builder:
        build = Builder(Bits(), self.channels, self.extent)
        build.conv(START, self.widths[0], 3, 2, relu=True)
        return build

    def _at(self, block: str) -> Builder:
        """Within a block, or behind the stem."""
        build, level = Builder(Bits(), self.channels, self.extent), self.blocks.get(block, (0, 1))[1]
        build.tensor, build.channels, build.extent = block, self.widths[level - 1], self.extent // 2**level
        return build

    def _enter(self, build: Builder, source: str, target: str) -> None:
        before, after = self.blocks.get(source, (0, 1))[1], self.blocks[target][1]
        name, width = f"{target}_from_{source}", self.widths[after - 1]
        if after > before:
            build.conv(name, width, 3, 2, relu=True)
        else:
            build.conv(name, width, 1, relu=True)
            build.enlarge(f"{name}_up", 2 ** (before - after))

    def _layer(self, build: Builder, name: str, operator: str) -> None:
        if operator == SKIP:
            return
        source, width, prefix = build.tensor, build.channels, f"{name}_{operator}"
        kernel, apart = KINDS[operator]
        build.conv(f"{prefix}_depthwise", width, kernel, depthwise=True, relu=True, dilation=(apart, apart))
        build.conv(f"{prefix}_point", width, 1, relu=False)
        build.add(f"{prefix}_add", source)

    def _leave(self, build: Builder, source: str) -> None:
        """Two branches, their sum, and a score a class."""
        level, width = self.blocks[source][1], self.widths[-1]
        tensor, channels = build.tensor, build.channels
        build.conv(f"plain_of_{source}", width, 1, relu=True)
        plain, build.tensor, build.channels = build.tensor, tensor, channels
        build.conv(f"holes_of_{source}", width, 3, relu=True, dilation=(2, 2))
        build.add(f"branches_of_{source}", plain, relu=True)
        build.conv(f"scores_of_{source}", self.classes, 1, relu=False)
        build.enlarge(f"map_of_{source}", 2 ** (level - 1))
