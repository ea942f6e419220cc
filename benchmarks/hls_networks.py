"""Whole networks through the HLS engine, by the RTL's program: bit-exact against PyTorch, time, cycles at II = 1."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np
from rich.table import Table

import hls
from accel_models.template.spec import ArrayKind
from benchmarks.common import table_console
from benchmarks.rtl_networks import prepare, template_for

DEFAULT_NETWORKS = ("resnet18", "mobilenet_v2", "transformer_encoder")
#: Compile and run of any network on any array.
MAX_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """One network on one array.

    Attributes:
        layers: that leave a tensor in memory.
        wrong_layers: of these, not equal to PyTorch's integers.
        cycles: estimate of the HLS engine, at an initiation interval of one, one command after another.
        utilization: MACs over cycles x PEs.
    """

    network: str
    array: str
    layers: int
    wrong_layers: tuple[str, ...]
    compile_seconds: float
    run_seconds: float
    cycles: int
    utilization: float

    @property
    def met(self) -> bool:
        """Bit-exact, and in time."""
        return not self.wrong_layers and self.compile_seconds + self.run_seconds <= MAX_SECONDS


def measure(name: str, arrays: list[ArrayKind], rows: int, cols: int, bits: int, seed: int) -> list[Run]:
    """One network on each of the arrays."""
    network, inputs, expected = prepare(name, bits, seed)
    runs = []
    for array in arrays:
        template = template_for(network.workload, array, (rows, cols, bits), ppu_lanes=4, vector_taps=3)
        with tempfile.TemporaryDirectory() as folder:
            report = hls.csim(hls.emit(template, network, folder), inputs)
        wrong = tuple(key for key, value in report.outputs.items() if not np.array_equal(expected[key], value))
        utilization = network.workload.macs / (report.total_cycles * rows * cols)
        seconds = round(report.compile_s, 2), round(report.run_s, 2)
        runs.append(Run(name, array, len(report.outputs), wrong, *seconds, report.total_cycles, round(utilization, 4)))
    return runs


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=list(DEFAULT_NETWORKS))
    parser.add_argument("--arrays", nargs="+", default=list(ArrayKind), type=ArrayKind, choices=list(ArrayKind))
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--cols", type=int, default=16)
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    runs = [run for n in args.networks for run in measure(n, args.arrays, args.rows, args.cols, args.bits, args.seed)]
    met = all(run.met for run in runs)
    if args.json:
        print(
            json.dumps({"benchmark": "hls_networks", "met": met, "runs": [{**asdict(r), "met": r.met} for r in runs]})
        )
        return int(not met)
    table = Table(title=f"HLS engine, {args.rows} x {args.cols}, int{args.bits}; cycles at II = 1")
    for column in ("network", "array", "exact", "build s", "run s", "cycles", "use", ""):
        table.add_column(column, justify="left" if column in ("network", "array", "") else "right")
    for run in runs:
        exact = f"{run.layers - len(run.wrong_layers)}/{run.layers}"
        seconds = f"{run.compile_seconds:.1f}", f"{run.run_seconds:.1f}"
        mark = "met" if run.met else "MISSED"
        table.add_row(run.network, run.array, exact, *seconds, f"{run.cycles:,}", f"{run.utilization:.1%}", mark)
    table_console().print(table)
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
