"""The arrays' closed forms: sums by hand, brute force, bounds, and the same under numba."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from accel_models.columns import compiled
from accel_models.program.packing import pack_weights
from accel_models.template import array_formulas
from accel_models.template.array_timing import array_accesses, array_cycles, array_fill_cycles
from accel_models.template.spec import ArrayKind
from accel_models.template.tile import Tile
from mappings.errors import SpecError

KINDS = list(ArrayKind)
SIDES = st.sampled_from([4, 8, 16, 32])


@st.composite
def tiles(draw: st.DrawFn) -> Tile:
    small, tap, step = st.integers(1, 40), st.integers(1, 11), st.integers(1, 3)
    k, c, p, q = (draw(small) for _ in range(4))
    r, s = draw(tap), draw(tap)
    stride_h, stride_w, dilation_h, dilation_w = (draw(step) for _ in range(4))
    span_h, span_w = (r - 1) * dilation_h, (s - 1) * dilation_w
    pad_top, pad_left = draw(st.integers(0, span_h)), draw(st.integers(0, span_w))
    in_h, in_w = (p - 1) * stride_h + span_h + 1 - pad_top, (q - 1) * stride_w + span_w + 1 - pad_left
    return Tile(k, c, p, q, r, s, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, in_h, in_w)


def test_sums_by_hand() -> None:
    # 2 x 1 groups of channels, 9 taps, 16 pixels each; 9 cycles of set-up, 5 + 1 of pipeline (4 rows: one tree stage).
    tile = Tile(8, 4, 4, 4, 3, 3, in_h=6, in_w=6)
    assert array_cycles(ArrayKind.LOOP_TILE, 4, 4, tile) == 9 + 2 * 9 * 16 + 5 + 1
    assert array_cycles(ArrayKind.CHANNEL_PARALLEL, 4, 4, tile) == 9 + 2 * 9 * 16 + 5 + 1 + 1
    # 2 groups of channels, 4 groups of 4 pixels, 9 taps of 4 channels; then the fill, 4 sums out, 7 stages.
    assert array_cycles(ArrayKind.OUTPUT_STATIONARY, 4, 4, tile) == 9 + 2 * 4 * 9 * 4 + 4 + 4 + 7
    # 3 passes (12 pairs on 4 rows) x 2 groups of channels, each 4 columns of 4 channels x 3 taps; the 12 reads (3 of 6
    # rows' words, two at a time) of the next pass's first windows are hidden. Before the first come its own.
    assert array_cycles(ArrayKind.ROW_STATIONARY, 4, 4, tile) == 9 + 12 + 6 * 4 * 12 + 6 + 1 + 4
    assert array_accesses(ArrayKind.LOOP_TILE, 4, 4, tile) == (2 * 9 * 16, 2 * 9 * 4, 2 * 9 * 16, 72)
    assert array_accesses(ArrayKind.CHANNEL_PARALLEL, 4, 4, tile) == (2 * 9 * 16, 72, 2 * 16, 72)
    assert array_accesses(ArrayKind.OUTPUT_STATIONARY, 4, 4, tile) == (2 * 9 * 16, 4 * 72, 2 * 16, 72)
    assert array_accesses(ArrayKind.ROW_STATIONARY, 4, 4, tile) == (6 * 36, 6 * 3 * 4, 6 * 16, 72)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(tile=tiles(), rows=SIDES, cols=SIDES)
def test_no_faster_than_the_pes_and_compulsory_traffic(kind: ArrayKind, tile: Tile, rows: int, cols: int) -> None:
    cycles, accesses = array_cycles(kind, rows, cols, tile), array_accesses(kind, rows, cols, tile)
    assert cycles * rows * cols >= tile.macs
    assert (cycles - array_fill_cycles(kind, rows, cols, tile)) * rows * cols >= tile.macs
    # One word a cycle through each port, but two inputs of the row-stationary array's.
    reads = accesses.input_reads / (2 if kind is ArrayKind.ROW_STATIONARY else 1)
    assert cycles > max(reads, *accesses[1:])
    assert accesses.weight_words * cols >= tile.k * tile.c * tile.r * tile.s
    assert accesses.weight_reads >= accesses.weight_words
    assert accesses.acc_writes >= tile.p * tile.q * -(-tile.k // max(rows, cols))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(tile=tiles(), rows=SIDES, cols=SIDES)
def test_packing_has_the_words_that_the_model_counts(kind: ArrayKind, tile: Tile, rows: int, cols: int) -> None:
    weight = np.arange(1, tile.k * tile.c * tile.r * tile.s + 1).reshape(tile.k, tile.c, tile.r, tile.s)
    words = pack_weights(kind, rows, cols, weight)
    assert words.shape == (array_accesses(kind, rows, cols, tile).weight_words, cols)
    assert np.array_equal(np.sort(words[words != 0]), weight.reshape(-1))


@given(
    outputs=st.integers(1, 30),
    taps=st.integers(1, 12),
    stride=st.integers(1, 5),
    dilation=st.integers(1, 5),
    pad=st.integers(-4, 40),
    stored=st.integers(1, 60),
)
def test_taps_inside_is_brute_force(outputs: int, taps: int, stride: int, dilation: int, pad: int, stored: int) -> None:
    inside = [0 <= x * stride + t * dilation - pad < stored for x in range(outputs) for t in range(taps)]
    assert array_formulas.taps_inside(outputs, taps, stride, dilation, pad, stored) == sum(inside)


@given(start=st.integers(-99, 99), step=st.integers(1, 20), count=st.integers(0, 20), high=st.integers(0, 99))
def test_clipped_sum_is_brute_force(start: int, step: int, count: int, high: int) -> None:
    terms = [min(max(start + i * step, 0), high) for i in range(count)]
    assert array_formulas.clipped_sum(start, step, count, high) == sum(terms)


def _callable(function: Any) -> Any:
    """A compiled function of a tuple that Python can call."""
    return njit(lambda values: function(*values))


def test_numba_compiles_the_same_formulas() -> None:
    rng = np.random.default_rng(5)
    # Compiled code alone may call these: they have no wrapper for Python.
    names = ("row_stationary_cycles", "tree_cycles", "striped_cycles", "output_stationary_cycles")
    row_cycles, tree_cycles, striped_cycles, output_cycles, row_reads = (
        _callable(getattr(compiled.array_formulas, name)) for name in (*names, "row_stationary_reads")
    )
    for _ in range(300):
        rows, cols = (int(v) for v in rng.choice([4, 8, 16, 32], 2))
        shape = tuple(int(v) for v in rng.integers(1, 30, 4)), tuple(int(v) for v in rng.integers(1, 9, 2))
        (k, c, p, q), (r, s) = shape
        steps = tuple(int(v) for v in rng.integers(1, 4, 4))
        row = (rows, cols, k, c, p, q, r, s, *steps)
        assert row_cycles(row) == array_formulas.row_stationary_cycles(*row)
        flat = (rows, cols, k, c, p * q, r * s)
        for kept in (0, r * s // 2):
            assert tree_cycles((*flat, kept)) == array_formulas.tree_cycles(*flat, kept)
            assert striped_cycles((*flat, kept)) == array_formulas.striped_cycles(*flat, kept)
        assert output_cycles(flat) == array_formulas.output_stationary_cycles(*flat)
        reads = (*row, 1, 2, 3 * p, 2 * q)
        assert row_reads(reads) == array_formulas.row_stationary_reads(*reads)


def test_wrong_weights_are_refused() -> None:
    with pytest.raises(SpecError, match="shape"):
        pack_weights(ArrayKind.LOOP_TILE, 4, 4, np.zeros((3, 3), dtype=np.int64))
