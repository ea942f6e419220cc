"""The MnasNet space of inverted-bottleneck networks, from four settings a block to a workload.

Seven blocks of inverted bottlenecks (Tan 2019, figure 4), each with its own expansion ``e``, kernel ``k``, number of
repetitions ``l`` and squeeze-excite ``se``; the stem, the widths, the strides and the head are fixed. The settings and
the measured figures of such networks are those of Accel-NASBench (Ahmad 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload

IMAGE = 224
CLASSES = 1000
STEM_CHANNELS = 32
#: Channels into the first block and out of each.
CHANNELS = (STEM_CHANNELS, 16, 24, 40, 80, 112, 192, 320)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
HEAD_CHANNELS = 1280
#: The squeeze keeps one channel for so many *input* channels of the bottleneck.
SQUEEZE = 4
BLOCKS = len(STRIDES)


@dataclass(frozen=True)
class MnasNet:
    """One network of the space; seven settings each.

    Attributes:
        expansion: channels inside a bottleneck, as a multiple of its input channels (1: no expanding convolution).
        kernel: extent of the depthwise filter, odd.
        repeats: bottlenecks in the block.
        squeeze_excite: 1 where the block weights its channels by their averages.
    """

    expansion: tuple[int, ...]
    kernel: tuple[int, ...]
    repeats: tuple[int, ...]
    squeeze_excite: tuple[int, ...]

    def __post_init__(self) -> None:
        bounds = {"expansion": (1, 16), "kernel": (1, 15), "repeats": (1, 16), "squeeze_excite": (0, 1)}
        faults = [
            Fault(f"mnasnet.{name}", f"is {getattr(self, name)}", f"{BLOCKS} integers from {low} to {high}")
            for name, (low, high) in bounds.items()
            if len(getattr(self, name)) != BLOCKS
            or any(type(value) is not int or not low <= value <= high for value in getattr(self, name))
        ]
        if not faults and any(value % 2 == 0 for value in self.kernel):
            faults.append(Fault("mnasnet.kernel", f"is {self.kernel}", "odd extents"))
        if faults:
            raise SpecError(faults)

    @classmethod
    def parse(cls, expansion: str, kernel: str, repeats: str, squeeze_excite: str) -> MnasNet:
        """From settings joined by dashes, e.g. ``"6-1-6-6-4-6-4"``.

        Raises:
            SpecError: not seven integers each, or out of range; all faults at once.
        """
        texts = {"expansion": expansion, "kernel": kernel, "repeats": repeats, "squeeze_excite": squeeze_excite}
        faults = []
        values: dict[str, tuple[int, ...]] = {}
        for name, text in texts.items():
            parts = text.split("-")
            if all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
                values[name] = tuple(int(part) for part in parts)
            else:
                faults.append(Fault(f"mnasnet.{name}", f'is "{text[:60]}"', f"{BLOCKS} integers joined by dashes"))
        if faults:
            raise SpecError(faults)
        return cls(**values)

    def workload(self, name: str = "mnasnet") -> Workload:
        """Every operator of an inference of one image; batch normalisation is part of the convolution before it."""
        chain = _Chain()
        chain.convolution("stem", STEM_CHANNELS, 3, stride=2, activation="relu")
        for block, (before, after) in enumerate(pairwise(CHANNELS)):
            for index in range(self.repeats[block]):
                self._bottleneck(
                    chain,
                    block,
                    f"b{block}_{index}",
                    before if index == 0 else after,
                    after,
                    STRIDES[block] if index == 0 else 1,
                )
        chain.convolution("head", HEAD_CHANNELS, 1, activation="relu")
        chain.average("pool")
        chain.linear("classifier", CLASSES)
        return Workload(name, (TensorShape("image", 1, 3, IMAGE, IMAGE),), tuple(chain.layers))

    def _bottleneck(self, chain: _Chain, block: int, name: str, before: int, after: int, stride: int) -> None:
        entry = chain.source
        inside = before * self.expansion[block]
        if inside != before:
            chain.convolution(f"{name}_expand", inside, 1, activation="relu")
        chain.depthwise(f"{name}_depthwise", self.kernel[block], stride)
        if self.squeeze_excite[block]:
            chain.squeeze_excite(f"{name}_se", max(1, before // SQUEEZE))
        chain.convolution(f"{name}_project", after, 1)
        if stride == 1 and before == after:
            chain.add(f"{name}_add", entry)

    @property
    def parameters(self) -> int:
        """Trained values: weights, biases of the linear layers, and a scale and an offset a normalised channel.

        The squeeze-excite pair is linear (with biases); every other convolution is normalised and has none.
        """
        total = 0
        for layer in self.workload().layers:
            if layer.op.spec.weighted:
                per_channel = 2 if layer.op.spec.windowed else 1
                total += layer.elements["W"] + per_channel * layer.channels_out
        return total


class _Chain:
    """Layers one after another; remembers the last tensor's name, channels and extent."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.source = "image"
        self.channels = 3
        self.extent = IMAGE

    def _push(self, layer: Layer) -> None:
        self.layers.append(layer)
        self.source, self.channels, self.extent = layer.name, layer.channels_out, layer.P

    def _window(self, kernel: int, stride: int) -> tuple[int, tuple[int, int, int, int]]:
        """Output extent and padding of a window centred on each output (padded by half its extent)."""
        out = -(-self.extent // stride)
        before = kernel // 2
        after = max(0, (out - 1) * stride + kernel - before - self.extent)
        return out, (before, before, after, after)

    def convolution(self, name: str, channels: int, kernel: int, stride: int = 1, activation: str = "") -> None:
        out, padding = self._window(kernel, stride)
        self._push(
            Layer(
                name,
                Op.CONV,
                K=channels,
                C=self.channels,
                P=out,
                Q=out,
                R=kernel,
                S=kernel,
                stride=(stride, stride),
                padding=padding,
                activation=activation,
                inputs=(self.source,),
            )
        )

    def depthwise(self, name: str, kernel: int, stride: int) -> None:
        out, padding = self._window(kernel, stride)
        self._push(
            Layer(
                name,
                Op.CONV,
                groups=self.channels,
                P=out,
                Q=out,
                R=kernel,
                S=kernel,
                stride=(stride, stride),
                padding=padding,
                activation="relu",
                inputs=(self.source,),
            )
        )

    def average(self, name: str) -> None:
        self._push(Layer(name, Op.AVGPOOL, groups=self.channels, R=self.extent, S=self.extent, inputs=(self.source,)))

    def linear(self, name: str, channels: int, activation: str = "") -> None:
        self._push(Layer(name, Op.LINEAR, K=channels, C=self.channels, activation=activation, inputs=(self.source,)))

    def squeeze_excite(self, name: str, squeezed: int) -> None:
        source, channels, extent = self.source, self.channels, self.extent
        self.average(f"{name}_average")
        self.linear(f"{name}_squeeze", squeezed, "relu")
        self.linear(f"{name}_excite", channels, "sigmoid")
        self._push(Layer(f"{name}_scale", Op.MUL, groups=channels, P=extent, Q=extent, inputs=(source, self.source)))

    def add(self, name: str, other: str) -> None:
        self._push(Layer(name, Op.ADD, groups=self.channels, P=self.extent, Q=self.extent, inputs=(self.source, other)))
