"""Layers of a convolutional network one after another, with the shape of the tensor that flows."""

from __future__ import annotations

from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload


class Builder:
    """Appends layers.

    Args:
        bits: of every tensor.
        extent: rows and columns of the image.
        channels: of the image.

    Attributes:
        tensor, channels, extent: the tensor that the next layer reads.
    """

    def __init__(self, bits: Bits, extent: int, channels: int = 1) -> None:
        self.bits = bits
        self.layers: list[Layer] = []
        self._image = TensorShape("image", C=channels, H=extent, W=extent, bits=bits.I)
        self.tensor, self.channels, self.extent = "image", channels, extent

    def at(self, tensor: str, channels: int, extent: int) -> None:
        """Read another tensor next."""
        self.tensor, self.channels, self.extent = tensor, channels, extent

    def conv(self, name: str, out: int, kernel: int, stride: int = 1, *, depthwise: bool = False, relu: bool) -> None:
        """A convolution of "same" extent before its stride."""
        after = -(-self.extent // stride)
        before = kernel // 2
        # The bottom and right padding is what the last window needs, no more: with stride 2 it may be one less.
        behind = max((after - 1) * stride + kernel - self.extent - before, 0)
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
        """The tensor plus another of its shape."""
        extent, sources = self.extent, (other, self.tensor)
        self.layers.append(
            Layer(name, Op.ADD, groups=self.channels, P=extent, Q=extent, bits=self.bits, inputs=sources)
        )
        self.tensor = name

    def average(self, name: str, window: int) -> None:
        """The mean over windows that do not overlap."""
        self.extent //= window
        pool = Layer(
            name,
            Op.AVGPOOL,
            groups=self.channels,
            P=self.extent,
            Q=self.extent,
            R=window,
            S=window,
            stride=(window, window),
            bits=self.bits,
            inputs=(self.tensor,),
        )
        self.layers.append(pool)
        self.tensor = name

    def classifier(self, classes: int) -> None:
        """The mean of each channel, and a linear layer."""
        self.average("pool", self.extent)
        self.layers.append(Layer("fc", Op.LINEAR, K=classes, C=self.channels, bits=self.bits, inputs=("pool",)))

    def workload(self, name: str) -> Workload:
        """All of it."""
        return Workload(name, (self._image,), tuple(self.layers))
