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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.counts import count
from accel_models.lower import lower
from accel_models.machines.gemmini import GEMMINI, Gemmini
from accel_models.machines.gemmini_mapping import parse_mapping
from accel_models.nest import Nest
from benchmarks.common import Figure, reference_dir, show
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.mapping import Mapping

Floats = NDArray[np.float64]

TARGET_ERROR = 0.15
TARGET_SPEARMAN = 0.98
TARGET_EQUAL = 0.95
FITTED = ("request_cycles", "line_cycles", "run_cycles", "short_cycles")
#: Words a cycle of DRAM in DOSA's Timeloop description.
TIMELOOP_DRAM_WORDS = 8


def layer_of(row: dict[str, Any], name: str) -> Layer:
    """The layer of a row; its padding is not part of these problems."""
    extents: dict[str, Any] = {dim: int(row[f"prob.{dim}"]) for dim in "NKCPQRS"}
    strides = (int(row["prob.Wstride"]), int(row["prob.Hstride"]))  # P and R run along the width
    dilations = (int(row["prob.Wdilation"]), int(row["prob.Hdilation"]))
    return Layer(name, Op.CONV, stride=strides, dilation=dilations, **extents)


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


@dataclass(frozen=True)
class Point:
    """What the engine's counts say of one of Timeloop's points.

    Attributes:
        cycles: the slowest of array, DRAM, scratchpad and accumulators, as Timeloop takes it.
        accesses: MACs, then accesses to DRAM, to the scratchpad, to the accumulators and to the weight registers.
    """

    cycles: int
    accesses: tuple[int, ...]


def timeloop_point(nest: Nest, scratchpad_words: int) -> Point:
    """Cycles under Timeloop's throughput model, and accesses, from the engine's counts.

    An accumulator has two ports, one busy with the reads and one with the writes of every step; the partial sums that
    come back from DRAM share them.
    """
    counts = count(nest)
    dram, scratchpad, accumulator, register = (
        sum(reads) + sum(writes) for reads, writes in zip(counts.reads, counts.writes, strict=True)
    )
    returning = counts.reads[0][2]
    ports = counts.steps + -(-returning // (2 * counts.units[2]))
    cycles = max(counts.steps, ports, -(-dram // TIMELOOP_DRAM_WORDS), -(-scratchpad // scratchpad_words))
    return Point(cycles, (counts.macs, dram, scratchpad, accumulator, register))


def timeloop_figures(table: pd.DataFrame) -> list[Figure]:
    """What the command prints with ``--timeloop``."""
    machines: dict[int, Gemmini] = {}
    points = []
    for index, row in enumerate(table.to_dict("records")):
        mesh = int(row["arch.meshX"])
        machine = machines.setdefault(mesh, Gemmini(mesh=mesh))
        layer = layer_of(row, f"row {index}")
        nest = lower(layer, parse_mapping(row["mapping.mapping"], layer, mesh, f"row {index}"), machine.accelerator)
        assert isinstance(nest, Nest), nest  # parse_mapping refuses what is wider than the array
        points.append(timeloop_point(nest, int(row["arch.mem2_shared_bandwidth"])))
    cycles = np.array([point.cycles for point in points], dtype=float)
    theirs = table["target.cycle"].to_numpy(dtype=float)
    ratio = cycles / theirs
    near = float(np.mean(np.abs(ratio - 1) <= 1e-3))
    errors = energy_errors(table, np.array([point.accesses for point in points], dtype=float))
    out = [
        Figure("points of Timeloop", len(table), "some", len(table) > 0),
        Figure("cycles equal to Timeloop's (%)", 100 * float(np.mean(cycles == theirs))),
        Figure("cycles within 0.1 % (%)", 100 * near, f">= {100 * TARGET_EQUAL:g}", near >= TARGET_EQUAL),
        Figure("cycles more than 0.1 % above (%)", 100 * float(np.mean(ratio > 1.001))),
        Figure("cycles more than 0.1 % below (%)", 100 * float(np.mean(ratio < 0.999))),
        Figure("Spearman of cycles", float(spearmanr(cycles, theirs).statistic)),
    ]
    if len(errors):
        out += [
            Figure("points whose energy is compared, prices of the accesses fitted on others", len(errors)),
            Figure("their median error of energy (%)", 100 * float(np.median(errors))),
            Figure("their mean error of energy (%)", 100 * float(np.mean(errors))),
        ]
    return out


def energy_errors(table: pd.DataFrame, accesses: Floats) -> Floats:
    """Relative errors of energy as a price times each count, on the rows that the prices were not fitted on.

    Accelergy's prices are not in the table: for each configuration they are found on every other row.
    """
    energy = table["target.energy"].to_numpy(dtype=float)
    columns = [name for name in table if str(name).startswith("arch.")]
    groups = table.groupby(columns, sort=False).ngroup().to_numpy()
    errors = [np.zeros(0)]
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        fit, test = rows[::2], rows[1::2]
        if len(fit) < 2 * accesses.shape[1]:
            continue
        prices, _ = nnls(accesses[fit] / energy[fit, None], np.ones(len(fit)))
        errors.append(np.abs(accesses[test] @ prices / energy[test] - 1))
    return np.concatenate(errors)


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
