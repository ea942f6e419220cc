"""What a network costs by a table of layers: figures that were found beforehand, by a model, by RTL, or on a board."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accel_models.pricing.layers import LayerTable
from accel_models.report import Infeasible
from codesign.providers.base import Candidate, Measurement, ProviderContext
from codesign.providers.cost.layer_table import LayerFile, LayerRow
from codesign.providers.cost.work import figures_of
from mappings.errors import Fault, SpecError, counted
from mappings.workload import Workload


class LookupProvider:
    """Sums over a network's layers, each looked up (Cai 2019); additive, whatever the accelerator overlaps.

    Args:
        context: option ``file``: a table that ``codesign table`` has built, or one of the same form.
    """

    metrics: tuple[str, ...] = ("latency_ms", "throughput_per_s", "energy_uj", "edp_uj_ms", "power_mw")
    needs = ("workload",)
    key = "network"

    def __init__(self, context: ProviderContext) -> None:
        self._path = str(context.options["file"])
        self._layers = LayerTable()
        self._rows: list[LayerRow | None] = []
        self._file: LayerFile | None = None

    def prepare(self) -> None:
        """Read the table.

        Raises:
            SpecError: no such file, or a malformed one.
        """
        self._file = LayerFile.load(self._path)
        blank = sum(row.energy_uj is None for row in self._file.rows.values())
        if blank and "energy_uj" in self.metrics:
            what = f"has {counted(blank, 'layer')} without energy_uj"
            raise SpecError(Fault(self._path, what, "the provider lookup_latency, or a table with energies"))

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Figures of each network; one with a layer that the table lacks breaks a bound."""
        out = []
        for candidate in candidates:
            assert candidate.workload is not None, "a candidate without a workload is not measured"
            out.append(self._sum(candidate.workload))
        return out

    def missing(self, workload: Workload) -> int:
        """How many of a network's distinct layers the table lacks."""
        return sum(row is None for row, _ in self._counted(workload))

    def _counted(self, workload: Workload) -> list[tuple[LayerRow | None, int]]:
        if self._file is None:
            self.prepare()
        assert self._file is not None
        counts = self._layers.counts(workload)
        self._rows += [self._file.rows.get(layer.digest) for layer in self._layers.layers[len(self._rows) :]]
        return [(self._rows[place], count) for place, count in counts.items()]

    def _sum(self, workload: Workload) -> Measurement:
        counted = self._counted(workload)
        known = [(row, count) for row, count in counted if row is not None]
        if len(known) < len(counted):
            remedy = f"add them with codesign table, or a network of layers that {self._path} has"
            lacking = Infeasible("layers that the table lacks", len(counted) - len(known), 0, "layers", remedy)
            return Measurement(broken=(lacking,))
        numbers = np.array([count for _, count in known], dtype=np.float64)
        latency_ms = float(numbers @ [row.latency_ms for row, _ in known])
        if not latency_ms > 0:
            raise SpecError(Fault(self._path, "says that a network takes no time", "latencies above 0"))
        if "energy_uj" not in self.metrics:
            return Measurement({"latency_ms": latency_ms, "throughput_per_s": 1e3 / latency_ms})
        return Measurement(figures_of(latency_ms, float(numbers @ [row.energy_uj or 0.0 for row, _ in known])))


class LatencyProvider(LookupProvider):
    """The same by a table that knows no energies, as most that were measured on a board."""

    metrics = ("latency_ms", "throughput_per_s")
