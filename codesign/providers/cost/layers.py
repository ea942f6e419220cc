"""What a design costs as the sum of its layers, each timed alone: a look-up table by layer and accelerator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accel_models.hardware.devices import device
from accel_models.hardware.energy import over_power, power_mw
from accel_models.pricing.layers import LayerTable, layer_costs
from accel_models.pricing.price import UNEXPLAINED, Pricer
from accel_models.report import Infeasible
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.providers.cost.work import figures_of
from mappings.errors import Fault, SpecError
from mappings.workload import Workload


class LayerSumProvider:
    """Additive by construction: the model of latency tables (Cai 2019), with exact programs of single layers in it.

    Args:
        context: of the run.

    Raises:
        SpecError: the device's technology has no energy figures.
    """

    metrics = ("latency_ms", "latency_cycles", "throughput_per_s", "energy_uj", "edp_uj_ms", "power_mw")
    needs = ("caps",)
    key = "design"

    def __init__(self, context: ProviderContext) -> None:
        self._device = device(context.device)
        self._pricer = Pricer(self._device, bounded=False)
        self._table = LayerTable()
        self._counts: dict[str, dict[int, int]] = {}

    def prepare(self) -> None:
        """Nothing to prepare: layers are timed as they are met."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Figures of each design."""
        counted = [self._counted(candidate.workload) for candidate in candidates]
        wanted = sorted({place for counts in counted for place in counts})
        rows, channels = zip(*(candidate.caps or (0, 0) for candidate in candidates), strict=True)
        templates = [candidate.hardware for candidate in candidates]
        costs = layer_costs(self._pricer, [self._table.layers[place] for place in wanted], templates, rows, channels)
        out = []
        for column, (counts, template) in enumerate(zip(counted, templates, strict=True)):
            numbers = np.array([counts.get(place, 0) for place in wanted], dtype=np.int64)
            met = numbers > 0
            codes = costs.code[met, column]
            if codes.any():
                out.append(Measurement(broken=(UNEXPLAINED[int(codes[codes > 0][0])],)))
                continue
            cycles = int(numbers[met] @ costs.cycles[met, column])
            energy_uj = float(numbers[met] @ costs.energy_pj[met, column]) / 1e6
            if not energy_uj > 0:
                what = "its technology has no energy figures"
                raise SpecError(Fault(f"device {self._device.name}", what, "a device whose technology has them"))
            figures = figures_of(cycles / template.clock_hz * 1e3, energy_uj, cycles)
            broken: tuple[Infeasible, ...] = ()
            if self._device.power_mw is not None:
                chip_mw = power_mw(float(numbers[met] @ costs.chip_pj[met, column]), cycles, template.clock_hz)
                hot = over_power(chip_mw, self._device.power_mw)
                broken = () if hot is None else (hot,)
            out.append(Measurement(figures, broken))
        return out

    def _counted(self, workload: Workload | None) -> dict[int, int]:
        assert workload is not None, "a candidate without a workload is not measured"
        key = workload.digest
        if key not in self._counts:
            self._counts[key] = self._table.counts(workload)
        return self._counts[key]
