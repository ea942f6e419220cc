"""Cycles and buffer accesses of the PE arrays in `rtl_templates/rtl/cd_array_*.sv`, exactly, in closed form.

Cycles count from the command's handshake to the last accumulator write, both included. Everything is integer
arithmetic without a loop over pixels; loops over filter rows or columns occur in the access counts only. The functions
of one array each take plain integers and compile under numba as they are.

Each constant below is a register in the hardware; `tests/rtl/test_arrays.py` holds cycles and accesses equal to the
simulation on every tile.
"""

from __future__ import annotations

from typing import NamedTuple

from accel_models.template import ArrayKind
from accel_models.tile import Tile

SETUP_CYCLES = 7  #: from the handshake to the first slot of the walk: command register, five products, walk registers
TREE_LEVELS_PER_STAGE = 2  #: adders between two registers of an adder tree
CHANNEL_PARALLEL_STRIPE = 32  #: pixels of a stripe; the last one of a tile takes up to twice less one

OUTPUT_STATIONARY_STAGES = 5  #: transposer, operands, product, sum, shadow register

ROW_STATIONARY_TAPS = 4  #: filter columns of a pass
ROW_STATIONARY_STAGES = 4  #: bus, window, weight and product; the tree's stages and the column's foot come on top


class ArrayAccesses(NamedTuple):
    """Words that a tile moves between the array and its buffers.

    Attributes:
        input_reads: words of `max(rows, cols)` activations; padding is not read.
        weight_reads: words of `cols` weights.
        acc_writes: accumulator words written (each also a read where it adds).
        weight_words: distinct weight words, i.e. what the tile takes of the weight buffer.
    """

    input_reads: int
    weight_reads: int
    acc_writes: int
    weight_words: int


def ceil_div(value: int, by: int) -> int:
    """``value / by`` rounded up; both positive."""
    return -(-value // by)


def tree_stages(inputs: int) -> int:
    """Register stages of an adder tree with ``inputs`` leaves, a power of two."""
    levels = 0
    while (1 << levels) < inputs:
        levels += 1
    return ceil_div(levels, TREE_LEVELS_PER_STAGE)


def taps_inside(outputs: int, taps: int, stride: int, dilation: int, pad: int, stored: int) -> int:
    """(output, tap) pairs along one axis that meet a stored pixel rather than padding."""
    count = 0
    for tap in range(taps):
        offset = tap * dilation - pad
        first = min(max(-(offset // stride), 0), outputs)  # the first output at or beyond pixel 0
        beyond = min(max(-((offset - stored) // stride), 0), outputs)
        count += beyond - first
    return count


def window_reads(tile: Tile) -> int:
    """(output pixel, filter tap) pairs of a tile that meet a stored pixel."""
    rows = taps_inside(tile.p, tile.r, tile.stride_h, tile.dilation_h, tile.pad_top, tile.in_h)
    return rows * taps_inside(tile.q, tile.s, tile.stride_w, tile.dilation_w, tile.pad_left, tile.in_w)


def tree_cycles(rows: int, cols: int, k: int, c: int, pixels: int, taps: int) -> int:
    """Adder trees (loop tile; channel parallel takes one cycle more).

    A pass is one filter tap of ``rows`` x ``cols`` channels over the pixels, hidden behind which the next ``rows``
    weight words are read.
    """
    passes = ceil_div(k, cols) * ceil_div(c, rows) * taps
    idle_tail = max(rows - pixels, 0)
    return max(SETUP_CYCLES, rows + 1) + passes * max(pixels, rows) - idle_tail + 3 + tree_stages(rows)


def array_cycles(kind: ArrayKind, rows: int, cols: int, tile: Tile) -> int:
    """Cycles of one tile on one array, from the command's handshake to its last write, both included.

    Args:
        kind: dataflow.
        rows, cols: PEs.
        tile: the work.

    Raises:
        KeyError: no array of that kind has a formula here.
    """
    return _CYCLES[kind](rows, cols, tile)


def array_accesses(kind: ArrayKind, rows: int, cols: int, tile: Tile) -> ArrayAccesses:
    """Buffer words that one tile moves on one array; see :func:`array_cycles`."""
    return _ACCESSES[kind](rows, cols, tile)


def _loop_tile_cycles(rows: int, cols: int, tile: Tile) -> int:
    return tree_cycles(rows, cols, tile.k, tile.c, tile.p * tile.q, tile.r * tile.s)


def _channel_parallel_cycles(rows: int, cols: int, tile: Tile) -> int:
    return tree_cycles(rows, cols, tile.k, tile.c, tile.p * tile.q, tile.r * tile.s) + 1


def _loop_tile_accesses(rows: int, cols: int, tile: Tile) -> ArrayAccesses:
    groups = ceil_div(tile.k, cols) * ceil_div(tile.c, rows)
    words = groups * tile.r * tile.s * rows
    return ArrayAccesses(groups * window_reads(tile), words, groups * tile.r * tile.s * tile.p * tile.q, words)


def _channel_parallel_accesses(rows: int, cols: int, tile: Tile) -> ArrayAccesses:
    kernels, pixels = ceil_div(tile.k, cols), tile.p * tile.q
    words = kernels * ceil_div(tile.c, rows) * tile.r * tile.s * rows
    stripes = max(1, pixels // CHANNEL_PARALLEL_STRIPE)
    reads = kernels * ceil_div(tile.c, rows) * window_reads(tile)
    return ArrayAccesses(reads, words * stripes, kernels * pixels, words)


def output_stationary_cycles(rows: int, cols: int, k: int, c: int, pixels: int, taps: int) -> int:
    """Output stationary: a filter tap of a channel block takes a cycle per channel, but no less than ``rows``.

    The input words of a tap are read ``rows`` cycles ahead; the last group's sums leave one pixel a cycle.
    """
    lanes = max(rows, cols)
    groups = ceil_div(pixels, rows)
    last_channels = c - (ceil_div(c, lanes) - 1) * lanes
    last_tap = max(rows, last_channels)
    reduction = taps * ((ceil_div(c, lanes) - 1) * lanes + last_tap)
    last_pixels = pixels - (groups - 1) * rows
    tail = last_channels - last_tap + rows + last_pixels + OUTPUT_STATIONARY_STAGES
    return SETUP_CYCLES + ceil_div(k, cols) * groups * reduction + tail


def _output_stationary_cycles(rows: int, cols: int, tile: Tile) -> int:
    return output_stationary_cycles(rows, cols, tile.k, tile.c, tile.p * tile.q, tile.r * tile.s)


def _output_stationary_accesses(rows: int, cols: int, tile: Tile) -> ArrayAccesses:
    kernels, pixels = ceil_div(tile.k, cols), tile.p * tile.q
    words = kernels * tile.c * tile.r * tile.s
    reads = kernels * ceil_div(tile.c, max(rows, cols)) * window_reads(tile)
    return ArrayAccesses(reads, words * ceil_div(pixels, rows), kernels * pixels, words)


def row_stationary_step(
    rows: int, cols: int, q: int, channels: int, taps: int, overlap: bool, words: int, next_taps: int, next_words: int
) -> int:
    """Cycles of a pass: ``q`` steps, each as long as its computing, the next one's reading and the former's writing.

    Args:
        rows, cols: PEs.
        q: output columns.
        channels, taps: output channels and filter columns of the pass.
        overlap: consecutive windows share words, so that a step reads less than ``taps`` columns.
        words: input words that a step inside the pass reads for its follower.
        next_taps, next_words: filter columns of the next pass (its weights are read meanwhile), and input words of its
            first step; 0 after the last pass.
    """
    least = max(channels * taps, cols)
    return max((q - 1) * max(least, words) + max(least, next_words), rows * next_taps)


def row_stationary_cycles(
    rows: int,
    cols: int,
    k: int,
    c: int,
    p: int,
    q: int,
    r: int,
    s: int,
    stride_h: int,
    stride_w: int,
    dilation_h: int,
    dilation_w: int,
) -> int:
    """Row stationary: passes of one sweep over the output columns, summed by kind of pass and of its follower.

    Passes nest as output row groups > output channel groups > chunks of filter columns > groups of (channel, filter
    row) pairs. Only the last of each may differ from the others, and only the end of one leads into another.
    """
    lanes, chunk = max(rows, cols), ROW_STATIONARY_TAPS
    last_channels = c - (ceil_div(c, lanes) - 1) * lanes
    passes = (ceil_div(c, lanes) - 1) * (lanes * r // rows) + ceil_div(last_channels * r, rows)
    row_groups, channel_groups, chunks = ceil_div(p, cols), ceil_div(k, cols), ceil_div(s, chunk)
    first_taps, last_taps = min(s, chunk), s - (chunks - 1) * chunk
    pitch = 1 if r == 1 else stride_h
    total, first_words = 0, 0
    for last_rows in range(2):  # all row groups but the last; the last
        count = 1 if last_rows else row_groups - 1
        height = (p - (row_groups - 1) * cols if last_rows else cols) - 1
        height = height * pitch + (r - 1) * dilation_h + 1  # input rows
        last_height = (p - (row_groups - 1) * cols - 1) * pitch + (r - 1) * dilation_h + 1
        if count == 0:
            continue
        if first_words == 0:
            first_words = first_taps * height
        for last_kernels in range(2):
            groups = 1 if last_kernels else channel_groups - 1
            channels = k - (channel_groups - 1) * cols if last_kernels else cols
            for last_chunk in range(2):
                repeats = count * groups * (1 if last_chunk else chunks - 1)
                if repeats == 0:
                    continue
                taps = last_taps if last_chunk else chunk
                overlap = dilation_w == 1 and stride_w < taps
                words = (stride_w if overlap else taps) * height
                inner = row_stationary_step(rows, cols, q, channels, taps, overlap, words, taps, taps * height)
                total += repeats * (passes - 1) * inner
                if not last_chunk:  # into the next chunk: full ones, then the last
                    to_last = row_stationary_step(
                        rows, cols, q, channels, taps, overlap, words, last_taps, last_taps * height
                    )
                    total += count * groups * ((chunks - 2) * inner + to_last)
                elif not last_kernels:  # into the first chunk of the next output channels
                    total += repeats * row_stationary_step(
                        rows, cols, q, channels, taps, overlap, words, first_taps, first_taps * height
                    )
                elif not last_rows:  # into the next row group: full ones, then the last
                    to_full = row_stationary_step(
                        rows, cols, q, channels, taps, overlap, words, first_taps, first_taps * height
                    )
                    to_last = row_stationary_step(
                        rows, cols, q, channels, taps, overlap, words, first_taps, first_taps * last_height
                    )
                    total += (count - 1) * to_full + to_last
                else:
                    total += row_stationary_step(rows, cols, q, channels, taps, overlap, words, 0, 0)
    fill = max(first_words, rows * first_taps, cols)
    tail = ROW_STATIONARY_STAGES + tree_stages(rows) + p - (row_groups - 1) * cols
    return max(SETUP_CYCLES, rows + 2) + fill + total + tail


def _row_stationary_cycles(rows: int, cols: int, tile: Tile) -> int:
    k, c, p, q, r, s, stride_h, stride_w, dilation_h, dilation_w = tile[:10]
    return row_stationary_cycles(rows, cols, k, c, p, q, r, s, stride_h, stride_w, dilation_h, dilation_w)


def _clipped(value: int, high: int) -> int:
    return min(max(value, 0), high)


def _clipped_sum(start: int, step: int, count: int, high: int) -> int:
    """Sum of ``clip(start + i * step, 0, high)`` over ``0 <= i < count``; ``step`` is positive."""
    below = _clipped(ceil_div(-start, step), count)  # terms that are 0
    within = _clipped(ceil_div(high - start, step), count)  # terms below ``high``
    middle = within - below
    return middle * start + step * (within * (within - 1) - below * (below - 1)) // 2 + (count - within) * high


def _row_stationary_accesses(rows: int, cols: int, tile: Tile) -> ArrayAccesses:
    lanes, chunk = max(rows, cols), ROW_STATIONARY_TAPS
    k, c, p, q, r, s = tile[:6]
    last_channels = c - (ceil_div(c, lanes) - 1) * lanes
    passes = (ceil_div(c, lanes) - 1) * (lanes * r // rows) + ceil_div(last_channels * r, rows)
    row_groups, channel_groups, chunks = ceil_div(p, cols), ceil_div(k, cols), ceil_div(s, chunk)
    if r == 1:
        height = taps_inside(p, 1, tile.stride_h, 1, tile.pad_top, tile.in_h)
    else:  # input rows of each group of output rows: [start, start + span), cut to what is stored
        span = (r - 1) * tile.dilation_h + 1
        full, step = (cols - 1) * tile.stride_h + span, cols * tile.stride_h
        height = _clipped_sum(full - tile.pad_top, step, row_groups - 1, tile.in_h)
        height -= _clipped_sum(-tile.pad_top, step, row_groups - 1, tile.in_h)
        start = (row_groups - 1) * step - tile.pad_top
        last = (p - (row_groups - 1) * cols - 1) * tile.stride_h + span
        height += _clipped(start + last, tile.in_h) - _clipped(start, tile.in_h)
    width = 0
    for at in range(0, s, chunk):
        taps, start = min(chunk, s - at), at * tile.dilation_w - tile.pad_left
        if tile.dilation_w == 1 and tile.stride_w < taps:
            end = start + taps + (q - 1) * tile.stride_w
            width += _clipped(end, tile.in_w) - _clipped(start, tile.in_w)
        else:
            width += taps_inside(q, taps, tile.stride_w, tile.dilation_w, -start, tile.in_w)
    words = channel_groups * s * passes * rows
    writes = channel_groups * chunks * passes * p * q
    return ArrayAccesses(channel_groups * passes * height * width, words * row_groups, writes, words)


_CYCLES = {
    ArrayKind.ROW_STATIONARY: _row_stationary_cycles,
    ArrayKind.OUTPUT_STATIONARY: _output_stationary_cycles,
    ArrayKind.LOOP_TILE: _loop_tile_cycles,
    ArrayKind.CHANNEL_PARALLEL: _channel_parallel_cycles,
}
_ACCESSES = {
    ArrayKind.ROW_STATIONARY: _row_stationary_accesses,
    ArrayKind.OUTPUT_STATIONARY: _output_stationary_accesses,
    ArrayKind.LOOP_TILE: _loop_tile_accesses,
    ArrayKind.CHANNEL_PARALLEL: _channel_parallel_accesses,
}
