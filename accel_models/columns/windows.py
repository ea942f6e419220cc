"""Input rows and columns of all tiles, over columns of mappings; see :mod:`accel_models.columns.counts`."""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.columns.codes import IRREGULAR, OK
from accel_models.columns.compiled import formulas
from accel_models.columns.counts import DIMS, STILL, put
from accel_models.jit import uncounted
from accel_models.reuse.formulas import (
    DILATION,
    DIM_COUNT,
    EXTENT,
    PAD_AFTER,
    PAD_BEFORE,
    STRIDE,
    I,
    P,
    Q,
    R,
    S,
)

_IRREGULAR, _OK = np.float32(IRREGULAR), np.float32(OK)
span, greatest = formulas.span, formulas.gcd


@uncounted
def inside(tile: Any, most: Any) -> Any:
    """A tile size as an index; a malformed column may hold any number."""
    return np.uint64(min(max(tile, 0), most))


@uncounted
def find_tiles(lo: int, size: int, cut: int, chains: Any, layer: Any, row_at: Any, col_at: Any) -> None:
    """Where the tables have the tiles that a cut makes."""
    rows_wide, cols_wide = layer.row_total.shape[1], layer.col_total.shape[1]
    rows_last, cols_last = layer.row_tiles.shape[0] - 1, layer.col_tiles.shape[0] - 1
    for j in range(size):
        i = np.uint64(lo + j)
        row_at[j] = min(max(chains[P, cut, i] * rows_wide + chains[R, cut, i], 0), rows_last)
        col_at[j] = min(max(chains[Q, cut, i] * cols_wide + chains[S, cut, i], 0), cols_last)


@uncounted
def own_rows(size: int, m: int, fixed: float, row_at: Any, col_at: Any, layer: Any, own: Any, peak: Any) -> None:
    """Input elements of all tiles of level ``m``, each unit's own, and window positions of its largest tile.

    Args:
        fixed: elements along the dims that do not slide.
        row_at, col_at: from :func:`find_tiles`.
        own, peak: (L + 1, chunk) results, at row ``m``.
    """
    rows, cols = layer.row_tiles, layer.col_tiles
    for j in range(size):
        row, col = np.uint64(row_at[j]), np.uint64(col_at[j])
        own[m, j] = fixed * rows[row, 0] * cols[col, 0]
        peak[m, j] = rows[row, 1] * cols[col, 1]


@uncounted
def beside(size: int, fixed: float, row_at: Any, col_at: Any, layer: Any, out: Any) -> None:
    """The same of tiles that the units of a level take side by side: together, what the level cuts in time."""
    rows, cols = layer.row_tiles, layer.col_tiles
    for j in range(size):
        out[j] = fixed * rows[np.uint64(row_at[j]), 0] * cols[np.uint64(col_at[j]), 0]


@uncounted
def spaced_rows(window: Any, p_extent: Any, r_extent: Any, across: Any, down: Any, p_low: Any, r_low: Any) -> Any:
    """Input rows of all steps in which ``across`` x ``down`` units take outputs ``p_low`` and taps ``r_low`` apart.

    In a step the units ask for ``a * step_p + b * step_r`` (a < across, b < down), in the input only; a pair asks for
    the same row as the pair ``(a - step_r / g, b + step_p / g)``, so a row is counted at its pair of smallest ``a``.
    Outputs are counted in closed form, tap by tap.
    """
    stride, dilation = window[STRIDE], window[DILATION]
    step_p, step_r = stride * p_low, dilation * r_low
    common = greatest(step_p, step_r)
    period, first = across * p_low, min(step_r // common, across) * p_low  # small enough ``a``
    total = 0
    for r in range(r_extent):
        above = window[PAD_BEFORE] - r * dilation  # outputs from begin to end - 1 lie in the input
        begin = min(max((above + stride - 1) // stride, 0), p_extent)
        end = min(max((above + window[EXTENT] + stride - 1) // stride, begin), p_extent)
        if r % (down * r_low) // r_low + step_p // common >= down:
            total += end - begin
        else:
            total += end // period * first + min(end % period, first)
            total -= begin // period * first + min(begin % period, first)
    return total


@uncounted
def evenly(j: int, i: Any, d: int, q: int, chains: Any, unit: Any, fans: Any, most: int) -> Any:
    """How many places along dim ``d`` the MACs below level ``q`` take in a step, and how far apart; 0: not evenly."""
    count, low = np.int64(1), np.int64(1)
    levels = fans.size - 1
    for back in range(levels - q):
        level = levels - 1 - back
        units = unit[DIMS * level + d, j]
        if fans[level + 1] > fans[level] and units > 1:
            units = min(units, most)  # a malformed column may hold any number
            apart = np.int64(min(max(chains[d, 3 * level + 2, i], 1), most))
            if count == 1:
                count, low = np.int64(units), apart
            elif apart == count * low:
                count *= np.int64(units)
            else:
                return np.int64(0), low
    return count, low


@uncounted
def row_of_macs(
    lo: int,
    size: int,
    q: int,
    chains: Any,
    unit: Any,
    fans: Any,
    outer: int,
    inner: int,
    table: Any,
    window: Any,
    factor: Any,
    out: Any,
    lost: Any,
) -> None:
    """Multiply ``out`` by the rows that the MACs below level ``q`` take in all steps.

    MACs spread over outputs or over taps alone never share a row. Spread over both, they take a tile where both lie
    side by side, else evenly spaced positions (``formulas.span``; with padding :func:`spaced_rows`). Places that
    are not evenly spaced have no closed form: ``lost``.
    """
    levels = fans.size - 1
    outer_row, inner_row, several = DIMS * q + outer, DIMS * q + inner, fans[levels] - fans[q] > 1
    extents = (table.shape[0] - 1, table.shape[1] - 1)
    padded = window[PAD_BEFORE] + window[PAD_AFTER] > 0
    put(size, factor, float(table[1, 1]))
    for j in range(size):
        if several | ((unit[outer_row, j] > 1) & (unit[inner_row, j] > 1)):
            i = np.uint64(lo + j)
            wide, p_low = evenly(j, i, outer, q, chains, unit, fans, extents[0])
            high, r_low = evenly(j, i, inner, q, chains, unit, fans, extents[1])
            if wide == 1 or high == 1:
                continue
            if wide == 0 or high == 0:
                lost[j] = 1.0
            elif p_low == 1 and r_low == 1:
                factor[j] = float(table[inside(wide, extents[0]), inside(high, extents[1])])
            elif padded:
                factor[j] = float(spaced_rows(window, extents[0], extents[1], wide, high, p_low, r_low))
            else:
                rows = span(wide, high, window[STRIDE] * p_low, window[DILATION] * r_low)
                factor[j] = float(extents[0] * extents[1] // (wide * high) * rows)
    for j in range(size):
        out[j] *= factor[j]


@uncounted
def rows_apart(
    lo: int,
    size: int,
    q: int,
    m: int,
    chains: Any,
    trip: Any,
    unit: Any,
    fans: Any,
    outer: int,
    inner: int,
    table: Any,
    out: Any,
    lost: Any,
) -> None:
    """The same of memories of level ``m``, beyond the next: a table where shares lie side by side, else ``lost``."""
    most = max(table.shape[0], table.shape[1])  # a malformed column may hold any number
    for j in range(size):
        i = np.uint64(lo + j)
        outer_share, inner_share, apart = np.int64(1), np.int64(1), False
        for which in range(2):
            d = outer if which == 0 else inner
            share, cut = np.int64(min(chains[d, 3 * m - 1, i], most)), False
            for back in range(m - q):
                level = m - 1 - back
                if fans[level + 1] > fans[level] and unit[DIMS * level + d, j] > 1:
                    share *= np.int64(min(unit[DIMS * level + d, j], most))
                    apart |= cut
                if level > q and trip[DIMS * level + d, j] > 1:
                    cut = True
            if which == 0:
                outer_share = share
            else:
                inner_share = share
        if apart:
            lost[j] = 1.0
        out[j] *= float(table[inside(outer_share, table.shape[0] - 1), inside(inner_share, table.shape[1] - 1)])


@uncounted
def shared_rows(
    lo: int, size: int, q: int, m: int, fixed: float, columns: Any, layer: Any, machine: Any, work: Any
) -> None:
    """``work.together``: input elements of all tiles of level ``m``, units from level ``q`` on asking together.

    ``q`` has a fan-out below it. Columns that have no closed form are marked in ``work.lost``.
    """
    chains, trip, unit, fans, out, lost = columns.chains, work.trip, work.unit, machine.fans, work.together, work.lost
    put(size, lost, 0.0)
    levels = fans.size - 1
    if fans[m] - fans[q] == 1 and m - q == 1:
        find_tiles(lo, size, 3 * q, chains, layer, work.row_at, work.col_at)
        beside(size, fixed, work.row_at, work.col_at, layer, out)
        return
    put(size, out, fixed)
    for axis in range(2):
        outer, inner = P + axis, R + axis
        table = layer.row_total if axis == 0 else layer.col_total
        if m == levels:
            window = layer.windows[axis]
            row_of_macs(lo, size, q, chains, unit, fans, outer, inner, table, window, work.factor, out, lost)
        else:
            rows_apart(lo, size, q, m, chains, trip, unit, fans, outer, inner, table, out, lost)


@uncounted
def slide(lo: int, size: int, m: int, chains: Any, layer: Any, machine: Any, work: Any) -> None:
    """Take off what a memory of level ``m`` that slides need not be given again; closed form of ``formulas.kept``.

    One loop at most slides: the innermost that moves and that the input depends on, where it is over a dim of a window
    and no units share that window. All tiles above are brought whole for every trip of the loops outside it.
    """
    key, unit, fans = work.key, work.unit, machine.fans
    for j in range(size):
        at, d = -1, 0
        for back in range(m):
            level = m - 1 - back
            rank = STILL
            for k in range(DIM_COUNT):
                one = layer.depends[I, k]
                if key[DIMS * level + one, j] < rank:
                    rank, d = key[DIMS * level + one, j], one
            if rank < STILL:
                at = level
                break
        if at < 0 or d < P:
            continue
        e, axis, apart = d + 2 if d < R else d - 2, (d - P) % 2, False
        for level in range(m):
            if fans[level + 1] > fans[level]:
                apart |= (unit[DIMS * level + d, j] > 1) | (unit[DIMS * level + e, j] > 1)
        if apart:
            continue
        i = np.uint64(lo + j)
        tile, other = inside(chains[d, 3 * m - 1, i], layer.bounds[d]), inside(chains[e, 3 * m - 1, i], layer.bounds[e])
        above = np.uint64(layer.bounds[d]) if at == 0 else inside(chains[d, 3 * at - 1, i], layer.bounds[d])
        stay = machine.overlap[
            d - P, machine.place[d - P, tile], machine.place[d - P, above], machine.place[e - P, other]
        ]
        p, r = (tile, other) if d < R else (other, tile)
        whole = float(layer.row_total[p, r] if axis == 0 else layer.col_total[p, r])
        if whole > 0:  # a factor of both counts, which stay integers
            work.own[m, j] = work.own[m, j] / whole * (whole - stay)
            work.shared[j] = work.shared[j] / whole * (whole - stay)


@uncounted
def mark_lost(size: int, parent: Any, q: int, kept: Any, lost: Any, code: Any) -> None:
    """``IRREGULAR`` where a path from level ``q`` or further out is used and has no closed form."""
    level = float(q)
    for j in range(size):
        here = (kept[j] > 0) & (parent[j] <= level) & (lost[j] > 0)
        code[j] = max(code[j], _IRREGULAR if here else _OK)
