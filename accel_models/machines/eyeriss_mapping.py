"""Eyeriss as an ``Accelerator`` and its mapping parameters as directives: the general engine counts what they move.

The array is taken as ``r t`` sets of ``R e`` PEs. A scratchpad keeps the inputs that its window still covers when it
slides, so the engine finds the same DRAM and buffer accesses, words held and steps as the closed forms of
:mod:`accel_models.machines.eyeriss`, which serve the search; only padding, which the chip moves through its buffer, and
cycles are the chip's own.
"""

from __future__ import annotations

from accel_models.accelerator import Accelerator, Buffering, MemoryKind, MemoryLevel
from accel_models.counts import Counts, count
from accel_models.lower import lower
from accel_models.machines.eyeriss import EYERISS, Eyeriss, RowStationary
from accel_models.report import Infeasible
from mappings.directives import Cluster, SpatialMap, TemporalMap
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.mapping import Mapping


def hierarchy(layer: Layer, chosen: RowStationary, machine: Eyeriss = EYERISS) -> Accelerator:
    """DRAM, global buffer (inputs and sums; filters pass it by) and scratchpads, for one grouping of the PEs."""
    scratchpads = (("I", 2 * machine.input_words), ("W", 2 * machine.filter_words), ("O", 2 * machine.sum_words))
    return Accelerator(
        "eyeriss",
        (
            MemoryLevel("DRAM", None, MemoryKind.DRAM),
            MemoryLevel(
                "GLB",
                2 * machine.buffer_words,
                tensors=("I", "O"),
                buffering=Buffering.STREAM,
                read_bytes_per_cycle=2 * machine.port_words,
                write_bytes_per_cycle=2 * machine.port_words,
                fanout=(chosen.r * chosen.t, layer.R * chosen.e),
            ),
            MemoryLevel("RF", scratchpads, MemoryKind.REGISTER, buffering=Buffering.STREAM, keeps_overlap=True),
        ),
        machine.clock_hz,
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
            TemporalMap("N", 1),
            TemporalMap("Q", 1),
            SpatialMap("K", chosen.p),
            SpatialMap("C", chosen.q),
            SpatialMap("P", 1),
            SpatialMap("R", 1),
            Cluster(1),
            *(TemporalMap(dim, 1) for dim in ("K", "C", "S")),
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
