"""Network morphisms: a larger network that computes what the smaller one did (Chen 2016, Net2Net; Elsken 2019).

Layers are matched by name. A wider layer repeats its channels, and what reads them divides by how often each is
there; a larger filter is a smaller one with a rim of zeros; a new branch begins with weights of zero, so that it adds
nothing; a layer that is new in a chain begins as the identity, which ReLU leaves as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.workload import Workload

#: Weights by layer, [K, C, R, S] or [K, C].
Weights = dict[str, Tensor]


def random_weights(workload: Workload, seed: int) -> Weights:
    """He's normal draws (He 2015) for every convolution and linear layer."""
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for layer in workload.layers:
        if layer.op.spec.convolves:
            shape = _shape(layer)
            fan_in = layer.C * layer.R * layer.S
            out[layer.name] = torch.randn(shape, generator=generator, dtype=torch.float64) * (2.0 / fan_in) ** 0.5
    return out


def _shape(layer: Layer) -> tuple[int, ...]:
    if not layer.op.spec.windowed:
        return (layer.K, layer.C)
    return (layer.channels_out, layer.C, layer.R, layer.S)


def logits(workload: Workload, weights: Mapping[str, Tensor], images: Tensor) -> Tensor:
    """What the network says of images [n, C, H, W].

    Raises:
        SpecError: an operator that morphisms do not know.
    """
    values: dict[str, Tensor] = {workload.inputs[0].name: images.double()}
    for layer in workload.layers:
        read = [values[name] for name in layer.inputs]
        values[layer.name] = _run(layer, weights.get(layer.name), read)
    return values[workload.layers[-1].name]


def _run(layer: Layer, weight: Tensor | None, read: list[Tensor]) -> Tensor:
    top, left, bottom, right = layer.padding
    padded = functional.pad(read[0], (left, right, top, bottom)) if layer.op is not Op.ADD else read[0]
    if layer.op is Op.CONV and weight is not None:
        value = functional.conv2d(padded, weight, None, layer.stride, 0, layer.dilation, layer.groups)
    elif layer.op is Op.LINEAR and weight is not None:
        value = functional.linear(padded.flatten(1), weight)
    elif layer.op is Op.AVGPOOL:
        value = functional.avg_pool2d(padded, (layer.R, layer.S), layer.stride)
    elif layer.op is Op.ADD:
        value = read[0] + read[1]
    else:
        raise SpecError(Fault(f"layer {layer.name}", f"is of the operator {layer.op}", "conv, linear, avgpool, add"))
    return functional.relu(value) if layer.activation == "relu" else value


def inherited(parent: Workload, weights: Mapping[str, Tensor], child: Workload) -> Weights:
    """Weights with which the child computes what the parent does.

    Channel ``k`` of a layer that grew from ``K`` channels is channel ``k mod K`` of the parent's.

    Raises:
        SpecError: the child is no larger version of the parent.
    """
    before = {layer.name: layer for layer in parent.layers}
    source = {layer.name: place for place, layer in enumerate(child.layers)}
    old_width: dict[str, int] = {item.name: item.C for item in parent.inputs}
    out: Weights = {}
    for layer in child.layers:
        known = before.get(layer.name)
        if known is not None and tuple(_as_before(name, child, before) for name in layer.inputs) != known.inputs:
            raise SpecError(Fault(f"layer {layer.name}", "reads another tensor than its parent's", "a morphism of it"))
        if known is None and layer.op.spec.convolves:
            out[layer.name] = _newborn(layer, child, source)
        elif layer.op.spec.convolves and known is not None:
            reads = old_width[layer.inputs[0]]
            out[layer.name] = _grown(layer, known, weights[layer.name], reads)
        width = known.channels_out if known is not None else old_width[layer.inputs[0]]
        if known is None and layer.name in out and not _is_chained(layer, child):
            width = layer.channels_out  # a branch of zeros: any width will do
        old_width[layer.name] = width
    return out


def _as_before(name: str, child: Workload, before: Mapping[str, Layer]) -> str:
    """The tensor of the parent that a tensor of the child equals: what is new adds nothing to it."""
    layers = {layer.name: layer for layer in child.layers}
    while name in layers and name not in before:
        name = layers[name].inputs[-1]
    return name


def _is_chained(layer: Layer, child: Workload) -> bool:
    """Whether what a layer gives is read otherwise than as a summand."""
    readers = [other for other in child.layers if layer.name in other.inputs]
    return any(other.op is not Op.ADD for other in readers)


def _newborn(layer: Layer, child: Workload, source: Mapping[str, int]) -> Tensor:
    weight = torch.zeros(_shape(layer), dtype=torch.float64)
    if not _is_chained(layer, child):
        return weight
    before = child.layers[source[layer.inputs[0]]] if layer.inputs[0] in source else None
    plain = layer.op is Op.CONV and layer.groups == 1 and layer.stride == (1, 1)
    if not plain or layer.C != layer.K or before is None or (before.activation != "relu" and layer.activation):
        raise SpecError(Fault(f"layer {layer.name}", "is new and cannot begin as the identity", "as wide as its input"))
    for channel in range(layer.K):
        weight[channel, channel, layer.padding[0], layer.padding[1]] = 1.0
    return weight


def _grown(layer: Layer, known: Layer, weight: Tensor, reads: int) -> Tensor:
    """The parent's weights for more channels on both sides and a larger filter."""
    faults = layer.op is not known.op or layer.stride != known.stride or layer.channels_out < known.channels_out
    if faults or layer.groups != 1 or known.groups != 1 or reads > layer.C or layer.R < known.R:
        raise SpecError(Fault(f"layer {layer.name}", "is no larger version of its parent", "a morphism of it"))
    rows = torch.arange(layer.channels_out) % known.channels_out
    columns = torch.arange(layer.C) % reads
    often = torch.bincount(columns, minlength=reads)
    shape = (-1,) + (1,) * (weight.dim() - 2)
    wide = weight[rows][:, columns] / often[columns].reshape(shape)
    if layer.op.spec.windowed and layer.R > known.R:
        top, left = layer.padding[0] - known.padding[0], layer.padding[1] - known.padding[1]
        rim = (left, layer.S - known.S - left, top, layer.R - known.R - top)
        wide = functional.pad(wide, rim)
    return wide
