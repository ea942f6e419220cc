"""Transformers over the patches of an image, in reading order: the choices of HAT (Wang 2020) for an encoder.

A patch embedding with learned positions; ``depth`` layers, each of attention and a two-layer perceptron with a
shortcut round either, normalised before; a norm, the mean over tokens, a classifier. ``width`` is that of the
embedding, and each layer has its own number of heads and width of the perceptron. Queries, keys and values are as wide
in every network (``attention``), and the heads of a layer share that width, so that any number has the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesign.decisions import Decision, When
from codesign.spaces.network import IMAGES, Network
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload


@dataclass(frozen=True)
class TransformerSpace:
    """The space for one image size.

    Attributes:
        channels, extent, classes, dataset: as in the elastic space.
        patch: rows and columns of a patch.
        widths: of the embedding.
        depths: numbers of layers.
        heads: of a layer; each divides ``attention``.
        ffn_widths: of a layer's perceptron.
        attention: channels of queries, keys and values.
    """

    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = IMAGES
    patch: int = 7
    widths: tuple[int, ...] = (16, 24, 32)
    depths: tuple[int, ...] = (1, 2, 3)
    heads: tuple[int, ...] = (1, 2, 4)
    ffn_widths: tuple[int, ...] = (16, 32, 64)
    attention: int = 32

    def __post_init__(self) -> None:
        faults = [
            *check_patch("transformer", self.extent, self.patch),
            *check_heads("transformer", self.heads, self.attention),
        ]
        if faults:
            raise SpecError(faults)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """In order."""
        depths = tuple(sorted(self.depths))
        out = [Decision("width", "network", self.widths), Decision("depth", "network", depths)]
        for number in range(1, depths[-1] + 1):
            deep = tuple(depth for depth in depths if depth >= number)
            there = (When("depth", deep),) if len(deep) < len(depths) else ()
            out.append(Decision(f"l{number}_heads", "network", self.heads, when=there))
            out.append(Decision(f"l{number}_ffn_width", "network", self.ffn_widths, when=there))
        return tuple(out)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "transformer"."""
        width = int(point["width"])
        net, value = embedded([], self.channels, self.extent, self.patch, width), "embedded"
        for number in range(1, int(point["depth"]) + 1):
            heads, hidden = int(point[f"l{number}_heads"]), int(point[f"l{number}_ffn_width"])
            value = net.attended(f"l{number}", value, heads, self.attention)
            value = net.bent(f"l{number}", value, hidden)
        net.norm("norm", value)
        net.layers.append(Layer("pool", Op.AVGPOOL, groups=width, R=net.tokens, inputs=("norm",)))
        net.layers.append(Layer("fc", Op.LINEAR, K=self.classes, C=width, inputs=("pool",)))
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent)
        return Workload("transformer", (image,), tuple(net.layers))


def check_patch(space: str, extent: int, patch: int) -> list[Fault]:
    """A patch that does not divide images."""
    what = f"is {patch}, and does not divide images of {extent} rows"
    return [Fault(f"{space}.patch", what, "a divisor")] if extent % patch else []


def check_heads(space: str, heads: tuple[int, ...], attention: int) -> list[Fault]:
    """Numbers of heads that do not divide the channels of queries, keys and values."""
    wrong = [number for number in heads if attention % number]
    return [Fault(f"{space}.heads", f"are {wrong}", f"divisors of attention, {attention}")] if wrong else []


def embedded(layers: list[Layer], channels: int, extent: int, patch: int, width: int) -> Tokens:
    """Patches of an image in reading order with their learned positions; the last layer is "embedded"."""
    side = extent // patch
    net = Tokens(layers, side * side, width)
    cut: dict[str, Any] = {"R": patch, "S": patch, "stride": (patch, patch)}
    sizes: dict[str, Any] = {"K": width, "C": channels, "P": side, "Q": side}
    layers.append(Layer("patches", Op.CONV, **sizes, **cut, inputs=("image",)))
    net.append("tokens", Op.RESHAPE, "patches", groups=width)
    net.append("positions", Op.CONSTANT, groups=width)
    net.append("embedded", Op.ADD, "tokens", "positions", groups=width)
    return net


@dataclass(frozen=True)
class Memory:
    """What an attention reads in place of its own tokens.

    Attributes:
        name: of the tensor.
        tokens, width: how many, and channels of each.
    """

    name: str
    tokens: int
    width: int


class Tokens:
    """Appends layers over tokens of one width.

    Args:
        layers: those before, to which they are appended.
        tokens, width: how many, and channels of each.
    """

    def __init__(self, layers: list[Layer], tokens: int, width: int) -> None:
        self.layers = layers
        self.tokens, self.width = tokens, width

    def append(self, name: str, op: Op, *inputs: str, **bounds: Any) -> str:
        """A layer with a row a token; its name."""
        self.layers.append(Layer(name, op, P=self.tokens, inputs=inputs, **bounds))
        return name

    def norm(self, name: str, source: str) -> str:
        """Each token's channels normalised."""
        return self.append(name, Op.LAYERNORM, source, K=self.width, C=self.width)

    def attended(self, name: str, source: str, heads: int, inner: int, memory: Memory | None = None) -> str:
        """Attention of a layer, and its shortcut; keys and values are a memory's, or the tokens' own."""
        part, read = inner // heads, self.norm(f"{name}_norm1", source)
        given = memory or Memory(read, self.tokens, self.width)
        self.append(f"{name}_query", Op.LINEAR, read, K=inner, C=self.width)
        for kind in ("key", "value"):
            sizes: dict[str, Any] = {"K": inner, "C": given.width, "P": given.tokens}
            self.layers.append(Layer(f"{name}_{kind}", Op.LINEAR, inputs=(given.name,), **sizes))
        asked, told, met = (f"{name}_query", f"{name}_key"), (f"{name}_softmax", f"{name}_value"), given.tokens
        self.append(f"{name}_scores", Op.MATMUL, *asked, groups=heads, K=met, C=part, transpose_b=True)
        self.append(f"{name}_softmax", Op.SOFTMAX, f"{name}_scores", groups=heads, K=met, C=met)
        self.append(f"{name}_mixed", Op.MATMUL, *told, groups=heads, K=part, C=met)
        self.append(f"{name}_out", Op.LINEAR, f"{name}_mixed", K=self.width, C=inner)
        return self.append(f"{name}_add1", Op.ADD, source, f"{name}_out", groups=self.width)

    def bent(self, name: str, source: str, hidden: int) -> str:
        """The perceptron of a layer, and its shortcut."""
        read = self.norm(f"{name}_norm2", source)
        self.append(f"{name}_wide", Op.LINEAR, read, K=hidden, C=self.width, activation="relu")
        self.append(f"{name}_narrow", Op.LINEAR, f"{name}_wide", K=self.width, C=hidden)
        return self.append(f"{name}_add2", Op.ADD, source, f"{name}_narrow", groups=self.width)
