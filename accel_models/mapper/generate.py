"""Feasible mappings by construction: tiles are drawn under the capacities, not drawn and thrown away.

For each mapping: what each memory stores is drawn; then, from the innermost memory outwards, the tile grows by prime
factors, in random order, of what is left of each dim, each taken only where the tiles still fit; between memories,
units are taken while the axes have room. So every memory is filled as far as luck goes, and every draw is a mapping
that fits (double buffers count twice, sums at the accumulator's width). Each set of tiles is given out in all the loop
orders that differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.columns.tables import LayerTable, MachineTable
from accel_models.hardware.accelerator import Accelerator
from accel_models.jit import compiled, entry
from accel_models.mapper.space import Limits, free_limits, prime_factors, space_of, store_choices
from accel_models.reuse.charges import DOUBLE
from accel_models.reuse.formulas import DIM_COUNT, I, O, P, Q, R, S
from mappings.layer import Layer
from mappings.mapspace import MappingColumns


@compiled
def grow(d: int, prime: int, tile: Any, size: Any, new: Any, layer: LayerTable) -> None:
    """``new[x]``: elements of each tensor's tile, ``size[x]`` now, once ``tile[d]`` has grown to what it already is."""
    for x in range(3):
        new[x] = size[x] * prime if layer.relevant[x, d] == 1 else size[x]
    if d >= P:
        new[I] = layer.row_peak[tile[P], tile[R]] * layer.col_peak[tile[Q], tile[S]]
        for e in range(P):
            if layer.relevant[I, e] == 1:
                new[I] *= tile[e]


@compiled
def overflows(level: int, keeps: Any, j: int, size: Any, bits: Any, machine: MachineTable) -> bool:
    """Whether tiles of ``size`` exceed the memory of a level or one further out, which holds them too.

    Args:
        bits: (L, 3) bits that an element takes, both halves of a double buffer counted.
    """
    for m in range(level, 0, -1):
        total = 0.0
        for x in range(3):
            if keeps[m, j] >> x & 1:
                one = size[x] * bits[m, x]
                if one > machine.capacity_bits[m, 1 + x]:
                    return True
                total += one
        if total > machine.capacity_bits[m, 0]:
            return True
    return False


@compiled
def takes(
    d: int,
    prime: int,
    level: int,
    keeps: Any,
    j: int,
    tile: Any,
    size: Any,
    new: Any,
    bits: Any,
    layer: LayerTable,
    machine: MachineTable,
) -> bool:
    """Grow ``tile[d]`` by a prime, and ``size`` with it, where a level and those further out hold that."""
    tile[d] *= prime
    grow(d, prime, tile, size, new, layer)
    if overflows(level, keeps, j, new, bits, machine):
        tile[d] //= prime
        return False
    size[:] = new
    return True


@entry
def fill(
    seed: int,
    layer: LayerTable,
    machine: MachineTable,
    primes: Any,
    codes: Any,
    choices: Any,
    choice_count: Any,
    axes: Any,
    chains: Any,
    orders: Any,
    keeps: Any,
) -> None:
    """Fill columns; see the module.

    Args:
        primes: (k, 2) prime factors of all bounds, as (dim, prime).
        codes: loop orders to draw from.
        choices, choice_count: (L, 8) masks that a level may store, (L,) how many.
        axes: (L, 8, 2) 1 where a dim may spread over an axis.
    """
    np.random.seed(seed)
    levels = machine.fanout.shape[0]
    n, k = chains.shape[2], primes.shape[0]
    each = codes.size ** (levels - 1)  # the innermost order has no effect
    deal = np.arange(k)
    taken = np.zeros(k, np.int64)
    tile, size, new = np.ones(DIM_COUNT, np.int64), np.ones(3), np.ones(3)
    bits = np.zeros((levels, 3))
    for m in range(levels):
        for x in range(3):
            width = max(layer.width[2], layer.width[3]) if x == O else layer.width[x]
            bits[m, x] = width * (2 if machine.buffering[m] == DOUBLE else 1)
    for j in range(n):
        turn = j % each
        orders[levels - 1, j] = codes[0]
        for level in range(levels - 1):
            orders[level, j] = codes[turn % codes.size]
            turn //= codes.size
        if j % each > 0:  # the same tiles in another order
            chains[:, :, j] = chains[:, :, j - 1]
            keeps[:, j] = keeps[:, j - 1]
            continue
        for a in range(k - 1, 0, -1):  # one shuffle: the order in which factors are dealt
            b = np.random.randint(a + 1)
            deal[a], deal[b] = deal[b], deal[a]
        taken[:] = 0
        tile[:] = 1
        size[:] = 1.0
        size[I] = layer.row_peak[1, 1] * layer.col_peak[1, 1]
        for level in range(levels):
            keeps[level, j] = choices[level, np.random.randint(choice_count[level])]
        for level in range(levels - 1, -1, -1):
            chains[:, 3 * level + 2, j] = tile
            for axis in range(1, -1, -1):
                room = machine.fanout[level, axis]
                for one in deal:
                    if room < 2:
                        break
                    d, prime = primes[one, 0], primes[one, 1]
                    if taken[one] == 1 or prime > room or axes[level, d, axis] == 0 or np.random.randint(4) == 0:
                        continue
                    if takes(d, prime, level, keeps, j, tile, size, new, bits, layer, machine):
                        room //= prime
                        taken[one] = 1
                chains[:, 3 * level + axis, j] = tile
            if level == 0:
                break
            effort = 1 + np.random.randint(k)  # how full this memory is to be
            for one in deal[:effort]:
                if taken[one] == 1:
                    continue
                d, prime = primes[one, 0], primes[one, 1]
                if takes(d, prime, level, keeps, j, tile, size, new, bits, layer, machine):
                    taken[one] = 1


class Generator:
    """An endless supply of feasible mappings of one layer on one accelerator; one seed, one sequence.

    Args:
        limits: what a dataflow allows; the machine's limits alone when left out.
    """

    def __init__(self, layer: Layer, accelerator: Accelerator, seed: int = 0, limits: Limits | None = None) -> None:
        self.space = space_of(layer, accelerator, limits or free_limits(layer, accelerator))
        self.levels = len(accelerator.levels)
        pairs = [(d, p) for d in range(DIM_COUNT) for p in prime_factors(int(self.space.layer.bounds[d]))]
        self._primes = np.array(pairs or [(0, 1)], np.int64)
        self._choices, self._count = store_choices(self.space)
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
            self.space.limits.axes,
            columns.chains,
            columns.orders,
            columns.keeps,
        )
        self._seed += 1
        return columns
