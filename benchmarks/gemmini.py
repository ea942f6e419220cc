"""Predicts Gemmini's cycles from layer and mapping, and compares with its RTL under FireSim.

    python benchmarks/gemmini.py [--data FILE] [--json]
    python benchmarks/gemmini.py --timeloop [--every N] [--data FILE] [--json]

FILE is a CSV of DOSA's form: ``prob.*`` (layer), ``mapping.mapping`` and ``target.gemmini_cycle``. With ``--timeloop``
the engine's counts are compared with Timeloop's and Accelergy's results instead (``target.cycle``,
``target.energy``, ``arch.*``), every N-th row.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.published.gemmini import GEMMINI, Gemmini
from accel_models.published.gemmini_mapping import parse_mapping
from benchmarks.common import Figure, reference_dir, show
from benchmarks.timeloop_points import layer_of, timeloop_figures
from mappings.errors import SpecError
from mappings.layer import Layer
from mappings.mapping import Mapping

Floats = NDArray[np.float64]

TARGET_ERROR = 0.15
TARGET_SPEARMAN = 0.98
FITTED = ("request_cycles", "line_cycles", "run_cycles", "short_cycles")


def problems(table: pd.DataFrame, mesh: int) -> list[tuple[Layer, Mapping]]:
    """Layer and mapping of each row."""
    out = []
    for index, row in enumerate(table.to_dict("records")):
        layer = layer_of(row, f"row {index}")
        out.append((layer, parse_mapping(row["mapping.mapping"], layer, mesh, f"row {index}")))
    return out


def refitted(measured: Floats, works: list[Any], chosen: NDArray[np.bool_]) -> Gemmini:
    """The machine with its fitted figures found anew on some of the rows."""
    indices = np.flatnonzero(chosen)

    def machine(figures: Floats) -> Gemmini:
        found: dict[str, Any] = dict(zip(FITTED, map(float, figures), strict=True))
        return replace(GEMMINI, **found)

    def errors(figures: Floats) -> Floats:
        trial = machine(figures)
        return np.array([np.log(trial.total_cycles(works[i]) / measured[i]) for i in indices])

    start = np.array([5.0, 5.0, 10.0, 20.0])
    found = least_squares(errors, start, bounds=(1e-3, 1e3), x_scale=start, loss="soft_l1", f_scale=0.1)
    return machine(found.x)


def firesim_figures(table: pd.DataFrame, machine: Gemmini = GEMMINI, folds: int = 3) -> list[Figure]:
    """What the command prints without ``--timeloop``.

    Args:
        table: the rows.
        machine: the description.
        folds: random halvings of the cross-validation.
    """
    measured = table["target.gemmini_cycle"].to_numpy(dtype=float)
    works = [machine.work(layer, mapping) for layer, mapping in problems(table, machine.mesh)]
    predicted = np.array([machine.total_cycles(work) for work in works])
    error = np.abs(predicted / measured - 1)
    rank = float(spearmanr(predicted, measured).statistic)
    peer_error = peer_rank = ""
    if "target.cycle" in table:
        timeloop = table["target.cycle"].to_numpy(dtype=float)
        peer_error = f"Timeloop: {100 * np.mean(np.abs(timeloop / measured - 1)):.1f}"
        peer_rank = f"Timeloop: {spearmanr(timeloop, measured).statistic:.3f}"
    mean = float(error.mean())
    out = [
        Figure("layers with a mapping", len(table), "some", len(table) > 0),
        Figure(
            "mean absolute error of cycles (%)",
            100 * mean,
            f"<= {100 * TARGET_ERROR:g}",
            mean <= TARGET_ERROR,
            peer_error,
        ),
        Figure("Spearman", rank, f">= {TARGET_SPEARMAN}", rank >= TARGET_SPEARMAN, peer_rank),
        Figure("median error (%)", 100 * float(np.median(error))),
        Figure("largest error (%)", 100 * float(error.max())),
        Figure("predicted / measured, geometric mean", float(np.exp(np.mean(np.log(predicted / measured))))),
    ]
    if len(table) >= 40:
        held_out = []
        for seed in range(folds):
            first = np.random.default_rng(seed).random(len(table)) < 0.5
            for fit in (first, ~first):
                trial = refitted(measured, works, fit)
                held_out += [abs(trial.total_cycles(works[i]) / measured[i] - 1) for i in np.flatnonzero(~fit)]
        apart = float(np.mean(held_out))
        out.append(
            Figure(
                "mean error (%) where the figures are refitted on another half",
                100 * apart,
                f"<= {100 * TARGET_ERROR:g}",
                apart <= TARGET_ERROR,
            )
        )
    return out


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="CSV file, compressed or not")
    parser.add_argument("--timeloop", action="store_true", help="compare counts with Timeloop's points")
    parser.add_argument("--every", type=int, default=10, help="with --timeloop: take each so-many-th row (default 10)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    name = "timeloop_gemmini_72700.csv.xz" if arguments.timeloop else "firesim_111.csv.gz"
    data = arguments.data or reference_dir() / "gemmini_rtl" / name
    if not data.is_file():
        parser.error(f"no file {data}")
    if arguments.every < 1:
        parser.error("--every takes 1 or more")
    table = pd.read_csv(data)
    needed = ["mapping.mapping", "target.cycle" if arguments.timeloop else "target.gemmini_cycle"]
    needed += [f"prob.{dim}" for dim in ("N", "K", "C", "P", "Q", "R", "S")]
    needed += [f"prob.{axis}{what}" for what in ("stride", "dilation") for axis in ("H", "W")]
    if arguments.timeloop:
        needed += ["target.energy", "arch.meshX", "arch.mem2_shared_bandwidth"]
    missing = [column for column in needed if column not in table]
    if missing:
        parser.error(f"{data} lacks the columns {', '.join(missing)}")
    try:
        if arguments.timeloop:
            return show("gemmini_timeloop", timeloop_figures(table.iloc[:: arguments.every]), arguments.json)
        return show("gemmini", firesim_figures(table), arguments.json)
    except SpecError as error:
        parser.error(f"{data}: {error}")


if __name__ == "__main__":
    sys.exit(main())
