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
        faults = []
        if self.extent % self.patch:
            what = f"does not divide images of {self.extent} rows"
            faults.append(Fault("transformer.patch", f"is {self.patch}, and {what}", "a divisor"))
        if wrong := [number for number in self.heads if self.attention % number]:
            faults.append(Fault("transformer.heads", f"are {wrong}", f"divisors of attention, {self.attention}"))
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
        width, side = int(point["width"]), self.extent // self.patch
        net = Tokens([], side * side, width)
        cut: dict[str, Any] = {"R": self.patch, "S": self.patch, "stride": (self.patch, self.patch)}
        sizes: dict[str, Any] = {"K": width, "C": self.channels, "P": side, "Q": side}
        net.layers.append(Layer("patches", Op.CONV, **sizes, **cut, inputs=("image",)))
        net.append("tokens", Op.RESHAPE, "patches", groups=width)
        net.append("positions", Op.CONSTANT, groups=width)
        value = net.append("embedded", Op.ADD, "tokens", "positions", groups=width)
        for number in range(1, int(point["depth"]) + 1):
            heads, hidden = int(point[f"l{number}_heads"]), int(point[f"l{number}_ffn_width"])
            value = net.attended(f"l{number}", value, heads, self.attention)
            value = net.bent(f"l{number}", value, hidden)
        net.norm("norm", value)
        net.layers.append(Layer("pool", Op.AVGPOOL, groups=width, R=side * side, inputs=("norm",)))
        net.layers.append(Layer("fc", Op.LINEAR, K=self.classes, C=width, inputs=("pool",)))
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent)
        return Workload("transformer", (image,), tuple(net.layers))


class Tokens:
    """Appends layers over tokens of one width.

    Args:
        layers: those before, to which they are appended.
        tokens, width: how many, and channels of each.
    """

    def __init__(self, layers: list[Layer], tokens: int, width: int) -> None:
        self.layers = layers
        self._tokens, self._width = tokens, width

    def append(self, name: str, op: Op, *inputs: str, **bounds: Any) -> str:
        """A layer with a row a token; its name."""
        self.layers.append(Layer(name, op, P=self._tokens, inputs=inputs, **bounds))
        return name

    def norm(self, name: str, source: str) -> str:
        """Each token's channels normalised."""
        return self.append(name, Op.LAYERNORM, source, K=self._width, C=self._width)

    def attended(self, name: str, source: str, heads: int, inner: int) -> str:
        """Attention of a layer, and its shortcut."""
        part, tokens, read = inner // heads, self._tokens, self.norm(f"{name}_norm1", source)
        for kind in ("query", "key", "value"):
            self.append(f"{name}_{kind}", Op.LINEAR, read, K=inner, C=self._width)
        asked, given = (f"{name}_query", f"{name}_key"), (f"{name}_softmax", f"{name}_value")
        self.append(f"{name}_scores", Op.MATMUL, *asked, groups=heads, K=tokens, C=part, transpose_b=True)
        self.append(f"{name}_softmax", Op.SOFTMAX, f"{name}_scores", groups=heads, K=tokens, C=tokens)
        self.append(f"{name}_mixed", Op.MATMUL, *given, groups=heads, K=part, C=tokens)
        self.append(f"{name}_out", Op.LINEAR, f"{name}_mixed", K=self._width, C=inner)
        return self.append(f"{name}_add1", Op.ADD, source, f"{name}_out", groups=self._width)

    def bent(self, name: str, source: str, hidden: int) -> str:
        """The perceptron of a layer, and its shortcut."""
        read = self.norm(f"{name}_norm2", source)
        self.append(f"{name}_wide", Op.LINEAR, read, K=hidden, C=self._width, activation="relu")
        self.append(f"{name}_narrow", Op.LINEAR, f"{name}_wide", K=self._width, C=hidden)
        return self.append(f"{name}_add2", Op.ADD, source, f"{name}_narrow", groups=self._width)
