"""What a network costs on one of our accelerators, from the program that the accelerator will run.

Cycles are those of :mod:`accel_models.template.timing`, which the simulated hardware equals. Energy counts every word
that the program moves, at each memory's price, every multiply-accumulate, and the multiplier of each post-processed
element.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.devices import device
from accel_models.hardware.technology import Technology, technology
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.schedule import (
    Buffer,
    Command,
    Compute,
    ComputeOp,
    Dma,
    Drain,
    Schedule,
    Second,
    default_mapping,
    schedule_network,
)
from accel_models.template.accelerator import template_accelerator
from accel_models.template.array_timing import array_accesses, ceil_div
from accel_models.template.resources import area_um2, estimate, fits
from accel_models.template.spec import Template
from accel_models.template.timing import predict
from mappings.directives import Cluster, Directive, TemporalMap
from mappings.errors import Fault, SpecError
from mappings.layer import Op
from mappings.mapping import Mapping
from mappings.workload import Workload

_UNMAPPED = frozenset({Op.CONCAT, Op.RESHAPE, Op.CONSTANT})
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


def _capped(mapping: Mapping, caps: dict[str, int]) -> Mapping:
    """The mapping with smaller tiles at the DRAM level; tiles that fit a buffer still do."""
    out: list[Directive] = []
    outermost = True
    for directive in mapping.directives:
        if isinstance(directive, Cluster):
            outermost = False
        if outermost and isinstance(directive, TemporalMap) and directive.dim in caps:
            out.append(TemporalMap(directive.dim, min(directive.size, caps[directive.dim])))
        else:
            out.append(directive)
    return Mapping(tuple(out), mapping.bypass)


def template_design(
    workload: Workload, template: Template, device_name: str, tile_rows: int, tile_channels: int
) -> Design | tuple[Infeasible, ...]:
    """A design on one of our accelerators, or every bound of the device that it breaks.

    Args:
        tile_rows, tile_channels: at most so many output rows and channels a tile; fewer where a buffer is small.

    Raises:
        SpecError: no such device, or an operator that the hardware does not run.
    """
    broken = fits(template, device(device_name))
    return broken or mapped_design(workload, template, device_name, tile_rows, tile_channels)


def mapped_design(
    workload: Workload, template: Template, device_name: str, tile_rows: int, tile_channels: int
) -> Design | tuple[Infeasible, ...]:
    """As :func:`template_design`, whether or not the device has room: what a design over its budget would cost."""
    caps = {"P": tile_rows, "K": tile_channels, "G": tile_channels}
    mappings: list[tuple[str, Mapping]] = []
    for layer in workload.layers:
        if layer.op in _UNMAPPED:
            continue
        mapping = default_mapping(layer, template)
        if isinstance(mapping, Infeasible):
            return (mapping,)
        mappings.append((layer.name, _capped(mapping, caps)))
    accelerator = template_accelerator(template, device(device_name).technology, device_name)
    return Design(workload, accelerator, tuple(mappings))


@dataclass(frozen=True)
class _Memory:
    """One on-chip memory: the bits of a word, and what one word costs to read and write."""

    word_bits: int
    read_pj: float
    write_pj: float


@dataclass(frozen=True)
class _Prices:
    """Energies of one template in one technology, in pJ."""

    memories: dict[str, _Memory]
    dram_bit: float
    mac: float
    post: float

    @classmethod
    def of(cls, template: Template, tech: Technology) -> _Prices | None:
        """None where the technology lacks a coefficient."""
        lanes = template.word_lanes
        shapes = {
            "input buffer": (template.act_word_bytes * 8, template.input_buffer_bytes),
            "weight buffer": (template.weight_word_bytes * 8, template.weight_buffer_bytes),
            "accumulators": (lanes * template.acc_bits, template.acc_buffer_bytes),
            "output buffer": (template.act_word_bytes * 8, template.output_buffer_bytes),
            "residual buffer": (template.act_word_bytes * 8, template.output_buffer_bytes),
            "parameters": (_PARAM_WORD_BITS, template.param_buffer_bytes),
        }
        if template.activation_tables:  # a copy in each lane
            shapes["tables"] = (16 * template.act_bits, template.table_words * 2 * template.act_bits)
        memories: dict[str, _Memory] = {}
        for name, (bits, half_bytes) in shapes.items():
            read = tech.sram_read_pj_per_bit(2 * half_bytes, bits)
            write = tech.sram_write_pj_per_bit(2 * half_bytes, bits)
            if read is None or write is None:
                return None
            memories[name] = _Memory(bits, read * bits, write * bits)
        dram = tech.dram_pj_per_bit()
        mac = tech.mac_pj(template.act_bits, template.weight_bits, template.acc_bits)
        post = tech.mac_pj(32, 32, 64)
        if dram is None or mac is None or post is None:
            return None
        return cls(memories, dram, mac, post)


class _Ledger:
    """Energy by component, and bytes by (level, tensor, way), of one layer."""

    def __init__(self, prices: _Prices | None) -> None:
        self._prices = prices
        self.energy_pj: dict[str, float] = defaultdict(float)

    def move(self, memory: str, reads: int = 0, writes: int = 0) -> None:
        if self._prices is not None:
            price = self._prices.memories[memory]
            self.energy_pj[memory] += reads * price.read_pj + writes * price.write_pj

    def dram(self, bits: int) -> None:
        if self._prices is not None:
            self.energy_pj["DRAM"] += bits * self._prices.dram_bit

    def multiply(self, macs: int) -> None:
        if self._prices is not None and macs:
            self.energy_pj["MAC"] += macs * self._prices.mac

    def post_process(self, elements: int) -> None:
        if self._prices is not None:
            self.energy_pj["post-processing"] += elements * self._prices.post


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


def _energies(schedule: Schedule, tech: Technology | None) -> list[tuple[tuple[str, float], ...] | None]:
    """By layer: energy by component, or None where it is not modelled."""
    prices = None if tech is None else _Prices.of(schedule.template, tech)
    ledgers = [_Ledger(prices) for _ in schedule.plans]
    for command in schedule.commands:
        _charge(command, schedule.template, ledgers[command.tag])
    for plan, ledger in zip(schedule.plans, ledgers, strict=True):
        ledger.multiply(plan.layer.macs)
    return [None if prices is None else tuple(ledger.energy_pj.items()) for ledger in ledgers]


def template_cost(design: Design) -> CostReport | tuple[Infeasible, ...]:
    """Figures of a design on one of our accelerators, or the bounds that it breaks.

    Raises:
        SpecError: an accelerator without a template, or an operator that the hardware does not run.
    """
    accelerator: Accelerator = design.accelerator
    template = accelerator.template
    if template is None:
        raise SpecError(Fault(f"accelerator {accelerator.name}", "has no template", "one that rtl_templates builds"))
    if accelerator.device:
        broken = fits(template, accelerator.device)
        if broken:
            return broken
    schedule = schedule_network(design)
    if isinstance(schedule, Infeasible):
        return (schedule,)
    timing = predict(schedule)
    tech = technology(accelerator.technology, "technology") if accelerator.technology else None
    energies = _energies(schedule, tech)
    pes = template.rows * template.cols
    layers = tuple(
        LayerCost(
            name=item.name,
            macs=plan.layer.macs,
            cycles=item.cycles,
            compute_cycles=item.compute_cycles,
            utilisation=plan.layer.macs / (max(item.cycles, 1) * pes),
            energy_pj=energy,
            # A program's transfers hold several tensors each; the bus counts them together.
            traffic_bytes=(("DRAM", "all", "read", item.read_bytes), ("DRAM", "all", "write", item.write_bytes)),
            port_cycles=(
                ("DRAM", "read", ceil_div(item.read_bytes, template.dram_bytes_per_cycle)),
                ("DRAM", "write", ceil_div(item.write_bytes, template.dram_bytes_per_cycle)),
            ),
        )
        for item, plan, energy in zip(timing.layers, schedule.plans, energies, strict=True)
    )
    known = [layer.total_energy_pj for layer in layers]
    return CostReport(
        layers=layers,
        latency_cycles=timing.cycles,
        latency_ms=timing.cycles / template.clock_hz * 1e3,
        energy_pj=None if any(item is None for item in known) else sum(item for item in known if item is not None),
        area_um2=None if tech is None else area_um2(template, tech),
        resources=estimate(template).as_pairs(),
    )
