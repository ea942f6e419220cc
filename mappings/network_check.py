"""The bounds that the integer definitions promise to hardware, held against a network's actual integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mappings.errors import Fault, SpecError
from mappings.integer_ops import (
    GELU_ARGUMENT_BITS,
    NORM_MAX_CHANNELS,
    SOFTMAX_ARGUMENT_BITS,
    SOFTMAX_MAX_CHANNELS,
    table_step_bits,
)
from mappings.layer import Layer, Op
from mappings.moves import layer_index
from mappings.operators import Rescale
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork
from mappings.workload import Workload


def check_network(network: QuantizedNetwork) -> None:
    """Hold every integer of a network against the bounds of :mod:`mappings.quantized`.

    Raises:
        SpecError: a missing layer or array, a wrong shape, a value out of its bounds, an accumulator that could
            overflow, operands that must share a scale and do not; all of them at once.
    """
    workload = network.workload
    missing = [layer.name for layer in workload.layers if layer.name not in network.layers]
    missing += [tensor.name for tensor in workload.inputs if tensor.name not in network.input_scales]
    if missing:
        raise SpecError([Fault(f"network {workload.name}: {name}", "has no integers") for name in missing])
    scales = dict(network.input_scales) | {name: layer.scale for name, layer in network.layers.items()}
    faults = [
        Fault(f"network {workload.name}: {name}", f"has scale {scale}", "a positive number")
        for name, scale in scales.items()
        if not (np.isfinite(scale) and scale > 0)
    ]
    for layer in workload.layers:
        where = f"network {workload.name}: layer {layer.name}"
        faults += [Fault(where, what) for what in _layer_faults(layer, network.layers[layer.name], workload)]
        if layer.keeps_scale and any(scales[source] != scales[layer.name] for source in layer.inputs):
            faults.append(Fault(where, "does not have the scale of its operands"))
    if faults:
        raise SpecError(faults)


def _layer_faults(layer: Layer, q: QuantizedLayer, workload: Workload) -> Iterator[str]:
    limit = 1 << (layer.bits.O - 1)
    if not -limit <= q.low <= q.high < limit:
        yield f"clamps to [{q.low}, {q.high}], beyond {layer.bits.O} bits"
    yield from _RESCALED.get(layer.op.spec.rescale, _nothing)(layer, q, workload)
    yield from _OWN.get(layer.op, _nothing)(layer, q, workload)


def _nothing(_layer: Layer, _q: QuantizedLayer, _workload: Workload) -> Iterator[str]:
    yield from ()


def _one_multiplier(layer: Layer, q: QuantizedLayer, _workload: Workload) -> Iterator[str]:
    yield from _multipliers(layer, q, 1)
    if layer.op.spec.is_product and 1 << (layer.bits.acc - 1) <= layer.C << (2 * layer.bits.I - 2):
        yield f"a partial sum could overflow {layer.bits.acc} bits"


def _multiplier_each(layer: Layer, q: QuantizedLayer, _workload: Workload) -> Iterator[str]:
    yield from _bounded("shift", q.shift, (1,), 0, 62)
    if q.add_mult is None or not all(0 < value < 1 << 24 for value in q.add_mult):
        yield f"has add multipliers {q.add_mult}, not within 1 and 2^24 - 1"
    elif layer.bits.I <= 8 and sum(q.add_mult) << (layer.bits.I - 1) >= 1 << 31:
        yield f"has add multipliers {q.add_mult}, whose sum could exceed 32 bits"


def _reshape(layer: Layer, q: QuantizedLayer, workload: Workload) -> Iterator[str]:
    if "index" not in q.constants:
        if layer.moves:
            yield "has no index"
        return
    n, channels, rows, columns = workload.shapes[layer.inputs[0]]
    shape = workload.shapes[layer.name]
    faults = list(_bounded("index", q.constants["index"], shape, -1, n * channels * rows * columns - 1))
    yield from faults
    told = layer_index(layer, (n, channels, rows, columns))
    if not faults and told is not None and not np.array_equal(told, q.constants["index"]):
        yield "takes other elements than its fields tell"


def _constant(layer: Layer, q: QuantizedLayer, workload: Workload) -> Iterator[str]:
    limit = 1 << (layer.bits.O - 1)
    yield from _bounded("value", q.constants.get("value"), workload.shapes[layer.name], -limit, limit - 1)


def _softmax(layer: Layer, q: QuantizedLayer, _workload: Workload) -> Iterator[str]:
    yield from _bounded("shift", q.shift, (1,), 16, 46)
    yield from _argument(q, SOFTMAX_ARGUMENT_BITS)
    if layer.C > SOFTMAX_MAX_CHANNELS:
        yield f"is a softmax over {layer.C}, more than {SOFTMAX_MAX_CHANNELS}"
    if "mask" in q.constants:
        yield from _bounded("mask", q.constants["mask"], (layer.P * layer.Q, layer.C), 0, 1)
    if layer.masked != ("mask" in q.constants):
        yield "is masked without a mask, or has a mask and is not masked"


def _layer_norm(layer: Layer, q: QuantizedLayer, _workload: Workload) -> Iterator[str]:
    yield from _bounded("shift", q.shift, (1,), 0, 45)
    yield from _bounded("gain", q.constants.get("gain"), (layer.C,), -(2**23), 2**23)
    yield from _bounded("bias", q.constants.get("bias"), (layer.C,), -(2**31), 2**31 - 1)
    yield from _bounded("epsilon", q.constants.get("epsilon"), (1,), 0, 2**61 - 1)
    if layer.C > NORM_MAX_CHANNELS:
        yield f"is a layer norm over {layer.C}, more than {NORM_MAX_CHANNELS}"


def _activation(layer: Layer, q: QuantizedLayer, _workload: Workload) -> Iterator[str]:
    if layer.activation == "gelu":
        yield from _multipliers(layer, q, 1)
        yield from _argument(q, GELU_ARGUMENT_BITS)
    elif layer.activation not in ("relu", "relu6"):
        entries = (1 << (layer.bits.I - table_step_bits(layer.bits.I))) + 1
        yield from _bounded("table", q.constants.get("table"), (entries,), -(2**16), 2**16 - 1)


def _weighted(layer: Layer, q: QuantizedLayer, _workload: Workload) -> Iterator[str]:
    channels, largest = layer.channels_out, (1 << (layer.bits.W - 1)) - 1
    shape = (channels, layer.C, layer.R, layer.S)
    faults = [
        *_bounded("weight", q.weight, shape, -largest, largest),
        *_bounded("bias", q.bias, (channels,), -(2**31), 2**31 - 1),
        *_multipliers(layer, q, channels),
    ]
    yield from faults
    if faults or q.weight is None or q.bias is None:
        return
    reach = (np.abs(q.weight).reshape(channels, -1).sum(axis=1) << (layer.bits.I - 1)) + np.abs(q.bias)
    if int(reach.max()) >= 1 << (layer.bits.acc - 1):
        yield f"a partial sum could reach {int(reach.max())}, beyond {layer.bits.acc} bits"


def _multipliers(layer: Layer, q: QuantizedLayer, count: int) -> Iterator[str]:
    bits = 15 if layer.bits.acc > 32 and (layer.op.spec.multiplies or layer.op.spec.windowed) else 31
    yield from _bounded("mult", q.mult, (count,), 1, 2**bits - 1)
    yield from _bounded("shift", q.shift, (count,), 0, 62)


def _argument(q: QuantizedLayer, bits: int) -> Iterator[str]:
    yield from _bounded("arg_mult", q.constants.get("arg_mult"), (1,), 1, 2**bits - 1)
    yield from _bounded("arg_shift", q.constants.get("arg_shift"), (1,), 0, 62)


def _bounded(name: str, array: IntArray | None, shape: tuple[int, ...], low: int, high: int) -> Iterator[str]:
    if array is None:
        yield f"has no {name}"
    elif array.shape != shape:
        yield f"has {name} of shape {list(array.shape)}, not {list(shape)}"
    elif array.size and not (low <= int(array.min()) and int(array.max()) <= high):
        yield f"has {name} from {int(array.min())} to {int(array.max())}, not within {low} and {high}"


_Check = Callable[[Layer, QuantizedLayer, Workload], Iterator[str]]
_RESCALED: dict[Rescale, _Check] = {
    Rescale.CHANNEL: _weighted,
    Rescale.ONE: _one_multiplier,
    Rescale.OPERANDS: _multiplier_each,
}
#: What an operator's own definition asks beside that.
_OWN: dict[Op, _Check] = {
    Op.RESHAPE: _reshape,
    Op.CONSTANT: _constant,
    Op.ACT: _activation,
    Op.SOFTMAX: _softmax,
    Op.LAYERNORM: _layer_norm,
}
