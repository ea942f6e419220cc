"""What a network costs on several FPGAs in a pipeline, by the published loop-tile formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accel_models.published.loop_pipeline import LoopPipeline
from accel_models.report import CostReport, LayerCost
from codesign.providers.base import Candidate
from codesign.providers.cost.loop_tile import LoopTileProvider
from mappings.layer import Layer


class LoopPipelineProvider(LoopTileProvider):
    """Latency of one input, inputs a second, resources of all boards; each board is one of the recipe's device."""

    def _figures(self, candidate: Candidate) -> tuple[dict[str, float], dict[str, Any]]:
        """Every metric, and what else is kept of a trial."""
        machine, layers = _parts(candidate)
        clock_hz = machine.machines[0].clock_hz
        cycles, stages = machine.latency_cycles(layers), machine.stages(layers)
        metrics = {
            "latency_ms": 1e3 * cycles / clock_hz,
            "latency_cycles": float(cycles),
            "throughput_per_s": clock_hz / machine.interval_cycles(layers),
            "dsp": float(sum(item.dsp for item in machine.machines)),
            "bram36": sum(item.bram18(layers) for item in machine.machines) / 2,
            "lut": float(sum(item.lut for item in machine.machines)),
            "fill": machine.fill(layers, self._board),
        }
        return metrics, {"stages": [len(stage.layers) for stage in stages]}

    def report(self, candidate: Candidate) -> CostReport:
        """Layer by layer; maps that cross a link are in the total alone."""
        machine, layers = _parts(candidate)
        rows, clock_hz = [], machine.machines[0].clock_hz
        for stage in machine.stages(layers):
            engine = machine.machines[stage.board]
            for layer in stage.layers:
                cycles, lanes = engine.layer_cycles(layer), engine.tm * engine.tn
                busy = layer.macs / (cycles * lanes)
                rows.append(LayerCost(layer.name, layer.macs, cycles, -(-layer.macs // lanes), busy, None, ()))
        total = machine.latency_cycles(layers)
        blocks = sum(-(-item.bram18(layers) // 2) for item in machine.machines)
        taken = (
            ("DSP", sum(item.dsp for item in machine.machines)),
            ("BRAM36", blocks),
            ("LUT", sum(item.lut for item in machine.machines)),
        )
        return CostReport(tuple(rows), total, 1e3 * total / clock_hz, None, None, taken)


def _parts(candidate: Candidate) -> tuple[LoopPipeline, Sequence[Layer]]:
    machine, workload = candidate.hardware, candidate.workload
    assert isinstance(machine, LoopPipeline) and workload is not None, "the recipe's needs are checked when it is read"
    return machine, workload.layers
