"""One chunk of columns from chains to energy, cycles and feasibility: the formulas of ``charges`` over columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accel_models.columns.codes import CAPACITY, OK
from accel_models.columns.counts import CHUNK, DIMS, STILL, cut_chains, put_row, working
from accel_models.columns.moves import move_operand, move_sums
from accel_models.jit import uncounted, uncounted_entry
from accel_models.reuse import charges
from accel_models.reuse.charges import DOUBLE
from accel_models.reuse.formulas import DIM_COUNT, I, O

_OK = np.float32(OK)
overlapped = uncounted(charges.overlapped)
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Shorts = NDArray[np.int32]


class Columns(NamedTuple):
    """The arrays of ``mappings.mapspace.MappingColumns`` that the kernel reads."""

    chains: NDArray[np.int32]
    orders: NDArray[np.int32]
    keeps: NDArray[np.uint8]


class Work(NamedTuple):
    """Scratch of one chunk and its results; ``c`` = chunk length, ``L`` levels; rows of dims: see ``batch_counts``.

    Attributes:
        trip, unit, tile: (9 L, c) pieces in time, over units; elements that one unit receives.
        key: (9 L, c) rank of a loop that moves.
        top: (8, 1, c) bounds of the layer. loads: (2, c) units along each axis.
        code, rank, row_at, col_at: (c,) verdict; innermost loop that moves; places in the tables of rows.
        times: (L + 1, c) entries of the tensor in hand. spread, active: (L + 1, c) by ``MachineTable.fans``.
        moving, parent, asked, kept, each, merged, shared, together, lost, factor: (c,) of the path in
            hand, see ``batch_moves`` and ``batch_windows``.
        own, peak: (L + 1, c) input elements of all tiles, window positions of the largest.
        fresh, evicted, back, up, sum_read, stored: (c,) of the sums in hand. sum_width: (L, c).
        read, write: (L, c) bits through the ports of a level.
        own_down, own_up, network, again: (L, c) bits into and out of the memories of a level from above, over the
            network below it; sums that come back.
        path_down, path_up: (L L, c) bits that level q sends to, takes from level m, at row L q + m.
        replaced, parents: (3 L, c) replacements of a tile; the level it comes from, at row L x + m.
        used_bits: (4, c) capacity taken by all, by I, W, O.
        cycles, energy_pj, compute: (c,) results.
    """

    trip: Singles
    unit: Singles
    tile: Singles
    key: Shorts
    top: NDArray[np.int32]
    loads: Singles
    code: Singles
    rank: Shorts
    row_at: Shorts
    col_at: Shorts
    times: Floats
    spread: Floats
    active: Floats
    moving: Floats
    parent: Floats
    asked: Floats
    kept: Floats
    each: Floats
    merged: Floats
    shared: Floats
    together: Floats
    lost: Floats
    factor: Floats
    own: Floats
    peak: Floats
    fresh: Floats
    evicted: Floats
    back: Floats
    up: Floats
    sum_read: Floats
    stored: Floats
    sum_width: Floats
    read: Floats
    write: Floats
    own_down: Floats
    own_up: Floats
    network: Floats
    again: Floats
    path_down: Floats
    path_up: Floats
    replaced: Floats
    parents: Floats
    used_bits: Floats
    cycles: Floats
    energy_pj: Floats
    compute: Floats


def new_work(levels: int) -> Work:
    """Scratch for chunks of ``CHUNK`` columns on ``levels`` memory levels."""
    rows = {
        **dict.fromkeys(("times", "spread", "active", "own", "peak"), levels + 1),
        **dict.fromkeys(("sum_width", "read", "write", "own_down", "own_up", "network", "again"), levels),
        **dict.fromkeys(("path_down", "path_up"), levels * levels),
        **dict.fromkeys(("replaced", "parents"), 3 * levels),
        "used_bits": 4,
    }
    given: dict[str, Any] = {
        **{name: np.ones((DIMS * levels, CHUNK), np.float32) for name in ("trip", "unit", "tile")},
        "key": np.full((DIMS * levels, CHUNK), STILL, np.int32),
        "code": np.zeros(CHUNK, np.float32),
        "loads": np.ones((2, CHUNK), np.float32),
        "top": np.ones((DIM_COUNT, 1, CHUNK), np.int32),
        **{name: np.zeros(CHUNK, np.int32) for name in ("rank", "row_at", "col_at")},
        **{name: np.ones((count, CHUNK)) for name, count in rows.items()},
    }
    return Work(**{name: given.get(name, np.ones(CHUNK)) for name in Work._fields})


@uncounted
def grow(size: int, level: int, a: int, b: int, c: int, e: int, tile: Any, row: int, total: Any) -> None:
    """Multiply ``total[row]`` by the tile of a level along four dims."""
    base = DIMS * level
    for j in range(size):
        total[row, j] *= (float(tile[base + a, j]) * float(tile[base + b, j])) * (
            float(tile[base + c, j]) * float(tile[base + e, j])
        )


@uncounted
def take_room(
    size: int, x: int, m: int, width: float, kept: Any, peak: Any, bound: float, used: Any, code: Any
) -> None:
    """Add the bits of the tile of I or W to what level ``m`` holds; ``CAPACITY + m`` where it has too little for it."""
    row, full, fine = 1 + x, np.float32(CAPACITY + m), np.float32(OK)
    for j in range(size):
        bits = used[row, j] * width * kept[j]
        bits *= peak[m, j] if x == I else 1.0
        used[0, j] += bits
        code[j] = max(code[j], full if bits > bound else fine)


@uncounted
def take_room_sums(
    size: int, m: int, halves: float, kept: Any, sum_width: Any, bound: float, used: Any, code: Any
) -> None:
    """The same of sums, at the width that the level stores them."""
    row, full, fine = 1 + O, np.float32(CAPACITY + m), np.float32(OK)
    for j in range(size):
        bits = used[row, j] * halves * kept[j] * sum_width[m, j]
        used[0, j] += bits
        code[j] = max(code[j], full if bits > bound else fine)


@uncounted
def hold(size: int, m: int, bound: float, used: Any, code: Any) -> None:
    """``CAPACITY + m`` where level ``m`` is too small for all its tiles together."""
    full, fine = np.float32(CAPACITY + m), np.float32(OK)
    for j in range(size):
        code[j] = max(code[j], full if used[0, j] > bound else fine)


@uncounted
def flag(lo: int, size: int, x: int, m: int, keeps: Any, kept: Any) -> None:
    """``kept[j]``: 1 where level ``m`` stores tensor ``x``."""
    for j in range(size):
        kept[j] = float((keeps[m, np.uint64(lo + j)] >> x) & 1)


@uncounted
def occupancy(lo: int, size: int, columns: Any, layer: Any, machine: Any, work: Any) -> None:
    """Bits of the largest tiles against the capacities; ``CAPACITY + m`` in ``work.code`` where level ``m`` is full."""
    used, dims = work.used_bits, layer.solid
    for m in range(machine.fanout.shape[0] - 1, 0, -1):
        bound = machine.capacity_bits[m]
        if min(bound[0], bound[1], bound[2], bound[3]) == np.inf:
            continue
        halves = 2.0 if machine.buffering[m] == DOUBLE else 1.0
        put_row(size, 0, used, 0.0)
        for x in range(3):
            put_row(size, 1 + x, used, 1.0)
        for x in range(3):
            if layer.exists[x] == 0 or machine.holds[m, x] == 0:
                continue
            flag(lo, size, x, m, columns.keeps, work.kept)
            grow(size, m - 1, dims[x, 0], dims[x, 1], dims[x, 2], dims[x, 3], work.tile, 1 + x, used)
            if dims[x, 4] < DIM_COUNT:
                grow(size, m - 1, dims[x, 4], dims[x, 5], dims[x, 6], dims[x, 7], work.tile, 1 + x, used)
            if x == O:
                take_room_sums(size, m, halves, work.kept, work.sum_width, bound[1 + x], used, work.code)
            else:
                take_room(size, x, m, halves * layer.width[x], work.kept, work.peak, bound[1 + x], used, work.code)
        if bound[0] < np.inf:
            hold(size, m, bound[0], used, work.code)


@uncounted
def port(size: int, m: int, fan: int, rate: float, moved: Any, active: Any, cycles: Any) -> None:
    """No less than the cycles that one port of level ``m`` is busy."""
    for j in range(size):
        cycles[j] = max(cycles[j], moved[m, j] / (rate * active[fan, j]))


@uncounted
def begin(size: int, operations: float, macs: int, active: Any, compute: Any, cycles: Any) -> None:
    """Steps: the work spread over the MACs that have any (exact: where all cuts divide, so does this)."""
    for j in range(size):
        steps = operations / active[macs, j]
        compute[j] = steps
        cycles[j] = steps


@uncounted
def whole_cycles(size: int, cycles: Any) -> None:
    """Rounded up as ``charges.ceil_cycles`` does."""
    for j in range(size):
        cycles[j] = np.ceil(cycles[j] - min(1e-3, 1e-9 * max(1.0, cycles[j])))


@uncounted
def cycles_of(size: int, layer: Any, machine: Any, work: Any) -> None:
    """``work.cycles``: the closed form of ``charges.latency``."""
    levels, fans = machine.fanout.shape[0], machine.fans
    working(size, machine, work)
    begin(size, float(layer.operations), fans[levels], work.active, work.compute, work.cycles)
    if machine.detail:
        for m in range(levels - 1, 0, -1):
            overlap(size, m, layer, machine, work)
    for m in range(levels):
        if machine.read_rate[m] > 0:
            port(size, m, fans[m], machine.read_rate[m], work.read, work.active, work.cycles)
        if machine.write_rate[m] > 0:
            port(size, m, fans[m], machine.write_rate[m], work.write, work.active, work.cycles)
    whole_cycles(size, work.cycles)


@uncounted
def overlap(size: int, m: int, layer: Any, machine: Any, work: Any) -> None:
    """Add to ``work.cycles`` what the filling and draining of level ``m`` costs; one level of ``charges.latency``."""
    mode, levels, fans, active = machine.buffering[m], machine.fanout.shape[0], machine.fans, work.active
    for j in range(size):
        fill, drain, fills, drains, pause = 0.0, 0.0, 0.0, 0.0, 0.0
        for x in range(3):
            row = levels * x + m
            if layer.exists[x] == 0 or machine.holds[m, x] == 0 or work.parents[row, j] < 0:
                continue
            if x != O or work.again[m, j] > 0:
                fills = max(fills, work.replaced[row, j])
                pause = max(pause, machine.wait[int(work.parents[row, j])])
            if x == O:
                drains = max(drains, work.replaced[row, j])
        for q in range(m):
            row = levels * q + m
            if machine.read_rate[q] > 0:
                fill = max(fill, work.path_down[row, j] / (machine.read_rate[q] * active[fans[q], j]))
            if machine.write_rate[q] > 0:
                drain = max(drain, work.path_up[row, j] / (machine.write_rate[q] * active[fans[q], j]))
        if machine.write_rate[m] > 0:
            fill = max(fill, work.own_down[m, j] / (machine.write_rate[m] * active[fans[m], j]))
        if machine.read_rate[m] > 0:
            drain = max(drain, work.own_up[m, j] / (machine.read_rate[m] * active[fans[m], j]))
        work.cycles[j] = overlapped(mode, work.cycles[j], fill, drain, fills, drains, pause)


@uncounted
def add_energy(size: int, m: int, read_pj: float, write_pj: float, read: Any, write: Any, energy: Any) -> None:
    """Energy of the accesses to a level."""
    for j in range(size):
        energy[j] += read[m, j] * read_pj + write[m, j] * write_pj


@uncounted
def energy_of(size: int, layer: Any, machine: Any, work: Any) -> None:
    """``work.energy_pj``: operations, accesses, networks and leakage; not a number where not modelled."""
    energy, cycles = work.energy_pj, work.cycles
    fixed, leakage_pj = layer.operations * machine.operation_pj, machine.leakage_pj
    for j in range(size):
        energy[j] = fixed + leakage_pj * cycles[j]
    for m in range(machine.fanout.shape[0]):
        add_energy(size, m, machine.read_pj[m], machine.write_pj[m], work.read, work.write, energy)
        if machine.detail and machine.network_pj[m] > 0:
            add_energy(size, m, machine.network_pj[m], 0.0, work.network, work.network, energy)


@uncounted
def clear(rows: int, size: int, total: Any) -> None:
    """Nothing moved yet."""
    for m in range(rows):
        put_row(size, m, total, 0.0)


@uncounted
def hand_out(lo: int, size: int, work: Any, energy_pj: Any, cycles: Any, compute: Any, code: Any) -> None:
    """The chunk's results to their columns; none where the code is not ``OK``."""
    for j in range(size):
        i = np.uint64(lo + j)
        fine, energy, total, steps = work.code[j] == _OK, work.energy_pj[j], work.cycles[j], work.compute[j]
        energy_pj[i] = energy if fine else np.nan
        cycles[i] = np.int64(total if fine else 0.0)
        compute[i] = np.int64(steps if fine else 0.0)
        code[i] = np.uint8(work.code[j])


@uncounted_entry
def evaluate_run(lo: int, hi: int, columns: Any, layer: Any, machine: Any, work: Any, out: Any) -> None:
    """Columns ``lo .. hi - 1``, all of one layer on one accelerator, a chunk at a time.

    Args:
        out: ``(energy_pj, cycles, compute_cycles, code)``, each as long as the columns; where the code is not ``OK``,
            the energy is not a number and the cycles are 0.
    """
    energy_pj, cycles, compute, code = out
    levels = machine.fanout.shape[0]
    for d in range(DIM_COUNT):
        for j in range(CHUNK):
            work.top[d, 0, j] = layer.bounds[d]
    for row in range(DIMS * levels):  # another layer may have left other sizes in dims that this one lacks
        put_row(CHUNK, row, work.trip, 1.0)
        put_row(CHUNK, row, work.unit, 1.0)
        put_row(CHUNK, row, work.tile, 1.0)
        put_row(CHUNK, row, work.key, STILL)
    for start in range(lo, hi, CHUNK):
        size = min(CHUNK, hi - start)
        cut_chains(start, size, columns, layer, machine, work)
        clear(levels, size, work.read)
        clear(levels, size, work.write)
        if machine.detail:
            clear(levels, size, work.own_down)
            clear(levels, size, work.own_up)
            clear(levels, size, work.network)
            clear(levels, size, work.again)
            clear(levels * levels, size, work.path_down)
            clear(levels * levels, size, work.path_up)
        for x in range(2):
            if layer.exists[x] == 1:
                move_operand(start, size, x, columns, layer, machine, work)
        if layer.exists[O] == 1:
            move_sums(start, size, columns, layer, machine, work)
        occupancy(start, size, columns, layer, machine, work)
        cycles_of(size, layer, machine, work)
        energy_of(size, layer, machine, work)
        hand_out(start, size, work, energy_pj, cycles, compute, code)
