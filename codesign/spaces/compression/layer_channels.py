"""Channels that each layer keeps (He 2018, AMC): those that are left out are gone from the network, not set to zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from codesign.decisions import Decision, Variable
from mappings.layer import Layer
from mappings.operators import Unit
from mappings.workload import Workload


@dataclass(frozen=True)
class Width:
    """Channels that several tensors have alike: one is kept in all of them or in none.

    Attributes:
        count: of channels.
        writers: layers whose filters make them.
        tensors: those that have them, the writers' outputs among them.
    """

    count: int
    writers: tuple[str, ...]
    tensors: tuple[str, ...]


def mixes(layer: Layer) -> bool:
    """Whether each output channel reads all input channels, so that the two may differ in number."""
    return layer.op.spec.weighted and layer.groups == 1


def widths(workload: Workload) -> tuple[Width, ...]:
    """What of a network's channels may be left out, in the order of the layers.

    Images, outputs, and whatever meets an operator that channels cannot be taken from (concatenation, grouped
    convolution, attention, ...) stay as they are.
    """
    leader: dict[str, str] = {}
    channels: dict[str, int] = {}
    kept: set[str] = set(workload.outputs)
    for tensor in workload.inputs:
        leader[tensor.name], channels[tensor.name] = tensor.name, tensor.C
        kept.add(tensor.name)

    def root(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for layer in workload.layers:
        leader[layer.name], channels[layer.name] = layer.name, layer.channels_out
        if mixes(layer):
            if layer.C % channels[layer.inputs[0]]:
                kept.add(layer.inputs[0])
        elif layer.is_depthwise or layer.op.spec.unit is Unit.VECTOR:  # a channel for each: operands are tied together
            for name in layer.inputs:
                leader[root(name)] = root(layer.name)
            if any(channels[name] != channels[layer.name] for name in layer.inputs):
                kept.add(layer.name)
        else:
            kept.update((layer.name, *layer.inputs))
    fixed = {root(name) for name in kept}
    groups: dict[str, list[str]] = {}
    for layer in workload.layers:
        if root(layer.name) not in fixed:
            groups.setdefault(root(layer.name), []).append(layer.name)
    mixing = {layer.name for layer in workload.layers if mixes(layer)}
    found = [
        Width(channels[names[0]], tuple(name for name in names if name in mixing), tuple(names))
        for names in groups.values()
    ]
    return tuple(width for width in found if width.count > 1)


def with_channels(workload: Workload, counts: Mapping[str, int]) -> Workload:
    """The network with fewer channels.

    Args:
        workload: any.
        counts: channels of each tensor that has fewer than before, those of one :class:`Width` alike.
    """
    before = {tensor.name: tensor.C for tensor in workload.inputs}
    layers = []
    for layer in workload.layers:
        before[layer.name] = layer.channels_out
        out = counts.get(layer.name, layer.channels_out)
        if mixes(layer):
            source = layer.inputs[0]
            each = layer.C // before[source]  # of a linear layer over an image: its places
            reads = counts[source] * each if source in counts else layer.C
            layer = replace(layer, K=out, C=reads)
        elif layer.name in counts:
            layer = replace(layer, groups=out)
        layers.append(layer)
    return replace(workload, layers=tuple(layers))


def kept_count(count: int, share: float) -> int:
    """Channels that a share of them is: the nearest number, at least one."""
    return max(1, round(count * share))


@dataclass(frozen=True)
class LayerChannels:
    """The share of its channels that each layer keeps; layers that a sum ties together have one share.

    Networks of a space differ in depth: with more widths than slots, neighbours share one.

    Attributes:
        kept: shares that may be chosen, ascending.
        slots: decisions.
    """

    kept: tuple[float, ...] = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
    slots: int = 12

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """One a slot."""
        return tuple(Decision(f"kept_{place}", "compression", self.kept) for place in range(self.slots))

    def _slot(self, workload: Workload) -> list[tuple[str, Width]]:
        found = widths(workload)
        many = len(found) > self.slots
        return [(f"kept_{i * self.slots // len(found) if many else i}", width) for i, width in enumerate(found)]

    def subjects(self, workload: Workload) -> dict[str, tuple[str, ...]]:
        """Layers that each decision is about; decisions that change nothing of this network are not there."""
        out: dict[str, tuple[str, ...]] = {}
        for name, width in self._slot(workload):
            out[name] = (*out.get(name, ()), *width.writers)
        return out

    def compressed(self, workload: Workload, point: Mapping[str, Any]) -> Workload:
        """The network with the channels that the point keeps; which of them, those who have weights decide."""
        counts = {
            name: kept_count(width.count, float(point[slot]))
            for slot, width in self._slot(workload)
            for name in width.tensors
        }
        return with_channels(workload, counts)
