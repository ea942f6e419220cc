"""Random integers for any workload: what hardware takes for it does not depend on its weights."""

from __future__ import annotations

import numpy as np
import torch

from codesign.networks.attention import NORM_EPSILON, factor
from codesign.quantization.layer import Context, quantize_layer
from codesign.quantization.quantize import LAYER_WIDTHS
from codesign.trace import TracedLayer
from codesign.trace.network import Operand
from codesign.trace.views import View
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.moves import Shape, layer_index
from mappings.network_check import check_network
from mappings.quantized import QuantizedNetwork
from mappings.workload import Workload


def random_network(workload: Workload, seed: int = 0) -> QuantizedNetwork:
    """A workload with standard normal weights, in integers; every tensor reaches from -1 to 1.

    Raises:
        SpecError: an operator without integers, or widths that no hardware of ours has.
    """
    rng = np.random.default_rng(seed)
    widths = {tensor.name: tensor.bits for tensor in workload.inputs}
    widths |= {layer.name: layer.bits.O for layer in workload.layers}
    odd = sorted({bits for bits in widths.values() if bits not in LAYER_WIDTHS})
    if odd:
        what = f"has values of {', '.join(map(str, odd))} bits"
        raise SpecError(Fault(f"workload {workload.name}", what, ", ".join(map(str, LAYER_WIDTHS))))
    # A power of two, which a softmax asks for; equal for equal widths, which what passes values on asks for.
    scales = {name: 2.0 ** -(bits - 1) for name, bits in widths.items()}
    layers = {}
    for layer in workload.layers:
        bits = layer.bits
        context = Context(bits.W, bits.O, bits.I, bits.acc, scales, {})
        layers[layer.name] = quantize_layer(_drawn(layer, workload.shapes, rng), context)
    network = QuantizedNetwork(workload, layers, {tensor.name: scales[tensor.name] for tensor in workload.inputs})
    check_network(network)
    return network


def _drawn(layer: Layer, shapes: dict[str, Shape], rng: np.random.Generator) -> TracedLayer:
    """A layer with what tracing would find behind it, drawn."""

    def normal(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal(shape))

    first = factor(layer) if layer.op is Op.MATMUL else 1.0
    operands = [Operand(name, 0, 0, 1.0 if place else first) for place, name in enumerate(layer.inputs)]
    item = TracedLayer(layer, operands, "", View(layer.name, (), ()), epsilon=NORM_EPSILON)
    if layer.op is Op.LAYERNORM:
        item.weight, item.bias = torch.ones(layer.C).double(), torch.zeros(layer.C).double()
    elif layer.op.spec.weighted:
        fan_in = layer.C * layer.R * layer.S
        item.weight = normal(layer.channels_out, layer.C, layer.R, layer.S) / fan_in**0.5
        item.bias = normal(layer.channels_out) / 8
    elif layer.op is Op.CONSTANT:
        item.value = normal(1, layer.channels_out, layer.P, layer.Q)
    elif layer.op is Op.SOFTMAX and layer.masked:
        item.mask = np.ones((layer.P * layer.Q, layer.C), dtype=np.int64)
    elif layer.op is Op.ACT:
        item.function = torch.tanh
    if layer.op is Op.AVGPOOL:
        item.divisor = layer.R * layer.S
    if layer.moves == "box":
        item.index = layer_index(layer, shapes[layer.inputs[0]])
    elif layer.moves == "list":
        shape = shapes[layer.name]
        item.index = (np.arange(np.prod(shape)) % np.prod(shapes[layer.inputs[0]])).reshape(shape)
    return item
