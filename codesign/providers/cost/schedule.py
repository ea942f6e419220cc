"""What a design on one of our accelerators costs, from the program that it will run."""

from __future__ import annotations

from collections.abc import Sequence

from accel_models.design import Design
from accel_models.hardware.devices import DeviceKind, device
from accel_models.hardware.energy import broken_power
from accel_models.report import CostReport
from accel_models.template.cost import template_cost
from accel_models.template.resources import memories
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.providers.registry import PROVIDERS
from codesign.spaces.mapping.caps import missing_operators
from mappings.errors import Fault, SpecError


class ScheduleProvider:
    """Exact cycles; energy from every word that the program moves; resources from the structure.

    Args:
        context: of the run.
    """

    needs = ("design",)
    key = "design"

    def __init__(self, context: ProviderContext) -> None:
        self._device = device(context.device)
        self.metrics = PROVIDERS.get("schedule").metrics_on(context.device)

    def prepare(self) -> None:
        """Nothing to prepare."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Figures of each design, whether or not the device has room for it."""
        return [self._measured(candidate) for candidate in candidates]

    def _measured(self, candidate: Candidate) -> Measurement:
        assert candidate.design is not None, "a candidate without a design is not measured"
        try:  # also where it has no room: the space has told that already, and what it would cost is worth knowing
            found = template_cost(candidate.design, bounded=False)
        except SpecError as error:
            return Measurement(broken=(missing_operators(error),))
        if not isinstance(found, CostReport):
            return Measurement(broken=found)
        accelerator = candidate.design.accelerator
        hot = broken_power(accelerator, found.layers, found.latency_cycles, self._device.power_mw)
        broken = () if hot is None else (hot,)
        return Measurement(self.figures(candidate.design, found), broken, {"cycles": found.latency_cycles})

    def figures(self, design: Design, report: CostReport) -> dict[str, float]:
        """Every metric.

        Raises:
            SpecError: the device's technology has no energy figures.
        """
        template = design.accelerator.template
        assert template is not None, "template_cost refuses others"
        if report.energy_pj is None:
            what = "its technology has no energy figures"
            raise SpecError(Fault(f"device {self._device.name}", what, "a device whose technology has them"))
        energy_uj, seconds = report.energy_pj / 1e6, report.latency_ms / 1e3
        traffic = sum(count for layer in report.layers for level, _, _, count in layer.traffic_bytes if level == "DRAM")
        out = {
            "latency_ms": report.latency_ms,
            "latency_cycles": float(report.latency_cycles),
            "throughput_per_s": 1.0 / seconds,
            "energy_uj": energy_uj,
            "edp_uj_ms": energy_uj * report.latency_ms,
            "power_mw": energy_uj / 1e3 / seconds,
            "buffer_bytes": float(sum(memory.size_bytes for memory in memories(template))),
            "dram_bytes": float(traffic),
        }
        taken, part = dict(report.resources or ()), self._device
        if part.kind is DeviceKind.FPGA:
            shares = [(taken["DSP"], part.dsp), (taken["BRAM36"], part.bram36), (taken["LUT"], part.lut)]
            shares.append((taken["FF"], part.ff))
            out |= {name.lower(): float(taken[name]) for name in ("DSP", "BRAM36", "LUT", "FF")}
            out["fill"] = max(count / bound for count, bound in shares if bound)
        elif report.area_um2 is not None:
            out["area_mm2"] = report.area_um2 / 1e6
        return out
