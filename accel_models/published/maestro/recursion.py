"""Cost of one layer: every level sums its cases, and a case runs the level below (MODEL 8, 9 and 10)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from accel_models.published.maestro.cases import Case, enumerate_cases
from accel_models.published.maestro.hardware_file import MaestroHardware
from accel_models.published.maestro.levels import Level, quotient
from accel_models.published.maestro.problem import TENSORS, WINDOW, Problem
from accel_models.published.maestro.traffic import Traffic
from mappings.errors import Fault, SpecError

MAX_CASES_PER_LAYER = 400_000
"""Cases that all runs of all levels of one layer may take together."""

LONG_MIN = -(2**63)
"""What MAESTRO prints for delays that never occurred: an infinity or NaN cast to a 64-bit integer."""


@dataclass
class DelayRange:
    """Smallest, largest and summed delay over the cases of a level, in cycles."""

    least: int | None = None
    most: int = 0
    total: int = 0

    def add(self, delay: int, occurrences: int) -> None:
        """Counts one case."""
        self.least = delay if self.least is None else min(self.least, delay)
        self.most = max(self.most, delay)
        self.total += delay * occurrences

    def figures(self, occurrences: int) -> tuple[int, int, int]:
        """(min, max, average) as printed, the average truncated."""
        if self.least is None:
            return LONG_MIN, 0, LONG_MIN
        return self.least, self.most, quotient(self.total, occurrences)


@dataclass
class LevelCost:
    """Result of one run of one level; element counts by tensor (I, W, O).

    Attributes:
        runtime_cycles: delays included.
        macs: multiply-accumulates as MAESTRO counts them; of the top level only, like the accesses.
        l1_reads, l1_writes, l2_reads, l2_writes: accesses.
        l1_required, l2_required: buffer elements, double buffered.
        peak_bandwidth, average_bandwidth, offchip_bandwidth: elements per cycle.
        active_units: average number of PEs at work.
        intensity: multiply-accumulates per element received, of the last case.
        occurrences: steps; 0 where no case had any work.
        first: the run that was completed first: of the innermost level, normally.
        wrapped: whether a 32-bit counter wrapped.
    """

    runtime_cycles: int = 0
    macs: int = 0
    l1_reads: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TENSORS, 0))
    l1_writes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TENSORS, 0))
    l2_reads: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TENSORS, 0))
    l2_writes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TENSORS, 0))
    l1_required: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TENSORS, 0))
    l2_required: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TENSORS, 0))
    peak_bandwidth: int = 0
    average_bandwidth: float = 0.0
    offchip_bandwidth: int = 0
    active_units: float = 0.0
    intensity: float = 0.0
    occurrences: int = 0
    ingress_delay: DelayRange = field(default_factory=DelayRange)
    egress_delay: DelayRange = field(default_factory=DelayRange)
    compute_delay: DelayRange = field(default_factory=DelayRange)
    first: LevelCost | None = None
    wrapped: bool = False


class LayerRun:
    """Runs the levels of one layer; identical runs of a lower level are done once."""

    def __init__(self, levels: tuple[Level, ...], problem: Problem, hardware: MaestroHardware, simd_lanes: int) -> None:
        self.levels = levels
        self.problem = problem
        self.hardware = hardware
        self.simd_lanes = simd_lanes
        self.traffic = tuple(Traffic(level, problem) for level in levels)
        self.done: dict[tuple[int, ...], LevelCost] = {}
        self.cases_run = 0

    def total(self) -> LevelCost:
        """The result of the top level.

        Raises:
            SpecError: a case that MAESTRO cannot count, too many of them, or a count beyond 64 bits.
        """
        cost = self._run(0, self.problem.sizes)
        accesses = (cost.l1_reads, cost.l1_writes, cost.l2_reads, cost.l2_writes)
        largest = max(abs(count) for counts in accesses for count in counts.values())
        if max(largest, cost.runtime_cycles, cost.compute_delay.total, cost.ingress_delay.total) >= 2**63:
            raise SpecError(Fault(self.levels[0].place, "a count does not fit MAESTRO's 64 bits", "smaller dims"))
        return cost

    def _run(self, depth: int, dims: dict[str, int]) -> LevelCost:
        level = self.levels[depth]
        key = (depth, *(dims[item.dim] for item in level.maps))
        known = self.done.get(key)
        if known is not None:
            return known
        cost = LevelCost()
        for case in enumerate_cases(level, dims):
            self.cases_run += 1
            if self.cases_run > MAX_CASES_PER_LAYER:
                raise SpecError(
                    Fault(level.place, "too many iteration cases", f"at most {MAX_CASES_PER_LAYER} in one layer")
                )
            self._add_case(cost, depth, case)
        if cost.occurrences:
            cost.average_bandwidth /= cost.occurrences
            cost.active_units /= cost.occurrences
        cost.first = cost.first or cost
        self.done[key] = cost
        return cost

    def _add_case(self, cost: LevelCost, depth: int, case: Case) -> None:
        level, traffic = self.levels[depth], self.traffic[depth]
        times = case.occurrences
        cost.wrapped |= case.wrapped
        egress = traffic.egress(case)
        if cost.occurrences == 0:
            self._require_buffers(cost, level, traffic, case, egress)
        critical = traffic.critical_macs(case)
        received = {"I": traffic.ingress("I", case), "W": traffic.ingress("W", case)} if critical > 0 else {}
        if depth == 0:  # only the top level's counts are printed
            self._count_accesses(cost, traffic.macs(case), received, egress, times)
        if critical <= 0:
            return  # its outputs are counted, yet it takes no time: MAESTRO's rule
        ingress = received["I"] + received["W"]
        compute, active = self._compute(cost, depth, case, critical)
        ingress_delay, egress_delay = self._delay(ingress), self._delay(egress)
        delay = compute + ingress_delay if case.changed < 0 else max(egress_delay, compute, ingress_delay)
        if depth == 0:
            delay = self._offchip(cost, level, delay, compute)
        cost.runtime_cycles += times * delay
        cost.active_units += times * active
        compute = compute or 1
        moved = max(ingress, egress)
        cost.peak_bandwidth = max(cost.peak_bandwidth, quotient(moved, compute))
        cost.average_bandwidth += quotient(times * moved, compute)
        cost.ingress_delay.add(ingress_delay, times)
        cost.egress_delay.add(egress_delay, times)
        cost.compute_delay.add(compute, times)
        cost.occurrences += times

    @staticmethod
    def _count_accesses(cost: LevelCost, macs: int, received: dict[str, int], egress: int, times: int) -> None:
        """Accesses of one case; ``received`` is empty for a case that has no work."""
        cost.l2_writes["O"] += times * egress
        cost.l1_writes["O"] += times * macs
        cost.l1_reads["O"] += times * macs
        if not received:
            return
        for tensor, elements in received.items():
            cost.l2_reads[tensor] += times * elements
            cost.l1_writes[tensor] = cost.l2_reads[tensor]
            cost.l1_reads[tensor] += times * macs
        cost.macs += times * macs
        ingress = sum(received.values())
        cost.intensity = macs / ingress if ingress else math.inf

    def _compute(self, cost: LevelCost, depth: int, case: Case, critical: int) -> tuple[int, float]:
        """Cycles of the slowest sub-unit, and the number of PEs at work."""
        level, traffic = self.levels[depth], self.traffic[depth]
        leading = case.states[traffic.all_spatial[0]]
        units = level.edge_units if leading.at_edge else level.units
        if depth + 1 == len(self.levels):
            return -(-critical // self.simd_lanes), units
        if leading.at_edge and leading.ragged_unit:
            runs = [(self._run(depth + 1, traffic.sub_dims(case, True)), 1)]
            if units > 1:
                runs.append((self._run(depth + 1, traffic.sub_dims(case, False)), units - 1))
        else:
            runs = [(self._run(depth + 1, traffic.sub_dims(case, False)), units)]
        if cost.first is None:
            cost.first = runs[0][0].first
        cost.wrapped |= any(run.wrapped for run, _ in runs)
        return max(run.runtime_cycles for run, _ in runs), sum(run.active_units * weight for run, weight in runs)

    def _delay(self, elements: int) -> int:
        """Cycles on the network-on-chip; -1 for nothing over a network without latency (Q11)."""
        return self.hardware.noc_latency_cycles - (-elements // self.hardware.noc_elements_per_cycle) - 1

    def _offchip(self, cost: LevelCost, level: Level, delay: int, compute: int) -> int:
        """Delay with the DRAM considered; updates the bandwidth that it needs."""
        if compute == 0:
            raise SpecError(
                Fault(
                    level.place,
                    "the level below has no work at all, so that MAESTRO divides by a compute time of zero",
                    "inner maps that hold at least one whole filter window",
                )
            )
        operands = cost.l2_required["I"] + cost.l2_required["W"]
        results = cost.l2_required["O"]
        bandwidth = self.hardware.offchip_elements_per_cycle
        cost.offchip_bandwidth = quotient(
            max(cost.offchip_bandwidth, quotient(results, compute), quotient(operands, compute)), 2
        )
        return max(delay, quotient(quotient(operands, bandwidth), 2), quotient(quotient(results, bandwidth), 2))

    def _require_buffers(self, cost: LevelCost, level: Level, traffic: Traffic, case: Case, egress: int) -> None:
        """Buffers for two tiles of each tensor, and the traffic of whole tensors with DRAM (MODEL 10)."""
        for tensor in ("I", "W"):
            cost.l2_required[tensor] += 2 * traffic.ingress(tensor, case)
            cost.l2_writes[tensor] = math.prod(level.dims[dim] for dim in self.problem.coupled[tensor])
        cost.l2_required["O"] = 2 * egress
        cost.l2_reads["O"] = math.prod(self._output_size(level, dim) for dim in self.problem.coupled["O"])
        for tensor in TENSORS:
            tile = 2 * math.prod(level.tiles[dim].mapped for dim in self.problem.coupled[tensor])
            cost.l1_required[tensor] = tile if tensor == "O" else cost.l1_required[tensor] + tile

    def _output_size(self, level: Level, dim: str) -> int:
        if dim in self.problem.reference_dims:
            return level.dims[dim] - level.dims[WINDOW[dim]] + 1  # stride ignored (Q5)
        return level.dims[dim]
