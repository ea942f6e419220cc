"""Multilayer perceptrons over an image's pixels: how many hidden layers, each one's width, and the resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesign.decisions import Decision, When
from codesign.spaces.network import IMAGES, Network
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload


@dataclass(frozen=True)
class PerceptronSpace:
    """The space for one image size.

    Attributes:
        channels, extent, classes, dataset: as in the elastic space.
        depths: numbers of hidden layers.
        widths: of a hidden layer.
        resolutions: of the image, % of its extent.
    """

    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES
    depths: tuple[int, ...] = (1, 2, 3)
    widths: tuple[int, ...] = (16, 32, 64, 128)
    resolutions: tuple[int, ...] = (50, 100)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """In order."""
        depths = tuple(sorted(self.depths))
        out = [Decision("resolution", "network", self.resolutions), Decision("depth", "network", depths)]
        for number in range(1, depths[-1] + 1):
            deep = tuple(depth for depth in depths if depth >= number)
            there = (When("depth", deep),) if len(deep) < len(depths) else ()
            out.append(Decision(f"l{number}_width", "network", self.widths, when=there))
        return tuple(out)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers, the first with a filter as large as the image; the name is "perceptrons"."""
        side = max(1, round(self.extent * int(point["resolution"]) / 100))
        first, *others = (int(point[f"l{number}_width"]) for number in range(1, int(point["depth"]) + 1))
        sizes: dict[str, Any] = {"K": first, "C": self.channels, "R": side, "S": side}
        layers = [Layer("l1", Op.CONV, **sizes, activation="relu", inputs=("image",))]
        for number, width in enumerate(others, 2):
            before = layers[-1]
            # A 1x1 filter, not a linear layer: trainings normalise it.
            layers.append(Layer(f"l{number}", Op.CONV, K=width, C=before.K, activation="relu", inputs=(before.name,)))
        layers.append(Layer("fc", Op.LINEAR, K=self.classes, C=layers[-1].K, inputs=(layers[-1].name,)))
        image = TensorShape("image", C=self.channels, H=side, W=side)
        return Workload("perceptrons", (image,), tuple(layers))
