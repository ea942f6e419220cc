"""What the counted accesses cost: bits, cycles, energy. Written like ``reuse.formulas`` and compiled with it.

Widths
    An input or second operand moves at its own width. A memory that receives each output once, complete, holds outputs
    at the output's width; one that receives partial sums holds all at the accumulator's. In the outermost memory the
    last return of each output is written at the output's width, whatever came before.

Cycles
    ``compute``: one step a cycle. A port moves the bits of a level at its bandwidth, spread over the memories of that
    level that have work. The tiles of memory ``m`` come and go in *events*, each of which begins with the latency of
    the level it comes from. From the innermost memory outwards, ``single``: ``T = T_inside + fill + drain``;
    ``double``: a pipeline of the tiles, whose first fill and last drain overlap with nothing (:func:`overlapped`);
    ``stream``: ``T = max(T_inside, fill, drain)`` and the latency once. Last, no level's ports are busy for longer than
    the whole: ``T = max(T, read port, write port)`` of every level.
"""

from __future__ import annotations

import math
from typing import Any

from accel_models.reuse.formulas import DIM_COUNT, O, slot

SINGLE, DOUBLE, STREAM = range(3)


def sharers(level: int, levels: int, relevant: Any, profiles: Any) -> Any:
    """Memories of a level that hold partial sums of the same output."""
    total = profiles[0][0] - profiles[0][0] + 1
    if level > 0:
        for d in range(DIM_COUNT):
            if relevant[O][d] == 0:
                total *= profiles[d][slot(levels, level, level, 0)]
    return total


def bits(
    levels: int,
    bounds: Any,
    relevant: Any,
    keeps: Any,
    profiles: Any,
    reads: Any,
    writes: Any,
    arrivals: Any,
    returns: Any,
    width: Any,
    read_bits: Any,
    write_bits: Any,
    down_bits: Any,
    up_bits: Any,
    sum_width: Any,
) -> None:
    """Bits read and written in each level, and carried to and from the level below.

    Args:
        levels, bounds, relevant, keeps, profiles: as ``formulas.count``.
        reads, writes, arrivals, returns: its results.
        width: bits of I, W, O and of a partial sum.
        read_bits, write_bits: ``L`` x 3, results.
        down_bits, up_bits: ``L + 1`` x 3, results: into and out of the units of level ``m``.
        sum_width: ``L``, result: bits at which the level stores an output element.
    """
    for m in range(levels):
        sum_width[m] = width[O]
        for x in range(3):
            read_bits[m][x] = reads[m][x] * width[x]
            write_bits[m][x] = writes[m][x] * width[x]
    for m in range(levels + 1):
        for x in range(3):
            down_bits[m][x] = arrivals[m][x] * width[x]
            up_bits[m][x] = returns[m][x] * width[x]
    partial = width[3]
    outputs = bounds[0] - bounds[0] + 1
    for d in range(DIM_COUNT):
        if relevant[O][d] == 1:
            outputs *= bounds[d]
    q = levels - levels  # 0, but not as a constant, as in ``formulas.count``
    held = outputs  # sums that level q held over all its tiles, less those that came back to it: see formulas.count
    evicted = outputs - outputs
    for m in range(1, levels + 1):
        if m < levels and keeps[m][O] == 0:
            continue
        up = writes[q][O] - arrivals[q][O]
        back = arrivals[m][O]
        added = up - back - held  # read again to be added to, where the network does not add
        final = outputs - outputs
        if added == 0 and sharers(q, levels, relevant, profiles) == 1:
            final = outputs
        if final != up:
            sum_width[q] = partial
            if q > 0:
                final = outputs - outputs
        up_width = final * width[O] + (up - final) * partial
        write_bits[q][O] = arrivals[q][O] * partial + up_width
        read_bits[q][O] = (back + added) * partial + evicted * sum_width[q]
        down_bits[m][O] = back * partial
        up_bits[m][O] = up_width if added == 0 and returns[m][O] == up else returns[m][O] * partial
        evicted = returns[m][O]
        held = returns[m][O] - back
        q = m


def events(x: int, m: int, bounds: Any, chains: Any, orders: Any, relevant: Any, levels: int, profiles: Any) -> Any:
    """How often the tiles of tensor ``x`` in level ``m`` are replaced, by the trips of whole tiles."""
    last_level, last_index = -1, -1
    for level in range(m):
        for index in range(DIM_COUNT):
            d = orders[level][index]
            above = bounds[d] if level == 0 else chains[d][3 * level - 1]
            if relevant[x][d] == 1 and chains[d][3 * level] < above:
                last_level, last_index = level, index
    total = bounds[0] - bounds[0] + 1
    for level in range(last_level + 1):
        for index in range(DIM_COUNT):
            if level == last_level and index > last_index:
                break
            d = orders[level][index]
            before = profiles[d][slot(levels, 0, m, level)]
            total *= profiles[d][slot(levels, 0, m, level + 1)]
            total //= before
    return total


def overlapped(mode: int, inside: Any, fill: Any, drain: Any, fills: Any, drains: Any, pause: Any) -> Any:
    """Cycles of the work inside a memory together with its tiles' coming and going.

    Args:
        mode: ``SINGLE``, ``DOUBLE`` or ``STREAM``.
        inside: cycles of the work.
        fill, drain: cycles in which all its tiles come, go, latency excluded.
        fills, drains: how many tiles that is; 0 where nothing comes or goes.
        pause: latency of one fill.
    """
    if mode == SINGLE:
        return inside + fill + drain + fills * pause
    if mode == STREAM:
        return max(inside, fill, drain) + pause
    first = fill / max(fills, 1.0) + pause
    last = drain / max(drains, 1.0)
    later_fills = (max(fills, 1.0) - 1.0) * first + inside / max(fills, 1.0)
    later_drains = (max(drains, 1.0) - 1.0) * last + inside / max(drains, 1.0)
    return first + last + max(inside, later_fills, later_drains)


def latency(
    levels: int,
    compute: Any,
    keeps: Any,
    exists: Any,
    units: Any,
    read_bits: Any,
    write_bits: Any,
    down_bits: Any,
    up_bits: Any,
    replaced: Any,
    buffering: Any,
    read_rate: Any,
    write_rate: Any,
    wait: Any,
    port_cycles: Any,
) -> Any:
    """Cycles of a layer, as a float to be rounded up.

    Args:
        levels: ``L``.
        compute: steps.
        keeps, exists: see ``formulas.count``.
        units: memories with work, of each level.
        read_bits, write_bits, down_bits, up_bits: see :func:`bits`.
        replaced: ``L`` x 3, see :func:`events`.
        buffering: ``L`` of ``SINGLE``, ``DOUBLE``, ``STREAM``.
        read_rate, write_rate: ``L``, bits a cycle of one memory; 0: unbounded.
        wait: ``L``, latency in cycles.
        port_cycles: ``L`` x 2, results: cycles that read and write port are busy.
    """
    total = float(compute)
    for m in range(levels):
        for way in range(2):
            port_cycles[m][way] = 0.0
            rate = read_rate[m] if way == 0 else write_rate[m]
            if rate > 0:
                moved = 0.0
                for x in range(3):
                    moved += read_bits[m][x] if way == 0 else write_bits[m][x]
                port_cycles[m][way] = moved / (rate * units[m])
    for m in range(levels - 1, 0, -1):
        fill, drain = 0.0, 0.0
        own_down, own_up = 0.0, 0.0
        fills, drains = 0.0, 0.0
        pause = 0.0
        for q in range(m):
            down, up = 0.0, 0.0
            for x in range(3):
                if exists[x] == 0 or keeps[m][x] == 0:
                    continue
                parent = m - 1
                while keeps[parent][x] == 0:
                    parent -= 1
                if parent != q:
                    continue
                own_down += down_bits[m][x]
                own_up += up_bits[m][x]
                if x != O:
                    down += read_bits[q][x]
                else:
                    down += down_bits[m][x]
                    up += write_bits[q][x] - down_bits[q][x]
                    drains = max(drains, float(replaced[m][x]))
                if down_bits[m][x] > 0:
                    fills = max(fills, float(replaced[m][x]))
                    pause = max(pause, float(wait[q]))
            if read_rate[q] > 0:
                fill = max(fill, down / (read_rate[q] * units[q]))
            if write_rate[q] > 0:
                drain = max(drain, up / (write_rate[q] * units[q]))
        if write_rate[m] > 0:
            fill = max(fill, own_down / (write_rate[m] * units[m]))
        if read_rate[m] > 0:
            drain = max(drain, own_up / (read_rate[m] * units[m]))
        total = overlapped(buffering[m], total, fill, drain, fills, drains, pause)
    for m in range(levels):
        total = max(total, port_cycles[m][0], port_cycles[m][1])
    return total


def capacity_bits(m: int, x: int, peak: Any, width: Any, sum_width: Any, buffering: Any) -> Any:
    """Bits that the largest tile of a tensor takes in level ``m``, both halves of a double buffer counted."""
    needed = peak * (sum_width[m] if x == O else width[x])
    return needed * 2 if buffering[m] == DOUBLE else needed


def ceil_cycles(cycles: float) -> int:
    """Whole cycles; a hair of rounding error does not cost one."""
    return math.ceil(cycles - min(1e-3, 1e-9 * max(1.0, cycles)))
