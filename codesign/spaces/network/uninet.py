"""Convolution, attention and perceptrons side by side: what UniNet searches (Liu 2021), for small images.

A stem cuts the image into patches. Each stage decides which operator its blocks are, how many there are, their
channels, and the expansion of what is wide within a block:

* ``conv``: an inverted bottleneck with a depthwise 3 x 3 convolution;
* ``attention``: attention over all tokens of the stage, then a two-layer perceptron over each token's channels;
* ``mixer``: two layers over each channel's tokens (Tolstikhin 2021), then the same perceptron.

Each with a shortcut. Between two stages the map is halved: ``local`` by a strided convolution, ``global`` by one whose
results then attend to every token of the stage before. The last stage's means go to the classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesign.decisions import Decision
from codesign.spaces.network import IMAGES, Network
from codesign.spaces.network.building import Builder
from codesign.spaces.network.transformer import Tokens
from mappings.errors import Fault, SpecError
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload


@dataclass(frozen=True)
class UniSpace:
    """The space for one image size.

    Attributes:
        channels, extent, classes, dataset: as in the elastic space.
        patch: rows and columns of a patch of the stem.
        widths: channels of each stage, ascending.
        depths: numbers of blocks of a stage.
        expansions: of a block's inner channels.
        operators: of a stage.
        heads: of attention; every width is a multiple.
    """

    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES
    patch: int = 4
    widths: tuple[tuple[int, ...], ...] = ((16, 24), (24, 32))
    depths: tuple[int, ...] = (1, 2)
    expansions: tuple[int, ...] = (2, 4)
    operators: tuple[str, ...] = ("conv", "attention", "mixer")
    heads: int = 2

    def __post_init__(self) -> None:
        faults = []
        if self.extent % self.patch:
            what = f"is {self.patch}, and does not divide images of {self.extent} rows"
            faults.append(Fault("uninet.patch", what, "a divisor"))
        if wrong := [width for stage in self.widths for width in stage if width % self.heads]:
            faults.append(Fault("uninet.widths", f"are {wrong}", f"multiples of heads, {self.heads}"))
        if faults:
            raise SpecError(faults)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Stage by stage."""
        out = []
        for number, widths in enumerate(self.widths, 1):
            if number > 1:
                out.append(Decision(f"s{number}_down", "network", ("local", "global"), ordered=False))
            out.append(Decision(f"s{number}_choice", "network", self.operators, ordered=False))
            out.append(Decision(f"s{number}_depth", "network", tuple(sorted(self.depths))))
            out.append(Decision(f"s{number}_width", "network", tuple(sorted(widths))))
            out.append(Decision(f"s{number}_expansion", "network", tuple(sorted(self.expansions))))
        return tuple(out)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "uninet"."""
        net = Builder(Bits(), self.channels, self.extent)
        for number in range(1, len(self.widths) + 1):
            width = int(point[f"s{number}_width"])
            if number == 1:
                cut: dict[str, Any] = {"R": self.patch, "S": self.patch, "stride": (self.patch, self.patch)}
                side = self.extent // self.patch
                sizes: dict[str, Any] = {"K": width, "C": self.channels, "P": side, "Q": side}
                net.layers.append(Layer("stem", Op.CONV, **sizes, **cut, inputs=("image",)))
                net.tensor, net.channels, net.extent = "stem", width, side
            else:
                self._down(net, f"s{number}", width, str(point[f"s{number}_down"]))
            kind, expansion = str(point[f"s{number}_choice"]), int(point[f"s{number}_expansion"])
            for block in range(1, int(point[f"s{number}_depth"]) + 1):
                name = f"s{number}b{block}_{kind}"
                if kind == "conv":
                    _bottleneck(net, name, expansion)
                else:
                    self._over_tokens(net, name, kind, expansion)
        net.classifier(self.classes)
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent)
        return Workload("uninet", (image,), tuple(net.layers))

    def _over_tokens(self, net: Builder, name: str, kind: str, expansion: int) -> None:
        """A block of attention or of perceptrons: the map becomes tokens, and a map again."""
        tokens = Tokens(net.layers, net.extent**2, net.channels)
        value = tokens.append(f"{name}_tokens", Op.RESHAPE, net.tensor, groups=net.channels)
        if kind == "attention":
            value = tokens.attended(name, value, self.heads, net.channels)
        else:
            value = _mixed(tokens, name, value, net.extent**2, net.channels)
        _as_map(net, f"{name}_map", tokens.bent(name, value, expansion * net.channels))

    def _down(self, net: Builder, name: str, width: int, kind: str) -> None:
        """Half the rows and columns; ``global`` lets the results attend to all that was there."""
        before, channels, extent = net.tensor, net.channels, net.extent
        net.conv(f"{name}_down", width, 3, 2, relu=False)
        if kind == "local":
            return
        many = Tokens(net.layers, extent**2, channels)
        keys = many.norm(f"{name}_down_norm", many.append(f"{name}_down_all", Op.RESHAPE, before, groups=channels))
        few, count, part = Tokens(net.layers, net.extent**2, width), extent**2, width // self.heads
        asking = few.append(f"{name}_down_tokens", Op.RESHAPE, net.tensor, groups=width)
        few.append(f"{name}_down_query", Op.LINEAR, few.norm(f"{name}_down_asked", asking), K=width, C=width)
        for kind in ("key", "value"):
            many.append(f"{name}_down_{kind}", Op.LINEAR, keys, K=width, C=channels)
        asked, scores = (f"{name}_down_query", f"{name}_down_key"), f"{name}_down_scores"
        few.append(scores, Op.MATMUL, *asked, groups=self.heads, K=count, C=part, transpose_b=True)
        few.append(f"{name}_down_softmax", Op.SOFTMAX, scores, groups=self.heads, K=count, C=count)
        given = (f"{name}_down_softmax", f"{name}_down_value")
        few.append(f"{name}_down_mixed", Op.MATMUL, *given, groups=self.heads, K=part, C=count)
        few.append(f"{name}_down_out", Op.LINEAR, f"{name}_down_mixed", K=width, C=width)
        value = few.append(f"{name}_down_add", Op.ADD, asking, f"{name}_down_out", groups=width)
        _as_map(net, f"{name}_down_map", value)


def _bottleneck(net: Builder, name: str, expansion: int) -> None:
    source, channels = net.tensor, net.channels
    net.conv(f"{name}_wide", expansion * channels, 1, relu=True)
    net.conv(f"{name}_deep", expansion * channels, 3, depthwise=True, relu=True)
    net.conv(f"{name}_narrow", channels, 1, relu=False)
    net.add(f"{name}_add", source)


def _mixed(tokens: Tokens, name: str, source: str, count: int, channels: int) -> str:
    """Two layers over each channel's tokens, as products of trained constants with the tokens, and a shortcut."""
    value = tokens.norm(f"{name}_norm1", source)
    for part, activation in (("mix", "relu"), ("unmix", "")):
        weights = tokens.append(f"{name}_{part}_weights", Op.CONSTANT, groups=count)
        shape = {"K": channels, "C": count, "activation": activation}
        value = tokens.append(f"{name}_{part}", Op.MATMUL, weights, value, **shape)
    return tokens.append(f"{name}_add1", Op.ADD, source, value, groups=channels)


def _as_map(net: Builder, name: str, source: str) -> None:
    shape = {"groups": net.channels, "P": net.extent, "Q": net.extent}
    net.layers.append(Layer(name, Op.RESHAPE, **shape, inputs=(source,)))  # type: ignore[arg-type] # extents
    net.tensor = name
