"""An elastic convolutional network for small grey images: every choice of it, and the workload each point is.

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
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload

STAGES = 3
#: The stem halves the image; of the stages at least one does.
_DOWNSAMPLE = tuple("+".join(places) for count in (1, 2, 3) for places in combinations(("s1", "s2", "s3"), count))
_WIDTHS = {1: (4, 8, 12, 16), 2: (8, 12, 16, 24), 3: (12, 16, 24, 32)}
_EXPANSION = {"plain": 0, "bottleneck2": 2, "bottleneck4": 4}


def _decisions() -> tuple[Decision, ...]:
    out = [
        Decision("stem_width", "network", (4, 8, 12, 16)),
        Decision("stem_kernel", "network", (3, 5)),
        Decision("downsample", "network", _DOWNSAMPLE),
    ]
    for stage in range(1, STAGES + 1):
        out += [
            Decision(f"s{stage}_depth", "network", (1, 2, 3)),
            Decision(f"s{stage}_width", "network", _WIDTHS[stage]),
            Decision(f"s{stage}_kernel", "network", (3, 5)),
            Decision(f"s{stage}_block", "network", tuple(_EXPANSION)),
        ]
    return tuple(out)


class _Builder:
    """Appends layers, following the shape of the tensor that flows."""

    def __init__(self, bits: Bits, extent: int) -> None:
        self.bits = bits
        self.layers: list[Layer] = []
        self.tensor, self.channels, self.extent = "image", 1, extent

    def conv(self, name: str, out: int, kernel: int, stride: int = 1, *, depthwise: bool = False, relu: bool) -> None:
        after = -(-self.extent // stride)
        before = kernel // 2
        # The bottom and right padding is what the last window needs, no more: with stride 2 it may be one less.
        behind = (after - 1) * stride + kernel - self.extent - before
        groups = self.channels if depthwise else 1
        layer = Layer(
            name,
            Op.CONV,
            K=out // groups,
            C=self.channels // groups,
            P=after,
            Q=after,
            R=kernel,
            S=kernel,
            groups=groups,
            stride=(stride, stride),
            padding=(before, before, behind, behind),
            activation="relu" if relu else "",
            bits=self.bits,
            inputs=(self.tensor,),
        )
        self.layers.append(layer)
        self.tensor, self.channels, self.extent = name, out, after

    def add(self, name: str, other: str) -> None:
        extent, sources = self.extent, (other, self.tensor)
        self.layers.append(
            Layer(name, Op.ADD, groups=self.channels, P=extent, Q=extent, bits=self.bits, inputs=sources)
        )
        self.tensor = name

    def classifier(self, classes: int) -> None:
        window, source = self.extent, (self.tensor,)
        pool = Layer(
            "pool",
            Op.AVGPOOL,
            groups=self.channels,
            R=window,
            S=window,
            stride=(window, window),
            bits=self.bits,
            inputs=source,
        )
        self.layers.append(pool)
        self.layers.append(Layer("fc", Op.LINEAR, K=classes, C=self.channels, bits=self.bits, inputs=("pool",)))


@dataclass(frozen=True)
class ElasticSpace:
    """The space for one image size.

    Attributes:
        extent: rows and columns of the (grey) image.
        classes: outputs.
        dataset: name of the data set on which accuracy is measured.
    """

    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """In order."""
        return _decisions()

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "elastic"."""
        halving = str(point["downsample"]).split("+")
        build = _Builder(Bits(), self.extent)
        build.conv("stem", int(point["stem_width"]), int(point["stem_kernel"]), 2, relu=True)
        for stage in range(1, STAGES + 1):
            width, kernel = int(point[f"s{stage}_width"]), int(point[f"s{stage}_kernel"])
            expansion = _EXPANSION[str(point[f"s{stage}_block"])]
            for block in range(1, int(point[f"s{stage}_depth"]) + 1):
                stride = 2 if block == 1 and f"s{stage}" in halving else 1
                self._block(build, f"s{stage}b{block}", width, kernel, stride, expansion)
        build.classifier(self.classes)
        image = TensorShape("image", C=1, H=self.extent, W=self.extent, bits=Bits().I)
        return Workload("elastic", (image,), tuple(build.layers))

    @staticmethod
    def _block(build: _Builder, name: str, width: int, kernel: int, stride: int, expansion: int) -> None:
        if expansion == 0:
            build.conv(f"{name}_conv", width, kernel, stride, relu=True)
            return
        source, residual = build.tensor, stride == 1 and build.channels == width
        build.conv(f"{name}_expand", build.channels * expansion, 1, relu=True)
        build.conv(f"{name}_depthwise", build.channels, kernel, stride, depthwise=True, relu=True)
        build.conv(f"{name}_project", width, 1, relu=False)
        if residual:
            build.add(f"{name}_add", source)
