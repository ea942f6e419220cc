"""Formulas of one window, two dims that slide over the input together. See ``accel_models.reuse.formulas``."""

from __future__ import annotations

from typing import Any

from accel_models.reuse.cuts import MAX_WALK, fold, group, piece, single, spread, stays, union_cuts

#: A window: (stride, dilation, padding before, padding after, input extent).
STRIDE, DILATION, PAD_BEFORE, PAD_AFTER, EXTENT = range(5)


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


def walk_rows(
    window: Any, full_p: Any, p_chain: Any, p_from: int, full_r: Any, r_chain: Any, r_from: int, u: int, m: int
) -> tuple[Any, Any]:
    """What :func:`rows` says, by visiting each (output, tap): the sum over the tiles, and the most of one tile.

    For what has no closed form: units whose shares do not lie side by side, several ragged tiles.
    """
    if full_p > MAX_WALK or full_r > MAX_WALK or full_p * full_r > MAX_WALK:
        raise OverflowError("window beyond what the model walks")
    stride, dilation, extent = window[STRIDE], window[DILATION], window[EXTENT]
    keys = []
    for p in range(full_p):
        if not stays(full_p, p_chain, p_from, m, p):
            continue
        p_group = group(p_chain, u, m, p)
        for r in range(full_r):
            row = p * stride + r * dilation - window[PAD_BEFORE]
            if 0 <= row < extent and stays(full_r, r_chain, r_from, m, r):
                keys.append((p_group * full_r + group(r_chain, u, m, r)) * extent + row)
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
    if p_cuts < 0 or r_cuts < 0 or pn < 0 or rn < 0:
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


def inside(window: Any, a0: Any, an: Any, full_a: Any, b0: Any, bn: Any, full_b: Any, swapped: bool) -> Any:
    """Input rows under ``an`` outputs from ``a0`` on and ``bn`` taps from ``b0`` on (``swapped``: taps and outputs)."""
    step_a = window[DILATION] if swapped else window[STRIDE]
    step_b = window[STRIDE] if swapped else window[DILATION]
    before = window[PAD_BEFORE] - a0 * step_a - b0 * step_b
    after = window[PAD_AFTER] - (full_a - a0 - an) * step_a - (full_b - b0 - bn) * step_b
    total = span(an, bn, step_a, step_b)
    total -= positions_below(an, bn, step_a, step_b, before)
    total -= positions_below(an, bn, step_a, step_b, after)
    return total


def overlap(
    window: Any, full_a: Any, a_chain: Any, level: int, full_b: Any, b_chain: Any, b_from: int, m: int, swapped: bool
) -> Any:
    """Rows that successive tiles along one loop of a window have in common, summed over its steps.

    Args:
        window: see ``STRIDE``.
        full_a, a_chain, level: the loop's dim, and its level.
        full_b, b_chain, b_from: the dim that shares the window; only tiles that stay from ``b_from`` on.
        m: level that holds the tiles.
        swapped: the loop is over taps.
    """
    total = full_a - full_a
    above = full_a if level == 0 else a_chain[3 * level - 1]
    size = a_chain[3 * level]
    if size >= above or a_chain[3 * m - 1] < size or spread(a_chain, m) or spread(b_chain, m):
        return total
    b = full_b - full_b
    while b < full_b:
        _, bn = piece(full_b, b_chain, 3 * m, b)
        if stays(full_b, b_chain, b_from, m, b):
            a = full_a - full_a
            while a < full_a:
                _, an = piece(full_a, a_chain, 3 * level, a)
                at = a
                while at + size < a + an:
                    next_n = min(size, a + an - at - size)
                    total += inside(window, at, size, full_a, b, bn, full_b, swapped)
                    total += inside(window, at + size, next_n, full_a, b, bn, full_b, swapped)
                    total -= inside(window, at, size + next_n, full_a, b, bn, full_b, swapped)
                    at += size
                a += an
        b += bn
    return total


def peak_rows(window: Any, pn: Any, p_chain: Any, rn: Any, r_chain: Any, m: int) -> Any:
    """Input rows of the largest tile that a memory of level ``m`` receives."""
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
