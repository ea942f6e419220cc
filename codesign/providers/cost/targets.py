"""One network on several accelerators at once: the worst of each figure counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from accel_models.report import Infeasible
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.providers.cost.schedule import ScheduleProvider
from codesign.spaces.hardware.fixed import FixedHardware
from codesign.spaces.mapping.caps import DefaultTiles
from mappings.workload import Workload


class TargetsProvider:
    """Exact cycles and energy of a network on each of some accelerators; it has to run on all of them.

    Args:
        context: option ``hardware``: names of accelerators that ship, or the YAML of designs or templates.
    """

    metrics = ("latency_ms", "throughput_per_s", "energy_uj", "edp_uj_ms")
    needs = ("workload",)
    key = "network"

    def __init__(self, context: ProviderContext) -> None:
        self._context = context
        self._exact = ScheduleProvider(context)
        self._targets = {name: FixedHardware(name) for name in context.options["hardware"]}

    def prepare(self) -> None:
        """Read the accelerators.

        Raises:
            SpecError: unknown, or malformed.
        """
        for target in self._targets.values():
            _ = target.template

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """The worst figures over the targets; those of each are kept as detail."""
        out = []
        for candidate in candidates:
            assert candidate.workload is not None, "a candidate without a workload is not measured"
            out.append(self._worst(self.each(candidate.workload)))
        return out

    def each(self, workload: Workload) -> dict[str, Measurement]:
        """What the network costs on each target, by its name."""
        found = {}
        for name, target in self._targets.items():
            hardware = target.hardware_at({}, workload)
            design, broken = DefaultTiles().design_at({}, workload, hardware, self._context.device)
            if design is None:
                found[name] = Measurement(broken=broken)
                continue
            (measured,) = self._exact.measure([Candidate({}, workload=workload, hardware=hardware, design=design)])
            found[name] = Measurement(measured.metrics, (*broken, *measured.broken))
        return found

    def _worst(self, found: dict[str, Measurement]) -> Measurement:
        broken = [_of(bound, name) for name, item in found.items() for bound in item.broken]
        known = [item.metrics for item in found.values() if item.metrics]
        figures = {}
        if len(known) == len(found):
            for metric in self.metrics:
                values = [item[metric] for item in known]
                figures[metric] = min(values) if metric == "throughput_per_s" else max(values)
        detail = {name: item.metrics["latency_ms"] for name, item in found.items() if item.metrics}
        return Measurement(figures, tuple(broken), {"latency_ms": detail})


def _of(bound: Infeasible, target: str) -> Infeasible:
    """A broken bound that says on which target."""
    return replace(bound, resource=f"{bound.resource} of {target}")
