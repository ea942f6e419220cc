"""From directives to a loop nest: everything that can be wrong with a mapping is told here."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

from accel_models.hardware.accelerator import Accelerator, MemoryLevel
from accel_models.report import Infeasible
from accel_models.reuse.nest import LOOP_OPS, Nest, bounds_of
from mappings.directives import Cluster, Map, SpatialMap, TemporalMap
from mappings.errors import Fault, SpecError, nearest
from mappings.layer import DIMS, TENSORS, Layer
from mappings.mapping import Mapping

Cut = tuple[int, int, int]


def lower(layer: Layer, mapping: Mapping, accelerator: Accelerator) -> Nest | Infeasible:
    """The nest that a mapping makes of a layer on an accelerator.

    In each level a dim may have one ``TemporalMap`` and then up to two ``SpatialMap``, each cutting what the one before
    it left. Spatial maps take an axis of the fan-out each, or share one; a ``SpatialMap`` without a ``TemporalMap``
    of its dim folds in time where the axis is too short.

    Raises:
        SpecError: the mapping is not one of this layer or hierarchy; all faults at once.
    """
    where = f"mapping of {layer.name}"
    if layer.op not in LOOP_OPS:
        raise SpecError(Fault(where, f'operator "{layer.op}" has no loops to map', ", ".join(sorted(LOOP_OPS))))
    faults = _cluster_faults(mapping, accelerator, where) + _bypass_faults(mapping, accelerator, where)
    levels = mapping.levels
    if len(levels) != len(accelerator.levels):
        allowed = f"one for each of {', '.join(level.name for level in accelerator.levels)}"
        faults.append(Fault(where, f"has {len(levels)} levels (one more than Clusters)", allowed))
    if faults:
        raise SpecError(faults)
    bounds = bounds_of(layer)
    rest = dict(zip(DIMS, bounds, strict=True))
    chains: dict[str, list[int]] = {dim: [] for dim in DIMS}
    orders = []
    for memory, maps in zip(accelerator.levels, levels, strict=True):
        spot = f"{where}: level {memory.name}"
        faults += _map_faults(maps, rest, spot)
        if faults:
            raise SpecError(faults)
        cuts = _cut(memory, maps, rest, layer.name)
        if isinstance(cuts, Infeasible):
            return cuts
        seen = list(dict.fromkeys(one.dim for one in maps))
        orders.append(tuple(DIMS.index(dim) for dim in seen + [dim for dim in DIMS if dim not in seen]))
        for dim in DIMS:
            chains[dim].extend(cuts[dim])
            rest[dim] = cuts[dim][2]
    left = [
        Fault(f"{where}: level {accelerator.levels[-1].name}", f"leaves {dim} at {size}", "1: a MAC takes one element")
        for dim, size in rest.items()
        if size != 1
    ]
    if left:
        raise SpecError(left)
    skipped = set(mapping.bypass)
    keeps = tuple(
        tuple(
            0 if x not in level.tensors or (level.name, x) in skipped else 2 if x == "I" and level.keeps_overlap else 1
            for x in TENSORS
        )
        for level in accelerator.levels
    )
    return Nest(
        layer,
        tuple(tuple(chains[dim]) for dim in DIMS),
        tuple(orders),
        tuple((row[0], row[1], row[2]) for row in keeps),
        tuple(int(level.multicast) for level in accelerator.levels),
        tuple(int(level.spatial_reduction) for level in accelerator.levels),
    )


def _cluster_faults(mapping: Mapping, accelerator: Accelerator, where: str) -> list[Fault]:
    faults = []
    clusters = [item for item in mapping.directives if isinstance(item, Cluster)]
    above = accelerator.pes
    for index, cluster in enumerate(clusters[: len(accelerator.levels) - 1], start=1):
        below = accelerator.macs_below(index)
        spot = f"{where}: {cluster}"
        allowed = f"{below}, the MACs below one {accelerator.levels[index].name}"
        if above % cluster.size:
            faults.append(Fault(spot, f"does not divide {above} MACs", allowed))
        elif cluster.size != below:
            faults.append(Fault(spot, f"is not how {accelerator.name} groups its {accelerator.pes} MACs", allowed))
        above = below
    return faults


def _bypass_faults(mapping: Mapping, accelerator: Accelerator, where: str) -> list[Fault]:
    faults = []
    names = [level.name for level in accelerator.levels]
    for level, tensor in mapping.bypass:
        spot = f"{where}.bypass"
        if level not in names:
            faults.append(Fault(spot, f'unknown memory "{level}"{nearest(level, names)}', ", ".join(names)))
        elif level == names[0]:
            faults.append(Fault(spot, f"{level} cannot be bypassed", ", ".join(names[1:])))
        if tensor not in TENSORS:
            faults.append(Fault(spot, f'unknown tensor "{tensor}"', ", ".join(TENSORS)))
    return faults


def _map_faults(maps: tuple[Map, ...], rest: dict[str, int], where: str) -> list[Fault]:
    faults = []
    sizes = dict(rest)
    timed: set[str] = set()
    spread: dict[str, int] = dict.fromkeys(rest, 0)
    for one in maps:
        if one.offset > one.size:
            faults.append(Fault(where, f"{one} skips elements: the layer is not covered", "offset equal to size"))
        elif one.offset < one.size:
            faults.append(Fault(where, f"{one} does elements twice", "offset equal to size"))
        if one.size > sizes[one.dim]:
            faults.append(Fault(where, f"{one} is larger than {one.dim} = {sizes[one.dim]}", f"1 to {sizes[one.dim]}"))
        sizes[one.dim] = min(sizes[one.dim], one.size)
        if isinstance(one, TemporalMap):
            if one.dim in timed:
                faults.append(Fault(where, f"{one} is the second TemporalMap of {one.dim}", "one in a level"))
            if spread[one.dim]:
                faults.append(Fault(where, f"{one} comes after a SpatialMap of {one.dim}", "before it"))
            timed.add(one.dim)
        else:
            spread[one.dim] += 1
            if spread[one.dim] > 2:
                faults.append(Fault(where, f"{one} is the third SpatialMap of {one.dim}", "one for each axis"))
    return faults


def _cut(memory: MemoryLevel, maps: tuple[Map, ...], rest: dict[str, int], name: str) -> dict[str, Cut] | Infeasible:
    """Tile in time, then along axis 0, then along axis 1, of each dim."""
    timed = {one.dim: one.size for one in maps if isinstance(one, TemporalMap)}
    spatial = [one for one in maps if isinstance(one, SpatialMap)]
    whole = {dim: timed.get(dim, size) for dim, size in rest.items()}
    counts = []
    sizes = dict(whole)
    for one in spatial:
        counts.append(-(-sizes[one.dim] // one.size))
        sizes[one.dim] = one.size
    axes: tuple[int, ...] | Infeasible | None = _assign(memory, spatial, counts)
    if axes is None:
        twice = {one.dim for one in spatial if sum(other.dim == one.dim for other in spatial) > 1}
        folds = [one.dim not in timed and one.dim not in twice for one in spatial]
        axes = _fold(memory, spatial, counts, folds, whole)
    if isinstance(axes, Infeasible):
        return replace(axes, where=name)
    out: dict[str, Cut] = {}
    for dim in rest:
        along = [whole[dim], whole[dim]]
        for one, axis in zip(spatial, axes, strict=True):
            if one.dim == dim:
                along[axis:] = [one.size] * (2 - axis)
        out[dim] = (whole[dim], along[0], along[1])
    return out


def _assign(memory: MemoryLevel, spatial: list[SpatialMap], counts: list[int]) -> tuple[int, ...] | None:
    """An axis for each spatial map so that all fit side by side, the first found; None where there is none."""
    for axes in product(range(max(1, len(memory.fanout))), repeat=len(spatial)):
        load = [1, 1]
        for axis, count in zip(axes, counts, strict=True):
            load[axis] *= count
        twice = any(
            a.dim == b.dim and axes[i] >= axes[j] for i, a in enumerate(spatial) for j, b in enumerate(spatial) if i < j
        )
        if not twice and all(n <= size for n, size in zip(load, _sizes(memory), strict=True)):
            return axes
    return None


def _sizes(memory: MemoryLevel) -> tuple[int, int]:
    padded = (*memory.fanout, 1, 1)
    return padded[0], padded[1]


def _fold(
    memory: MemoryLevel, spatial: list[SpatialMap], counts: list[int], folds: list[bool], whole: dict[str, int]
) -> tuple[int, ...] | Infeasible:
    """An axis for each spatial map by position, those that may fold taking what the others leave."""
    sizes = _sizes(memory)
    axes = tuple(min(index, max(0, len(memory.fanout) - 1)) for index in range(len(spatial)))
    for axis, size in enumerate(sizes):
        mine = [index for index, a in enumerate(axes) if a == axis]
        fixed = math.prod(counts[index] for index in mine if not folds[index])
        free = size // fixed
        for index in mine:
            if folds[index] and free >= 1:
                count = min(counts[index], free)
                if count < counts[index]:
                    whole[spatial[index].dim] = count * spatial[index].size
                free //= count
        remedy = "larger sizes in the spatial maps, or fewer of them"
        if free < 1:
            return Infeasible(f"fan-out of {memory.name}, axis {axis}", fixed, size, "units", remedy)
        if any(spatial[i].dim == spatial[j].dim for i in mine for j in mine if i < j):
            what = f"fan-out of {memory.name}, axis {axis}: maps of one dim"
            return Infeasible(what, 2, 1, "maps", "one spatial map of the dim for each axis")
    return axes
