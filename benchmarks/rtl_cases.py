"""Networks and single layers with random shapes and integers, random hardware, and reference outputs from PyTorch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from accel_models.design import Design
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import Template
from codesign.quantization.integer_reference import run_integer
from mappings.integer_ops import SOFTMAX_RECIPROCAL_BITS
from mappings.layer import Bits, Layer, Op
from mappings.moves import layer_index
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork, multiplier
from mappings.workload import TensorShape, Workload
from rtl_templates.array_cases import tap_mask


def limits(bits: int) -> tuple[int, int]:
    """Smallest and largest value of that many bits."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def quantized(workload: Workload, seed: int) -> QuantizedNetwork:
    """Random parameters whose outputs use their range: neither all zero nor all clamped."""
    rng = np.random.default_rng(seed)
    layers = {layer.name: _parameters(layer, rng) for layer in workload.layers}
    for layer in workload.layers:
        if layer.op is Op.RESHAPE and layer.moves:
            index = layer_index(layer, workload.shapes[layer.inputs[0]])
            assert index is not None
            layers[layer.name] = replace(layers[layer.name], constants={"index": index})
    return QuantizedNetwork(workload, layers, {tensor.name: 1.0 for tensor in workload.inputs})


def _parameters(layer: Layer, rng: np.random.Generator) -> QuantizedLayer:
    low, high = limits(layer.bits.O)
    low = 0 if layer.activation in ("relu", "relu6") else low
    channels = layer.channels_out
    if layer.op in (Op.CONV, Op.LINEAR, Op.TRCONV):
        top = limits(layer.bits.W)[1]
        weight = rng.integers(-top, top + 1, size=(channels, layer.C, layer.R, layer.S))
        if layer.kept_taps:
            weight *= tap_mask(rng, (channels, layer.C, layer.R, layer.S), layer.kept_taps, layer.tap_block)
        spread = float(np.sqrt(layer.C * layer.R * layer.S) * top / 3)
        mult_bits = 15 if layer.bits.acc == 48 else 31
        mult = rng.integers(2 ** (mult_bits - 2), 2**mult_bits - 1, size=channels)
        shift = np.full(channels, mult_bits + max(0, round(float(np.log2(spread)))) - 1)
        bias = rng.integers(-int(spread * high) - 1, int(spread * high) + 2, size=channels)
        return QuantizedLayer(low, high, 1.0, weight=weight, bias=bias, mult=mult, shift=shift)
    if layer.op is Op.AVGPOOL:
        taps = layer.R * layer.S
        return QuantizedLayer(low, high, 1.0, mult=np.array([2**30 // taps + 1]), shift=np.array([30]))
    if layer.op is Op.ADD:
        size = 16 if layer.bits.I == 16 else 22
        mults = (int(rng.integers(1, 2**size)), int(rng.integers(1, 2**size)))
        return QuantizedLayer(low, high, 1.0, shift=np.array([size]), add_mult=mults)
    if layer.op is Op.CONSTANT:
        value = rng.integers(low, high + 1, size=(layer.N, channels, layer.P, layer.Q))
        return QuantizedLayer(low, high, 1.0, constants={"value": value})
    if layer.op is Op.MUL:
        return QuantizedLayer(low, high, 1.0, mult=np.array([2**30 // high + 1]), shift=np.array([29]))
    if layer.op is Op.ACT and layer.activation == "table":
        table = rng.integers(low - 3, high + 4, size=(1 << layer.bits.I) + 1)
        return QuantizedLayer(low, high, 1.0, constants={"table": table})
    if layer.op in (Op.SOFTMAX, Op.LAYERNORM, Op.MATMUL) or layer.activation == "gelu":
        return _attention_parameters(layer, rng)
    return QuantizedLayer(low, high, 1.0)


def _attention_parameters(layer: Layer, rng: np.random.Generator) -> QuantizedLayer:
    """Scales of a few units of the real function, so that no operator saturates everywhere."""
    low, high = limits(layer.bits.O)
    mult_bits = 15 if layer.bits.acc == 48 else 31
    if layer.op is Op.MATMUL:
        spread = float(np.sqrt(layer.C)) * high / 2
        mult, shift = multiplier(1 / spread, mult_bits)
        return QuantizedLayer(low, high, 1.0, mult=np.array([mult]), shift=np.array([shift]))
    if layer.op is Op.SOFTMAX:
        arg_mult, arg_shift = multiplier(float(rng.uniform(2, 12)) / high / np.log(2) * 2**15, 20)
        constants = {"arg_mult": np.array([arg_mult]), "arg_shift": np.array([arg_shift])}
        if layer.masked:  # causal, or any; now and then nothing is left of a row
            places, keep = layer.P * layer.Q, np.tri(layer.P * layer.Q, layer.C, layer.C - layer.P * layer.Q, dtype=int)
            constants["mask"] = keep if rng.integers(2) else rng.integers(0, 2, size=(places, layer.C))
        shift = SOFTMAX_RECIPROCAL_BITS - (layer.bits.O - 1)
        return QuantizedLayer(0, high, 1.0, shift=np.array([shift]), constants=constants)
    if layer.op is Op.LAYERNORM:
        shift = 20 if layer.bits.O == 16 else 26
        unit = high / 4 * 2 ** (shift - 14)
        gain = np.round(rng.normal(1, 0.4, layer.C) * unit).astype(np.int64)
        drawn = np.round(rng.normal(0, 0.4, layer.C) * unit * 2**14)
        bias = np.clip(drawn, -(2**31), 2**31 - 1).astype(np.int64)  # the definition's bound
        constants = {"gain": gain, "bias": bias, "epsilon": rng.integers(0, 1000, 1)}
        return QuantizedLayer(low, high, 1.0, shift=np.array([shift]), constants=constants)
    arg_mult, arg_shift = multiplier(float(rng.uniform(1, 5)) / high / np.sqrt(2) * 2**14, 16)
    mult, shift = multiplier(2.0**-15, mult_bits)
    constants = {"arg_mult": np.array([arg_mult]), "arg_shift": np.array([arg_shift])}
    return QuantizedLayer(low, high, 1.0, mult=np.array([mult]), shift=np.array([shift]), constants=constants)


def inputs(workload: Workload, seed: int) -> dict[str, IntArray]:
    """Random integers over the whole range of each input."""
    rng = np.random.default_rng(seed)
    found = {}
    for t in workload.inputs:
        low, high = limits(t.bits)
        found[t.name] = rng.integers(low, high + 1, size=(t.N, t.C, t.H, t.W))
    return found


def reference(network: QuantizedNetwork, given: dict[str, IntArray]) -> dict[str, IntArray]:
    """Every layer's output by PyTorch."""
    outputs = run_integer(network, {name: torch.from_numpy(value) for name, value in given.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def design(workload: Workload, template: Template) -> Design:
    """The network on the template with the default tiles."""
    return Design(workload, template_accelerator(template), ())


def digits(bits: int, acc: int = 32) -> Workload:
    """A small network with one of every operator of the first slice: 28 x 28 to ten classes."""
    b = Bits(bits, bits, bits, acc)
    layers = (
        Layer("conv1", Op.CONV, K=16, P=28, Q=28, R=3, S=3, padding=(1,) * 4, activation="relu", inputs=("x",), bits=b),
        Layer("pool1", Op.MAXPOOL, P=14, Q=14, R=2, S=2, stride=(2, 2), groups=16, inputs=("conv1",), bits=b),
        Layer("depth", Op.CONV, P=14, Q=14, R=3, S=3, padding=(1,) * 4, groups=16, inputs=("pool1",), bits=b),
        Layer("point", Op.CONV, K=16, C=16, P=14, Q=14, inputs=("depth",), bits=b),
        Layer("add", Op.ADD, P=14, Q=14, groups=16, inputs=("pool1", "point"), bits=b),
        Layer("side", Op.CONV, K=8, C=16, P=14, Q=14, R=3, S=3, padding=(1,) * 4, inputs=("add",), bits=b),
        Layer("wide", Op.CONV, K=20, C=16, P=14, Q=14, activation="relu", inputs=("add",), bits=b),
        Layer("both", Op.CONCAT, P=14, Q=14, groups=28, inputs=("side", "wide"), bits=b),
        Layer(
            "conv2",
            Op.CONV,
            K=40,
            C=28,
            P=7,
            Q=7,
            R=3,
            S=3,
            stride=(2, 2),
            padding=(1, 1, 0, 0),
            inputs=("both",),
            bits=b,
        ),
        Layer("clamp", Op.ACT, P=7, Q=7, groups=40, activation="relu", inputs=("conv2",), bits=b),
        Layer("mean", Op.AVGPOOL, R=7, S=7, groups=40, inputs=("clamp",), bits=b),
        Layer("flat", Op.RESHAPE, groups=40 * 49, inputs=("clamp",), bits=b),
        Layer("hidden", Op.LINEAR, K=33, C=40 * 49, activation="relu", inputs=("flat",), bits=b),
        Layer("mixed", Op.LINEAR, K=33, C=40, inputs=("mean",), bits=b),
        Layer("sum", Op.ADD, groups=33, inputs=("hidden", "mixed"), bits=b),
        Layer("logits", Op.LINEAR, K=10, C=33, inputs=("sum",), bits=b),
    )
    return Workload("digits", (TensorShape("x", 1, 1, 28, 28, bits),), layers)
