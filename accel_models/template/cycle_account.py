"""Where the cycles of a run went: what the compute unit did in each of them, or what it waited for.

The compute unit takes the tiles of a program one after another, so its time falls into tiles and gaps; each tile has
its closed form, and each gap ends with the token that the prediction says came last. The parts sum to the run's cycles.
"""

from __future__ import annotations

from accel_models.cycles import CycleAccount, total
from accel_models.schedule import Compute, ComputeOp, Drain, Schedule
from accel_models.schedule.commands import Token
from accel_models.template.array_timing import array_cycles, array_fill_cycles
from accel_models.template.timing import Timing
from accel_models.template.timing_core import BUSY, CAUSE, START

__all__ = ["CycleAccount", "layer_accounts", "total"]

_LOADED = {Token.INPUT_FULL, Token.WEIGHT_FULL}
_MEMORY = {Token.OUTPUT_FREE, Token.RESIDUAL_FULL, Token.PARAM_FULL, Token.TABLE_FULL}  #: post-processing waits


def layer_accounts(schedule: Schedule, timing: Timing) -> tuple[CycleAccount, ...]:
    """The parts of every layer's cycles, in the order of the schedule's plans; all together are the run's cycles.

    Args:
        schedule: the program.
        timing: its prediction.
    """
    template = schedule.template
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
            shape = (template.array, template.rows, template.cols << body.form.dual)
            running, fill = array_cycles(*shape, body.tile), array_fill_cycles(*shape, body.tile)
            add(tag, "fill_cycles", fill)
            add(tag, "edge_cycles", running - fill)
            add(tag, "handover_cycles", busy - running)
        else:
            add(tag, "nonlinear_cycles" if body.op.nonlinear else "vector_cycles", busy)
        end, former = start + busy, tag
    for plan in schedule.plans:
        if "edge_cycles" in parts[plan.index]:
            macs = plan.done_macs / (template.rows * template.cols << plan.shape.form.dual)
            add(plan.index, "mac_cycles", macs)
            add(plan.index, "edge_cycles", -macs)
    if former >= 0:
        add(former, "last_store_cycles", timing.cycles - end)
    return tuple(CycleAccount(**part) for part in parts)
