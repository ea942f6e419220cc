"""Layers of the built-in network spaces, one after another."""

from __future__ import annotations

from typing import Any

from codesign.spaces.network.layers import same_conv
from mappings.layer import Bits, Layer, Op


class Builder:
    """Appends layers, following the shape of the tensor that flows.

    Args:
        bits: of every layer.
        channels, extent: of the image.
    """

    def __init__(self, bits: Bits, channels: int, extent: int) -> None:
        self.bits = bits
        self.layers: list[Layer] = []
        self.tensor, self.channels, self.extent = "image", channels, extent

    def conv(
        self,
        name: str,
        out: int,
        kernel: int,
        stride: int = 1,
        *,
        depthwise: bool = False,
        relu: bool,
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
    ) -> None:
        """A convolution, padded to keep its extent over the stride."""
        shape = self.channels, self.extent
        how: dict[str, Any] = {"stride": stride, "groups": self.channels if depthwise else groups, "relu": relu}
        layer = same_conv(name, self.tensor, shape, out, kernel, **how, bits=self.bits, dilation=dilation)
        self.layers.append(layer)
        self.tensor, self.channels, self.extent = name, out, layer.P

    def add(self, name: str, other: str, *, relu: bool = False) -> None:
        """The sum with another tensor; of two that are never negative, ``relu`` has it use the whole range."""
        shape: dict[str, Any] = {"groups": self.channels, "P": self.extent, "Q": self.extent}
        activation, sources = "relu" if relu else "", (other, self.tensor)
        self.layers.append(Layer(name, Op.ADD, **shape, activation=activation, bits=self.bits, inputs=sources))
        self.tensor = name

    def gate(self, block: str, hidden: int) -> None:
        """Each channel times what two small layers make of all channels' means."""
        source, channels, extent = self.tensor, self.channels, self.extent
        self._pool(f"{block}_mean")
        self.extent = 1
        self.conv(f"{block}_squeeze", hidden, 1, relu=True)
        self.conv(f"{block}_gate", channels, 1, relu=True)
        self.extent, inputs = extent, (source, self.tensor)
        name = f"{block}_scale"
        self.layers.append(Layer(name, Op.MUL, groups=channels, P=extent, Q=extent, bits=self.bits, inputs=inputs))
        self.tensor = name

    def enlarge(self, name: str, factor: int) -> None:
        """Each place as many times both ways; by 1 nothing is added."""
        if factor == 1:
            return
        self.extent *= factor
        shape: dict[str, Any] = {"groups": self.channels, "P": self.extent, "Q": self.extent}
        repeated: dict[str, Any] = {"moves": "box", "dilation": (factor, factor)}
        self.layers.append(Layer(name, Op.RESHAPE, **shape, **repeated, bits=self.bits, inputs=(self.tensor,)))
        self.tensor = name

    def shrink(self, name: str, factor: int) -> None:
        """Means of squares of so many rows and columns; by 1 nothing is added."""
        if factor == 1:
            return
        window: dict[str, Any] = {"R": factor, "S": factor, "stride": (factor, factor)}
        self.extent //= factor
        shape: dict[str, Any] = {"groups": self.channels, "P": self.extent, "Q": self.extent}
        self.layers.append(Layer(name, Op.AVGPOOL, **shape, **window, bits=self.bits, inputs=(self.tensor,)))
        self.tensor = name

    def gated_by(self, name: str, other: str) -> None:
        """Each channel times what a small layer makes of all channels' means of another tensor of this shape."""
        source, channels, extent = self.tensor, self.channels, self.extent
        self.tensor = other
        self._pool(f"{name}_mean")
        self.extent = 1
        self.conv(f"{name}_gate", channels, 1, relu=True)
        self.extent, inputs = extent, (source, self.tensor)
        self.layers.append(Layer(name, Op.MUL, groups=channels, P=extent, Q=extent, bits=self.bits, inputs=inputs))
        self.tensor = name

    def classifier(self, classes: int) -> None:
        """Means of the channels, and a linear layer."""
        self._pool("pool")
        self.layers.append(Layer("fc", Op.LINEAR, K=classes, C=self.channels, bits=self.bits, inputs=("pool",)))

    def _pool(self, name: str) -> None:
        window, inputs = self.extent, (self.tensor,)
        stride = (window, window)
        self.layers.append(
            Layer(
                name, Op.AVGPOOL, groups=self.channels, R=window, S=window, stride=stride, bits=self.bits, inputs=inputs
            )
        )
        self.tensor = name
