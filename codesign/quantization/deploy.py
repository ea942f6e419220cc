"""From a trained network to its integers: batch norm folded, scales as multipliers and shifts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.networks.attention import NORM_EPSILON, factor
from codesign.quantization.layer import Context, quantize_layer
from codesign.quantization.qat import BN_EPSILON, PASSING, QatLayer, QatNetwork, integer_weight, weight_scale
from codesign.trace import TracedLayer
from codesign.trace.network import Operand
from codesign.trace.views import View
from mappings.layer import Layer, Op
from mappings.moves import Shape, layer_index
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork, multiplier

#: ``add`` multiplies both operands by numbers below 2^24, with one shift.
_ADD_MULT_BITS = 24
#: A channel whose batch norm has (nearly) no gain still needs a positive scale; its weights become 0.
_SMALLEST_GAIN = 1e-12
#: Operators whose integers need no more than the scales round them, and what is stored.
_OF_TRACES = (Op.MATMUL, Op.SOFTMAX, Op.LAYERNORM, Op.CONSTANT, *PASSING)


def _folded(step: QatLayer) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Integers of the weight, real scale of one unit a channel, real bias a channel; batch norm folded in."""
    assert step.weight is not None
    kept = step.pruned(step.weight)
    weight = kept.detach().double()
    scale = weight_scale(kept, step.layer.bits.W).double()
    integers = integer_weight(weight, scale, step.layer.bits.W)
    scale = scale.reshape(-1)
    if step.norm is not None:
        mean, variance = step.norm.running_mean, step.norm.running_var
        assert mean is not None and variance is not None
        gain = step.norm.weight.detach().double() / torch.sqrt(variance.double() + BN_EPSILON)
        bias = step.norm.bias.detach().double() - mean.double() * gain
        integers = integers * torch.where(gain < 0, -1.0, 1.0).reshape(-1, 1, 1, 1)
        dead = gain.abs() < _SMALLEST_GAIN
        integers[dead] = 0
        scale = torch.where(dead, scale, scale * gain.abs())
    else:
        assert step.bias is not None
        bias = step.bias.detach().double()
    return integers.numpy(), scale.numpy(), bias.numpy()


def _pairs(ratios: NDArray[np.float64]) -> tuple[IntArray, IntArray]:
    pairs = np.array([multiplier(float(ratio)) for ratio in ratios], dtype=np.int64)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def _weighted(step: QatLayer, scale_in: float, scale_out: float) -> QuantizedLayer:
    layer = step.layer
    integers, scale, bias = _folded(step)
    unit = scale_in * scale
    mult, shift = _pairs(unit / scale_out)
    # A bias far beyond the output's range saturates it either way; 2^30 leaves half of the accumulator to the products.
    bias_units = np.clip(np.round(bias / unit), -(2**30), 2**30).astype(np.int64)
    shape = (layer.channels_out, layer.C, layer.R, layer.S)
    weight = integers.astype(np.int64).reshape(shape)
    return QuantizedLayer(step.quantizer.low, step.quantizer.high, scale_out, weight, bias_units, mult, shift)


def _add(step: QatLayer, scales_in: list[float], scale_out: float) -> QuantizedLayer:
    ratios = [scale / scale_out for scale in scales_in]
    _, shift = multiplier(max(ratios), _ADD_MULT_BITS - 1)
    mults = [max(1, round(ratio * 2**shift)) for ratio in ratios]
    return QuantizedLayer(
        step.quantizer.low,
        step.quantizer.high,
        scale_out,
        shift=np.array([shift], dtype=np.int64),
        add_mult=(mults[0], mults[1]),
    )


def _multiply(step: QatLayer, scales_in: list[float], scale_out: float) -> QuantizedLayer:
    mult, shift = _pairs(np.array([scales_in[0] * scales_in[1] / scale_out]))
    return QuantizedLayer(step.quantizer.low, step.quantizer.high, scale_out, mult=mult, shift=shift)


def _pool(step: QatLayer, layer: Layer, scale_in: float, scale_out: float) -> QuantizedLayer:
    mult, shift = _pairs(np.array([scale_in / (scale_out * layer.R * layer.S)]))
    return QuantizedLayer(step.quantizer.low, step.quantizer.high, scale_out, mult=mult, shift=shift)


def _as_traced(step: QatLayer, scales: dict[str, float], source: Shape | None) -> QuantizedLayer:
    """What quantisation after training makes of such a layer, with the scales that training fixed.

    Args:
        source: shape of what it reads; None: nothing.
    """
    layer, weight, bias = step.layer, step.weight, step.bias
    operands = [
        Operand(name, 0, 0, factor(layer) if layer.op is Op.MATMUL and not place else 1.0)
        for place, name in enumerate(layer.inputs)
    ]
    whole = View(layer.name, (), ())
    item = TracedLayer(layer, operands, "", whole, epsilon=NORM_EPSILON)
    if layer.op is Op.CONSTANT:
        assert weight is not None
        item = replace(item, value=weight.detach().double()[None])
    elif weight is not None and bias is not None:
        item = replace(item, weight=weight.detach().double(), bias=bias.detach().double())
    if layer.moves == "box":
        assert source is not None
        item = replace(item, index=layer_index(layer, source))
    bits = layer.bits
    return quantize_layer(item, Context(bits.W, bits.O, bits.I, bits.acc, scales, {}))


def deploy(network: QatNetwork) -> QuantizedNetwork:
    """The integers that a trained network stands for.

    Args:
        network: in evaluation mode; its batch statistics are folded.

    Raises:
        ValueError: a scale that no multiplier can stand for (a network that did not train).
    """
    workload = network.workload
    image = workload.inputs[0].name
    scales = {image: network.image_scale}
    layers: dict[str, QuantizedLayer] = {}
    for layer in workload.layers:
        step = network.steps[layer.name]
        assert isinstance(step, QatLayer)
        scale_out = float(step.quantizer.scale.detach())
        scales_in = [scales[name] for name in layer.inputs]
        if layer.op in PASSING:
            scale_out = scales_in[0]
        if layer.op in _OF_TRACES:
            source = workload.shapes[layer.inputs[0]] if layer.inputs else None
            layers[layer.name] = _as_traced(step, {**scales, layer.name: scale_out}, source)
        elif layer.op is Op.ADD:
            layers[layer.name] = _add(step, scales_in, scale_out)
        elif layer.op is Op.MUL:
            layers[layer.name] = _multiply(step, scales_in, scale_out)
        elif layer.op is Op.AVGPOOL:
            layers[layer.name] = _pool(step, layer, scales_in[0], scale_out)
        else:
            layers[layer.name] = _weighted(step, scales_in[0], scale_out)
        scales[layer.name] = scale_out
    return QuantizedNetwork(workload, layers, {image: network.image_scale})
