"""Commands of one plan, compiled: `accel_models.schedule.emit` over rows of numbers, counting what they move.

Commands go into a table (:mod:`accel_models.pricing.command_table`); fetches of the program are added where it is
timed. The names follow the readable emitter.
"""

from __future__ import annotations

from accel_models.jit import uncounted
from accel_models.pricing.command_table import (
    BUFFER,
    FULL,
    INPUT,
    OUTPUT,
    PARAM,
    RESIDUAL,
    SUMS,
    TABLE,
    WEIGHT,
    Scratch,
    open_ring,
    put,
    put_box,
    put_dma,
    read_ring,
)
from accel_models.pricing.compiled import array_weight_words, ceil_div, product_outputs, tile_accesses, tile_cycles
from accel_models.pricing.machine import Ints, Machine
from accel_models.pricing.plans import (
    ADDR,
    BLOCKS,
    BROADCAST,
    CHANNELS,
    DILATION_H,
    DILATION_W,
    DUAL,
    GROUPS,
    IMAGE_STRIDE,
    IMAGES,
    INPUT_TENSOR,
    JOINED_TENSOR,
    JOINS,
    KEPT,
    LOOKUP,
    MASKED,
    MATMUL,
    OP,
    ORIGIN_H,
    ORIGIN_W,
    OUTPUT_TENSOR,
    PACK,
    PARAMS,
    PLACES,
    PLANE,
    PRODUCT_TENSOR,
    ROW,
    ROW_K,
    STRIDE_H,
    STRIDE_W,
    TENSOR_COLS,
    TENSOR_ROWS,
    TOP,
    TRANSPOSE_B,
    WEIGHTS,
    C,
    K,
    P,
    Q,
    R,
    S,
)
from accel_models.pricing.tiles import ORDER, TILE_C, TILE_K, TILE_P, TILE_Q, TILE_R
from accel_models.schedule.commands import Buffer, ComputeOp, Second, Token, Unit
from accel_models.schedule.emit import MAX_PAD
from accel_models.schedule.tensors import REGION_ALIGN
from accel_models.template.energy import (
    DRAINED,
    INPUT_READS,
    JOINED,
    LOOKED_UP,
    PARAM_READS,
    SUM_READS,
    SUM_WRITES,
    UNIT_MACS,
    WEIGHT_READS,
)
from accel_models.template.tile import Tile

_MEMORY = 1 << Token.MEMORY
_TURNED = int(Buffer.TURNED)
_LOAD, _COMPUTE, _DRAIN, _SETTING = (int(u) for u in (Unit.LOAD, Unit.COMPUTE, Unit.DRAIN, Unit.SETTING))
_ADD = int(Second.ADD)
_ARRAY, _GELU, _SOFTMAX = int(ComputeOp.ARRAY), int(ComputeOp.GELU), int(ComputeOp.SOFTMAX)
#: Codes of a plan that can not be emitted.
EMITTED, LONG_PAD, TABLE_SHORT = 0, 1, 2
#: Distinct tiles of a plan whose cycles and accesses are kept.
KEPT_TILES = 64
#: Columns of channel tiles; of weight tiles.
K0, K1, WORD0, WORD1 = range(4)
WEIGHT_ADDR, WEIGHT_WORDS, WEIGHT_C = range(3)


@uncounted
def aligned(addr: int) -> int:
    """The next address at which a region may begin."""
    return -(-addr // REGION_ALIGN) * REGION_ALIGN


@uncounted
def place(pool: Ints, offset: int, channel: int) -> int:
    """Where a channel lies; ``offset`` -1: at its own number."""
    return channel if offset < 0 else pool[offset + channel]


@uncounted
def window(
    outputs: int, first_output: int, taps: int, stride: int, dilation: int, pad: int, stored: int
) -> tuple[int, int, int]:
    """First stored row, how many, and zeros before them: `schedule.plan.window`."""
    first = first_output * stride - pad
    last = first + (outputs - 1) * stride + (taps - 1) * dilation
    if first >= stored:
        return stored - 1, 1, last - first + 1
    low = min(max(first, 0), stored - 1)
    high = max(min(last, stored - 1), low)
    return low, high - low + 1, low - first


@uncounted
def span_of_places(pool: Ints, offset: int, channels: int, first: int, end: int) -> tuple[int, int]:
    """Least and greatest place of some channels."""
    end = min(end, channels)
    if offset < 0:
        return first, end - 1
    low = high = pool[offset + first]
    for channel in range(first, end):
        low, high = min(low, pool[offset + channel]), max(high, pool[offset + channel])
    return low, high


@uncounted
def cut_channels(plan: Ints, t: Ints, pool: Ints, m: Machine, tiles: Ints) -> tuple[int, int]:
    """Fill the channel tiles; returns how many output tiles, and input tiles of each (0 tiles: no room)."""
    lanes, n, outputs, parts = m.lanes, 0, 0, 1
    source, target = INPUT_TENSOR, OUTPUT_TENSOR
    if plan[MATMUL]:
        words = ceil_div(plan[C], lanes)
        for head in range(plan[GROUPS]):
            first = place(pool, plan[source + PLACES], head * plan[C]) // lanes
            base = head * ceil_div(plan[K], lanes) * lanes
            for k0 in range(0, plan[K], t[TILE_K]):
                if n == tiles.shape[0]:
                    return 0, 1
                tiles[n, K0], tiles[n, K1] = base + k0, base + k0 + min(t[TILE_K], plan[K] - k0)
                tiles[n, WORD0], tiles[n, WORD1] = first, first + words
                n += 1
        return n, 1
    if plan[OP] != _ARRAY:
        blocks, step = plan[target + BLOCKS], t[TILE_K] // lanes
        for w in range(0, blocks, step):
            if n == tiles.shape[0]:
                return 0, 1
            count = min(step, blocks - w)
            tiles[n, K0], tiles[n, K1], tiles[n, WORD0], tiles[n, WORD1] = w * lanes, (w + count) * lanes, w, w + count
            n += 1
        return n, 1
    top, blocks, step = plan[target + TOP], plan[source + BLOCKS], ceil_div(t[TILE_C], lanes)
    if plan[GROUPS] == 1:
        parts = ceil_div(blocks, step)
    for k0 in range(0, top, t[TILE_K]):
        k1 = k0 + min(t[TILE_K], top - k0)
        if n + parts > tiles.shape[0]:
            return 0, 1
        if plan[GROUPS] > 1:
            first, end = k0 // plan[K] * plan[C], ((k1 - 1) // plan[K] + 1) * plan[C]
            low, high = span_of_places(pool, plan[source + PLACES], plan[source + CHANNELS], first, end)
            tiles[n, K0], tiles[n, K1], tiles[n, WORD0], tiles[n, WORD1] = k0, k1, low // lanes, high // lanes + 1
            n += 1
        else:
            for w in range(0, blocks, step):
                tiles[n, K0], tiles[n, K1], tiles[n, WORD0], tiles[n, WORD1] = k0, k1, w, w + min(step, blocks - w)
                n += 1
        outputs += 1
    return outputs, parts


@uncounted
def put_weights(plan: Ints, t: Ints, tiles: int, end: int, m: Machine, work: Scratch) -> int:
    """Place the weight tiles behind ``end``; returns the new end of memory, -1 where there is no room for them."""
    if plan[MATMUL] or not plan[WEIGHTS]:
        return end
    held = t[TILE_R] if t[TILE_R] else plan[R]
    cuts = ceil_div(plan[R], held)
    if tiles * cuts > work.weights.shape[0]:
        return -1
    for n in range(tiles):
        tile = work.channels[n]
        c = min(tile[WORD1] * m.lanes, plan[INPUT_TENSOR + TOP]) - tile[WORD0] * m.lanes
        words, former = 0, -1
        for cut in range(cuts):
            rows = min(held, plan[R] - cut * held)
            if rows != former:
                former = rows
                if plan[OP] != _ARRAY:
                    words = (tile[WORD1] - tile[WORD0]) * rows * plan[S] * (m.lanes // m.cols)
                    words = ceil_div(words, plan[PACK])
                else:
                    k = tile[K1] - tile[K0]
                    words = array_weight_words(m, k, c, rows, plan[S], plan[PACK], plan[DUAL], plan[KEPT])
            row = work.weights[n * cuts + cut]
            row[WEIGHT_ADDR], row[WEIGHT_WORDS], row[WEIGHT_C] = aligned(end), words, c
            end = aligned(end) + words * m.weight_word
    return end


@uncounted
def charge(tile: Tile, accumulate: bool, found: Ints, m: Machine, counts: Ints) -> None:
    """Count what a tile moves; ``found``: cycles, input words, weight words, sums, multiplications."""
    outputs = ceil_div(tile.k, m.lanes) * tile.p * tile.q
    counts[INPUT_READS] += found[1]
    counts[WEIGHT_READS] += found[2]
    counts[SUM_READS] += max(0, found[3] - (0 if accumulate else outputs))
    counts[SUM_WRITES] += found[3]
    counts[UNIT_MACS] += found[4]


@uncounted
def look_up(op: int, tile: Tile, dual: int, kept: Ints, count: int, m: Machine) -> tuple[int, int]:
    """The row of ``kept`` with a tile's figures, and how many rows are in use; ``count`` may exceed the rows."""
    key0 = tile.k | tile.c << 20 | tile.p << 40
    key1 = tile.q | tile.in_h << 20 | tile.in_w << 40
    key2 = tile.r | tile.pad_top << 20 | tile.pad_left << 40
    rows = kept.shape[0]
    for i in range(min(count, rows)):
        if kept[i, 5] == key0 and kept[i, 6] == key1 and kept[i, 7] == key2:
            return i, count
    row = kept[count % rows]
    row[5], row[6], row[7] = key0, key1, key2
    row[0] = tile_cycles(op, tile, m, dual) + m.acc_stages
    row[1], row[2], row[3], row[4] = tile_accesses(op, tile, m, dual)
    return count % rows, count + 1


@uncounted
def put_operand(
    n: int, wait: int, plan: Ints, pool: Ints, image: int, k0: int, count: int, m: Machine, counts: Ints,
    work: Scratch,
) -> int:  # fmt: skip
    """A matrix product's second operand as weights."""
    base, lanes = PRODUCT_TENSOR, m.lanes
    head_words = ceil_div(plan[K], lanes)
    head, within = k0 // (head_words * lanes), k0 % (head_words * lanes)
    reduced, groups = ceil_div(plan[C], lanes), ceil_div(count, m.cols)
    start = plan[base + ADDR] + image * plan[base + IMAGE_STRIDE]
    plane = plan[base + PLANE] * m.act_word
    if plan[TRANSPOSE_B]:
        word = place(pool, plan[base + PLACES], head * plan[C]) // lanes
        addr = start + (word * plan[base + PLANE] + within * plan[base + ROW]) * m.act_word
        counts[_TURNED] += m.cols * reduced * groups
        return put_dma(
            n, _LOAD, wait, FULL[WEIGHT], addr, m.cols, reduced, groups, plane, m.cols * m.act_word, m.act_word,
            1, work,
        )  # fmt: skip
    word = place(pool, plan[base + PLACES], head * plan[K]) // lanes + within // lanes
    parts, depth = lanes // m.cols, reduced * lanes
    counts[BUFFER[WEIGHT]] += depth * groups
    if parts == 1:
        addr = start + word * plane
        return put_dma(n, _LOAD, wait, FULL[WEIGHT], addr, depth, groups, 1, plane, 0, m.weight_word, 0, work)
    blocks = ceil_div(groups, parts)
    for block in range(blocks):
        addr = start + (word + block) * plane
        some = min(parts, groups - block * parts)
        signal = FULL[WEIGHT] if block == blocks - 1 else 0
        n = put_dma(
            n, _LOAD, wait if block == 0 else 0, signal, addr, 1, depth, some, m.act_word, m.weight_word,
            m.weight_word, 0, work,
        )  # fmt: skip
    return n


@uncounted
def put_results(
    n: int, plan: Ints, image: int, k0: int, k1: int, r0: int, rows: int, c0: int, cols: int, memory_wait: int,
    m: Machine, counts: Ints, work: Scratch,
) -> tuple[int, int, int]:  # fmt: skip
    """Post-processing of a tile's sums, and their way to memory.

    Returns:
        Commands so far, what the next load of activations waits for, ``EMITTED`` or why not.
    """
    lanes, groups = m.lanes, m.lanes // m.ppu_lanes
    block0, blocks = k0 // lanes, ceil_div(k1 - k0, lanes)
    whole = rows * cols <= m.output_words
    some = m.output_words // (rows * cols) if whole else 1
    lines = rows if whole else m.output_words // cols
    for block in range(0, blocks, some):
        count = min(some, blocks - block)
        for row in range(0, rows, lines):
            height = min(lines, rows - row)
            if n + 64 > work.table.shape[0]:
                return n, memory_wait, TABLE_SHORT
            if plan[JOINS]:
                wait = open_ring(RESIDUAL, work) | memory_wait
                memory_wait = 0
                if plan[BROADCAST]:
                    n = put_box(
                        n, RESIDUAL, wait, plan, JOINED_TENSOR, image, block0 + block, count, 0, 1,
                        0, 1, m.act_word, counts, work,
                    )  # fmt: skip
                else:
                    n = put_box(
                        n, RESIDUAL, wait, plan, JOINED_TENSOR, image, block0 + block, count,
                        r0 + row, height, c0, cols, m.act_word, counts, work,
                    )  # fmt: skip
            wait = open_ring(OUTPUT, work)
            wait |= read_ring(SUMS, n, work)
            if plan[PARAMS]:
                wait |= read_ring(PARAM, n, work)
            if plan[JOINS]:
                wait |= read_ring(RESIDUAL, n, work)
            if plan[LOOKUP]:
                wait |= read_ring(TABLE, n, work)
            words = count * height * cols
            counts[DRAINED] += words
            counts[JOINED] += words if plan[JOINS] else 0
            counts[LOOKED_UP] += words if plan[LOOKUP] else 0
            counts[PARAM_READS] += count * lanes if plan[PARAMS] else 0
            n = put(n, _DRAIN, wait, FULL[OUTPUT], words * groups, work)
            n = put_box(
                n, OUTPUT, 0, plan, OUTPUT_TENSOR, image, block0 + block, count, r0 + row, height,
                c0, cols, m.act_word, counts, work,
            )  # fmt: skip
    return n, memory_wait, EMITTED


@uncounted
def emit(
    n: int, plan: Ints, t: Ints, pool: Ints, param_addr: int, end: int, wait_memory: int, m: Machine,
    counts: Ints, work: Scratch,
) -> tuple[int, int, int]:  # fmt: skip
    """Append a plan's commands from number ``n`` on.

    Args:
        n: commands so far.
        plan, t: its row, its tiling.
        pool: places of channels.
        param_addr: of its parameters.
        end: of the memory in use.
        wait_memory: 1: the first load of activations waits until an earlier plan's results are in memory.
        m: machine.
        counts: what it moves is added to these.
        work: scratch.

    Returns:
        Commands so far, end of memory, ``EMITTED`` or why not.
    """
    lanes, op = m.lanes, plan[OP]
    outputs, parts = cut_channels(plan, t, pool, m, work.channels)
    if outputs == 0:
        return n, end, TABLE_SHORT
    end = put_weights(plan, t, outputs * parts, end, m, work)
    if end < 0:
        return n, 0, TABLE_SHORT
    mask_addr = aligned(end)
    mask_words = plan[ROW_K] // lanes
    mask_size = mask_words * m.weight_word
    if plan[MASKED]:
        end = mask_addr + plan[P] * plan[Q] * mask_size
    table_addr = aligned(end)
    if plan[LOOKUP]:
        end = table_addr + 16 * m.table_words

    held = t[TILE_R] if t[TILE_R] else plan[R]
    filters = ceil_div(plan[R], held)
    row_tiles, col_tiles = ceil_div(plan[P], t[TILE_P]), ceil_div(plan[Q], t[TILE_Q])
    trips, at = work.loops[0], work.loops[1]
    trips[0], trips[1], trips[2] = outputs, row_tiles, col_tiles
    d0, d1, d2 = t[ORDER] // 9, t[ORDER] // 3 % 3, t[ORDER] % 3
    memory_wait = _MEMORY if wait_memory else 0
    held_param, held_weight, held_image, table_held, kept = -1, -1, -1, False, 0
    key_image, key_w0, key_w1, key_h, key_hn, key_c, key_cn, key_ph, key_pw = -1, 0, 0, 0, 0, 0, 0, 0, 0
    nonlinear_row = op >= _SOFTMAX and op != _GELU
    weighted = plan[WEIGHTS] or plan[MASKED]
    n = put(n, _SETTING, 0, 0, 0, work)
    if plan[JOINS] == _ADD or op >= _SOFTMAX:
        n = put(n, _SETTING, 0, 0, 0, work)
    for image in range(plan[IMAGES]):
        for i0 in range(trips[d0]):
            for i1 in range(trips[d1]):
                for i2 in range(trips[d2]):
                    if n + 64 > work.table.shape[0]:
                        return n, end, TABLE_SHORT
                    at[d0], at[d1], at[d2] = i0, i1, i2
                    number, r0, c0 = at[0], at[1] * t[TILE_P], at[2] * t[TILE_Q]
                    rows, cols = min(t[TILE_P], plan[P] - r0), min(t[TILE_Q], plan[Q] - c0)
                    # --- the sum: every input tile in turn
                    low_c, wide, pad_w = window(
                        cols, c0, plan[S], plan[STRIDE_W], plan[DILATION_W], -plan[ORIGIN_W],
                        plan[INPUT_TENSOR + TENSOR_COLS],
                    )  # fmt: skip
                    sums_wait = open_ring(SUMS, work)
                    for step in range(parts * filters):
                        part, cut = step // filters, step % filters
                        tap = cut * held
                        taps = min(held, plan[R] - tap)
                        low_r, high, pad_h = window(
                            rows, r0, taps, plan[STRIDE_H], plan[DILATION_H],
                            -plan[ORIGIN_H] - tap * plan[DILATION_H], plan[INPUT_TENSOR + TENSOR_ROWS],
                        )  # fmt: skip
                        if max(pad_h, pad_w) > MAX_PAD:
                            return n, end, LONG_PAD
                        index = number * parts + part
                        k0, k1 = work.channels[index, K0], work.channels[index, K1]
                        word0, word1 = work.channels[index, WORD0], work.channels[index, WORD1]
                        channels = channels_in = k1 - k0
                        if plan[PARAMS] and held_param != number:
                            held_param = number
                            count = ceil_div(channels, lanes) * lanes
                            counts[BUFFER[PARAM]] += count
                            wait = open_ring(PARAM, work)
                            n = put_dma(
                                n, _LOAD, wait, FULL[PARAM], param_addr + 16 * k0, count, 1, 1, 0, 0, 16, 0, work
                            )
                        if plan[MATMUL]:
                            channels = product_outputs(channels, lanes, m.cols)
                            channels_in = (word1 - word0) * lanes
                            if held_image != image or held_weight != number:
                                held_image, held_weight = image, number
                                wait = open_ring(WEIGHT, work) | memory_wait
                                memory_wait = 0
                                n = put_operand(n, wait, plan, pool, image, k0, channels, m, counts, work)
                        elif plan[WEIGHTS]:
                            which = index * filters + cut
                            channels_in = work.weights[which, WEIGHT_C]
                            if held_weight != which:
                                held_weight = which
                                words = work.weights[which, WEIGHT_WORDS]
                                counts[BUFFER[WEIGHT]] += words
                                wait = open_ring(WEIGHT, work)
                                n = put_dma(
                                    n, _LOAD, wait, FULL[WEIGHT], work.weights[which, WEIGHT_ADDR], words, 1, 1,
                                    0, 0, m.weight_word, 0, work,
                                )  # fmt: skip
                        elif plan[MASKED] and held_weight != at[1] * col_tiles + at[2]:
                            held_weight = at[1] * col_tiles + at[2]
                            counts[BUFFER[WEIGHT]] += rows * cols * mask_words
                            wait = open_ring(WEIGHT, work)
                            addr = mask_addr + (r0 * plan[Q] + c0) * mask_size
                            run, lines, stride = cols * mask_words, rows, plan[Q] * mask_size
                            if cols == plan[Q]:
                                run, lines, stride = rows * cols * mask_words, 1, 0
                            n = put_dma(
                                n, _LOAD, wait, FULL[WEIGHT], addr, run, lines, 1, stride, 0, m.weight_word, 0,
                                work,
                            )  # fmt: skip
                        if nonlinear_row:
                            channels = channels_in = plan[C]
                        if (
                            key_image != image or key_w0 != word0 or key_w1 != word1 or key_h != low_r
                            or key_hn != high or key_c != low_c or key_cn != wide or key_ph != pad_h or key_pw != pad_w
                        ):  # fmt: skip
                            key_image, key_w0, key_w1, key_h, key_hn = image, word0, word1, low_r, high
                            key_c, key_cn, key_ph, key_pw = low_c, wide, pad_h, pad_w
                            wait = open_ring(INPUT, work) | memory_wait
                            memory_wait = 0
                            n = put_box(
                                n, INPUT, wait, plan, INPUT_TENSOR, image, word0, word1 - word0, low_r, high,
                                low_c, wide, m.act_word, counts, work,
                            )  # fmt: skip
                        tile = Tile(
                            channels, channels_in, rows, cols, taps, plan[S], plan[STRIDE_H], plan[STRIDE_W],
                            plan[DILATION_H], plan[DILATION_W], pad_h, pad_w, high, wide, plan[KEPT],
                        )  # fmt: skip
                        wait = read_ring(INPUT, n, work)
                        if weighted:
                            wait |= read_ring(WEIGHT, n, work)
                        if step == 0:
                            wait |= sums_wait
                        signal = FULL[SUMS] if step == parts * filters - 1 else 0
                        which, kept = look_up(op, tile, plan[DUAL], work.kept, kept, m)
                        charge(tile, step > 0, work.kept[which], m, counts)
                        n = put(n, _COMPUTE, wait, signal, work.kept[which, 0], work)
                    # --- post-processing, and the way to memory
                    k0, k1 = work.channels[number * parts, K0], work.channels[number * parts, K1]
                    if plan[LOOKUP] and not table_held:
                        table_held = True
                        counts[BUFFER[TABLE]] += m.table_words
                        wait = open_ring(TABLE, work)
                        n = put_dma(n, _LOAD, wait, FULL[TABLE], table_addr, m.table_words, 1, 1, 0, 0, 16, 0, work)
                    n, memory_wait, code = put_results(
                        n, plan, image, k0, k1, r0, rows, c0, cols, memory_wait, m, counts, work
                    )
                    if code != EMITTED:
                        return n, end, code
    return n, end, EMITTED if n <= work.table.shape[0] else TABLE_SHORT
