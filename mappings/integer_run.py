"""A quantised network in plain numpy: the arithmetic of :mod:`mappings.quantized`, layer by layer.

Tensors are int64 ``[N, channels, rows, columns]``. Convolutions run as float64 matrix products, which are exact here
because every partial sum is an integer below 2^53.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mappings import integer_ops
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork, rescale

_PAD_MAX = np.iinfo(np.int32).min


def run_layer(layer: Layer, parameters: QuantizedLayer, operands: list[IntArray], samples: int = 1) -> IntArray:
    """Output ``[samples * N, G*K, P, Q]`` of one layer.

    Args:
        layer: loop bounds and widths.
        parameters: its integers.
        operands: stored tensors ``[samples * N, channels, rows, columns]``, in operand order.
        samples: how many runs of the network are stacked.
    """
    if layer.op is Op.RESHAPE:
        return _reshape(layer, parameters, operands[0], samples)
    if layer.op is Op.CONSTANT:
        return np.tile(parameters.constants["value"], (samples, 1, 1, 1))
    return _RUN[layer.op](layer, parameters, operands)


def run_network(network: QuantizedNetwork, inputs: Mapping[str, IntArray]) -> dict[str, IntArray]:
    """Output of every layer, by name.

    Args:
        network: a quantised network.
        inputs: integers ``[n, C, H, W]`` by input name; ``n`` a multiple of the workload's batch.

    Raises:
        SpecError: an input that is missing, of another shape, or outside its bits.
    """
    samples = check_inputs(network, {name: value.shape for name, value in inputs.items()})
    values: dict[str, IntArray] = {}
    for tensor in network.workload.inputs:
        value, limit = np.asarray(inputs[tensor.name]), 1 << (tensor.bits - 1)
        if value.dtype.kind not in "iu" or value.min() < -limit or value.max() >= limit:
            raise SpecError(Fault(f"input {tensor.name}", f"is not of {tensor.bits}-bit integers"))
        values[tensor.name] = value.astype(np.int64)
    for layer in network.workload.layers:
        operands = [values[source] for source in layer.inputs]
        values[layer.name] = run_layer(layer, network.layers[layer.name], operands, samples)
    return {layer.name: values[layer.name] for layer in network.workload.layers}


def check_inputs(network: QuantizedNetwork, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many runs of the network the inputs hold.

    Raises:
        SpecError: names or shapes that are not the workload's, all of them at once.
    """
    faults = []
    counts = set()
    for tensor in network.workload.inputs:
        wanted = (tensor.C, tensor.H, tensor.W)
        shape = shapes.get(tensor.name)
        if shape is None:
            faults.append(Fault(f"input {tensor.name}", "is missing"))
        elif len(shape) != 4 or shape[1:] != wanted or shape[0] < 1 or shape[0] % tensor.N:
            sizes = "n" if tensor.N == 1 else f"{tensor.N} n"
            faults.append(Fault(f"input {tensor.name}", f"has shape {list(shape)}", f"[{sizes}, {wanted}]"))
        else:
            counts.add(shape[0] // tensor.N)
    if len(counts) > 1:
        faults.append(Fault("inputs", f"hold different numbers of samples: {sorted(counts)}"))
    if faults:
        raise SpecError(faults)
    return counts.pop()


def _windows(layer: Layer, x: IntArray, fill: int) -> IntArray:
    """``[N, channels, P, Q, R, S]``: what each output place sees."""
    top, left, bottom, right = layer.padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    reach = [(layer.R - 1) * layer.dilation[0] + 1, (layer.S - 1) * layer.dilation[1] + 1]
    view = sliding_window_view(padded, reach, axis=(2, 3))
    view = view[:, :, :: layer.stride[0], :: layer.stride[1], :: layer.dilation[0], :: layer.dilation[1]]
    return view[:, :, : layer.P, : layer.Q]


def _clipped(value: IntArray, q: QuantizedLayer) -> IntArray:
    return np.clip(value, q.low, q.high)


def _required(array: IntArray | None) -> IntArray:
    assert array is not None
    return array


def _requantised(accumulator: IntArray, q: QuantizedLayer) -> IntArray:
    """Bias, rescaling per output channel, clamp; ``[N, G*K, P, Q]``."""
    if q.bias is not None:
        accumulator = accumulator + q.bias.reshape(1, -1, 1, 1)
    mult, shift = _required(q.mult).reshape(1, -1, 1, 1), _required(q.shift).reshape(1, -1, 1, 1)
    return _clipped(rescale(accumulator, mult, shift), q)


def _product(a: IntArray, b: IntArray) -> IntArray:
    """Exact matrix product of integers through float64."""
    product: NDArray[np.float64] = np.matmul(a.astype(np.float64), b.astype(np.float64))
    return product.astype(np.int64)


def _conv(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    windows = _windows(layer, operands[0], 0)
    n, g = windows.shape[0], layer.groups
    taps = layer.C * layer.R * layer.S
    columns = windows.reshape(n, g, layer.C, layer.P, layer.Q, layer.R, layer.S).transpose(0, 1, 3, 4, 2, 5, 6)
    weights = _required(q.weight).reshape(g, layer.K, taps).transpose(0, 2, 1)
    sums = _product(columns.reshape(n, g, layer.P * layer.Q, taps), weights)
    return _requantised(sums.transpose(0, 1, 3, 2).reshape(n, g * layer.K, layer.P, layer.Q), q)


def _transposed_conv(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    x = operands[0]
    n, _, h, w = x.shape
    g, (step_h, step_w), (grow_h, grow_w) = layer.groups, layer.stride, layer.dilation
    top, left = layer.padding[:2]
    weights = _required(q.weight).reshape(g, layer.K, layer.C, layer.R, layer.S)
    rows = max(layer.P + top, (h - 1) * step_h + (layer.R - 1) * grow_h + 1)
    columns = max(layer.Q + left, (w - 1) * step_w + (layer.S - 1) * grow_w + 1)
    full = np.zeros((n, g, layer.K, rows, columns), dtype=np.int64)
    source = x.reshape(n, g, layer.C, h * w)
    for r in range(layer.R):
        for s in range(layer.S):
            part = _product(weights[None, :, :, :, r, s], source).reshape(n, g, layer.K, h, w)
            r0, s0 = r * grow_h, s * grow_w
            full[..., r0 : r0 + (h - 1) * step_h + 1 : step_h, s0 : s0 + (w - 1) * step_w + 1 : step_w] += part
    cut = full[..., top : top + layer.P, left : left + layer.Q]
    return _requantised(cut.reshape(n, g * layer.K, layer.P, layer.Q), q)


def _matmul(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    n, g = operands[0].shape[0], layer.groups
    left = operands[0].reshape(n, g, layer.C, layer.P).transpose(0, 1, 3, 2)
    if layer.transpose_b:
        right = operands[1].reshape(n, g, layer.C, layer.K)
    else:
        right = operands[1].reshape(n, g, layer.K, layer.C).transpose(0, 1, 3, 2)
    sums = _product(left, right)
    return _requantised(sums.transpose(0, 1, 3, 2).reshape(n, g * layer.K, layer.P, layer.Q), q)


def _max_pool(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    return _clipped(_windows(layer, operands[0], _PAD_MAX).max(axis=(4, 5)), q)


def _average_pool(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    return _requantised(_windows(layer, operands[0], 0).sum(axis=(4, 5)), q)


def _add(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    assert q.add_mult is not None
    total = operands[0] * q.add_mult[0] + operands[1] * q.add_mult[1]
    return _clipped(rescale(total, 1, _required(q.shift)[0]), q)


def _multiply(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    product = operands[0] * operands[1]
    return _clipped(rescale(product, _required(q.mult)[0], _required(q.shift)[0]), q)


def _concat(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    return np.concatenate(operands, axis={"": 1, "K": 1, "P": 2, "Q": 3}[layer.axis])


def _activation(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    x = operands[0]
    if layer.activation in ("relu", "relu6"):
        return _clipped(x, q)
    if layer.activation == "gelu":
        argument = int(q.constants["arg_mult"][0]), int(q.constants["arg_shift"][0])
        return integer_ops.gelu(x, *argument, int(_required(q.mult)[0]), int(_required(q.shift)[0]), q.low, q.high)
    return integer_ops.table_lookup(x, q.constants["table"], layer.bits.I, q.low, q.high)


def _rows(layer: Layer, x: IntArray) -> IntArray:
    """``[N, G, P, Q, C]`` of ``[N, G*C, P, Q]``."""
    return np.moveaxis(x.reshape(x.shape[0], layer.groups, layer.C, layer.P, layer.Q), 2, -1)


def _softmax(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    x = operands[0]
    mask = q.constants.get("mask")
    mask = None if mask is None else mask.reshape(1, 1, layer.P, layer.Q, layer.C)
    argument = int(q.constants["arg_mult"][0]), int(q.constants["arg_shift"][0])
    y = integer_ops.softmax(_rows(layer, x), *argument, int(_required(q.shift)[0]), q.high, mask)
    return np.moveaxis(y, -1, 2).reshape(x.shape)


def _layer_norm(layer: Layer, q: QuantizedLayer, operands: list[IntArray]) -> IntArray:
    x = operands[0]
    constants = q.constants["gain"], q.constants["bias"], int(_required(q.shift)[0]), int(q.constants["epsilon"][0])
    y = integer_ops.layer_norm(_rows(layer, x), *constants, q.low, q.high)
    return np.moveaxis(y, -1, 2).reshape(x.shape)


def _reshape(layer: Layer, q: QuantizedLayer, x: IntArray, samples: int) -> IntArray:
    shape = (samples * layer.N, layer.channels_out, layer.P, layer.Q)
    if "index" not in q.constants:
        return x.reshape(shape)
    flat = np.concatenate([x.reshape(samples, -1), np.zeros((samples, 1), dtype=np.int64)], axis=1)
    return flat[:, q.constants["index"].reshape(-1)].reshape(shape)


_RUN: dict[Op, Callable[[Layer, QuantizedLayer, list[IntArray]], IntArray]] = {
    Op.CONV: _conv,
    Op.LINEAR: _conv,
    Op.TRCONV: _transposed_conv,
    Op.MATMUL: _matmul,
    Op.MAXPOOL: _max_pool,
    Op.AVGPOOL: _average_pool,
    Op.ADD: _add,
    Op.MUL: _multiply,
    Op.CONCAT: _concat,
    Op.ACT: _activation,
    Op.SOFTMAX: _softmax,
    Op.LAYERNORM: _layer_norm,
}
