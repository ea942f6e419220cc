"""What a program's moves and cycles cost in energy on one of our accelerators.

Energy counts every word that the program moves, at its memory's price, every multiply-accumulate and the multiplier of
each post-processed element; the array's registers in each cycle in which it works; the clock and control in every
cycle; and static power over time.
"""

from __future__ import annotations

from collections import defaultdict

from accel_models.hardware.devices import Device
from accel_models.hardware.energy import TemplatePrices, TemplateShape, access_pj, static_pj, template_prices
from accel_models.hardware.technology import Technology, TechnologyKind
from accel_models.schedule import Buffer, Command, Compute, ComputeOp, Dma, Drain, Schedule, Second
from accel_models.template.array_timing import array_accesses, ceil_div
from accel_models.template.fabric import product_in_dsp
from accel_models.template.resources import GATES_PER_LUT, estimate, logic_um2, memories
from accel_models.template.spec import Template
from accel_models.template.timing import Timing

_BUFFER_NAMES = {
    Buffer.INPUT: "input buffer",
    Buffer.WEIGHT: "weight buffer",
    Buffer.TURNED: "weight buffer",
    Buffer.PARAM: "parameters",
    Buffer.TABLE: "tables",
    Buffer.RESIDUAL: "residual buffer",
    Buffer.OUTPUT: "output buffer",
}
#: How often the non-linear unit reads a row.
_SCANS = {ComputeOp.SOFTMAX: 3, ComputeOp.NORM: 2}
_PARAM_WORD_BITS, _DESCRIPTOR_BITS = 128, 512


def template_shape(template: Template, tech: Technology, part: Device | None = None) -> TemplateShape:
    """What of a template its prices depend on."""
    t, lanes = template, template.word_lanes
    shapes = [
        ("input buffer", t.act_word_bytes * 8, 2 * t.input_buffer_bytes),
        ("weight buffer", t.weight_word_bytes * 8, 2 * t.weight_buffer_bytes),
        ("accumulators", lanes * t.acc_bits, 2 * t.acc_buffer_bytes),
        ("output buffer", t.act_word_bytes * 8, 2 * t.output_buffer_bytes),
        ("residual buffer", t.act_word_bytes * 8, 2 * t.output_buffer_bytes),
        ("parameters", _PARAM_WORD_BITS, 2 * t.param_buffer_bytes),
    ]
    if t.activation_tables:  # a copy in each lane
        shapes.append(("tables", 16 * t.act_bits, 2 * t.table_words * 2 * t.act_bits))
    taken = estimate(t)
    array = next(part for part in taken.parts if part.name == "PE array")
    hard = product_in_dsp(t)
    # Standard cells have no hard blocks: a PE's operand registers, which a DSP has inside, are flip-flops there.
    inside = 0 if tech.kind is TechnologyKind.FPGA else t.rows * t.cols * (t.act_bits + t.weight_bits)
    return TemplateShape(
        tuple(shapes),
        t.act_bits,
        t.weight_bits,
        t.acc_bits,
        flip_flops=taken.ff + inside,
        array_bits=array.ff + inside,
        gates=GATES_PER_LUT * sum(part.lut for part in taken.parts if part.name != "PE array"),
        logic_um2=logic_um2(t, tech),
        memory_bytes=sum(memory.size_bytes for memory in memories(t)),
        hard_macs=hard or tech.kind is not TechnologyKind.FPGA,
        device_static_mw=None if part is None else part.static_mw,
    )


class _Ledger:
    """Energy by component of one layer."""

    def __init__(self, prices: TemplatePrices) -> None:
        self._prices = prices
        self._memories = prices.by_memory
        self.energy_pj: dict[str, float] = defaultdict(float)

    def move(self, memory: str, reads: int = 0, writes: int = 0) -> None:
        read, write = self._memories[memory]
        self.energy_pj[memory] += access_pj(reads, writes, read, write)

    def dram(self, bits: int) -> None:
        self.energy_pj["DRAM"] += bits * self._prices.dram_bit

    def multiply(self, macs: int) -> None:
        if macs:
            self.energy_pj["MAC"] += macs * self._prices.mac

    def post_process(self, elements: int) -> None:
        self.energy_pj["post-processing"] += elements * self._prices.post

    def wait(self, cycles: int, busy_cycles: int, clock_hz: int) -> None:
        """A layer's cycles, whatever they were spent on."""
        self.energy_pj["array registers"] += busy_cycles * self._prices.busy_cycle
        self.energy_pj["clock and control"] += cycles * self._prices.cycle
        if self._prices.static_mw is not None:
            self.energy_pj["leakage"] += static_pj(self._prices.static_mw, cycles, clock_hz)


def _word_bits(buffer: Buffer, template: Template) -> int:
    if buffer is Buffer.WEIGHT:
        return template.weight_word_bytes * 8
    if buffer in (Buffer.PARAM, Buffer.TABLE):
        return _PARAM_WORD_BITS
    return _DESCRIPTOR_BITS if buffer is Buffer.PROGRAM else template.act_word_bytes * 8


def _charge(command: Command, template: Template, ledger: _Ledger) -> None:
    """What one command moves."""
    body, lanes = command.body, template.word_lanes
    if isinstance(body, Dma):
        ledger.dram(body.words * _word_bits(body.buffer, template))
        if body.buffer is Buffer.OUTPUT:
            ledger.move("output buffer", reads=body.words)
        elif body.buffer is Buffer.TURNED:  # words of activations become words of weights
            ledger.move("weight buffer", writes=body.words * lanes // template.cols)
        elif body.buffer is not Buffer.PROGRAM:  # descriptors go to registers
            copies = template.ppu_lanes if body.buffer is Buffer.TABLE else 1
            ledger.move(_BUFFER_NAMES[body.buffer], writes=body.words * copies)
    elif isinstance(body, Compute):
        tile = body.tile
        outputs = ceil_div(tile.k, lanes) * tile.p * tile.q
        if body.op is ComputeOp.ARRAY:
            moved = array_accesses(template.array, template.rows, template.cols, tile)
            reads, weights, sums = moved.input_reads, moved.weight_reads, moved.acc_writes
        else:
            sums = outputs * tile.r * tile.s
            reads = sums * _SCANS.get(body.op, 1)
            words = ceil_div(tile.k, lanes) * tile.r * tile.s * ceil_div(lanes, template.cols)
            weights = words if body.op is ComputeOp.DEPTHWISE else 0
            if body.op is not ComputeOp.DEPTHWISE:  # pooling adds or compares once a tap; no layer counts it as MACs
                ledger.multiply(reads * min(lanes, tile.k))
        ledger.move("input buffer", reads=reads)
        ledger.move("weight buffer", reads=weights)
        # A sum is read to be added to, but for the first of each.
        ledger.move("accumulators", reads=max(0, sums - (0 if body.accumulate else outputs)), writes=sums)
    elif isinstance(body, Drain):
        words = body.blocks * body.words
        ledger.move("accumulators", reads=words)
        ledger.move("output buffer", writes=words)
        if body.second is not Second.NONE:
            ledger.move("residual buffer", reads=words)
        if body.lookup:
            ledger.move("tables", reads=words * lanes)
        if body.per_channel:
            ledger.move("parameters", reads=body.blocks * lanes)
        ledger.post_process(words * lanes)


def layer_energies(
    schedule: Schedule, timing: Timing, tech: Technology | None, part: Device | None = None
) -> list[tuple[tuple[str, float], ...] | None]:
    """By layer: energy by component, or None where it is not modelled.

    Args:
        schedule: the program.
        timing: its prediction.
        tech: of the accelerator; None: nothing is known.
        part: the device, whose static power counts on an FPGA; None: that is not modelled.
    """
    template = schedule.template
    prices = None if tech is None else template_prices(template_shape(template, tech, part), tech)
    if prices is None:
        return [None] * len(schedule.plans)
    ledgers = [_Ledger(prices) for _ in schedule.plans]
    for command in schedule.commands:
        _charge(command, template, ledgers[command.tag])
    for plan, ledger, item in zip(schedule.plans, ledgers, timing.layers, strict=True):
        ledger.multiply(plan.layer.macs)
        ledger.wait(item.cycles, item.compute_cycles, template.clock_hz)
    return [tuple(ledger.energy_pj.items()) for ledger in ledgers]
