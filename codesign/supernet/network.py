"""One set of parameters for all networks of a space: each takes the part that its layers need.

Layers are shared by name. A network's layer takes the first of the shared channels, and of a larger kernel the middle
(BigNAS, slimmable), the middle through a learned matrix (OFA), or a kernel of its own size (SPOS, FairNAS). Weights may
be predicted instead (``encoded``, ``graph``: :mod:`codesign.supernet.predicted`). A tensor's learned scale is shared by
layers of one width of data; of those that a network joins the first one's is that of all. What runs is
:class:`codesign.quantization.qat.QatNetwork` itself, with those parts in place of parameters of its own, so that a
network that is taken out computes what it did within. What reads behind a part that is left out may take its weights
through a learned matrix (:mod:`codesign.supernet.stabilised`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, product

import torch
from torch import Tensor, nn
from torch.func import functional_call

from codesign.quantization.qat import (
    GATE_BIAS,
    GATE_GAIN,
    POSITION_DEVIATION,
    UNSCALED,
    QatNetwork,
    alike,
    borders_of,
    gates_of,
)
from codesign.seeds import derive_seed
from codesign.supernet import predicted, stabilised
from codesign.supernet.names import PREDICTED
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.operators import Layout
from mappings.workload import Workload


@dataclass(frozen=True)
class Shared:
    """Shapes of what networks share.

    Attributes:
        weights: by layer name ``[K, C]`` (a depthwise layer: C = 1).
        kernels: by layer name every kernel size, ascending.
        scales: by layer name whether its output is never negative.
        widths: every width of an output, in bits; each layer has a scale for each.
        kinds: operator by layer name.
        gates: layers that begin as a hard sigmoid.
        stored: by layer name the shape of what a layer norm (its channels) or a constant (all of it) holds.
        skips: channels of what a part that may be left out reads and gives, by the names of these two tensors.
    """

    weights: Mapping[str, tuple[int, int]]
    kernels: Mapping[str, tuple[int, ...]]
    scales: Mapping[str, bool]
    widths: tuple[int, ...]
    kinds: Mapping[str, Op]
    gates: frozenset[str] = frozenset()
    stored: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    skips: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def by(cls, workloads: Iterable[Workload]) -> Shared:
        """What all of some networks need."""
        weights: dict[str, tuple[int, int]] = {}
        kernels: dict[str, set[int]] = {}
        scales: dict[str, bool] = {}
        widths: set[int] = set()
        kinds: dict[str, Op] = {}
        gates: set[str] = set()
        stored: dict[str, tuple[int, ...]] = {}
        for workload in workloads:
            gates.update(gates_of(workload))
            borders = borders_of(workload)
            for layer in workload.layers:
                if layer.op not in UNSCALED:
                    scales[layer.name] = layer.activation == "relu"
                widths.add(layer.bits.O)
                if kinds.setdefault(layer.name, layer.op) != layer.op:
                    what = f"is {layer.op} in one network and {kinds[layer.name]} in another"
                    raise SpecError(Fault(f"supernet: layer {layer.name}", what, "one operator a name"))
                if _gained(layer.op) or (layer.op.spec.layout is Layout.STORED and layer.name not in borders):
                    shape = (layer.channels_out,) if _gained(layer.op) else (layer.channels_out, layer.P, layer.Q)
                    stored[layer.name] = max(stored.get(layer.name, shape), shape)
                if not layer.op.spec.convolves:
                    continue
                rows, columns = weights.get(layer.name, (0, 0))
                weights[layer.name] = (max(rows, layer.channels_out), max(columns, layer.C))
                kernels.setdefault(layer.name, set()).add(layer.R)
        return cls(
            weights,
            {name: tuple(sorted(sizes)) for name, sizes in kernels.items()},
            scales,
            tuple(sorted(widths)),
            kinds,
            frozenset(gates),
            stored,
        )


class SuperNetwork(nn.Module):
    """Shared parameters.

    Args:
        shared: their shapes.
        kernel: one of :data:`codesign.supernet.names.KERNELS`.
        seed: of the initial values; each parameter's depend on its name alone.
    """

    def __init__(self, shared: Shared, kernel: str, seed: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.parts = nn.ParameterDict()
        if kernel in PREDICTED and shared.weights:
            shapes = {name: (*shape, shared.kernels[name][-1]) for name, shape in shared.weights.items()}
            self.parts.update(predicted.parameters(kernel, shapes, seed))
        for name, (rows, columns) in shared.weights.items():
            sizes = shared.kernels[name]
            held = () if kernel in PREDICTED else sizes if kernel == "own" else sizes[-1:]
            for size in held:
                shape = (rows, columns, size, size) if shared.kinds[name].spec.windowed else (rows, columns)
                generator = torch.Generator().manual_seed(derive_seed(seed, "weight", name, size))
                gain = 2.0 if shared.kinds[name].spec.windowed else 1.0
                value = torch.randn(shape, generator=generator) * math.sqrt(gain / (columns * size * size))
                self.parts[f"{name}/weight{size}"] = nn.Parameter(value)
            if kernel == "transform":
                for small, large in pairwise(sizes):
                    self.parts[f"{name}/matrix{large}to{small}"] = nn.Parameter(torch.eye(small * small))
            if shared.kinds[name].spec.windowed:
                self.parts[f"{name}/gain"] = nn.Parameter(
                    torch.full((rows,), GATE_GAIN if name in shared.gates else 1.0)
                )
            bias = GATE_BIAS if name in shared.gates else 0.0
            self.parts[f"{name}/bias"] = nn.Parameter(torch.full((rows,), bias))
        for name, extents in shared.stored.items():
            if _gained(shared.kinds[name]):
                self.parts[f"{name}/gain"] = nn.Parameter(torch.ones(extents))
                self.parts[f"{name}/bias"] = nn.Parameter(torch.zeros(extents))
            else:
                generator = torch.Generator().manual_seed(derive_seed(seed, "weight", name, 0))
                self.parts[f"{name}/value"] = nn.Parameter(
                    torch.randn(extents, generator=generator) * POSITION_DEVIATION
                )
        self.parts.update(stabilised.parameters(shared.skips))
        for (name, unsigned), bits in product(shared.scales.items(), shared.widths):
            reach = 1.0 if name in shared.gates else 3.0 if unsigned else 4.0
            start = math.log(reach / (2 ** (bits - 1) - 1))
            self.parts[f"{name}/scale{bits}"] = nn.Parameter(torch.tensor(start))

    def _part(self, layer: Layer, part: str) -> nn.Parameter:
        if f"{layer.name}/{part}" not in self.parts:
            what = f"has no {part} in the supernet"
            raise SpecError(
                Fault(f"layer {layer.name}", what, "a network of the space that the supernet was trained for")
            )
        found: nn.Parameter = self.parts[f"{layer.name}/{part}"]
        return found

    def _kernel(self, layer: Layer) -> Tensor:
        """The shared weight at the layer's kernel size: ``[K, C, R, S]`` of the largest K and C."""
        if self.kernel == "own":
            return self._part(layer, f"weight{layer.R}")
        prefix = f"{layer.name}/weight"
        (largest,) = [int(key[len(prefix) :]) for key in self.parts if key.startswith(prefix)] or [0]
        weight: Tensor = self._part(layer, f"weight{largest}")
        if not layer.op.spec.windowed or largest == layer.R:
            return weight
        if largest < layer.R:
            return self._part(layer, f"weight{layer.R}")  # which tells that there is none
        if self.kernel == "crop":
            return _middle(weight, layer.R)
        size = largest
        while size > layer.R:
            prefix = f"{layer.name}/matrix{size}to"
            (smaller,) = [int(key[len(prefix) :]) for key in self.parts if key.startswith(prefix)]
            flat = _middle(weight, smaller).flatten(2) @ self._part(layer, f"matrix{size}to{smaller}")
            weight, size = flat.reshape(*flat.shape[:2], smaller, smaller), smaller
        if size != layer.R:
            return self._part(layer, f"weight{layer.R}")
        return weight

    def parameters_of(self, workload: Workload) -> dict[str, Tensor]:
        """Parameters of one network under the names of :class:`QatNetwork`; gradients reach the shared ones.

        Raises:
            SpecError: a layer that is not shared here, or larger than what is.
        """
        out: dict[str, Tensor] = {}
        whole = predicted.weights(dict(self.parts.items()), workload) if self.kernel in PREDICTED else {}
        borders = borders_of(workload)
        passed = stabilised.matrices(dict(self.parts.items()), workload)
        for layer in workload.layers:
            step = f"steps.{layer.name}"
            if layer.op not in UNSCALED:
                out[f"{step}.quantizer.log_scale"] = self._part(layer, f"scale{layer.bits.O}")
            if _gained(layer.op):
                out[f"{step}.weight"] = self._part(layer, "gain")[: layer.C]
                out[f"{step}.bias"] = self._part(layer, "bias")[: layer.C]
            if layer.op.spec.layout is Layout.STORED and layer.name not in borders:
                out[f"{step}.weight"] = self._part(layer, "value")[: layer.channels_out]
            if not layer.op.spec.convolves:
                continue
            rows = layer.channels_out
            weight = fitting(whole[layer.name], layer) if whole else self._kernel(layer)
            if weight.shape[0] < rows or weight.shape[1] < layer.C:
                what = f"takes {rows} x {layer.C} channels of {weight.shape[0]} x {weight.shape[1]}"
                raise SpecError(Fault(f"layer {layer.name}", what, "a network of the supernet's own space"))
            own = weight[:rows, : layer.C]
            out[f"{step}.weight"] = stabilised.folded(own, passed[layer.name]) if layer.name in passed else own
            bias = self._part(layer, "bias")[:rows]
            if layer.op.spec.windowed:
                out[f"{step}.norm.weight"], out[f"{step}.norm.bias"] = self._part(layer, "gain")[:rows], bias
            else:
                out[f"{step}.bias"] = bias
        for first, *others in alike(workload):
            for name in others:
                out[f"steps.{name}.quantizer.log_scale"] = out[f"steps.{first}.quantizer.log_scale"]
        return out

    def forward(self, images: Tensor, workload: Workload) -> Tensor:
        """Logits of one network, batch normalisation over the batch: images [N, C, H, W] to [N, classes]."""
        logits: Tensor = functional_call(QatNetwork(workload).train(), self.parameters_of(workload), (images,))
        return logits

    def extract(self, workload: Workload) -> QatNetwork:
        """One network with parameters of its own; its batch statistics are still to be set."""
        network = QatNetwork(workload)
        with torch.no_grad():
            for name, value in self.parameters_of(workload).items():
                network.get_parameter(name).copy_(value)
        return network

    @torch.no_grad()
    def sort_channels(self) -> None:
        """Put the hidden channels of each inverted bottleneck in falling order of what the projection makes of them
        (OFA: the most important survive when the expansion shrinks). The network computes the same."""
        for key in [key for key in self.parts if "_project/weight" in key]:
            block = key.partition("_project/")[0]
            order = torch.argsort(self.parts[key].abs().sum(dim=(0, 2, 3)), descending=True, stable=True)
            for name, part in self.parts.items():
                layer, _, kind = name.partition("/")
                hidden = [f"{block}_{end}" for end in ("expand", "depthwise", "fused", "gate")]
                if layer in hidden and not kind.startswith(("scale", "matrix")):
                    part.copy_(part[order])
                elif layer in (f"{block}_project", f"{block}_squeeze") and kind.startswith("weight"):
                    part.copy_(part[:, order])


def _gained(op: Op) -> bool:
    """Whether it has a gain and a bias a channel over whole rows (a layer norm)."""
    return op.spec.over_rows and op.spec.channel_values


def _middle(weight: Tensor, size: int) -> Tensor:
    """The middle taps: ``[..., R, S]`` to ``[..., size, size]``."""
    margin = (weight.shape[-1] - size) // 2
    return weight[..., margin : margin + size, margin : margin + size]


def fitting(weight: Tensor, layer: Layer) -> Tensor:
    """A predicted weight in the layer's kernel size; a fully connected one without taps."""
    middle = _middle(weight, layer.R)
    return middle if layer.op.spec.windowed else middle[..., 0, 0]
