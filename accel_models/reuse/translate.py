"""Between a mapping in directives and a column of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accel_models.hardware.accelerator import Accelerator
from accel_models.report import Infeasible
from accel_models.reuse.lower import lower
from accel_models.reuse.nest import Nest
from mappings.directives import Cluster, Directive, SpatialMap, TemporalMap
from mappings.layer import DIMS, TENSORS, Layer
from mappings.loops import bounds_of
from mappings.mapping import Mapping
from mappings.mapspace import MappingColumns, order_code, order_of


def column_to_mapping(columns: MappingColumns, row: int, layer: Layer, accelerator: Accelerator) -> Mapping:
    """The directives of one column: loops that take one trip are left out."""
    directives: list[Directive] = []
    above = list(bounds_of(layer))
    for m in range(len(accelerator.levels)):
        if m > 0:
            directives.append(Cluster(accelerator.macs_below(m)))
        spread: list[Directive] = []
        for d in order_of(int(columns.orders[m, row])):
            held, share, low = (int(size) for size in columns.chains[d, 3 * m : 3 * m + 3, row])
            if held < above[d]:
                directives.append(TemporalMap(DIMS[d], held))
            elif share < held or low < share:
                directives.append(TemporalMap(DIMS[d], held))  # says that the spatial maps below take all of it at once
            if share < held:
                spread.append(SpatialMap(DIMS[d], share))
            above[d] = low
        for d in order_of(int(columns.orders[m, row])):
            share, low = (int(size) for size in columns.chains[d, 3 * m + 1 : 3 * m + 3, row])
            if low < share:
                spread.append(SpatialMap(DIMS[d], low))
        directives += spread
    bypass = tuple(
        (memory.name, tensor)
        for m, memory in enumerate(accelerator.levels)
        for x, tensor in enumerate(TENSORS)
        if m > 0 and tensor in memory.tensors and not (int(columns.keeps[m, row]) >> x) & 1
    )
    return Mapping(tuple(directives), bypass)


def nest_to_column(nest: Nest, columns: MappingColumns, row: int) -> None:
    """Write a nest into one column."""
    columns.chains[:, :, row] = nest.chains
    columns.orders[:, row] = [order_code(order) for order in nest.orders]
    columns.keeps[:, row] = [sum((flag > 0) << x for x, flag in enumerate(flags)) for flags in nest.keeps]


def column_to_nest(columns: MappingColumns, row: int, layer: Layer, accelerator: Accelerator) -> Nest:
    """One column as the scalar path's nest."""
    levels = accelerator.levels
    keeps = [
        tuple(
            int(x in memory.tensors and (m == 0 or (int(columns.keeps[m, row]) >> k) & 1))
            * (2 if x == "I" and memory.keeps_overlap else 1)
            for k, x in enumerate(TENSORS)
        )
        for m, memory in enumerate(levels)
    ]
    return Nest(
        layer,
        tuple(tuple(int(size) for size in chain) for chain in columns.chains[:, :, row]),
        tuple(order_of(int(code)) for code in columns.orders[:, row]),
        tuple((a, b, c) for a, b, c in keeps),
        tuple(int(memory.multicast) for memory in levels),
        tuple(int(memory.spatial_reduction) for memory in levels),
    )


def mappings_to_columns(
    layers: Sequence[Layer],
    mappings: Sequence[Mapping],
    accelerators: Sequence[Accelerator],
    layer: Sequence[int],
    accelerator: Sequence[int],
) -> tuple[MappingColumns, list[Infeasible | None]]:
    """Mappings as columns; all their accelerators have the same number of levels.

    Returns:
        The columns, and for each the bound of an array that it breaks already, its column then left as it is.

    Raises:
        SpecError: a mapping is not one of its layer or hierarchy.
    """
    levels = len(accelerators[accelerator[0]].levels) if mappings else 1
    columns = MappingColumns.empty(levels, len(mappings))
    columns.layer[:] = np.asarray(layer, np.int32)
    columns.accelerator[:] = np.asarray(accelerator, np.int32)
    broken: list[Infeasible | None] = []
    for row, (mapping, index, machine) in enumerate(zip(mappings, layer, accelerator, strict=True)):
        nest = lower(layers[index], mapping, accelerators[machine])
        broken.append(nest if isinstance(nest, Infeasible) else None)
        if isinstance(nest, Nest):
            nest_to_column(nest, columns, row)
    return columns, broken
