"""Best found, where the branch and bound does not apply: an evolution of mappings for any hierarchy and operator.

A mapping is the factor that each cut takes of each dim. A child takes each dim and each level from one of two parents,
then moves prime factors between cuts, deals an axis of the array to another dim, changes which tensor a level's
innermost loops reuse, or what a level stores; so it always covers the layer, and divides. Children are evaluated by the
batch model, a chunk at a time, and the best of many niches are the next parents. Generation 0 is drawn by
:mod:`accel_models.mapper.generate`, whose mappings all fit.

Where tiles need not divide, a child may also take any number of pieces at a cut; sizes round up, the last piece is what
is left.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from accel_models.columns.codes import OK
from accel_models.columns.counts import CHUNK
from accel_models.columns.kernel import Columns, new_work
from accel_models.columns.run import run
from accel_models.columns.tables import Floats, Ints
from accel_models.jit import compiled, entry
from accel_models.mapper.generate import Generator
from accel_models.mapper.objective import EVALUATED, FEASIBLE, TALLY, worths
from accel_models.mapper.space import Space, prime_factors, store_choices
from accel_models.reuse.formulas import DIM_COUNT
from mappings.mapspace import MappingColumns

PARENTS = 96
ISLANDS = 3
GENERATIONS = 128
DRAWN = 24  # chunks of generation 0
#: Of 100 changes to a child: of a loop order, of what a level stores, of what shares an axis; the rest move primes.
_ORDER_SHARE, _KEEP_SHARE, _SWAP_SHARE = 12, 12, 25
_ANY_SHARE = 30
_CROSSED = 40  # of 100 children have two parents


class Moves(NamedTuple):
    """What a child may change.

    Attributes:
        bounds: (8,) of the layer. fanout: (L, 2) units along each axis below a level.
        cuts, cut_count: (8, 3 L) the cuts that a dim may take, (8,) how many.
        primes: (8, most) prime factors of each bound, 0 after the last.
        choices, choice_count: (L, 8) masks that a level may store, (L,) how many.
        codes: loop orders.
        any_share: of 100 changes, to any number of pieces.
    """

    bounds: Ints
    fanout: Ints
    cuts: Ints
    cut_count: Ints
    primes: Ints
    choices: Ints
    choice_count: Ints
    codes: Ints
    any_share: int


def moves_of(space: Space, ragged: bool) -> Moves:
    """The moves of a space; ``ragged``: to tiles that do not divide, too."""
    fanout = space.machine.fanout
    levels = len(fanout)
    cuts, cut_count = np.zeros((DIM_COUNT, 3 * levels), np.int64), np.zeros(DIM_COUNT, np.int64)
    primes = [prime_factors(int(bound)) for bound in space.layer.bounds]
    prime_table = np.zeros((DIM_COUNT, max(1, *map(len, primes))), np.int64)
    for d in range(DIM_COUNT):
        legal = [
            cut
            for cut in range(3 * levels)
            if cut % 3 == 0 or (fanout[cut // 3, cut % 3 - 1] > 1 and space.limits.axes[cut // 3, d, cut % 3 - 1])
        ]
        cuts[d, : len(legal)], cut_count[d] = legal, len(legal)
        prime_table[d, : len(primes[d])] = primes[d]
    choices, choice_count = store_choices(space)
    return Moves(
        space.layer.bounds,
        fanout,
        cuts,
        cut_count,
        prime_table,
        choices,
        choice_count,
        space.codes,
        _ANY_SHARE * ragged,
    )


@compiled
def move_primes(d: int, source: int, target: int, primes: Any, factors: Any) -> None:
    """Move one prime factor of dim ``d``, or with luck several, from one cut to another."""
    for k in range(primes.shape[1]):
        prime = primes[d, k]
        if prime == 0:
            break
        if factors[d, source] % prime == 0 and np.random.randint(2) == 0:
            factors[d, source] //= prime
            factors[d, target] *= prime


@compiled
def deal_axis(moves: Any, factors: Any) -> None:
    """Take a dim off an axis of the array, and give the room there to another dim."""
    leaver, comer = np.random.randint(DIM_COUNT), np.random.randint(DIM_COUNT)
    cut = moves.cuts[leaver, np.random.randint(moves.cut_count[leaver])]
    if cut % 3 == 0:
        return
    other = moves.cuts[leaver, np.random.randint(moves.cut_count[leaver])]
    if other != cut:
        factors[leaver, other] *= factors[leaver, cut]
        factors[leaver, cut] = 1
    source = moves.cuts[comer, np.random.randint(moves.cut_count[comer])]
    legal = False
    for k in range(moves.cut_count[comer]):
        legal |= moves.cuts[comer, k] == cut
    if not legal or source == cut:
        return
    room = moves.fanout[cut // 3, cut % 3 - 1]
    for d in range(DIM_COUNT):
        room //= factors[d, cut]
    for k in range(moves.primes.shape[1]):
        prime = moves.primes[comer, k]
        if 1 < prime <= room and factors[comer, source] % prime == 0:
            factors[comer, source] //= prime
            factors[comer, cut] *= prime
            room //= prime


@compiled
def cut_anyhow(moves: Any, factors: Any) -> None:
    """Cut a dim into any number of pieces somewhere, and as few as cover it somewhere else."""
    d = np.random.randint(DIM_COUNT)
    cut = moves.cuts[d, np.random.randint(moves.cut_count[d])]
    other = moves.cuts[d, np.random.randint(moves.cut_count[d])]
    most = moves.bounds[d]
    if cut % 3 > 0:
        room = moves.fanout[cut // 3, cut % 3 - 1]
        for e in range(DIM_COUNT):
            room //= factors[e, cut] if e != d else 1
        most = min(most, room)
    if most < 2 or other == cut:
        return
    factors[d, cut] = 1 + np.random.randint(most)
    pieces = 1
    for k in range(factors.shape[1]):
        pieces *= factors[d, k] if k != other else 1
    factors[d, other] = max(1, -(-moves.bounds[d] // pieces))


@compiled
def sizes_of(bound: int, factors: Any, chain: Any) -> None:
    """Sizes of one dim after each cut, and the factors that these take; the innermost level takes what is left."""
    size, last = bound, factors.size - 3
    for cut in range(factors.size):
        after = -(-size // factors[cut])
        if cut == last:
            after = min(size, factors[last + 1] * factors[last + 2])
        factors[cut] = -(-size // after)
        size = after
        chain[cut] = size


@entry
def breed(
    seed: int,
    parents: int,
    factors: Any,
    orders: Any,
    stores: Any,
    moves: Any,
    columns: Any,
    child_factors: Any,
    child_orders: Any,
) -> None:
    """Fill ``columns`` with ``CHUNK`` children.

    Args:
        seed: of the random numbers.
        parents: how many of the rows of ``factors`` (n, 8, 3 L), ``orders`` (n, L) and ``stores`` (n, L) are in use.
        moves: see :class:`Moves`.
    """
    np.random.seed(seed)
    levels = orders.shape[1]
    for j in range(CHUNK):
        first = np.random.randint(parents)
        second = np.random.randint(parents) if np.random.randint(100) < _CROSSED else first
        child = child_factors[j]
        for d in range(DIM_COUNT):
            child[d] = factors[first if np.random.randint(2) else second, d]
        for level in range(levels):
            parent = first if np.random.randint(2) else second
            child_orders[j, level] = orders[parent, level]
            columns.keeps[level, j] = stores[parent, level]
        for _ in range(1 + np.random.randint(4)):
            lot = np.random.randint(100 + moves.any_share)
            if lot >= 100:
                cut_anyhow(moves, child)
            elif lot < _ORDER_SHARE:
                child_orders[j, np.random.randint(levels)] = np.random.randint(moves.codes.size)
            elif lot < _ORDER_SHARE + _KEEP_SHARE:
                level = 1 + np.random.randint(levels - 1)
                columns.keeps[level, j] = moves.choices[level, np.random.randint(moves.choice_count[level])]
            elif lot < _ORDER_SHARE + _KEEP_SHARE + _SWAP_SHARE:
                deal_axis(moves, child)
            else:
                d = np.random.randint(DIM_COUNT)
                source = moves.cuts[d, np.random.randint(moves.cut_count[d])]
                target = moves.cuts[d, np.random.randint(moves.cut_count[d])]
                move_primes(d, source, target, moves.primes, child)
        for d in range(DIM_COUNT):
            sizes_of(moves.bounds[d], child[d], columns.chains[d, :, j])
        for level in range(levels):
            columns.orders[level, j] = moves.codes[child_orders[j, level]]


class Island:
    """One population: ``PARENTS`` rows of parents, then ``CHUNK`` of children, and what each is worth."""

    def __init__(self, levels: int) -> None:
        room = PARENTS + CHUNK
        self.factors = np.ones((room, DIM_COUNT, 3 * levels), np.int64)
        self.orders = np.zeros((room, levels), np.int64)
        self.stores = np.zeros((room, levels), np.int64)
        self.value, self.tie = np.full(room, np.inf), np.full(room, np.inf)
        self.parents = 0
        rng = np.random.default_rng(0)
        self._of_spread = rng.integers(1 << 60, size=(DIM_COUNT, 3 * levels)) * (np.arange(3 * levels) % 3 > 0)
        self._of_stores = rng.integers(1 << 60, size=levels)

    def select(self) -> None:
        """The best become the parents; half of the places go to the best of as many niches.

        A niche is which dims share which axis, and what the levels store: the way from one to another leads through
        worse mappings. Of equal values, mostly equal mappings, one is kept.
        """
        order = np.lexsort((self.tie, self.value))
        order = order[self.value[order] < np.inf]
        if len(order) == 0:
            return
        fresh = np.concatenate(([True], np.diff(self.value[order]) != 0))
        order = np.concatenate((order[fresh], order[~fresh]))
        niche = (self.factors[order] > 1).reshape(len(order), -1) @ self._of_spread.ravel()
        niche += self.stores[order] @ self._of_stores
        ahead = np.sort(np.unique(niche, return_index=True)[1])[: PARENTS // 2]
        rest = np.setdiff1d(np.arange(len(order)), ahead)[: PARENTS - len(ahead)]
        rows = order[np.sort(np.concatenate((ahead, rest)))]
        for array in (self.factors, self.orders, self.stores, self.value, self.tie):
            array[: len(rows)] = array[rows]
        self.value[len(rows) : PARENTS] = np.inf
        self.parents = len(rows)


class Evolution:
    """One search: its tables, its chunk of columns, and the best mapping so far.

    Args:
        generator: of mappings that fit.
        objective: exponents of energy and cycles, and whether ties count.
        ragged: whether tiles need not divide.

    Attributes:
        found: one column, the best mapping so far.
        best: (2,) its value and tie-break.
        tally: (TALLY,) counters, see ``exact``.
    """

    def __init__(self, generator: Generator, objective: Ints, ragged: bool = False) -> None:
        self.found = MappingColumns.empty(generator.levels, 1)
        self.best: Floats = np.array([np.inf, np.inf])
        self.tally: Ints = np.zeros(TALLY, np.int64)
        self._generator, self._space, self._objective = generator, generator.space, objective
        self._moves = moves_of(self._space, ragged)
        self._work = new_work(generator.levels)
        self._figures = (
            np.empty(CHUNK),
            np.empty(CHUNK, np.int64),
            np.empty(CHUNK, np.int64),
            np.empty(CHUNK, np.uint8),
        )
        self._children = slice(PARENTS, PARENTS + CHUNK)

    def run(
        self,
        islands: int = ISLANDS,
        given: MappingColumns | None = None,
        drawn: int = DRAWN,
        generations: int = GENERATIONS,
    ) -> None:
        """Evolve some islands; their seeds are constants, so that the same question has the same answer.

        Args:
            given: one mapping to begin with beside those that are drawn.
            drawn: chunks of generation 0.
        """
        for seed in range(islands):
            self._island(seed, given, drawn, generations)

    def _island(self, seed: int, given: MappingColumns | None, drawn: int, generations: int) -> None:
        """Draw, breed and select."""
        island, levels = Island(self._generator.levels), self._generator.levels
        whole = np.broadcast_to(self._space.layer.bounds[:, None, None], (DIM_COUNT, 1, CHUNK))
        for draw in range(drawn):
            room = self._generator.take(CHUNK)
            if given is not None and draw == 0:
                room.chains[:, :, :1], room.orders[:, :1], room.keeps[:, :1] = given.chains, given.orders, given.keeps
            above: Ints = np.concatenate((whole, room.chains[:, :-1]), axis=1).astype(np.int64)
            island.factors[self._children] = -(-above // room.chains).transpose(2, 0, 1)
            island.orders[self._children] = (room.orders.T[:, :, None] == self._space.codes).argmax(axis=2)
            self._judge(island, room)
        room = MappingColumns.empty(levels, CHUNK)
        columns = Columns(room.chains, room.orders, room.keeps)
        for generation in range(generations if island.parents else 0):
            breed(
                seed * GENERATIONS + generation,
                island.parents,
                island.factors,
                island.orders,
                island.stores,
                self._moves,
                columns,
                island.factors[self._children],
                island.orders[self._children],
            )
            self._judge(island, room)

    def _judge(self, island: Island, room: MappingColumns) -> None:
        """Evaluate the children, which are also in ``room``, and select."""
        energy_pj, cycles, _, code = self._figures
        columns = Columns(room.chains, room.orders, room.keeps)
        run(0, CHUNK, columns, self._space.layer, self._space.machine, self._work, self._figures)
        fits = code == OK
        self.tally[EVALUATED] += CHUNK
        self.tally[FEASIBLE] += int(fits.sum())
        values, ties = worths(np.nan_to_num(energy_pj), cycles.astype(np.float64), self._objective)
        value, tie = np.where(fits, values, np.inf), np.where(fits, ties, np.inf)
        island.value[self._children], island.tie[self._children] = value, tie
        island.stores[self._children] = room.keeps.T
        top = int(np.lexsort((tie, value))[0])
        if (value[top], tie[top]) < (self.best[0], self.best[1]):
            self.best[:] = value[top], tie[top]
            self.found.chains[:, :, 0], self.found.orders[:, 0] = room.chains[:, :, top], room.orders[:, top]
            self.found.keeps[:, 0] = room.keeps[:, top]
        island.select()
