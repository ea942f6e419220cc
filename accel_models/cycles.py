"""The parts that the cycles of a program fall into, and what a layer of it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from mappings.reader import Reader

MAX_CYCLES = 2.0**70


@dataclass(frozen=True)
class CycleAccount:
    """Parts of a run's or of a layer's cycles; a layer's begin where the last tile of the layer before it ends.

    Attributes:
        mac_cycles: MACs over PEs: what is left of the array's time if every PE works in every cycle.
        edge_cycles: the array runs with idle PEs or waits for its ports: lanes, pixels or rows that do not fill it.
        fill_cycles: the array fills or drains, at the start and end of each tile.
        vector_cycles: depthwise convolution, pooling, copies in the vector unit.
        nonlinear_cycles: softmax, layer norm, GELU.
        handover_cycles: from one tile's last sum to the next tile's command.
        layer_start_cycles: before a layer's first tile: its inputs come to memory, its first tile is loaded.
        memory_cycles: between its tiles, waiting for inputs or weights, or for accumulators whose post-processing
            waited for memory itself.
        post_processing_cycles: between its tiles, waiting for accumulators that are not drained yet.
        dispatch_cycles: between its tiles, waiting for the sequencer.
        last_store_cycles: after the run's last tile: post-processing and writing back.
    """

    mac_cycles: float = 0
    edge_cycles: float = 0
    fill_cycles: float = 0
    vector_cycles: float = 0
    nonlinear_cycles: float = 0
    handover_cycles: float = 0
    layer_start_cycles: float = 0
    memory_cycles: float = 0
    post_processing_cycles: float = 0
    dispatch_cycles: float = 0
    last_store_cycles: float = 0

    @property
    def cycles(self) -> float:
        """All of them."""
        return float(sum(getattr(self, item.name) for item in fields(self)))

    @property
    def groups(self) -> dict[str, float]:
        """Cycles by what works or is waited for, under the names of :data:`GROUPS`."""
        return {name: float(sum(getattr(self, part) for part in parts)) for name, parts in GROUPS.items()}

    @property
    def bound_by(self) -> str:
        """The group that takes most of the cycles."""
        groups = self.groups
        return max(groups, key=lambda name: groups[name])

    def to_dict(self) -> dict[str, float]:
        """Plain values."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, value: Any, where: str = "account") -> CycleAccount:
        """The reverse of :meth:`to_dict`.

        Raises:
            SpecError: malformed; all faults at once.
        """
        names = [item.name for item in fields(cls)]
        reader = Reader(value, where, names)
        parts = {name: reader.number(name, -MAX_CYCLES, MAX_CYCLES) for name in names}
        reader.done()
        return cls(**parts)


#: What a layer's cycles go into, by the name under which people read it.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "compute": ("mac_cycles", "edge_cycles", "fill_cycles", "handover_cycles"),
    "vector unit": ("vector_cycles",),
    "non-linear unit": ("nonlinear_cycles",),
    "post-processing": ("post_processing_cycles",),
    "DRAM": ("memory_cycles",),
    "layer start": ("layer_start_cycles",),
    "sequencer": ("dispatch_cycles",),
    "last store": ("last_store_cycles",),
}


def total(accounts: Iterable[CycleAccount]) -> CycleAccount:
    """The sum of accounts, part by part."""
    found = list(accounts)
    return CycleAccount(**{item.name: sum(getattr(one, item.name) for one in found) for item in fields(CycleAccount)})
