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

from accel_models.hardware.devices import Device, DeviceKind
from accel_models.pricing.best_first import OF_WORK, BestFirst, Rows
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
from accel_models.pricing.command_table import Scratch
from accel_models.pricing.families import BUFFERS, PRICED_AT, Family
from accel_models.pricing.kernel import new_results, new_scratch
from accel_models.pricing.machine import TEMPLATE_FIELDS, Ints
from accel_models.pricing.plans import MACS, Plans
from accel_models.pricing.price import Pricer, networks_of
from accel_models.pricing.tiles import BOUNDED, TILING_COLUMNS
from accel_models.template.energy import COMPONENTS, COUNTS, TENSOR_OF, energies, total_pj, word_bits
from accel_models.template.resources import highest_hz
from accel_models.template.timing_core import DRAIN_LATENCY_CYCLES, LOOKUP_CYCLES
from mappings.workload import Workload

_DRAM = COMPONENTS.index("DRAM")
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
            objectives, limits: among :data:`accel_models.pricing.best_first.FIGURES`.

        Returns:
            A superset of the front whose further members differ from it in last digits alone; empty: no accelerator
            with room runs the network.
        """
        names = (*objectives, *limits)
        power = "power_mw" in names or self._part.power_mw is not None
        lean = all(name in OF_WORK for name in names) and not power
        parts, least, machines, designs = list[Rows](), list[Ints](), list[tuple[int, int, int]](), 0
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
                parts.append(Rows(**{**vars(rows), "clock": np.full(len(rows.clock), float(clock))}))
        if not parts:
            return [], Account(designs, 0, 0)
        rows, bound = Rows.join(parts), np.concatenate(least).astype(np.float64)

        def timed(programs: Ints) -> tuple[Ints, Ints, Ints]:
            return self._time(workload, [machines[i] for i in programs])

        search = BestFirst(self._part, rows, bound, timed, tuple(objectives), dict(limits))
        kept = search.best()
        account = Account(designs, len(machines), int(search.timed.sum()))
        return [
            Picked(int(rows.family[i]), int(rows.combo[i]), int(rows.cap[i]), int(rows.clock[i])) for i in kept
        ], account

    def _programs(
        self, workload: Workload, number: int, family: Family, lean: bool
    ) -> tuple[Rows, Ints, list[tuple[int, int, int]]] | None:
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
        rows = self._charged(number, family, plans.rows, counts, busy, combo[alone], cap[alone], same[alone])
        return (rows.leanest() if lean else rows), np.maximum(least, 0), example

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
        self, number: int, family: Family, plans: Ints, counts: Ints, busy: Ints, combo: Ints, cap: Ints, program: Ints,
    ) -> Rows:  # fmt: skip
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
        return Rows(
            np.full(len(combo), number), combo, cap, program, dynamic, parts[program, _DRAM], family.cycle_pj[combo],
            family.static_pj[combo], np.zeros(len(combo)), family.taken[combo], moved[program].astype(np.float64),
        )  # fmt: skip

    def _time(self, workload: Workload, examples: Sequence[tuple[int, int, int]]) -> tuple[Ints, Ints, Ints]:
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


def _words(family: Family, sizes: Ints) -> Ints:
    """``[n, NEEDED]``, what each combination holds."""
    t = family.base
    words = np.array([t.act_word_bytes, t.weight_word_bytes, t.word_lanes * t.acc_bits // 8, t.act_word_bytes])
    return np.column_stack([sizes // words, np.full(len(sizes), t.param_channels)])
