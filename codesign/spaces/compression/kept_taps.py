"""Pattern pruning: so many filter taps a layer, the same ones for a block of channels (Jiang 2020, HotNAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from accel_models.template.weight_form import HEADER_TAPS
from codesign.decisions import Decision, Variable
from codesign.spaces.compression.layer_bits import with_bits
from mappings.layer import Layer, Op
from mappings.workload import Workload


def prunable(layer: Layer) -> bool:
    """A filter whose taps the hardware can skip."""
    plain = layer.op is Op.CONV and layer.groups == 1 and layer.R * layer.S > 1
    return plain and max(layer.R, layer.S) <= HEADER_TAPS


def with_kept_taps(workload: Workload, kept: Mapping[str, int], block: tuple[int, int]) -> Workload:
    """The network with fewer filter taps.

    Args:
        workload: any.
        kept: taps by layer; a layer without, with 0, or with as many as it has, keeps all.
        block: output and input channels that share their taps.
    """

    def pruned(layer: Layer) -> Layer:
        taps = kept.get(layer.name, 0)
        fewer = 0 < taps < layer.R * layer.S
        return replace(layer, kept_taps=taps if fewer else 0, tap_block=block if fewer else (0, 0))

    return replace(workload, layers=tuple(pruned(layer) for layer in workload.layers))


@dataclass(frozen=True)
class KeptTaps:
    """Taps that each 3 x 3 filter (or smaller) keeps; all values have one width.

    Networks of a space differ in depth: with more such layers than slots, neighbours share one.

    Attributes:
        kept: what may be chosen; 0: all.
        block: channels, of output and of input, that share their taps: 32 suit every array, and each that divides it.
        bits: of weights and activations.
        slots: decisions.
    """

    kept: tuple[int, ...] = (0, 6, 4, 2)
    block: int = 32
    bits: int = 8
    slots: int = 12

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """One a slot."""
        return tuple(Decision(f"kept_taps_{i}", "compression", self.kept) for i in range(self.slots))

    def compressed(self, workload: Workload, point: Mapping[str, Any]) -> Workload:
        """The network with the point's taps, layer by layer."""
        names = [layer.name for layer in workload.layers if prunable(layer)]
        slot = {name: i if len(names) <= self.slots else i * self.slots // len(names) for i, name in enumerate(names)}
        kept = {name: int(point[f"kept_taps_{i}"]) for name, i in slot.items()}
        return with_kept_taps(with_bits(workload, {}, {}, self.bits), kept, (self.block, self.block))
