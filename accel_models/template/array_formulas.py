"""Cycles and buffer accesses of the PE arrays in `rtl_templates/rtl/cd_array_*.sv`: the formulas, on plain integers.

Cycles count from the command's handshake to the last accumulator write, both included. Integer arithmetic without a
loop over pixels; loops over filter rows and columns occur in the access counts only. Nothing here but functions of
integers, so that numba compiles the file as it is (`accel_models.columns.compiled`).

Each constant is a register in the hardware; `tests/rtl/test_arrays.py` holds cycles and accesses equal to the
simulation on every tile.
"""

from __future__ import annotations

SETUP_CYCLES = 9  #: from the handshake to the first slot of the walk: command register, operands, five products, walk
TREE_STAGES = 5  #: the walk's register, buffer and its register, operands, products; the tree's own come on top
TREE_LEVELS_PER_STAGE = 2  #: adders between two registers of an adder tree
CHANNEL_PARALLEL_STRIPE = 32  #: pixels of a stripe; the last one of a tile takes up to twice less one
OUTPUT_STATIONARY_STAGES = 7  #: registers of walk and buffer, transposer, operands, product, sum, shadow register
ROW_STATIONARY_TAPS = 4  #: filter columns of a pass
ROW_STATIONARY_STAGES = 6  #: request, buffer, bus, window, weight, product; the tree's and the column's foot on top


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


def tree_levels(inputs: int) -> int:
    """Levels of a tree that joins ``inputs`` leaves by twos."""
    levels = 0
    while (1 << levels) < inputs:
        levels += 1
    return levels


def tree_stages(inputs: int) -> int:
    """Register stages of an adder tree with ``inputs`` leaves, a power of two."""
    return ceil_div(tree_levels(inputs), TREE_LEVELS_PER_STAGE)


def taps_inside(outputs: int, taps: int, stride: int, dilation: int, pad: int, stored: int) -> int:
    """(output, tap) pairs along one axis that meet a stored pixel rather than padding."""
    count = 0
    for tap in range(taps):
        offset = tap * dilation - pad
        first = min(max(-(offset // stride), 0), outputs)  # the first output at or beyond pixel 0
        beyond = min(max(-((offset - stored) // stride), 0), outputs)
        count += beyond - first
    return count


def tree_weight_words(rows: int, kept: int) -> int:
    """Adder trees: words of weights of a pass; a header leads them where it is one of ``kept`` filter taps."""
    return rows + min(kept, 1)


def tree_fill_cycles(rows: int, kept: int) -> int:
    """Adder trees: cycles before the first pixel enters and after the last one has."""
    return max(SETUP_CYCLES, tree_weight_words(rows, kept) + 1) + TREE_STAGES + tree_stages(rows)


def tree_cycles(rows: int, cols: int, k: int, c: int, pixels: int, taps: int, kept: int) -> int:
    """Adder trees with all pixels in one stripe (loop tile).

    A pass is one filter tap of ``rows`` x ``cols`` channels over the pixels, hidden behind which the next weight words
    are read. Of each block of channels ``kept`` taps are done, 0: all.
    """
    words = tree_weight_words(rows, kept)
    passes = ceil_div(k, cols) * ceil_div(c, rows) * (kept or taps)
    return tree_fill_cycles(rows, kept) + (passes - 1) * max(pixels, words) + pixels


def striped_cycles(rows: int, cols: int, k: int, c: int, pixels: int, taps: int, kept: int) -> int:
    """Adder trees that take the pixels stripe by stripe (channel parallel): :func:`tree_cycles` for each."""
    words = tree_weight_words(rows, kept)
    passes = ceil_div(c, rows) * (kept or taps)
    stripes = max(1, pixels // CHANNEL_PARALLEL_STRIPE)
    last = pixels - (stripes - 1) * CHANNEL_PARALLEL_STRIPE
    group = (stripes - 1) * max(CHANNEL_PARALLEL_STRIPE, words) + max(last, words)
    idle_tail = max(words - last, 0)
    return tree_fill_cycles(rows, kept) + ceil_div(k, cols) * passes * group - idle_tail + 1


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


def row_stationary_size(left: int, rows: int, cols: int, q: int) -> int:
    """Columns that the next group of output rows takes, of ``left`` output rows; the other columns fold onto them.

    A power of two from 4; a remainder that would leave over a quarter of 16 or more idle is split, unless so few output
    columns follow that the weights of more passes could not be read in time.
    """
    size = 4
    while size < left and size < cols:
        size *= 2
    if size >= 16 and 4 * left <= 3 * size and 4 * q >= rows:
        size //= 2
    return size


def row_stationary_height(left: int, size: int, r: int, stride_h: int, dilation_h: int) -> int:
    """Input rows that a group reads: those under ``size`` output rows, or what is left (none: 0)."""
    if left <= 0:
        return 0
    return (min(left, size) - 1) * (1 if r == 1 else stride_h) + (r - 1) * dilation_h + 1


def row_stationary_columns(columns: int, dilation_w: int) -> int:
    """Reads of one input row's ``columns``: neighbours come in pairs."""
    return ceil_div(columns, 2) if dilation_w == 1 else columns


def row_stationary_pass(
    rows: int, size: int, q: int, channels: int, taps: int, words: int, next_taps: int, next_words: int, enter: int
) -> int:
    """Cycles of a pass: ``q`` steps, each as long as its computing, the next one's reading and the former's writing.

    Args:
        rows: rows of PEs.
        size: columns of PEs that the group of output rows takes.
        q: output columns.
        channels, taps: output channels of a fold, and filter columns, of the pass.
        words: reads of the input buffer that a step inside the pass makes for its follower.
        next_taps, next_words: filter columns of the next pass (its weights are read meanwhile), and reads of its
            first step; 0 after the last pass.
        enter: output rows that the pass before it still has to write; 0: no more than its own.
    """
    least = max(channels * taps, size)
    if q == 1:
        return max(least, next_words, enter, rows * next_taps)
    steps = max(least, words, enter) + (q - 2) * max(least, words) + max(least, next_words)
    return max(steps, rows * next_taps)


def row_stationary_fill_cycles(
    rows: int, cols: int, p: int, q: int, r: int, s: int, stride_h: int, dilation_h: int, dilation_w: int
) -> int:
    """Row stationary: cycles before the first step computes (its words and weights come in) and after the last."""
    first_taps, left = min(s, ROW_STATIONARY_TAPS), p - (ceil_div(p, cols) - 1) * cols
    first_height = row_stationary_height(p, row_stationary_size(p, rows, cols, q), r, stride_h, dilation_h)
    while left > row_stationary_size(left, rows, cols, q):
        left -= row_stationary_size(left, rows, cols, q)
    fill = max(row_stationary_columns(first_taps, dilation_w) * first_height, rows * first_taps)
    return max(SETUP_CYCLES, rows + 2) + fill + ROW_STATIONARY_STAGES + tree_stages(rows) + left


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
    row) pairs. Only the last of each of the inner ones may differ from the others, and only the end of one leads into
    another; row groups are all alike but for the last few.
    """
    chunk, passes = ROW_STATIONARY_TAPS, row_stationary_passes(rows, cols, c, r)
    channel_groups, chunks = ceil_div(k, cols), ceil_div(s, chunk)
    first_taps, last_taps = min(s, chunk), s - (chunks - 1) * chunk
    total, left, former = 0, p, 0
    while left > 0:
        size = row_stationary_size(left, rows, cols, q)
        count = max(1, ceil_div(left, cols) - 1)  # groups that are alike
        height = row_stationary_height(left, size, r, stride_h, dilation_h)
        after = left - count * size
        after_height = row_stationary_height(after, row_stationary_size(after, rows, cols, q), r, stride_h, dilation_h)
        for last_kernels in range(2):
            groups = 1 if last_kernels else channel_groups - 1
            channels = min(k - (channel_groups - 1) * cols if last_kernels else cols, size)
            for last_chunk in range(2):
                repeats = count * groups * (1 if last_chunk else chunks - 1)
                if repeats == 0:
                    continue
                taps = last_taps if last_chunk else chunk
                words = (
                    row_stationary_columns(stride_w if dilation_w == 1 and stride_w < taps else taps, dilation_w)
                    * height
                )
                again = row_stationary_columns(taps, dilation_w) * height
                inner = row_stationary_pass(rows, size, q, channels, taps, words, taps, again, 0)
                total += repeats * (passes - 1) * inner
                # From the last pass of the chunk into the next chunk, output channels, row group, or nothing.
                next_taps, next_words = first_taps, row_stationary_columns(first_taps, dilation_w) * height
                if not last_chunk:
                    total += count * groups * (chunks - 2) * inner
                    repeats, next_taps = count * groups, last_taps
                    next_words = row_stationary_columns(last_taps, dilation_w) * height
                elif last_kernels:
                    total += (count - 1) * row_stationary_pass(
                        rows, size, q, channels, taps, words, next_taps, next_words, 0
                    )
                    repeats, next_taps = 1, first_taps if after > 0 else 0
                    next_words = row_stationary_columns(first_taps, dilation_w) * after_height
                total += repeats * row_stationary_pass(rows, size, q, channels, taps, words, next_taps, next_words, 0)
        if former > size:  # the group's first pass waits for the former group's rows
            channels = min(k, cols, size)
            together = stride_w if dilation_w == 1 and stride_w < first_taps else first_taps
            words = row_stationary_columns(together, dilation_w) * height
            next_taps, next_words = first_taps, row_stationary_columns(first_taps, dilation_w) * height
            if passes == 1 and chunks > 1:
                next_taps = min(s - chunk, chunk)
                next_words = row_stationary_columns(next_taps, dilation_w) * height
            elif passes == 1 and channel_groups == 1:
                next_taps = first_taps if after > 0 else 0
                next_words = row_stationary_columns(first_taps, dilation_w) * after_height
            total += row_stationary_pass(
                rows, size, q, channels, first_taps, words, next_taps, next_words, former
            ) - row_stationary_pass(rows, size, q, channels, first_taps, words, next_taps, next_words, 0)
        former, left = size, after
    return total + row_stationary_fill_cycles(rows, cols, p, q, r, s, stride_h, dilation_h, dilation_w)


def row_stationary_groups(rows: int, cols: int, p: int, q: int) -> int:
    """Groups of output rows."""
    left = p - (ceil_div(p, cols) - 1) * cols
    count = ceil_div(p, cols)
    while left > row_stationary_size(left, rows, cols, q):
        left -= row_stationary_size(left, rows, cols, q)
        count += 1
    return count


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
    if r == 1:
        height = taps_inside(p, 1, stride_h, 1, pad_top, in_h)
    else:  # each group of output rows reads input rows [start, start + span), cut to what is stored
        height, left = 0, p
        while left > 0:
            size = row_stationary_size(left, rows, cols, q)
            count = max(1, ceil_div(left, cols) - 1)
            start = (p - left) * stride_h - pad_top
            span = row_stationary_height(left, size, r, stride_h, dilation_h)
            height += clipped_sum(start + span, size * stride_h, count, in_h)
            height -= clipped_sum(start, size * stride_h, count, in_h)
            left -= count * size
    width = 0
    for at in range(0, s, ROW_STATIONARY_TAPS):
        taps, start = min(ROW_STATIONARY_TAPS, s - at), at * dilation_w - pad_left
        if dilation_w == 1 and stride_w < taps:
            width += clipped(start + taps + (q - 1) * stride_w, in_w) - clipped(start, in_w)
        else:
            width += taps_inside(q, taps, stride_w, dilation_w, -start, in_w)
    return ceil_div(k, cols) * row_stationary_passes(rows, cols, c, r) * height * width
