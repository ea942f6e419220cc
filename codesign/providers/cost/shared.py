"""What networks cost that run at once on sub-accelerators: every layer on each engine, then the best schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accel_models.hardware.connectivity import Connected
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.schedule.shared import SharedSchedule, schedule_shared
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.providers.cost.mapped import total_energy_pj
from codesign.providers.cost.work import figures_of
from codesign.providers.registry import PROVIDERS
from codesign.spaces.network.several import parts_of
from mappings.errors import Fault, SpecError
from mappings.layer import Layer


@dataclass(frozen=True)
class SharedRun:
    """Networks on sub-accelerators.

    Attributes:
        layers: as they run, by start.
        schedule: see there; ``optimal`` tells whether it is proved.
    """

    layers: tuple[LayerCost, ...]
    schedule: SharedSchedule


class SharedProvider:
    """Cycles from the first layer's start to the last one's end; energy of all.

    Args:
        context: of the run.
    """

    needs = ("workload", "hardware")
    key = "design"

    def __init__(self, context: ProviderContext) -> None:
        self._mapping = context.space.mapping
        self._most = int(context.options["most_labels"])
        self.metrics = PROVIDERS.get("shared").metrics_on(context.device)

    def prepare(self) -> None:
        """Nothing to prepare."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Figures of each; what does not fit its envelope has none."""
        return [self._measured(candidate) for candidate in candidates]

    def _measured(self, candidate: Candidate) -> Measurement:
        machine = candidate.hardware
        broken = machine.broken()
        if broken:
            return Measurement(broken=broken)
        found = self.run(candidate)
        if isinstance(found, Infeasible):
            return Measurement(broken=(found,))
        milliseconds = 1e3 * found.schedule.cycles / machine.machines[0].accelerator.clock_hz
        out = {
            **figures_of(milliseconds, total_energy_pj(found.layers) / 1e6, found.schedule.cycles),
            "buffer_bytes": float(machine.onchip_bytes),
            "dram_bytes": float(sum(layer.bytes_of("DRAM") for layer in found.layers)),
        }
        if "area_mm2" in self.metrics and machine.area_mm2 is not None:
            out["area_mm2"] = machine.area_mm2
        detail = {"schedule_proved": found.schedule.optimal, "labels": found.schedule.labels}
        return Measurement(out, detail=detail)

    def run(self, candidate: Candidate) -> SharedRun | Infeasible:
        """The layers that multiply, scheduled, or a layer that runs nowhere."""
        names, costs = self._costs(candidate)
        chains = [[[None if isinstance(c, Infeasible) else c.cycles for c in row] for row in part] for part in costs]
        schedule = schedule_shared(chains, self._most)
        if schedule is None:
            nowhere = (row for part in costs for row in part if all(isinstance(c, Infeasible) for c in row))
            return next(c for c in next(nowhere) if isinstance(c, Infeasible))
        layers = []
        for item in schedule.placed:
            cost = costs[item.network][item.layer][item.engine]
            assert isinstance(cost, LayerCost), "a layer runs where it can"
            layers.append(cost.named(names[item.network][item.layer]))
        return SharedRun(tuple(layers), schedule)

    def columns(self, candidate: Candidate) -> list[list[list[tuple[int, float]]]]:
        """(cycles, pJ) of each network, layer and engine.

        Raises:
            SpecError: a layer has no mapping on some engine.
        """
        _, costs = self._costs(candidate)
        lost = [c for part in costs for row in part for c in row if isinstance(c, Infeasible)]
        if lost:
            raise SpecError(Fault("columns", str(lost[0]), "engines that run every layer"))
        return [
            [[(c.cycles, total_energy_pj([c])) for c in row if isinstance(c, LayerCost)] for row in p] for p in costs
        ]

    def _costs(self, candidate: Candidate) -> tuple[list[list[str]], list[list[list[LayerCost | Infeasible]]]]:
        """Names of the layers that multiply by network, and the figures of each on each engine."""
        workload = candidate.workload
        assert workload is not None, "a candidate without a workload is not measured"
        names = [[name for name in part if workload.by_name[name].op.spec.multiplies] for part in parts_of(workload)]
        names = [part for part in names if part]
        if not names:
            raise SpecError(Fault(f"network {workload.name}", "multiplies nothing", "one with convolutions"))
        machines: Sequence[Connected] = candidate.hardware.machines
        known: dict[tuple[Layer, Connected], LayerCost | Infeasible] = {}
        costs: list[list[list[LayerCost | Infeasible]]] = []
        for part in names:
            costs.append([])
            for name in part:
                layer = replace(workload.by_name[name], name="", inputs=(), activation="")
                for machine in machines:
                    if (layer, machine) not in known:
                        known[layer, machine] = self._mapping.layer_cost(candidate.point, layer, machine)
                costs[-1].append([known[layer, machine] for machine in machines])
        return names, costs

    def report(self, candidate: Candidate) -> CostReport:
        """Layer by layer; the latency is the schedule's, less than the sum where engines work side by side.

        Raises:
            SpecError: the candidate does not run.
        """
        found = self.run(candidate)
        if isinstance(found, Infeasible):
            raise SpecError(Fault("report", str(found), "a design that fits"))
        machine, cycles = candidate.hardware, found.schedule.cycles
        milliseconds = 1e3 * cycles / machine.machines[0].accelerator.clock_hz
        area = None if machine.area_mm2 is None else 1e6 * machine.area_mm2
        return CostReport(found.layers, cycles, milliseconds, total_energy_pj(found.layers), area, None)
