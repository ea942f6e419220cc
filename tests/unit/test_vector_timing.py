"""The vector unit's closed form, with sums that can be done by hand."""

from __future__ import annotations

from accel_models.template.tile import Tile
from accel_models.template.vector_timing import (
    VECTOR_LATENCY,
    VECTOR_SETUP_CYCLES,
    WALK_CYCLES,
    tree_levels,
    vector_cycles,
)

ONE_TAP = VECTOR_SETUP_CYCLES + WALK_CYCLES + VECTOR_LATENCY
AROUND = ONE_TAP + 2  # three taps: two levels of sums


def tile(k: int, p: int, q: int, r: int, s: int, stride: int = 1, dilation: int = 1) -> Tile:
    return Tile(k, k, p, q, r, s, stride, stride, dilation, dilation)


def test_a_tap_a_pass() -> None:
    """2 channel words x 9 taps x 14 x 14 pixels, the first tap's weight word before them."""
    assert vector_cycles(16, 1, 1, tile(32, 14, 14, 3, 3)) == ONE_TAP + 1 + 2 * 9 * 14 * 14


def test_three_taps_read_each_word_once_a_row() -> None:
    """A row of 14 outputs takes 16 words; three weight words come first."""
    assert vector_cycles(16, 3, 1, tile(32, 14, 14, 3, 3)) == AROUND + 3 + 2 * 3 * 14 * 16


def test_a_stride_reads_the_words_between() -> None:
    assert vector_cycles(16, 3, 1, tile(16, 7, 7, 3, 3, stride=2)) == AROUND + 3 + 3 * 7 * (3 + 6 * 2)


def test_a_stride_beyond_the_taps_skips_words() -> None:
    """Windows do not overlap: three words each."""
    assert vector_cycles(16, 3, 1, tile(16, 7, 7, 3, 3, stride=5)) == AROUND + 3 + 3 * 7 * 7 * 3


def test_dilated_taps_go_one_by_one() -> None:
    assert vector_cycles(16, 3, 1, tile(16, 7, 7, 3, 3, dilation=2)) == AROUND + 1 + 9 * 49


def test_a_wide_filter_in_groups() -> None:
    """Five taps by three: groups of three and two."""
    assert vector_cycles(16, 3, 1, tile(16, 4, 4, 1, 5)) == AROUND + 3 + 4 * (3 + 3) + 4 * (2 + 3)


def test_few_pixels_wait_for_the_accumulator() -> None:
    """49 taps of one pixel in groups of 3, 3, 1: each pass but the last waits three cycles more."""
    assert vector_cycles(16, 3, 0, tile(16, 1, 1, 7, 7)) == AROUND + 1 + 7 * (6 + 6 + 4) - 3


def test_many_weight_words_set_the_pace() -> None:
    """Eight words a tap: 24 during each pass of 3 x 6 cycles but the last."""
    assert vector_cycles(32, 3, 8, tile(32, 3, 4, 3, 3)) == AROUND + 24 + 24 + 24 + 3 * 6


def test_taps_are_summed_by_twos() -> None:
    assert [tree_levels(taps) for taps in (1, 3, 5, 7)] == [0, 2, 3, 3]
    assert vector_cycles(16, 7, 0, tile(16, 1, 1, 1, 7)) == ONE_TAP + 3 + 1 + 7
