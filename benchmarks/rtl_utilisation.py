"""How busy each array is on compute-bound 3x3 convolutions of a whole accelerator, and where the other cycles went.

The layer is simulated from start to the last byte in memory; the parts below sum to its cycles. Exit status 1 where
a template keeps its PEs less than 90 % busy, where outputs are not bit-exact, or where cycles are not as predicted.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np
from rich.table import Table

from accel_models.report import Infeasible
from accel_models.schedule import schedule_network
from accel_models.template.cycle_account import CycleAccount
from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import read_names, table_console
from benchmarks.rtl_cases import design, inputs, quantized, reference
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from rtl_templates.simulate import Job, simulate_jobs

TARGET = 0.9
#: channels in and out, rows, columns: 3x3 layers of ResNet and VGG at 224 x 224
LAYERS: tuple[tuple[int, int, int, int], ...] = ((64, 64, 56, 56), (128, 128, 28, 28))


@dataclass(frozen=True)
class Busy:
    """Where a layer's cycles went.

    Attributes:
        utilization: of the PEs: MACs over cycles x PEs.
        account: the parts; they sum to ``cycles``.
    """

    layer: str
    array: str
    cycles: int
    predicted_cycles: int
    bit_exact: bool
    utilization: float
    account: CycleAccount

    @property
    def met(self) -> bool:
        """Busy, exact in value and in cycles."""
        return self.utilization >= TARGET and self.bit_exact and self.cycles == self.predicted_cycles


def measure(template: Template, sizes: tuple[tuple[int, int, int, int], ...], seed: int) -> list[Busy]:
    """Simulate the layers on one template.

    Raises:
        SpecError: a layer that fits no buffer, or a run that failed.
    """
    jobs = []
    for c, k, p, q in sizes:
        name = f"3x3 {c}-{k} on {p}x{q}"
        layer = Layer(name, Op.CONV, K=k, C=c, P=p, Q=q, R=3, S=3, padding=(1,) * 4, activation="relu", inputs=("x",))
        workload = Workload(name, (TensorShape("x", 1, c, p, q, 8),), (layer,))
        schedule = schedule_network(design(workload, template))
        if isinstance(schedule, Infeasible):
            raise SpecError(Fault(name, str(schedule)))
        jobs.append(Job(schedule, quantized(workload, seed), inputs(workload, seed + 1)))
    found = []
    for job, report in zip(jobs, simulate_jobs(jobs), strict=True):
        name = job.schedule.workload.name
        exact = np.array_equal(report.outputs[name], reference(job.network, job.inputs)[name])
        cycles, account = report.layers[0].cycles, report.layers[0].account
        after = report.predicted_cycles - report.layers[0].predicted_cycles  # until everything has come to rest
        found.append(
            Busy(
                layer=name,
                array=str(template.array),
                cycles=cycles,
                predicted_cycles=report.layers[0].predicted_cycles,
                bit_exact=exact,
                utilization=account.mac_cycles / cycles,
                account=replace(account, last_store_cycles=account.last_store_cycles - after),
            )
        )
    return found


def main() -> int:
    """The exit status is 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", default=",".join(ArrayKind))
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--cols", type=int, default=16)
    parser.add_argument("--channels", type=int, help="one layer of so many channels in and out, with --size")
    parser.add_argument("--size", type=int, default=28, help="its rows and columns")
    parser.add_argument("--ppu-lanes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    layers = LAYERS
    if options.channels:
        layers = ((options.channels, options.channels, options.size, options.size),)
    rows: list[Busy] = []
    try:
        for array in read_names(options.arrays, "--arrays", "array", list(ArrayKind)):
            template = Template(ArrayKind(array), options.rows, options.cols, ppu_lanes=options.ppu_lanes)
            rows += measure(template, layers, options.seed)
    except SpecError as error:
        print(f"rtl_utilisation: {error}", file=sys.stderr)
        return 2
    met = all(row.met for row in rows)
    if options.json:
        print(json.dumps({"target": TARGET, "met": met, "layers": [{**asdict(row), "met": row.met} for row in rows]}))
        return int(not met)
    parts = [item.name for item in fields(CycleAccount) if any(getattr(row.account, item.name) for row in rows)][1:]
    titles = [part.removesuffix("_cycles").replace("_", " ") for part in parts]
    table = Table("layer", "array", "cycles", "exact", "busy", *titles)
    for row in rows:
        shares = [f"{getattr(row.account, part) / row.cycles:.2%}" for part in parts]
        exact = "yes" if row.bit_exact and row.cycles == row.predicted_cycles else "NO"
        table.add_row(row.layer, row.array, f"{row.cycles:,}", exact, f"{row.utilization:.2%}", *shares)
    table_console().print(table)
    print(f"target: PEs at least {TARGET:.0%} busy, bit-exact, in the predicted cycles:", "met" if met else "MISSED")
    return int(not met)


if __name__ == "__main__":
    raise SystemExit(main())
