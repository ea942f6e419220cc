"""Layers one after another, each told where it reads: a workload as tracing the same module would give it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload


def same_conv(
    name: str,
    source: str,
    shape: tuple[int, int],
    out: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    relu: bool = False,
    bits: Bits = Bits(),  # noqa: B008 - frozen
    dilation: tuple[int, int] = (1, 1),
) -> Layer:
    """A convolution that keeps rows and columns but for its stride.

    Args:
        shape: channels and extent of the source.
        dilation: rows and columns between the taps of a filter.
    """
    channels, extent = shape
    after, spans = -(-extent // stride), [(kernel - 1) * apart + 1 for apart in dilation]
    before = [span // 2 for span in spans]
    # Bottom and right are padded by what the last window needs, no more: with stride 2 it may be one less.
    behind = [max((after - 1) * stride + span - extent - first, 0) for span, first in zip(spans, before, strict=True)]
    return Layer(
        name,
        Op.CONV,
        K=out // groups,
        C=channels // groups,
        P=after,
        Q=after,
        R=kernel,
        S=kernel,
        groups=groups,
        stride=(stride, stride),
        dilation=dilation,
        padding=(before[0], before[1], behind[0], behind[1]),
        activation="relu" if relu else "",
        bits=bits,
        inputs=(source,),
    )


class LayerList:
    """Appends layers over an image with 8-bit data.

    Args:
        channels, extent: of the image.
    """

    image = "image"

    def __init__(self, channels: int, extent: int) -> None:
        self._layers: list[Layer] = []
        self._scales: set[str] = set()
        self._shape = {self.image: (channels, extent)}
        self._image = TensorShape(self.image, C=channels, H=extent, W=extent)

    def channels(self, name: str) -> int:
        """Of a tensor."""
        return self._shape[name][0]

    def extent(self, name: str) -> int:
        """Rows and columns of a tensor."""
        return self._shape[name][1]

    def _append(self, layer: Layer) -> str:
        self._layers.append(layer)
        self._shape[layer.name] = layer.channels_out, layer.P
        return layer.name

    def conv(
        self, name: str, source: str, out: int, kernel: int, *, stride: int = 1, groups: int = 1, relu: bool = False
    ) -> str:
        """A convolution that keeps rows and columns but for its stride."""
        shape = self._shape[source]
        return self._append(same_conv(name, source, shape, out, kernel, stride=stride, groups=groups, relu=relu))

    def scale(self, name: str, source: str, *, relu: bool = False) -> str:
        """Each channel by a number of its own; see :meth:`workload`."""
        channels = self.channels(source)
        self._scales.add(name)
        return self.conv(name, source, channels, 1, groups=channels, relu=relu)

    def relu(self, name: str, source: str) -> str:
        """A ReLU; see :meth:`workload`."""
        channels, extent = self._shape[source]
        layer = Layer(name, Op.ACT, groups=channels, P=extent, Q=extent, activation="relu", inputs=(source,))
        return self._append(layer)

    def pool(self, name: str, source: str, size: int = 0) -> str:
        """Mean over windows that do not overlap; of the whole tensor where no size is given."""
        channels, extent = self._shape[source]
        window = size or extent
        step = window if size else 1
        out = extent // window
        return self._append(
            Layer(
                name,
                Op.AVGPOOL,
                groups=channels,
                P=out,
                Q=out,
                R=window,
                S=window,
                stride=(step, step),
                inputs=(source,),
            )
        )

    def pool_same(self, name: str, source: str) -> str:
        """Mean over 3x3 windows, the border's over fewer: a mean over all nine, made up for by a constant factor."""
        channels, extent = self._shape[source]
        shape: dict[str, Any] = {"groups": channels, "P": extent, "Q": extent}
        self._append(Layer(name, Op.AVGPOOL, **shape, R=3, S=3, padding=(1, 1, 1, 1), inputs=(source,)))
        self._append(Layer(f"{name}_factor", Op.CONSTANT, **shape))
        return self._append(Layer(f"{name}_mul", Op.MUL, **shape, inputs=(name, f"{name}_factor")))

    def max_pool(self, name: str, source: str, size: int, stride: int) -> str:
        """The largest of each window; odd windows keep rows and columns but for their stride."""
        channels, extent = self._shape[source]
        edge = size // 2 if size % 2 else 0
        out = (extent + 2 * edge - size) // stride + 1
        behind = (out - 1) * stride + size - extent - edge
        shape: dict[str, Any] = {"groups": channels, "P": out, "Q": out, "R": size, "S": size}
        shape |= {"stride": (stride, stride), "padding": (edge, edge, max(behind, 0), max(behind, 0))}
        return self._append(Layer(name, Op.MAXPOOL, **shape, inputs=(source,)))

    def first(self, name: str, source: str, channels: int) -> str:
        """The first channels of a tensor; the tensor itself where it has no more."""
        before, extent = self._shape[source]
        if channels == before:
            return source
        return self._append(Layer(name, Op.RESHAPE, groups=channels, P=extent, Q=extent, moves="box", inputs=(source,)))

    def joined(self, name: str, sources: list[str]) -> str:
        """Channels of several tensors behind one another."""
        channels, extent = sum(self.channels(source) for source in sources), self.extent(sources[0])
        return self._append(
            Layer(name, Op.CONCAT, groups=channels, P=extent, Q=extent, axis="K", inputs=tuple(sources))
        )

    def add(self, name: str, one: str, other: str) -> str:
        """A sum."""
        channels, extent = self._shape[one]
        return self._append(Layer(name, Op.ADD, groups=channels, P=extent, Q=extent, inputs=(one, other)))

    def linear(self, name: str, source: str, out: int) -> str:
        """Over channels."""
        return self._append(Layer(name, Op.LINEAR, K=out, C=self.channels(source), inputs=(source,)))

    def workload(self, name: str) -> Workload:
        """The layers. What a layer's only reader does to each element or channel of it, that layer does itself: a ReLU,
        or, where it is a convolution, a scale.
        """
        readers: dict[str, int] = {}
        for layer in self._layers:
            for source in layer.inputs:
                readers[source] = readers.get(source, 0) + 1
        kept, renamed, places = list[Layer](), dict[str, str](), dict[str, int]()
        for layer in self._layers:
            read = replace(layer, inputs=tuple(renamed.get(source, source) for source in layer.inputs))
            place = places.get(read.inputs[0]) if read.inputs and readers[layer.inputs[0]] == 1 else None
            if place is not None and self._joins(layer, kept[place]):
                kept[place] = replace(kept[place], activation=layer.activation)
                renamed[layer.name] = kept[place].name
                continue
            places[layer.name] = len(kept)
            kept.append(read)
        return Workload(name, (self._image,), tuple(kept))

    def _joins(self, layer: Layer, before: Layer) -> bool:
        if before.activation:
            return False
        spec = before.op.spec
        return layer.op.spec.function or (layer.name in self._scales and spec.convolves and spec.windowed)
