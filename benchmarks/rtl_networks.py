"""Whole networks on simulated hardware: bit-exact against PyTorch, cycles predicted and simulated, wall time."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.design import Design
from accel_models.report import Infeasible
from accel_models.schedule.fusing import CLAMPS
from accel_models.template.accelerator import template_accelerator
from accel_models.template.cycle_account import CycleAccount
from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import table_console
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.quantize import quantize, quantize_input
from codesign.zoo import NETWORKS
from mappings.layer import Op
from mappings.quantized import IntArray, QuantizedNetwork
from mappings.workload import Workload
from rtl_templates.simulate import SimReport, simulate

DEFAULT_NETWORKS = (
    "resnet20",
    "mobilenet_v2",
    "resnet18",
    "transformer_encoder",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "vit_tiny",
    "transformer_decoder",
    "unet_small",
    "dcgan",
)
#: A layer shorter than this may differ by more: the bound is on longer ones and on the whole network.
LONG_LAYER_CYCLES = 10_000
LAYER_TOLERANCE, NETWORK_TOLERANCE = 0.01, 0.002
RESNET18_SECONDS = 300.0
#: network, shape, arrays
OTHER_SHAPES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("resnet20", "4x4:8", ("weight_stationary", "row_stationary")),
    ("resnet20", "32x32:8", ("weight_stationary", "row_stationary", "output_stationary")),
    ("resnet20", "8x8:16", ("weight_stationary", "row_stationary")),
    ("resnet20", "16x16:16", ("output_stationary", "channel_parallel")),
    ("resnet20", "8x8:4", ("loop_tile", "row_stationary")),
    ("resnet20", "16x16:4", ("weight_stationary", "channel_parallel")),
    ("resnet20", "8x32:8", ("weight_stationary", "row_stationary")),
    ("transformer_encoder", "4x4:8", ("weight_stationary", "output_stationary")),
    ("transformer_encoder", "32x32:8", ("weight_stationary", "row_stationary")),
)


@dataclass(frozen=True)
class Run:
    """One network on one template.

    Attributes:
        shape: rows x columns and bits.
        wrong_layers: not bit-exact.
        inexact_layers: (name, simulated, predicted cycles) where the two differ.
        worst_layer_error, error: of cycles; over layers of 10,000 cycles or more, and of the whole.
        compile_seconds, run_seconds: of the simulation, by the clock on the wall.
        cpu_seconds: of both; what a free core would take.
        utilization: MACs over cycles x PEs.
        account: where the cycles went; None if it did not run.
        reason: why it did not run, "" if it did.
    """

    network: str
    array: str
    shape: str
    layers: int = 0
    wrong_layers: tuple[str, ...] = ()
    predicted_cycles: int = 0
    simulated_cycles: int = 0
    inexact_layers: tuple[tuple[str, int, int], ...] = ()
    worst_layer_error: float = 0.0
    error: float = 0.0
    compile_seconds: float = 0.0
    run_seconds: float = 0.0
    cpu_seconds: float = 0.0
    utilization: float = 0.0
    account: CycleAccount | None = None
    reason: str = ""

    @property
    def met(self) -> bool:
        """Bit-exact, in the predicted cycles, in time."""
        quick = self.network != "resnet18" or self.cpu_seconds <= RESNET18_SECONDS
        close = self.worst_layer_error <= LAYER_TOLERANCE and self.error <= NETWORK_TOLERANCE
        return not self.reason and not self.wrong_layers and close and quick


def shape_of(template: Template) -> str:
    """As ``--shapes`` has it."""
    return f"{template.rows}x{template.cols}:{template.act_bits}"


def parse_shape(text: str) -> tuple[int, int, int]:
    """Rows, columns, bits.

    Raises:
        argparse.ArgumentTypeError: not of the form ``16x16:8``.
    """
    found = re.fullmatch(r"(\d+)x(\d+):(\d+)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f'"{text}" is not ROWSxCOLS:BITS, as in 16x16:8')
    rows, cols, bits = map(int, found.groups())
    return rows, cols, bits


def acc_bits(bits: int) -> int:
    """Accumulators that hold the sums of products of that many bits."""
    return 48 if bits == 16 else 32


def prepare(name: str, bits: int, seed: int) -> tuple[QuantizedNetwork, dict[str, IntArray], dict[str, IntArray]]:
    """A network of the zoo with random weights, calibrated and quantised; an input and every layer's reference."""
    entry = NETWORKS.get(name)
    with torch.no_grad():
        widths = {"weight_bits": bits, "act_bits": bits, "acc_bits": acc_bits(bits)}
        network = quantize(entry.build(seed), entry.inputs(2, seed), **widths, name=name)
        given = quantize_input(network, entry.inputs(1, seed + 1))
        expected = run_integer(network, given)
    return (
        network,
        {key: value.numpy() for key, value in given.items()},
        {key: value.numpy() for key, value in expected.items()},
    )


def template_for(
    workload: Workload, array: ArrayKind, shape: tuple[int, int, int], ppu_lanes: int, vector_taps: int
) -> Template:
    """Hardware with the units that a network needs."""
    rows, cols, bits = shape
    attention = any(layer.op in (Op.MATMUL, Op.SOFTMAX, Op.LAYERNORM) for layer in workload.layers)
    tables = any(layer.op is Op.ACT and layer.activation not in CLAMPS for layer in workload.layers)
    return Template(
        array=array,
        rows=rows,
        cols=cols,
        act_bits=bits,
        weight_bits=bits,
        acc_bits=acc_bits(bits),
        ppu_lanes=ppu_lanes,
        vector_taps=vector_taps,
        nonlinear_lanes=4 if attention else 0,
        activation_tables=int(tables and bits <= 8),
    )


def compare(name: str, array: str, report: SimReport, expected: dict[str, IntArray], template: Template) -> Run:
    """The figures of one run."""
    wrong = tuple(key for key, value in report.outputs.items() if not np.array_equal(expected[key], value))
    inexact = tuple(
        (layer.name, layer.cycles, layer.predicted_cycles)
        for layer in report.layers
        if layer.cycles != layer.predicted_cycles
    )
    errors = [
        abs(layer.cycles - layer.predicted_cycles) / layer.cycles
        for layer in report.layers
        if layer.cycles > LONG_LAYER_CYCLES
    ]
    return Run(
        name,
        array,
        shape_of(template),
        len(report.layers),
        wrong,
        report.predicted_cycles,
        report.cycles,
        inexact,
        max(errors, default=0.0),
        abs(report.cycles - report.predicted_cycles) / report.cycles,
        report.compile_seconds,
        report.run_seconds,
        report.cpu_seconds,
        sum(layer.macs for layer in report.layers) / (report.cycles * template.rows * template.cols),
        report.account,
    )


def run(name: str, template: Template, data: tuple[QuantizedNetwork, dict[str, IntArray], dict[str, IntArray]]) -> Run:
    """Simulate one network on one template."""
    network, given, expected = data
    design = Design(network.workload, template_accelerator(template), ())
    try:
        report = simulate(design, network, given)
    except ValueError as error:
        return Run(name, str(template.array), shape_of(template), reason=str(error))
    if isinstance(report, Infeasible):
        return Run(name, str(template.array), shape_of(template), reason=str(report))
    assert isinstance(report, SimReport)
    return compare(name, str(template.array), report, expected, template)


def where_cycles_went(runs: list[Run]) -> Table:
    """The parts of each run's cycles, as shares."""
    names = [item.name for item in fields(CycleAccount)]
    titles = [name.removesuffix("_cycles").replace("_", " ") for name in names]
    table = Table("network", "array", "shape", *titles, title="Where the cycles went")
    for item in runs:
        if item.account is not None:
            shares = [f"{getattr(item.account, name) / item.account.cycles:.1%}" for name in names]
            table.add_row(item.network, item.array, item.shape, *shares)
    return table


def main() -> int:
    """The exit status is 1 where a run misses its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(DEFAULT_NETWORKS))
    parser.add_argument("--arrays", default=",".join(ArrayKind))
    parser.add_argument("--shapes", default="16x16:8", help="rows x columns : bits, separated by commas (16x16:8)")
    parser.add_argument(
        "--other-shapes", action="store_true", help="small networks on arrays from 4x4 to 32x32, int4 to int16"
    )
    parser.add_argument("--ppu-lanes", type=int, default=8)
    parser.add_argument("--vector-taps", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    console = Console(stderr=True)
    runs = []
    plan = [
        (name, parse_shape(shape), options.arrays.split(","))
        for name in options.networks.split(",")
        for shape in options.shapes.split(",")
    ]
    if options.other_shapes:
        plan = [(name, parse_shape(shape), arrays) for name, shape, arrays in OTHER_SHAPES]
    data: dict[tuple[str, int], tuple[QuantizedNetwork, dict[str, IntArray], dict[str, IntArray]]] = {}
    for name, (rows, cols, bits), arrays in plan:
        begin = time.perf_counter()
        if (name, bits) not in data:
            data[name, bits] = prepare(name, bits, options.seed)
            console.print(f"{name}, int{bits}: quantised and run in PyTorch in {time.perf_counter() - begin:.1f} s")
        workload = data[name, bits][0].workload
        for array in arrays:
            small = {"ppu_lanes": min(options.ppu_lanes, rows, cols), "vector_taps": options.vector_taps}
            template = template_for(workload, ArrayKind(array), (rows, cols, bits), **small)
            runs.append(run(name, template, data[name, bits]))
            console.print(f"{name} on {array} {runs[-1].shape}: {'met' if runs[-1].met else 'MISSED'}")
    if options.json:
        print(json.dumps({"runs": [{**asdict(item), "met": item.met} for item in runs]}))
    else:
        columns = (
            "network",
            "array",
            "shape",
            "layers",
            "bit-exact",
            "predicted",
            "simulated",
            "error",
            "busy",
            "compile",
            "run",
            "CPU",
        )
        table = Table(*columns, title="Networks on simulated hardware (cycles, seconds)")
        for item in runs:
            if item.reason:
                table.add_row(item.network, item.array, item.shape, item.reason, *[""] * 8)
                continue
            exact = "yes" if not item.wrong_layers else f"NO: {', '.join(item.wrong_layers[:3])}"
            table.add_row(
                item.network,
                item.array,
                item.shape,
                str(item.layers),
                exact,
                f"{item.predicted_cycles:,}",
                f"{item.simulated_cycles:,}",
                f"{item.error:.3%}" if item.inexact_layers else "exact",
                f"{item.utilization:.1%}",
                f"{item.compile_seconds:.1f}",
                f"{item.run_seconds:.1f}",
                f"{item.cpu_seconds:.1f}",
            )
        table_console().print(table)
        table_console().print(where_cycles_went(runs))
    return int(not all(item.met for item in runs))


if __name__ == "__main__":
    sys.exit(main())
