"""What the batch model reads beside the columns: a layer and an accelerator as arrays of numbers."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accel_models.hardware.accelerator import Accelerator, Buffering
from accel_models.hardware.energy import leakage_mw, operation_pj, static_pj, waiting_mw
from accel_models.reuse import formulas
from accel_models.reuse.evaluate import MAX_COUNT, MODES
from mappings.errors import Fault, SpecError
from mappings.layer import TENSORS, Layer
from mappings.loops import LOOP_OPS, Window, bounds_of, relevance, tensors_of, windows_of
from mappings.mapspace import divisors

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
#: A step of work moves an operand through a port once, a sum three times (stored, read to be added to, read to go up):
#: no total of one port exceeds this many elements a step.
COUNTS_A_STEP = 8
#: Largest table of rows, and largest extent of a dim; layers beyond are counted by the compiled formulas.
MAX_TABLE, MAX_SIZE = 1 << 20, 1 << 23
#: Largest P, Q, R, S with a table of overlaps.
MAX_SLIDING = 2048


def _filled(rows: list[list[int]], length: int) -> Ints:
    """Lists of dims as one array, filled up with the dim that no layer has."""
    return np.array([(row + [formulas.DIM_COUNT] * length)[:length] for row in rows], np.int64)


class LayerTable(NamedTuple):
    """One layer.

    Attributes:
        bounds: (8,).
        relevant: (3, 8): 1 where tensor depends on dim.
        exists: (3,): 1 where the operator has the tensor and touches an element of it.
        width: (4,) bits of I, W, O, partial sum.
        windows: (2, 5), see ``formulas.STRIDE``.
        row_total, col_total: input rows, columns of all tiles together by (output tile, tap tile); see ``row_table``.
        row_peak, col_peak: of the largest tile.
        row_tiles, col_tiles: total and peak as float64, by output tile x (R + 1) + tap tile: ((P + 1) (R + 1), 2).
        scans: how often the operator goes through its inputs.
        operations: steps of work of all units together.
        depends: (3, 8) dims of more than one element that each tensor depends on, filled up with dim 8.
        solid: (3, 8) the same without those of the input's windows.
        misses: (3, 4) dims of more than one element that each tensor is missing, filled up with dim 8.
        closed: whether the closed forms hold: tables of the rows, float32 sizes, float64 counts, ``misses`` complete.
        overflows: True where a count of bits might not fit ``MAX_COUNT``.
    """

    bounds: Ints
    relevant: Ints
    exists: Ints
    width: Ints
    windows: Ints
    row_total: Ints
    row_peak: Ints
    col_total: Ints
    col_peak: Ints
    row_tiles: Floats
    col_tiles: Floats
    scans: int
    operations: int
    depends: Ints
    solid: Ints
    misses: Ints
    closed: bool
    overflows: bool


class MachineTable(NamedTuple):
    """One accelerator with ``L`` levels of memory, and what the layer's kind of operation costs on it.

    Attributes:
        fanout: (L, 2) units along each axis.
        fans: (L + 1,) how many levels above have more than one unit below.
        multicast, reduction, buffering: (L,).
        holds: (L, 3): 1 where the level can store the tensor.
        slides: (L,) 1 where overlaps of inputs stay when a window slides on.
        place: (4, most) where each divisor of P, Q, R, S stands among them; one row: there is no table of overlaps.
        overlap: (4, n, n, n) rows that stay in all when P, Q, R or S slides, by ``place`` of its tile, of what is above
            the loop, and of the tile of the dim that shares its window.
        capacity_bits: (L, 4): all tensors together, then I, W, O apart; infinite where there is no such bound.
        read_rate, write_rate: (L,) bits a cycle of one memory; 0: unbounded.
        wait: (L,) cycles.
        read_pj, write_pj, network_pj: (L,) a bit.
        operation_pj: of one step of work of one unit.
        leakage_pj: a cycle.
        detail: whether cycles or energy depend on more than the bits of each level's ports.
    """

    fanout: Ints
    fans: Ints
    multicast: Ints
    reduction: Ints
    buffering: Ints
    holds: Ints
    slides: Ints
    place: Ints
    overlap: Floats
    capacity_bits: Floats
    read_rate: Floats
    write_rate: Floats
    wait: Floats
    read_pj: Floats
    write_pj: Floats
    network_pj: Floats
    operation_pj: float
    leakage_pj: float
    detail: bool


@lru_cache(maxsize=1024)
def row_table(window: Window, p: int, r: int) -> tuple[Ints, Ints]:
    """Input rows under a window over ``p`` outputs and ``r`` taps, by tile sizes that divide them; 0 elsewhere.

    Returns:
        (p + 1, r + 1): rows of all tiles together, each tile bringing its own; rows of the largest tile.
    """
    total, peak = (np.zeros((p + 1, r + 1), np.int64) for _ in range(2))
    work = [0] * 4
    for tile_p in divisors(p):
        for tile_r in divisors(r):
            p_chain, r_chain = (tile_p,) * 3, (tile_r,) * 3
            total[tile_p, tile_r] = formulas.rows(window, p, p_chain, 1, r, r_chain, 1, 1, 1, work)
            peak[tile_p, tile_r] = formulas.peak_rows(window, p, p_chain, r, r_chain, 1)
    return total, peak


_NO_OVERLAP: tuple[Ints, Floats] = (np.zeros((1, 1), np.int64), np.zeros((1, 1, 1, 1)))


@lru_cache(maxsize=256)
def overlap_table(layer: Layer) -> tuple[Ints, Floats]:
    """``place`` and ``overlap`` of :class:`MachineTable`; none for a layer without closed forms."""
    bounds, windows = bounds_of(layer)[formulas.P :], windows_of(layer)
    if not layer_table(layer).closed or max(bounds) > MAX_SLIDING:
        return _NO_OVERLAP
    sizes = [divisors(bound) for bound in bounds]
    place = np.zeros((4, max(bounds) + 1), np.int64)
    for d, values in enumerate(sizes):
        place[d, values] = range(len(values))
    most = max(map(len, sizes))
    overlap = np.zeros((4, most, most, most))
    for d, e in ((0, 2), (1, 3), (2, 0), (3, 1)):
        for (i, tile), (k, above), (n, other) in product(*map(enumerate, (sizes[d], sizes[d], sizes[e]))):
            if tile < above and above % tile == 0:  # above: what level 0 gives; level 1 cuts it
                chain, beside = (above,) * 3 + (tile,) * 3, (other,) * 6
                overlap[d, i, k, n] = formulas.overlap(
                    windows[d % 2], bounds[d], chain, 1, bounds[e], beside, 2, 2, d >= 2
                )
    return place, overlap


@lru_cache(maxsize=4096)
def layer_table(layer: Layer) -> LayerTable:
    """A layer as arrays.

    Raises:
        SpecError: an operator without loops.
    """
    if layer.op not in LOOP_OPS:
        raise SpecError(Fault(f"layer {layer.name}", f'operator "{layer.op}" has no loops to map', ", ".join(LOOP_OPS)))
    bounds = bounds_of(layer)
    windows = windows_of(layer)
    closed = all((bounds[d] + 1) * (bounds[d + 2] + 1) <= MAX_TABLE for d in (formulas.P, formulas.Q))
    none = np.zeros((2, 2), np.int64)
    scans = layer.op.spec.scans
    steps = math.prod(bounds) * scans
    bits = COUNTS_A_STEP * steps * max(layer.bits.I, layer.bits.W, layer.bits.O, layer.bits.acc)
    relevant, real = relevance(layer.op), [d for d in range(formulas.DIM_COUNT) if bounds[d] > 1]
    depends = [[d for d in real if row[d]] for row in relevant]
    solid = [[d for d in row if x != formulas.I or d < formulas.P] for x, row in enumerate(depends)]
    misses = [
        [d for d in real if exists and not row[d]] for exists, row in zip(tensors_of(layer.op), relevant, strict=True)
    ]
    rows = cols = (none, none)
    if closed:
        try:
            rows = row_table(windows[0], bounds[formulas.P], bounds[formulas.R])
            cols = row_table(windows[1], bounds[formulas.Q], bounds[formulas.S])
        except OverflowError:  # padding that the formulas do not walk
            closed = False
    exists = np.array(tensors_of(layer.op), np.int64)
    if closed and 0 in (
        rows[0][bounds[formulas.P], bounds[formulas.R]],
        cols[0][bounds[formulas.Q], bounds[formulas.S]],
    ):
        exists[formulas.I] = 0  # every window lies in the padding
    return LayerTable(
        bounds=np.array(bounds, np.int64),
        relevant=np.array(relevant, np.int64),
        exists=exists,
        width=np.array((layer.bits.I, layer.bits.W, layer.bits.O, layer.bits.acc), np.int64),
        windows=np.array(windows, np.int64),
        row_total=rows[0],
        row_peak=rows[1],
        col_total=cols[0],
        col_peak=cols[1],
        row_tiles=np.stack(rows, axis=-1).reshape(-1, 2).astype(np.float64),
        col_tiles=np.stack(cols, axis=-1).reshape(-1, 2).astype(np.float64),
        scans=scans,
        operations=steps,
        depends=_filled(depends, formulas.DIM_COUNT),
        solid=_filled(solid, formulas.DIM_COUNT),
        misses=_filled(misses, 4),
        closed=closed and bits < 2**53 and max(bounds) <= MAX_SIZE and max(map(len, misses)) <= 4,
        overflows=bits > MAX_COUNT,
    )


@lru_cache(maxsize=4096)
def machine_table(layer: Layer, accelerator: Accelerator) -> MachineTable:
    """An accelerator as arrays, with the energy of an operation of this layer (not a number: not modelled)."""
    levels = accelerator.levels
    capacity = np.full((len(levels), 4), np.inf)
    for m, level in enumerate(levels[1:], start=1):
        if isinstance(level.capacity_bytes, int):
            capacity[m, 0] = level.capacity_bytes * 8
        elif level.capacity_bytes is not None:
            for tensor, size in level.capacity_bytes:
                capacity[m, 1 + TENSORS.index(tensor)] = size * 8
    access = [level.access_pj_per_byte(accelerator.tech, accelerator.part) for level in levels]
    network = [level.network_pj_per_byte for level in levels]
    buffering = [MODES[level.buffering] for level in levels]
    step_pj, static = operation_pj(layer, accelerator), leakage_mw(accelerator, layer.bits)
    still_mw = (static or 0.0) + waiting_mw(accelerator)
    detail = (
        any(mode != MODES[Buffering.STREAM] for mode in buffering[1:])
        or any(level.latency_cycles for level in levels)
        or any(one is not None for one in network)
    )
    fanout = [(*level.fanout, 1, 1)[:2] for level in levels]
    place, overlap = overlap_table(layer) if any(level.keeps_overlap for level in levels) else _NO_OVERLAP
    return MachineTable(
        fanout=np.array(fanout, np.int64),
        fans=np.cumsum([0, *(level.units > 1 for level in levels)]),
        multicast=np.array([level.multicast for level in levels], np.int64),
        reduction=np.array([level.spatial_reduction for level in levels], np.int64),
        buffering=np.array(buffering, np.int64),
        holds=np.array([[int(x in level.tensors) for x in TENSORS] for level in levels], np.int64),
        slides=np.array([level.keeps_overlap for level in levels], np.int64),
        place=place,
        overlap=overlap,
        capacity_bits=capacity,
        read_rate=np.array([8 * (level.read_bytes_per_cycle or 0) for level in levels], np.float64),
        write_rate=np.array([8 * (level.write_bytes_per_cycle or 0) for level in levels], np.float64),
        wait=np.array([level.latency_cycles for level in levels], np.float64),
        read_pj=np.array([np.nan if one[0] is None else one[0] / 8 for one in access]),
        write_pj=np.array([np.nan if one[1] is None else one[1] / 8 for one in access]),
        network_pj=np.array([0.0 if one is None else one / 8 for one in network]),
        operation_pj=float("nan") if step_pj is None else step_pj,
        leakage_pj=static_pj(still_mw, 1, accelerator.clock_hz),
        detail=bool(detail),
    )
