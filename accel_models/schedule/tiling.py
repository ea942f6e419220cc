"""Tile sizes of a layer on one of our accelerators: read from a mapping, or chosen."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from accel_models.report import Infeasible
from accel_models.schedule.commands import ComputeOp
from accel_models.schedule.fusing import is_table
from accel_models.template.array_timing import array_accesses, ceil_div
from accel_models.template.spec import ArrayKind, Template
from accel_models.template.tile import Tile
from accel_models.template.unit_timing import compute_cycles
from accel_models.template.weight_form import WHOLE, WeightForm, skipped_to, weight_form
from mappings.layer import Layer, Op
from mappings.mapping import Mapping
from mappings.operators import Unit

COMMAND_CYCLES = 60  #: rough price of one tile's commands, for choosing tiles only
PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512)  #: into which an extent is cut evenly
TRIED_COLUMNS, TRIED_ROWS = 6, 4  #: cuts of Q that are tried, largest first; cuts of P that fit, for each of those


class Tiling(NamedTuple):
    """Tiles that the chip receives, and the order in which they come.

    Attributes:
        k, c: output and input channels, in whole channel words but for the last; ``c`` counts where the array sums.
        p, q: output rows and columns.
        order: K, P, Q outermost first; tiles of ``c`` are always innermost, as their sums stay on chip.
        r: rows of the filter or window that are held at a time, the sums staying on chip; 0: all.
    """

    k: int
    c: int
    p: int
    q: int
    order: str
    r: int = 0


class Shape(NamedTuple):
    """What tiling needs of a layer: channels over all groups, in whole words.

    Attributes:
        op: what the compute unit does for it.
        groups: 1 but where the array convolves in groups.
        row_k: channels that no tile may cut: a softmax's or layer norm's row; 0: no such.
        unit_k: channels that a tile of the output may span: a head of a matrix product; else all.
        weights: fills the weight buffer.
        params: bias, multiplier and shift by channel.
        operands: activations read for an output: 2 where a second operand joins in post-processing.
        table: an activation function that stands alone: a table in post-processing.
        masked: a softmax's mask, a bit for each place and channel, fills the weight buffer.
        form: how the weights lie there.
        kept: filter taps of each block of channels that the array passes over, the others being skipped; 0: all.
    """

    op: ComputeOp
    k: int
    c: int
    p: int
    q: int
    r: int
    s: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    row_k: int
    unit_k: int
    weights: bool
    params: bool
    operands: int
    table: bool
    masked: bool
    form: WeightForm = WHOLE
    kept: int = 0

    @property
    def vector(self) -> bool:
        """An output channel needs its own input channel alone, or its row's."""
        return self.op is not ComputeOp.ARRAY


#: What a unit does for an operator that is no sum over a window; a copy or a stand-alone function is a sum of one.
_COMPUTED = {Op.MAXPOOL: ComputeOp.MAX, Op.SOFTMAX: ComputeOp.SOFTMAX, Op.LAYERNORM: ComputeOp.NORM}


def compute_op(layer: Layer, template: Template) -> ComputeOp:
    """Which engine runs a layer, and how."""
    if layer.is_depthwise:
        return ComputeOp.DEPTHWISE
    spec = layer.op.spec
    if spec.function and layer.activation == "gelu" and not is_table(layer, template):
        return ComputeOp.GELU
    if spec.unit is Unit.ARRAY:
        return ComputeOp.ARRAY
    return _COMPUTED.get(layer.op, ComputeOp.SUM)


def shape_of(layer: Layer, template: Template) -> Shape:
    """The layer as the accelerator sees it."""
    op, lanes = compute_op(layer, template), template.word_lanes
    spec = layer.op.spec
    heads, product = spec.heads, spec.is_product
    row = ceil_div(layer.K, lanes) * lanes
    k = layer.groups * row if heads else ceil_div(layer.channels_out, lanes) * lanes
    c = ceil_div(layer.C if heads else layer.channels_in, lanes) * lanes
    weights = op in (ComputeOp.ARRAY, ComputeOp.DEPTHWISE)
    stored = weights and not product
    form = weight_form(template, layer.bits.W, op is ComputeOp.ARRAY) if stored else WHOLE
    return Shape(
        op=op,
        k=k,
        c=c if op is ComputeOp.ARRAY else lanes,
        p=layer.P,
        q=layer.Q,
        r=layer.R,
        s=layer.S,
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups if op is ComputeOp.ARRAY and not heads else 1,
        row_k=row if op in (ComputeOp.SOFTMAX, ComputeOp.NORM) else 0,
        unit_k=row if product else k,
        weights=weights,
        params=spec.channel_values,
        operands=2 if spec.joins else 1,
        table=is_table(layer, template),
        masked=layer.masked,
        form=form,
        kept=skipped_to(layer, template, form),
    )


def span(outputs: int, taps: int, stride: int, dilation: int) -> int:
    """Input rows (or columns) under ``outputs`` of the output."""
    return (outputs - 1) * stride + (taps - 1) * dilation + 1


def demand(shape: Shape, t: Tiling, template: Template) -> dict[str, tuple[int, int]]:
    """Words that a tile takes of each buffer's half, and what there is."""
    lanes = template.word_lanes
    k_words, c_words = ceil_div(t.k, lanes), ceil_div(t.c, lanes)
    in_words = k_words if shape.vector else c_words
    pixels = span(t.p, t.r or shape.r, shape.stride[0], shape.dilation[0]) * span(
        t.q, shape.s, shape.stride[1], shape.dilation[1]
    )
    if shape.masked:
        weights = k_words * t.p * t.q
    elif not shape.weights:
        weights = 0
    elif shape.vector:
        weights = shape.form.stored_words(k_words * (t.r or shape.r) * shape.s * (lanes // template.cols))
    else:
        tile = Tile(t.k, t.c, t.p, t.q, t.r or shape.r, shape.s, kept=shape.kept)
        weights = weight_words(template, tile, shape.form)
    return {
        "input_buffer_bytes": (in_words * pixels, template.input_words),
        "weight_buffer_bytes": (weights, template.weight_words),
        "acc_buffer_bytes": (k_words * t.p * t.q, template.acc_words),
        "output_buffer_bytes": (t.q, template.output_words),
        "param_buffer_bytes": (k_words * lanes if shape.params else 0, template.param_channels),
    }


def weight_words(template: Template, tile: Tile, form: WeightForm = WHOLE) -> int:
    """Words of the weight buffer that an array tile takes: channels and filter taps decide."""
    cols = template.cols << form.dual
    weight_extents = (tile.k, tile.c, tile.r, tile.s, tile.kept)
    return form.stored_words(_weight_words(template.array, template.rows, cols, *weight_extents))


@lru_cache(maxsize=65536)
def _weight_words(kind: ArrayKind, rows: int, cols: int, k: int, c: int, r: int, s: int, kept: int) -> int:
    return array_accesses(kind, rows, cols, Tile(k, c, 1, 1, r, s, kept=kept)).weight_words


def check(shape: Shape, t: Tiling, template: Template, where: str) -> Infeasible | None:
    """The first buffer that a tile does not fit, or None."""
    units = {"input_buffer_bytes": template.act_word_bytes, "weight_buffer_bytes": template.weight_word_bytes}
    units |= {"acc_buffer_bytes": template.word_lanes * template.acc_bits // 8}
    units |= {"output_buffer_bytes": template.act_word_bytes, "param_buffer_bytes": 16}
    for name, (need, bound) in demand(shape, t, template).items():
        if need > bound:
            scale = units[name]
            return Infeasible(name, need * scale, bound * scale, "bytes", "smaller tiles or a larger buffer", where)
    return None


def tiling_of(layer: Layer, mapping: Mapping, template: Template) -> Tiling | Infeasible:
    """The tiles that a mapping's DRAM level asks for, rounded up to whole channel words.

    Infeasible where partial sums would have to leave the chip, where images are not the outermost loop, where a filter
    is cut (by rows: one whose taps are skipped), or where a buffer is too small.
    """
    lanes = template.word_lanes
    shape = shape_of(layer, template)
    sizes = dict(layer.bounds)
    order: list[str] = []
    images = [item for item in mapping.levels[0] if item.dim == "N"]
    if layer.N > 1 and images and (images[0].size > 1 or mapping.levels[0][0].dim != "N"):
        remedy = "make TemporalMap(1) N the outermost loop of the DRAM level, or leave N out"
        return Infeasible("images at a time", images[0].size, 1, "images", remedy, layer.name)
    for item in mapping.levels[0]:
        sizes[item.dim] = min(item.size, sizes[item.dim])
        order.append(item.dim)
    if sizes["S"] < layer.S:
        return Infeasible("filter S", layer.S, sizes["S"], "taps", "map S whole at the DRAM level", layer.name)
    if shape.kept and sizes["R"] < layer.R:
        remedy = "map R whole at the DRAM level where taps are skipped"
        return Infeasible("filter R", layer.R, sizes["R"], "taps", remedy, layer.name)
    cut = [dim for dim in order if dim in "GKCPQ" and sizes[dim] < layer.bounds[dim]]
    if "C" in cut and cut[-1] != "C":
        remedy = "make C the innermost loop of the DRAM level"
        return Infeasible("accumulators", 1, 0, "partial sums", remedy, layer.name)
    heads = layer.op.spec.is_product
    k = min(ceil_div(sizes["K"] if heads else sizes["G"] * sizes["K"], lanes) * lanes, shape.k)
    k = shape.row_k or min(k, shape.unit_k)
    c = min(ceil_div(sizes["C"], lanes) * lanes, shape.c)
    if shape.vector or shape.groups > 1 or heads:
        c = shape.c
    places = ["K" if dim == "G" else dim for dim in order if dim in "GKPQ"]
    places += [dim for dim in "KPQ" if dim not in places]
    held = sizes["R"] if sizes["R"] < layer.R else 0
    tiling = Tiling(k, c, sizes["P"], sizes["Q"], "".join(dict.fromkeys(places)), held)
    if shape.groups > 1:
        tiling = tiling._replace(c=group_span(layer, tiling.k, lanes))
    return check(shape, tiling, template, layer.name) or tiling


def group_span(layer: Layer, k: int, lanes: int) -> int:
    """Most input channels, in whole words, under ``k`` neighbouring output channels of a grouped convolution."""
    worst = 0
    for first in range(0, layer.channels_out, k):
        last = min(first + k, layer.channels_out) - 1
        low = first // layer.K * layer.C // lanes
        high = ceil_div((last // layer.K + 1) * layer.C, lanes)
        worst = max(worst, high - low)
    return worst * lanes


def _sizes(total: int, step: int) -> list[int]:
    """Even cuts of ``total`` into 1, 2, 3, 4, 6, 8, 12, ... parts, in multiples of ``step``."""
    found = {ceil_div(ceil_div(total, part), step) * step for part in PARTS} | {step}
    return sorted((min(size, total) for size in found), reverse=True)


def estimate(shape: Shape, t: Tiling, template: Template) -> float:
    """Rough cycles of a layer: the slowest of its streams, and what nothing hides. Ranks tilings; predicts nothing."""
    lanes, bandwidth = template.word_lanes, template.dram_bytes_per_cycle
    nk = shape.k // shape.unit_k * ceil_div(shape.unit_k, t.k)
    np_, nq = ceil_div(shape.p, t.p), ceil_div(shape.q, t.q)
    nc = 1 if shape.vector or shape.groups > 1 else ceil_div(shape.c, t.c)
    nc *= ceil_div(shape.r, t.r or shape.r)
    need = demand(shape, t, template)
    tiles, spatial = nk * np_ * nq * nc, np_ * nq
    c = t.k if shape.vector else t.c
    tile = Tile(t.k, c, t.p, t.q, t.r or shape.r, shape.s, *shape.stride, *shape.dilation, kept=shape.kept)
    compute = compute_cycles(shape.op, tile, template, shape.form.dual)
    weight_loads = nk if nc == 1 and (t.order[0] == "K" or nk == 1) else tiles
    input_loads = spatial if nc == 1 and nk == 1 else tiles
    if nc == 1 and t.order[-1] == "K":
        input_loads = spatial
    if shape.vector:
        input_loads = nk * spatial
    in_rate = min(bandwidth, template.act_word_bytes)
    input_cycles = need["input_buffer_bytes"][0] * template.act_word_bytes / in_rate
    weight_cycles = need["weight_buffer_bytes"][0] * template.weight_word_bytes / bandwidth
    out_words = ceil_div(t.k, lanes) * t.p * t.q
    store = out_words * template.act_word_bytes / in_rate
    load = input_loads * input_cycles + weight_loads * weight_cycles
    load += (shape.operands - 1) * tiles / nc * store
    drain = out_words * (lanes // template.ppu_lanes)
    streams = (load, tiles * (compute + COMMAND_CYCLES), tiles / nc * (drain + 20), tiles / nc * (store + 20))
    return max(streams) + input_cycles + weight_cycles + min(compute, compute * nc) + drain + store


def choose_tiling(layer: Layer, template: Template) -> Tiling | Infeasible:
    """The tiling with the least :func:`estimate` among even cuts that fit the buffers.

    All rows of the filter at a time where they fit, else half of them, and so on; where taps are skipped, all alone.
    """
    shape = shape_of(layer, template)
    held = shape.r
    while True:
        found = _least_estimate(layer, shape, template, 0 if held == shape.r else held)
        if found is not None or held == 1 or shape.kept:
            break
        held = ceil_div(held, 2)
    if found is not None:
        return found
    lanes = template.word_lanes
    least = group_span(layer, lanes, lanes) if shape.groups > 1 else lanes
    smallest = Tiling(shape.row_k or lanes, shape.c if layer.op.spec.is_product else least, 1, 1, "KPQ")
    # The search above tries the larger cuts of Q alone: where single columns fit, the smallest tile is what is left.
    if shape.r > 1 and not shape.kept and check(shape, smallest, template, layer.name) is not None:
        smallest = smallest._replace(r=1)
    return check(shape, smallest, template, layer.name) or smallest


def _least_estimate(layer: Layer, shape: Shape, template: Template, held: int) -> Tiling | None:
    """The best tiling that holds so many rows of the filter at a time; 0: all."""
    lanes = template.word_lanes
    best: tuple[float, Tiling] | None = None
    orders = ("PQK",) if shape.masked else ("KPQ",) if shape.vector else ("KPQ", "PQK")  # heads share their mask
    # A tile of fewer output rows than columns of PEs leaves those of a row-stationary array idle: then narrower tiles
    # are tried as well.
    by_rows = template.array is ArrayKind.ROW_STATIONARY and shape.op is ComputeOp.ARRAY
    enough_rows = min(shape.p, template.cols) if by_rows else 1
    for k in [shape.row_k] if shape.row_k else _sizes(shape.unit_k, lanes):
        if shape.groups > 1:
            channels = [group_span(layer, k, lanes)]
        else:
            whole = shape.vector or layer.op.spec.is_product
            channels = [shape.c] if whole else _sizes(shape.c, lanes)
        for c in channels:
            for q in _sizes(shape.q, 1)[:TRIED_COLUMNS]:
                tried = most_rows = 0
                for p in _sizes(shape.p, 1):
                    tiling = Tiling(k, c, p, q, orders[0], held)
                    if any(need > bound for need, bound in demand(shape, tiling, template).values()):
                        continue
                    for order in orders:
                        tiling = tiling._replace(order=order)
                        cost = estimate(shape, tiling, template)
                        if best is None or cost < best[0]:
                            best = (cost, tiling)
                    tried += 1
                    most_rows = max(most_rows, p)
                    if tried == TRIED_ROWS:
                        break
                if most_rows >= enough_rows:
                    break
    return None if best is None else best[1]
