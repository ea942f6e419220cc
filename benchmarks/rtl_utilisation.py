"""How busy each array keeps its PEs on a compute-bound 3x3 convolution, simulated, and where the other cycles go."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np

from accel_models.report import Infeasible
from accel_models.schedule import Compute, schedule_network
from accel_models.template import ArrayKind, Template
from accel_models.timing import predict
from accel_models.timing_core import BUSY, START
from benchmarks.common import Figure, show
from benchmarks.rtl_cases import design, inputs, quantized, reference
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from rtl_templates.simulate import Job, simulate_jobs

TARGET = 0.90


@dataclass(frozen=True)
class Busy:
    """Where the cycles of one layer go, from start to done.

    Attributes:
        cycles: simulated.
        macs: cycles that the MACs alone would take on all PEs.
        fill_and_drain: cycles of tiles beyond those: pipelines, weight fills, ragged edges.
        before_first: until the first tile starts: program and first loads.
        between: the array waits for data or buffers between tiles.
        after_last: post-processing and storing the last tile.
    """

    cycles: int
    macs: int
    fill_and_drain: int
    before_first: int
    between: int
    after_last: int
    exact: bool
    correct: bool

    @property
    def utilization(self) -> float:
        """Share of the PEs' cycles that do a MAC."""
        return self.macs / self.cycles


def convolution(channels: int, size: int) -> Workload:
    """A 3x3 convolution between tensors of that many channels and rows and columns."""
    sizes = {"K": channels, "C": channels, "P": size, "Q": size, "R": 3, "S": 3}
    layer = Layer("conv", Op.CONV, **sizes, padding=(1,) * 4, activation="relu", inputs=("x",))
    return Workload("conv3x3", (TensorShape("x", 1, channels, size, size),), (layer,))


def measure(template: Template, workload: Workload) -> Busy:
    """Simulate the one layer.

    Raises:
        ValueError: no tile fits the buffers.
    """
    schedule = schedule_network(design(workload, template))
    if isinstance(schedule, Infeasible):
        raise ValueError(str(schedule))
    network, given = quantized(workload, 1), inputs(workload, 2)
    (report,) = simulate_jobs([Job(schedule, network, given)])
    times = predict(schedule).commands
    rows = [number for number, command in enumerate(schedule.commands) if isinstance(command.body, Compute)]
    begin, end = int(times[rows[0], START]), int(times[rows[-1], START] + times[rows[-1], BUSY])
    busy = int(times[rows, BUSY].sum())
    macs = workload.macs // (template.rows * template.cols)
    correct = np.array_equal(report.outputs["conv"], reference(network, given)["conv"])
    return Busy(
        report.cycles,
        macs,
        busy - macs,
        begin,
        end - begin - busy,
        report.cycles - end,
        report.exact,
        correct,
    )


def main() -> int:
    """The exit status is 1 where an array is less busy than its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--cols", type=int, default=16)
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--arrays", default=",".join(ArrayKind))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = []
    for array in options.arrays.split(","):
        template = Template(array=ArrayKind(array), rows=options.rows, cols=options.cols)
        busy = measure(template, convolution(options.channels, options.size))
        share = busy.utilization
        figures.append(Figure(f"{array}: PEs busy", share, f"{TARGET:.0%} or more", share >= TARGET))
        sound = busy.exact and busy.correct
        figures.append(Figure(f"{array}: cycles; bit-exact, as predicted", busy.cycles, "both", sound))
        others = ("fill_and_drain", "before_first", "between", "after_last")
        figures += [Figure(f"{array}: other cycles, {name.replace('_', ' ')}", getattr(busy, name)) for name in others]
    layer = f"{options.channels} channels, {options.size} x {options.size}"
    return show(f"3x3 convolution, {layer}, on {options.rows} x {options.cols} PEs", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
