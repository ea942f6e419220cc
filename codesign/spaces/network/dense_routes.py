"""Networks as routes through densely connected blocks (Fang 2020, DenseNAS): their number, widths and depths.

A stage has blocks of several widths. A route goes from block to block: within a stage to any later one, or on to any of
the next stage, which halves the image. Where it enters a block, a 3 x 3 convolution of that pair of blocks' own gives
the tensor the block's shape; then come the block's layers, each an inverted bottleneck of some kernel, or left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from codesign.decisions import Decision, When
from codesign.spaces.network import IMAGES
from codesign.spaces.network.building import Builder
from codesign.spaces.network.routed import END, SKIP, START, RouteSpace
from mappings.errors import Fault, SpecError
from mappings.layer import Bits, Layer, Op


@dataclass(frozen=True)
class DenseSpace(RouteSpace):
    """The space for one image size.

    Attributes:
        widths: of the blocks of each stage.
        layers: of a block, at most.
        kernels: of a layer.
        expansion: of a layer.
        stem: channels of the first convolution.
        stem_stride: of it; each stage but the first halves the image again.
        channels, extent, classes, dataset: as in the elastic space.
    """

    widths: tuple[tuple[int, ...], ...] = ((8, 12, 16), (12, 16, 24), (16, 24, 32))
    layers: int = 2
    kernels: tuple[int, ...] = (3, 5)
    expansion: int = 2
    stem: int = 8
    stem_stride: int = 2
    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES
    label, mark = "dense_routes", "l"

    def __post_init__(self) -> None:
        faults = []
        if any(not row or len(row) > 6 for row in self.widths):
            faults.append(Fault("dense_routes.widths", f"are {self.widths}", "1 to 6 blocks a stage"))
        if any(kernel % 2 == 0 for kernel in self.kernels):
            faults.append(Fault("dense_routes.kernels", f"are {list(self.kernels)}", "odd numbers"))
        if faults:
            raise SpecError(faults)

    @cached_property
    def blocks(self) -> dict[str, tuple[int, int]]:
        """Stage and width of each block, in order."""
        return {
            f"s{stage}b{place}": (stage, width)
            for stage, row in enumerate(self.widths, 1)
            for place, width in enumerate(row, 1)
        }

    @property
    def operators(self) -> tuple[str, ...]:
        """Of a layer."""
        return (SKIP, *(f"k{kernel}" for kernel in self.kernels))

    def successors(self, name: str) -> tuple[str, ...]:
        """Where a route may go from a block, or from :data:`START`."""
        names = list(self.blocks)
        if name == START:
            return tuple(other for other in names if self.blocks[other][0] == 1)
        stage = self.blocks[name][0]
        later = names[names.index(name) + 1 :]
        out = [other for other in later if self.blocks[other][0] in (stage, stage + 1)]
        return (*out, END) if stage == len(self.widths) else tuple(out)

    def layers_of(self, block: str) -> tuple[str, ...]:
        """Names of the layers of a block, which are the names of their decisions."""
        return tuple(f"{block}l{place}" for place in range(1, self.layers + 1))

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Stage by stage: which blocks the route passes, then the layers of each."""
        out = []
        for stage, row in enumerate(self.widths, 1):
            names = [f"b{place}" for place in range(1, len(row) + 1)]
            routes = ["+".join(some) for count in range(1, len(names) + 1) for some in combinations(names, count)]
            out.append(Decision(f"s{stage}_route", "network", tuple(routes), ordered=False))
            for name in names:
                there = (When(f"s{stage}_route", tuple(route for route in routes if name in route.split("+"))),)
                layers = self.layers_of(f"s{stage}{name}")
                out += [Decision(layer, "network", self.operators, ordered=False, when=there) for layer in layers]
        return tuple(out)

    def route_at(self, point: Mapping[str, Any]) -> tuple[str, ...]:
        """The blocks that the route of a point passes."""
        stages = range(1, len(self.widths) + 1)
        return tuple(f"s{stage}{name}" for stage in stages for name in str(point[f"s{stage}_route"]).split("+"))

    def point_at(self, route: Sequence[str], operators: Mapping[str, str]) -> dict[str, str]:
        """The point of a route.

        Args:
            route: its blocks; :data:`START` and :data:`END` are passed over.
            operators: by layer of the blocks that it passes.
        """
        on, out = set(route), dict[str, str]()
        for stage, row in enumerate(self.widths, 1):
            names = [f"b{place}" for place in range(1, len(row) + 1) if f"s{stage}b{place}" in on]
            out[f"s{stage}_route"] = "+".join(names)
            for name in names:
                out |= {layer: operators[layer] for layer in self.layers_of(f"s{stage}{name}")}
        return out

    def _stem(self) -> Builder:
        build = Builder(Bits(), self.channels, self.extent)
        build.conv(START, self.stem, 3, self.stem_stride, relu=True)
        return build

    def _at(self, block: str) -> Builder:
        """Within a block, or behind the stem."""
        build, extent = Builder(Bits(), self.channels, self.extent), -(-self.extent // self.stem_stride)
        stage, width = self.blocks.get(block, (1, self.stem))
        for _ in range(stage - 1):
            extent = -(-extent // 2)
        build.tensor, build.channels, build.extent = block, width, extent
        return build

    def _enter(self, build: Builder, source: str, target: str) -> None:
        stage, width = self.blocks[target]
        stride = 2 if source != START and self.blocks[source][0] < stage else 1
        build.conv(f"{target}_from_{source}", width, 3, stride, relu=True)

    def _layer(self, build: Builder, name: str, operator: str) -> None:
        if operator == SKIP:
            return
        source, width, prefix = build.tensor, build.channels, f"{name}_{operator}"
        build.conv(f"{prefix}_expand", width * self.expansion, 1, relu=True)
        build.conv(f"{prefix}_depthwise", build.channels, int(operator[1:]), depthwise=True, relu=True)
        build.conv(f"{prefix}_project", width, 1, relu=False)
        build.add(f"{prefix}_add", source)

    def _leave(self, build: Builder, source: str) -> None:
        """Means of the channels, and a linear layer of the last block's own."""
        window, name = build.extent, f"pool_of_{source}"
        shape: dict[str, Any] = {"groups": build.channels, "R": window, "S": window, "stride": (window, window)}
        build.layers.append(Layer(name, Op.AVGPOOL, **shape, bits=build.bits, inputs=(build.tensor,)))
        build.layers.append(
            Layer(f"fc_of_{source}", Op.LINEAR, K=self.classes, C=build.channels, bits=build.bits, inputs=(name,))
        )
