"""Parts that a network leaves out, as linear maps of their own (Chu 2021, SCARLET-NAS).

Where a network skips a part, what comes behind it reads features of another depth than it is used to. While the weights
are shared, a learned 1 x 1 convolution without bias, normalisation or activation stands in place of a skipped part.
What reads it is linear: the two are one convolution with the product of their weights. So the reader takes its weights
through the matrix, and no network has a layer more than it has without; taken out, it is the network with the product
as its weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mappings.errors import Fault, SpecError
from mappings.layer import Op
from mappings.workload import Workload

#: Between the names of the two tensors in that of a matrix.
_BEHIND = "/behind/"


def skips_of(largest: Workload, networks: Iterable[Workload], prefixes: Sequence[str]) -> dict[tuple[str, str], int]:
    """Channels of each part that some network leaves out whole, by the tensors that it reads and gives.

    Args:
        largest: has every part.
        networks: of the same space.
        prefixes: of the names of each part's layers.

    Raises:
        SpecError: no part is left out; one changes its tensor's shape; one is read by what is not linear.
    """
    parts = {prefix: [layer for layer in largest.layers if layer.name.startswith(prefix)] for prefix in prefixes}
    shapes = {item.name: (item.C, item.H) for item in largest.inputs}
    shapes |= {layer.name: (layer.channels_out, layer.P) for layer in largest.layers}
    out: dict[tuple[str, str], int] = {}
    for network in networks:
        names = {layer.name for layer in network.layers}
        for prefix, layers in parts.items():
            if not layers or any(layer.name in names for layer in layers):
                continue
            skip = layers[0].inputs[0], layers[-1].name
            if shapes[skip[0]] != shapes[skip[1]]:
                what = "is left out and changes the shape of what it reads, which no square matrix does"
                raise SpecError(Fault(f"supernet: part {prefix}", what, "parts that keep it"))
            out[skip] = shapes[skip[0]][0]
        _check_readers(network, out)
    if not out:
        what = "has no part that networks leave out"
        raise SpecError(Fault("supernet: stabilised", what, "a space whose blocks may be skipped"))
    return out


def parameters(skips: Mapping[tuple[str, str], int]) -> dict[str, nn.Parameter]:
    """A matrix [channels, channels] for each part that may be left out: at first what leaving it out is."""
    return {map_name(*skip): nn.Parameter(torch.eye(channels)) for skip, channels in skips.items()}


def map_name(source: str, target: str) -> str:
    """Name of the matrix in place of the part between two tensors."""
    return f"{target}{_BEHIND}{source}"


def _followers(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """By a tensor that a part reads: what the part gives, and the name of its matrix."""
    found = [(name, *name.split(_BEHIND)) for name in names if _BEHIND in name]
    return {source: (target, name) for name, target, source in found}


def _chains(names: Iterable[str], workload: Workload) -> dict[str, list[str]]:
    """Matrices that stand between each tensor of a network and what reads it, in order; of those that have any."""
    present, after = {layer.name for layer in workload.layers}, _followers(names)
    out: dict[str, list[str]] = {}
    for name in (*present, *(item.name for item in workload.inputs)):
        chain, at = list[str](), name
        while at in after and after[at][0] not in present:
            at, matrix = after[at]
            chain.append(matrix)
        if chain:
            out[name] = chain
    for layer in workload.layers:  # a mean over places and a matrix over channels may change places
        if layer.op is Op.AVGPOOL and layer.inputs[0] in out:
            out[layer.name] = out[layer.inputs[0]]
    return out


def _check_readers(network: Workload, skips: Mapping[tuple[str, str], int]) -> None:
    chains = _chains(parameters(dict.fromkeys(skips, 1)), network)
    for layer in network.layers:
        linear = layer.op is Op.AVGPOOL or (layer.op.spec.convolves and layer.groups == 1)
        if not linear and any(name in chains for name in layer.inputs):
            what = f"reads behind a part that is left out, and a {layer.op} takes in no matrix"
            raise SpecError(Fault(f"supernet: layer {layer.name}", what, "blocks without shortcuts"))


def matrices(parts: Mapping[str, Tensor], workload: Workload) -> dict[str, Tensor]:
    """By layer of a network what it reads through, [C, C]; of layers that read behind a part that is left out."""
    if not any(_BEHIND in name for name in parts):
        return {}
    chains, out = _chains(parts, workload), dict[str, Tensor]()
    for layer in workload.layers:
        if not layer.op.spec.convolves or layer.inputs[0] not in chains:
            continue
        first, *others = (parts[name][: layer.C, : layer.C] for name in chains[layer.inputs[0]])
        for matrix in others:
            first = matrix @ first
        out[layer.name] = first
    return out


def folded(weight: Tensor, matrix: Tensor) -> Tensor:
    """Weights [K, C, ...] of what reads ``matrix`` [C, C] times a tensor, for reading the tensor itself."""
    return torch.einsum("kc...,cd->kd...", weight, matrix)
