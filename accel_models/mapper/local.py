"""Best found, where the branch and bound does not apply: an evolution of mappings for any hierarchy and operator.

A mapping is the factor that each cut takes of each dim. A child moves prime factors between cuts, changes which tensor
a level's innermost loops reuse, or what a level stores; so it always covers the layer, and divides. Children are
evaluated by the batch model, a chunk at a time, and the best distinct mappings are the next parents. The start,
everything left in DRAM's loops and one element handed down at a time, fits wherever anything fits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.batch_codes import OK
from accel_models.batch_counts import CHUNK
from accel_models.batch_kernel import Columns, new_work
from accel_models.batch_run import run
from accel_models.batch_tables import Ints
from accel_models.formulas import DIM_COUNT
from accel_models.jit import entry
from accel_models.mapper.exact import EVALUATED, FEASIBLE, worths
from accel_models.mapper.space import Space, masks
from mappings.mapspace import ALL_TENSORS, MappingColumns

PARENTS = 48
ISLANDS = 3
GENERATIONS = 120
_ORDER_SHARE, _KEEP_SHARE = 15, 15  # of 100 changes


@entry
def breed(
    seed: int,
    parents: int,
    factors: Any,
    orders: Any,
    stores: Any,
    cuts: Any,
    cut_count: Any,
    primes: Any,
    choices: Any,
    choice_count: Any,
    bounds: Any,
    codes: Any,
    columns: Any,
    child_factors: Any,
    child_orders: Any,
) -> None:
    """Fill ``columns`` with ``CHUNK`` children.

    Args:
        seed: of the random numbers.
        parents: how many of the rows of ``factors`` (n, 8, 3 L), ``orders`` (n, L) and ``stores`` (n, L) are in use.
        cuts, cut_count: (8, 3 L) the cuts that a dim may take, (8,) how many.
        primes: (8, most) prime factors of each bound, 0 after the last.
        choices, choice_count: (L, 8) masks that a level may store, (L,) how many.
    """
    np.random.seed(seed)
    levels = orders.shape[1]
    for j in range(CHUNK):
        parent = np.random.randint(parents)
        child = child_factors[j]
        child[:] = factors[parent]
        child_orders[j] = orders[parent]
        columns.keeps[:, j] = stores[parent]
        changes = 1 + np.random.randint(4)
        for _ in range(changes):
            lot = np.random.randint(100)
            if lot < _ORDER_SHARE:
                child_orders[j, np.random.randint(levels)] = np.random.randint(codes.size)
            elif lot < _ORDER_SHARE + _KEEP_SHARE:
                level = 1 + np.random.randint(levels - 1)
                columns.keeps[level, j] = choices[level, np.random.randint(choice_count[level])]
            else:
                d = np.random.randint(DIM_COUNT)
                source = cuts[d, np.random.randint(cut_count[d])]
                target = cuts[d, np.random.randint(cut_count[d])]
                for k in range(primes.shape[1]):  # one prime, or with luck several, of what the source has
                    prime = primes[d, k]
                    if prime == 0:
                        break
                    if child[d, source] % prime == 0 and np.random.randint(2) == 0:
                        child[d, source] //= prime
                        child[d, target] *= prime
        for d in range(DIM_COUNT):
            size = bounds[d]
            for cut in range(3 * levels):
                size //= child[d, cut]
                columns.chains[d, cut, j] = size
        for level in range(levels):
            columns.orders[level, j] = codes[child_orders[j, level]]


class Island:
    """One population: parents, their children and what they are worth."""

    def __init__(self, levels: int, start: Ints, stores: Ints) -> None:
        room = PARENTS + CHUNK
        self.factors = np.ones((room, DIM_COUNT, 3 * levels), np.int64)
        self.orders = np.zeros((room, levels), np.int64)
        self.stores = np.zeros((room, levels), np.int64)
        self.value, self.tie = np.full(room, np.inf), np.full(room, np.inf)
        self.parents = 1
        self.factors[0], self.stores[0] = start, stores

    def select(self) -> None:
        """The best become the parents; of equal values, mostly equal mappings, one."""
        order = np.lexsort((self.tie, self.value))
        order = order[self.value[order] < np.inf]
        if len(order) == 0:
            return
        fresh = np.concatenate(([True], np.diff(self.value[order]) != 0))
        rows = np.concatenate((order[fresh], order[~fresh]))[:PARENTS]
        for array in (self.factors, self.orders, self.stores, self.value, self.tie):
            array[: len(rows)] = array[rows]
        self.value[len(rows) : PARENTS] = np.inf
        self.parents = len(rows)


def prime_factors(n: int) -> list[int]:
    """Prime factors of ``n`` with repetition."""
    out, p = [], 2
    while p * p <= n:
        while n % p == 0:
            out.append(p)
            n //= p
        p += 1
    return out + [n] * (n > 1)


def search(space: Space, objective: Ints, found: MappingColumns, best: Any, tally: Any) -> None:
    """Several islands from seeds that the space fixes: the same question has the same answer."""
    levels = len(space.machine.fanout)
    cuts, cut_count = np.zeros((DIM_COUNT, 3 * levels), np.int64), np.zeros(DIM_COUNT, np.int64)
    start = np.ones((DIM_COUNT, 3 * levels), np.int64)
    primes = [prime_factors(int(bound)) for bound in space.layer.bounds]
    for d in range(DIM_COUNT):
        legal = [
            cut
            for cut in range(3 * levels)
            if cut % 3 == 0
            or (space.machine.fanout[cut // 3, cut % 3 - 1] > 1 and space.limits.axes[cut // 3, d, cut % 3 - 1])
        ]
        cuts[d, : len(legal)], cut_count[d] = legal, len(legal)
        start[d, 0] = space.layer.bounds[d]
    prime_table = np.zeros((DIM_COUNT, max(1, *map(len, primes))), np.int64)
    for d, values in enumerate(primes):
        prime_table[d, : len(values)] = values
    choices, choice_count = np.zeros((levels, 8), np.int64), np.ones(levels, np.int64)
    choices[0, 0] = ALL_TENSORS
    for level in range(1, levels):
        legal_masks = masks(space, level)
        choices[level, : len(legal_masks)], choice_count[level] = legal_masks, len(legal_masks)
    room = MappingColumns.empty(levels, CHUNK)
    columns = Columns(room.chains, room.orders, room.keeps)
    energy_pj, cycles, steps, code = (
        np.empty(CHUNK),
        np.empty(CHUNK),
        np.empty(CHUNK, np.int64),
        np.empty(CHUNK, np.uint8),
    )
    work = new_work(levels)
    children = slice(PARENTS, PARENTS + CHUNK)
    for seed in range(ISLANDS):
        island = Island(levels, start, choices[:, 0])
        for generation in range(GENERATIONS):
            breed(
                seed * GENERATIONS + generation,
                island.parents,
                island.factors,
                island.orders,
                island.stores,
                cuts,
                cut_count,
                prime_table,
                choices,
                choice_count,
                space.layer.bounds,
                space.codes,
                columns,
                island.factors[children],
                island.orders[children],
            )
            run(0, CHUNK, columns, space.layer, space.machine, work, (energy_pj, cycles, steps, code))
            fits = code == OK
            tally[EVALUATED] += CHUNK
            tally[FEASIBLE] += int(fits.sum())
            values, ties = worths(np.nan_to_num(energy_pj), cycles, objective)
            island.value[children] = np.where(fits, values, np.inf)
            island.tie[children] = np.where(fits, ties, np.inf)
            island.stores[children] = room.keeps.T
            top = int(np.lexsort((island.tie[children], island.value[children]))[0])
            figure = (island.value[PARENTS + top], island.tie[PARENTS + top])
            if figure < (best[0], best[1]):
                best[:] = figure
                found.chains[:, :, 0], found.orders[:, 0] = room.chains[:, :, top], room.orders[:, top]
                found.keeps[:, 0] = room.keeps[:, top]
            island.select()
