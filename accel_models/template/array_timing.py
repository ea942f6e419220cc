"""Cycles and buffer accesses of one tile on one of the PE arrays: `array_formulas` by kind of array.

The functions of one kind are plain enough for numba, which compiles this file as it is (`accel_models.pricing`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from accel_models.template.array_formulas import (
    CHANNEL_PARALLEL_STRIPE,
    ROW_STATIONARY_TAPS,
    ceil_div,
    output_stationary_cycles,
    output_stationary_fill_cycles,
    row_stationary_cycles,
    row_stationary_fill_cycles,
    row_stationary_groups,
    row_stationary_passes,
    row_stationary_reads,
    striped_cycles,
    taps_inside,
    tree_cycles,
    tree_fill_cycles,
    tree_weight_words,
)
from accel_models.template.spec import ArrayKind
from accel_models.template.tile import Tile
from accel_models.template.vector_timing import weight_stationary_cycles, weight_stationary_fill_cycles

__all__ = ["ArrayAccesses", "array_accesses", "array_cycles", "array_fill_cycles", "ceil_div"]

#: Tiles of which the figures are kept: a network has up to millions, of which few differ.
_KEPT = 65_536


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


def product_outputs(count: int, lanes: int, cols: int) -> int:
    """Output channels that a matrix product of ``count`` computes.

    Where a word has more lanes than the array columns: all lanes of each word, so that nobody stores what an
    accumulator held before. (A convolution's parameters beyond its channels are 0 and clear such lanes; a product has
    none.)
    """
    return count if cols >= lanes else ceil_div(count, lanes) * lanes


@lru_cache(maxsize=_KEPT)
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


@lru_cache(maxsize=_KEPT)
def array_accesses(kind: ArrayKind, rows: int, cols: int, tile: Tile) -> ArrayAccesses:
    """Buffer words that one tile moves on one array; see :func:`array_cycles`."""
    return _ACCESSES[kind](rows, cols, tile)


@lru_cache(maxsize=_KEPT)
def array_fill_cycles(kind: ArrayKind, rows: int, cols: int, tile: Tile) -> int:
    """The part of :func:`array_cycles` before the first operands meet and after the last ones have."""
    return _FILL[kind](rows, cols, tile)


def window_reads(tile: Tile) -> int:
    """(output pixel, filter tap) pairs of a tile that meet a stored pixel."""
    rows = taps_inside(tile.p, tile.r, tile.stride_h, tile.dilation_h, tile.pad_top, tile.in_h)
    return rows * taps_inside(tile.q, tile.s, tile.stride_w, tile.dilation_w, tile.pad_left, tile.in_w)


def tree_reads(tile: Tile) -> int:
    """Input words of a block of channels that adder trees read.

    Which taps of a filter are kept is up to the weights: of those that meet padding they are taken to be the mean.
    """
    return window_reads(tile) * (tile.kept or tile.r * tile.s) // (tile.r * tile.s)


def loop_tile_cycles(rows: int, cols: int, tile: Tile) -> int:
    return tree_cycles(rows, cols, tile.k, tile.c, tile.p * tile.q, tile.r * tile.s, tile.kept)


def channel_parallel_cycles(rows: int, cols: int, tile: Tile) -> int:
    return striped_cycles(rows, cols, tile.k, tile.c, tile.p * tile.q, tile.r * tile.s, tile.kept)


def output_stationary_tile_cycles(rows: int, cols: int, tile: Tile) -> int:
    return output_stationary_cycles(rows, cols, tile.k, tile.c, tile.p * tile.q, tile.r * tile.s)


def row_stationary_tile_cycles(rows: int, cols: int, tile: Tile) -> int:
    return row_stationary_cycles(
        rows, cols, tile.k, tile.c, tile.p, tile.q, tile.r, tile.s,
        tile.stride_h, tile.stride_w, tile.dilation_h, tile.dilation_w,
    )  # fmt: skip


def _row_stationary_fill(rows: int, cols: int, tile: Tile) -> int:
    p, q, r, s = tile[2:6]
    return row_stationary_fill_cycles(rows, cols, p, q, r, s, tile.stride_h, tile.dilation_h, tile.dilation_w)


def loop_tile_accesses(rows: int, cols: int, tile: Tile) -> ArrayAccesses:
    groups, taps = ceil_div(tile.k, cols) * ceil_div(tile.c, rows), tile.kept or tile.r * tile.s
    words = groups * taps * tree_weight_words(rows, tile.kept)
    return ArrayAccesses(groups * tree_reads(tile), words, groups * taps * tile.p * tile.q, words)


def channel_parallel_accesses(rows: int, cols: int, tile: Tile) -> ArrayAccesses:
    kernels, pixels = ceil_div(tile.k, cols), tile.p * tile.q
    taps = tile.kept or tile.r * tile.s
    words = kernels * ceil_div(tile.c, rows) * taps * tree_weight_words(rows, tile.kept)
    stripes = max(1, pixels // CHANNEL_PARALLEL_STRIPE)
    reads = kernels * ceil_div(tile.c, rows) * tree_reads(tile)
    return ArrayAccesses(reads, words * stripes, kernels * pixels, words)


def output_stationary_accesses(rows: int, cols: int, tile: Tile) -> ArrayAccesses:
    kernels, pixels = ceil_div(tile.k, cols), tile.p * tile.q
    words = kernels * tile.c * tile.r * tile.s
    reads = kernels * ceil_div(tile.c, max(rows, cols)) * window_reads(tile)
    return ArrayAccesses(reads, words * ceil_div(pixels, rows), kernels * pixels, words)


def row_stationary_accesses(rows: int, cols: int, tile: Tile) -> ArrayAccesses:
    passes = ceil_div(tile.k, cols) * row_stationary_passes(rows, cols, tile.c, tile.r)
    chunks = ceil_div(tile.s, ROW_STATIONARY_TAPS)
    words = passes * tile.s * rows
    reads = row_stationary_reads(
        rows, cols, tile.k, tile.c, tile.p, tile.q, tile.r, tile.s, tile.stride_h, tile.stride_w,
        tile.dilation_h, tile.dilation_w, tile.pad_top, tile.pad_left, tile.in_h, tile.in_w,
    )  # fmt: skip
    groups = row_stationary_groups(rows, cols, tile.p, tile.q)
    return ArrayAccesses(reads, words * groups, passes * chunks * tile.p * tile.q, words)


_CYCLES = {
    ArrayKind.ROW_STATIONARY: row_stationary_tile_cycles,
    ArrayKind.OUTPUT_STATIONARY: output_stationary_tile_cycles,
    ArrayKind.WEIGHT_STATIONARY: weight_stationary_cycles,
    ArrayKind.LOOP_TILE: loop_tile_cycles,
    ArrayKind.CHANNEL_PARALLEL: channel_parallel_cycles,
}
_FILL: dict[ArrayKind, Callable[[int, int, Tile], int]] = {
    ArrayKind.WEIGHT_STATIONARY: lambda rows, cols, tile: weight_stationary_fill_cycles(rows),
    ArrayKind.ROW_STATIONARY: _row_stationary_fill,
    ArrayKind.OUTPUT_STATIONARY: lambda rows, cols, tile: output_stationary_fill_cycles(rows, tile.p * tile.q),
    ArrayKind.LOOP_TILE: lambda rows, cols, tile: tree_fill_cycles(rows, tile.kept),
    ArrayKind.CHANNEL_PARALLEL: lambda rows, cols, tile: tree_fill_cycles(rows, tile.kept) + 1,
}
_ACCESSES = {
    ArrayKind.ROW_STATIONARY: row_stationary_accesses,
    ArrayKind.OUTPUT_STATIONARY: output_stationary_accesses,
    ArrayKind.WEIGHT_STATIONARY: loop_tile_accesses,
    ArrayKind.LOOP_TILE: loop_tile_accesses,
    ArrayKind.CHANNEL_PARALLEL: channel_parallel_accesses,
}
