"""The front of one network over a whole space of accelerators, exactly: by proofs, never by sampling.

1. Buffers and caps that lead to the same tiles are one program (:mod:`accel_models.pricing.bounds`).
2. What a program moves is exact without running it, and its cycles have a lower bound; so every figure of a design has
   a bound on the side of the better.
3. Of all designs, those whose bounds no other's dominate are timed exactly, until all of these are timed: then nothing
   that is left can dominate or complete the front (best-first branch and bound).

Among the clocks that a family reaches, the fastest is never worse in time, energy or room; where power counts, all are
looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_models.hardware.devices import Device, DeviceKind
from accel_models.hardware.technology import technology
from accel_models.pricing.bounds import (
    KEPT_PLANS,
    NEEDED,
    STATS,
    bound_programs,
    cap_all,
    find_twins,
    tile_all,
    widest_outputs,
)
from accel_models.pricing.emit import Scratch
from accel_models.pricing.families import AREA, BUFFERS, PRICED_AT, SIZE, Family, Floats, resources
from accel_models.pricing.kernel import new_results, new_scratch
from accel_models.pricing.machine import TEMPLATE_FIELDS, Ints
from accel_models.pricing.plans import MACS, Plans
from accel_models.pricing.price import Pricer, networks_of
from accel_models.pricing.tiles import BOUNDED, FITS, TILING_COLUMNS
from accel_models.template.energy import COMPONENTS, COUNTS, TENSOR_OF, energies, total_pj, word_bits
from accel_models.template.families import family_of as fabric_of
from accel_models.template.resources import highest_hz
from accel_models.template.timing_core import DRAIN_LATENCY_CYCLES, LOOKUP_CYCLES
from mappings.workload import Workload

#: Figures that this room knows, by name; those that are better when larger have their sign turned in costs.
FIGURES = (
    "latency_ms", "latency_cycles", "throughput_per_s", "energy_uj", "edp_uj_ms", "power_mw", "buffer_bytes",
    "dram_bytes", "dsp", "bram36", "lut", "ff", "fill", "area_mm2",
)  # fmt: skip
_RAISED = ("throughput_per_s",)
#: Those that depend on nothing of a design but its cycles and energy.
_OF_WORK = ("latency_ms", "latency_cycles", "throughput_per_s", "energy_uj", "edp_uj_ms")
#: Bounds and exact figures are computed in other orders than the exact path's: their last digits are not compared.
_HAIR = 1e-9
_DRAM = COMPONENTS.index("DRAM")
#: Programs that are timed at a time.
_ROUND = 256
_COLUMNS = np.array([TEMPLATE_FIELDS.index(name) for name in BUFFERS], dtype=np.int64)


@dataclass(frozen=True)
class Picked:
    """One design: places of its family, its combination of buffers, its caps and its clock."""

    family: int
    combo: int
    cap: int
    clock_hz: int


@dataclass(frozen=True)
class Account:
    """How a front was found.

    Attributes:
        designs: in the space with room on the device; programs: that differ; timed: of them, run exactly.
    """

    designs: int
    programs: int
    timed: int


@dataclass
class _Rows:
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

    def take(self, rows: Ints) -> _Rows:
        return _Rows(*(column[rows] for column in vars(self).values()))

    @staticmethod
    def join(parts: Sequence[_Rows]) -> _Rows:
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return _Rows(*(np.concatenate(column) for column in columns))


class WholeSpace:
    """All accelerators of some families under all pairs of caps, at all clocks.

    Args:
        part: the device; its room, clock, port, bandwidth and power bind.
        families: with their buffers.
        clocks: in Hz.
        caps: most rows and channels of a tile.
    """

    def __init__(
        self, part: Device, families: Sequence[Family], clocks: Sequence[int], caps: Sequence[tuple[int, int]]
    ) -> None:
        self._part, self._families = part, list(families)
        self._clocks = [self._reached(family, clocks) for family in self._families]
        self._caps = np.array(caps, dtype=np.int64)
        self._pricer = Pricer(part, bounded=False)
        self._scratch = new_scratch()

    def _reached(self, family: Family, clocks: Sequence[int]) -> list[int]:
        """Clocks that the device allows a family, fastest first."""
        part, base = self._part, family.base
        if part.axi_bits is not None and base.axi_bits > part.axi_bits:
            return []
        if part.axi_burst_beats is not None and base.axi_burst_beats > part.axi_burst_beats:
            return []
        top = highest_hz(base, part) if part.kind is DeviceKind.FPGA else None
        rate, most = 2.0 * base.dram_bytes_per_cycle, part.dram_bytes_per_s
        return sorted(
            (c for c in clocks if (top is None or c <= top) and (most is None or rate * c <= most)), reverse=True
        )

    def front(
        self, workload: Workload, objectives: Sequence[str], limits: Mapping[str, float]
    ) -> tuple[list[Picked], Account]:
        """Every design that no other dominates, to the last digits, in some figures and within limits on some.

        Where no design is within the limits, those that are nearest to them, in bounds summed.

        Args:
            workload: the network.
            objectives, limits: among :data:`FIGURES`.

        Returns:
            A superset of the front whose further members differ from it in last digits alone; empty: no accelerator
            with room runs the network.
        """
        names = (*objectives, *limits)
        power = "power_mw" in names or self._part.power_mw is not None
        lean = all(name in _OF_WORK for name in names) and not power
        parts, least, machines, designs = list[_Rows](), list[Ints](), list[tuple[int, int, int]](), 0
        for number, family in enumerate(self._families):
            clocks = self._clocks[number] if power else self._clocks[number][:1]
            designs += len(family.combos) * len(self._caps) * len(self._clocks[number])
            found = self._programs(workload, number, family, lean) if clocks else None
            if found is None:
                continue
            rows, bounds, examples = found
            rows.program += len(machines)
            machines += examples
            least.append(bounds)
            for clock in clocks:
                parts.append(_Rows(**{**vars(rows), "clock": np.full(len(rows.clock), float(clock))}))
        if not parts:
            return [], Account(designs, 0, 0)
        rows, bound = _Rows.join(parts), np.concatenate(least).astype(np.float64)
        search = _Search(self, workload, rows, bound, machines, tuple(objectives), dict(limits))
        kept = search.best()
        account = Account(designs, len(machines), int(search.timed.sum()))
        rows = search.rows
        return [
            Picked(int(rows.family[i]), int(rows.combo[i]), int(rows.cap[i]), int(rows.clock[i])) for i in kept
        ], account

    def _programs(
        self, workload: Workload, number: int, family: Family, lean: bool
    ) -> tuple[_Rows, Ints, list[tuple[int, int, int]]] | None:
        """A family's designs, the least cycles of its programs, and an example of each: family, combination, caps."""
        plans = self._pricer.plans(workload, family.base)
        if plans is None or family.shape is None:
            return None
        twins = np.zeros(len(plans.rows), dtype=np.int64)
        find_twins(plans.rows, twins)
        row, sizes = family.row.copy(), family.bytes_of()
        count, which, known = self._tiled(plans.rows, twins, row, sizes)
        program_of, programs, needed = self._capped(plans.rows, row, count, known)
        widest = np.zeros(len(programs), dtype=np.int64)
        widest_outputs(row, programs, len(programs), widest)
        # Which combination runs which program: tiles that the caps make larger may not fit.
        live = np.flatnonzero(which >= 0)
        table = program_of[which[live]]
        words = _words(family, sizes)
        fits = (needed[table] <= words[live][:, None, :]).all(axis=2)
        at, cap = np.nonzero(fits)
        combo, program = live[at], table[at, cap]
        outputs = np.minimum(words[combo, 3], widest[program])
        key, first, same = np.unique(program << 32 | outputs, return_index=True, return_inverse=True)
        told = np.column_stack([key >> 32, key & 0xFFFFFFFF])
        # One pair of caps of each program and combination is enough.
        _, alone = np.unique(same * (len(family.combos) + 1) + combo, return_index=True)
        example = [(number, int(combo[i]), int(cap[i])) for i in first]
        counts = np.zeros((len(told), COUNTS), dtype=np.int64)
        busy, least = np.zeros(len(told), dtype=np.int64), np.zeros(len(told), dtype=np.int64)
        self._bounded(plans, row, programs, told, counts, busy, least, family)
        alone = alone[least[same[alone]] >= 0]
        if not len(alone):
            return None
        rows = self._charged(workload, number, family, plans.rows, counts, busy, combo[alone], cap[alone], same[alone])
        return (_leanest(rows) if lean else rows), np.maximum(least, 0), example

    def _tiled(self, plans: Ints, twins: Ints, row: Ints, sizes: Ints) -> tuple[int, Ints, Ints]:
        which, most = np.zeros(len(sizes), dtype=np.int64), 512
        tilings = np.zeros((len(plans), TILING_COLUMNS), dtype=np.int64)
        chosen = np.zeros((len(plans), len(sizes), BOUNDED + TILING_COLUMNS + 1), dtype=np.int64)
        while True:
            known = np.zeros((most, len(plans), TILING_COLUMNS), dtype=np.int64)
            count = tile_all(plans, twins, row, _COLUMNS, sizes, self._room(len(plans)), chosen, tilings, known, which)
            if count >= 0:
                return count, which, known
            most *= 4

    def _capped(self, plans: Ints, row: Ints, count: int, known: Ints) -> tuple[Ints, Ints, Ints]:
        which, most = np.zeros((count, len(self._caps)), dtype=np.int64), max(count * len(self._caps), 1)
        tilings = np.zeros((len(plans), TILING_COLUMNS), dtype=np.int64)
        programs = np.zeros((most, len(plans), TILING_COLUMNS), dtype=np.int64)
        needed = np.zeros((most, NEEDED), dtype=np.int64)
        found = cap_all(plans, row, count, known, self._caps, tilings, programs, needed, which)
        return which, programs[:found], needed[:found]

    def _room(self, plans: int) -> Scratch:
        if plans > len(self._scratch.ends):
            self._scratch = new_scratch(plans=2 * plans)
        return self._scratch

    def _bounded(
        self,
        plans: Plans,
        row: Ints,
        programs: Ints,
        told: Ints,
        counts: Ints,
        busy: Ints,
        least: Ints,
        family: Family,
    ) -> None:
        base = family.base
        drain = DRAIN_LATENCY_CYCLES + base.ppu_stages + (LOOKUP_CYCLES if base.activation_tables else 0)
        kept = np.zeros((len(plans.rows), KEPT_PLANS, TILING_COLUMNS + 1 + STATS + COUNTS), dtype=np.int64)
        while True:
            done = bound_programs(
                plans.rows, plans.places, row, int(_COLUMNS[3]), programs, told[:, 0].copy(), told[:, 1].copy(), drain,
                self._room(len(plans.rows)), kept, counts, busy, least,
            )  # fmt: skip
            if done == len(told):
                return
            room = self._scratch
            self._scratch = new_scratch(4 * len(room.table), 4 * len(room.weights), len(room.ends))

    def _charged(
        self, workload: Workload, number: int, family: Family, plans: Ints, counts: Ints, busy: Ints, combo: Ints,
        cap: Ints, program: Ints,
    ) -> _Rows:  # fmt: skip
        assert family.shape is not None and family.figures is not None, "a family without prices has no rows"
        shared = family.figures.copy()
        for places in PRICED_AT:  # memories that the buffers size
            shared[list(places)] = 0.0
        # What all of the family share, then each size of each buffer, in one look at the counts.
        figures = np.concatenate([shared[None], *family.buffers])
        each, size = len(counts), len(figures)
        macs, still = np.zeros(size * each, dtype=np.int64), np.zeros(size * each, dtype=np.int64)
        works = still.copy()
        macs[:each], works[:each] = plans[:, MACS].sum(), busy
        shapes = np.broadcast_to(family.shape, (size * each, len(family.shape)))
        repeated, again = np.repeat(figures, each, axis=0), np.tile(counts, (size, 1))
        parts = energies(repeated, shapes, again, macs, works, still)
        totals = total_pj(parts).reshape(size, each)
        dynamic, begin = totals[0, program], 1
        for place, table in enumerate(family.buffers):
            dynamic = dynamic + totals[begin + family.combos[combo, place], program]
            begin += len(table)
        widths = [(int(buffer), word_bits(buffer, family.base) // 8) for buffer in TENSOR_OF]
        moved = np.sum([counts[:, column] * width for column, width in widths], axis=0)
        return _Rows(
            np.full(len(combo), number), combo, cap, program, dynamic, parts[program, _DRAM], family.cycle_pj[combo],
            family.static_pj[combo], np.zeros(len(combo)), family.taken[combo], moved[program].astype(np.float64),
        )  # fmt: skip

    def time(self, workload: Workload, examples: Sequence[tuple[int, int, int]]) -> tuple[Ints, Ints, Ints]:
        """Cycles, cycle of the last result, and codes of some programs, exactly."""
        parts, places, which = list[Plans](), dict[int, int](), np.zeros(len(examples), dtype=np.int64)
        rows = np.zeros((len(examples), len(TEMPLATE_FIELDS)), dtype=np.int64)
        for at, (number, combo, _) in enumerate(examples):
            family = self._families[number]
            plans = self._pricer.plans(workload, family.base)
            assert plans is not None, "its programs are known"
            if id(plans) not in places:
                places[id(plans)] = len(parts)
                parts.append(plans)
            which[at] = places[id(plans)]
            rows[at] = family.row
            rows[at, _COLUMNS] = [some[family.combos[combo, place]] for place, some in enumerate(family.sizes)]
        out = new_results(len(examples))
        caps = self._caps[[cap for _, _, cap in examples]]
        self._pricer.run(which, networks_of(parts), rows, caps, out)
        return out.cycles, out.ended, out.code

    @property
    def part(self) -> Device:
        """The device."""
        return self._part


def _words(family: Family, sizes: Ints) -> Ints:
    """``[n, NEEDED]``, what each combination holds."""
    t = family.base
    words = np.array([t.act_word_bytes, t.weight_word_bytes, t.word_lanes * t.acc_bits // 8, t.act_word_bytes])
    return np.column_stack([sizes // words, np.full(len(sizes), t.param_channels)])


def _leanest(rows: _Rows) -> _Rows:
    """Of each program, and what a cycle and a second cost beside it, the design that moves at the least energy."""
    order = np.lexsort((rows.dynamic, rows.static, rows.cycle, rows.program))
    told = np.column_stack([rows.program[order], rows.cycle[order], rows.static[order]])
    first = np.ones(len(order), dtype=bool)
    first[1:] = (told[1:] != told[:-1]).any(axis=1)
    return rows.take(order[first])


class _Search:
    """Best first: designs whose bounds are not dominated are timed until all such are."""

    def __init__(
        self, space: WholeSpace, workload: Workload, rows: _Rows, bound: Floats, examples: list[tuple[int, int, int]],
        objectives: tuple[str, ...], limits: dict[str, float],
    ) -> None:  # fmt: skip
        self.rows, self._space, self._workload, self._examples = rows, space, workload, examples
        self._objectives, self._limits = objectives, limits
        self._cycles, self._ended = bound.copy(), bound.copy()
        self._runs = np.ones(len(bound), dtype=bool)
        self.timed = np.zeros(len(bound), dtype=bool)

    def best(self) -> list[int]:
        """Rows of the front, or of the nearest where nothing is within the limits."""
        live = np.arange(len(self.rows.program))
        kept = self._narrowed(live, nearest=False)
        return kept if kept else self._narrowed(live, nearest=True)

    def _narrowed(self, live: Ints, nearest: bool) -> list[int]:
        while len(live):
            live = live[self._runs[self.rows.program[live]]]
            costs, over = self._costs(live)
            if nearest:
                costs = over[:, None]
            else:
                live, costs = live[over <= 0], costs[over <= 0]
            if not len(live):
                return []
            timed = self.timed[self.rows.program[live]]
            costs = np.where(timed[:, None], costs, costs - np.abs(costs) * _HAIR)
            front = optimistic(costs)
            new = np.unique(self.rows.program[live[front]][~timed[front]])
            if not len(new):
                close = ~beaten(costs - np.abs(costs) * _HAIR, costs[front]) & timed
                return [int(row) for row in live[close]]
            self._time(new[:_ROUND])
            # What a timed design dominates by more than a hair leaves for good.
            done = np.flatnonzero(self.timed[self.rows.program[live]])
            costs, over = self._costs(live)
            if nearest:
                costs = over[:, None]
            done = done[(over[done] <= 0) | nearest]
            done = done[self._runs[self.rows.program[live[done]]]]
            if len(done):
                best = costs[done][optimistic(costs[done])]
                live = live[~beaten(costs + np.abs(costs) * -_HAIR, best)]
        return []

    def _time(self, programs: Ints) -> None:
        cycles, ended, code = self._space.time(self._workload, [self._examples[i] for i in programs])
        self._cycles[programs], self._ended[programs] = cycles, ended
        self._runs[programs] = code == FITS
        self.timed[programs] = True

    def _costs(self, live: Ints) -> tuple[Floats, Floats]:
        """Objectives to be lowered, ``[n, objectives]``, and how far over the limits, 0: within."""
        rows = self.rows
        program = rows.program[live]
        figure = _Figures(
            self._space.part, rows, live, self._cycles[program], self._ended[program], self.timed[program]
        )
        columns = [figure(name) * (-1.0 if name in _RAISED else 1.0) for name in self._objectives]
        costs = np.column_stack(columns) if columns else np.zeros((len(live), 1))
        over = np.zeros(len(live))
        for name, bound in self._limits.items():
            value = figure(name)
            excess = (bound - value if name in _RAISED else value - bound) / (abs(bound) or 1.0)
            over += np.maximum(excess - _HAIR, 0.0)
        if self._space.part.power_mw is not None:
            bound = self._space.part.power_mw
            over += np.maximum(figure("chip_mw") / bound - 1.0 - _HAIR, 0.0)
        return costs, over


class _Figures:
    """Figures of designs at their cycles; of those that are not timed, bounds on the side of the better."""

    def __init__(
        self, part: Device, rows: _Rows, live: Ints, cycles: Floats, ended: Floats, timed: NDArray[np.bool_]
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
