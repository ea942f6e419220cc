"""Weights that are predicted from the network that they are for, in place of weights that are shared.

* ``encoded`` (SMASH, Brock 2018): the whole network is encoded as one vector, layer by layer in a fixed order; a hidden
  layer reads it, and each layer's weights are a linear function of what it says.
* ``graph`` (GHN, Zhang 2019): every layer is a node with what it is as its features; states go along the network's
  edges, forward and back, through one gated cell; one and the same decoder turns the state of any node into weights.

Gains, biases and scales of tensors are learned as they are, as in SMASH; the gradient of the task's loss reaches the
predictor alone through the weights. A prediction is for the largest layer, of which a network takes its part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.seeds import derive_seed
from mappings.layer import Layer
from mappings.workload import Workload

#: Numbers between what is read and what is predicted.
HIDDEN = 32
#: Times that states go along the edges and back.
ROUNDS = 2
#: Features of a layer: whether it is there, logarithms of its channels and kernel, stride, depthwise.
FEATURES = 6

#: Rows, columns and kernel of the largest weight of each layer.
Shapes = Mapping[str, tuple[int, int, int]]


def initial(how: str, shapes: Shapes, seed: int) -> dict[str, Tensor]:
    """Parameters of a predictor by name, untrained.

    Args:
        how: one of :data:`codesign.supernet.names.PREDICTED`.
        shapes: of what it predicts, by layer.
    """

    def drawn(name: str, shape: tuple[int, ...], spread: float) -> Tensor:
        generator = torch.Generator().manual_seed(derive_seed(seed, "predictor", name))
        return torch.randn(shape, generator=generator) * spread

    out: dict[str, Tensor] = {}
    if how == "encoded":
        wide = FEATURES * len(shapes)
        out["predictor/read"] = drawn("read", (wide, HIDDEN), 1.0 / math.sqrt(wide))
        out["predictor/offset"] = torch.zeros(HIDDEN)
        for name, (rows, columns, size) in shapes.items():
            spread = math.sqrt(2.0 / (columns * size * size))
            out[f"{name}/basis"] = drawn(name, (HIDDEN + 1, rows, columns, size, size), spread / math.sqrt(HIDDEN))
        return out
    out["predictor/read"] = drawn("read", (FEATURES, HIDDEN), 1.0 / math.sqrt(FEATURES))
    for gate in ("update", "reset", "new"):
        out[f"predictor/{gate}"] = drawn(gate, (2 * HIDDEN, HIDDEN), 1.0 / math.sqrt(2 * HIDDEN))
    rows, columns, size = (max(shape[place] for shape in shapes.values()) for place in range(3))
    out["predictor/basis"] = drawn("basis", (HIDDEN + 1, rows, columns, size, size), 1.0 / math.sqrt(HIDDEN))
    return out


def features(layer: Layer | None) -> list[float]:
    """What a layer is; of one that is not there, zeros."""
    if layer is None:
        return [0.0] * FEATURES
    wide, deep = math.log2(layer.channels_out), math.log2(layer.C)
    return [1.0, wide / 4, deep / 4, math.log2(layer.R), float(layer.stride[0]) - 1.0, float(layer.groups > 1)]


def weights(parts: Mapping[str, Tensor], workload: Workload) -> dict[str, Tensor]:
    """The predicted weights of a network's convolving layers, each ``[K, C, R, S]`` of the largest layer of its name.

    Args:
        parts: parameters of a predictor.
    """
    convolving = [layer for layer in workload.layers if layer.op.spec.convolves]
    if "predictor/offset" in parts:
        names = [name[: -len("/basis")] for name in parts if name.endswith("/basis")]
        state = _encoded(parts, workload, names)
        return {layer.name: _of(state, parts[f"{layer.name}/basis"]) for layer in convolving}
    states = _graph(parts, workload)
    return {
        layer.name: _of(states[layer.name], parts["predictor/basis"]) / math.sqrt(layer.C * layer.R * layer.S / 2)
        for layer in convolving
    }


def _encoded(parts: Mapping[str, Tensor], workload: Workload, names: Iterable[str]) -> Tensor:
    known = {layer.name: layer for layer in workload.layers}
    code = torch.tensor([value for name in names for value in features(known.get(name))])
    return torch.tanh(code @ parts["predictor/read"] + parts["predictor/offset"])


def _graph(parts: Mapping[str, Tensor], workload: Workload) -> dict[str, Tensor]:
    """States of all layers after some rounds of messages."""
    states = {
        layer.name: torch.tanh(torch.tensor(features(layer)) @ parts["predictor/read"]) for layer in workload.layers
    }
    before = {layer.name: [name for name in layer.inputs if name in states] for layer in workload.layers}
    after: dict[str, list[str]] = {name: [] for name in states}
    for name, sources in before.items():
        for source in sources:
            after[source].append(name)
    order = list(states)
    for _ in range(ROUNDS):
        for names, sources_of in ((order, before), (order[::-1], after)):
            for name in names:
                sources = sources_of[name]
                message = (
                    torch.stack([states[source] for source in sources]).sum(dim=0)
                    if sources
                    else torch.zeros_like(states[name])
                )
                states[name] = _cell(parts, message, states[name])
    return states


def _cell(parts: Mapping[str, Tensor], message: Tensor, state: Tensor) -> Tensor:
    """A gated recurrent unit (Cho 2014)."""
    both = torch.cat([message, state])
    update = torch.sigmoid(both @ parts["predictor/update"])
    reset = torch.sigmoid(both @ parts["predictor/reset"])
    new = torch.tanh(torch.cat([message, reset * state]) @ parts["predictor/new"])
    return update * state + (1 - update) * new


def _of(state: Tensor, basis: Tensor) -> Tensor:
    """A state with a constant, times the basis."""
    weight: Tensor = torch.tensordot(functional.pad(state, (0, 1), value=1.0), basis, dims=1)
    return weight


def parameters(how: str, shapes: Shapes, seed: int) -> dict[str, nn.Parameter]:
    """An untrained predictor's."""
    return {name: nn.Parameter(value) for name, value in initial(how, shapes, seed).items()}
