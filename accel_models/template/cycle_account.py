"""Where the cycles of a run went: what the compute unit did in each of them, or what it waited for.

The compute unit takes the tiles of a program one after another, so its time falls into tiles and gaps; each tile has
its closed form, and each gap ends with the token that the prediction says came last. The parts sum to the run's cycles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from accel_models.schedule import Compute, ComputeOp, Drain, Schedule
from accel_models.schedule.commands import Token
from accel_models.template.array_timing import array_cycles, array_fill_cycles
from accel_models.template.timing import Timing
from accel_models.template.timing_core import BUSY, CAUSE, START

_LOADED = {Token.INPUT_FULL, Token.WEIGHT_FULL}
_MEMORY = {Token.OUTPUT_FREE, Token.RESIDUAL_FULL, Token.PARAM_FULL, Token.TABLE_FULL}  #: post-processing waits


@dataclass(frozen=True)
class CycleAccount:
    """Parts of a run's or of a layer's cycles; a layer's begin where the last tile of the layer before it ends.

    Attributes:
        mac_cycles: MACs over PEs: what is left of the array's time if every PE works in every cycle.
        edge_cycles: the array runs with idle PEs or waits for its ports: lanes, pixels or rows that do not fill it.
        fill_cycles: the array fills or drains, at the start and end of each tile.
        vector_cycles: depthwise convolution, pooling, copies in the vector unit.
        nonlinear_cycles: softmax, layer norm, GELU.
        handover_cycles: from one tile's last sum to the next tile's command.
        layer_start_cycles: before a layer's first tile: its inputs come to memory, its first tile is loaded.
        memory_cycles: between its tiles, waiting for inputs or weights, or for accumulators whose post-processing
            waited for memory itself.
        post_processing_cycles: between its tiles, waiting for accumulators that are not drained yet.
        dispatch_cycles: between its tiles, waiting for the sequencer.
        last_store_cycles: after the run's last tile: post-processing and writing back.
    """

    mac_cycles: float = 0
    edge_cycles: float = 0
    fill_cycles: float = 0
    vector_cycles: float = 0
    nonlinear_cycles: float = 0
    handover_cycles: float = 0
    layer_start_cycles: float = 0
    memory_cycles: float = 0
    post_processing_cycles: float = 0
    dispatch_cycles: float = 0
    last_store_cycles: float = 0

    @property
    def cycles(self) -> float:
        """All of them."""
        return float(sum(getattr(self, item.name) for item in fields(self)))


def total(accounts: Iterable[CycleAccount]) -> CycleAccount:
    """The sum of accounts, part by part."""
    found = list(accounts)
    return CycleAccount(**{item.name: sum(getattr(one, item.name) for one in found) for item in fields(CycleAccount)})


def layer_accounts(schedule: Schedule, timing: Timing) -> tuple[CycleAccount, ...]:
    """The parts of every layer's cycles, in the order of the schedule's plans; all together are the run's cycles.

    Args:
        schedule: the program.
        timing: its prediction.
    """
    template = schedule.template
    shape = (template.array, template.rows, template.cols)
    parts: list[dict[str, float]] = [{} for _ in schedule.plans]
    end, former = 0, -1
    freed: list[bool] = []  # for each filling of the accumulators that was drained: a drain of it waited for memory
    waited, fillings = False, 0

    def add(tag: int, part: str, cycles: float) -> None:
        parts[tag][part] = parts[tag].get(part, 0) + cycles

    for command, row in zip(schedule.commands, timing.commands, strict=True):
        body = command.body
        if isinstance(body, Drain):
            waited |= row[CAUSE] in _MEMORY
            if command.signal >> Token.ACC_FREE & 1:
                freed.append(waited)
                waited = False
        if not isinstance(body, Compute):
            continue
        start, busy, tag = int(row[START]), int(row[BUSY]), command.tag
        gap = "dispatch_cycles"
        if row[CAUSE] == Token.ACC_FREE:
            gap = "memory_cycles" if freed[fillings] else "post_processing_cycles"
        elif row[CAUSE] in _LOADED:
            gap = "memory_cycles"
        if tag != former:
            gap = "layer_start_cycles"
        fillings += command.wait >> Token.ACC_FREE & 1
        add(tag, gap, start - end)
        if body.op is ComputeOp.ARRAY:
            running, fill = array_cycles(*shape, body.tile), array_fill_cycles(*shape, body.tile)
            add(tag, "fill_cycles", fill)
            add(tag, "edge_cycles", running - fill)
            add(tag, "handover_cycles", busy - running)
        else:
            add(tag, "nonlinear_cycles" if body.op.nonlinear else "vector_cycles", busy)
        end, former = start + busy, tag
    for plan in schedule.plans:
        if "edge_cycles" in parts[plan.index]:
            macs = plan.layer.macs / (template.rows * template.cols)
            add(plan.index, "mac_cycles", macs)
            add(plan.index, "edge_cycles", -macs)
    if former >= 0:
        add(former, "last_store_cycles", timing.cycles - end)
    return tuple(CycleAccount(**part) for part in parts)
