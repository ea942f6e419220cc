"""Exact cycles of a program on our accelerator, from the commands alone: one pass, command by command, beat by beat.

The hardware is deterministic with a memory of fixed latency and bandwidth, and no unit ever depends on a command
that comes later in the program; so each command's times follow from those before it. Times are clock cycles;
cycle 0 is the one in which the sequencer sees the start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accel_models.schedule import Buffer, Compute, Dma, Drain, Schedule, Unit
from accel_models.schedule.builder import CHUNK, DESCRIPTOR_BYTES
from accel_models.template.timing_core import (
    BEATS,
    BUSY,
    COLUMNS,
    DONE,
    DRAIN_LATENCY_CYCLES,
    LOOKUP_CYCLES,
    RESULTS,
    UNIT,
    Table,
    simulate_commands,
)
from accel_models.template.unit_timing import compute_cycles


@dataclass(frozen=True, eq=False)
class LayerTiming:
    """What one layer takes.

    Attributes:
        name: layer whose output is left in memory: the last of those that ran as one.
        end_cycle: when its last result is in memory, counted from the start.
        cycles: from the end of the layer before it.
        compute_cycles: in which the array or the vector unit works for it.
        read_bytes, write_bytes: bus beats, in bytes; chunk fetches included.
    """

    name: str
    end_cycle: int
    cycles: int
    compute_cycles: int
    read_bytes: int
    write_bytes: int


@dataclass(frozen=True, eq=False)
class Timing:
    """A whole run.

    Attributes:
        cycles: from start to done, as the cycle counter has it.
        layers: in order.
        commands: per command start, done, beats, busy cycles, what it waited for last (columns
            ``START DONE BEATS BUSY CAUSE``).
    """

    cycles: int
    layers: tuple[LayerTiming, ...]
    commands: Table


def command_table(schedule: Schedule) -> Table:
    """The program as integers, one row a command."""
    template = schedule.template
    lanes = template.word_lanes
    word_bytes = {
        Buffer.INPUT: template.act_word_bytes,
        Buffer.RESIDUAL: template.act_word_bytes,
        Buffer.OUTPUT: template.act_word_bytes,
        Buffer.WEIGHT: template.weight_word_bytes,
        Buffer.PARAM: 16,
        Buffer.PROGRAM: DESCRIPTOR_BYTES,
        Buffer.TURNED: template.act_word_bytes,
        Buffer.TABLE: 16,
    }
    groups = lanes // template.ppu_lanes
    rows: list[tuple[int, ...]] = []
    memo: dict[tuple[object, ...], int] = {}
    for command in schedule.commands:
        body = command.body
        head = (int(command.unit), command.wait, command.signal)
        if isinstance(body, Dma):
            sizes = (body.addr, body.count0, body.count1, body.count2, body.stride1, body.stride2)
            kind = int(body.buffer == Buffer.PROGRAM), int(body.buffer == Buffer.TURNED)
            rows.append((*head, 0, *sizes, word_bytes[body.buffer], *kind))
            continue
        cycles = 0
        if isinstance(body, Compute):
            key = (body.op, body.tile, body.form.dual)
            if key not in memo:
                memo[key] = compute_cycles(body.op, body.tile, template, body.form.dual) + template.acc_stages
            cycles = memo[key]
        elif isinstance(body, Drain):
            cycles = body.blocks * body.words * groups
        rows.append((*head, cycles, *[0] * 9))
    return np.array(rows, dtype=np.int64).reshape(-1, COLUMNS)


def predict(schedule: Schedule) -> Timing:
    """Every command's times, and what they make of the layers."""
    template = schedule.template
    table = command_table(schedule)
    beat_bytes = template.axi_bits // 8
    out = np.zeros((len(table), RESULTS), dtype=np.int64)
    memory = template.axi_burst_beats, template.dram_latency_cycles, template.dram_bytes_per_cycle
    start = schedule.program_addr
    turn = template.cols, template.word_lanes
    drain = DRAIN_LATENCY_CYCLES + template.ppu_stages + (LOOKUP_CYCLES if template.activation_tables else 0)
    total = int(simulate_commands(table, start, beat_bytes, *memory, *turn, drain, out))
    count = len(schedule.plans)
    tags = np.array([command.tag for command in schedule.commands])
    units = table[:, UNIT]
    marks = np.array([command.mark for command in schedule.commands])
    end = np.zeros(count, dtype=np.int64)
    end[tags[marks]] = out[marks, DONE]
    compute = np.bincount(tags, weights=out[:, BUSY], minlength=count)
    read = np.bincount(tags, weights=out[:, BEATS] * (units == Unit.LOAD), minlength=count)
    write = np.bincount(tags, weights=out[:, BEATS] * (units == Unit.STORE), minlength=count)
    # The first chunk's fetch goes under tag 0.
    read[0] += -(-(CHUNK * DESCRIPTOR_BYTES + start % beat_bytes) // beat_bytes)
    before = np.concatenate([[0], end[:-1]])
    layers = tuple(
        LayerTiming(
            plan.name,
            int(end[i]),
            int(end[i] - before[i]),
            int(compute[i]),
            int(read[i]) * beat_bytes,
            int(write[i]) * beat_bytes,
        )
        for i, plan in enumerate(schedule.plans)
    )
    return Timing(total, layers, out)
