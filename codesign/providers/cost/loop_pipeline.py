"""What a network costs on several FPGAs in a pipeline, by the published loop-tile formulas."""

from __future__ import annotations

from collections.abc import Sequence

from accel_models.hardware.devices import device
from accel_models.published.loop_pipeline import LoopPipeline
from accel_models.published.loop_tile import Board
from accel_models.report import CostReport, LayerCost
from codesign.providers.base import Candidate, Measurement, ProviderContext
from mappings.layer import Layer


class LoopPipelineProvider:
    """Latency of one input, inputs a second, resources of all boards; each board is one of the recipe's device.

    Args:
        context: of the run; its option ``port_bits`` is the width of a board's memory interface.

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
        """Figures of each, also of what a board has no room for; operators that it lacks leave none."""
        return [self._measured(candidate) for candidate in candidates]

    def _measured(self, candidate: Candidate) -> Measurement:
        machine, layers = _parts(candidate)
        broken = machine.broken(layers, self._board)
        if any(item.resource == "operators" for item in broken):
            return Measurement(broken=broken)
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
        return Measurement(metrics, broken, {"stages": [len(stage.layers) for stage in stages]})

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
