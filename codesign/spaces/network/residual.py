"""Residual networks for small images that learn in few epochs: what fast training on CIFAR-10 settled on (Page 2018).

A stem convolution, then stages: a 3x3 convolution of stride 2 (stage 1: of ``first_stride``) to the stage's channels,
and ``depth`` residual blocks of two 3x3 convolutions around it; means of the channels, and a linear classifier. A ReLU
follows every convolution, so that sums need none of their own: the identity's way is never clamped from below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from codesign.decisions import Decision
from codesign.spaces.network import IMAGES, Network
from codesign.spaces.network.building import Builder
from mappings.errors import Fault, SpecError
from mappings.layer import Bits
from mappings.workload import TensorShape, Workload


@dataclass(frozen=True)
class ResidualSpace:
    """The space for one image size.

    Attributes:
        channels, extent, classes, dataset: as in the elastic space.
        stem: channels of the first convolution.
        widths: channels of each stage.
        depths: residual blocks of a stage.
        first_stride: of the first stage.
    """

    channels: int = 3
    extent: int = 32
    classes: int = 10
    dataset: str = IMAGES
    stem: tuple[int, ...] = (16, 24, 32)
    widths: tuple[tuple[int, ...], ...] = ((32, 48, 64), (64, 96, 128), (96, 128, 192))
    depths: tuple[int, ...] = (0, 1)
    first_stride: int = 2

    def __post_init__(self) -> None:
        if not self.widths:
            raise SpecError(Fault("residual.widths", "are of no stage", "a list of channels for each stage"))

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """In order."""
        out = [Decision("stem_width", "network", self.stem)]
        for stage, widths in enumerate(self.widths, 1):
            out.append(Decision(f"s{stage}_width", "network", widths))
            out.append(Decision(f"s{stage}_depth", "network", self.depths))
        return tuple(out)

    @property
    def cells(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The residual blocks of each stage."""
        return tuple((f"s{stage}b", (f"s{stage}_depth",)) for stage in range(1, len(self.widths) + 1))

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "residual"."""
        build = Builder(Bits(), self.channels, self.extent)
        build.conv("stem", int(point["stem_width"]), 3, relu=True)
        for stage in range(1, len(self.widths) + 1):
            width, stride = int(point[f"s{stage}_width"]), 2 if stage > 1 else self.first_stride
            build.conv(f"s{stage}", width, 3, stride, relu=True)
            for block in range(1, int(point[f"s{stage}_depth"]) + 1):
                source = build.tensor
                build.conv(f"s{stage}b{block}_first", width, 3, relu=True)
                build.conv(f"s{stage}b{block}_second", width, 3, relu=True)
                build.add(f"s{stage}b{block}_add", source, relu=True)
        build.classifier(self.classes)
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent, bits=Bits().I)
        return Workload("residual", (image,), tuple(build.layers))
