"""Bits that move, over columns: the closed form of ``formulas.count`` and ``charges.bits`` for one chunk.

For each tensor the memories that store it are walked from DRAM inwards. ``parent`` is the level that the path to the
memory in hand comes from, which differs by column; what is charged to it goes to every level's total in turn, to all
but one of them as nothing (:func:`charge_parent`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.columns.counts import entries, put, put_row, spreads
from accel_models.columns.windows import find_tiles, mark_lost, own_rows, shared_rows, slide
from accel_models.jit import uncounted
from accel_models.reuse.formulas import DIM_COUNT, C, I, O, P


@uncounted
def flag_stored(lo: int, size: int, x: int, m: int, keeps: Any, kept: Any) -> None:
    """``kept[j]``: 1 where level ``m`` stores tensor ``x``."""
    for j in range(size):
        kept[j] = float((keeps[m, np.uint64(lo + j)] >> x) & 1)


@uncounted
def charge_parent(size: int, q: int, parent: Any, part: Any, row: int, total: Any) -> None:
    """``total[row, j] += part[j]`` where the path comes from level ``q``."""
    level = float(q)
    for j in range(size):
        here = part[j]
        total[row, j] += here if parent[j] == level else 0.0


@uncounted
def charge_below(size: int, level: int, parent: Any, part: Any, total: Any) -> None:
    """``total[level, j] += part[j]`` where the path passes the network below ``level``."""
    place = float(level)
    for j in range(size):
        here = part[j]
        total[level, j] += here if parent[j] <= place else 0.0


@uncounted
def share_parent(size: int, q: int, parent: Any, together: Any, shared: Any) -> None:
    """``shared[j] = together[j]`` where the path comes from level ``q`` or further out."""
    level = float(q)
    for j in range(size):
        before, here = shared[j], together[j]  # read both: a store under a condition would not be vector code
        shared[j] = here if parent[j] <= level else before


@uncounted
def take_row(size: int, row: int, rows: Any, out: Any) -> None:
    """``out[j] = rows[row, j]``."""
    for j in range(size):
        out[j] = rows[row, j]


@uncounted
def add_row(size: int, row: int, part: Any, total: Any) -> None:
    """``total[row, j] += part[j]``."""
    for j in range(size):
        total[row, j] += part[j]


@uncounted
def operand_traffic(
    size: int,
    m: int,
    width: float,
    serial: int,
    times: Any,
    spread: Any,
    copies_row: int,
    own: Any,
    shared: Any,
    kept: Any,
    parent: Any,
    asked: Any,
    each: Any,
    merged: Any,
) -> None:
    """Bits of an operand into the memories of level ``m`` (``each``), and as its parent reads them (``merged``).

    Args:
        serial: innermost level above ``m`` without multicast; -1: none.
        copies_row: of ``spread``: units above ``m`` that take the same elements.
        own: (L + 1, chunk) elements of all tiles of each level.
        shared: (chunk,) the same of level ``m``, units below the parent asking together.
        kept: (chunk,) 1 where level ``m`` stores the tensor.
        asked: (chunk,) units above the parent that take the same elements.
    """
    last = float(serial)
    for j in range(size):
        entered = times[m, j] * width * kept[j]
        alone = entered * spread[copies_row, j] * own[m, j]
        each[j] = alone
        merged[j] = alone if parent[j] <= last else entered * asked[j] * shared[j]


@uncounted
def descend(size: int, m: int, spread: Any, copies_row: int, kept: Any, parent: Any, asked: Any) -> None:
    """Where level ``m`` stores the tensor, it is the next parent."""
    level = float(m)
    for j in range(size):
        here, before, above, copies = kept[j] > 0, parent[j], asked[j], spread[copies_row, j]
        parent[j] = level if here else before
        asked[j] = copies if here else above


@uncounted
def replacements(size: int, x: int, layer: Any, work: Any) -> None:
    """``work.replaced[x L + m]``: how often the tile of level ``m`` is replaced, closed form of ``charges.events``."""
    levels = work.times.shape[0] - 1
    every = work.each
    put(size, every, 1.0)
    for m in range(1, levels):
        for k in range(DIM_COUNT):
            row = (DIM_COUNT + 1) * (m - 1) + layer.depends[x, k]
            for j in range(size):
                every[j] *= work.trip[row, j]
        for j in range(size):
            work.replaced[levels * x + m, j] = work.times[m, j] * every[j]


@uncounted
def scan_again(lo: int, size: int, m: int, row: int, chains: Any, layer: Any, kept: Any, replaced: Any) -> None:
    """``kept[j]`` and ``replaced[row, j]`` of level ``m``, times ``formulas.scanned``."""
    for j in range(size):
        turns = 0.0
        for level in range(m):
            above = layer.bounds[C] if level == 0 else chains[C, 3 * level - 1, np.uint64(lo + j)]
            turns += 1.0 if chains[C, 3 * level, np.uint64(lo + j)] < above else 0.0
        again = float(layer.scans) if turns > 0.0 else 1.0
        kept[j] *= again
        replaced[row, j] *= again


@uncounted
def last_without(flags: Any, m: int) -> int:
    """The innermost level above ``m`` whose flag is 0; -1: none."""
    for back in range(m):
        if flags[m - 1 - back] == 0:
            return m - 1 - back
    return -1


@uncounted
def move_operand(lo: int, size: int, x: int, columns: Any, layer: Any, machine: Any, work: Any) -> None:
    """Add the bits of tensor I or W of one chunk to ``work.read``, ``work.write`` and, in detail, each path's.

    Args:
        lo, size: the chunk.
        columns: see ``mappings.mapspace.MappingColumns``.
        layer, machine: see :mod:`accel_models.columns.tables`.
        work: see :class:`accel_models.columns.kernel.Work`.
    """
    levels, fans = machine.fanout.shape[0], machine.fans
    parent, asked, kept, each, merged = work.parent, work.asked, work.kept, work.each, work.merged
    fixed = 1.0
    for d in range(DIM_COUNT):
        if layer.relevant[x, d] == 1 and not (x == I and d >= P):
            fixed *= layer.bounds[d]
    entries(size, x, layer, work)
    if machine.detail:
        replacements(size, x, layer, work)
    spreads(size, x, layer, machine, work)
    put(size, parent, 0.0)
    put(size, asked, 1.0)
    if x != I:
        for m in range(levels + 1):
            put_row(size, m, work.own, fixed)
        put(size, work.shared, fixed)
    for m in range(1, levels + 1):
        if m == levels:
            put(size, kept, 1.0)
        elif machine.holds[m, x] == 0:
            continue
        else:
            flag_stored(lo, size, x, m, columns.keeps, kept)
        if x == I and layer.scans > 1:  # what is brought once more in each scan counts as so much more
            if m == levels:
                put(size, kept, float(layer.scans))
            else:
                scan_again(lo, size, m, levels * x + m, columns.chains, layer, kept, work.replaced)
        if x == I:
            if m < levels:
                find_tiles(lo, size, 3 * m - 1, columns.chains, layer, work.row_at, work.col_at)
                own_rows(size, m, fixed, work.row_at, work.col_at, layer, work.own, work.peak)
            else:  # one row a MAC
                put_row(size, m, work.own, fixed * layer.row_total[1, 1] * layer.col_total[1, 1])
            take_row(size, m, work.own, work.shared)
            for back in range(m):
                q = m - 1 - back
                if fans[q + 1] > fans[q]:
                    shared_rows(lo, size, q, m, fixed, columns, layer, machine, work)
                    share_parent(size, q, parent, work.together, work.shared)
                    mark_lost(size, parent, q, kept, work.lost, work.code)
            if m < levels and machine.slides[m] == 1:
                slide(lo, size, m, columns.chains, layer, machine, work)
        serial = last_without(machine.multicast, m)
        row = fans[m]
        operand_traffic(
            size,
            m,
            float(layer.width[x]),
            serial,
            work.times,
            work.spread,
            row,
            work.own,
            work.shared,
            kept,
            parent,
            asked,
            each,
            merged,
        )
        if m < levels:
            add_row(size, m, each, work.write)
        for q in range(m):
            charge_parent(size, q, parent, merged, q, work.read)
        if machine.detail:
            for level in range(m):
                charge_below(size, level, parent, each, work.network)
            if m < levels:
                add_row(size, m, each, work.own_down)
                for q in range(m):
                    charge_parent(size, q, parent, merged, levels * q + m, work.path_down)
                remember_parent(size, levels * x + m, kept, parent, work.parents)
        if m < levels:
            descend(size, m, work.spread, row, kept, parent, asked)


@uncounted
def remember_parent(size: int, row: int, kept: Any, parent: Any, parents: Any) -> None:
    """``parents[row, j]``: the level that the path comes from; -1 where the tensor is not stored."""
    for j in range(size):
        parents[row, j] = parent[j] if kept[j] > 0 else -1.0


@uncounted
def sum_traffic(
    size: int,
    m: int,
    outputs: float,
    whole: float,
    partial: float,
    serial: int,
    times: Any,
    spread: Any,
    copies_row: int,
    kept: Any,
    parent: Any,
    asked: Any,
    fresh: Any,
    evicted: Any,
    each: Any,
    back: Any,
    up: Any,
    read: Any,
    stored: Any,
) -> None:
    """What goes up from level ``m`` to its parent and comes back; all nothing where ``m`` does not store sums.

    Args:
        outputs: elements of the output; whole, partial: bits of one, complete and not.
        fresh: (chunk,) sums that begin at zero in the parent; evicted: that leave it on their way up.
        each: result: sums that leave the units of level ``m``; back: that come back to it.
        up: result: bits written to the parent; read: bits read from it; stored: bits at which it stores a sum.
    """
    last = float(serial)
    for j in range(size):
        entered = times[m, j] * outputs
        alone, merged = entered * spread[copies_row, j], entered * asked[j]
        sent = alone if parent[j] <= last else merged
        # The last return is final where this memory alone holds the reduction; on chip, all are at one width.
        final = outputs if (asked[j] == 1.0) & (sent == merged) else 0.0
        final = final if (parent[j] == 0.0) | (final == sent) else 0.0
        bits = whole if final == sent else partial
        stored[j] = bits
        each[j] = alone
        back[j] = kept[j] * (merged - fresh[j])
        up[j] = kept[j] * (final * whole + (sent - final) * partial)
        read[j] = kept[j] * (evicted[j] * bits + (sent - fresh[j]) * partial)


@uncounted
def descend_sums(
    size: int,
    m: int,
    partial: float,
    kept: Any,
    each: Any,
    back: Any,
    fresh: Any,
    evicted: Any,
    write: Any,
) -> None:
    """Charge what comes back to level ``m``; where it stores sums, it is the next parent."""
    for j in range(size):
        here, begun, left, alone, again = kept[j] > 0, fresh[j], evicted[j], each[j], back[j]
        fresh[j] = alone - again if here else begun
        evicted[j] = alone if here else left
        write[m, j] += again * partial


@uncounted
def store_width(size: int, q: int, kept: Any, parent: Any, stored: Any, sum_width: Any) -> None:
    """``sum_width[q, j]``: bits at which level ``q`` stores a sum, once its path inwards is known."""
    level = float(q)
    for j in range(size):
        before, here = sum_width[q, j], stored[j]
        sum_width[q, j] = here if (kept[j] > 0) & (parent[j] == level) else before


@uncounted
def sum_paths(size: int, m: int, partial: float, outputs: float, kept: Any, work: Any, machine: Any) -> None:
    """What cycles and networks need of sums beyond the ports: bits of each path, from and to level ``m``."""
    levels = machine.fanout.shape[0]
    parent, each, back, up, left, returned = (
        work.parent,
        work.each,
        work.back,
        work.up,
        work.merged,
        work.shared,
    )
    last = float(last_without(machine.reduction, m))
    for j in range(size):
        merged = work.times[m, j] * outputs * work.asked[j]
        sent = each[j] if parent[j] <= last else merged
        left[j] = up[j] if (sent == merged) & (each[j] == sent) else kept[j] * each[j] * partial
        returned[j] = back[j] * partial
    for level in range(m):
        charge_below(size, level, parent, left, work.network)
        charge_below(size, level, parent, returned, work.network)
    if m < levels:
        add_row(size, m, left, work.own_up)
        add_row(size, m, returned, work.own_down)
        add_row(size, m, back, work.again)
        for q in range(m):
            charge_parent(size, q, parent, returned, levels * q + m, work.path_down)
            charge_parent(size, q, parent, up, levels * q + m, work.path_up)
        remember_parent(size, levels * O + m, kept, parent, work.parents)


@uncounted
def move_sums(lo: int, size: int, columns: Any, layer: Any, machine: Any, work: Any) -> None:
    """The same for the output and its partial sums; ``work.sum_width[m]``: the width that level ``m`` stores."""
    levels, fans = machine.fanout.shape[0], machine.fans
    whole, partial = float(layer.width[O]), float(layer.width[3])
    parent, asked, kept, each = work.parent, work.asked, work.kept, work.each
    outputs = 1.0
    for d in range(DIM_COUNT):
        if layer.relevant[O, d] == 1:
            outputs *= layer.bounds[d]
    entries(size, O, layer, work)
    if machine.detail:
        replacements(size, O, layer, work)
    spreads(size, O, layer, machine, work)
    put(size, parent, 0.0)
    put(size, asked, 1.0)
    put(size, work.fresh, outputs)
    put(size, work.evicted, 0.0)
    for m in range(1, levels + 1):
        if m == levels:
            put(size, kept, 1.0)
        elif machine.holds[m, O] == 0:
            continue
        else:
            flag_stored(lo, size, O, m, columns.keeps, kept)
        serial, row = last_without(machine.reduction, m), fans[m]
        sum_traffic(
            size,
            m,
            outputs,
            whole,
            partial,
            serial,
            work.times,
            work.spread,
            row,
            kept,
            parent,
            asked,
            work.fresh,
            work.evicted,
            each,
            work.back,
            work.up,
            work.sum_read,
            work.stored,
        )
        for q in range(m):
            charge_parent(size, q, parent, work.up, q, work.write)
            charge_parent(size, q, parent, work.sum_read, q, work.read)
            if q > 0:
                store_width(size, q, kept, parent, work.stored, work.sum_width)
        if machine.detail:
            sum_paths(size, m, partial, outputs, kept, work, machine)
        if m < levels:
            descend_sums(size, m, partial, kept, each, work.back, work.fresh, work.evicted, work.write)
            descend(size, m, work.spread, row, kept, parent, asked)
