"""The driver of the branch and bound: lists, bounds and pairs from :mod:`exact`, costs from the batch model."""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.columns.codes import OK
from accel_models.columns.counts import CHUNK
from accel_models.columns.kernel import Columns, new_work
from accel_models.columns.run import run
from accel_models.columns.tables import Floats, Ints
from accel_models.mapper import exact
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
        self.tally: Ints = np.zeros(exact.TALLY, np.int64)
        self.spreads, self.tiles = all_spreads(space, 1), all_tiles(space)
        self.complete = len(self.spreads) < MAX_SPREADS
        self._bounds = exact.figures(space.layer, space.machine)
        self._room = MappingColumns.empty(3, CHUNK)
        self._columns = Columns(self._room.chains, self._room.orders, self._room.keeps)
        self._out = (np.empty(CHUNK), np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64), np.empty(CHUNK, np.uint8))
        self._least = (np.empty(CHUNK), np.empty(CHUNK))
        self._work = new_work(3)
        self._shares, self._share_energy = np.empty((ROOM, DIM_COUNT), np.int32), np.empty(ROOM)

    def run(self, objective: Ints, budget: int) -> None:
        """Search with one objective (exponents of energy and cycles, ties), looking at ``budget`` pairs at most."""
        space, tally = self.space, self.tally
        masks1, masks2 = masks(space, 1), masks(space, 2)
        stop = int(tally[exact.PAIRS]) + budget
        for mask1 in masks1:
            outer = self._outer(int(mask1))
            if outer is None:
                continue
            fastest = objective[0] == 0 and objective[2] == 0
            order = np.lexsort((outer[0], outer[1])) if fastest else np.argsort(outer[0])
            least = (float(outer[0].min()), float(outer[1].min()))
            energy, steps, value, tie = (np.empty(len(self.spreads) * len(masks2)) for _ in range(4))
            carried = np.empty((2, len(value)))
            exact.list_spreads(
                mask1,
                self.spreads,
                masks2,
                space.layer,
                space.machine,
                self._bounds,
                *least,
                objective,
                energy,
                steps,
                value,
                tie,
                carried,
            )
            tally[exact.SPREADS] += len(value)
            for node in np.lexsort((tie, value)):
                if (value[node], tie[node]) >= (self.best[0], self.best[1]):
                    break
                if tally[exact.PAIRS] > stop:
                    self.complete = False
                    return
                i, k = divmod(int(node), len(masks2))
                self._node(
                    int(mask1),
                    int(masks2[k]),
                    self.spreads[i],
                    energy[node],
                    steps[node],
                    carried[:, node],
                    outer,
                    order,
                    least,
                    objective,
                )

    def _outer(self, mask1: int) -> tuple[Any, ...] | None:
        """Energy, cycles, tile, order, bits into and out of the buffer, of every outer candidate; None without any."""
        n = 3 * len(self.tiles)
        outer = tuple(np.empty(n, kind) for kind in (float, float, np.int64, np.int64, float, float))
        space = self.space
        count = exact.list_outer(mask1, self.tiles, space.layer, space.machine, space.kind, self._bounds, *outer)
        self.tally[exact.OUTER] += count
        return tuple(array[:count] for array in outer) if count else None

    def _node(
        self,
        mask1: int,
        mask2: int,
        units: Ints,
        energy: float,
        steps: float,
        carried: Floats,
        outer: Any,
        outer_order: Ints,
        least: tuple[float, float],
        objective: Ints,
    ) -> None:
        space = self.space
        along = np.empty(DIM_COUNT, np.int64)
        if not split_axes(units, space.machine.fanout[1], space.limits.axes[1], along):
            return
        count = exact.list_shares(
            mask1,
            mask2,
            units,
            energy,
            steps,
            space.sizes,
            space.counts,
            space.layer,
            space.machine,
            space.kind,
            self._bounds,
            *least,
            objective,
            self.best,
            self.tally,
            self._shares,
            self._share_energy,
        )
        self.complete &= count < ROOM
        order = np.argsort(self._share_energy[:count])
        start = np.zeros(2, np.int64)
        while start[0] < count:
            limit = CHUNK if self.best[0] < np.inf else 3  # the first mapping that fits makes all bounds bite
            pending = exact.pair(
                start,
                count,
                order,
                self._shares,
                self._share_energy,
                mask1,
                mask2,
                units,
                along,
                energy,
                steps,
                float(carried[0]),
                float(carried[1]),
                outer,
                outer_order,
                self.tiles,
                space.layer,
                space.machine,
                space.kind,
                space.codes,
                space.code_start,
                self._bounds,
                objective,
                self.best,
                self.tally,
                self._columns,
                *self._least,
                limit,
            )
            self._evaluate(pending, objective)

    def _evaluate(self, count: int, objective: Ints) -> None:
        """Cost of the first ``count`` columns gathered."""
        if count == 0:
            return
        energy_pj, cycles, _, code = self._out
        run(0, count, self._columns, self.space.layer, self.space.machine, self._work, self._out)
        self.tally[exact.EVALUATED] += count
        fits = np.flatnonzero(code[:count] == OK)
        self.tally[exact.FEASIBLE] += len(fits)
        if len(fits) == 0:
            return
        values, ties = exact.worths(np.nan_to_num(energy_pj[fits]), cycles[fits].astype(np.float64), objective)
        self._take(int(fits[np.lexsort((ties, values))[0]]), objective)

    def _take(self, row: int, objective: Ints) -> None:
        energy, cycles = float(np.nan_to_num(self._out[0][row])), float(self._out[1][row])
        if exact.beats(energy, cycles, objective, self.best):
            self.best[:] = exact.worth(energy, cycles, objective)
            self.found.chains[:, :, 0] = self._room.chains[:, :, row]
            self.found.orders[:, 0] = self._room.orders[:, row]
            self.found.keeps[:, 0] = self._room.keeps[:, row]
