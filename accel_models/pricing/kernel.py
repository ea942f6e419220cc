"""One design after another: tiles, commands, cycles and counts, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from accel_models.jit import uncounted, uncounted_entry
from accel_models.pricing.clock import fetches, new_room, run_program
from accel_models.pricing.command_table import RINGS, Scratch
from accel_models.pricing.emit import EMITTED, KEPT_TILES, TABLE_SHORT, aligned, emit
from accel_models.pricing.machine import Ints, Machine, machine_of
from accel_models.pricing.plans import COPY, DUAL, MACS, MAPPED_BY, NEEDS, PARAM_BYTES, SHAPE_COLUMNS, TILED_AS
from accel_models.pricing.tiles import FITS, MOST_SIZES, PARAMS_FULL, TILING_COLUMNS, capped, choose, misfit
from accel_models.schedule.builder import CHUNK
from accel_models.schedule.commands import Buffer, Token, Unit
from accel_models.template.energy import COUNTS, DUAL_MACS
from accel_models.template.timing_core import COLUMNS, COMPUTE_SETTLE_CYCLES, CYCLES, SIGNAL, UNIT

_PROGRAM = int(Buffer.PROGRAM)
_MEMORY = 1 << Token.MEMORY
_COMPUTE = int(Unit.COMPUTE)
#: Codes beside ``FITS`` and the buffers that are full: more zeros before a tile than a descriptor holds.
PADDED = PARAMS_FULL + 1


class Networks(NamedTuple):
    """Networks' plans one after another.

    Attributes:
        rows: ``[all plans, PLAN_COLUMNS]``; places: pool of all.
        first, plans: rows of each network; pool: where its places begin; end: first free byte behind its tensors.
    """

    rows: Ints
    places: Ints
    first: Ints
    plans: Ints
    pool: Ints
    end: Ints


class Results(NamedTuple):
    """One row a design.

    Attributes:
        cycles: 0 where the code is not ``FITS``.
        counts: ``[n, COUNTS]``, what its program moves.
        macs, commands: of all plans; busy: cycles in which the compute unit works.
        ended: cycle in which the last result is in memory.
        code: ``FITS``, a buffer that is full, or ``PADDED``; plan: which one.
    """

    cycles: Ints
    counts: Ints
    macs: Ints
    busy: Ints
    ended: Ints
    commands: Ints
    code: Ints
    plan: Ints


def new_scratch(commands: int = 1 << 14, tiles: int = 1 << 13, plans: int = 512) -> Scratch:
    """Room for designs of so many commands, weight tiles and plans."""
    shapes = {
        "table": (commands, COLUMNS),
        "rings": (RINGS, 2),
        "channels": (tiles, 4),
        "weights": (tiles, 3),
        "kept": (KEPT_TILES, 8),
        "lists": (4, MOST_SIZES + 1),
        "tilings": (plans, TILING_COLUMNS),
        "chosen": (plans, TILING_COLUMNS),
        "ends": (plans,),
        "loops": (2, 3),
    }
    return Scratch(**{name: np.zeros(shape, dtype=np.int64) for name, shape in shapes.items()}, room=new_room())


#: No tiles but the default ones.
DEFAULT_TILES = np.zeros((0, 0, TILING_COLUMNS), dtype=np.int64)


def new_results(count: int) -> Results:
    """Zeros."""
    shapes = {"counts": (count, COUNTS)}
    return Results(**{name: np.zeros(shapes.get(name, (count,)), dtype=np.int64) for name in Results._fields})


@uncounted
def copy_row(source: Ints, target: Ints) -> None:
    """``target[:] = source``, without the copy that numpy's rules about overlaps would take."""
    for i in range(len(source)):
        target[i] = source[i]


@uncounted
def same_shape(a: Ints, b: Ints) -> bool:
    """Two plans have equal tiles."""
    for column in range(SHAPE_COLUMNS):  # noqa: SIM110 - compiled
        if a[column] != b[column]:
            return False
    return True


@uncounted
def choose_all(plans: Ints, m: Machine, cap_p: int, cap_k: int, work: Scratch) -> tuple[int, int]:
    """Fill ``work.chosen`` with every plan's tiling; returns ``FITS`` or a code, and which plan."""
    count = len(plans)
    for copies in range(2):
        for i in range(count):
            if (plans[i, MAPPED_BY] == COPY) != (copies == 1):
                continue
            twin = -1
            for j in range(i):
                if same_shape(plans[j], plans[i]) and plans[j, TILED_AS] - j == 0 and plans[i, TILED_AS] - i == 0:
                    twin = j
                    break
            if twin >= 0:
                copy_row(work.tilings[twin], work.tilings[i])
                continue
            code = choose(plans[plans[i, TILED_AS]], m, work.lists, work.tilings[i])
            if code != FITS:
                return code, i
        if copies == 0:
            for i in range(count):
                if plans[i, MAPPED_BY] != COPY:
                    code = capped(plans[plans[i, TILED_AS]], plans[i], work.tilings[i], cap_p, cap_k, m, work.chosen[i])
                    if code != FITS:
                        return code, i
        else:
            for i in range(count):
                if plans[i, MAPPED_BY] == COPY:
                    copy_row(work.tilings[i], work.chosen[i])
    return FITS, -1


@uncounted
def run_design(
    plans: Ints, pool: Ints, end: int, m: Machine, counts: Ints, work: Scratch
) -> tuple[int, int, int, int, int]:
    """A design's cycles, cycle of its last result, commands, code and plan; -1 cycles: scratch is short.

    Its tiles are those of ``work.chosen``.
    """
    work.rings[:, 0] = 0
    work.rings[:, 1] = -1
    n, synced, param_addr = 0, -1, 0
    last = work.ends
    for i in range(len(plans)):
        plan = plans[i]
        if plan[PARAM_BYTES] > 0:
            param_addr = aligned(end)
            end = param_addr + plan[PARAM_BYTES]
        waits = 0
        if plan[NEEDS] > synced:
            synced, waits = plan[NEEDS], 1
            work.table[last[synced], SIGNAL] |= _MEMORY
        n, end, code = emit(n, plan, work.chosen[i], pool, param_addr, end, waits, m, counts, work)
        if code == TABLE_SHORT:
            return -1, 0, 0, 0, i
        if code != EMITTED:
            return 0, 0, 0, PADDED, i
        last[i] = n - 1
    chunks = fetches(n)
    counts[_PROGRAM] += (chunks + 1) * CHUNK
    cycles, ended = run_program(work.table, n, aligned(end), m, work.room)
    return cycles, ended, n, FITS, -1


@uncounted
def take_given(plans: Ints, given: Ints, m: Machine, work: Scratch) -> tuple[int, int]:
    """Fill ``work.chosen`` with tilings that the caller chose; returns ``FITS`` or a code, and which plan."""
    for i in range(len(plans)):
        copy_row(given[i], work.chosen[i])
        code = misfit(plans[i], work.chosen[i], m)
        if code != FITS:
            return code, i
    return FITS, -1


@uncounted_entry
def price_rows(
    at: int, network: Ints, networks: Networks, templates: Ints, caps: Ints, given: Ints, work: Scratch, out: Results
) -> int:
    """Price designs from number ``at`` on; returns how far it came: the number of designs, or of one that needs room.

    Args:
        at: first design.
        network: ``[n]``, which of the networks.
        networks: their plans.
        templates: ``[n, fields]``.
        caps: ``[n, 2]``, most output rows and channels of a tile, where tiles are the default ones.
        given: ``[n, plans, TILING_COLUMNS]``, the tiles; none: the default ones.
        work: scratch.
        out: results.
    """
    for d in range(at, len(network)):
        which = network[d]
        first, count = networks.first[which], networks.plans[which]
        if count > len(work.ends):
            return d
        plans, pool = networks.rows[first : first + count], networks.places[networks.pool[which] :]
        m = machine_of(templates[d])
        if len(given):
            code, plan = take_given(plans, given[d], m, work)
        else:
            code, plan = choose_all(plans, m, caps[d, 0], caps[d, 1], work)
        out.counts[d] = 0
        if code == FITS:
            cycles, ended, commands, code, plan = run_design(plans, pool, networks.end[which], m, out.counts[d], work)
            if cycles < 0:
                return d
            out.cycles[d], out.ended[d], out.commands[d], out.busy[d] = cycles, ended, commands, 0
            for i in range(commands):
                if work.table[i, UNIT] == _COMPUTE:
                    out.busy[d] += work.table[i, CYCLES] - 2 + COMPUTE_SETTLE_CYCLES
            out.macs[d] = 0
            for i in range(len(plans)):
                out.macs[d] += plans[i, MACS]
                out.counts[d, DUAL_MACS] += plans[i, MACS] * plans[i, DUAL]
        out.code[d], out.plan[d] = code, plan
    return len(network)
