"""Programs of a network over the buffers of a family, and bounds on their cycles that need no simulation, compiled.

Buffers change a program through its tiles alone, and through how much of a tile is drained at a time. So few of the
many combinations of buffers and caps differ in what they run. What a program moves is the sum over its plans, exactly.
Its cycles are bounded from below by what each unit is busy for, plan after plan: a plan's first activations are loaded
after the results that it waits for are in memory, the compute unit takes a command at a time, and a result is stored
after its tile is drained.
"""

from __future__ import annotations

from accel_models.jit import uncounted, uncounted_entry
from accel_models.pricing.clock import fetches
from accel_models.pricing.command_table import Scratch
from accel_models.pricing.compiled import ceil_div
from accel_models.pricing.emit import EMITTED, TABLE_SHORT, emit
from accel_models.pricing.kernel import copy_row, same_shape
from accel_models.pricing.machine import Ints, Machine, machine_of
from accel_models.pricing.plans import COPY, DUAL, MACS, MAPPED_BY, NEEDS, PARAMS, TILED_AS, R
from accel_models.pricing.tiles import (
    BOUNDED,
    FITS,
    TILE_C,
    TILE_K,
    TILE_P,
    TILE_Q,
    TILE_R,
    TILING_COLUMNS,
    capped,
    choose,
    input_demand,
    useful_words,
    weight_demand,
)
from accel_models.schedule.builder import CHUNK, DESCRIPTOR_BYTES
from accel_models.schedule.commands import Buffer, Unit
from accel_models.template.energy import COUNTS, DUAL_MACS
from accel_models.template.timing_core import COMPUTE_SETTLE_CYCLES, CYCLES, DISPATCH_CYCLES, UNIT

#: What a plan keeps its units busy for: columns before its counts.
COMPUTE, BUSY, DRAIN, COMMANDS, STATS = range(5)
#: What a program's tiles need of the buffers: words of input, weights, sums, output; channels of parameters.
NEEDED = 5
#: Tilings of one plan whose figures are kept.
KEPT_PLANS = 256
_COMPUTE, _DRAIN = int(Unit.COMPUTE), int(Unit.DRAIN)
_INPUT, _OUTPUT, _RESIDUAL = int(Buffer.INPUT), int(Buffer.OUTPUT), int(Buffer.RESIDUAL)
_WEIGHT, _TURNED, _PARAM, _TABLE = int(Buffer.WEIGHT), int(Buffer.TURNED), int(Buffer.PARAM), int(Buffer.TABLE)
_PROGRAM = int(Buffer.PROGRAM)


@uncounted
def same_tilings(a: Ints, b: Ints) -> bool:
    """Equal tiles of every plan."""
    for i in range(len(a)):
        for column in range(TILING_COLUMNS):
            if a[i, column] != b[i, column]:
                return False
    return True


@uncounted
def place_of(tilings: Ints, known: Ints, count: int, hint: int) -> int:
    """Where equal tilings stand among the first ``count``; ``count`` where they do not."""
    if hint < count and same_tilings(tilings, known[hint]):
        return hint
    for i in range(count):
        if same_tilings(tilings, known[i]):
            return i
    return count


@uncounted_entry
def find_twins(plans: Ints, twins: Ints) -> None:
    """The first plan with a plan's tiles, -1: itself."""
    for i in range(len(plans)):
        twins[i] = -1
        for j in range(i):
            if same_shape(plans[j], plans[i]) and plans[j, TILED_AS] == j and plans[i, TILED_AS] == i:
                twins[i] = j
                break


@uncounted_entry
def tile_all(
    plans: Ints, twins: Ints, row: Ints, columns: Ints, sizes: Ints, work: Scratch, chosen: Ints, tilings: Ints,
    known: Ints, which: Ints,
) -> int:  # fmt: skip
    """Default tiles under each combination of buffers; returns how many differ, -1 where there are too many.

    A plan's tiles are chosen once for all buffers that hold as much of what the plan can use.

    Args:
        plans, twins: of the network.
        row: of the family; its buffers are overwritten.
        columns: where they stand in it.
        sizes: ``[n, buffers]``, bytes.
        work, tilings: scratch; chosen: ``[plans, n, BOUNDED + TILING_COLUMNS + 1]``, too.
        known: ``[most, plans, TILING_COLUMNS]``, filled.
        which: ``[n]``, filled: place in ``known``, -1 where a tile does not fit.
    """
    count = hint = 0
    useful, held = work.chosen, work.ends  # columns of words; choices of a plan that are kept
    first = machine_of(row)
    for i in range(len(plans)):
        held[i] = 0
        useful_words(plans[plans[i, TILED_AS]], first, useful[i])
    for d in range(len(sizes)):
        for at in range(len(columns)):
            row[columns[at]] = sizes[d, at]
        m = machine_of(row)
        which[d] = -1
        fits = True
        for i in range(len(plans)):
            if twins[i] >= 0:
                copy_row(tilings[twins[i]], tilings[i])
                continue
            words = (
                min(m.input_words, useful[i, 0]), min(m.weight_words, useful[i, 1]), min(m.acc_words, useful[i, 2]),
                min(m.output_words, useful[i, 3]),
            )  # fmt: skip
            place = held[i] - 1  # the latest is the likeliest
            while place >= 0:
                mine = chosen[i, place]
                if mine[0] == words[0] and mine[1] == words[1] and mine[2] == words[2] and mine[3] == words[3]:
                    break
                place -= 1
            if place < 0:
                mine = chosen[i, held[i]]
                held[i] += 1
                mine[0], mine[1], mine[2], mine[3] = words
                mine[-1] = choose(plans[plans[i, TILED_AS]], m, work.lists, mine[BOUNDED:-1])
            if mine[-1] != FITS:
                fits = False
                break
            copy_row(mine[BOUNDED:-1], tilings[i])
        if not fits:
            continue
        hint = place_of(tilings, known, count, hint)
        if hint == count:
            if count == len(known):
                return -1
            for i in range(len(plans)):
                copy_row(tilings[i], known[count, i])
            count += 1
        which[d] = hint
    return count


@uncounted_entry
def cap_all(
    plans: Ints, row: Ints, bases: int, known: Ints, caps: Ints, tilings: Ints, programs: Ints, needed: Ints,
    which: Ints,
) -> int:  # fmt: skip
    """Default tiles under each pair of caps; returns how many programs differ, -1 where there are too many.

    Args:
        bases: of ``known``, how many.
        caps: ``[caps, 2]``.
        programs: ``[most, plans, TILING_COLUMNS]``, filled; needed: ``[most, NEEDED]``, what their tiles take.
        which: ``[bases, caps]``, filled.
    """
    m = machine_of(row)
    count = hint = 0
    for b in range(bases):
        for cap in range(len(caps)):
            for i in range(len(plans)):
                if plans[i, MAPPED_BY] == COPY:
                    copy_row(known[b, i], tilings[i])
                else:
                    source = plans[plans[i, TILED_AS]]
                    capped(source, plans[i], known[b, i], caps[cap, 0], caps[cap, 1], m, tilings[i])
            hint = place_of(tilings, programs, count, hint)
            which[b, cap] = hint
            if hint < count:
                continue
            if count == len(programs):
                return -1
            for i in range(len(plans)):
                copy_row(tilings[i], programs[count, i])
            needs(plans, tilings, m, needed[count])
            count += 1
    return count


@uncounted
def needs(plans: Ints, tilings: Ints, m: Machine, out: Ints) -> None:
    """What tiles take of the buffers, the most of any plan that has a mapping."""
    for i in range(NEEDED):
        out[i] = 0
    for i in range(len(plans)):
        plan, t = plans[i], tilings[i]
        if plan[MAPPED_BY] == COPY:
            continue
        held = t[TILE_R] if t[TILE_R] else plan[R]
        k, c, p, q = t[TILE_K], t[TILE_C], t[TILE_P], t[TILE_Q]
        out[0] = max(out[0], input_demand(plan, k, c, p, q, held, m))
        out[1] = max(out[1], weight_demand(plan, k, c, p, q, held, m))
        out[2] = max(out[2], ceil_div(k, m.lanes) * p * q)
        out[3] = max(out[3], q)
        if plan[PARAMS]:
            out[4] = max(out[4], ceil_div(k, m.lanes) * m.lanes)


@uncounted
def whole_output(t: Ints, m: Machine) -> int:
    """Words of the output buffer beyond which a plan's tiles are drained at once."""
    return int(ceil_div(t[TILE_K], m.lanes) * t[TILE_P] * t[TILE_Q])


@uncounted_entry
def widest_outputs(row: Ints, programs: Ints, count: int, out: Ints) -> None:
    """Words of the output buffer beyond which a program no longer changes, ``[count]``."""
    m = machine_of(row)
    for program in range(count):
        out[program] = 0
        for i in range(programs.shape[1]):
            out[program] = max(out[program], whole_output(programs[program, i], m))


@uncounted
def word_cycles(word_bytes: int, beat_bytes: int) -> int:
    """Least cycles that the bus takes for a word: one a piece."""
    return max(1, word_bytes // beat_bytes)


@uncounted_entry
def bound_programs(
    plans: Ints, pool: Ints, row: Ints, output_column: int, programs: Ints, which: Ints, outputs: Ints, drain: int,
    work: Scratch, kept: Ints, counts: Ints, busy: Ints, least: Ints,
) -> int:  # fmt: skip
    """Counts of programs, exactly, and their least cycles; returns the number of programs, or of one that needs room.

    Args:
        output_column: of the output buffer's bytes in ``row``.
        which: ``[n]``, places in ``programs``; outputs: ``[n]``, words of the output buffer of each.
        drain: cycles of a drain beyond its last group.
        kept: ``[plans, KEPT_PLANS, TILING_COLUMNS + 1 + STATS + COUNTS]``, scratch.
        counts: ``[n, COUNTS]``, filled; busy: ``[n]``; least: ``[n]``, -1 where the program can not be.
    """
    work.ends[:] = 0
    stats = TILING_COLUMNS + 1
    for d in range(len(which)):
        row[output_column] = outputs[d] * machine_of(row).act_word
        m = machine_of(row)
        counts[d] = 0
        busy[d] = 0
        commands, load, compute_end, drain_end, stored, synced = 0, 0, 0, 0, 0, -1
        ended = work.chosen  # column 0: when a plan's results are in memory
        for i in range(len(plans)):
            plan, t = plans[i], programs[which[d], i]
            output = min(outputs[d], whole_output(t, m))
            place = -1
            for j in range(work.ends[i]):
                same = kept[i, j, TILING_COLUMNS] == output
                for column in range(TILING_COLUMNS):
                    same = same and kept[i, j, column] == t[column]
                if same:
                    place = j
                    break
            if place < 0:
                place = min(work.ends[i], KEPT_PLANS - 1)
                mine = kept[i, place]
                copy_row(t, mine)
                mine[TILING_COLUMNS] = output
                for column in range(stats, len(mine)):
                    mine[column] = 0
                work.rings[:, 0] = 0
                work.rings[:, 1] = -1
                n, _, code = emit(0, plan, t, pool, 0, 0, 0, m, mine[stats + STATS :], work)
                if code == TABLE_SHORT:
                    return d
                if code != EMITTED:
                    mine[stats + COMMANDS] = -1
                else:
                    mine[stats + COMMANDS] = n
                    for command in range(n):
                        cycles = work.table[command, CYCLES]
                        if work.table[command, UNIT] == _COMPUTE:
                            mine[stats + COMPUTE] += cycles - 1 + COMPUTE_SETTLE_CYCLES
                            mine[stats + BUSY] += cycles - 2 + COMPUTE_SETTLE_CYCLES
                        elif work.table[command, UNIT] == _DRAIN:
                            mine[stats + DRAIN] += cycles + drain
                work.ends[i] = place + 1
            mine = kept[i, place]
            if mine[stats + COMMANDS] < 0:
                commands = -1
                break
            before, loaded = commands, load
            commands += mine[stats + COMMANDS]
            busy[d] += mine[stats + BUSY]
            moved = mine[stats + STATS :]
            counts[d, DUAL_MACS] += plan[MACS] * plan[DUAL]
            for column in range(COUNTS):
                counts[d, column] += moved[column]
            act, beat = word_cycles(m.act_word, m.beat_bytes), m.beat_bytes
            first = (moved[_INPUT] + moved[_RESIDUAL]) * act
            load += first + (moved[_WEIGHT] + moved[_TURNED]) * word_cycles(min(m.weight_word, m.act_word), beat)
            load += (moved[_PARAM] + moved[_TABLE]) * word_cycles(16, beat)
            store = moved[_OUTPUT] * act
            synced = max(synced, plan[NEEDS])
            begin = ended[synced, 0] if synced >= 0 else 0
            # The sequencer hands out every command before it, and the load unit runs every load before it.
            arrived = max(begin, before * DISPATCH_CYCLES, loaded) + m.latency
            compute_end = max(compute_end, arrived) + mine[stats + COMPUTE]
            drain_end = max(drain_end + mine[stats + DRAIN], compute_end + drain, arrived + mine[stats + DRAIN])
            stored = max(stored + store - 2, drain_end + m.latency, arrived + max(first, store) + drain + m.latency)
            ended[i, 0] = stored
        if commands < 0:
            least[d] = -1
            continue
        chunks = fetches(commands)
        counts[d, _PROGRAM] += (chunks + 1) * CHUNK
        load += (chunks + 1) * CHUNK * word_cycles(DESCRIPTOR_BYTES, m.beat_bytes)
        least[d] = max(stored, load + m.latency, commands * DISPATCH_CYCLES)
    return len(which)
