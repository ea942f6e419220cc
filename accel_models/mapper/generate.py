"""Feasible mappings by construction: tiles are drawn under the capacities, not drawn and thrown away.

For each mapping: what each memory stores is drawn; then, from the innermost memory outwards, the tile grows by prime
factors, in random order, of what is left of each dim, each taken only where the tiles still fit; between memories,
units are taken while the axes have room. So every memory is filled as far as luck goes, and every draw is a mapping
that fits (double buffers count twice, sums at the accumulator's width).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.accelerator import Accelerator
from accel_models.batch_tables import LayerTable, MachineTable
from accel_models.charges import DOUBLE
from accel_models.formulas import DIM_COUNT, I, O, P, Q, R, S
from accel_models.jit import compiled, entry
from accel_models.mapper.local import prime_factors
from accel_models.mapper.space import free_limits, masks, space_of
from mappings.layer import Layer
from mappings.mapspace import MappingColumns


@compiled
def overflows(level: int, mask: int, tile: Any, layer: LayerTable, machine: MachineTable) -> bool:
    """Whether tiles of this shape exceed a memory."""
    halves = 2 if machine.buffering[level] == DOUBLE else 1
    total = 0.0
    for x in range(3):
        if mask >> x & 1:
            size = float(halves * (max(layer.width[2], layer.width[3]) if x == O else layer.width[x]))
            for d in range(DIM_COUNT):
                if layer.relevant[x, d] == 1 and not (x == I and d >= P):
                    size *= tile[d]
            if x == I:
                size *= layer.row_peak[tile[P], tile[R]] * layer.col_peak[tile[Q], tile[S]]
            if size > machine.capacity_bits[level, 1 + x]:
                return True
            total += size
    return bool(total > machine.capacity_bits[level, 0])


@entry
def fill(
    seed: int,
    layer: LayerTable,
    machine: MachineTable,
    primes: Any,
    codes: Any,
    choices: Any,
    choice_count: Any,
    chains: Any,
    orders: Any,
    keeps: Any,
) -> None:
    """Fill columns; see the module.

    Args:
        primes: (k, 2) prime factors of all bounds, as (dim, prime).
        codes: loop orders to draw from.
        choices, choice_count: (L, 8) masks that a level may store, (L,) how many.
    """
    np.random.seed(seed)
    levels = machine.fanout.shape[0]
    n, k = chains.shape[2], primes.shape[0]
    deal = np.arange(k)
    taken = np.zeros(k, np.int64)
    tile = np.ones(DIM_COUNT, np.int64)
    grown = np.ones(DIM_COUNT, np.int64)
    for j in range(n):
        for a in range(k - 1, 0, -1):  # one shuffle: the order in which factors are dealt
            b = np.random.randint(a + 1)
            deal[a], deal[b] = deal[b], deal[a]
        taken[:] = 0
        tile[:] = 1
        for level in range(levels - 1, -1, -1):
            keeps[level, j] = choices[level, np.random.randint(choice_count[level])]
            orders[level, j] = codes[np.random.randint(codes.size)]
            for d in range(DIM_COUNT):
                chains[d, 3 * level + 2, j] = tile[d]
            for axis in range(1, -1, -1):
                room = machine.fanout[level, axis]
                for turn in range(k):
                    one = deal[turn]
                    if room < 2:
                        break
                    d, prime = primes[one, 0], primes[one, 1]
                    if taken[one] == 1 or prime > room or np.random.randint(4) == 0:
                        continue
                    tile[d] *= prime
                    if level > 0 and overflows(level, keeps[level, j], tile, layer, machine):
                        tile[d] //= prime
                        continue
                    room //= prime
                    taken[one] = 1
                for d in range(DIM_COUNT):
                    chains[d, 3 * level + axis, j] = tile[d]
            if level == 0:
                break
            effort = 1 + np.random.randint(k)  # how full this memory is to be
            grown[:] = tile
            for turn in range(k):
                one = deal[turn]
                if taken[one] == 1 or turn >= effort:
                    continue
                d, prime = primes[one, 0], primes[one, 1]
                grown[d] *= prime
                if overflows(level, keeps[level, j], grown, layer, machine):
                    grown[d] //= prime
                    continue
                taken[one] = 1
            tile[:] = grown


class Generator:
    """An endless supply of feasible mappings of one layer on one accelerator; one seed, one sequence."""

    def __init__(self, layer: Layer, accelerator: Accelerator, seed: int = 0) -> None:
        self.space = space_of(layer, accelerator, free_limits(layer, accelerator))
        self.levels = len(accelerator.levels)
        pairs = [(d, p) for d in range(DIM_COUNT) for p in prime_factors(int(self.space.layer.bounds[d]))]
        self._primes = np.array(pairs or [(0, 1)], np.int64)
        self._choices, self._count = np.full((self.levels, 8), 7, np.int64), np.ones(self.levels, np.int64)
        for level in range(1, self.levels):
            legal = masks(self.space, level)
            self._choices[level, : len(legal)], self._count[level] = legal, len(legal)
        self._seed = seed

    def take(self, count: int) -> MappingColumns:
        """The next ``count`` mappings."""
        columns = MappingColumns.empty(self.levels, count)
        fill(
            self._seed,
            self.space.layer,
            self.space.machine,
            self._primes,
            self.space.codes,
            self._choices,
            self._count,
            columns.chains,
            columns.orders,
            columns.keeps,
        )
        self._seed += 1
        return columns
