"""Widths of the weights and of the output, layer by layer (Wang 2019, HAQ)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from codesign.decisions import Decision, Variable
from mappings.layer import Layer
from mappings.workload import Workload


def weighted(workload: Workload) -> list[str]:
    """Layers with weights, in order."""
    return [layer.name for layer in workload.layers if layer.op.spec.weighted]


def with_bits(workload: Workload, weights: Mapping[str, int], acts: Mapping[str, int], widest: int) -> Workload:
    """The network with widths of its own for each layer.

    Args:
        workload: any.
        weights, acts: bits of weights and of outputs by layer; a layer without has ``widest``.
        widest: of weights and activations, the inputs' among them.
    """
    widths = {tensor.name: widest for tensor in workload.inputs}
    layers: list[Layer] = []
    for layer in workload.layers:
        widths[layer.name] = acts.get(layer.name, widest)
        taken = max((widths[name] for name in layer.inputs), default=widest)
        bits = replace(layer.bits, I=taken, W=weights.get(layer.name, widest), O=widths[layer.name])
        layers.append(replace(layer, bits=bits))
    return replace(workload, inputs=tuple(replace(i, bits=widest) for i in workload.inputs), layers=tuple(layers))


@dataclass(frozen=True)
class LayerBits:
    """A width for the weights of each layer, and perhaps one for its output; logits keep the widest.

    Networks of a space differ in depth: with more layers than slots, neighbours share one.

    Attributes:
        weight_bits, act_bits: what may be chosen; one choice of ``act_bits``: nothing to decide.
        slots: decisions for weights.
    """

    weight_bits: tuple[int, ...] = (2, 4, 8)
    act_bits: tuple[int, ...] = (8,)
    slots: int = 12

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """One a slot for weights; where there is a choice, one a slot for outputs."""
        found = [Decision(f"weight_bits_{i}", "compression", self.weight_bits) for i in range(self.slots)]
        if len(self.act_bits) > 1:
            found += [Decision(f"act_bits_{i}", "compression", self.act_bits) for i in range(self.slots)]
        return tuple(found)

    def _slot(self, workload: Workload) -> dict[str, int]:
        names = weighted(workload)
        return {name: i if len(names) <= self.slots else i * self.slots // len(names) for i, name in enumerate(names)}

    def subjects(self, workload: Workload) -> dict[str, tuple[str, ...]]:
        """Layers that each decision is about; decisions that change nothing of this network are not there."""
        out: dict[str, tuple[str, ...]] = {}
        for name, place in self._slot(workload).items():
            out[f"weight_bits_{place}"] = (*out.get(f"weight_bits_{place}", ()), name)
            if len(self.act_bits) > 1 and name not in workload.outputs:
                out[f"act_bits_{place}"] = (*out.get(f"act_bits_{place}", ()), name)
        return out

    def compressed(self, workload: Workload, point: Mapping[str, Any]) -> Workload:
        """The network with the point's widths, layer by layer."""
        slot = self._slot(workload)
        weights = {name: int(point[f"weight_bits_{i}"]) for name, i in slot.items()}
        acts = {name: int(point.get(f"act_bits_{i}", self.act_bits[0])) for name, i in slot.items()}
        widest = max(*self.weight_bits, *self.act_bits)
        for name in workload.outputs:
            acts.pop(name, None)
        return with_bits(workload, weights, acts, widest)
