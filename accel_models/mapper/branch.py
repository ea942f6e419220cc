"""The driver of the branch and bound: lists, bounds and pairs from :mod:`exact`, costs from the batch model."""

from __future__ import annotations

import numpy as np

from accel_models.columns.codes import OK
from accel_models.columns.counts import CHUNK
from accel_models.columns.kernel import Columns, new_work
from accel_models.columns.run import run
from accel_models.columns.tables import Floats, Ints
from accel_models.mapper import exact
from accel_models.mapper.candidates import Aim, Found, Least, Leaves, Node, Outer, Spreads
from accel_models.mapper.objective import EVALUATED, FEASIBLE, OUTER, PAIRS, SPREADS, TALLY, beats, worth, worths
from accel_models.mapper.space import MAX_SPREADS, Space, all_spreads, all_tiles, masks
from accel_models.mapper.spatial import split_axes
from accel_models.reuse.formulas import DIM_COUNT
from mappings.mapspace import MappingColumns

#: Most shares of one spread held at once.
ROOM = 100_000


class Branch:
    """One search.

    Attributes:
        found: one column, the best mapping so far.
        best: (2,) its value and tie-break.
        tally: (TALLY,) counters, see ``exact``.
        complete: whether nothing was left out so far.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.found = MappingColumns.empty(3, 1)
        self.best: Floats = np.array([np.inf, np.inf])
        self.tally: Ints = np.zeros(TALLY, np.int64)
        self.spreads, self.tiles = all_spreads(space, 1), all_tiles(space)
        self.complete = len(self.spreads) < MAX_SPREADS
        self._known = exact.known_of(self.tiles, space.layer, space.machine)
        self._room = MappingColumns.empty(3, CHUNK)
        self._columns = Columns(self._room.chains, self._room.orders, self._room.keeps)
        self._out = (np.empty(CHUNK), np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64), np.empty(CHUNK, np.uint8))
        self._found = Found(self._columns, np.empty(CHUNK), np.empty(CHUNK))
        self._work = new_work(3)
        self._shares, self._share_energy = np.empty((ROOM, DIM_COUNT), np.int32), np.empty(ROOM)

    def run(self, objective: Ints, budget: int) -> None:
        """Search with one objective (exponents of energy and cycles, ties), looking at ``budget`` pairs at most."""
        space, tally = self.space, self.tally
        masks1, masks2 = masks(space, 1), masks(space, 2)
        stop = int(tally[PAIRS]) + budget
        for mask1 in masks1:
            outer = self._outer(int(mask1))
            if outer is None:
                continue
            fastest = objective[0] == 0 and objective[2] == 0
            ranked = np.lexsort((outer.energy, outer.cycles)) if fastest else np.argsort(outer.energy)
            outer = outer._replace(ranked=ranked)
            least = Least(float(outer.energy.min()), float(outer.cycles.min()))
            nodes = len(self.spreads) * len(masks2)
            shapes = (nodes, nodes, nodes, nodes, (2, nodes))
            energy, steps, value, tie, carried = found = Spreads(*(np.empty(shape) for shape in shapes))
            exact.list_spreads(mask1, self.spreads, masks2, space, self._known, least, objective, found)
            tally[SPREADS] += len(value)
            for node in np.lexsort((tie, value)):
                if (value[node], tie[node]) >= (self.best[0], self.best[1]):
                    break
                if tally[PAIRS] > stop:
                    self.complete = False
                    return
                i, k = divmod(int(node), len(masks2))
                units, along = self.spreads[i], np.empty(DIM_COUNT, np.int64)
                if not split_axes(units, space.machine.fanout[1], space.limits.axes[1], along):
                    continue
                figures = (float(array[node]) for array in (energy, steps, carried[0], carried[1]))
                one = Node(int(mask1), int(masks2[k]), units, along, *figures)
                self._node(one, outer, least, objective)

    def _outer(self, mask1: int) -> Outer | None:
        """Every outer candidate, not ranked yet; None without any."""
        n = 3 * len(self.tiles)
        kinds = (float, float, np.int64, np.int64, float, float, np.int64)
        outer = Outer(*(np.empty(n, kind) for kind in kinds))
        count = exact.list_outer(mask1, self.space, self._known, outer)
        self.tally[OUTER] += count
        return Outer(*(array[:count] for array in outer)) if count else None

    def _node(self, node: Node, outer: Outer, least: Least, objective: Ints) -> None:
        """Pairs of one node's shares with the outer candidates."""
        space, known, aim = self.space, self._known, Aim(objective, self.best, self.tally)
        count = exact.list_shares(node, space, known, least, aim, self._shares, self._share_energy)
        self.complete &= count < ROOM
        leaves = Leaves(self._shares, self._share_energy, np.argsort(self._share_energy[:count]))
        start = np.zeros(2, np.int64)
        while start[0] < count:
            limit = CHUNK if self.best[0] < np.inf else 3  # the first mapping that fits makes all bounds bite
            pending = exact.pair(start, leaves, node, outer, space, known, aim, self._found, limit)
            self._evaluate(pending, objective)

    def _evaluate(self, count: int, objective: Ints) -> None:
        """Cost of the first ``count`` columns gathered."""
        if count == 0:
            return
        energy_pj, cycles, _, code = self._out
        run(0, count, self._columns, self.space.layer, self.space.machine, self._work, self._out)
        self.tally[EVALUATED] += count
        fits = np.flatnonzero(code[:count] == OK)
        self.tally[FEASIBLE] += len(fits)
        if len(fits) == 0:
            return
        values, ties = worths(np.nan_to_num(energy_pj[fits]), cycles[fits].astype(np.float64), objective)
        self._take(int(fits[np.lexsort((ties, values))[0]]), objective)

    def _take(self, row: int, objective: Ints) -> None:
        energy, cycles = float(np.nan_to_num(self._out[0][row])), float(self._out[1][row])
        if beats(energy, cycles, objective, self.best):
            self.best[:] = worth(energy, cycles, objective)
            self.found.chains[:, :, 0] = self._room.chains[:, :, row]
            self.found.orders[:, 0] = self._room.orders[:, row]
            self.found.keeps[:, 0] = self._room.keeps[:, row]
