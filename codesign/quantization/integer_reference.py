"""The PyTorch integer reference: what the RTL and the HLS must equal, bit for bit, on every layer.

Written apart from :mod:`mappings.integer_run` (numpy), from the same definitions; tests hold the two equal.
Convolutions and matrix products run in float64, which is exact: every partial sum is an integer below 2^53 (the
quantiser bounds accumulators to 32 or 48 bits), and no algorithm that divides is used at that type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from codesign.quantization.integer_functions import clamp_rescaled, gelu, layer_norm, rescale, softmax, table_lookup
from codesign.quantization.quantize import quantize_input
from mappings.errors import Fault, SpecError
from mappings.integer_run import check_inputs
from mappings.layer import Layer, Op
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork

__all__ = ["quantize_input", "run_integer", "run_integer_layer"]


def run_integer(network: QuantizedNetwork, inputs: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Run a quantised network in integers.

    Args:
        network: from :func:`codesign.quantization.quantize.quantize`.
        inputs: integers ``[n, C, H, W]`` (see :func:`~codesign.quantization.quantize.quantize_input`), by input name
            where there are several; ``n`` is a multiple of the workload's batch.

    Returns:
        int64 ``[n, channels, P, Q]`` of every layer, by name; the last layer's are the logits.

    Raises:
        SpecError: an input that is missing, of another shape, or outside its bits.
    """
    given = {network.workload.inputs[0].name: inputs} if isinstance(inputs, Tensor) else dict(inputs)
    samples = check_inputs(network, {name: tuple(value.shape) for name, value in given.items()})
    values: dict[str, Tensor] = {}
    for tensor in network.workload.inputs:
        value, limit = given[tensor.name], 1 << (tensor.bits - 1)
        if value.dtype.is_floating_point or int(value.min()) < -limit or int(value.max()) >= limit:
            raise SpecError(Fault(f"input {tensor.name}", f"is not of {tensor.bits}-bit integers", "quantize_input()"))
        values[tensor.name] = value.to(torch.int64)
    for layer in network.workload.layers:
        operands = [values[source] for source in layer.inputs]
        values[layer.name] = run_integer_layer(layer, network.layers[layer.name], operands, samples)
    return {layer.name: values[layer.name] for layer in network.workload.layers}


def run_integer_layer(layer: Layer, parameters: QuantizedLayer, operands: list[Tensor], samples: int = 1) -> Tensor:
    """int64 ``[samples * N, G*K, P, Q]`` of one layer, from stored operands ``[samples * N, channels, rows, columns]``.

    ``samples`` tells how many runs of the network are stacked.
    """
    with torch.no_grad():
        if layer.op is Op.RESHAPE:
            return _reshape(layer, parameters, operands[0], samples)
        if layer.op is Op.CONSTANT:
            return _tensor(parameters.constants["value"]).repeat(samples, 1, 1, 1)
        return _RUN[layer.op](layer, parameters, operands)


def _tensor(array: IntArray | None) -> Tensor:
    assert array is not None
    return torch.from_numpy(array)


def _padded(layer: Layer, x: Tensor, fill: float) -> Tensor:
    """Float64, padded, and cut to the rows and columns that windows touch."""
    top, left, bottom, right = layer.padding
    x = functional.pad(x.double(), (left, right, top, bottom), value=fill)
    rows = (layer.P - 1) * layer.stride[0] + (layer.R - 1) * layer.dilation[0] + 1
    columns = (layer.Q - 1) * layer.stride[1] + (layer.S - 1) * layer.dilation[1] + 1
    return x[:, :, :rows, :columns]


def _finish(accumulator: Tensor, q: QuantizedLayer) -> Tensor:
    sums = accumulator.to(torch.int64)
    if q.bias is not None:
        sums = sums + _tensor(q.bias).view(1, -1, 1, 1)
    return clamp_rescaled(sums, _tensor(q.mult).view(1, -1, 1, 1), _tensor(q.shift).view(1, -1, 1, 1), q.low, q.high)


def _conv(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    x = _padded(layer, operands[0], 0)
    weight = _tensor(q.weight).double()
    return _finish(functional.conv2d(x, weight, None, layer.stride, 0, layer.dilation, layer.groups), q)


def _transposed_conv(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    weight = _tensor(q.weight).double()
    _, c, r, s = weight.shape
    grouped = weight.view(layer.groups, layer.K, c, r, s).transpose(1, 2).reshape(layer.groups * c, layer.K, r, s)
    x = operands[0].double()
    full = functional.conv_transpose2d(x, grouped, None, layer.stride, 0, 0, layer.groups, layer.dilation)
    top, left = layer.padding[:2]
    missing = (max(0, left + layer.Q - full.shape[3]), max(0, top + layer.P - full.shape[2]))
    full = functional.pad(full, (0, missing[0], 0, missing[1]))
    return _finish(full[:, :, top : top + layer.P, left : left + layer.Q], q)


def _matmul(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    a, b = (value.double().flatten(2) for value in operands)
    n, groups = a.shape[0], layer.groups
    a = a.reshape(n, groups, layer.C, layer.P)
    if layer.transpose_b:
        sums = torch.einsum("ngcp,ngck->ngkp", a, b.reshape(n, groups, layer.C, layer.K))
    else:
        sums = torch.einsum("ngcp,ngkc->ngkp", a, b.reshape(n, groups, layer.K, layer.C))
    return _finish(sums.flatten(1, 2).unsqueeze(-1), q)


def _max_pool(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    x = _padded(layer, operands[0], -torch.inf)
    out = functional.max_pool2d(x, (layer.R, layer.S), layer.stride, 0, layer.dilation)
    return out.clamp(q.low, q.high).to(torch.int64)


def _average_pool(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    x = _padded(layer, operands[0], 0)
    ones = torch.ones(x.shape[1], 1, layer.R, layer.S, dtype=torch.float64)
    return _finish(functional.conv2d(x, ones, stride=layer.stride, dilation=layer.dilation, groups=x.shape[1]), q)


def _add(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    assert q.add_mult is not None
    total = operands[0] * q.add_mult[0] + operands[1] * q.add_mult[1]
    return clamp_rescaled(total, torch.tensor(1), _tensor(q.shift), q.low, q.high)


def _multiply(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    return clamp_rescaled(operands[0] * operands[1], _tensor(q.mult), _tensor(q.shift), q.low, q.high)


def _concat(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    return torch.cat(operands, {"": 1, "K": 1, "P": 2, "Q": 3}[layer.axis])


def _activation(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    x = operands[0]
    if layer.activation in ("relu", "relu6"):
        return x.clamp(q.low, q.high)
    if layer.activation == "gelu":
        argument = int(q.constants["arg_mult"][0]), int(q.constants["arg_shift"][0])
        return clamp_rescaled(gelu(x, *argument), _tensor(q.mult), _tensor(q.shift), q.low, q.high)
    return table_lookup(x, _tensor(q.constants["table"]), layer.bits.I).clamp(q.low, q.high)


def _rows(layer: Layer, x: Tensor) -> Tensor:
    """``[N, G, P, Q, C]`` of ``[N, G*C, P, Q]``."""
    return x.reshape(x.shape[0], layer.groups, layer.C, layer.P, layer.Q).movedim(2, -1)


def _unrows(rows: Tensor) -> Tensor:
    return rows.movedim(-1, 2).flatten(1, 2)


def _softmax(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    keep = None
    if "mask" in q.constants:
        keep = _tensor(q.constants["mask"]).view(layer.P, layer.Q, layer.C).bool()
    argument = int(q.constants["arg_mult"][0]), int(q.constants["arg_shift"][0])
    y = softmax(_rows(layer, operands[0]), *argument, int(_tensor(q.shift)[0]), keep)
    return _unrows(y.clamp(max=q.high))


def _layer_norm(layer: Layer, q: QuantizedLayer, operands: list[Tensor]) -> Tensor:
    normal = layer_norm(_rows(layer, operands[0]), int(q.constants["epsilon"][0]))
    total = normal * _tensor(q.constants["gain"]) + _tensor(q.constants["bias"])
    return _unrows(rescale(total, torch.tensor(1), _tensor(q.shift)).clamp(q.low, q.high))


def _reshape(layer: Layer, q: QuantizedLayer, x: Tensor, samples: int) -> Tensor:
    shape = (samples * layer.N, layer.channels_out, layer.P, layer.Q)
    if "index" not in q.constants:
        return x.reshape(shape)
    flat = functional.pad(x.reshape(samples, -1), (0, 1))
    return flat[:, _tensor(q.constants["index"]).flatten()].reshape(shape)


_RUN: dict[Op, Callable[[Layer, QuantizedLayer, list[Tensor]], Tensor]] = {
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
