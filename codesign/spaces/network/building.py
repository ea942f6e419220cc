"""Layers of the built-in network spaces, one after another."""

from __future__ import annotations

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

    def conv(self, name: str, out: int, kernel: int, stride: int = 1, *, depthwise: bool = False, relu: bool) -> None:
        """A convolution, padded to keep its extent over the stride."""
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
        """The sum with another tensor."""
        extent, sources = self.extent, (other, self.tensor)
        self.layers.append(
            Layer(name, Op.ADD, groups=self.channels, P=extent, Q=extent, bits=self.bits, inputs=sources)
        )
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
