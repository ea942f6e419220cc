"""From a float module to integers: batch norm folded, scales calibrated, every constant of the arithmetic fixed.

Weights are symmetric per output channel, activations symmetric per tensor. Tensors between which no arithmetic takes
place (the operands and the result of a concatenation, a max pool, a ReLU that stands alone, a reshape) share one
scale, chosen for all of them: nothing then needs rescaling on the way. The arithmetic itself is defined in
:mod:`mappings.quantized` and :mod:`mappings.integer_ops`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import networkx as nx
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from codesign.quantization.calibrate import Range, check_method, collect_ranges
from codesign.quantization.layer import Context, power_of_two_scale, quantize_layer
from codesign.trace import TracedNetwork, trace_network
from mappings.errors import Fault, SpecError, unknown_name
from mappings.layer import Bits, Layer, Op
from mappings.network_check import check_network
from mappings.quantized import QuantizedLayer, QuantizedNetwork
from mappings.workload import Workload

WIDTHS = (4, 8, 16)
#: Of the weights of single layers.
LAYER_WIDTHS = (2, 4, 8, 16)
#: Least range of a tensor (some are 0 on all calibration inputs), as a part of the network's largest.
_LEAST_RANGE = 2.0**-20


@dataclass(frozen=True)
class QuantizeOptions:
    """How a network is quantised.

    Attributes:
        weight_bits, act_bits: 4, 8 or 16.
        acc_bits: 32, or 48 (whose rescaling has multipliers of 15 bits).
        method: how ranges become scales: "max", "percentile" or "mse".
        percentile: of magnitudes, for that method.
        scales: real value of one unit, by layer or input name, where training fixed it; the rest is calibrated.
        weight_scales: one value, or one for each output channel, by layer name.
        layer_weight_bits: 2, 4, 8 or 16 by layer name, where the weights of one differ from ``weight_bits``.
        layer_act_bits: 4, 8 or 16 by layer or input name, where a tensor differs from ``act_bits``; of tensors that
            share a scale, all have the least width.
    """

    weight_bits: int = 8
    act_bits: int = 8
    acc_bits: int = 32
    method: str = "max"
    percentile: float = 99.99
    scales: Mapping[str, float] = field(default_factory=dict)
    weight_scales: Mapping[str, ArrayLike] = field(default_factory=dict)
    layer_weight_bits: Mapping[str, int] = field(default_factory=dict)
    layer_act_bits: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = [
            Fault(f"quantize: {name}", f"is {value!r}", ", ".join(map(str, allowed)))
            for name, value, allowed in (
                ("weight_bits", self.weight_bits, WIDTHS),
                ("act_bits", self.act_bits, WIDTHS),
                ("acc_bits", self.acc_bits, (32, 48)),
            )
            if value not in allowed
        ]
        for kind, given, allowed in (
            ("layer_weight_bits", self.layer_weight_bits, LAYER_WIDTHS),
            ("layer_act_bits", self.layer_act_bits, WIDTHS),
        ):
            faults += [
                Fault(f"quantize: {kind}.{name}", f"is {value!r}", ", ".join(map(str, allowed)))
                for name, value in given.items()
                if value not in allowed
            ]
        if not 0 < self.percentile <= 100:
            faults.append(Fault("quantize: percentile", f"is {self.percentile}", "over 0, up to 100"))
        if faults:
            raise SpecError(faults)
        check_method(self.method)


def quantize(
    module: nn.Module,
    inputs: Tensor | Sequence[Tensor],
    *,
    weight_bits: int = 8,
    act_bits: int = 8,
    acc_bits: int = 32,
    method: str = "max",
    percentile: float = 99.99,
    scales: Mapping[str, float] | None = None,
    weight_scales: Mapping[str, ArrayLike] | None = None,
    layer_weight_bits: Mapping[str, int] | None = None,
    layer_act_bits: Mapping[str, int] | None = None,
    name: str = "",
) -> QuantizedNetwork:
    """Quantise a module for a batch of one.

    Args:
        module: as for :func:`codesign.trace.trace`.
        inputs: calibration samples ``[n, ...]`` (a sequence of them if the module takes several inputs).
        weight_bits, act_bits, acc_bits, method, percentile, scales, weight_scales, layer_weight_bits, layer_act_bits:
            see :class:`QuantizeOptions`.
        name: of the workload; the class name by default.

    Raises:
        SpecError: what :func:`~codesign.trace.trace` raises; a name in ``scales`` that is no tensor; scales that must
            be equal and are not; an accumulator that could overflow.
    """
    options = QuantizeOptions(
        weight_bits, act_bits, acc_bits, method, percentile, dict(scales or {}), dict(weight_scales or {}),
        dict(layer_weight_bits or {}), dict(layer_act_bits or {}),
    )  # fmt: skip
    samples = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not samples or any(t.dim() < 1 or t.shape[0] < 1 or t.shape[0] != samples[0].shape[0] for t in samples):
        raise SpecError(Fault("quantize: inputs", "no samples, or not as many for each input", "tensors [n, ...]"))
    traced = trace_network(module, [tensor[:1] for tensor in samples], name)
    return quantize_traced(traced, collect_ranges(module, traced, samples), options)


def quantize_traced(traced: TracedNetwork, ranges: Mapping[str, Range], options: QuantizeOptions) -> QuantizedNetwork:
    """Quantise a traced network with known ranges.

    Raises:
        SpecError: see :func:`quantize`.
    """
    weighted = [layer.name for layer in traced.workload.layers if _has_weights(layer)]
    for kind, names, known in (
        ("scales", options.scales, traced.workload.shapes),
        ("weight_scales", options.weight_scales, traced.layers),
        ("layer_weight_bits", options.layer_weight_bits, weighted),
        ("layer_act_bits", options.layer_act_bits, traced.workload.shapes),
    ):
        for given in names:
            if given not in known:
                raise unknown_name(f"quantize: {kind}", "tensor", given, known)
    widths = _act_widths(traced, options)
    scales = _choose_scales(traced, ranges, options, widths)
    bits = {layer.name: _bits(layer, options, widths) for layer in traced.workload.layers}
    layers: dict[str, QuantizedLayer] = {}
    faults: list[Fault] = []
    for name, item in traced.layers.items():
        try:
            own = bits[name]
            context = Context(own.W, own.O, own.I, options.acc_bits, scales, options.weight_scales)
            layers[name] = quantize_layer(item, context)
        except SpecError as error:
            faults.extend(error.faults)
    if faults:
        raise SpecError(faults)
    workload = Workload(
        traced.workload.name,
        tuple(replace(tensor, bits=widths[tensor.name]) for tensor in traced.workload.inputs),
        tuple(replace(layer, bits=bits[layer.name]) for layer in traced.workload.layers),
    )
    network = QuantizedNetwork(workload, layers, {t.name: scales[t.name] for t in workload.inputs})
    check_network(network)
    return network


def _has_weights(layer: Layer) -> bool:
    return layer.op.spec.weighted


def _bits(layer: Layer, options: QuantizeOptions, widths: Mapping[str, int]) -> Bits:
    """A layer's widths; ``widths`` of all tensors. What has no weights counts as its inputs' widest."""
    taken = max((widths[name] for name in layer.inputs), default=widths[layer.name])
    weight = options.layer_weight_bits.get(layer.name, options.weight_bits) if _has_weights(layer) else taken
    return Bits(taken, weight, widths[layer.name], options.acc_bits)


def _act_widths(traced: TracedNetwork, options: QuantizeOptions) -> dict[str, int]:
    """Bits of every tensor: of those that share a scale, the least."""
    widths: dict[str, int] = {}
    for group in _shared_scales(traced):
        widths |= dict.fromkeys(group, min(options.layer_act_bits.get(name, options.act_bits) for name in group))
    return widths


def _shared_scales(traced: TracedNetwork) -> list[set[str]]:
    """Sets of tensors between which nothing is rescaled."""
    graph = nx.Graph()
    graph.add_nodes_from(traced.workload.shapes)
    for layer in traced.workload.layers:
        if layer.keeps_scale:
            graph.add_edges_from((source, layer.name) for source in layer.inputs)
    return list(nx.connected_components(graph))


def _choose_scales(
    traced: TracedNetwork, ranges: Mapping[str, Range], options: QuantizeOptions, widths: Mapping[str, int]
) -> dict[str, float]:
    """One scale for each set of tensors between which nothing is rescaled."""
    scales: dict[str, float] = {}
    faults: list[Fault] = []
    least = _LEAST_RANGE * max((item.largest for item in ranges.values()), default=0.0) or 1.0
    for group in _shared_scales(traced):
        levels = 2 ** (widths[next(iter(group))] - 1) - 1
        fixed = {name: float(options.scales[name]) for name in group if name in options.scales}
        soft = any(name in traced.layers and traced.layers[name].layer.op is Op.SOFTMAX for name in group)
        if any(not (math.isfinite(value) and value > 0) for value in fixed.values()):
            faults.append(Fault(f"quantize: scales of {sorted(fixed)}", f"are {fixed}", "positive numbers"))
        elif len(set(fixed.values())) > 1:
            faults.append(
                Fault(f"quantize: scales of {sorted(fixed)}", f"differ: {fixed}", "one scale: nothing rescales between")
            )
        elif soft and any(math.frexp(value)[0] != 0.5 for value in fixed.values()):
            faults.append(Fault(f"quantize: scales of {sorted(fixed)}", f"are {fixed}", "a power of two: a softmax's"))
        elif fixed:
            scales |= dict.fromkeys(group, next(iter(fixed.values())))
        else:
            merged = Range()
            for name in sorted(group):
                merged = merged.merged(ranges[name])
            amplitude = max(merged.amplitude(options.method, levels, options.percentile), least)
            scale = power_of_two_scale(amplitude, levels) if soft else amplitude / levels
            scales |= dict.fromkeys(group, scale)
    if faults:
        raise SpecError(faults)
    return scales


def quantize_input(network: QuantizedNetwork, inputs: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Real inputs as integers: rounded half to even, clamped.

    Args:
        network: a quantised network.
        inputs: ``[n, ...]``; by input name where there are several.

    Returns:
        int64 ``[n, C, H, W]`` by input name.

    Raises:
        SpecError: a missing or unknown input, or one of another shape.
    """
    given = {network.workload.inputs[0].name: inputs} if isinstance(inputs, Tensor) else dict(inputs)
    out = {}
    for tensor in network.workload.inputs:
        if tensor.name not in given:
            raise unknown_name("quantize_input", "input; missing", tensor.name, given)
        value = given[tensor.name]
        shape = (-1, tensor.C, tensor.H, tensor.W)
        if value.dim() == 3 and tensor.W == 1 and value.shape[1:] == (tensor.H, tensor.C):
            value = value.transpose(1, 2)  # tokens [n, T, D] are stored as D channels of T rows
        if value.dim() < 1 or value.numel() != value.shape[0] * tensor.C * tensor.H * tensor.W:
            wanted = f"[n, {tensor.C}, {tensor.H}, {tensor.W}]"
            raise SpecError(Fault(f"input {tensor.name}", f"has shape {list(value.shape)}", wanted))
        limit = 2 ** (tensor.bits - 1)
        levels = torch.round(value.double() / network.input_scales[tensor.name]).clamp(-limit, limit - 1)
        out[tensor.name] = levels.to(torch.int64).reshape(shape)
    return out


def signal_to_noise_db(real: Tensor, integers: Tensor, scale: float) -> float:
    """Signal to quantisation noise ratio in decibels of ``scale * integers`` against ``real``."""
    noise = (real.double() - integers.double() * scale).square().sum()
    signal = real.double().square().sum()
    return float(10 * np.log10(float(signal) / float(noise))) if noise > 0 and signal > 0 else math.inf
