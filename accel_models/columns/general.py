"""Any column at all, one at a time: the formulas themselves, compiled, with nothing assumed of the sizes.

The closed forms of :mod:`accel_models.columns.counts` need every cut to divide and windows with a table. What they do
not cover (ragged tiles, shares that lie unevenly apart, layers too large for
tables) comes here: ``formulas.count``, ``charges.bits`` and ``charges.latency`` as the scalar path runs them, on arrays
of 64-bit integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.columns.codes import CAPACITY, FANOUT, MALFORMED, OK
from accel_models.columns.compiled import charges, formulas
from accel_models.jit import compiled, entry
from accel_models.reuse.formulas import DIM_COUNT, C, I
from mappings.mapspace import RANK_BITS

_RANK_MASK = (1 << RANK_BITS) - 1
_bits, _events, _latency, _capacity_bits, _ceil = (
    charges.bits,
    charges.events,
    charges.latency,
    charges.capacity_bits,
    charges.ceil_cycles,
)
_count, _scanned, _profile, _tile_elements, _units, _steps = (
    formulas.count,
    formulas.scanned,
    formulas.profile,
    formulas.tile_elements,
    formulas.units,
    formulas.steps,
)


@entry
def structure(chains: Any, bounds: Any, fanout: Any) -> int:
    """``OK``, ``MALFORMED`` or ``FANOUT`` for the chains (8, 3 L) of one mapping."""
    levels = fanout.shape[0]
    code = OK
    for d in range(DIM_COUNT):
        above = bounds[d]
        for cut in range(3 * levels):
            size = chains[d, cut]
            if size < 1 or size > above:
                return MALFORMED
            above = size
        if above != 1:
            return MALFORMED
    for level in range(levels):
        for axis in range(2):
            load = 1
            for d in range(DIM_COUNT):
                size = chains[d, 3 * level + axis + 1]
                load *= (chains[d, 3 * level + axis] + size - 1) // size
                if load > fanout[level, axis]:  # here, before a product of many can wrap
                    code = FANOUT
                    break
    return code


@compiled
def network_bits(level: int, levels: int, keeps: Any, down: Any, up: Any) -> int:
    """Bits delivered to and sent by the units below a level, whatever memory they come from or go to."""
    total = 0
    for x in range(3):
        below = level + 1
        while below < levels and keeps[below, x] == 0:
            below += 1
        total += down[below, x] + up[below, x]
    return total


@entry
def evaluate_rows(rows: Any, at: Any, columns: Any, layer: Any, machine: Any, out: Any) -> None:
    """The columns named by ``rows``, all of one layer on one accelerator, to ``out`` as ``batch_kernel.evaluate_run``.

    Args:
        at: (1,) the row in ``rows`` to begin with; at any time the one in work.

    Raises:
        OverflowError: windows beyond ``formulas.MAX_WALK`` iterations, in column ``rows[at[0]]``.
    """
    energy_pj, cycles, compute, codes = out
    levels = machine.fanout.shape[0]
    chains = np.ones((DIM_COUNT, 3 * levels), np.int64)
    orders = np.zeros((levels, DIM_COUNT), np.int64)
    keeps = np.zeros((levels, 3), np.int64)
    profiles = np.zeros((DIM_COUNT, (levels + 1) ** 3), np.int64)
    reads, writes = np.zeros((levels, 3), np.int64), np.zeros((levels, 3), np.int64)
    arrivals, returns = np.zeros((levels + 1, 3), np.int64), np.zeros((levels + 1, 3), np.int64)
    read_bits, write_bits = np.zeros((levels, 3), np.int64), np.zeros((levels, 3), np.int64)
    down_bits, up_bits = np.zeros((levels + 1, 3), np.int64), np.zeros((levels + 1, 3), np.int64)
    sum_width, units = np.zeros(levels, np.int64), np.zeros(levels, np.int64)
    replaced, ports = np.zeros((levels, 3), np.int64), np.zeros((levels, 2))
    work = np.zeros(3 * levels + 1, np.int64)
    for place in range(at[0], rows.size):
        j = rows[place]
        at[0] = place
        for d in range(DIM_COUNT):
            for cut in range(3 * levels):
                chains[d, cut] = columns.chains[d, cut, j]
        energy_pj[j], cycles[j], compute[j] = np.nan, 0, 0
        codes[j] = structure(chains, layer.bounds, machine.fanout)
        if codes[j] != OK:
            continue
        for m in range(levels):
            seen = 0
            for d in range(DIM_COUNT):
                rank = (columns.orders[m, j] >> (RANK_BITS * d)) & _RANK_MASK
                seen |= 1 << rank
                orders[m, (DIM_COUNT - 1 - rank) % DIM_COUNT] = d
            if seen != (1 << DIM_COUNT) - 1:
                codes[j] = MALFORMED
            for x in range(3):
                stored = machine.holds[m, x] == 1 and (m == 0 or (columns.keeps[m, j] >> x) & 1 == 1)
                keeps[m, x] = 1 if stored else 0
            if keeps[m, I] == 1 and machine.slides[m] == 1:
                keeps[m, I] = 2
        if codes[j] != OK:
            continue
        for d in range(DIM_COUNT):
            _profile(layer.bounds[d], chains[d], levels, profiles[d], work)
        _count(
            levels,
            layer.scans,
            layer.bounds,
            chains,
            orders,
            layer.relevant,
            layer.exists,
            layer.windows,
            keeps,
            machine.multicast,
            machine.reduction,
            profiles,
            reads,
            writes,
            arrivals,
            returns,
            work,
        )
        _bits(
            levels,
            layer.bounds,
            layer.relevant,
            keeps,
            profiles,
            reads,
            writes,
            arrivals,
            returns,
            layer.width,
            read_bits,
            write_bits,
            down_bits,
            up_bits,
            sum_width,
        )
        for m in range(levels - 1, 0, -1):
            total = 0
            for x in range(3):
                if keeps[m, x] == 0 or layer.exists[x] == 0:
                    continue
                peak = _tile_elements(x, m, layer.bounds, chains, layer.relevant, layer.windows)
                needed = _capacity_bits(m, x, peak, layer.width, sum_width, machine.buffering)
                total += needed
                if needed > machine.capacity_bits[m, 1 + x]:
                    codes[j] = max(codes[j], CAPACITY + m)
            if total > machine.capacity_bits[m, 0]:
                codes[j] = max(codes[j], CAPACITY + m)
        if codes[j] != OK:
            continue
        for m in range(levels):
            units[m] = _units(m, profiles, levels)
            for x in range(3):
                replaced[m, x] = 0
                if m > 0 and layer.exists[x] == 1 and keeps[m, x] > 0:
                    replaced[m, x] = _events(x, m, layer.bounds, chains, orders, layer.relevant, levels, profiles)
                    if x == I:
                        replaced[m, x] *= _scanned(m, levels, layer.scans, layer.bounds[C], chains[C])
        steps = _steps(levels, profiles) * layer.scans
        time = _latency(
            levels,
            steps,
            keeps,
            layer.exists,
            units,
            read_bits,
            write_bits,
            down_bits,
            up_bits,
            replaced,
            machine.buffering,
            machine.read_rate,
            machine.write_rate,
            machine.wait,
            ports,
        )
        compute[j] = steps
        cycles[j] = max(steps, _ceil(time))
        energy = layer.operations * machine.operation_pj + machine.leakage_pj * cycles[j]
        for m in range(levels):
            read, write = 0, 0
            for x in range(3):
                read += read_bits[m, x]
                write += write_bits[m, x]
            energy += read * machine.read_pj[m] + write * machine.write_pj[m]
            if machine.network_pj[m] > 0:
                energy += network_bits(m, levels, keeps, down_bits, up_bits) * machine.network_pj[m]
        energy_pj[j] = energy
