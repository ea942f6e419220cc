"""What a design takes on its RTL: the whole program under Verilator, with random weights, which decide no cycle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.template.cost import mapped_design
from codesign.images import random_images
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.providers.cost.schedule import ScheduleProvider
from codesign.providers.cost.work import figures_of
from codesign.quantization.random_network import random_network
from rtl_templates.simulate import SimReport, simulate


@lru_cache(maxsize=256)
def simulated_cycles(design: Design) -> int | Infeasible:
    """Cycles of one inference, counted in simulation.

    Raises:
        SpecError: an operator that the hardware does not run, a missing tool, or a run that failed.
    """
    network = random_network(design.workload)
    report = simulate(design, network, random_images(network, 1))
    if isinstance(report, Infeasible):
        return report
    assert isinstance(report, SimReport), "one input, one report"
    return report.cycles


class SimulatedProvider:
    """Cycles as simulated, in place of those that `ScheduleProvider` predicts; what is moved and taken is its.

    Args:
        context: of the run.
    """

    needs = ("mapped",)
    key = "design"

    def __init__(self, context: ProviderContext) -> None:
        self._exact, self._device = ScheduleProvider(context), context.device
        self.metrics = self._exact.metrics

    def prepare(self) -> None:
        """Nothing to prepare: an accelerator is compiled when it is first met, and kept."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Figures of each design; the detail has the cycles that were predicted."""
        found = self._exact.measure(candidates)
        return [
            item if item.broken else self._on_rtl(candidate, item)
            for candidate, item in zip(candidates, found, strict=True)
        ]

    def _on_rtl(self, candidate: Candidate, predicted: Measurement) -> Measurement:
        design = candidate.design
        if design is None:
            assert candidate.workload is not None and candidate.caps is not None, "shown to the provider, so mapped"
            made = mapped_design(candidate.workload, candidate.hardware, self._device, *candidate.caps)
            if not isinstance(made, Design):
                return Measurement(broken=made)
            design = made
        cycles = simulated_cycles(design)
        if isinstance(cycles, Infeasible):
            return Measurement(broken=(cycles,))
        latency_ms = cycles / design.accelerator.clock_hz * 1e3
        figures = {**predicted.metrics, **figures_of(latency_ms, predicted.metrics["energy_uj"], cycles)}
        return Measurement(figures, (), {"cycles": cycles, "predicted_cycles": predicted.detail["cycles"]})
