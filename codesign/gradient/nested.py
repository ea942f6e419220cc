"""A space whose networks are parts of its largest, as one differentiable network: every choice is a weight on a part.

A kernel is the middle of the largest one, a width the first channels, bits a rounding of the same weights. One pass
computes the largest network once, whatever the number of choices: its taps, channels and roundings are weighed (masks
as in FBNetV2, Wan 2020; superkernels as in Stamoulis 2019; roundings as in mixed-precision DNAS, Wu 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.decisions import Decision, Point
from codesign.gradient.choices import Draw
from codesign.networks.convolution import convolution
from codesign.quantization.qat import ActivationQuantizer, QatLayer, entering, fake_quantize_weight, gates_of
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.workload import Workload


class Part(StrEnum):
    """What of a layer a decision changes."""

    KERNEL = "kernel"
    CHANNELS = "channels"
    WEIGHT_BITS = "weight bits"
    ACT_BITS = "activation bits"


@dataclass(frozen=True)
class Effect:
    """What one decision does to one layer.

    Attributes:
        decision: its name.
        values: of the part, by choice.
    """

    decision: str
    values: tuple[int, ...]


#: By layer and part: the one decision about it.
Effects = Mapping[tuple[str, Part], Effect]


def _parts(layer: Layer) -> dict[Part, int]:
    return {
        Part.KERNEL: layer.R,
        Part.CHANNELS: layer.channels_out,
        Part.WEIGHT_BITS: layer.bits.W,
        Part.ACT_BITS: layer.bits.O,
    }


def effects_of(workload_at: Callable[[Point], Workload], base: Point, decisions: Sequence[Decision]) -> Effects:
    """What each decision changes of the network at the base.

    Args:
        workload_at: the network at a point.
        base: the point of the largest network.
        decisions: to look at; one that changes nothing has no effect.

    Raises:
        SpecError: a decision that adds or leaves out layers, makes one larger than the base's, or changes what another
            changes, too.
    """
    whole, out = workload_at(base), dict[tuple[str, Part], Effect]()
    allowed = "kernels, widths and bits, each a part of the largest"
    for decision in decisions:
        found = [workload_at({**base, decision.name: choice}) for choice in decision.choices]
        kinds = [[(layer.name, layer.op, layer.stride) for layer in w.layers] for w in (whole, *found)]
        if any(kind != kinds[0] for kind in kinds):
            what = "changes which layers there are, or their strides, which no weight on a part does"
            raise SpecError(Fault(f"decision {decision.name}", what, allowed))
        for place, layer in enumerate(whole.layers):
            for part, largest in _parts(layer).items():
                values = tuple(_parts(w.layers[place])[part] for w in found)
                if set(values) == {largest}:
                    continue
                if max(values) > largest:
                    what = f"makes the {part} of {layer.name} {max(values)} where the largest network has {largest}"
                    raise SpecError(Fault(f"decision {decision.name}", what, allowed))
                if (other := out.get((layer.name, part))) is not None:
                    what = f"changes the {part} of {layer.name}, which {other.decision} changes, too"
                    raise SpecError(Fault(f"decision {decision.name}", what, "one decision about each"))
                out[layer.name, part] = Effect(decision.name, values)
    return out


def prefix_masks(values: Sequence[int], count: int) -> Tensor:
    """The first channels of each width [choices, count]."""
    return (torch.arange(count)[None, :] < torch.tensor(values)[:, None]).float()


def middle_masks(values: Sequence[int], extent: int) -> Tensor:
    """The middle taps of each kernel [choices, extent, extent]."""
    out = torch.zeros(len(values), extent, extent)
    for place, value in enumerate(values):
        edge = (extent - value) // 2
        out[place, edge : extent - edge, edge : extent - edge] = 1.0
    return out


def interpolated(value: Tensor, values: Sequence[int], weights: Tensor) -> Tensor:
    """Widths aligned by channel-wise interpolation (Dong 2019, TAS): the first channels of each width that has a
    weight, averaged or stretched to the widest of them, and the weighed sum, with zeros behind.

    Args:
        value: [N, C, H, W], all channels.
        values: width of each choice.
        weights: [choices].
    """
    chosen = [(width, weight) for width, weight in zip(values, weights, strict=True) if float(weight.detach()) != 0.0]
    widest = max(width for width, _ in chosen)
    total = torch.zeros(())
    for width, weight in chosen:
        shape = (widest, value.shape[2], value.shape[3])
        # Pooling over the axis of channels; rows and columns stay.
        part = functional.adaptive_avg_pool3d(value[:, :width], shape) if width != widest else value[:, :width]
        total = total + weight * part
    return functional.pad(total, (0, 0, 0, 0, 0, value.shape[1] - widest))


class NestedNetwork(nn.Module):
    """The largest network with a weight on each part.

    Args:
        workload: the largest.
        effects: of the decisions (:func:`effects_of`).
        interpolate: widths are aligned by interpolation; else masked.
    """

    def __init__(self, workload: Workload, effects: Effects, *, interpolate: bool = False) -> None:
        super().__init__()
        self.workload, self.effects, self._interpolate = workload, effects, interpolate
        self.steps = nn.ModuleDict({layer.name: QatLayer(layer) for layer in workload.layers})
        self.roundings = nn.ModuleDict()
        for name in gates_of(workload):
            self._step(name).become_gate()
        for layer in workload.layers:
            found = effects.get((layer.name, Part.ACT_BITS))
            if found is not None:
                unsigned = layer.activation == "relu"
                self.roundings[layer.name] = nn.ModuleList(
                    ActivationQuantizer(bits, unsigned=unsigned) for bits in found.values
                )
        self._masks = {
            (name, part): prefix_masks(effect.values, self._step(name).layer.channels_out)
            if part is Part.CHANNELS
            else middle_masks(effect.values, self._step(name).layer.R)
            for (name, part), effect in effects.items()
            if part in (Part.CHANNELS, Part.KERNEL)
        }

    def _step(self, name: str) -> QatLayer:
        found = self.steps[name]
        assert isinstance(found, QatLayer)
        return found

    def _weight(self, step: QatLayer, draw: Draw) -> Tensor:
        """Rounded, and with its taps weighed."""
        assert step.weight is not None
        layer = step.layer
        weight: Tensor = step.weight
        bits = self.effects.get((layer.name, Part.WEIGHT_BITS))
        if bits is None:
            weight = fake_quantize_weight(weight, layer.bits.W)
        else:
            weights = draw[bits.decision]
            parts = [
                share * fake_quantize_weight(weight, width)
                for share, width in zip(weights, bits.values, strict=True)
                if float(share.detach()) != 0.0
            ]
            weight = torch.stack(parts).sum(dim=0)
        taps = self.effects.get((layer.name, Part.KERNEL))
        if taps is None:
            return weight
        mask: Tensor = torch.tensordot(draw[taps.decision], self._masks[layer.name, Part.KERNEL], dims=1)
        return weight * mask

    def _rounded(self, step: QatLayer, value: Tensor, draw: Draw) -> Tensor:
        bits = self.effects.get((step.layer.name, Part.ACT_BITS))
        if bits is None:
            out: Tensor = step.quantizer(value)
            return out
        roundings = self.roundings[step.layer.name]
        assert isinstance(roundings, nn.ModuleList)
        shares = draw[bits.decision]
        parts = [s * q(value) for s, q in zip(shares, roundings, strict=True) if float(s.detach()) != 0.0]
        return torch.stack(parts).sum(dim=0)

    def _narrowed(self, layer: Layer, value: Tensor, draw: Draw) -> Tensor:
        width = self.effects.get((layer.name, Part.CHANNELS))
        if width is None:
            return value
        weights = draw[width.decision]
        if self._interpolate:
            return interpolated(value, width.values, weights)
        return value * (weights @ self._masks[layer.name, Part.CHANNELS]).view(1, -1, 1, 1)

    def forward(self, images: Tensor, draw: Draw) -> Tensor:
        """Images [N, C, H, W] to logits [N, classes], with the weights of one draw."""
        values = {self.workload.inputs[0].name: entering(images, self.workload)}
        for layer in self.workload.layers:
            step, inputs = self._step(layer.name), [values[name] for name in layer.inputs]
            if step.weight is None:
                # What it is given is narrow already.
                values[layer.name] = step(*inputs)
                continue
            weight = self._weight(step, draw)
            if step.norm is not None:
                value = step.norm(convolution(inputs[0], weight, layer))
            else:
                value = functional.linear(inputs[0].flatten(1), weight, step.bias)
            values[layer.name] = self._narrowed(layer, self._rounded(step, value, draw), draw)
        return values[self.workload.outputs[0]]


def largest(decisions: Sequence[Decision]) -> Point:
    """The last choice of each."""
    return {decision.name: decision.choices[-1] for decision in decisions}
