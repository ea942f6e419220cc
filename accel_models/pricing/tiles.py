"""The choice of tiles, compiled: `accel_models.schedule.tiling` over one row of a plan.

A tiling is a row of the columns named here; ``ORDER`` packs the loop order, outermost first, in base 3 (K, P, Q).
"""

from __future__ import annotations

from accel_models.jit import uncounted
from accel_models.pricing.compiled import array_weight_words, ceil_div, tile_cycles
from accel_models.pricing.machine import Ints, Machine
from accel_models.pricing.plans import (
    BY_CHANNELS,
    BY_HEADS,
    BY_ROWS,
    DILATION_H,
    DILATION_W,
    DUAL,
    GROUPS,
    KEPT,
    MAPPED_BY,
    MASKED,
    MATMUL,
    OP,
    OPERANDS,
    PACK,
    PARAMS,
    PHASE,
    ROW_K,
    SHAPE_C,
    SHAPE_GROUPS,
    SHAPE_K,
    STRIDE_H,
    STRIDE_W,
    UNIT_K,
    WEIGHTS,
    C,
    K,
    P,
    Q,
    R,
    S,
)
from accel_models.schedule.commands import ComputeOp
from accel_models.schedule.tiling import COMMAND_CYCLES, PARTS, TRIED_COLUMNS, TRIED_ROWS
from accel_models.template.spec import ArrayKind
from accel_models.template.tile import Tile

TILE_K, TILE_C, TILE_P, TILE_Q, ORDER, TILE_R, TILING_COLUMNS = range(7)
KPQ, PQK = 0 * 9 + 1 * 3 + 2, 1 * 9 + 2 * 3 + 0
#: Which buffer a tile does not fit; in the order in which the readable path tells.
FITS, INPUT_FULL, WEIGHTS_FULL, SUMS_FULL, OUTPUT_FULL, PARAMS_FULL = range(6)
MOST_SIZES = len(PARTS) + 1
#: Buffers whose words bound a choice of tiles: input, weights, sums, output.
BOUNDED = 4
NO_CAP = 1 << 40
_ARRAY = int(ComputeOp.ARRAY)
_ROW_STATIONARY = tuple(ArrayKind).index(ArrayKind.ROW_STATIONARY)


@uncounted
def span(outputs: int, taps: int, stride: int, dilation: int) -> int:
    """Input rows (or columns) under ``outputs`` of the output."""
    return (outputs - 1) * stride + (taps - 1) * dilation + 1


@uncounted
def group_span(plan: Ints, k: int, lanes: int) -> int:
    """Most input channels, in whole words, under ``k`` neighbouring output channels of a grouped convolution."""
    worst, channels = 0, plan[GROUPS] * plan[K]
    first = 0
    while first < channels:
        last = min(first + k, channels) - 1
        low = first // plan[K] * plan[C] // lanes
        high = ceil_div((last // plan[K] + 1) * plan[C], lanes)
        worst = max(worst, high - low)
        first += k
    return worst * lanes


@uncounted
def input_demand(plan: Ints, k: int, c: int, p: int, q: int, held: int, m: Machine) -> int:
    """Words of the input buffer."""
    words = ceil_div(k, m.lanes) if plan[OP] != _ARRAY else ceil_div(c, m.lanes)
    return int(
        words * span(p, held, plan[STRIDE_H], plan[DILATION_H]) * span(q, plan[S], plan[STRIDE_W], plan[DILATION_W])
    )


@uncounted
def weight_demand(plan: Ints, k: int, c: int, p: int, q: int, held: int, m: Machine) -> int:
    """Words of the weight buffer."""
    if plan[MASKED]:
        return int(ceil_div(k, m.lanes) * p * q)
    if not plan[WEIGHTS]:
        return 0
    if plan[OP] != _ARRAY:
        return int(ceil_div(ceil_div(k, m.lanes) * held * plan[S] * (m.lanes // m.cols), plan[PACK]))
    return array_weight_words(m, k, c, held, plan[S], plan[PACK], plan[DUAL], plan[KEPT])


@uncounted
def misfit(plan: Ints, t: Ints, m: Machine) -> int:
    """``FITS``, or the first buffer that a tiling does not fit."""
    held = t[TILE_R] if t[TILE_R] else plan[R]
    if input_demand(plan, t[TILE_K], t[TILE_C], t[TILE_P], t[TILE_Q], held, m) > m.input_words:
        return INPUT_FULL
    if weight_demand(plan, t[TILE_K], t[TILE_C], t[TILE_P], t[TILE_Q], held, m) > m.weight_words:
        return WEIGHTS_FULL
    if ceil_div(t[TILE_K], m.lanes) * t[TILE_P] * t[TILE_Q] > m.acc_words:
        return SUMS_FULL
    if t[TILE_Q] > m.output_words:
        return OUTPUT_FULL
    if plan[PARAMS] and ceil_div(t[TILE_K], m.lanes) * m.lanes > m.param_channels:
        return PARAMS_FULL
    return FITS


@uncounted
def sizes(total: int, step: int, out: Ints) -> int:
    """Even cuts of ``total`` in multiples of ``step``, largest first; returns how many."""
    count = 0
    for part in PARTS:
        size = ceil_div(ceil_div(total, part), step) * step
        if count == 0 or size < out[count - 1]:
            out[count] = size
            count += 1
    if step < out[count - 1]:
        out[count] = step
        count += 1
    out[0] = min(out[0], total)
    return count


@uncounted
def least_estimate(plan: Ints, held: int, m: Machine, lists: Ints, out: Ints) -> bool:
    """The best tiling that holds ``held`` rows of the filter at a time (0: all); False: none fits."""
    rows_held = held if held else plan[R]
    op, lanes = plan[OP], m.lanes
    vector, matmul, grouped = op != _ARRAY, plan[MATMUL] == 1, plan[SHAPE_GROUPS] > 1
    enough_rows = min(plan[P], m.cols) if m.array == _ROW_STATIONARY and not vector else 1
    ks, cs, qs, ps = lists[0], lists[1], lists[2], lists[3]
    if plan[ROW_K]:
        ks[0], k_count = plan[ROW_K], 1
    else:
        k_count = sizes(plan[UNIT_K], lanes, ks)
    q_count = min(sizes(plan[Q], 1, qs), TRIED_COLUMNS)
    p_count = sizes(plan[P], 1, ps)
    best, found = 0.0, False
    in_rate = min(m.rate, m.act_word)
    for ik in range(k_count):
        k = ks[ik]
        k_words = ceil_div(k, lanes)
        if plan[PARAMS] and k_words * lanes > m.param_channels:
            continue
        nk = plan[SHAPE_K] // plan[UNIT_K] * ceil_div(plan[UNIT_K], k)
        if grouped:
            cs[0], c_count = group_span(plan, k, lanes), 1
        elif vector or matmul:
            cs[0], c_count = plan[SHAPE_C], 1
        else:
            c_count = sizes(plan[SHAPE_C], lanes, cs)
        for ic in range(c_count):
            c = cs[ic]
            nc = 1 if vector or grouped else ceil_div(plan[SHAPE_C], c)
            nc *= ceil_div(plan[R], rows_held)
            for iq in range(q_count):
                q = qs[iq]
                if q > m.output_words:
                    continue
                nq = ceil_div(plan[Q], q)
                tried = most_rows = 0
                for ip in range(p_count):
                    p = ps[ip]
                    if k_words * p * q > m.acc_words:
                        continue
                    in_words = input_demand(plan, k, c, p, q, rows_held, m)
                    if in_words > m.input_words:
                        continue
                    weight_words = weight_demand(plan, k, c, p, q, rows_held, m)
                    if weight_words > m.weight_words:
                        continue
                    tried += 1
                    most_rows = max(most_rows, p)
                    spatial = ceil_div(plan[P], p) * nq
                    tiles = nk * spatial * nc
                    input_cycles = in_words * m.act_word / in_rate
                    weight_cycles = weight_words * m.weight_word / m.rate
                    out_words = k_words * p * q
                    store = out_words * m.act_word / in_rate
                    drain = out_words * (lanes // m.ppu_lanes)
                    joined = (plan[OPERANDS] - 1) * tiles / nc * store
                    late = max(tiles / nc * (drain + 20), tiles / nc * (store + 20))
                    compute = -1
                    for choice in range(2):
                        if choice == 1 and (vector or plan[MASKED]):
                            break
                        k_first = choice == 0 and not plan[MASKED]
                        weight_loads = nk if nc == 1 and (k_first or nk == 1) else tiles
                        input_loads = spatial if nc == 1 and nk == 1 else tiles
                        if nc == 1 and not k_first:
                            input_loads = spatial
                        if vector:
                            input_loads = nk * spatial
                        load = input_loads * input_cycles + weight_loads * weight_cycles
                        load += joined
                        slowest = max(load, late)
                        # No tile takes less than nothing: what is dearer already needs no count of its cycles.
                        if found and slowest + input_cycles + weight_cycles + drain + store >= best:
                            continue
                        if compute < 0:
                            tile = Tile(
                                k, k if vector else c, p, q, rows_held, plan[S], plan[STRIDE_H], plan[STRIDE_W],
                                plan[DILATION_H], plan[DILATION_W], 0, 0, 1, 1, plan[KEPT],
                            )  # fmt: skip
                            compute = tile_cycles(op, tile, m, plan[DUAL])
                        slowest = max(slowest, float(tiles * (compute + COMMAND_CYCLES)))
                        cost = slowest + input_cycles + weight_cycles + min(compute, compute * nc) + drain + store
                        if not found or cost < best:
                            found, best = True, cost
                            out[TILE_K], out[TILE_C], out[TILE_P], out[TILE_Q] = k, c, p, q
                            out[ORDER], out[TILE_R] = KPQ if k_first else PQK, held
                    if tried == TRIED_ROWS:
                        break
                if most_rows >= enough_rows:
                    break
    return found


@uncounted
def choose(plan: Ints, m: Machine, lists: Ints, out: Ints) -> int:
    """The default tiling; ``FITS``, or the buffer that even the smallest tile does not fit."""
    held = plan[R]
    while True:
        if least_estimate(plan, 0 if held == plan[R] else held, m, lists, out):
            return FITS
        if held == 1 or plan[KEPT]:
            break
        held = ceil_div(held, 2)
    least = group_span(plan, m.lanes, m.lanes) if plan[SHAPE_GROUPS] > 1 else m.lanes
    out[TILE_K] = plan[ROW_K] if plan[ROW_K] else m.lanes
    out[TILE_C] = plan[SHAPE_C] if plan[MATMUL] else least
    out[TILE_P], out[TILE_Q], out[ORDER], out[TILE_R] = 1, 1, KPQ, 0
    if plan[R] > 1 and not plan[KEPT] and misfit(plan, out, m) != FITS:
        out[TILE_R] = 1
    return misfit(plan, out, m)


@uncounted
def useful_words(plan: Ints, m: Machine, out: Ints) -> None:
    """Words of input, weights, sums and output beyond which larger buffers change no choice of a plan's tiles.

    No tile that :func:`choose` looks at needs more, whatever the buffers are.
    """
    lanes = m.lanes
    k = plan[ROW_K] if plan[ROW_K] else ceil_div(plan[UNIT_K], lanes) * lanes
    c = ceil_div(max(plan[SHAPE_C], plan[GROUPS] * plan[C]), lanes) * lanes
    p, q = plan[P], plan[Q]
    out[0] = out[1] = 0
    held = plan[R]
    while True:  # part of the filter's rows may be held: fewer are not less in every array
        out[0] = max(out[0], input_demand(plan, k, c, p, q, held, m))
        out[1] = max(out[1], weight_demand(plan, k, c, p, q, held, m))
        if held == 1:
            break
        held = ceil_div(held, 2)
    out[2] = ceil_div(k, lanes) * p * q
    out[3] = q


@uncounted
def capped(source: Ints, plan: Ints, t: Ints, cap_p: int, cap_k: int, m: Machine, out: Ints) -> int:
    """A tiling as directives, cut to the caps, and read back for a plan: what a design's default mapping says.

    Args:
        source: the plan whose shape the tiling was chosen for.
        plan: the plan that it is for, another only of phases.
        t: the tiling.
        cap_p, cap_k: at most so many output rows and channels.
    """
    by = plan[MAPPED_BY]
    lanes = m.lanes
    k_total = plan[K]
    if by == BY_HEADS:
        k_total = min(t[TILE_K], source[K], cap_k)
    elif by == BY_ROWS:
        k_total = min(plan[K], cap_k)
    elif by == BY_CHANNELS:
        k_total = min(t[TILE_K], source[K], cap_k)
    else:
        groups = min(t[TILE_K] // source[K], source[GROUPS])
        k_total = min(groups, cap_k, plan[GROUPS]) * plan[K] if groups else min(t[TILE_K], cap_k)  # a part of one
    k = min(ceil_div(k_total, lanes) * lanes, plan[SHAPE_K])
    k = plan[ROW_K] if plan[ROW_K] else min(k, plan[UNIT_K])
    c = plan[SHAPE_C]
    if plan[SHAPE_GROUPS] > 1:
        c = group_span(plan, k, lanes)
    elif plan[OP] == _ARRAY and plan[GROUPS] == 1 and not plan[MATMUL]:
        c = min(ceil_div(min(t[TILE_C], plan[C]), lanes) * lanes, plan[SHAPE_C])
    out[TILE_K], out[TILE_C] = k, c
    out[TILE_P] = min(t[TILE_P], source[P], cap_p, plan[P])
    out[TILE_Q] = min(t[TILE_Q], source[Q], plan[Q])
    out[ORDER] = t[ORDER]
    held = t[TILE_R] if t[TILE_R] else source[R]
    out[TILE_R] = held if held < plan[R] and not plan[PHASE] else 0
    return misfit(plan, out, m)
