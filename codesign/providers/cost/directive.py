"""What a network costs on accelerators of free connectivity, by the directive model: the operators that multiply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from accel_models.report import CostReport, Infeasible, LayerCost
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.providers.cost.mapped import total_energy_pj
from codesign.providers.cost.work import figures_of
from codesign.providers.registry import PROVIDERS
from mappings.errors import Fault, SpecError
from mappings.layer import Layer


class DirectiveProvider:
    """Cycles and energy of every layer that multiplies, mapped as the mapping space says; the envelope binds.

    Args:
        context: of the run.
    """

    needs = ("workload", "hardware")
    key = "design"

    def __init__(self, context: ProviderContext) -> None:
        self._mapping = context.space.mapping
        self.metrics = PROVIDERS.get("directive").metrics_on(context.device)

    def prepare(self) -> None:
        """Nothing to prepare."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Figures of each; what does not fit its envelope, or has no mapping, has none."""
        return [self._measured(candidate) for candidate in candidates]

    def _measured(self, candidate: Candidate) -> Measurement:
        machine = candidate.hardware
        broken = machine.broken()
        if broken:
            return Measurement(broken=broken)
        found = self.layers(candidate)
        if isinstance(found, Infeasible):
            return Measurement(broken=(found,))
        return Measurement(self._figures(found, machine))

    def layers(self, candidate: Candidate) -> list[LayerCost] | Infeasible:
        """Figures of the layers that multiply, or the first that has no mapping; equal layers are mapped once."""
        assert candidate.workload is not None, "a candidate without a workload is not measured"
        multiplying = [layer for layer in candidate.workload.layers if layer.op.spec.multiplies]
        if not multiplying:
            raise SpecError(Fault(f"network {candidate.workload.name}", "multiplies nothing", "one with convolutions"))
        known: dict[tuple[Layer, int], LayerCost | Infeasible] = {}
        out = []
        for place, layer in enumerate(multiplying):
            machine = candidate.hardware.machine(place)
            key = replace(layer, name="", inputs=(), activation=""), id(machine)
            if key not in known:
                known[key] = self._mapping.layer_cost(candidate.point, key[0], machine)
            found = known[key]
            if isinstance(found, Infeasible):
                return replace(found, where=layer.name)
            out.append(found.named(layer.name))
        return out

    def _figures(self, layers: Sequence[LayerCost], machine: Any) -> dict[str, float]:
        cycles = sum(layer.cycles for layer in layers)
        clock_hz = machine.machine(0).accelerator.clock_hz
        energy_pj = total_energy_pj(layers)
        dram_pj = sum(layer.energy_pj.of_pj("DRAM") for layer in layers if layer.energy_pj is not None)
        milliseconds, energy_uj, onchip_uj = 1e3 * cycles / clock_hz, energy_pj / 1e6, (energy_pj - dram_pj) / 1e6
        out = {
            **figures_of(milliseconds, energy_uj, cycles),
            "onchip_energy_uj": onchip_uj,
            "onchip_edp_uj_ms": onchip_uj * milliseconds,
            "buffer_bytes": float(machine.onchip_bytes),
            "dram_bytes": float(sum(layer.bytes_of("DRAM") for layer in layers)),
        }
        if "area_mm2" in self.metrics and machine.area_mm2 is not None:
            out["area_mm2"] = machine.area_mm2
        return out

    def report(self, candidate: Candidate) -> CostReport:
        """Layer by layer; operators that multiply nothing have no line.

        Raises:
            SpecError: the candidate has no mapping.
        """
        found = self.layers(candidate)
        if isinstance(found, Infeasible):
            raise SpecError(Fault("report", str(found), "a design that fits"))
        machine = candidate.hardware
        cycles, clock_hz = sum(layer.cycles for layer in found), machine.machine(0).accelerator.clock_hz
        energy_pj = total_energy_pj(found)
        area = None if machine.area_mm2 is None else 1e6 * machine.area_mm2
        return CostReport(tuple(found), cycles, 1e3 * cycles / clock_hz, energy_pj, area, None)
