"""Transformers that read an image's patches and write a sequence: the choices of HAT (Wang 2020), both halves.

The encoder is that of :mod:`codesign.spaces.network.transformer`. The decoder has a learned token for each place of the
sequence; each of its layers attends among these, then to what the encoder gave, then has a perceptron, with a shortcut
round each. A layer chooses how many of the encoder's last layers it attends to: their tokens lie behind one another
(arbitrary encoder-decoder attention). Encoder and decoder have a width and a depth each; every layer has its heads, of
both attentions apart, and its perceptron's width. All places are written at once, where HAT's are one after another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from codesign.accuracy.task import Sequence
from codesign.decisions import Decision, When
from codesign.spaces.network import Network
from codesign.spaces.network.transformer import Memory, Tokens, check_heads, check_patch, embedded
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload


@dataclass(frozen=True)
class EncoderDecoderSpace:
    """The space for one image size.

    Attributes:
        channels, extent, classes, dataset: as in the elastic space; classes are those of a place.
        length: places of the sequence that is written.
        patch: rows and columns of a patch that is read.
        encoder_widths, decoder_widths: of a token.
        encoder_depths, decoder_depths: numbers of layers.
        heads: of an attention; each divides ``attention``.
        ffn_widths: of a layer's perceptron.
        spans: of the encoder's layers, the last ones that a decoder's layer attends to; all where there are fewer.
        attention: channels of queries, keys and values.
    """

    channels: int = 1
    extent: int = 28
    classes: int = 10
    dataset: str = "digit_orders"
    length: int = 4
    patch: int = 7
    encoder_widths: tuple[int, ...] = (16, 24, 32)
    decoder_widths: tuple[int, ...] = (16, 24, 32)
    encoder_depths: tuple[int, ...] = (1, 2, 3)
    decoder_depths: tuple[int, ...] = (1, 2)
    heads: tuple[int, ...] = (1, 2, 4)
    ffn_widths: tuple[int, ...] = (16, 32, 64)
    spans: tuple[int, ...] = (1, 2, 3)
    attention: int = 32

    task = Sequence.name

    def __post_init__(self) -> None:
        faults = [
            *check_patch("encoder_decoder", self.extent, self.patch),
            *check_heads("encoder_decoder", self.heads, self.attention),
        ]
        if faults:
            raise SpecError(faults)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """In order."""
        out = []
        for half, widths, depths in (
            ("encoder", self.encoder_widths, sorted(self.encoder_depths)),
            ("decoder", self.decoder_widths, sorted(self.decoder_depths)),
        ):
            out += [Decision(f"{half}_width", "network", widths), Decision(f"{half}_depth", "network", tuple(depths))]
            for number in range(1, depths[-1] + 1):
                deep = tuple(depth for depth in depths if depth >= number)
                there = (When(f"{half}_depth", deep),) if len(deep) < len(depths) else ()
                asked = {"heads": self.heads, "ffn_width": self.ffn_widths}
                if half == "decoder":
                    asked |= {"cross_heads": self.heads, "span": self.spans}
                out += [
                    Decision(f"{half[0]}{number}_{name}", "network", choices, when=there)
                    for name, choices in asked.items()
                ]
        return tuple(out)

    def network_at(self, point: Mapping[str, Any]) -> Network:
        """The network at a point, with 8-bit data."""
        return Network(workload=self.workload(point))

    def workload(self, point: Mapping[str, Any]) -> Workload:
        """Its layers; the name is "encoder_decoder"."""
        width, out = int(point["encoder_width"]), int(point["decoder_width"])
        read = embedded([], self.channels, self.extent, self.patch, width)
        value, given = "embedded", list[str]()
        for number in range(1, int(point["encoder_depth"]) + 1):
            value = read.attended(f"e{number}", value, int(point[f"e{number}_heads"]), self.attention)
            value = read.bent(f"e{number}", value, int(point[f"e{number}_ffn_width"]))
            given.append(value)
        written = Tokens(read.layers, self.length, out)
        value = written.append("asked", Op.CONSTANT, groups=out)
        for number in range(1, int(point["decoder_depth"]) + 1):
            own, cross = int(point[f"d{number}_heads"]), int(point[f"d{number}_cross_heads"])
            value = written.attended(f"d{number}", value, own, self.attention)
            memory = _memory(read, given[-int(point[f"d{number}_span"]) :], f"d{number}_read")
            value = written.attended(f"d{number}_cross", value, cross, self.attention, memory)
            value = written.bent(f"d{number}", value, int(point[f"d{number}_ffn_width"]))
        written.norm("norm", value)
        written.append("fc", Op.LINEAR, "norm", K=self.classes, C=out)
        image = TensorShape("image", C=self.channels, H=self.extent, W=self.extent)
        return Workload("encoder_decoder", (image,), tuple(read.layers))


def _memory(read: Tokens, given: list[str], name: str) -> Memory:
    """The tokens of some of the encoder's layers behind one another, normalised."""
    value, tokens, width = given[0], read.tokens * len(given), read.width
    if len(given) > 1:
        value = f"{name}_joined"
        read.layers.append(Layer(value, Op.CONCAT, groups=width, P=tokens, axis="P", inputs=tuple(given)))
    read.layers.append(Layer(f"{name}_norm", Op.LAYERNORM, K=width, C=width, P=tokens, inputs=(value,)))
    return Memory(f"{name}_norm", tokens, width)
