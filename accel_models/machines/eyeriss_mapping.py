"""Eyeriss' mapping parameters as directives, so that the general engine counts what they move.

The array is taken as ``r t`` sets of ``R e`` PEs. The engine's residency is that of whole tiles, so it gives DRAM
accesses and steps; the sliding of a row through a scratchpad of 12 words, which sets the accesses to the global buffer,
is the chip's own and stays in :mod:`accel_models.machines.eyeriss`.
"""

from __future__ import annotations

from accel_models.accelerator import Accelerator, MemoryKind, MemoryLevel
from accel_models.counts import Counts, count
from accel_models.lower import lower
from accel_models.machines.eyeriss import RowStationary
from accel_models.report import Infeasible
from mappings.directives import Cluster, SpatialMap, TemporalMap
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.mapping import Mapping


def hierarchy(layer: Layer, chosen: RowStationary, clock_hz: int = 200_000_000) -> Accelerator:
    """DRAM, global buffer (inputs and sums; filters pass it by) and scratchpads, for one grouping of the PEs."""
    return Accelerator(
        "eyeriss",
        (
            MemoryLevel("DRAM", None, MemoryKind.DRAM),
            MemoryLevel("GLB", None, tensors=("I", "O"), fanout=(chosen.r * chosen.t, layer.R * chosen.e)),
            MemoryLevel("RF", None, MemoryKind.REGISTER),
        ),
        clock_hz,
        source="Chen 2017 (JSSC 52-1)",
    )


def directives(layer: Layer, chosen: RowStationary) -> Mapping:
    """The mapping: blocks of filters, images, strips of rows, then channels, over the buffer; sets over the array."""
    sets, pes = chosen.r * chosen.t, layer.R * chosen.e
    return Mapping(
        (
            TemporalMap("G", 1),
            TemporalMap("K", chosen.m),
            TemporalMap("N", chosen.n),
            TemporalMap("P", chosen.e),
            TemporalMap("C", chosen.q * chosen.r),
            Cluster(sets * pes),
            TemporalMap("K", chosen.p * chosen.t),
            SpatialMap("K", chosen.p),
            SpatialMap("C", chosen.q),
            SpatialMap("P", 1),
            SpatialMap("R", 1),
            Cluster(1),
            *(TemporalMap(dim, 1) for dim in ("N", "Q", "K", "C", "S")),
        )
    )


def counted(layer: Layer, chosen: RowStationary) -> Counts:
    """The engine's counts.

    Raises:
        SpecError: the parameters do not map this layer.
    """
    nest = lower(layer, directives(layer, chosen), hierarchy(layer, chosen))
    if isinstance(nest, Infeasible):
        raise SpecError(Fault(f"eyeriss: layer {layer.name}", str(nest)))
    return count(nest)
