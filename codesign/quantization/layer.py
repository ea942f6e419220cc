"""Integer parameters of one layer from its float ones and the scales around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from codesign.trace import TracedLayer
from mappings import integer_ops
from mappings.errors import Fault, SpecError
from mappings.layer import Op
from mappings.quantized import IntArray, QuantizedLayer, multiplier

#: Bias magnitude that is left to a channel: half of the accumulator.
_BIAS_LIMIT = 2.0**30
#: A channel whose weights are this much smaller than an output unit contributes nothing.
_SMALLEST_RATIO = 2.0**-24
#: Of ternary weights: twice the threshold below which one is best 0, over the mean magnitude (Li 2016, TWN: 0.7).
TERNARY_SCALE = 1.4
_GAIN_BITS, _NORM_BIAS_BITS, _MAX_NORM_SHIFT = 23, 31, 45


@dataclass(frozen=True)
class Context:
    """Widths for one layer, and the scale of every tensor.

    Attributes:
        weight_bits, act_bits: of its weights and of its output.
        in_bits: of the widest of its inputs.
        scales: real value of one unit, by tensor name.
        weight_scales: given ones, by layer name.
    """

    weight_bits: int
    act_bits: int
    in_bits: int
    acc_bits: int
    scales: Mapping[str, float]
    weight_scales: Mapping[str, ArrayLike]

    @property
    def levels(self) -> int:
        """Largest activation of the output."""
        return int(2 ** (self.act_bits - 1) - 1)

    @property
    def in_reach(self) -> float:
        """Largest magnitude of an input."""
        return 2.0 ** (self.in_bits - 1)

    @property
    def mult_bits(self) -> int:
        """Bits of a multiplier, so that its product with an accumulator keeps within 64."""
        return 31 if self.acc_bits == 32 else 15


def quantize_layer(item: TracedLayer, context: Context) -> QuantizedLayer:
    """The integers of one layer.

    Raises:
        SpecError: an operator without integers, an accumulator that could overflow, a scale that no multiplier can
            stand for.
    """
    if item.layer.op not in _BY_OP:
        raise _fault(item, f"is a layer of kind {item.layer.op}, which has a cost but no integers", ", ".join(_BY_OP))
    return _BY_OP[item.layer.op](item, context)


def _input_scale(item: TracedLayer, context: Context, position: int = 0) -> float:
    operand = item.operands[position]
    return abs(operand.factor) * context.scales[operand.tensor]


def _clamp(item: TracedLayer, context: Context) -> tuple[int, int]:
    low, high = -context.levels - 1, context.levels
    if item.layer.activation in ("relu", "relu6"):
        low = 0
    if item.layer.activation == "relu6":
        high = min(high, round(6 / context.scales[item.name]))
    return low, high


def _fault(item: TracedLayer, what: str, allowed: str = "") -> SpecError:
    return SpecError(Fault(f"quantize: layer {item.name}", what, allowed))


def _multipliers(item: TracedLayer, ratios: NDArray[np.float64], bits: int) -> tuple[IntArray, IntArray]:
    """``mult, shift`` of each ratio."""
    pairs = []
    for ratio in ratios.reshape(-1):
        try:
            pairs.append(multiplier(float(ratio), bits))
        except ValueError as error:
            raise _fault(
                item, f"can not be rescaled: {error}", "scales of inputs and outputs closer to each other"
            ) from None
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def _one(item: TracedLayer, ratio: float, bits: int) -> tuple[IntArray, IntArray]:
    return _multipliers(item, np.array([ratio]), bits)


def _argument(real: float, bits: int) -> tuple[IntArray, IntArray]:
    """``arg_mult, arg_shift``; the largest multiplier where the factor is larger still."""
    mult, shift = multiplier(real, bits) if real < 2**bits - 1 else (2**bits - 1, 0)
    return np.array([mult]), np.array([shift])


def _check_accumulator(item: TracedLayer, largest: float, context: Context) -> None:
    if largest >= 2 ** (context.acc_bits - 1):
        raise _fault(
            item,
            f"a partial sum can reach {largest:.3g}, beyond {context.acc_bits} bits",
            "fewer weight or activation bits, or acc_bits=48",
        )


def _weighted(item: TracedLayer, context: Context) -> QuantizedLayer:
    assert item.weight is not None
    levels = 2 ** (context.weight_bits - 1) - 1
    sign = math.copysign(1.0, item.operands[0].factor)
    weight = item.weight.numpy() * sign
    channels = weight.shape[0]
    bias = np.zeros(channels) if item.bias is None else item.bias.numpy()
    scale_in, scale_out = _input_scale(item, context), context.scales[item.name]
    if item.name in context.weight_scales:
        scale = np.broadcast_to(np.asarray(context.weight_scales[item.name], dtype=np.float64).reshape(-1), (channels,))
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            raise _fault(item, "has weight scales that are not positive", "positive numbers")
    else:
        magnitude = np.abs(weight).reshape(channels, -1)
        scale = TERNARY_SCALE * magnitude.mean(axis=1) if levels == 1 else magnitude.max(axis=1) / levels
        scale = np.maximum(scale, _SMALLEST_RATIO * scale_out / scale_in)
        scale = np.maximum(scale, np.abs(bias) / (scale_in * _BIAS_LIMIT))
    integers = np.clip(np.round(weight / scale.reshape(-1, 1, 1, 1)), -levels, levels).astype(np.int64)
    bias_integers = np.round(bias / (scale_in * scale))
    reach = np.abs(integers).reshape(channels, -1).sum(axis=1) * context.in_reach + np.abs(bias_integers)
    _check_accumulator(item, float(reach.max()), context)
    mult, shift = _multipliers(item, scale_in * scale / scale_out, context.mult_bits)
    low, high = _clamp(item, context)
    return QuantizedLayer(low, high, scale_out, integers, bias_integers.astype(np.int64), mult, shift)


def _matmul(item: TracedLayer, context: Context) -> QuantizedLayer:
    _check_accumulator(item, item.layer.C * context.in_reach**2, context)
    ratio = _input_scale(item, context) * _input_scale(item, context, 1) / context.scales[item.name]
    mult, shift = _one(item, ratio, context.mult_bits)
    low, high = _clamp(item, context)
    return QuantizedLayer(low, high, context.scales[item.name], mult=mult, shift=shift)


def _average(item: TracedLayer, context: Context) -> QuantizedLayer:
    _check_accumulator(item, item.layer.R * item.layer.S * context.in_reach, context)
    scale_out = context.scales[item.name]
    mult, shift = _one(item, _input_scale(item, context) / (item.divisor * scale_out), context.mult_bits)
    low, high = _clamp(item, context)
    return QuantizedLayer(low, high, scale_out, mult=mult, shift=shift)


def _add(item: TracedLayer, context: Context) -> QuantizedLayer:
    scale_out = context.scales[item.name]
    ratios = [_input_scale(item, context, i) / scale_out for i in (0, 1)]
    bits = 22 if context.in_bits <= 8 else 24
    shift = min(62, bits - math.frexp(max(ratios))[1])
    if shift < 0:
        raise _fault(item, f"has operands {max(ratios):.3g} times as coarse as its output", "a coarser output scale")
    first, second = (min(max(1, round(math.ldexp(ratio, shift))), 2**bits - 1) for ratio in ratios)
    low, high = _clamp(item, context)
    return QuantizedLayer(low, high, scale_out, shift=np.array([shift]), add_mult=(first, second))


def _multiply(item: TracedLayer, context: Context) -> QuantizedLayer:
    scale_out = context.scales[item.name]
    mult, shift = _one(item, _input_scale(item, context) * _input_scale(item, context, 1) / scale_out, 31)
    low, high = _clamp(item, context)
    return QuantizedLayer(low, high, scale_out, mult=mult, shift=shift)


def _passes(item: TracedLayer, context: Context) -> QuantizedLayer:
    low, high = _clamp(item, context)
    constants = {} if item.index is None else {"index": item.index}
    return QuantizedLayer(low, high, context.scales[item.name], constants=constants)


def _constant(item: TracedLayer, context: Context) -> QuantizedLayer:
    assert item.value is not None
    low, high = _clamp(item, context)
    scale = context.scales[item.name]
    value = np.clip(np.round(item.value.numpy() / scale), low, high).astype(np.int64)
    return QuantizedLayer(low, high, scale, constants={"value": value})


def _activation(item: TracedLayer, context: Context) -> QuantizedLayer:
    name = item.layer.activation
    if name in ("relu", "relu6"):
        return _passes(item, context)
    scale_in, scale_out = _input_scale(item, context), context.scales[item.name]
    low, high = -context.levels - 1, context.levels
    if name == "gelu":
        arg_mult, arg_shift = _argument(
            scale_in / math.sqrt(2) * 2**integer_ops.ERF_FRACTION_BITS, integer_ops.GELU_ARGUMENT_BITS
        )
        mult, shift = _one(item, scale_in / (2 * integer_ops.ERF_ONE * scale_out), 31)
        constants = {"arg_mult": arg_mult, "arg_shift": arg_shift}
        return QuantizedLayer(low, high, scale_out, mult=mult, shift=shift, constants=constants)
    assert item.function is not None
    step = 1 << integer_ops.table_step_bits(context.in_bits)
    reach = int(context.in_reach)
    points = torch.arange(-reach, reach + 1, step, dtype=torch.float64)
    signed_scale = math.copysign(scale_in, item.operands[0].factor)
    values = torch.nan_to_num(item.function(points * signed_scale) / scale_out)
    table = values.round().clamp(-(2**16), 2**16 - 1).to(torch.int64).numpy()
    return QuantizedLayer(low, high, scale_out, constants={"table": table})


def _softmax(item: TracedLayer, context: Context) -> QuantizedLayer:
    if item.layer.C > integer_ops.SOFTMAX_MAX_CHANNELS:
        raise _fault(item, f"is over {item.layer.C} values", f"at most {integer_ops.SOFTMAX_MAX_CHANNELS}")
    real = _input_scale(item, context) / math.log(2) * 2**integer_ops.EXP_FRACTION_BITS
    arg_mult, arg_shift = _argument(real, integer_ops.SOFTMAX_ARGUMENT_BITS)
    constants: dict[str, IntArray] = {"arg_mult": arg_mult, "arg_shift": arg_shift}
    if item.mask is not None:
        constants["mask"] = item.mask
    scale = context.scales[item.name]
    shift = integer_ops.SOFTMAX_RECIPROCAL_BITS + round(math.log2(scale))
    return QuantizedLayer(0, context.levels, scale, shift=np.array([shift]), constants=constants)


def power_of_two_scale(amplitude: float, levels: int) -> float:
    """The scale of a softmax: the smallest power of two with which ``levels`` reach ``amplitude``."""
    exponent = math.ceil(math.log2(amplitude / levels)) if amplitude > 0 else 0
    largest = -math.floor(math.log2(levels + 1))  # 1 is then one step beyond the largest output
    return 2.0 ** min(max(exponent, 16 - integer_ops.SOFTMAX_RECIPROCAL_BITS), largest)


def _layer_norm(item: TracedLayer, context: Context) -> QuantizedLayer:
    assert item.weight is not None and item.bias is not None
    scale_in, scale_out = _input_scale(item, context), context.scales[item.name]
    channels = item.layer.C
    epsilon = channels**2 * item.epsilon / scale_in**2
    if channels > integer_ops.NORM_MAX_CHANNELS or epsilon >= 2**61:
        raise _fault(item, f"is over {channels} values with epsilon {epsilon:.3g} units", "at most 2^15 and 2^61")
    gain, bias = item.weight.numpy() / scale_out, item.bias.numpy() / scale_out
    fraction = integer_ops.NORM_FRACTION_BITS
    room = [
        _GAIN_BITS + fraction - math.frexp(np.abs(gain).max())[1],
        _NORM_BIAS_BITS - math.frexp(np.abs(bias).max())[1],
    ]
    shift = min(*room, _MAX_NORM_SHIFT)
    if shift < 0:
        raise _fault(item, "has a gain or bias far beyond its output scale", "a coarser output scale")
    limit = 2**_NORM_BIAS_BITS - 1
    constants: dict[str, IntArray] = {
        "gain": np.round(gain * 2.0 ** (shift - fraction)).astype(np.int64),
        "bias": np.clip(np.round(bias * 2.0**shift), -limit, limit).astype(np.int64),
        "epsilon": np.array([round(epsilon)], dtype=np.int64),
    }
    low, high = _clamp(item, context)
    return QuantizedLayer(low, high, scale_out, shift=np.array([shift]), constants=constants)


_BY_OP: dict[Op, Callable[[TracedLayer, Context], QuantizedLayer]] = {
    Op.CONV: _weighted,
    Op.TRCONV: _weighted,
    Op.LINEAR: _weighted,
    Op.MATMUL: _matmul,
    Op.AVGPOOL: _average,
    Op.MAXPOOL: _passes,
    Op.ADD: _add,
    Op.MUL: _multiply,
    Op.CONCAT: _passes,
    Op.RESHAPE: _passes,
    Op.CONSTANT: _constant,
    Op.ACT: _activation,
    Op.SOFTMAX: _softmax,
    Op.LAYERNORM: _layer_norm,
}
