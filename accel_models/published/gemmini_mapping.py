"""Gemmini's mappings as text (DOSA, Hong 2023), read into directives.

``L3[WIO] K48 - L2[WI] N1 K16X - L1[O] C48 P16 C16X - L0[W] P8``: for each memory, outermost first, the tensors it
keeps and its loops, outermost first; the number is the loop's trips, ``X`` puts them side by side. The trips of a dim
multiply to its extent.
"""

from __future__ import annotations

import re

from mappings.directives import Cluster, Directive, SpatialMap, TemporalMap
from mappings.errors import Fault, SpecError
from mappings.layer import DIMS, Layer
from mappings.mapping import Mapping

#: Level, the tensors it keeps: DRAM, scratchpad, accumulators (one a column), weight register (one a PE).
LEVELS = (("L3", "WIO"), ("L2", "WI"), ("L1", "O"), ("L0", "W"))
#: The dim that each level may put side by side: filters over the columns, channels down the rows.
SPATIAL = {"L2": "K", "L1": "C"}

_HEAD = re.compile(r"(L\d)\[([WIO]+)\]")
_LOOP = re.compile(r"([A-Z])(\d{1,9})(X?)")

Loop = tuple[str, int, bool]


def parse_mapping(text: str, layer: Layer, mesh: int, where: str = "mapping") -> Mapping:
    """The mapping of a layer on an array of ``mesh x mesh``.

    Raises:
        SpecError: bad syntax, unknown dim, or trips that do not multiply to the layer's extents; all faults at once.
    """
    faults: list[Fault] = []
    parts = text.split(" - ")
    if len(parts) != len(LEVELS):
        shape = " - ".join(f"{name}[{tensors}] ..." for name, tensors in LEVELS)
        raise SpecError(Fault(where, f'"{text[:60]}" has {len(parts)} levels', shape))
    levels: list[list[Loop]] = []
    for part, (name, tensors) in zip(parts, LEVELS, strict=True):
        head, *loops = part.split() or [""]
        match = _HEAD.fullmatch(head)
        if not match or match[1] != name or set(match[2]) != set(tensors):
            faults.append(Fault(where, f'"{head[:60]}" where a level begins', f"{name}[{tensors}]"))
        levels.append(_loops(loops, name, mesh, f"{where}: {name}", faults))
    if not faults:
        faults += _coverage(levels, layer, where)
    if faults:
        raise SpecError(faults)
    return _directives(levels, layer, mesh)


def _loops(texts: list[str], level: str, mesh: int, where: str, faults: list[Fault]) -> list[Loop]:
    loops: list[Loop] = []
    side_by_side = 1
    for text in texts:
        match = _LOOP.fullmatch(text)
        if not match or match[1] not in DIMS or int(match[2]) < 1:
            faults.append(
                Fault(
                    where,
                    f'"{text[:60]}" is not a loop',
                    f"a dim of {' '.join(DIMS)}, trips of 1 or more, X if spatial",
                )
            )
            continue
        dim, trips, spatial = match[1], int(match[2]), match[3] == "X"
        if (dim, spatial) in [(other, kind) for other, _, kind in loops]:
            faults.append(Fault(where, f'"{text}" is the second such loop over {dim}', "one in a level"))
        if spatial:
            side_by_side *= trips
            if SPATIAL.get(level) != dim:
                faults.append(Fault(where, f'"{text}" cannot be spatial', "K in L2, C in L1"))
            elif side_by_side > mesh:
                faults.append(Fault(where, f'"{text}" is wider than the array', f"at most {mesh}"))
        loops.append((dim, trips, spatial))
    return loops


def _coverage(levels: list[list[Loop]], layer: Layer, where: str) -> list[Fault]:
    faults = []
    for dim, extent in layer.bounds.items():
        trips = 1
        for loops in levels:
            for name, count, _ in loops:
                trips *= count if name == dim else 1
        if trips != extent:
            faults.append(Fault(where, f"the trips over {dim} multiply to {trips}", f"{extent}, the layer's extent"))
    return faults


def _directives(levels: list[list[Loop]], layer: Layer, mesh: int) -> Mapping:
    rest = dict(layer.bounds)
    directives: list[Directive] = []
    below = {"L2": mesh * mesh, "L1": mesh, "L0": 1}
    for loops, (name, _) in zip(levels, LEVELS, strict=True):
        if name in below:
            directives.append(Cluster(below[name]))
        for dim, trips, spatial in sorted(loops, key=lambda loop: loop[2]):  # in time first; sorting is stable
            if trips > 1:
                rest[dim] //= trips
                directives.append((SpatialMap if spatial else TemporalMap)(dim, rest[dim]))
    return Mapping(tuple(directives))
