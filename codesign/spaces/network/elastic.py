"""An elastic convolutional network for small images: every choice of it, and the workload each point is.

A stem convolution of stride 2, three stages and a classifier. Stage ``i`` has ``si_depth`` blocks of ``si_width``
channels with ``si_kernel`` filters. A block is either one plain convolution, or an inverted bottleneck (Sandler 2018):
expand by 2 or 4 with 1x1, filter each channel, project with 1x1, and add the input where shapes allow. ``downsample``
says which of the stages begin with stride 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from codesign.decisions import Decision
from codesign.spaces.network import IMAGES, Network
from codesign.spaces.network.building import Builder
from mappings.errors import Fault, SpecError, counted
from mappings.layer import Bits
from mappings.workload import TensorShape, Workload

STAGES = 3
#: The stem halves the image; of the stages at least one does.
_DOWNSAMPLE = tuple("+".join(places) for count in (1, 2, 3) for places in combinations(("s1", "s2", "s3"), count))
_EXPANSION = {"plain": 0, "bottleneck2": 2, "bottleneck4": 4}


@dataclass(frozen=True)
class ElasticSpace:
    """The space for one image size.

    Attributes:
        channels, extent: of the (square) images.
        classes: outputs.
        dataset: name of the data set on which accuracy is measured.
        stem: channels of the stem.
        widths: channels of each of the three stages.

    Raises:
        SpecError: not three stages.
    """

    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES
    stem: tuple[int, ...] = (4, 8, 12, 16)
    widths: tuple[tuple[int, ...], ...] = ((4, 8, 12, 16), (8, 12, 16, 24), (12, 16, 24, 32))

    def __post_init__(self) -> None:
        if len(self.widths) != STAGES:
            what = f"are of {counted(len(self.widths), 'stage')}"
            raise SpecError(Fault("elastic_mnist.widths", what, f"{STAGES} lists of channels, one a stage"))

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """In order."""
        out = [
            Decision("stem_width", "network", self.stem),
            Decision("stem_kernel", "network", (3, 5)),
            Decision("downsample", "network", _DOWNSAMPLE),
        ]
        for stage, widths in enumerate(self.widths, 1):
            out += [
                Decision(f"s{stage}_depth", "network", (1, 2, 3)),
                Decision(f"s{stage}_width", "network", widths),
                Decision(f"s{stage}_kernel", "network", (3, 5)),
                Decision(f"s{stage}_block", "network", tuple(_EXPANSION)),
            ]
        return tuple(out)

    @property
    def cells(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each stage, with the decisions that leave its width alone."""
        return tuple((f"s{i}", (f"s{i}_depth", f"s{i}_kernel", f"s{i}_block")) for i in range(1, STAGES + 1))

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "elastic"."""
        halving = str(point["downsample"]).split("+")
        build = Builder(Bits(), self.channels, self.extent)
        build.conv("stem", int(point["stem_width"]), int(point["stem_kernel"]), 2, relu=True)
        for stage in range(1, STAGES + 1):
            width, kernel = int(point[f"s{stage}_width"]), int(point[f"s{stage}_kernel"])
            expansion = _EXPANSION[str(point[f"s{stage}_block"])]
            for block in range(1, int(point[f"s{stage}_depth"]) + 1):
                stride = 2 if block == 1 and f"s{stage}" in halving else 1
                self._block(build, f"s{stage}b{block}", width, kernel, stride, expansion)
        build.classifier(self.classes)
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent, bits=Bits().I)
        return Workload("elastic", (image,), tuple(build.layers))

    @staticmethod
    def _block(build: Builder, name: str, width: int, kernel: int, stride: int, expansion: int) -> None:
        if expansion == 0:
            build.conv(f"{name}_conv", width, kernel, stride, relu=True)
            return
        source, residual = build.tensor, stride == 1 and build.channels == width
        build.conv(f"{name}_expand", build.channels * expansion, 1, relu=True)
        build.conv(f"{name}_depthwise", build.channels, kernel, stride, depthwise=True, relu=True)
        build.conv(f"{name}_project", width, 1, relu=False)
        if residual:
            build.add(f"{name}_add", source)
