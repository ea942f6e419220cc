"""The cost model's formulas, written once: what moves, through every level of memory, for one mapped layer.

Plain functions of integers and of sequences indexed as ``a[i]`` or ``a[i][j]``. Python runs them on lists (exact, of
any size: the scalar path); ``accel_models.compiled`` has them through ``numba.njit``, unchanged, for arrays of int64
(the batch path; every count is at most the MACs of the layer, which ``Layer`` keeps below 2^62).
``accel_models.oracle`` walks the same loop nest element by element and must count the same.

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
    rows inside the input count, each once a tile. Neighbouring tiles that overlap each bring the overlap.

Sums
    A partial sum starts at zero in the memory where its reduction starts, goes up when its tile is replaced, and
    comes back down (to one of the units that share it) when the tile is needed again. Units that reduce over the
    same output are added on their way up (``reduction``) or in the memory above, one after another.

Dims are indexed ``G N K C P Q R S`` = 0..7, tensors ``I W O`` = 0..2.
"""

from __future__ import annotations

from typing import Any

G, N, K, C, P, Q, R, S = range(8)
I, W, O = range(3)  # noqa: E741 - the field's names of the tensors
DIM_COUNT = 8

#: Most iterations of the walks where a sum has no closed form; beyond it they raise ``OverflowError``.
MAX_WALK = 2**21

#: A window: (stride, dilation, padding before, padding after, input extent, 1 if transposed).
STRIDE, DILATION, PAD_BEFORE, PAD_AFTER, EXTENT, TRANSPOSED = range(6)


def fold(extent: Any, chain: Any, cuts: int, c: int, u: int, excess: int, work: Any) -> Any:
    """Sum over the pieces that the first ``cuts`` cuts of a chain make of ``extent`` elements.

    Cuts in time of levels below ``c`` and over units of levels below ``u`` keep every piece; the others keep the first
    piece only (the sequencer's first trip; one unit for all).

    Args:
        extent: elements along the dim.
        chain: sizes, see the module.
        cuts: how many cuts, 0 to ``3 L``.
        c, u: levels whose cuts in time, over units keep every piece.
        excess: -1 counts the pieces; otherwise the sum of ``max(0, piece - excess)``.
        work: scratch, at least ``cuts + 1`` long.
    """
    for k in range(cuts, -1, -1):  # work[k]: the sum over a whole piece of cut k - 1, from the innermost outwards
        rest = extent if k == 0 else chain[k - 1]
        total = rest - rest
        for cut in range(k, cuts):
            size = chain[cut]
            if rest >= size:
                every = cut // 3 < c if cut % 3 == 0 else cut // 3 < u
                if every:
                    total += rest // size * work[cut + 1]
                    rest = rest % size
                else:
                    total += work[cut + 1]
                    rest = rest - rest
                if rest == 0:
                    break
        if rest > 0:
            if excess < 0:
                total += 1
            elif rest > excess:
                total += rest - excess
        work[k] = total
    return work[0]


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


def stays(extent: Any, chain: Any, c: int, m: int, at: Any) -> bool:
    """Whether the loops at levels ``c .. m - 1`` take one trip in the steps that element ``at`` takes part in."""
    rest = at
    size = extent  # the first unit's block: the sequencer's trips are the first unit's
    for level in range(m):
        step = chain[3 * level]
        if level >= c and size > step:
            return False
        trip = rest // step
        rest = (rest - trip * step) % chain[3 * level + 1] % chain[3 * level + 2]
        size = min(size - trip * step, step, chain[3 * level + 2])
    return True


def single(extent: Any, chain: Any, c: int, m: int) -> Any:
    """Elements along a dim whose tile stays over its loops at levels ``c .. m - 1``, since these take one trip.

    Either all of ``extent``; or, where those loops cut, only ragged tiles, small enough for one trip. With one level in
    time above, that is the last tile of all, which belongs to the first unit alone: its size is the volume, at the end
    of the extent. -1 where more tiles than the last may be ragged: ask :func:`stays` for each element.
    """
    first, last = -1, -1
    for level in range(c, m):
        above = extent if level == 0 else chain[3 * level - 1]
        if chain[3 * level] < above:
            if first < 0:
                first = level
            last = level
    if first < 0:
        return extent
    rest = extent
    for level in range(first):
        if level > 0 and chain[3 * level - 1] % chain[3 * level] != 0:
            return extent - extent - 1
        rest = (rest - 1) % chain[3 * level] + 1
        rest = min(rest, chain[3 * level + 2])
    return rest if rest <= chain[3 * last] else rest - rest


def union_cuts(extent: Any, chain: Any, q: int, m: int) -> int:
    """Cuts of a chain whose pieces are what the units between memory ``q`` and level ``m`` take *together* in a step.

    -1 where the units' shares do not lie side by side (a cut in time below a cut over units, both real).
    """
    cuts = 3 * m
    spread = False
    for cut in range(3 * q, 3 * m):
        above = extent if cut == 0 else chain[cut - 1]
        if chain[cut] < above:
            if cut % 3 != 0:
                if not spread:
                    cuts = cut
                spread = True
            elif spread:
                return -1
    return cuts


def gcd(a: Any, b: Any) -> Any:
    """Greatest common divisor of two positive integers."""
    while b:
        a, b = b, a % b
    return a


def positions_below(tp: Any, tr: Any, stride: Any, dilation: Any, limit: Any) -> Any:
    """Distinct values below ``limit`` of ``a * stride + b * dilation``, ``a < tp``, ``b < tr``."""
    total = tp - tp
    if limit <= 0:
        return total
    common = gcd(stride, dilation)
    step_a, step_b = dilation // common, stride // common  # (a, b) and (a + step_a, b - step_b) are the same value
    if limit > MAX_WALK:
        raise OverflowError("padding beyond what the model walks")
    a = 0
    while a < tp and a * stride < limit:
        inside = min(tr, (limit - a * stride + dilation - 1) // dilation)
        if a >= step_a:
            inside -= max(0, min(inside, tr - step_b))
        total += inside
        a += 1
    return total


def span(tp: Any, tr: Any, stride: Any, dilation: Any) -> Any:
    """Distinct values of ``a * stride + b * dilation``, ``a < tp``, ``b < tr``: rows that a tile touches."""
    common = gcd(stride, dilation)
    return tp * tr - max(0, tp - dilation // common) * max(0, tr - stride // common)


def piece(extent: Any, chain: Any, cuts: int, at: Any) -> tuple[Any, Any]:
    """Start and size of the piece, after ``cuts`` cuts, that element ``at`` lies in."""
    base = at - at
    size = extent
    for cut in range(cuts):
        index = (at - base) // chain[cut]
        base += index * chain[cut]
        size = min(chain[cut], size - index * chain[cut])
    return base, size


def padded(
    window: Any, p0: Any, pn: Any, p_chain: Any, p_cuts: int, r0: Any, rn: Any, r_chain: Any, r_cuts: int
) -> Any:
    """Positions in the padding *before* the input that tiles touch, each once a tile (to be taken off).

    The intervals are ``pn`` outputs from ``p0`` on and ``rn`` taps from ``r0`` on, cut by their chains.
    """
    stride, dilation, pad = window[STRIDE], window[DILATION], window[PAD_BEFORE]
    total = pn - pn
    p = pn - pn
    while p < pn and (p0 + p) * stride < pad:
        _, p_size = piece(pn, p_chain, p_cuts, p)
        r = rn - rn
        while r < rn and (p0 + p) * stride + (r0 + r) * dilation < pad:
            _, r_size = piece(rn, r_chain, r_cuts, r)
            total += positions_below(p_size, r_size, stride, dilation, pad - (p0 + p) * stride - (r0 + r) * dilation)
            r += r_size
        p += p_size
    return total


def padded_after(window: Any, pn: Any, p_chain: Any, p_cuts: int, rn: Any, r_chain: Any, r_cuts: int) -> Any:
    """The same *after* the input, seen from the far end, where both intervals end."""
    stride, dilation, pad = window[STRIDE], window[DILATION], window[PAD_AFTER]
    total = pn - pn
    p = pn - pn
    while p < pn and p * stride < pad:
        p_base, p_size = piece(pn, p_chain, p_cuts, pn - 1 - p)
        r = rn - rn
        while r < rn and p * stride + r * dilation < pad:
            r_base, r_size = piece(rn, r_chain, r_cuts, rn - 1 - r)
            total += positions_below(p_size, r_size, stride, dilation, pad - p * stride - r * dilation)
            r = rn - r_base
        p = pn - p_base
    return total


def group(extent: Any, chain: Any, u: int, m: int, at: Any) -> Any:
    """Name of the set of elements asked for together with element ``at``: shares below level ``u`` told apart."""
    base = at - at
    rest = at
    for cut in range(3 * m):
        index = rest // chain[cut]
        rest -= index * chain[cut]
        if cut % 3 == 0 or cut // 3 < u:
            base += index * chain[cut]
    return base


def walk_rows(
    window: Any, full_p: Any, p_chain: Any, p_from: int, full_r: Any, r_chain: Any, r_from: int, u: int, m: int
) -> tuple[Any, Any]:
    """What :func:`rows` says, by visiting each (output, tap): the sum over the tiles, and the most of one tile.

    For what has no closed form: transposed windows, units whose shares do not lie side by side, several ragged tiles.
    """
    if full_p > MAX_WALK or full_r > MAX_WALK or full_p * full_r > MAX_WALK:
        raise OverflowError("window beyond what the model walks")
    stride, dilation, extent = window[STRIDE], window[DILATION], window[EXTENT]
    keys = []
    for p in range(full_p):
        if not stays(full_p, p_chain, p_from, m, p):
            continue
        p_group = group(full_p, p_chain, u, m, p)
        for r in range(full_r):
            if window[TRANSPOSED] == 1:
                numerator = p + window[PAD_BEFORE] - r * dilation
                row = numerator // stride if numerator % stride == 0 else -1
            else:
                row = p * stride + r * dilation - window[PAD_BEFORE]
            if 0 <= row < extent and stays(full_r, r_chain, r_from, m, r):
                keys.append((p_group * full_r + group(full_r, r_chain, u, m, r)) * extent + row)
    keys.sort()
    total, peak, run = 0, 0, 0
    for k in range(len(keys)):
        if k > 0 and keys[k] == keys[k - 1]:
            continue
        run = run + 1 if k > 0 and keys[k] // extent == keys[k - 1] // extent else 1
        total += 1
        peak = max(peak, run)
    return total, peak


def rows(
    window: Any,
    full_p: Any,
    p_chain: Any,
    p_from: int,
    full_r: Any,
    r_chain: Any,
    r_from: int,
    u: int,
    m: int,
    work: Any,
) -> Any:
    """Sum of the input rows over the tiles of level ``m`` that stay from levels ``p_from``, ``r_from`` on.

    Args:
        window: see ``STRIDE`` and its neighbours.
        full_p, full_r: extents of the layer.
        p_chain, r_chain: their chains.
        p_from, r_from: see :func:`single`; ``m`` takes all tiles.
        u: units of levels below ``u`` ask on their own; those from ``u`` on ask together (each row once).
        m: level that receives the tiles.
        work: scratch.
    """
    pn = single(full_p, p_chain, p_from, m)
    rn = single(full_r, r_chain, r_from, m)
    if pn == 0 or rn == 0:
        return full_p - full_p
    p_cuts = union_cuts(full_p, p_chain, u, m)
    r_cuts = union_cuts(full_r, r_chain, u, m)
    if window[TRANSPOSED] == 1 or p_cuts < 0 or r_cuts < 0 or pn < 0 or rn < 0:
        return walk_rows(window, full_p, p_chain, p_from, full_r, r_chain, r_from, u, m)[0]
    stride, dilation = window[STRIDE], window[DILATION]
    common = gcd(stride, dilation)
    total = pn * rn
    total -= fold(pn, p_chain, p_cuts, m, m, dilation // common, work) * fold(
        rn, r_chain, r_cuts, m, m, stride // common, work
    )
    if window[PAD_BEFORE] > 0:
        total -= padded(window, full_p - pn, pn, p_chain, p_cuts, full_r - rn, rn, r_chain, r_cuts)
    if window[PAD_AFTER] > 0:
        total -= padded_after(window, pn, p_chain, p_cuts, rn, r_chain, r_cuts)
    return total


def peak_rows(window: Any, pn: Any, p_chain: Any, rn: Any, r_chain: Any, m: int) -> Any:
    """Input rows of the largest tile that a memory of level ``m`` receives."""
    if window[TRANSPOSED] == 1:
        return walk_rows(window, pn, p_chain, m, rn, r_chain, m, m, m)[1]
    return peak_rows_of(window, pn, p_chain, rn, r_chain, 3 * m)


def peak_rows_of(window: Any, pn: Any, p_chain: Any, rn: Any, r_chain: Any, cuts: int) -> Any:
    """The largest tile after ``cuts`` cuts; the first tile free of padding ends the search."""
    stride, dilation = window[STRIDE], window[DILATION]
    most = span(pn if cuts == 0 else p_chain[cuts - 1], rn if cuts == 0 else r_chain[cuts - 1], stride, dilation)
    if window[PAD_BEFORE] == 0 and window[PAD_AFTER] == 0:
        return most
    best = pn - pn
    p = pn - pn
    while p < pn and best < most:
        _, p_size = piece(pn, p_chain, cuts, p)
        r = rn - rn
        while r < rn and best < most:
            _, r_size = piece(rn, r_chain, cuts, r)
            before = window[PAD_BEFORE] - p * stride - r * dilation
            after = window[PAD_AFTER] - (pn - p - p_size) * stride - (rn - r - r_size) * dilation
            inside = span(p_size, r_size, stride, dilation)
            inside -= positions_below(p_size, r_size, stride, dilation, before)
            inside -= positions_below(p_size, r_size, stride, dilation, after)
            best = max(best, inside)
            r += r_size
        p += p_size
    return best


def volume(x: int, u: int, m: int, bounds: Any, chains: Any, relevant: Any, windows: Any, froms: Any, work: Any) -> Any:
    """Elements of tensor ``x`` in its tiles of level ``m``, each tile once.

    ``froms[d]`` = ``m`` takes all the tiles along ``d``, a lower level only those that stay from that level's loop on
    (see :func:`single`). Units from level ``u`` on ask together.
    """
    total = bounds[0] - bounds[0] + 1
    for d in range(DIM_COUNT):
        if relevant[x][d] == 1 and not (x == I and d >= P):
            part = single(bounds[d], chains[d], froms[d], m)
            if part < 0:
                if bounds[d] > MAX_WALK:
                    raise OverflowError("ragged tiles beyond what the model walks")
                part = bounds[0] - bounds[0]
                for at in range(bounds[d]):
                    if stays(bounds[d], chains[d], froms[d], m, at):
                        part += 1
            total *= part
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


def count(
    levels: int,
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
        bounds: 8 extents.
        chains: 8 chains.
        orders: ``L`` loop orders.
        relevant: 3 x 8, see :func:`traffic`.
        exists: 3 flags; a tensor that the operator lacks is 0.
        windows: rows', columns' window.
        keeps: ``L`` x 3 flags: level stores tensor. Level 0 stores all that exist.
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
        q = 0
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
