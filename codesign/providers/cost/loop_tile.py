"""What a network costs on a loop-tile accelerator, by the published formulas; every limit of the board binds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accel_models.hardware.devices import device
from accel_models.published.loop_tile import Board, LoopTile, convolutions, fill
from accel_models.report import CostReport, LayerCost
from codesign.providers.base import Candidate, Measurement, ProviderContext
from mappings.layer import Layer


class LoopTileProvider:
    """Cycles and resources; energy is not in the publications.

    Args:
        context: of the run; its option ``port_bits`` is the width of the board's memory interface.

    Raises:
        SpecError: the device is no FPGA.
    """

    metrics = ("latency_ms", "latency_cycles", "throughput_per_s", "dsp", "bram36", "lut", "fill")
    needs = ("workload", "hardware")
    key = "design"

    def __init__(self, context: ProviderContext) -> None:
        self._board = Board.of(device(context.device), int(context.options["port_bits"]))

    def prepare(self) -> None:
        """Nothing to prepare."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measurement]:
        """Figures of each, also of what the board has no room for; operators that it lacks leave none."""
        return [self._measured(candidate) for candidate in candidates]

    def _measured(self, candidate: Candidate) -> Measurement:
        assert candidate.workload is not None, "the recipe's needs are checked when it is read"
        layers: Sequence[Layer] = candidate.workload.layers
        broken = candidate.hardware.broken(layers, self._board)
        if any(item.resource == "operators" for item in broken):
            return Measurement(broken=broken)
        metrics, detail = self._figures(candidate)
        return Measurement(metrics, broken, detail)

    def _figures(self, candidate: Candidate) -> tuple[dict[str, float], dict[str, Any]]:
        """Every metric, and what else is kept of a trial."""
        machine, layers = _parts(candidate)
        cycles = machine.latency_cycles(layers)
        seconds = cycles / machine.clock_hz
        metrics = {
            "latency_ms": 1e3 * seconds,
            "latency_cycles": float(cycles),
            "throughput_per_s": 1.0 / seconds,
            "dsp": float(machine.dsp),
            "bram36": machine.bram18(layers) / 2,
            "lut": float(machine.lut),
            "fill": fill(machine, layers, self._board),
        }
        return metrics, {}

    def report(self, candidate: Candidate) -> CostReport:
        """Layer by layer; what rides along has no line."""
        machine, layers = _parts(candidate)
        rows = []
        for layer in convolutions(layers):
            cycles = machine.layer_cycles(layer)
            lanes = machine.depthwise_lanes if layer.is_depthwise else machine.tm * machine.tn
            busy = min(1.0, layer.macs / (cycles * lanes))  # output extents count a quarter of a strided layer
            rows.append(LayerCost(layer.name, layer.macs, cycles, -(-layer.macs // lanes), busy, None, ()))
        total = sum(row.cycles for row in rows)
        blocks = -(-machine.bram18(layers) // 2)
        taken = (("DSP", machine.dsp), ("BRAM36", blocks), ("LUT", machine.lut))
        return CostReport(tuple(rows), total, 1e3 * total / machine.clock_hz, None, None, taken)


def _parts(candidate: Candidate) -> tuple[LoopTile, Sequence[Layer]]:
    machine, workload = candidate.hardware, candidate.workload
    assert isinstance(machine, LoopTile) and workload is not None, "the recipe's needs are checked when it is read"
    return machine, workload.layers
