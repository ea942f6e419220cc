"""What a program moves, as whole numbers, and what that costs: the one place where a template's energy is summed.

A row of counts has the columns named here: words of each transfer, by the buffer at its on-chip end; reads and writes
of the on-chip memories; multiplications. Beside them stand cycles: clock, control, registers and static power. Numbers
add up exactly in any order; only their sum is priced, so that a layer's and a network's energy do not depend on how a
path came to the counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from accel_models.breakdown import EnergyBreakdown
from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.devices import Device
from accel_models.hardware.energy import TemplateShape, power_mw, static_pj, template_prices
from accel_models.hardware.technology import CLOCK_TREE, Technology, TechnologyKind
from accel_models.report import CostReport
from accel_models.schedule import Buffer, Command, Compute, ComputeOp, Dma, Drain, Second
from accel_models.schedule.builder import DESCRIPTOR_BYTES
from accel_models.template.array_timing import array_accesses, ceil_div
from accel_models.template.cells import GATES_PER_LUT, cells
from accel_models.template.fabric import product_in_dsp
from accel_models.template.resources import logic, logic_um2, stored
from accel_models.template.spec import Template

#: Columns 1 to 8: words transferred, by `Buffer`. Then words that the compute unit reads of the input and the weight
#: buffer; accumulator words that it reads and writes; words drained, joined with a second operand, looked up; channels
#: whose parameters are read; multiplications (by an estimate of one a lane) of the vector and non-linear units;
#: then those of the layers' multiply-accumulates that the array does two at a time.
INPUT_READS, WEIGHT_READS, SUM_READS, SUM_WRITES, DRAINED, JOINED, LOOKED_UP, PARAM_READS, UNIT_MACS, DUAL_MACS = range(
    9, 19
)
COUNTS = 19
#: How often the non-linear unit reads a row.
SCANS = {ComputeOp.SOFTMAX: 3, ComputeOp.NORM: 2}
PARAM_WORD_BITS, DESCRIPTOR_BITS = 128, 8 * DESCRIPTOR_BYTES
COMPONENTS = (
    "DRAM",
    "input buffer",
    "weight buffer",
    "accumulators",
    "output buffer",
    "residual buffer",
    "parameters",
    "tables",
    "MAC",
    "post-processing",
    "array registers",
    "clock and control",
    "leakage",
)
#: What stands for logic: cells that are no memory.
LOGIC = ("MAC", "post-processing", "array registers", "clock and control")
#: On-chip memories that are priced, tables last.
MEMORIES = 7
#: Which tensor a transfer belongs to; a matrix product's second operand takes the place of weights.
TENSOR_OF = {
    Buffer.INPUT: "I",
    Buffer.WEIGHT: "W",
    Buffer.TURNED: "W",
    Buffer.PARAM: "parameters",
    Buffer.RESIDUAL: "residual",
    Buffer.OUTPUT: "O",
    Buffer.PROGRAM: "program",
    Buffer.TABLE: "tables",
}

Counts: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


def word_bits(buffer: Buffer, template: Template) -> int:
    """Bits of one word of a transfer."""
    if buffer is Buffer.WEIGHT:
        return template.weight_word_bytes * 8
    if buffer in (Buffer.PARAM, Buffer.TABLE):
        return PARAM_WORD_BITS
    return DESCRIPTOR_BITS if buffer is Buffer.PROGRAM else template.act_word_bytes * 8


def count(command: Command, template: Template, row: Counts) -> None:
    """Add what one command moves to a row of counts."""
    body, lanes = command.body, template.word_lanes
    if isinstance(body, Dma):
        row[body.buffer] += body.words
    elif isinstance(body, Compute):
        tile = body.tile
        outputs = ceil_div(tile.k, lanes) * tile.p * tile.q
        if body.op is ComputeOp.ARRAY:
            moved = array_accesses(template.array, template.rows, template.cols << body.form.dual, tile)
            reads, weights, sums = moved.input_reads, moved.weight_reads, moved.acc_writes
        else:
            sums = outputs * tile.r * tile.s
            reads = sums * SCANS.get(body.op, 1)
            words = ceil_div(tile.k, lanes) * tile.r * tile.s * ceil_div(lanes, template.cols)
            weights = words if body.op is ComputeOp.DEPTHWISE else 0
            if body.op is not ComputeOp.DEPTHWISE:  # pooling adds or compares once a tap; no layer counts it as MACs
                row[UNIT_MACS] += reads * min(lanes, tile.k)
        row[INPUT_READS] += reads
        row[WEIGHT_READS] += weights
        # A sum is read to be added to, but for the first of each.
        row[SUM_READS] += max(0, sums - (0 if body.accumulate else outputs))
        row[SUM_WRITES] += sums
    elif isinstance(body, Drain):
        words = body.blocks * body.words
        row[DRAINED] += words
        row[JOINED] += words if body.second is not Second.NONE else 0
        row[LOOKED_UP] += words if body.lookup else 0
        row[PARAM_READS] += body.blocks * lanes if body.per_channel else 0


def template_shape(template: Template, tech: Technology, part: Device | None = None) -> TemplateShape:
    """What of a template its prices depend on."""
    t, lanes = template, template.word_lanes
    shapes = [
        ("input buffer", t.act_word_bytes * 8, 2 * t.input_buffer_bytes),
        ("weight buffer", t.weight_word_bytes * 8, 2 * t.weight_buffer_bytes),
        ("accumulators", lanes * t.acc_bits, 2 * t.acc_buffer_bytes),
        ("output buffer", t.act_word_bytes * 8, 2 * t.output_buffer_bytes),
        ("residual buffer", t.act_word_bytes * 8, 2 * t.output_buffer_bytes),
        ("parameters", PARAM_WORD_BITS, 2 * t.param_buffer_bytes),
    ]
    if t.activation_tables:  # a copy in each lane of post-processing
        shapes.append(("tables", 16 * t.act_bits, 2 * t.table_words * 2 * t.act_bits))
    taken, held = logic(t), stored(t)
    hard = product_in_dsp(t)
    flip_flops, array_bits = float(taken.ff), float(taken.array_ff)
    if tech.kind is not TechnologyKind.FPGA:  # queues and what a DSP has inside are flip-flops there
        _, flip_flops, _, array_bits = cells(t)
    flip_flops += held.registers
    return TemplateShape(
        tuple(shapes),
        t.act_bits,
        t.weight_bits,
        t.acc_bits,
        flip_flops=flip_flops,
        array_bits=array_bits,
        # Products are not in look-up tables: they cost what they compute.
        gates=GATES_PER_LUT * (taken.lut - taken.array_lut + held.lutram),
        logic_um2=logic_um2(t, tech),
        memory_bytes=held.size_bytes,
        hard_macs=hard or tech.kind is not TechnologyKind.FPGA,
        device_static_mw=None if part is None else part.static_mw,
    )


@dataclass(frozen=True)
class Prices:
    """Energies of one template in one technology.

    Attributes:
        figures: in pJ: a bit of DRAM, a MAC, one of two at a time, a post-processed element; then read and write of a
            word of the input buffer, weight buffer, accumulators, output buffer, residual buffer, parameters, tables;
            then a cycle in which the array works (its registers), any cycle (clock and control), what leaks in a cycle,
            and what external memory takes in a cycle, moving or not.
        shape: bits of a word of activations and of weights, lanes, columns, lanes of post-processing.
    """

    figures: tuple[float, ...]
    shape: tuple[int, int, int, int, int]

    @classmethod
    def of(cls, template: Template, tech: Technology, part: Device | None = None) -> Prices | None:
        """None where the technology lacks a coefficient of something that every design has.

        Args:
            template: with its clock.
            tech: of the accelerator.
            part: the device, whose static power counts on an FPGA; None: that is not modelled.
        """
        t = template
        found = template_prices(template_shape(t, tech, part), tech, part)
        if found is None:
            return None
        memories = [price for _, read, write in found.memories for price in (read, write)]
        memories += [0.0] * (2 * MEMORIES - len(memories))  # no tables
        leaks, waits = (
            0.0 if power is None else static_pj(power, 1, t.clock_hz) for power in (found.static_mw, found.dram_mw)
        )
        figures = (
            found.dram_bit,
            found.mac,
            found.dual_mac,
            found.post,
            *memories,
            found.busy_cycle,
            found.cycle,
            leaks,
            waits,
        )
        return cls(figures, (t.act_word_bytes * 8, t.weight_word_bytes * 8, t.word_lanes, t.cols, t.ppu_lanes))


def prices_on(accelerator: Accelerator) -> Prices | None:
    """Energies of an accelerator with a template; None where it names no technology, or one that lacks some.

    Raises:
        SpecError: no such technology or device.
    """
    template, tech = accelerator.template, accelerator.tech
    if template is None or tech is None:
        return None
    return Prices.of(template, tech, accelerator.part)


def cells_mw(report: CostReport, template: Template, tech: Technology) -> float | None:
    """Mean power of a run in standard cells: no memories, no external memory, no tree of the clock.

    None where the technology does not model a part of it.
    """
    clock, leaks = tech.value("ff_clock_pj"), tech.logic_leakage_mw(logic_um2(template, tech) or 0.0)
    energy = EnergyBreakdown.listed(layer.energy_pj for layer in report.layers)
    if energy is None or clock is None or leaks is None:
        return None
    tree = template_shape(template, tech).flip_flops * clock * CLOCK_TREE / (1 + CLOCK_TREE) * report.latency_cycles
    dynamic = sum(energy.of_pj(part) for part in LOGIC) - tree
    return power_mw(dynamic, report.latency_cycles, template.clock_hz) + leaks


def energies(
    figures: Floats, shapes: Counts, counts: Counts, macs: Counts, busy_cycles: Counts, cycles: Counts
) -> Floats:
    """Energy in pJ by :data:`COMPONENTS`, a row for each row of counts.

    Args:
        figures, shapes: ``[n, ...]``, rows of :class:`Prices`.
        counts: ``[n, COUNTS]``.
        macs: ``[n]``, multiply-accumulates of the layers.
        busy_cycles, cycles: ``[n]``, in which the array or the vector unit works, and all.
    """
    (dram, mac, dual, post), memories, (busy, cycle, leaks, waits) = figures.T[:4], figures.T[4:-4], figures.T[-4:]
    act, weight, lanes, cols, ppu_lanes = shapes.T
    moved = counts.T
    bits = (moved[Buffer.INPUT] + moved[Buffer.RESIDUAL] + moved[Buffer.OUTPUT] + moved[Buffer.TURNED]) * act
    bits = bits + moved[Buffer.WEIGHT] * weight + (moved[Buffer.PARAM] + moved[Buffer.TABLE]) * PARAM_WORD_BITS
    bits = bits + moved[Buffer.PROGRAM] * DESCRIPTOR_BITS  # descriptors go to registers
    reads_writes = (
        (moved[INPUT_READS], moved[Buffer.INPUT]),
        # Words of activations become words of weights.
        (moved[WEIGHT_READS], moved[Buffer.WEIGHT] + moved[Buffer.TURNED] * lanes // cols),
        (moved[SUM_READS] + moved[DRAINED], moved[SUM_WRITES]),
        (moved[Buffer.OUTPUT], moved[DRAINED]),
        (moved[JOINED], moved[Buffer.RESIDUAL]),
        (moved[PARAM_READS], moved[Buffer.PARAM]),
        (moved[LOOKED_UP] * lanes, moved[Buffer.TABLE] * ppu_lanes),
    )
    parts = [bits * dram + cycles * waits]
    parts += [reads * memories[2 * i] + writes * memories[2 * i + 1] for i, (reads, writes) in enumerate(reads_writes)]
    pairs = moved[DUAL_MACS]
    parts += [(moved[UNIT_MACS] + macs - pairs) * mac + pairs * dual, moved[DRAINED] * lanes * post]
    parts += [busy_cycles * busy, cycles * cycle, cycles * leaks]
    return np.stack(parts, axis=1)


def total_pj(parts: Floats) -> Floats:
    """The sum over components, in their order."""
    total = np.zeros(len(parts))
    for column in parts.T:
        total = total + column
    return total
