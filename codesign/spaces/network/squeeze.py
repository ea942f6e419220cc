"""Segmentation networks of inverted residual blocks, each with a choice of its own (Shaw 2019, SqueezeNAS).

A stem halves the image; the second stage halves it again, the third keeps its extent and has holes in its filters
instead. The head is that of MobileNetV3 (Howard 2019): scores from the last stage, its channels weighed by their means,
doubled in extent and added to scores from the first stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from codesign.accuracy.task import Segmentation
from codesign.decisions import Decision
from codesign.spaces.network import Network
from codesign.spaces.network.building import Builder
from mappings.errors import Fault, SpecError
from mappings.layer import Bits
from mappings.workload import TensorShape, Workload

#: A block that is left out.
SKIP = "skip"
#: The finer map that the head takes, and the stage whose filters have holes.
FINE, HOLED = 1, 3


class _Block(NamedTuple):
    expansion: int
    kernel: int
    groups: int


#: Expansion, kernel, and groups of the 1 x 1 convolutions.
BLOCKS = {
    "e1k3": _Block(1, 3, 1),
    "e1k3g2": _Block(1, 3, 2),
    "e3k3": _Block(3, 3, 1),
    "e3k5": _Block(3, 5, 1),
    "e6k3": _Block(6, 3, 1),
    "e6k5": _Block(6, 5, 1),
}


@dataclass(frozen=True)
class SqueezeSpace:
    """The space for one image size.

    Attributes:
        widths: channels of each of the three stages.
        blocks: of each stage.
        kinds: of a block, of :data:`BLOCKS`; all but the first of a stage may be left out.
        channels, extent, classes, dataset: of the images; classes of a pixel.
    """

    widths: tuple[int, ...] = (8, 16, 24)
    blocks: tuple[int, ...] = (1, 2, 2)
    kinds: tuple[str, ...] = tuple(BLOCKS)
    channels: int = 1
    extent: int = 32
    classes: int = 11
    dataset: str = "digit_scenes"
    task = Segmentation.name

    def __post_init__(self) -> None:
        faults = []
        if len(self.widths) != HOLED or len(self.blocks) != HOLED:
            what = f"are {list(self.widths)} and blocks {list(self.blocks)}"
            faults.append(Fault("squeeze.widths", what, f"{HOLED} stages in each"))
        if self.extent % 4:
            faults.append(Fault("squeeze.extent", f"is {self.extent}, which is halved twice", "a multiple of 4"))
        if any(width % 2 for width in self.widths):
            faults.append(Fault("squeeze.widths", f"are {list(self.widths)}", "even numbers, for two groups"))
        if faults:
            raise SpecError(faults)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Block by block."""
        return tuple(
            Decision(f"{name}_kind", "network", self.kinds if first else (SKIP, *self.kinds), ordered=False)
            for name, first in self._blocks
        )

    @property
    def _blocks(self) -> tuple[tuple[str, bool], ...]:
        """Names, and whether a block is the first of its stage."""
        return tuple(
            (f"s{stage}b{block}", block == 1)
            for stage, count in enumerate(self.blocks, 1)
            for block in range(1, count + 1)
        )

    @property
    def cells(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each block, with its decision."""
        return tuple((f"{name}_", (f"{name}_kind",)) for name, _ in self._blocks)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "squeeze"."""
        build = Builder(Bits(), self.channels, self.extent)
        build.conv("stem", self.widths[0], 3, 2, relu=True)
        fine = build.tensor, build.channels, build.extent
        for name, first in self._blocks:
            stage, kind = int(name[1]), str(point[f"{name}_kind"])
            if kind != SKIP:
                self._block(build, name, kind, stage, first=first)
            if stage == FINE:
                fine = build.tensor, build.channels, build.extent
        self._head(build, fine)
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent)
        return Workload("squeeze", (image,), tuple(build.layers))

    def _block(self, build: Builder, name: str, kind: str, stage: int, *, first: bool) -> None:
        source, width, made = build.tensor, self.widths[stage - 1], BLOCKS[kind]
        apart = (2, 2) if stage == HOLED else (1, 1)
        hidden, stride = build.channels * made.expansion, 2 if first and stage == 2 else 1
        build.conv(f"{name}_wide", hidden, 1, relu=True, groups=made.groups)
        build.conv(f"{name}_deep", hidden, made.kernel, stride, depthwise=True, relu=True, dilation=apart)
        build.conv(f"{name}_narrow", width, 1, relu=False, groups=made.groups)
        if not first:
            build.add(f"{name}_add", source)

    def _head(self, build: Builder, fine: tuple[str, int, int]) -> None:
        coarse = build.tensor
        build.conv("head", self.widths[-1], 1, relu=True)
        build.gated_by("head_gated", coarse)
        build.conv("coarse_scores", self.classes, 1, relu=False)
        build.enlarge("coarse_map", fine[2] // build.extent)
        scores = build.tensor
        build.tensor, build.channels, build.extent = fine
        build.conv("fine_scores", self.classes, 1, relu=False)
        build.add("scores", scores)
