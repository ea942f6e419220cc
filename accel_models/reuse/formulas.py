"""The cost model's formulas, written once: what moves, through every level of memory, for one mapped layer.

Plain functions of integers and of sequences indexed as ``a[i]`` or ``a[i][j]``. Python runs them on lists (exact, of
any size: the scalar path); ``accel_models.columns.compiled`` has them through ``numba.njit``, unchanged, for arrays of
int64 (the batch path; every count is at most the MACs of the layer, which ``Layer`` keeps below 2^62).
``accel_models.reuse.oracle`` walks the same loop nest element by element and must count the same.

The nest
    ``L`` memory levels, 0 = DRAM to ``L - 1`` = innermost. Below each level is a fan-out of up to two axes. A dim ``d``
    of extent ``bounds[d]`` is cut by a *chain* of ``3 L`` sizes, never growing: ``chain[3 i]`` the tile in time of
    level ``i``, ``chain[3 i + 1]`` a unit's share of it along axis 0, ``chain[3 i + 2]`` along axis 1: what one memory
    of level ``i + 1`` receives. ``chain[3 L - 1] = 1``: a MAC takes one element. Sizes need not divide: the last piece
    of each cut is what remains ("ragged"), at every depth. ``orders[i]`` lists the 8 dims in the loop order of level
    ``i``, outermost first.

Residency
    One sequencer steps through the loops in time for the whole array; a unit that has no work in a step idles. A memory
    holds one tile of each tensor, and replaces it when the index of a loop that the tensor depends on changes (a loop
    that takes a single trip has no index to change). So loops inside the last relevant one that moves reuse the tile,
    and a loop outside it, relevant or not, brings everything inside it anew. MACs hold nothing: operands are read, and
    sums accumulated, in each step, from the innermost memory that stores the tensor.

Windows
    An input row is needed by the outputs ``p`` and taps ``r`` with ``h = p * stride + r * dilation - pad``; only
    rows inside the input count, each once a tile. Neighbouring tiles that overlap each bring the overlap; but in a
    memory that *slides* (``keeps`` is 2), when one loop of a window moves on by one trip and no other index of the
    tensor changes, the rows that it holds already stay. Dims that are spread over units above do not slide.

Sums
    A partial sum starts at zero in the memory where its reduction starts, goes up when its tile is replaced, and
    comes back down (to one of the units that share it) when the tile is needed again. Units that reduce over the
    same output are added on their way up (``reduction``) or in the memory above, one after another.

Scans
    An operator over rows (softmax, layer norm) goes through the channels of a place several times and writes its
    outputs the last time. The scans are a loop just outside the first loop over channels that turns: what holds all the
    channels of a place is filled once, everything inside it once a scan (:func:`scanned`).

Dims are indexed ``G N K C P Q R S`` = 0..7, tensors ``I W O`` = 0..2.
"""

from __future__ import annotations

from typing import Any

from accel_models.reuse.cuts import MAX_WALK, fold, group, piece, single, spread, staying, stays, union_cuts
from accel_models.reuse.windows import (
    DILATION,
    EXTENT,
    PAD_AFTER,
    PAD_BEFORE,
    STRIDE,
    gcd,
    overlap,
    peak_rows,
    positions_below,
    rows,
    span,
)

__all__ = [
    "DILATION",
    "DIM_COUNT",
    "EXTENT",
    "MAX_WALK",
    "PAD_AFTER",
    "PAD_BEFORE",
    "STRIDE",
    "C",
    "G",
    "I",
    "K",
    "N",
    "O",
    "P",
    "Q",
    "R",
    "S",
    "W",
    "count",
    "fold",
    "gcd",
    "group",
    "kept",
    "overlap",
    "peak_rows",
    "piece",
    "positions_below",
    "profile",
    "profile_length",
    "rows",
    "scanned",
    "single",
    "slot",
    "span",
    "spread",
    "staying",
    "stays",
    "steps",
    "tile_elements",
    "traffic",
    "union_cuts",
    "units",
    "volume",
]

G, N, K, C, P, Q, R, S = range(8)
I, W, O = range(3)  # noqa: E741 - the field's names of the tensors
DIM_COUNT = 8


def slot(levels: int, u: int, m: int, c: int) -> int:
    """Where :func:`profile` keeps the count for ``(u, m, c)``."""
    return (u * (levels + 1) + m) * (levels + 1) + c


def profile_length(levels: int) -> int:
    """Entries of a profile."""
    return (levels + 1) ** 3


def profile(extent: Any, chain: Any, levels: int, out: Any, work: Any) -> None:
    """All that a dim contributes where a tensor does *not* depend on it: how often, and to how many units.

    ``out[slot(levels, u, m, c)]`` = pieces that reach memory level ``m`` (``m = levels``: the MACs), with the loops of
    the levels below ``c`` taking all their trips and the later ones their first, counting each unit of the fan-outs
    below levels ``0 .. u - 1`` (``u = m``: every receiver; ``u = q``: one request for each memory of level ``q``).
    For ``m = levels`` only ``c = levels`` is filled.
    """
    for m in range(1, levels + 1):
        for u in range(m + 1):
            for c in range(levels if m == levels else 0, m + 1):
                out[slot(levels, u, m, c)] = fold(extent, chain, 3 * m, c, u, -1, work)


def volume(x: int, u: int, m: int, bounds: Any, chains: Any, relevant: Any, windows: Any, froms: Any, work: Any) -> Any:
    """Elements of tensor ``x`` in its tiles of level ``m``, each tile once.

    ``froms[d]`` = ``m`` takes all the tiles along ``d``, a lower level only those that stay from that level's loop on
    (see :func:`single`). Units from level ``u`` on ask together.
    """
    total = bounds[0] - bounds[0] + 1
    for d in range(DIM_COUNT):
        if relevant[x][d] == 1 and not (x == I and d >= P):
            total *= staying(bounds[d], chains[d], froms[d], m)
    if x == I and total > 0:
        total *= rows(windows[0], bounds[P], chains[P], froms[P], bounds[R], chains[R], froms[R], u, m, work)
        if total > 0:
            total *= rows(windows[1], bounds[Q], chains[Q], froms[Q], bounds[S], chains[S], froms[S], u, m, work)
    return total


def traffic(
    x: int,
    u: int,
    m: int,
    levels: int,
    bounds: Any,
    chains: Any,
    orders: Any,
    relevant: Any,
    windows: Any,
    profiles: Any,
    work: Any,
) -> Any:
    """Elements of tensor ``x`` that enter the memories of level ``m`` (``m = levels``: the MACs), all loops run.

    Args:
        x: tensor.
        u: ``m`` counts every receiver; a memory level ``q < m`` counts what each memory of level ``q`` is asked for,
            an element that several units want at once counting once (multicast; for sums: spatial reduction).
        relevant: ``relevant[x][d]`` is 1 where ``x`` depends on ``d``. The input always slides over (P, R) and (Q, S).
        profiles: ``profiles[d]`` as :func:`profile` fills it.
        work: scratch of at least ``3 * levels + 1``.
    """
    froms = [m] * DIM_COUNT
    whole = volume(x, u, m, bounds, chains, relevant, windows, froms, work)
    times = bounds[0] - bounds[0] + 1
    if m == levels:  # MACs hold nothing: each trip of each loop brings its operands
        for d in range(DIM_COUNT):
            if relevant[x][d] == 0:
                times *= profiles[d][slot(levels, u, m, m)]
        return whole * times
    for d in range(DIM_COUNT):
        froms[d] = 0
        if relevant[x][d] == 0:
            times *= profiles[d][slot(levels, u, m, 0)]
    total = whole * times
    # Walk the loops inwards. Each irrelevant loop multiplies all that is not down to one tile inside it.
    for level in range(m):
        for index in range(DIM_COUNT):
            d = orders[level][index]
            froms[d] = level + 1  # of d, only the loops from the next level on are inside
            if relevant[x][d] == 1:
                continue
            before = profiles[d][slot(levels, u, m, level)]
            after = profiles[d][slot(levels, u, m, level + 1)]
            if after == before:
                continue
            more = times // before * after
            total += (more - times) * (whole - volume(x, u, m, bounds, chains, relevant, windows, froms, work))
            times = more
    return total


def kept(
    u: int,
    m: int,
    levels: int,
    bounds: Any,
    chains: Any,
    orders: Any,
    relevant: Any,
    windows: Any,
    profiles: Any,
    work: Any,
) -> Any:
    """Input elements that a memory of level ``m`` that slides need not be given again; see :func:`traffic`."""
    froms = [0] * DIM_COUNT
    total = bounds[0] - bounds[0]
    times = total + 1
    for d in range(DIM_COUNT):
        if relevant[I][d] == 0:
            times *= profiles[d][slot(levels, u, m, 0)]
    for level in range(m):
        for index in range(DIM_COUNT):
            d = orders[level][index]
            froms[d] = level + 1
            if relevant[I][d] == 0:
                times = times // profiles[d][slot(levels, u, m, level)] * profiles[d][slot(levels, u, m, level + 1)]
            elif d >= P:
                axis = (d - P) % 2
                e = d + 2 if d < R else d - 2
                saved = overlap(windows[axis], bounds[d], chains[d], level, bounds[e], chains[e], froms[e], m, d >= R)
                if saved == 0:
                    continue
                p, r = P + 1 - axis, R + 1 - axis
                saved *= rows(
                    windows[1 - axis], bounds[p], chains[p], froms[p], bounds[r], chains[r], froms[r], u, m, work
                )
                for e in range(P):
                    if relevant[I][e] == 1:
                        saved *= staying(bounds[e], chains[e], froms[e], m)
                total += saved * times
    return total


def tile_elements(x: int, m: int, bounds: Any, chains: Any, relevant: Any, windows: Any) -> Any:
    """Elements of the largest tile of tensor ``x`` that a memory of level ``m`` holds (peak occupancy)."""
    total = bounds[0] - bounds[0] + 1
    for d in range(DIM_COUNT):
        if relevant[x][d] == 1 and not (x == I and d >= P):
            total *= bounds[d] if m == 0 else chains[d][3 * m - 1]
    if x == I:
        total *= peak_rows(windows[0], bounds[P], chains[P], bounds[R], chains[R], m)
        total *= peak_rows(windows[1], bounds[Q], chains[Q], bounds[S], chains[S], m)
    return total


def steps(levels: int, profiles: Any) -> Any:
    """Stall-free compute cycles: the trips of all loops in time, the whole array taking one step a cycle."""
    total = profiles[0][slot(levels, 0, levels, levels)]
    for d in range(1, DIM_COUNT):
        total *= profiles[d][slot(levels, 0, levels, levels)]
    return total


def units(m: int, profiles: Any, levels: int) -> Any:
    """Memories of level ``m`` that have work (in the busiest step)."""
    total = profiles[0][0] - profiles[0][0] + 1
    if m > 0 and m < levels:
        for d in range(DIM_COUNT):
            total *= profiles[d][slot(levels, m, m, 0)]
    return total


def scanned(m: int, levels: int, scans: int, extent: Any, chain: Any) -> int:
    """How often the inputs of a memory of level ``m`` (``levels``: the MACs) are brought for ``scans`` scans.

    Args:
        extent, chain: of the channels.
    """
    if m == levels:
        return scans
    for level in range(m):
        above = extent if level == 0 else chain[3 * level - 1]
        if chain[3 * level] < above:
            return scans
    return 1


def count(
    levels: int,
    scans: int,
    bounds: Any,
    chains: Any,
    orders: Any,
    relevant: Any,
    exists: Any,
    windows: Any,
    keeps: Any,
    multicast: Any,
    reduction: Any,
    profiles: Any,
    reads: Any,
    writes: Any,
    arrivals: Any,
    returns: Any,
    work: Any,
) -> None:
    """Elements read and written in each level of memory for each tensor, and what crosses to the level below.

    Args:
        levels: ``L``.
        scans: how often the operator goes through its inputs.
        bounds: 8 extents.
        chains: 8 chains.
        orders: ``L`` loop orders.
        relevant: 3 x 8, see :func:`traffic`.
        exists: 3 flags; a tensor that the operator lacks is 0.
        windows: rows', columns' window.
        keeps: ``L`` x 3: 1 where the level stores the tensor, 2 where it also slides. Level 0 stores all that exist.
        multicast, reduction: ``L`` flags of the network below each level; a transfer that passes several needs all.
        profiles: 8 profiles, filled by :func:`profile`.
        reads, writes: ``L`` x 3, results: element accesses, sums' read-back included.
        arrivals: ``L + 1`` x 3, results: elements that went down into level ``m`` from above (sums: read back).
        returns: ``L + 1`` x 3, results: sums that left the units of level ``m`` (``L``: the MACs) on their way up;
            what arrived above them is ``writes[q][O] - arrivals[q][O]``.
        work: scratch.
    """
    zero = bounds[0] - bounds[0]
    for x in range(3):
        for m in range(levels):
            reads[m][x] = zero
            writes[m][x] = zero
        for m in range(levels + 1):
            arrivals[m][x] = zero
            returns[m][x] = zero
        if exists[x] == 0:
            continue
        q = levels - levels  # 0, but not as a constant: everything below would be compiled for that apart
        fresh = zero  # sums that begin at zero in the memories of level q: all that they ever hold, but what came back
        if x == O:
            fresh = bounds[0] - bounds[0] + 1
            for d in range(DIM_COUNT):
                if relevant[O][d] == 1:
                    fresh *= bounds[d]
        for m in range(1, levels + 1):
            if m < levels and keeps[m][x] == 0:
                continue
            together = 1
            for level in range(q, m):
                if (x == O and reduction[level] == 0) or (x != O and multicast[level] == 0):
                    together = 0
            each = traffic(x, m, m, levels, bounds, chains, orders, relevant, windows, profiles, work)
            merged = traffic(x, q, m, levels, bounds, chains, orders, relevant, windows, profiles, work)
            if x == I and m < levels and keeps[m][x] == 2:
                each -= kept(m, m, levels, bounds, chains, orders, relevant, windows, profiles, work)
                merged -= kept(q, m, levels, bounds, chains, orders, relevant, windows, profiles, work)
            if x == I and scans > 1:
                again = scanned(m, levels, scans, bounds[C], chains[C])
                each *= again
                merged *= again
            if x != O:
                reads[q][x] += merged if together == 1 else each
                arrivals[m][x] = each
                if m < levels:
                    writes[m][x] += each
            else:
                up = merged if together == 1 else each
                back = merged - fresh  # of tiles that were here before, to one of the units that share each
                writes[q][x] += up
                reads[q][x] += back + up - merged
                returns[m][x] = each
                arrivals[m][x] = back
                if m < levels:
                    reads[m][x] += each
                    writes[m][x] += back
                fresh = each - back
            q = m
