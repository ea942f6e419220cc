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


_CYCLES = {
    ArrayKind.OUTPUT_STATIONARY: _output_stationary_cycles,
    ArrayKind.LOOP_TILE: _loop_tile_cycles,
    ArrayKind.CHANNEL_PARALLEL: _channel_parallel_cycles,
}
_ACCESSES = {
    ArrayKind.OUTPUT_STATIONARY: _output_stationary_accesses,
    ArrayKind.LOOP_TILE: _loop_tile_accesses,
    ArrayKind.CHANNEL_PARALLEL: _channel_parallel_accesses,
}
