"""Bits that move, over columns: the closed form of ``formulas.count`` and ``charges.bits`` for one chunk.

Each (level ``q``, level ``m``) pair is a path that a tensor takes where both store it and no level between does. For
each level ``m``, ``waiting`` marks the columns whose path upwards from ``m`` has not met its end yet; going outwards,
the first level that stores the tensor takes them. Nothing branches on a column.

The loops are kept to a few arrays each: with more, the compiler cannot rule out that they overlap, and gives up
vector code.
"""

from __future__ import annotations

from typing import Any

from accel_models.batch_codes import IRREGULAR, OK
from accel_models.batch_counts import volumes
from accel_models.formulas import DIM_COUNT, I, O, P
from accel_models.jit import compiled


@compiled
def add(size: int, total: Any, part: Any) -> None:
    """``total[j] += part[j]``."""
    for j in range(size):
        total[j] += part[j]


@compiled
def add_times(size: int, total: Any, part: Any, factor: int) -> None:
    """``total[j] += part[j] * factor``."""
    for j in range(size):
        total[j] += part[j] * factor


@compiled
def product(size: int, out: Any, a: Any, b: Any, c: Any, d: Any) -> None:
    """``out[j] = a[j] b[j] c[j] d[j]``."""
    for j in range(size):
        out[j] = a[j] * b[j] * c[j] * d[j]


@compiled
def spread_of(size: int, x: int, bounds: Any, relevant: Any, fanout: Any, units: Any, spread: Any) -> None:
    """``spread[u, j]``: units below the levels above ``u`` that take the same elements of tensor ``x``."""
    spread[0, :size] = 1
    for level in range(fanout.shape[0]):
        now = spread[level + 1]
        now[:size] = spread[level, :size]
        if fanout[level, 0] * fanout[level, 1] > 1:
            for d in range(DIM_COUNT):
                if relevant[x, d] == 0 and bounds[d] > 1:
                    unit = units[level, d]
                    for j in range(size):
                        now[j] *= unit[j]


@compiled
def replacements(size: int, x: int, layer: Any, work: Any) -> None:
    """``work.replaced[m, x, j]``: how often the tile of level ``m`` is replaced, closed form of ``charges.events``."""
    levels = work.trips.shape[0]
    every = work.scratch[8]
    every[:size] = 1
    for m in range(1, levels):
        for d in range(DIM_COUNT):
            if layer.relevant[x, d] == 1 and layer.bounds[d] > 1:
                trip = work.trips[m - 1, d]
                for j in range(size):
                    every[j] *= trip[j]
        out, entered = work.replaced[m, x], work.times[m]
        for j in range(size):
            out[j] = entered[j] * every[j]


@compiled
def move_operand(lo: int, size: int, x: int, columns: Any, layer: Any, machine: Any, work: Any) -> None:
    """Add the bits of tensor I or W of one chunk to ``work.read``, ``work.write`` and, in detail, each path's.

    Args:
        lo, size: the chunk.
        columns: see ``mappings.mapspace.MappingColumns``.
        layer, machine: see :mod:`accel_models.batch_tables`.
        work: see :class:`accel_models.batch_kernel.Work`; ``times`` from :func:`accel_models.batch_counts.entries`.
    """
    levels = machine.fanout.shape[0]
    waiting, lost, used, part, merged, each = (
        work.scratch[8],
        work.scratch[9],
        work.scratch[10],
        work.scratch[11],
        work.scratch[12],
        work.scratch[13],
    )
    width = layer.width[x]
    fixed = 1
    for d in range(DIM_COUNT):
        if layer.relevant[x, d] == 1 and not (x == I and d >= P):
            fixed *= layer.bounds[d]
    spread_of(size, x, layer.bounds, layer.relevant, machine.fanout, work.units, work.spread)
    for m in range(1, levels + 1):
        entered, copies = work.times[m], work.spread[m]
        volumes(
            lo,
            size,
            x,
            m,
            m,
            columns.chains,
            work.trips,
            work.units,
            machine.fanout,
            fixed,
            layer,
            part,
            lost,
            work.scratch,
        )
        if m < levels:
            kept = work.kept[m, x]
            waiting[:size] = kept[:size]
        else:
            waiting[:size] = 1
        product(size, each, waiting, part, entered, copies)
        if m < levels:
            add_times(size, work.write[m], each, width)
            if machine.detail:
                add_times(size, work.own_down[m], each, width)
        together = True
        for back in range(m):  # from level m outwards to the first level that stores x
            q = m - 1 - back
            together &= machine.multicast[q] == 1
            if machine.fanout[q, 0] * machine.fanout[q, 1] > 1:  # without, those of level q + 1 ask together
                volumes(
                    lo,
                    size,
                    x,
                    q,
                    m,
                    columns.chains,
                    work.trips,
                    work.units,
                    machine.fanout,
                    fixed,
                    layer,
                    part,
                    lost,
                    work.scratch,
                )
            kept = work.kept[q, x]
            for j in range(size):
                used[j] = waiting[j] & kept[j]
                waiting[j] -= used[j]
            if x == I:
                code = work.code
                for j in range(size):
                    code[j] = max(code[j], IRREGULAR if used[j] & lost[j] else OK)
            if together:
                product(size, merged, used, part, entered, work.spread[q])
            else:
                for j in range(size):
                    merged[j] = used[j] * each[j]
            add_times(size, work.read[q], merged, width)
            if machine.detail:
                if m < levels:
                    add_times(size, work.path_down[q, m], merged, width)
                for j in range(size):
                    merged[j] = used[j] * each[j]
                for level in range(q, m):
                    add_times(size, work.network[level], merged, width)


@compiled
def move_sums(lo: int, size: int, layer: Any, machine: Any, work: Any) -> None:
    """The same for the output and its partial sums; ``work.sum_width[m, j]`` becomes the width that level ``m`` stores.

    ``work.fresh[m]``: sums that begin at zero in level ``m``.
    """
    levels = machine.fanout.shape[0]
    waiting, used, merged, each, final, sent = (
        work.scratch[8],
        work.scratch[9],
        work.scratch[10],
        work.scratch[11],
        work.scratch[12],
        work.scratch[13],
    )
    waited, evicted_of = work.scratch[14], work.evicted
    whole, partial = layer.width[O], layer.width[3]
    outputs = 1
    for d in range(DIM_COUNT):
        if layer.relevant[O, d] == 1:
            outputs *= layer.bounds[d]
    spread_of(size, O, layer.bounds, layer.relevant, machine.fanout, work.units, work.spread)
    work.fresh[0, :size] = outputs
    work.sum_width[:, :size] = whole
    work.evicted[0, :size] = 0
    for m in range(1, levels + 1):
        entered, copies = work.times[m], work.spread[m]
        if m < levels:
            kept = work.kept[m, O]
            waiting[:size] = kept[:size]
        else:
            waiting[:size] = 1
        for j in range(size):
            each[j] = waiting[j] * entered[j] * copies[j] * outputs
        together = True
        if m < levels:
            work.evicted[m, :size] = each[:size]
            work.fresh[m, :size] = each[:size]
        for back in range(m):
            q = m - 1 - back
            together &= machine.reduction[q] == 1
            kept, asked, fresh, stored = work.kept[q, O], work.spread[q], work.fresh[q], work.sum_width[q]
            for j in range(size):
                used[j] = waiting[j] & kept[j]
                waiting[j] -= used[j]
            for j in range(size):
                merged[j] = used[j] * entered[j] * asked[j] * outputs
            if together:
                sent[:size] = merged[:size]
            else:
                for j in range(size):
                    sent[j] = used[j] * each[j]
            if whole == partial and not machine.detail:
                for j in range(size):
                    waited[j] = used[j] * (evicted_of[q, j] - fresh[j])
                add_times(size, work.write[q], sent, whole)
                add_times(size, work.read[q], sent, whole)
                add_times(size, work.read[q], waited, whole)
                for j in range(size):
                    merged[j] -= used[j] * fresh[j]
                if m < levels:
                    add_times(size, work.write[m], merged, whole)
                    begun = work.fresh[m]
                    for j in range(size):
                        begun[j] -= merged[j]
                continue
            for j in range(size):  # the last return is final where this memory alone holds the reduction
                final[j] = used[j] * outputs if (asked[j] == 1) & (sent[j] == merged[j]) else 0
            if q > 0:  # on chip, all are at one width
                for j in range(size):
                    final[j] = final[j] if final[j] == sent[j] else 0
            for j in range(size):
                stored[j] = partial if (used[j] == 1) & (final[j] != sent[j]) else stored[j]
            read, write, evicted = work.read[q], work.write[q], work.evicted[q]
            for j in range(size):
                write[j] += final[j] * whole + (sent[j] - final[j]) * partial
            for j in range(size):
                read[j] += used[j] * evicted[j] * stored[j]
            for j in range(size):  # what comes back down, and what the network did not add
                read[j] += (sent[j] - used[j] * fresh[j]) * partial
            for j in range(size):
                merged[j] -= used[j] * fresh[j]
            if m < levels:
                add_times(size, work.write[m], merged, partial)
                begun = work.fresh[m]
                for j in range(size):
                    begun[j] -= merged[j]
            if machine.detail:
                up = work.own_up[m] if m < levels else work.scratch[14]
                up_width = work.scratch[15]
                for j in range(size):
                    same = (sent[j] == merged[j] + used[j] * fresh[j]) & (used[j] * each[j] == sent[j])
                    up_width[j] = (
                        final[j] * whole + (sent[j] - final[j]) * partial if same else used[j] * each[j] * partial
                    )
                add(size, up, up_width)
                for level in range(q, m):
                    add(size, work.network[level], up_width)
                    add_times(size, work.network[level], merged, partial)
                if m < levels:
                    add_times(size, work.own_down[m], merged, partial)
                    add_times(size, work.path_down[q, m], merged, partial)
                    add_times(size, work.again[m], merged, 1)
                    path_up = work.path_up[q, m]
                    for j in range(size):
                        path_up[j] += final[j] * whole + (sent[j] - final[j]) * partial
