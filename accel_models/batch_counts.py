"""The counts of ``accel_models.formulas`` in closed form, over columns, for mappings whose every cut divides.

Where each size of a chain divides the one above it, all tiles of a level are alike, and the sums of
``formulas.traffic`` collapse into products:

* pieces of a dim along a cut in time or over units are the quotient of the two sizes;
* a tensor enters level ``m`` once for each trip of the loops above, save the run of loops that it does not depend on
  innermost: within level ``l`` those inside the innermost relevant loop that moves (``kept``), and, where no relevant
  loop of ``l`` moves at all, on into level ``l - 1``;
* input rows depend on the two tile sizes alone, so they are looked up in a table that ``formulas.rows`` fills.

A row that does not divide is marked ``IRREGULAR`` and is counted by the compiled formulas themselves
(``accel_models.batch_general``). ``tests/unit/test_batch.py`` holds the two, the scalar engine and the oracle equal.

Every loop below runs over one chunk of columns, free of branches, so that the compiler turns it into vector code. The
chunk is short enough for the scratch to stay in the second-level cache, and its length is no power of two: columns
that far apart would fall into the same cache sets.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.batch_codes import FANOUT, IRREGULAR, MALFORMED, OK
from accel_models.compiled import formulas as compiled_formulas
from accel_models.formulas import DILATION, DIM_COUNT, EXTENT, PAD_AFTER, PAD_BEFORE, STRIDE, TRANSPOSED, I, P, Q, R, S
from accel_models.jit import compiled
from mappings.mapspace import RANK_BITS

CHUNK = 504
_RANK_MASK = (1 << RANK_BITS) - 1
span, greatest = compiled_formulas.span, compiled_formulas.gcd
_NO_LOOP = DIM_COUNT  # a rank beyond the outermost loop


@compiled
def cut_chains(
    lo: int, size: int, chains: Any, bounds: Any, fanout: Any, trips: Any, units: Any, axes: Any, code: Any
) -> None:
    """Quotients of the chains: ``trips[l, d, j]`` in time, ``units[l, d, j]`` side by side; ``code[j]``.

    Args:
        lo, size: the chunk: columns ``lo .. lo + size - 1``.
        chains: (8, 3 L, n).
        bounds: (8,).
        fanout: (L, 2): units along each axis; 1 where there is none.
        axes: (3, chunk) scratch.
    """
    levels = fanout.shape[0]
    code[:size] = OK
    along_rows, along_cols, above = axes[0], axes[1], axes[2]
    for level in range(levels):
        alone = fanout[level, 0] * fanout[level, 1] == 1
        along_rows[:size] = 1
        along_cols[:size] = 1
        for d in range(DIM_COUNT):
            held = chains[d, 3 * level, lo : lo + size]
            if bounds[d] == 1:  # nothing to cut
                trips[level, d, :size] = 1
                units[level, d, :size] = 1
                for j in range(size):
                    code[j] = max(code[j], MALFORMED if held[j] != 1 else OK)
                continue
            if level == 0:
                above[:size] = bounds[d]
            else:
                above[:size] = chains[d, 3 * level - 1, lo : lo + size]
            share = chains[d, 3 * level + 1, lo : lo + size]
            low = chains[d, 3 * level + 2, lo : lo + size]
            trip, unit = trips[level, d], units[level, d]
            if alone and level == levels - 1:  # only 1 is left to hand to the MACs
                trip[:size] = above[:size]
                unit[:size] = 1
                for j in range(size):
                    code[j] = max(code[j], MALFORMED if (held[j] != 1) | (share[j] != 1) | (low[j] != 1) else OK)
                continue
            for j in range(size):
                trip[j] = np.int64(float(above[j]) / float(max(held[j], 1)))
                wrong = (held[j] < 1) | (held[j] > above[j])
                ragged = trip[j] * held[j] != above[j]
                code[j] = max(code[j], MALFORMED if wrong else OK, IRREGULAR if ragged else OK)
            if alone:
                for j in range(size):
                    unit[j] = 1
                    code[j] = max(code[j], FANOUT if (share[j] != held[j]) | (low[j] != held[j]) else OK)
            else:
                for j in range(size):
                    rows = np.int64(float(held[j]) / float(max(share[j], 1)))
                    cols = np.int64(float(share[j]) / float(max(low[j], 1)))
                    unit[j] = rows * cols
                    along_rows[j] *= rows
                    along_cols[j] *= cols
                    wrong = (share[j] < 1) | (low[j] < 1) | (share[j] > held[j]) | (low[j] > share[j])
                    ragged = unit[j] * low[j] != held[j]
                    code[j] = max(code[j], MALFORMED if wrong else OK, IRREGULAR if ragged else OK)
        if not alone:
            for j in range(size):
                wide = (along_rows[j] > fanout[level, 0]) | (along_cols[j] > fanout[level, 1])
                code[j] = max(code[j], FANOUT if wide else OK)
    for d in range(DIM_COUNT):
        last = chains[d, 3 * levels - 1, lo : lo + size]
        for j in range(size):
            code[j] = max(code[j], MALFORMED if last[j] != 1 else OK)


@compiled
def entries(
    lo: int,
    size: int,
    x: int,
    bounds: Any,
    orders: Any,
    relevant: Any,
    trips: Any,
    times: Any,
    rank: Any,
    moving: Any,
) -> None:
    """``times[m, j]``: how often a tile of tensor ``x`` enters a memory of level ``m``; ``m = L``: trips of all loops.

    Args:
        relevant: (3, 8).
        times: (L + 2, chunk): rows 0 to L the result, row L + 1 scratch.
        rank, moving: (chunk,) scratch: rank of the innermost relevant loop that moves; trips of all irrelevant loops.
    """
    levels = trips.shape[0]
    every = times[levels + 1]
    times[0, :size] = 1
    moving[:size] = 1
    for level in range(levels):
        order = orders[level, lo : lo + size]
        before, now = times[level], times[level + 1]
        rank[:size] = _NO_LOOP
        now[:size] = 1
        every[:size] = 1
        if level < levels - 1:
            for d in range(DIM_COUNT):
                if relevant[x, d] == 1 and bounds[d] > 1:
                    trip = trips[level, d]
                    for j in range(size):
                        place = (order[j] >> (RANK_BITS * d)) & _RANK_MASK
                        rank[j] = min(rank[j], place if trip[j] > 1 else _NO_LOOP)
        for d in range(DIM_COUNT):
            if relevant[x, d] == 0 and bounds[d] > 1:
                trip = trips[level, d]
                for j in range(size):
                    place = (order[j] >> (RANK_BITS * d)) & _RANK_MASK
                    every[j] *= trip[j]
                    now[j] *= trip[j] if place > rank[j] else 1
        if level < levels - 1:
            for j in range(size):
                now[j] *= before[j] if rank[j] == _NO_LOOP else moving[j]
                moving[j] *= every[j]
        else:  # the MACs hold nothing
            for j in range(size):
                now[j] = moving[j] * every[j]


@compiled
def spaced_rows(window: Any, p_extent: Any, r_extent: Any, across: Any, down: Any, p_low: Any, r_low: Any) -> Any:
    """Input rows of all steps in which ``across`` x ``down`` units take outputs ``p_low`` and taps ``r_low`` apart.

    In a step the units ask for ``a * step_p + b * step_r`` (a < across, b < down), in the input only; a pair asks for
    the same row as the pair ``(a - step_r / g, b + step_p / g)``, so a row is counted at its pair of smallest ``a``.
    """
    step_p, step_r = window[STRIDE] * p_low, window[DILATION] * r_low
    common = greatest(step_p, step_r)
    back, ahead = step_r // common, step_p // common
    total = 0
    for p in range(p_extent):
        a = p % (across * p_low) // p_low
        for r in range(r_extent):
            b = r % (down * r_low) // r_low
            row = p * window[STRIDE] + r * window[DILATION] - window[PAD_BEFORE]
            again = (a >= back) & (b + ahead < down)
            total += 1 if (row >= 0) & (row < window[EXTENT]) & (not again) else 0
    return total


@compiled
def input_rows(
    lo: int,
    size: int,
    q: int,
    m: int,
    chains: Any,
    trips: Any,
    units: Any,
    fanout: Any,
    outer: int,
    inner: int,
    table: Any,
    window: Any,
    rows: Any,
    lost: Any,
    side: Any,
) -> None:
    """Multiply ``rows[j]`` by the input rows of all tiles of level ``m``, units below level ``q`` asking on their own.

    The units of levels ``q .. m - 1`` ask together: shares that lie side by side make one larger tile. Shares that do
    not (a cut in time below a cut over units) have a closed form where each MAC takes one (output, tap) pair: no two
    share a row where only outputs or only taps are spread; else they are evenly spaced positions of ``formulas.span``,
    counted one by one where there is padding. What is left (transposed windows) adds to ``lost[j]``.

    Args:
        outer, inner: P and R, or Q and S.
        window: (6,), see ``formulas.STRIDE``.
        table: (outer + 1, inner + 1), rows by tile sizes, see :func:`accel_models.batch_tables.row_table`.
        side: (8, chunk) scratch: share, cut below, apart, spread; of outer, then of inner.
    """
    levels = units.shape[0]
    flat, width, last = table.ravel(), table.shape[1], table.size - 1  # a malformed column may hold any size
    fans = 0
    for level in range(q, m):
        fans += 1 if fanout[level, 0] * fanout[level, 1] > 1 else 0
    outer_tile = chains[outer, 3 * m - 1, lo : lo + size]
    inner_tile = chains[inner, 3 * m - 1, lo : lo + size]
    if fans == 1 and fanout[q, 0] * fanout[q, 1] > 1:  # side by side: what level q cuts in time
        outer_tile = chains[outer, 3 * q, lo : lo + size]
        inner_tile = chains[inner, 3 * q, lo : lo + size]
        if m == levels and m - q > 1:
            both, cut = side[0], side[1]
            outer_unit, inner_unit = units[q, outer], units[q, inner]
            cut[:size] = 1
            for level in range(q + 1, m):
                outer_trip, inner_trip = trips[level, outer], trips[level, inner]
                for j in range(size):
                    cut[j] *= outer_trip[j] * inner_trip[j]
            for j in range(size):
                both[j] = 1 if (outer_unit[j] > 1) & (inner_unit[j] > 1) else 0
            factor = side[2]
            for j in range(size):
                tiles = outer_tile[j] * width + inner_tile[j] if both[j] == 1 else width + 1
                factor[j] = flat[np.uint64(min(max(tiles, 0), last))]
            padded = window[PAD_BEFORE] + window[PAD_AFTER] > 0
            outer_low, inner_low = chains[outer, 3 * q + 2, lo : lo + size], chains[inner, 3 * q + 2, lo : lo + size]
            for j in range(size):
                if both[j] == 1 and cut[j] > 1:  # shares lie apart: one (output, tap) of each unit, evenly spaced
                    if window[TRANSPOSED] == 1:
                        lost[j] = 1
                        continue
                    across, down = outer_unit[j], inner_unit[j]
                    p_low, r_low = np.int64(outer_low[j]), np.int64(inner_low[j])
                    extents = (table.shape[0] - 1, width - 1)
                    if padded:
                        factor[j] = spaced_rows(window, extents[0], extents[1], across, down, p_low, r_low)
                    else:
                        together = span(across, down, window[STRIDE] * p_low, window[DILATION] * r_low)
                        factor[j] = extents[0] * extents[1] // (across * down) * together
            for j in range(size):
                rows[j] *= factor[j]
            return
    if fans == 0 or (fans == 1 and m - q == 1):
        for j in range(size):
            rows[j] *= flat[np.uint64(min(max(outer_tile[j] * width + inner_tile[j], 0), last))]
        return
    for which in range(2):
        d = outer if which == 0 else inner
        share, cut, apart, spread = side[4 * which], side[4 * which + 1], side[4 * which + 2], side[4 * which + 3]
        share[:size] = chains[d, 3 * m - 1, lo : lo + size]
        cut[:size] = 0
        apart[:size] = 0
        spread[:size] = 0
        for back in range(m - q):
            level = m - 1 - back
            unit, trip = units[level, d], trips[level, d]
            if fanout[level, 0] * fanout[level, 1] > 1:
                for j in range(size):
                    share[j] *= unit[j]
                if back > 0:
                    for j in range(size):
                        apart[j] |= cut[j] if unit[j] > 1 else 0
                if m == levels:
                    for j in range(size):
                        spread[j] |= 1 if unit[j] > 1 else 0
            if level > q:
                for j in range(size):
                    cut[j] |= 1 if trip[j] > 1 else 0
    outer_share, outer_apart, outer_spread = side[0], side[2], side[3]
    inner_share, inner_apart, inner_spread = side[4], side[6], side[7]
    if m == levels:
        for j in range(size):
            lost[j] |= (outer_apart[j] | inner_apart[j]) & outer_spread[j] & inner_spread[j]
        for j in range(size):
            outer_share[j] = outer_share[j] if outer_spread[j] & inner_spread[j] else 1
        for j in range(size):
            inner_share[j] = inner_share[j] if outer_spread[j] & inner_spread[j] else 1
    elif m - q > 1:
        for j in range(size):
            lost[j] |= outer_apart[j] | inner_apart[j]
    for j in range(size):
        rows[j] *= flat[np.uint64(min(max(outer_share[j] * width + inner_share[j], 0), last))]


@compiled
def volumes(
    lo: int,
    size: int,
    x: int,
    q: int,
    m: int,
    chains: Any,
    trips: Any,
    units: Any,
    fanout: Any,
    fixed: int,
    layer: Any,
    out: Any,
    lost: Any,
    side: Any,
) -> None:
    """``out[j]``: elements of tensor ``x`` in all tiles of level ``m``, units from level ``q`` on asking together."""
    out[:size] = fixed
    lost[:size] = 0
    if x == I and q == m == units.shape[0]:  # one row a MAC
        out[:size] = fixed * layer.row_total[1, 1] * layer.col_total[1, 1]
    elif x == I:
        input_rows(
            lo, size, q, m, chains, trips, units, fanout, P, R, layer.row_total, layer.windows[0], out, lost, side
        )
        input_rows(
            lo, size, q, m, chains, trips, units, fanout, Q, S, layer.col_total, layer.windows[1], out, lost, side
        )
