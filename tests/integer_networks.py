"""Random integer networks, and a plain numpy execution of them: the HLS tests' own reference, loops over taps only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mappings import integer_ops
from mappings.layer import Bits, Layer, Op
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork, multiplier, rescale
from mappings.workload import TensorShape, Workload


def limits(bits: int) -> tuple[int, int]:
    """Smallest and largest value of that many bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def _taps(x: IntArray, layer: Layer, fill: int) -> IntArray:
    """``[R, S, channels, P, Q]``: what each tap sees, ``fill`` in the padding."""
    top, left, bottom, right = layer.padding
    rows = (layer.P - 1) * layer.stride[0] + (layer.R - 1) * layer.dilation[0] + 1
    cols = (layer.Q - 1) * layer.stride[1] + (layer.S - 1) * layer.dilation[1] + 1
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right)), constant_values=fill)[:, :rows, :cols]
    return np.stack(
        [
            np.stack(
                [
                    padded[
                        :,
                        r * layer.dilation[0] : r * layer.dilation[0]
                        + (layer.P - 1) * layer.stride[0]
                        + 1 : layer.stride[0],
                        s * layer.dilation[1] : s * layer.dilation[1]
                        + (layer.Q - 1) * layer.stride[1]
                        + 1 : layer.stride[1],
                    ]
                    for s in range(layer.S)
                ]
            )
            for r in range(layer.R)
        ]
    )


def _accumulate(x: IntArray, layer: Layer, weight: IntArray) -> IntArray:
    """Sums of a convolution, ``[G * K, P, Q]``."""
    if layer.op is Op.TRCONV:
        out = np.zeros((layer.channels_out, layer.P, layer.Q), dtype=np.int64)
        for h, w, r, s in np.ndindex(x.shape[1], x.shape[2], layer.R, layer.S):
            p = h * layer.stride[0] + r * layer.dilation[0] - layer.padding[0]
            q = w * layer.stride[1] + s * layer.dilation[1] - layer.padding[1]
            if 0 <= p < layer.P and 0 <= q < layer.Q:
                grouped = weight[:, :, r, s].reshape(layer.groups, layer.K, layer.C)
                out[:, p, q] += np.einsum("gkc,gc->gk", grouped, x[:, h, w].reshape(layer.groups, layer.C)).reshape(-1)
        return out
    taps = _taps(x, layer, 0).reshape(layer.R, layer.S, layer.groups, layer.C, layer.P, layer.Q)
    grouped = weight.reshape(layer.groups, layer.K, layer.C, layer.R, layer.S)
    total = np.zeros((layer.groups, layer.K, layer.P * layer.Q), dtype=np.int64)
    for r, s in np.ndindex(layer.R, layer.S):
        total += grouped[..., r, s] @ taps[r, s].reshape(layer.groups, layer.C, -1)
    return total.reshape(layer.channels_out, layer.P, layer.Q)


def _run(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    x = operands[0] if operands else np.zeros(0, dtype=np.int64)
    match layer.op:
        case Op.CONV | Op.LINEAR | Op.TRCONV:
            assert q.weight is not None and q.bias is not None and q.mult is not None and q.shift is not None
            acc = _accumulate(x, layer, q.weight) + q.bias[:, None, None]
            return np.clip(rescale(acc, q.mult[:, None, None], q.shift[:, None, None]), q.low, q.high)
        case Op.MATMUL:
            assert q.mult is not None and q.shift is not None
            a = x.reshape(layer.groups, layer.C, layer.P)
            if layer.transpose_b:
                b = operands[1].reshape(layer.groups, layer.C, layer.K)
                acc = np.einsum("gcp,gck->gkp", a, b)
            else:
                b = operands[1].reshape(layer.groups, layer.K, layer.C)
                acc = np.einsum("gcp,gkc->gkp", a, b)
            out = rescale(acc, int(q.mult[0]), int(q.shift[0])).reshape(layer.channels_out, layer.P, 1)
            return np.clip(out, q.low, q.high)
        case Op.MAXPOOL:
            return np.clip(_taps(x, layer, -(1 << 40)).max(axis=(0, 1)), q.low, q.high)
        case Op.AVGPOOL:
            assert q.mult is not None and q.shift is not None
            return np.clip(rescale(_taps(x, layer, 0).sum(axis=(0, 1)), int(q.mult[0]), int(q.shift[0])), q.low, q.high)
        case Op.ADD:
            assert q.add_mult is not None and q.shift is not None
            total = operands[0] * q.add_mult[0] + operands[1] * q.add_mult[1]
            return np.clip(rescale(total, 1, int(q.shift[0])), q.low, q.high)
        case Op.MUL:
            assert q.mult is not None and q.shift is not None
            return np.clip(rescale(operands[0] * operands[1], int(q.mult[0]), int(q.shift[0])), q.low, q.high)
        case Op.CONCAT:
            return np.concatenate(operands, axis={"": 0, "K": 0, "P": 1, "Q": 2}[layer.axis])
        case Op.CONSTANT:
            return q.constants["value"][0]
        case Op.RESHAPE:
            flat = x.reshape(-1)
            index = q.constants.get("index")
            flat = flat if index is None else flat[index.reshape(-1)]
            return flat.reshape(layer.channels_out, layer.P, layer.Q)
        case _:
            return _run_nonlinear(layer, q, x)


def _run_nonlinear(layer: Layer, q: QuantizedLayer, x: IntArray) -> IntArray:
    constants = q.constants
    last = np.moveaxis(x.reshape(layer.groups, layer.C, layer.P, layer.Q), 1, -1)  # [G, P, Q, C]
    if layer.op is Op.SOFTMAX:
        mask = constants.get("mask")
        out = integer_ops.softmax(
            last,
            int(constants["arg_mult"][0]),
            int(constants["arg_shift"][0]),
            layer.bits.O,
            q.high,
            None if mask is None else mask[None, :, None, :],
        )
    elif layer.op is Op.LAYERNORM:
        assert q.shift is not None
        shift, epsilon = int(q.shift[0]), int(constants["epsilon"][0])
        out = integer_ops.layer_norm(last, constants["gain"], constants["bias"], shift, epsilon, q.low, q.high)
    elif layer.activation == "gelu":
        assert q.mult is not None and q.shift is not None
        arg = int(constants["arg_mult"][0]), int(constants["arg_shift"][0])
        return integer_ops.gelu(x, *arg, int(q.mult[0]), int(q.shift[0]), q.low, q.high)
    elif "table" in constants:
        return integer_ops.table_lookup(x, constants["table"], layer.bits.I, q.low, q.high)
    else:
        return np.clip(x, q.low, q.high)
    return np.moveaxis(out, -1, 1).reshape(layer.channels_out, layer.P, layer.Q)


def run_network(network: QuantizedNetwork, inputs: dict[str, IntArray]) -> dict[str, IntArray]:
    """Every layer's output ``[images, channels, rows, columns]`` for inputs of the same form."""
    images: list[dict[str, IntArray]] = []
    for image in range(len(next(iter(inputs.values())))):
        values = {name: value[image] for name, value in inputs.items()}
        for layer in network.workload.layers:
            values[layer.name] = _run(layer, network.layers[layer.name], [values[name] for name in layer.inputs])
        images.append(values)
    return {layer.name: np.stack([v[layer.name] for v in images]) for layer in network.workload.layers}


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
