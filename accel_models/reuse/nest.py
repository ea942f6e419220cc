"""A mapped layer as numbers: the one form that the formulas, the batch columns and the oracle's walk read."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.layer import Layer
from mappings.loops import LOOP_OPS, Window, bounds_of, relevance, tensors_of, windows_of

__all__ = ["LOOP_OPS", "Nest", "Window", "bounds_of", "relevance", "tensors_of", "windows_of"]


@dataclass(frozen=True)
class Nest:
    """The loop nest of one layer on one hierarchy; see ``accel_models.reuse.formulas`` for the meaning of each field.

    Attributes:
        layer: what runs.
        chains: 8 chains of ``3 L`` sizes.
        orders: ``L`` orders of the 8 dims, outermost first.
        keeps: ``L`` x (I, W, O): 1 where the level stores the tensor; 2 where it also keeps overlaps of inputs.
        multicast, reduction: ``L`` flags of the network below each level.
    """

    layer: Layer
    chains: tuple[tuple[int, ...], ...]
    orders: tuple[tuple[int, ...], ...]
    keeps: tuple[tuple[int, int, int], ...]
    multicast: tuple[int, ...]
    reduction: tuple[int, ...]

    @property
    def levels(self) -> int:
        """Memory levels, DRAM included."""
        return len(self.orders)

    @property
    def bounds(self) -> tuple[int, ...]:
        """Extents of the 8 dims."""
        return bounds_of(self.layer)
