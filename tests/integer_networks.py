"""Random integer networks, grown layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mappings.layer import Bits, Layer, Op
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork, multiplier
from mappings.workload import TensorShape, Workload


def limits(bits: int) -> tuple[int, int]:
    """Smallest and largest value of that many bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


@dataclass
class Builder:
    """Grows a random integer network layer by layer."""

    rng: np.random.Generator
    input: TensorShape
    act_bits: int = 8
    weight_bits: int = 8
    acc_bits: int = 32
    layers: list[Layer] = field(default_factory=list)
    parameters: dict[str, QuantizedLayer] = field(default_factory=dict)

    def shape(self, name: str) -> tuple[int, int, int]:
        """Channels, rows, columns of a tensor."""
        if name == self.input.name:
            return self.input.C, self.input.H, self.input.W
        layer = next(layer for layer in self.layers if layer.name == name)
        return layer.channels_out, layer.P, layer.Q

    def _add(self, layer: Layer, quantized: QuantizedLayer) -> str:
        self.layers.append(layer)
        self.parameters[layer.name] = quantized
        return layer.name

    def _bits(self) -> Bits:
        return Bits(I=self.act_bits, W=self.weight_bits, O=self.act_bits, acc=self.acc_bits)

    def conv(
        self,
        name: str,
        source: str,
        channels: int,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: tuple[int, int, int, int] = (0, 0, 0, 0),
        groups: int = 1,
        op: Op = Op.CONV,
        relu: bool = False,
    ) -> str:
        """A convolution (or transposed one) with full-range weights."""
        c, h, w = self.shape(source)
        extents = []
        for axis, size in enumerate((h, w)):
            span = (kernel[axis] - 1) * dilation[axis] + 1
            pads = padding[axis] + padding[axis + 2]
            if op is Op.TRCONV:
                extents.append((size - 1) * stride[axis] + span - pads)
            else:
                extents.append((size + pads - span) // stride[axis] + 1)
        layer = Layer(
            name,
            op,
            K=channels // groups,
            C=c // groups,
            P=extents[0],
            Q=extents[1],
            R=kernel[0],
            S=kernel[1],
            groups=groups,
            stride=stride,
            dilation=dilation,
            padding=padding,
            activation="relu" if relu else "",
            bits=self._bits(),
            inputs=(source,),
        )
        low, high = limits(self.weight_bits)
        weight = self.rng.integers(low + 1, high + 1, (channels, c // groups, *kernel))
        taps = c // groups * kernel[0] * kernel[1]
        spread = float(np.sqrt(taps)) * (1 << (self.weight_bits - 1))
        return self._add(layer, self._requantised(channels, spread, weight, relu))

    def _requantised(self, channels: int, spread: float, weight: IntArray | None, relu: bool) -> QuantizedLayer:
        pairs = [
            multiplier(float(f) / spread, 31 if self.acc_bits == 32 else 15) for f in self.rng.uniform(0.5, 2, channels)
        ]
        low, high = limits(self.act_bits)
        reach = max(1, int(spread * (1 << (self.act_bits - 3))))
        bias = self.rng.integers(-reach, reach + 1, channels)
        mult, shift = np.asarray(pairs, dtype=np.int64).T
        return QuantizedLayer(0 if relu else low, high, 1.0, weight, bias, mult, shift)

    def simple(self, layer: Layer, **fields: object) -> str:
        """Any other layer with explicit integers; bits are the network's."""
        low, high = limits(self.act_bits)
        from_caller = QuantizedLayer(low, high, 1.0, **fields)  # type: ignore[arg-type]
        return self._add(layer, from_caller)

    def matmul(self, name: str, a: str, b: str, groups: int, transpose_b: bool) -> str:
        """``G`` products of the rows of ``a`` with ``b``."""
        channels, rows, _ = self.shape(a)
        other, other_rows, _ = self.shape(b)
        k = other_rows if transpose_b else other // groups
        layer = Layer(
            name,
            Op.MATMUL,
            K=k,
            C=channels // groups,
            P=rows,
            groups=groups,
            transpose_b=transpose_b,
            bits=self._bits(),
            inputs=(a, b),
        )
        mult, shift = multiplier(1 / (np.sqrt(channels // groups) * (1 << (self.act_bits - 2))))
        return self.simple(layer, mult=np.asarray([mult]), shift=np.asarray([shift]))

    def network(self) -> QuantizedNetwork:
        """What has grown so far."""
        return QuantizedNetwork(
            Workload("random", (self.input,), tuple(self.layers)), dict(self.parameters), {self.input.name: 1.0}
        )

    def images(self, count: int) -> IntArray:
        """Random inputs over the whole range."""
        low, high = limits(self.input.bits)
        return self.rng.integers(low, high + 1, (count, self.input.C, self.input.H, self.input.W))
