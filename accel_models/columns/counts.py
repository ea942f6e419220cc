"""The counts of ``accel_models.reuse.formulas`` in closed form, over columns, for mappings whose every cut divides.

Where each size of a chain divides the one above it, all tiles of a level are alike, and the sums of
``formulas.traffic`` collapse into products:

* pieces of a dim along a cut in time or over units are the quotient of the two sizes;
* a tensor enters level ``m`` once for each trip of the loops above, save the run of loops that it does not depend on
  innermost: within level ``l`` those inside the innermost relevant loop that moves (``kept``), and, where no relevant
  loop of ``l`` moves at all, on into level ``l - 1``;
* input rows depend on the two tile sizes alone, so they are looked up in a table that ``formulas.rows`` fills.

A column that does not divide is marked ``IRREGULAR`` and is counted by the compiled formulas themselves
(``accel_models.columns.general``). ``tests/unit/test_batch.py`` holds the two, the scalar engine and the oracle equal.

Counts are held as float64: ``LayerTable.closed`` says that all of them, and their sums, are integers below 2^53, so
every operation here is exact. Quotients of sizes (below 2^23) are float32, whose division of two integers is an integer
only where it is exact. Every loop runs over one chunk of columns, free of branches and of views (each would count
references), so that the compiler turns it into vector code. The chunk is short enough for the scratch to stay in the
second-level cache, and its length is no power of two: columns that far apart would fall into the same cache sets.

Rows of the scratch are ``DIMS * level + dim``, where dim 8 is one that no layer has: it takes one trip, and fills up
groups of four dims that are worked on together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.columns.codes import FANOUT, IRREGULAR, MALFORMED, OK
from accel_models.jit import uncounted
from accel_models.reuse.formulas import DIM_COUNT
from mappings.mapspace import RANK_BITS

CHUNK = 504
#: Rows a level: 8 dims and one that is always 1.
DIMS = DIM_COUNT + 1
#: A rank beyond the outermost loop: of a loop that takes a single trip.
STILL = DIM_COUNT
_RANK_MASK = (1 << RANK_BITS) - 1
_ONE = np.float32(1)
_OK, _IRREGULAR, _FANOUT, _MALFORMED = (np.float32(code) for code in (OK, IRREGULAR, FANOUT, MALFORMED))


@uncounted
def put(size: int, out: Any, value: float) -> None:
    """``out[j] = value``."""
    for j in range(size):
        out[j] = value


@uncounted
def put_row(size: int, row: int, out: Any, value: float) -> None:
    """``out[row, j] = value``."""
    for j in range(size):
        out[row, j] = value


@uncounted
def cut_absent(lo: int, size: int, d: int, level: int, chains: Any, code: Any) -> None:
    """A dim of extent 1: nothing to cut."""
    for j in range(size):
        i = np.uint64(lo + j)
        wrong = (chains[d, 3 * level, i] != 1) | (chains[d, 3 * level + 1, i] != 1) | (chains[d, 3 * level + 2, i] != 1)
        code[j] = max(code[j], MALFORMED if wrong else OK)


@uncounted
def cut_time(
    lo: int,
    size: int,
    d: int,
    level: int,
    chains: Any,
    above: Any,
    at: int,
    begin: int,
    orders: Any,
    trip: Any,
    key: Any,
    tile: Any,
    code: Any,
) -> None:
    """A level with one unit below: trips, ranks of the loops that move, and the tile that the unit receives.

    Args:
        above: (8, cuts, n) what the level holds of each dim, in cut ``at`` and from column ``begin`` on.
    """
    row = DIMS * level + d
    for j in range(size):
        i = np.uint64(lo + j)
        before, held = np.float32(above[d, at, np.uint64(begin + j)]), np.float32(chains[d, 3 * level, i])
        share, low = np.float32(chains[d, 3 * level + 1, i]), np.float32(chains[d, 3 * level + 2, i])
        quotient = before / held
        trip[row, j] = quotient
        tile[row, j] = low
        rank = (orders[level, i] >> (RANK_BITS * d)) & _RANK_MASK
        key[row, j] = rank if quotient > _ONE else STILL
        bad = _IRREGULAR if np.floor(quotient) != quotient else _OK
        bad = _FANOUT if low != held else bad
        bad = _MALFORMED if (held > before) | (share > held) | (low > share) | (low < _ONE) else bad
        code[j] = max(code[j], bad)


@uncounted
def cut_both(
    lo: int,
    size: int,
    d: int,
    level: int,
    chains: Any,
    above: Any,
    at: int,
    begin: int,
    orders: Any,
    trip: Any,
    key: Any,
    tile: Any,
    unit: Any,
    loads: Any,
    code: Any,
) -> None:
    """A level with several units below: as :func:`cut_time`, and over how many units, along both axes, it is spread.

    Args:
        loads: (2, chunk) units taken so far along each axis.
    """
    row = DIMS * level + d
    for j in range(size):
        i = np.uint64(lo + j)
        before, held = np.float32(above[d, at, np.uint64(begin + j)]), np.float32(chains[d, 3 * level, i])
        share, low = np.float32(chains[d, 3 * level + 1, i]), np.float32(chains[d, 3 * level + 2, i])
        quotient, rows, cols = before / held, held / share, share / low
        trip[row, j] = quotient
        tile[row, j] = low
        unit[row, j] = rows * cols
        loads[0, j] *= rows
        loads[1, j] *= cols
        rank = (orders[level, i] >> (RANK_BITS * d)) & _RANK_MASK
        key[row, j] = rank if quotient > _ONE else STILL
        bad = _IRREGULAR if np.floor(quotient) != quotient else _OK
        bad = _IRREGULAR if np.floor(rows) != rows else bad
        bad = _IRREGULAR if np.floor(cols) != cols else bad
        bad = _MALFORMED if (held > before) | (share > held) | (low > share) | (low < _ONE) else bad
        code[j] = max(code[j], bad)


@uncounted
def cut_last(
    lo: int, size: int, d: int, level: int, chains: Any, above: Any, at: int, begin: int, trip: Any, code: Any
) -> None:
    """The innermost level with one MAC below, which takes one element: what is left are trips."""
    row = DIMS * level + d
    for j in range(size):
        i = np.uint64(lo + j)
        before, held = np.float32(above[d, at, np.uint64(begin + j)]), np.float32(chains[d, 3 * level, i])
        share, low = np.float32(chains[d, 3 * level + 1, i]), np.float32(chains[d, 3 * level + 2, i])
        trip[row, j] = before
        bad = _FANOUT if held != _ONE else _OK
        bad = _MALFORMED if (held > before) | (share > held) | (low > share) | (low != _ONE) else bad
        code[j] = max(code[j], bad)


@uncounted
def too_wide(size: int, fanout: Any, level: int, loads: Any, code: Any) -> None:
    """``FANOUT`` where an axis has fewer units than were taken."""
    rows, cols = np.float32(fanout[level, 0]), np.float32(fanout[level, 1])
    for j in range(size):
        code[j] = max(code[j], _FANOUT if (loads[0, j] > rows) | (loads[1, j] > cols) else _OK)


@uncounted
def not_one(lo: int, size: int, d: int, cut: int, chains: Any, code: Any) -> None:
    """``MALFORMED`` where the last size is not 1."""
    for j in range(size):
        code[j] = max(code[j], _MALFORMED if chains[d, cut, np.uint64(lo + j)] != 1 else _OK)


@uncounted
def not_all_dims(lo: int, size: int, level: int, orders: Any, code: Any) -> None:
    """``MALFORMED`` where the ranks of a loop order are not 0 to 7, each once."""
    for j in range(size):
        order, seen = orders[level, np.uint64(lo + j)], 0
        for d in range(DIM_COUNT):
            seen |= 1 << ((order >> (RANK_BITS * d)) & _RANK_MASK)
        code[j] = max(code[j], _MALFORMED if seen != (1 << DIM_COUNT) - 1 else _OK)


@uncounted
def cut_chains(lo: int, size: int, columns: Any, layer: Any, machine: Any, work: Any) -> None:
    """Quotients of the chains: ``work.trip``, ``work.unit``, ``work.tile``, ``work.key`` and ``work.code``."""
    chains, orders, fanout = columns.chains, columns.orders, machine.fanout
    levels = fanout.shape[0]
    code, loads = work.code, work.loads
    put(size, code, OK)
    for level in range(levels):
        above, at, begin = (work.top, 0, 0) if level == 0 else (chains, 3 * level - 1, lo)
        alone = fanout[level, 0] * fanout[level, 1] == 1
        last = level == levels - 1
        not_all_dims(lo, size, level, orders, code)
        put_row(size, 0, loads, 1.0)
        put_row(size, 1, loads, 1.0)
        for d in range(DIM_COUNT):
            if layer.bounds[d] == 1:
                cut_absent(lo, size, d, level, chains, code)
            elif alone and last:
                cut_last(lo, size, d, level, chains, above, at, begin, work.trip, code)
            elif alone:
                cut_time(lo, size, d, level, chains, above, at, begin, orders, work.trip, work.key, work.tile, code)
            else:
                cut_both(
                    lo,
                    size,
                    d,
                    level,
                    chains,
                    above,
                    at,
                    begin,
                    orders,
                    work.trip,
                    work.key,
                    work.tile,
                    work.unit,
                    loads,
                    code,
                )
                if last:
                    not_one(lo, size, d, 3 * levels - 1, chains, code)
        if not alone:
            too_wide(size, fanout, level, loads, code)


@uncounted
def innermost(size: int, dims: Any, x: int, level: int, key: Any, rank: Any) -> None:
    """``rank[j]``: of the innermost loop of a level that moves and that tensor ``x`` depends on; ``STILL``: none.

    Args:
        dims: (3, 8) dims that each tensor depends on, filled up with dim 8.
    """
    base = DIMS * level
    a, b, c, e = base + dims[x, 0], base + dims[x, 1], base + dims[x, 2], base + dims[x, 3]
    for j in range(size):
        rank[j] = min(key[a, j], key[b, j], key[c, j], key[e, j])
    if dims[x, 4] < DIM_COUNT:
        a, b, c, e = base + dims[x, 4], base + dims[x, 5], base + dims[x, 6], base + dims[x, 7]
        for j in range(size):
            rank[j] = min(rank[j], key[a, j], key[b, j], key[c, j], key[e, j])


@uncounted
def enter(size: int, dims: Any, x: int, level: int, trip: Any, key: Any, rank: Any, times: Any, moving: Any) -> None:
    """How often tiles of tensor ``x`` enter the level below ``level``, from how often they enter this one.

    Args:
        dims: (3, 4) dims that each tensor is missing, filled up with dim 8.
        times: (L + 1, chunk): row ``level`` read, ``level + 1`` the result.
        moving: (chunk,) trips of the loops of dims that ``x`` is missing, of all levels so far.
    """
    base = DIMS * level
    a, b, c, e = base + dims[x, 0], base + dims[x, 1], base + dims[x, 2], base + dims[x, 3]
    below = level + 1
    for j in range(size):
        one, two, three, four = float(trip[a, j]), float(trip[b, j]), float(trip[c, j]), float(trip[e, j])
        still, place = moving[j], rank[j]
        now = times[level, j] if place == STILL else still
        now *= one if key[a, j] > place else 1.0
        now *= two if key[b, j] > place else 1.0
        now *= three if key[c, j] > place else 1.0
        now *= four if key[e, j] > place else 1.0
        times[below, j] = now
        moving[j] = still * ((one * two) * (three * four))


@uncounted
def enter_macs(size: int, dims: Any, x: int, level: int, trip: Any, times: Any, moving: Any) -> None:
    """The same of the MACs, which hold nothing: every trip of every loop."""
    base = DIMS * level
    a, b, c, e = base + dims[x, 0], base + dims[x, 1], base + dims[x, 2], base + dims[x, 3]
    for j in range(size):
        here = (float(trip[a, j]) * float(trip[b, j])) * (float(trip[c, j]) * float(trip[e, j]))
        times[level + 1, j] = moving[j] * here


@uncounted
def entries(size: int, x: int, layer: Any, work: Any) -> None:
    """``work.times[m]``: how often a tile of tensor ``x`` enters a memory of level ``m``; ``m = L``: the MACs."""
    levels = work.times.shape[0] - 1
    put_row(size, 0, work.times, 1.0)
    put(size, work.moving, 1.0)
    for level in range(levels - 1):
        innermost(size, layer.depends, x, level, work.key, work.rank)
        enter(size, layer.misses, x, level, work.trip, work.key, work.rank, work.times, work.moving)
    enter_macs(size, layer.misses, x, levels - 1, work.trip, work.times, work.moving)


@uncounted
def spread_over(size: int, a: int, b: int, c: int, e: int, unit: Any, before: int, out: int, spread: Any) -> None:
    """``spread[out]``: ``spread[before]`` times the units of four dims, given by their rows."""
    for j in range(size):
        here = (float(unit[a, j]) * float(unit[b, j])) * (float(unit[c, j]) * float(unit[e, j]))
        spread[out, j] = spread[before, j] * here


@uncounted
def spreads(size: int, x: int, layer: Any, machine: Any, work: Any) -> None:
    """``work.spread[machine.fans[u]]``: units below the levels above ``u`` that take the same of tensor ``x``."""
    dims, fans = layer.misses, machine.fans
    for level in range(machine.fanout.shape[0]):
        if fans[level + 1] > fans[level]:
            base = DIMS * level
            rows = (base + dims[x, 0], base + dims[x, 1], base + dims[x, 2], base + dims[x, 3])
            spread_over(size, rows[0], rows[1], rows[2], rows[3], work.unit, fans[level], fans[level + 1], work.spread)


@uncounted
def working(size: int, machine: Any, work: Any) -> None:
    """``work.active[machine.fans[m]]``: memories of level ``m`` that have work; at the end: MACs."""
    fans = machine.fans
    for level in range(machine.fanout.shape[0]):
        if fans[level + 1] > fans[level]:
            base = DIMS * level
            spread_over(size, base, base + 1, base + 2, base + 3, work.unit, fans[level], fans[level + 1], work.active)
            spread_over(
                size, base + 4, base + 5, base + 6, base + 7, work.unit, fans[level + 1], fans[level + 1], work.active
            )
