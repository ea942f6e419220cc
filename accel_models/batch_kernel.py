"""One chunk of columns from chains to energy, cycles and feasibility: the formulas of ``charges`` over columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accel_models import charges
from accel_models.batch_codes import CAPACITY, OK
from accel_models.batch_counts import CHUNK, cut_chains, entries
from accel_models.batch_moves import move_operand, move_sums, replacements
from accel_models.charges import DOUBLE
from accel_models.formulas import DIM_COUNT, I, O, P, Q, R, S
from accel_models.jit import compiled, entry

overlapped = compiled(charges.overlapped)


class Columns(NamedTuple):
    """The arrays of ``mappings.mapspace.MappingColumns`` that the kernel reads."""

    chains: NDArray[np.int32]
    orders: NDArray[np.int32]
    keeps: NDArray[np.uint8]


class Work(NamedTuple):
    """Scratch of one chunk and its results; ``c`` = chunk length, ``L`` levels.

    Attributes:
        trips, units: (L, 8, c) pieces in time, over units.
        times: (L + 2, c). spread: (L + 1, c). scratch: (16, c).
        kept: (L, 3, c) 1 where the level stores the tensor.
        fresh, evicted, sum_width: (L, c), see ``batch_moves.move_sums``.
        read, write: (L, c) bits through the ports of a level.
        own_down, own_up: (L, c) bits into, out of the memories of a level from above.
        path_down, path_up: (L, L, c) bits that level q sends to, takes from level m.
        network: (L, c) bits over the network below a level.
        replaced: (L, 3, c). again: (L, c) sums that come back to a level.
        used_bits: (L, 4, c) capacity taken by all, by I, W, O.
        active: (L, c) memories with work.
        compute: (c,) steps. code: (c,).
        cycles, energy_pj: (c,) results.
    """

    trips: NDArray[np.int64]
    units: NDArray[np.int64]
    times: NDArray[np.int64]
    spread: NDArray[np.int64]
    scratch: NDArray[np.int64]
    kept: NDArray[np.int64]
    fresh: NDArray[np.int64]
    evicted: NDArray[np.int64]
    sum_width: NDArray[np.int64]
    read: NDArray[np.int64]
    write: NDArray[np.int64]
    own_down: NDArray[np.int64]
    own_up: NDArray[np.int64]
    path_down: NDArray[np.int64]
    path_up: NDArray[np.int64]
    network: NDArray[np.int64]
    replaced: NDArray[np.int64]
    again: NDArray[np.int64]
    used_bits: NDArray[np.int64]
    active: NDArray[np.int64]
    compute: NDArray[np.int64]
    code: NDArray[np.int64]
    cycles: NDArray[np.float64]
    energy_pj: NDArray[np.float64]


@entry
def new_work(levels: int) -> Any:
    """Scratch for chunks of ``CHUNK`` columns on ``levels`` memory levels."""
    c = CHUNK
    return Work(
        np.zeros((levels, DIM_COUNT, c), np.int64),
        np.zeros((levels, DIM_COUNT, c), np.int64),
        np.zeros((levels + 2, c), np.int64),
        np.zeros((levels + 1, c), np.int64),
        np.zeros((16, c), np.int64),
        np.zeros((levels, 3, c), np.int64),
        np.zeros((levels, c), np.int64),
        np.zeros((levels, c), np.int64),
        np.zeros((levels, c), np.int64),
        np.zeros((levels, c), np.int64),
        np.zeros((levels, c), np.int64),
        np.zeros((levels, c), np.int64),
        np.zeros((levels, c), np.int64),
        np.zeros((levels, levels, c), np.int64),
        np.zeros((levels, levels, c), np.int64),
        np.zeros((levels, c), np.int64),
        np.zeros((levels, 3, c), np.int64),
        np.zeros((levels, c), np.int64),
        np.zeros((levels, 4, c), np.int64),
        np.zeros((levels, c), np.int64),
        np.zeros(c, np.int64),
        np.zeros(c, np.int64),
        np.zeros(c, np.float64),
        np.zeros(c, np.float64),
    )


@compiled
def store_flags(lo: int, size: int, columns: Any, layer: Any, machine: Any, work: Any) -> None:
    """``work.kept``; DRAM stores all, and no level stores what it cannot hold."""
    for m in range(machine.fanout.shape[0]):
        mask = columns.keeps[m, lo : lo + size]
        for x in range(3):
            kept = work.kept[m, x]
            if m == 0:
                kept[:size] = 1
            elif machine.holds[m, x] == 0 or layer.exists[x] == 0:
                kept[:size] = 0
            else:
                for j in range(size):
                    kept[j] = (mask[j] >> x) & 1


@compiled
def occupancy(lo: int, size: int, columns: Any, layer: Any, machine: Any, work: Any) -> None:
    """Bits of the largest tiles against the capacities; ``CAPACITY + m`` in ``work.code`` where level ``m`` is full."""
    tile, both, code = work.scratch[8], work.used_bits, work.code
    for m in range(machine.fanout.shape[0] - 1, 0, -1):
        bound = machine.capacity_bits[m]
        if bound.min() == np.inf:
            continue
        halves = 2 if machine.buffering[m] == DOUBLE else 1
        both[m, 0, :size] = 0
        for x in range(3):
            if layer.exists[x] == 0 or machine.holds[m, x] == 0:
                continue
            tile[:size] = halves
            for d in range(DIM_COUNT):
                if layer.relevant[x, d] == 1 and layer.bounds[d] > 1 and not (x == I and d >= P):
                    held = columns.chains[d, 3 * m - 1, lo : lo + size]
                    for j in range(size):
                        tile[j] *= held[j]
            if x == I:
                for which in range(2):
                    peak = layer.row_peak if which == 0 else layer.col_peak
                    outer = columns.chains[P if which == 0 else Q, 3 * m - 1, lo : lo + size]
                    inner = columns.chains[R if which == 0 else S, 3 * m - 1, lo : lo + size]
                    flat, width, last = peak.ravel(), peak.shape[1], peak.size - 1
                    for j in range(size):
                        tile[j] *= flat[np.uint64(min(max(outer[j] * width + inner[j], 0), last))]
            kept, stored, total = work.kept[m, x], work.sum_width[m], both[m, 0]
            if x == O:
                for j in range(size):
                    tile[j] *= kept[j] * stored[j]
            else:
                for j in range(size):
                    tile[j] *= kept[j] * layer.width[x]
            for j in range(size):
                total[j] += tile[j]
            if bound[1 + x] < np.inf:
                for j in range(size):
                    code[j] = max(code[j], CAPACITY + m if float(tile[j]) > bound[1 + x] else OK)
        total = both[m, 0]
        for j in range(size):
            code[j] = max(code[j], CAPACITY + m if float(total[j]) > bound[0] else OK)


@compiled
def cycles_of(size: int, layer: Any, machine: Any, work: Any) -> None:
    """``work.cycles``: the closed form of ``charges.latency``, rounded up as ``charges.ceil_cycles`` does."""
    levels = machine.fanout.shape[0]
    cycles, compute = work.cycles, work.compute
    for j in range(size):
        cycles[j] = float(compute[j])
    work.active[0, :size] = 1
    for m in range(1, levels):
        active = work.active[m]
        active[:size] = work.active[m - 1, :size]
        if machine.fanout[m - 1, 0] * machine.fanout[m - 1, 1] > 1:
            for d in range(DIM_COUNT):
                if layer.bounds[d] > 1:
                    unit = work.units[m - 1, d]
                    for j in range(size):
                        active[j] *= unit[j]
    if machine.detail:
        for m in range(levels - 1, 0, -1):
            overlap(size, m, layer, machine, work)
    for m in range(levels):
        active = work.active[m]
        for way in range(2):
            rate = machine.read_rate[m] if way == 0 else machine.write_rate[m]
            moved = work.read[m] if way == 0 else work.write[m]
            if rate > 0:
                for j in range(size):
                    cycles[j] = max(cycles[j], float(moved[j]) / (rate * float(active[j])))
    for j in range(size):
        cycles[j] = np.ceil(cycles[j] - min(1e-3, 1e-9 * max(1.0, cycles[j])))


@compiled
def overlap(size: int, m: int, layer: Any, machine: Any, work: Any) -> None:
    """Add to ``work.cycles`` what the filling and draining of level ``m`` costs; one level of ``charges.latency``."""
    mode = machine.buffering[m]
    for j in range(size):
        fill, drain, fills, drains, pause = 0.0, 0.0, 0.0, 0.0, 0.0
        for q in range(m):
            feeds = False
            for x in range(3):
                if work.kept[m, x, j] == 1 and work.kept[q, x, j] == 1:
                    between = False
                    for level in range(q + 1, m):
                        between |= work.kept[level, x, j] == 1
                    if not between:
                        feeds |= x != O or work.again[m, j] > 0
                        if x != O or work.again[m, j] > 0:
                            fills = max(fills, float(work.replaced[m, x, j]))
                        if x == O:
                            drains = max(drains, float(work.replaced[m, x, j]))
            if feeds:
                pause = max(pause, machine.wait[q])
            if machine.read_rate[q] > 0:
                fill = max(fill, work.path_down[q, m, j] / (machine.read_rate[q] * work.active[q, j]))
            if machine.write_rate[q] > 0:
                drain = max(drain, work.path_up[q, m, j] / (machine.write_rate[q] * work.active[q, j]))
        if machine.write_rate[m] > 0:
            fill = max(fill, work.own_down[m, j] / (machine.write_rate[m] * work.active[m, j]))
        if machine.read_rate[m] > 0:
            drain = max(drain, work.own_up[m, j] / (machine.read_rate[m] * work.active[m, j]))
        work.cycles[j] = overlapped(mode, work.cycles[j], fill, drain, fills, drains, pause)


@compiled
def energy_of(size: int, layer: Any, machine: Any, work: Any) -> None:
    """``work.energy_pj``: operations, accesses, networks and leakage; not a number where not modelled."""
    energy, cycles = work.energy_pj, work.cycles
    fixed = layer.operations * machine.operation_pj
    for j in range(size):
        energy[j] = fixed + machine.leakage_pj * cycles[j]
    for m in range(machine.fanout.shape[0]):
        read, write, moved = work.read[m], work.write[m], work.network[m]
        read_pj, write_pj, network_pj = machine.read_pj[m], machine.write_pj[m], machine.network_pj[m]
        for j in range(size):
            energy[j] += float(read[j]) * read_pj + float(write[j]) * write_pj
        if machine.detail and network_pj > 0:
            for j in range(size):
                energy[j] += float(moved[j]) * network_pj


@compiled
def evaluate_chunk(lo: int, size: int, columns: Any, layer: Any, machine: Any, work: Any) -> None:
    """Columns ``lo .. lo + size - 1``, all of one layer on one accelerator, to ``work``: code, cycles, energy_pj.

    Columns coded ``IRREGULAR`` or higher hold no figures that mean anything.
    """
    levels = machine.fanout.shape[0]
    cut_chains(lo, size, columns.chains, layer.bounds, machine.fanout, work.trips, work.units, work.scratch, work.code)
    store_flags(lo, size, columns, layer, machine, work)
    compute = work.compute
    compute[:size] = 1
    for level in range(levels):
        for d in range(DIM_COUNT):
            if layer.bounds[d] > 1:
                trip = work.trips[level, d]
                for j in range(size):
                    compute[j] *= trip[j]
    work.read[:] = 0
    work.write[:] = 0
    if machine.detail:
        work.own_down[:] = 0
        work.own_up[:] = 0
        work.path_down[:] = 0
        work.path_up[:] = 0
        work.network[:] = 0
        work.replaced[:] = 0
        work.again[:] = 0
    for x in range(3):
        if layer.exists[x] == 1:
            entries(
                lo,
                size,
                x,
                layer.bounds,
                columns.orders,
                layer.relevant,
                work.trips,
                work.times,
                work.scratch[0],
                work.scratch[1],
            )
            if x == O:
                move_sums(lo, size, layer, machine, work)
            else:
                move_operand(lo, size, x, columns, layer, machine, work)
            if machine.detail:
                replacements(size, x, layer, work)
    occupancy(lo, size, columns, layer, machine, work)
    cycles_of(size, layer, machine, work)
    energy_of(size, layer, machine, work)


@entry
def evaluate_run(lo: int, hi: int, columns: Any, layer: Any, machine: Any, work: Any, out: Any) -> None:
    """Columns ``lo .. hi - 1``, all of one layer on one accelerator.

    Args:
        out: ``(energy_pj, cycles, compute_cycles, code)``, each as long as the columns.
    """
    energy_pj, cycles, compute, code = out
    for start in range(lo, hi, CHUNK):
        size = min(CHUNK, hi - start)
        evaluate_chunk(start, size, columns, layer, machine, work)
        energy_pj[start : start + size] = work.energy_pj[:size]
        cycles[start : start + size] = work.cycles[:size]
        compute[start : start + size] = work.compute[:size]
        code[start : start + size] = work.code[:size]
