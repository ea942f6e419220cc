"""Cycles and buffer accesses of the PE arrays in `rtl_templates/rtl/cd_array_*.sv`: the formulas, on plain integers.

Cycles count from the command's handshake to the last accumulator write, both included. Integer arithmetic without a
loop over pixels; loops over filter rows and columns occur in the access counts only. Nothing here but functions of
integers, so that numba compiles the file as it is (`accel_models.compiled`).

Each constant is a register in the hardware; `tests/rtl/test_arrays.py` holds cycles and accesses equal to the
simulation on every tile.
"""

from __future__ import annotations

SETUP_CYCLES = 7  #: from the handshake to the first slot of the walk: command register, five products, walk registers
TREE_LEVELS_PER_STAGE = 2  #: adders between two registers of an adder tree
CHANNEL_PARALLEL_STRIPE = 32  #: pixels of a stripe; the last one of a tile takes up to twice less one
OUTPUT_STATIONARY_STAGES = 5  #: transposer, operands, product, sum, shadow register
ROW_STATIONARY_TAPS = 4  #: filter columns of a pass
ROW_STATIONARY_STAGES = 4  #: bus, window, weight and product; the tree's stages and the column's foot come on top


def ceil_div(value: int, by: int) -> int:
    """``value / by`` rounded up; both positive."""
    return -(-value // by)


def clipped(value: int, high: int) -> int:
    """``value`` cut to 0 to ``high``."""
    return min(max(value, 0), high)


def clipped_sum(start: int, step: int, count: int, high: int) -> int:
    """Sum of ``clip(start + i * step, 0, high)`` over ``0 <= i < count``; ``step`` is positive."""
    below = clipped(ceil_div(-start, step), count)  # terms that are 0
    within = clipped(ceil_div(high - start, step), count)  # terms below ``high``
    middle = within - below
    return middle * start + step * (within * (within - 1) - below * (below - 1)) // 2 + (count - within) * high


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


def tree_fill_cycles(rows: int) -> int:
    """Adder trees: cycles before the first pixel enters and after the last one has."""
    return max(SETUP_CYCLES, rows + 1) + 3 + tree_stages(rows)


def tree_cycles(rows: int, cols: int, k: int, c: int, pixels: int, taps: int) -> int:
    """Adder trees (loop tile; channel parallel takes one cycle more).

    A pass is one filter tap of ``rows`` x ``cols`` channels over the pixels, hidden behind which the next ``rows``
    weight words are read.
    """
    passes = ceil_div(k, cols) * ceil_div(c, rows) * taps
    idle_tail = max(rows - pixels, 0)
    return tree_fill_cycles(rows) + passes * max(pixels, rows) - idle_tail


def output_stationary_fill_cycles(rows: int, pixels: int) -> int:
    """Output stationary: cycles before the first product and after the last."""
    last_pixels = pixels - (ceil_div(pixels, rows) - 1) * rows
    return SETUP_CYCLES + rows + last_pixels + OUTPUT_STATIONARY_STAGES


def output_stationary_cycles(rows: int, cols: int, k: int, c: int, pixels: int, taps: int) -> int:
    """Output stationary: a filter tap of a channel block takes a cycle per channel, but no less than ``rows``.

    The input words of a tap are read ``rows`` cycles ahead; the last group's sums leave one pixel a cycle.
    """
    lanes = max(rows, cols)
    groups = ceil_div(pixels, rows)
    last_channels = c - (ceil_div(c, lanes) - 1) * lanes
    last_tap = max(rows, last_channels)
    reduction = taps * ((ceil_div(c, lanes) - 1) * lanes + last_tap)
    fill = output_stationary_fill_cycles(rows, pixels)
    return fill + ceil_div(k, cols) * groups * reduction + last_channels - last_tap


def row_stationary_passes(rows: int, cols: int, c: int, r: int) -> int:
    """Groups of ``rows`` (channel, filter row) pairs, dealt out block by block of input channels."""
    lanes = max(rows, cols)
    blocks = ceil_div(c, lanes)
    return (blocks - 1) * (lanes * r // rows) + ceil_div((c - (blocks - 1) * lanes) * r, rows)


def row_stationary_pass(
    rows: int, cols: int, q: int, channels: int, taps: int, words: int, next_taps: int, next_words: int
) -> int:
    """Cycles of a pass: ``q`` steps, each as long as its computing, the next one's reading and the former's writing.

    Args:
        rows, cols: PEs.
        q: output columns.
        channels, taps: output channels and filter columns of the pass.
        words: input words that a step inside the pass reads for its follower.
        next_taps, next_words: filter columns of the next pass (its weights are read meanwhile), and input words of its
            first step; 0 after the last pass.
    """
    least = max(channels * taps, cols)
    return max((q - 1) * max(least, words) + max(least, next_words), rows * next_taps)


def row_stationary_fill_cycles(rows: int, cols: int, p: int, r: int, s: int, stride_h: int, dilation_h: int) -> int:
    """Row stationary: cycles before the first step computes (its words and weights come in) and after the last."""
    first_taps, last_rows = min(s, ROW_STATIONARY_TAPS), p - (ceil_div(p, cols) - 1) * cols
    height = (min(p, cols) - 1) * (1 if r == 1 else stride_h) + (r - 1) * dilation_h + 1  # input rows
    first_step = max(first_taps * height, rows * first_taps, cols)
    return max(SETUP_CYCLES, rows + 2) + first_step + ROW_STATIONARY_STAGES + tree_stages(rows) + last_rows


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
    chunk = ROW_STATIONARY_TAPS
    passes = row_stationary_passes(rows, cols, c, r)
    row_groups, channel_groups, chunks = ceil_div(p, cols), ceil_div(k, cols), ceil_div(s, chunk)
    first_taps, last_taps = min(s, chunk), s - (chunks - 1) * chunk
    pitch = 1 if r == 1 else stride_h
    last_height = (p - (row_groups - 1) * cols - 1) * pitch + (r - 1) * dilation_h + 1  # input rows of the last group
    full_height = (cols - 1) * pitch + (r - 1) * dilation_h + 1
    total = 0
    for last_rows in range(2):  # all row groups but the last; the last
        count = 1 if last_rows else row_groups - 1
        height = last_height if last_rows else full_height
        for last_kernels in range(2):
            groups = 1 if last_kernels else channel_groups - 1
            channels = k - (channel_groups - 1) * cols if last_kernels else cols
            for last_chunk in range(2):
                repeats = count * groups * (1 if last_chunk else chunks - 1)
                if repeats == 0:
                    continue
                taps = last_taps if last_chunk else chunk
                words = (stride_w if dilation_w == 1 and stride_w < taps else taps) * height
                inner = row_stationary_pass(rows, cols, q, channels, taps, words, taps, taps * height)
                total += repeats * (passes - 1) * inner
                if not last_chunk:  # into the next chunk: full ones, then the last
                    last = row_stationary_pass(rows, cols, q, channels, taps, words, last_taps, last_taps * height)
                    total += count * groups * ((chunks - 2) * inner + last)
                    continue
                onward = row_stationary_pass(rows, cols, q, channels, taps, words, first_taps, first_taps * height)
                if not last_kernels:  # into the first chunk of the next output channels
                    total += repeats * onward
                elif not last_rows:  # into the next row group: full ones, then the last
                    first_words = first_taps * last_height
                    last = row_stationary_pass(rows, cols, q, channels, taps, words, first_taps, first_words)
                    total += (count - 1) * onward + last
                else:
                    total += row_stationary_pass(rows, cols, q, channels, taps, words, 0, 0)
    return total + row_stationary_fill_cycles(rows, cols, p, r, s, stride_h, dilation_h)


def row_stationary_reads(
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
    pad_top: int,
    pad_left: int,
    in_h: int,
    in_w: int,
) -> int:
    """Input words that a tile reads, padding left out: stored rows x stored columns of each pass."""
    row_groups = ceil_div(p, cols)
    if r == 1:
        height = taps_inside(p, 1, stride_h, 1, pad_top, in_h)
    else:  # each group of output rows reads input rows [start, start + span), cut to what is stored
        step, window = cols * stride_h, (r - 1) * dilation_h + 1
        span = (cols - 1) * stride_h + window
        height = clipped_sum(span - pad_top, step, row_groups - 1, in_h)
        height -= clipped_sum(-pad_top, step, row_groups - 1, in_h)
        start = (row_groups - 1) * step - pad_top
        last_span = (p - (row_groups - 1) * cols - 1) * stride_h + window
        height += clipped(start + last_span, in_h) - clipped(start, in_h)
    width = 0
    for at in range(0, s, ROW_STATIONARY_TAPS):
        taps, start = min(ROW_STATIONARY_TAPS, s - at), at * dilation_w - pad_left
        if dilation_w == 1 and stride_w < taps:
            width += clipped(start + taps + (q - 1) * stride_w, in_w) - clipped(start, in_w)
        else:
            width += taps_inside(q, taps, stride_w, dilation_w, -start, in_w)
    return ceil_div(k, cols) * row_stationary_passes(rows, cols, c, r) * height * width
