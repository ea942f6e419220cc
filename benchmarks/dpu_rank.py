"""Ranks networks by predicted latency on a deep-learning processor (DPU) and compares with boards' measurements.

    python benchmarks/dpu_rank.py [--data FILE] [--json]

FILE is a CSV with a row a network of the MnasNet space: ``e k l se`` (seven settings joined by dashes), ``macs`` and
``params`` in millions, and ``latency_BOARD`` in ms for one board or more; networks without a latency are left out.
The description is that of a ZCU102; other boards are ranked by the same one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import kendalltau, spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.machines.dpu import ZCU102_B4096, Dpu
from benchmarks.common import Figure, reference_dir, show
from mappings.errors import SpecError
from mappings.networks.mnasnet import MnasNet

TARGET_SPEARMAN = 0.93
DESCRIBED = "zcu102"


def networks(table: pd.DataFrame) -> Iterator[MnasNet]:
    """The networks of the rows."""
    for row in table.itertuples():
        yield MnasNet.parse(str(row.e), str(row.k), str(row.l), str(row.se))


def terms(machine: Dpu, network: MnasNet) -> list[float]:
    """What the latency of a network is a sum of: cycles that are published, and what the five fitted figures price."""
    works = [machine.work_of(layer) for layer in network.workload().layers]
    return [
        sum(work.step_cycles + work.map_bytes / (machine.pixels * machine.channels) for work in works),
        sum(work.weight_bytes for work in works),
        sum(work.excited_channels for work in works),
        sum(work.spilled for work in works),
        len(works),
        1,
    ]


def prices(machine: Dpu) -> NDArray[np.float64]:
    """Cycles of one unit of each of the terms."""
    return np.array(
        [
            1.0,
            1 / machine.weight_bytes_per_cycle,
            machine.excitation_cycles,
            machine.spill_cycles,
            machine.layer_cycles,
            machine.run_cycles,
        ]
    )


def cross_validated(rows: NDArray[np.float64], measured: NDArray[np.float64]) -> tuple[float, float]:
    """Rank correlation and mean relative error on each half of the networks when fitted on the other, the worse one.

    Args:
        rows: networks x terms; the first term has the price 1.
        measured: cycles.
    """
    first = np.random.default_rng(0).random(len(measured)) < 0.5
    ranks, errors = [], []
    for fit in (first, ~first):
        weights = 1 / measured[fit]
        found, _ = nnls(rows[fit, 1:] * weights[:, None], 1 - rows[fit, 0] * weights)
        predicted = rows[~fit, 0] + rows[~fit, 1:] @ found
        ranks.append(float(spearmanr(predicted, measured[~fit]).statistic))
        errors.append(float(np.mean(np.abs(predicted / measured[~fit] - 1))))
    return min(ranks), max(errors)


def figures(table: pd.DataFrame, machine: Dpu = ZCU102_B4096) -> list[Figure]:
    """What the command prints."""
    rows = np.array([terms(machine, network) for network in networks(table)])
    predicted = rows @ prices(machine)
    out = [Figure("networks", len(table), "some", len(table) > 0)]
    if "params" in table:
        wrong = sum(
            abs(network.parameters - 1e6 * given) > 0.5
            for network, given in zip(networks(table), table["params"], strict=True)
        )
        out.append(Figure("networks whose number of parameters differs", wrong, "0", wrong == 0))
    boards = [name.removeprefix("latency_") for name in table if str(name).startswith("latency_")]
    out.append(Figure("boards", ", ".join(boards) or "none", "some", bool(boards)))
    for board in boards:
        measured_ms = table[f"latency_{board}"].to_numpy(dtype=float)
        known = np.isfinite(measured_ms)
        measured_ms, guess = measured_ms[known], predicted[known]
        rank = float(spearmanr(guess, measured_ms).statistic)
        macs = float(spearmanr(table["macs"][known], measured_ms).statistic) if "macs" in table else float("nan")
        out += [
            Figure(f"{board}: networks with a latency", int(known.sum())),
            Figure(
                f"{board}: Spearman of predicted and measured latency",
                rank,
                f">= {TARGET_SPEARMAN}",
                rank >= TARGET_SPEARMAN,
                f"MACs alone: {macs:.3f}",
            ),
            Figure(f"{board}: Kendall", float(kendalltau(guess, measured_ms).statistic)),
        ]
        if board == DESCRIBED:
            error = np.abs(guess / machine.clock_hz * 1e3 / measured_ms - 1)
            out.append(Figure(f"{board}: mean absolute error of latency (%)", 100 * float(error.mean())))
            out.append(Figure(f"{board}: largest error of latency (%)", 100 * float(error.max())))
            if known.sum() >= 20:
                half_rank, half_error = cross_validated(rows[known], measured_ms * machine.clock_hz / 1e3)
                out.append(Figure(f"{board}: Spearman, figures refitted on the other half", half_rank))
                out.append(Figure(f"{board}: mean error (%), refitted on the other half", 100 * half_error))
    return out


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="CSV file, compressed or not")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = arguments.data or reference_dir() / "fpga" / "accel_nasbench_zcu102.csv.gz"
    if not data.is_file():
        parser.error(f"no file {data}")
    table = pd.read_csv(data)
    missing = [name for name in ("e", "k", "l", "se") if name not in table]
    if missing:
        parser.error(f"{data} lacks the columns {', '.join(missing)}")
    try:
        return show("dpu_rank", figures(table), arguments.json)
    except SpecError as error:
        parser.error(f"{data}: {error}")


if __name__ == "__main__":
    sys.exit(main())
