"""Best first: of designs whose figures are known or bounded, the front, timing no more programs than it takes.

Designs whose bounds no other's dominate are timed exactly, until all of these are timed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_models.hardware.devices import Device
from accel_models.hardware.technology import technology
from accel_models.pricing.families import AREA, SIZE, Floats, resources
from accel_models.pricing.machine import Ints
from accel_models.pricing.tiles import FITS
from accel_models.template.families import family_of as fabric_of

#: Figures that this room knows, by name; those that are better when larger have their sign turned in costs.
FIGURES = (
    "latency_ms", "latency_cycles", "throughput_per_s", "energy_uj", "edp_uj_ms", "power_mw", "buffer_bytes",
    "dram_bytes", "dsp", "bram36", "lut", "ff", "fill", "area_mm2",
)  # fmt: skip
_RAISED = ("throughput_per_s",)
#: Those that depend on nothing of a design but its cycles and energy.
OF_WORK = ("latency_ms", "latency_cycles", "throughput_per_s", "energy_uj", "edp_uj_ms")
#: Bounds and exact figures are computed in other orders than the exact path's: their last digits are not compared.
_HAIR = 1e-9
#: Programs that are timed at a time.
_ROUND = 256


@dataclass
class Rows:
    """Designs that may be on the front, as columns; a program's columns are looked up by ``program``."""

    family: Ints
    combo: Ints
    cap: Ints
    program: Ints
    dynamic: Floats  # energy of what is moved and computed, in pJ
    outside: Floats  # of it, external memory's (what that takes while it waits is in static)
    cycle: Floats  # energy of any cycle; static: of a second, in pJ
    static: Floats
    clock: Floats
    taken: Floats
    dram_bytes: Floats

    def take(self, rows: Ints) -> Rows:
        """Some of them."""
        return Rows(*(column[rows] for column in vars(self).values()))

    @staticmethod
    def join(parts: Sequence[Rows]) -> Rows:
        """One after another."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return Rows(*(np.concatenate(column) for column in columns))

    def leanest(self) -> Rows:
        """Of each program, and what a cycle and a second cost beside it, the design that moves at the least energy."""
        order = np.lexsort((self.dynamic, self.static, self.cycle, self.program))
        told = np.column_stack([self.program[order], self.cycle[order], self.static[order]])
        first = np.ones(len(order), dtype=bool)
        first[1:] = (told[1:] != told[:-1]).any(axis=1)
        return self.take(order[first])


class BestFirst:
    """Designs whose bounds are not dominated are timed until all such are.

    Args:
        part: the device.
        rows: the designs.
        bound: least cycles of each program.
        time: cycles, cycle of the last result, and codes of some programs, exactly.
        objectives, limits: among :data:`FIGURES`.
    """

    def __init__(
        self,
        part: Device,
        rows: Rows,
        bound: Floats,
        time: Callable[[Ints], tuple[Ints, Ints, Ints]],
        objectives: tuple[str, ...],
        limits: dict[str, float],
    ) -> None:
        self._part, self._rows, self._time = part, rows, time
        self._objectives, self._limits = objectives, limits
        self._cycles, self._ended = bound.copy(), bound.copy()
        self._runs = np.ones(len(bound), dtype=bool)
        self.timed = np.zeros(len(bound), dtype=bool)

    def best(self) -> list[int]:
        """Rows of the front, or of the nearest where nothing is within the limits."""
        live = np.arange(len(self._rows.program))
        kept = self._narrowed(live, nearest=False)
        return kept if kept else self._narrowed(live, nearest=True)

    def _narrowed(self, live: Ints, nearest: bool) -> list[int]:
        while len(live):
            live = live[self._runs[self._rows.program[live]]]
            costs, over = self._costs(live)
            if nearest:
                costs = over[:, None]
            else:
                live, costs = live[over <= 0], costs[over <= 0]
            if not len(live):
                return []
            timed = self.timed[self._rows.program[live]]
            costs = np.where(timed[:, None], costs, costs - np.abs(costs) * _HAIR)
            front = optimistic(costs)
            new = np.unique(self._rows.program[live[front]][~timed[front]])
            if not len(new):
                close = ~beaten(costs - np.abs(costs) * _HAIR, costs[front]) & timed
                return [int(row) for row in live[close]]
            self._tell(new[:_ROUND])
            # What a timed design dominates by more than a hair leaves for good.
            done = np.flatnonzero(self.timed[self._rows.program[live]])
            costs, over = self._costs(live)
            if nearest:
                costs = over[:, None]
            done = done[(over[done] <= 0) | nearest]
            done = done[self._runs[self._rows.program[live[done]]]]
            if len(done):
                best = costs[done][optimistic(costs[done])]
                live = live[~beaten(costs + np.abs(costs) * -_HAIR, best)]
        return []

    def _tell(self, programs: Ints) -> None:
        cycles, ended, code = self._time(programs)
        self._cycles[programs], self._ended[programs] = cycles, ended
        self._runs[programs] = code == FITS
        self.timed[programs] = True

    def _costs(self, live: Ints) -> tuple[Floats, Floats]:
        """Objectives to be lowered, ``[n, objectives]``, and how far over the limits, 0: within."""
        rows = self._rows
        program = rows.program[live]
        figure = _Figures(self._part, rows, live, self._cycles[program], self._ended[program], self.timed[program])
        columns = [figure(name) * (-1.0 if name in _RAISED else 1.0) for name in self._objectives]
        costs = np.column_stack(columns) if columns else np.zeros((len(live), 1))
        over = np.zeros(len(live))
        for name, bound in self._limits.items():
            value = figure(name)
            excess = (bound - value if name in _RAISED else value - bound) / (abs(bound) or 1.0)
            over += np.maximum(excess - _HAIR, 0.0)
        if self._part.power_mw is not None:
            bound = self._part.power_mw
            over += np.maximum(figure("chip_mw") / bound - 1.0 - _HAIR, 0.0)
        return costs, over


class _Figures:
    """Figures of designs at their cycles; of those that are not timed, bounds on the side of the better."""

    def __init__(
        self, part: Device, rows: Rows, live: Ints, cycles: Floats, ended: Floats, timed: NDArray[np.bool_]
    ) -> None:
        self._part, self._rows, self._live, self._timed = part, rows, live, timed
        clock = rows.clock[live]
        self._cycles, self._s = cycles, cycles / clock
        self._still = (rows.cycle[live] + rows.static[live] / clock) * ended
        self._idle_mw = (rows.cycle[live] * clock + rows.static[live]) / 1e9
        _, waits = part.dram_energies(technology(part.technology))
        self._waits_mw = waits or 0.0  # part of what stands still, off the chip
        self._waits = self._waits_mw * 1e9 * ended / clock

    def __call__(self, name: str) -> Floats:
        rows, live = self._rows, self._live
        if name == "latency_ms":
            return self._s * 1e3
        if name == "latency_cycles":
            return self._cycles
        if name == "throughput_per_s":
            return 1.0 / self._s
        if name in ("energy_uj", "edp_uj_ms"):
            energy = (rows.dynamic[live] + self._still) / 1e6
            return energy if name == "energy_uj" else energy * self._s * 1e3
        if name in ("power_mw", "chip_mw"):
            spent, idle_mw = rows.dynamic[live] + self._still, self._idle_mw
            if name == "chip_mw":
                spent, idle_mw = spent - rows.outside[live] - self._waits, idle_mw - self._waits_mw
            # The longer it takes, the less power: what is not timed may take for ever.
            return np.where(self._timed, spent / 1e9 / self._s, idle_mw * (1.0 - 1e-6))
        if name == "dram_bytes":
            return rows.dram_bytes[live]
        taken = rows.taken[live]
        if name == "buffer_bytes":
            return taken[:, SIZE]
        if name == "area_mm2":
            return taken[:, AREA] / 1e6
        counts = resources(taken, fabric_of(self._part))
        if name == "fill":
            bounds = (self._part.dsp, self._part.bram36, self._part.lut, self._part.ff)
            shares = [counts[:, at] / bound for at, bound in enumerate(bounds) if bound]
            most: Floats = np.max(shares, axis=0)
            return most
        return counts[:, ("dsp", "bram36", "lut", "ff").index(name)]


def optimistic(costs: Floats) -> Ints:
    """Rows that no other dominates; of equal rows, all."""
    if costs.shape[1] == 1:
        return np.flatnonzero(costs[:, 0] == costs[:, 0].min())
    if costs.shape[1] == 2:
        order = np.lexsort((costs[:, 1], costs[:, 0]))
        first, second = costs[order, 0], costs[order, 1]
        least = np.minimum.accumulate(second)
        before = np.concatenate([[np.inf], least[:-1]])
        # Better than all before it, or equal to the best of them.
        leads = second < before
        group = np.maximum.accumulate(np.where(leads, np.arange(len(order)), 0))
        equal = (first == first[group]) & (second == second[group])
        return np.sort(order[leads | equal])
    kept = list[int]()
    alive = np.argsort(costs.sum(axis=1), kind="stable")  # what dominates a row stands before it
    while len(alive):
        row = costs[alive[0]]
        same = (costs[alive] == row).all(axis=1)
        kept += [int(i) for i in alive[same]]
        alive = alive[~(costs[alive] >= row).all(axis=1)]
    return np.sort(np.array(kept, dtype=np.int64))


def beaten(costs: Floats, best: Floats) -> NDArray[np.bool_]:
    """Rows that some row of a front dominates."""
    if costs.shape[1] == 1:
        beats: NDArray[np.bool_] = costs[:, 0] > best[:, 0].min()
        return beats
    if costs.shape[1] == 2:
        order = np.argsort(best[:, 0], kind="stable")
        firsts, least = best[order, 0], np.minimum.accumulate(best[order, 1])
        found: NDArray[np.bool_] = np.zeros(len(costs), dtype=bool)
        level = np.searchsorted(firsts, costs[:, 0], side="right") - 1  # the last that is no worse in the first
        ahead = np.searchsorted(firsts, costs[:, 0], side="left") - 1  # the last that is better in it
        found |= (level >= 0) & (least[np.maximum(level, 0)] < costs[:, 1])
        found |= (ahead >= 0) & (least[np.maximum(ahead, 0)] <= costs[:, 1])
        return found
    out = np.zeros(len(costs), dtype=bool)
    for row in best:
        out |= (costs >= row).all(axis=1) & (costs > row).any(axis=1)
    return out
