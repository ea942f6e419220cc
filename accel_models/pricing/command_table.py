"""The table of commands that a plan is emitted to: rows appended, and whose turn it is with each double buffer.

A command is a row of the columns of `accel_models.template.timing_core`.
"""

from __future__ import annotations

from typing import NamedTuple

from accel_models.jit import uncounted
from accel_models.pricing.clock import Room
from accel_models.pricing.machine import Ints
from accel_models.pricing.plans import ADDR, COL, IMAGE_STRIDE, PLANE, ROW
from accel_models.schedule.commands import Buffer, Token, Unit
from accel_models.template.timing_core import ADDR as AT
from accel_models.template.timing_core import (
    COUNT0,
    COUNT1,
    COUNT2,
    CYCLES,
    SIGNAL,
    STRIDE1,
    STRIDE2,
    TURN,
    UNIT,
    WAIT,
    WORD_BYTES,
)

#: Double buffers: a row of ``rings`` each, with generations so far and the last command that reads the current one.
INPUT, WEIGHT, PARAM, RESIDUAL, SUMS, OUTPUT, TABLE, RINGS = range(8)
_COUNT, _READER = 0, 1
FULL = tuple(
    1 << token
    for token in (
        Token.INPUT_FULL,
        Token.WEIGHT_FULL,
        Token.PARAM_FULL,
        Token.RESIDUAL_FULL,
        Token.ACC_FULL,
        Token.OUTPUT_FULL,
        Token.TABLE_FULL,
    )
)
BUFFER = tuple(
    int(b) for b in (Buffer.INPUT, Buffer.WEIGHT, Buffer.PARAM, Buffer.RESIDUAL, 0, Buffer.OUTPUT, Buffer.TABLE)
)
_LOAD, _STORE = int(Unit.LOAD), int(Unit.STORE)


class Scratch(NamedTuple):
    """Room for one design at a time.

    Attributes:
        table: ``[most commands, COLUMNS]``.
        rings: ``[RINGS, 2]``.
        channels: ``[most tiles, 4]``; weights: ``[most tiles, 3]``.
        kept: ``[KEPT_TILES, 8]``.
        lists: ``[4, most sizes]``.
        tilings, chosen: ``[most plans, TILING_COLUMNS]``; ends: ``[most plans]``, last store of each.
        loops: ``[2, 3]``, of tiles; room: of the clock.
    """

    table: Ints
    rings: Ints
    channels: Ints
    weights: Ints
    kept: Ints
    lists: Ints
    tilings: Ints
    chosen: Ints
    ends: Ints
    loops: Ints
    room: Room


@uncounted
def open_ring(ring: int, work: Scratch) -> int:
    """Begin a generation; returns the tokens that its first writer waits for."""
    reader, free = work.rings[ring, _READER], FULL[ring] << 1
    if 0 <= reader < work.table.shape[0]:
        work.table[reader, SIGNAL] |= free
    work.rings[ring, _READER] = -1
    work.rings[ring, _COUNT] += 1
    return free if work.rings[ring, _COUNT] > 2 else 0


@uncounted
def read_ring(ring: int, n: int, work: Scratch) -> int:
    """Command ``n`` reads the current generation; returns the tokens that it waits for."""
    first = work.rings[ring, _READER] < 0
    work.rings[ring, _READER] = n
    return FULL[ring] if first else 0


@uncounted
def put(n: int, unit: int, wait: int, signal: int, cycles: int, work: Scratch) -> int:
    """Append a command without a transfer; returns the next number."""
    if n < work.table.shape[0]:
        row = work.table[n]
        row[UNIT], row[WAIT], row[SIGNAL], row[CYCLES] = unit, wait, signal, cycles
    return n + 1


@uncounted
def put_dma(
    n: int, unit: int, wait: int, signal: int, addr: int, count0: int, count1: int, count2: int,
    stride1: int, stride2: int, word: int, turned: int, work: Scratch,
) -> int:  # fmt: skip
    """Append a transfer; returns the next number."""
    if n < work.table.shape[0]:
        row = work.table[n]
        row[UNIT], row[WAIT], row[SIGNAL], row[CYCLES], row[AT] = unit, wait, signal, 0, addr
        row[COUNT0], row[COUNT1], row[COUNT2], row[STRIDE1], row[STRIDE2] = count0, count1, count2, stride1, stride2
        row[WORD_BYTES], row[TURN] = word, turned
    return n + 1


@uncounted
def put_box(
    n: int, ring: int, wait: int, plan: Ints, tensor: int, image: int, b0: int, blocks: int, r0: int,
    rows: int, c0: int, cols: int, word: int, counts: Ints, work: Scratch,
) -> int:  # fmt: skip
    """Transfers of a box of a tensor, neighbouring runs joined: loads of a generation, or stores of one."""
    run, steps = 1, 0
    count1, stride1, count2, stride2, outer, outer_stride = 1, 0, 1, 0, 1, 0
    for axis in range(3):
        if axis == 0:
            count, stride = cols, plan[tensor + COL]
        elif axis == 1:
            count, stride = rows, plan[tensor + ROW]
        else:
            count, stride = blocks, plan[tensor + PLANE]
        if steps == 0 and (count == 1 or stride == run):
            run *= count
        elif count > 1:
            if steps == 0:
                count1, stride1 = count, stride * word
            elif steps == 1:
                count2, stride2 = count, stride * word
            else:
                outer, outer_stride = count, stride * word
            steps += 1
    first = b0 * plan[tensor + PLANE] + r0 * plan[tensor + ROW] + c0 * plan[tensor + COL]
    addr = plan[tensor + ADDR] + image * plan[tensor + IMAGE_STRIDE] + first * word
    counts[BUFFER[ring]] += blocks * rows * cols
    for i in range(outer):
        unit, waits, signal = _LOAD, wait if i == 0 else 0, FULL[ring] if i == outer - 1 else 0
        if ring == OUTPUT:
            unit, waits, signal = _STORE, read_ring(OUTPUT, n, work), 0
        n = put_dma(
            n, unit, waits, signal, addr + i * outer_stride, run, count1, count2, stride1, stride2, word, 0, work
        )
    return n
