"""The formulas of one tile's cycles and accesses, compiled from the files that define them."""

from __future__ import annotations

from accel_models.columns.compiled import compile_module
from accel_models.jit import uncounted
from accel_models.pricing.machine import Machine
from accel_models.schedule.commands import ComputeOp
from accel_models.template import array_timing as _plain_arrays
from accel_models.template import vector_timing as _plain_units
from accel_models.template.energy import SCANS
from accel_models.template.spec import ArrayKind
from accel_models.template.tile import Tile

KINDS = tuple(ArrayKind)  #: an array's code is its place here
_WEIGHT_STATIONARY = KINDS.index(ArrayKind.WEIGHT_STATIONARY)
_OUTPUT_STATIONARY = KINDS.index(ArrayKind.OUTPUT_STATIONARY)
_ROW_STATIONARY = KINDS.index(ArrayKind.ROW_STATIONARY)
_CHANNEL_PARALLEL = KINDS.index(ArrayKind.CHANNEL_PARALLEL)
_ARRAY, _DEPTHWISE = int(ComputeOp.ARRAY), int(ComputeOp.DEPTHWISE)
_SOFTMAX, _NORM, _GELU = int(ComputeOp.SOFTMAX), int(ComputeOp.NORM), int(ComputeOp.GELU)
_SOFTMAX_SCANS, _NORM_SCANS = SCANS[ComputeOp.SOFTMAX], SCANS[ComputeOp.NORM]

units = compile_module(_plain_units)
arrays = compile_module(_plain_arrays)
ceil_div, product_outputs = arrays.ceil_div, arrays.product_outputs


@uncounted
def tile_cycles(op: int, tile: Tile, m: Machine, dual: int) -> int:
    """Cycles of one tile, with ``dual`` 1 with pairs of weights; `accel_models.template.unit_timing` in numbers."""
    if op == _ARRAY:
        cols = m.cols << dual
        if m.array == _WEIGHT_STATIONARY:
            return int(units.weight_stationary_cycles(m.rows, cols, tile))
        if m.array == _OUTPUT_STATIONARY:
            return int(arrays.output_stationary_tile_cycles(m.rows, cols, tile))
        if m.array == _ROW_STATIONARY:
            return int(arrays.row_stationary_tile_cycles(m.rows, cols, tile))
        if m.array == _CHANNEL_PARALLEL:
            return int(arrays.channel_parallel_cycles(m.rows, cols, tile))
        return int(arrays.loop_tile_cycles(m.rows, cols, tile))
    if op >= _SOFTMAX:
        groups = ceil_div(tile.c, m.lanes) * (m.lanes // max(m.nonlinear_lanes, 1))
        pixels = tile.p * tile.q
        if op == _GELU:
            return int(units.gelu_cycles(groups * pixels))
        return int(units.softmax_cycles(groups, pixels) if op == _SOFTMAX else units.norm_cycles(groups, pixels))
    words = m.lanes // m.cols if op == _DEPTHWISE else 0
    return int(units.vector_cycles(m.lanes, m.vector_taps, words, tile))


@uncounted
def array_weight_words(m: Machine, k: int, c: int, r: int, s: int, pack: int, dual: int, kept: int) -> int:
    """Words of the weight buffer that an array tile takes, ``pack`` words of weights in each; ``kept``: of its taps."""
    cols = m.cols << dual
    if m.array == _ROW_STATIONARY:
        passes = ceil_div(k, cols) * arrays.row_stationary_passes(m.rows, m.cols, c, r)
        return int(ceil_div(passes * s * m.rows, pack))
    if m.array == _OUTPUT_STATIONARY:
        return int(ceil_div(ceil_div(k, cols) * c * r * s, pack))
    words = (kept or r * s) * arrays.tree_weight_words(m.rows, kept)
    return int(ceil_div(ceil_div(k, cols) * ceil_div(c, m.rows) * words, pack))


@uncounted
def tile_accesses(op: int, tile: Tile, m: Machine, dual: int) -> tuple[int, int, int, int]:
    """Input words and weight words read, sums written, multiplications by estimate; see `template.energy.count`."""
    if op == _ARRAY:
        cols = m.cols << dual
        if m.array == _ROW_STATIONARY:
            moved = arrays.row_stationary_accesses(m.rows, cols, tile)
        elif m.array == _OUTPUT_STATIONARY:
            moved = arrays.output_stationary_accesses(m.rows, cols, tile)
        elif m.array == _CHANNEL_PARALLEL:
            moved = arrays.channel_parallel_accesses(m.rows, cols, tile)
        else:
            moved = arrays.loop_tile_accesses(m.rows, cols, tile)
        return moved.input_reads, moved.weight_reads, moved.acc_writes, 0
    sums = ceil_div(tile.k, m.lanes) * tile.p * tile.q * tile.r * tile.s
    scans = _SOFTMAX_SCANS if op == _SOFTMAX else _NORM_SCANS if op == _NORM else 1
    if op == _DEPTHWISE:
        weights = ceil_div(tile.k, m.lanes) * tile.r * tile.s * ceil_div(m.lanes, m.cols)
        return sums * scans, weights, sums, 0
    return sums * scans, 0, sums, sums * scans * min(m.lanes, tile.k)
