"""Cycles of the weight-stationary array (`cd_walker`), the vector unit (`cd_window_walker`) and `cd_nonlinear`."""

from __future__ import annotations

from accel_models.template.array_formulas import tree_levels
from accel_models.template.tile import Tile

SETUP_CYCLES = 10  #: from the handshake to the prologue: command register, start, eight products
WALK_CYCLES = 1  #: the register behind the walk
SUM_CYCLES = 4  #: weight stationary, request to write of a pixel beside a cycle a row: memory, word, operand, product
MIN_PASS_CYCLES = 4  #: two writes to one accumulator stay apart
FLUSH_CYCLES = 14  #: from the last group of a scan until its results are known
ROOT_CYCLES = 34  #: variance, its square root
NORM_DIVIDE_CYCLES, SOFTMAX_DIVIDE_CYCLES = 62, 47  #: a bit a cycle
VECTOR_SETUP_CYCLES = 7  #: from the handshake to the prologue: command register, start, five products
VECTOR_LATENCY = 5  #: from the request of a window's last word to its accumulator write, of one tap
SHORT_PASS_PIXELS, SHORT_PASS_CYCLES = 4, 3  #: a pass of fewer pixels waits so long, to keep two writes apart


def stream_cycles(passes: int, pixels: int, weight_words: int, latency: int) -> int:
    """From the command's handshake to the last accumulator write, both included.

    Args:
        passes: sets of weights held still, one after another.
        pixels: of each pass.
        weight_words: of each pass, fetched during the pass before it.
        latency: from a pixel's request to its accumulator write.
    """
    period = max(pixels, weight_words, MIN_PASS_CYCLES)
    return SETUP_CYCLES + WALK_CYCLES + max(weight_words, 1) + (passes - 1) * period + pixels + latency


def weight_stationary_cycles(rows: int, cols: int, tile: Tile) -> int:
    """One tile on `cd_array_weight_stationary`."""
    passes = -(-tile.k // cols) * -(-tile.c // rows) * tile.r * tile.s
    return stream_cycles(passes, tile.p * tile.q, rows, rows + SUM_CYCLES)


def weight_stationary_fill_cycles(rows: int) -> int:
    """The part before the first pixel enters the array and after the last one has."""
    return SETUP_CYCLES + WALK_CYCLES + rows + rows + SUM_CYCLES


def vector_cycles(lanes: int, taps: int, weight_words: int, tile: Tile) -> int:
    """One tile on `cd_vector`.

    Args:
        lanes: channels of a word.
        taps: neighbouring taps of a filter row that it takes at once; one where they are dilated.
        weight_words: of one tap; 0 without weights.
        tile: ``k`` channels.
    """
    most = taps if tile.dilation_w == 1 else 1
    wait = SHORT_PASS_CYCLES if tile.p * tile.q < SHORT_PASS_PIXELS else 0
    first_group = min(most, tile.s)
    row = period = stream = 0
    for first in range(0, tile.s, most):
        together = min(most, tile.s - first)
        # During a pass the next one's weights arrive; behind the last group of a row comes the first one.
        following = min(most, tile.s - first - together) if first + together < tile.s else first_group
        stream = tile.p * (together + (tile.q - 1) * min(tile.stride_w, together))
        period = max(stream + wait, weight_words * following)
        row += period
    passes = -(-tile.k // lanes) * tile.r * row - period + stream
    latency = VECTOR_LATENCY + tree_levels(taps)  # a register a level
    return VECTOR_SETUP_CYCLES + WALK_CYCLES + max(weight_words * first_group, 1) + passes + latency


def softmax_cycles(groups: int, rows: int) -> int:
    """``rows`` rows of ``groups`` groups of lanes on `cd_nonlinear`: maximum, sum, division, result."""
    return 3 + rows * (1 + 3 * (groups + FLUSH_CYCLES) + SOFTMAX_DIVIDE_CYCLES)


def norm_cycles(groups: int, rows: int) -> int:
    """``rows`` rows of ``groups`` groups of lanes on `cd_nonlinear`: sums, root, division, result."""
    return 3 + rows * (1 + 2 * (groups + FLUSH_CYCLES) + ROOT_CYCLES + NORM_DIVIDE_CYCLES)


def gelu_cycles(groups: int) -> int:
    """``groups`` groups of lanes on `cd_nonlinear`."""
    return 3 + 1 + groups + FLUSH_CYCLES
