"""Ranks networks by predicted latency on a deep-learning processor (DPU) and compares with boards' measurements.

    python benchmarks/dpu_rank.py [--data FILE] [--board zcu102|vck190] [--json]

FILE is a CSV with a row a network of the MnasNet space: ``e k l se`` (seven settings joined by dashes), perhaps
``macs`` and ``params`` in millions, and ``latency_BOARD`` in ms or ``throughput_BOARD`` for one board or more (or
``latency``, ``throughput`` for one). Networks without a figure are left out. A board is ranked by its own description
where its name is in the column or the file name, or given by ``--board``; any other by the geometric mean of all.
Throughputs count only where there is no latency: those of several images at a time are a weaker truth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import kendalltau, spearmanr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.published.dpu import BOARDS, Dpu
from benchmarks.common import Figure, reference_dir, show
from mappings.errors import Fault, SpecError
from mappings.networks.mnasnet import MnasNet

Floats = NDArray[np.float64]

TARGET_SPEARMAN = 0.93
#: The board whose measurements the fitted figures come from: only there are milliseconds comparable.
FITTED_ON = "zcu102"
#: What each of a description's terms is priced by; a term that is published has the price 1.
FITTED: tuple[tuple[str, Callable[[Dpu], float]], ...] = (
    ("engines and image ports", lambda machine: 1.0),
    ("DRAM bandwidth", lambda machine: 1 / machine.dram_bytes_per_cycle),
    ("begin of a DRAM run", lambda machine: machine.run_cycles),
    ("a sigmoid's channel", lambda machine: machine.excitation_cycles),
    ("start of a layer", lambda machine: machine.layer_cycles),
    ("start of a network", lambda machine: machine.start_cycles),
)


@dataclass(frozen=True)
class Column:
    """One board's measurements.

    Attributes:
        name: of the column.
        board: as the column or the file calls it, "" where neither does.
        machine: name of the description that ranks it; "" for the mean of all.
        reciprocal: whether it holds throughputs.
    """

    name: str
    board: str
    machine: str
    reciprocal: bool


def columns(table: pd.DataFrame, file: str = "", board: str = "") -> list[Column]:
    """The measurements of a table that are to be ranked.

    Args:
        table: the rows.
        file: its name, which may tell the board.
        board: name of the description for all of them; "" to tell it from the names.
    """
    found: dict[bool, list[Column]] = {False: [], True: []}
    for name in map(str, table.columns):
        what, _, which = name.lower().partition("_")
        if what not in ("latency", "throughput"):
            continue
        which = "" if which in ("ms", "fps", "s") else which
        told = [known for known in BOARDS if known in (which or file.lower())]
        machine = board or (told[0] if len(told) == 1 else "")
        found[what == "throughput"].append(Column(name, which or machine, machine, what == "throughput"))
    throughputs = found[True]
    if not board and any(column.machine for column in throughputs):  # not the graphics processors beside them
        throughputs = [column for column in throughputs if column.machine]
    return found[False] or throughputs


def networks(table: pd.DataFrame) -> Iterator[MnasNet]:
    """The networks of the rows."""
    for row in table.itertuples():
        yield MnasNet.parse(str(row.e), str(row.k), str(row.l), str(row.se))


def terms(machine: Dpu, network: MnasNet) -> list[float]:
    """What the latency of a network is a sum of: cycles that are published, and what ``FITTED`` prices."""
    works = [machine.work_of(layer) for layer in network.workload().layers]
    return [
        sum(machine.published_cycles(work) for work in works),
        sum(work.weight_bytes + work.spilled_bytes for work in works),
        sum(work.spilled_runs for work in works),
        sum(work.excited_channels for work in works),
        len(works),
        1,
    ]


def prices(machine: Dpu) -> Floats:
    """Cycles of one unit of each of the terms."""
    return np.array([price(machine) for _, price in FITTED])


def cross_validated(rows: Floats, measured: Floats) -> tuple[float, float]:
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
        ranks.append(rank(predicted, measured[~fit]))
        errors.append(float(np.mean(np.abs(predicted / measured[~fit] - 1))))
    return min(ranks), max(errors)


def rank(predicted: Floats, measured: Floats) -> float:
    """Spearman's correlation."""
    return float(spearmanr(predicted, measured).statistic)


def least_rank(rows: Floats, priced: Floats, measured: Floats, trials: int = 200) -> float:
    """The lowest rank correlation where every price is wrong at once by some factor from a half to two."""
    factors = 2 ** np.random.default_rng(0).uniform(-1, 1, (trials, len(priced)))
    return min(rank(rows @ (priced * factor), measured) for factor in factors)


def figures(table: pd.DataFrame, file: str = "", board: str = "") -> list[Figure]:
    """What the command prints.

    Args:
        table: the rows.
        file: its name, which may tell the board.
        board: name of the description for all boards; "" to tell it from the names.

    Raises:
        SpecError: no column of latencies or throughputs, or settings that are no network.
    """
    chosen = columns(table, file, board)
    if not chosen:
        raise SpecError(Fault("the table", "has no measurements", "a column latency_BOARD or throughput_BOARD"))
    nets = list(networks(table))
    rows = {name: np.array([terms(machine, network) for network in nets]) for name, machine in BOARDS.items()}
    latency_ms = {name: rows[name] @ prices(machine) / machine.clock_hz * 1e3 for name, machine in BOARDS.items()}
    latency_ms[""] = np.exp(np.mean([np.log(one) for one in latency_ms.values()], axis=0))
    out = [Figure("networks", len(table), "some", len(table) > 0)]
    if "params" in table:
        given = table["params"]
        wrong = sum(abs(net.parameters - 1e6 * params) > 0.5 for net, params in zip(nets, given, strict=True))
        out.append(Figure("networks whose number of parameters differs", wrong, "0", wrong == 0))
    out.append(Figure("rank correlation of the two descriptions", rank(latency_ms["zcu102"], latency_ms["vck190"])))
    for column in chosen:
        out += _column_figures(table, column, rows, latency_ms)
    return out


def _column_figures(
    table: pd.DataFrame, column: Column, rows: dict[str, Floats], latency_ms: dict[str, Floats]
) -> list[Figure]:
    values = pd.to_numeric(table[column.name], errors="coerce").to_numpy(dtype=float)
    known = np.isfinite(values) & (values > 0)
    measured = 1 / values[known] if column.reciprocal else values[known]
    guess = latency_ms[column.machine][known]
    what = "1 / throughput" if column.reciprocal else "latency"
    spot = column.board or column.name
    out = [
        Figure(f"{spot}: networks with a figure", int(known.sum()), "2 or more", int(known.sum()) >= 2),
        Figure(f"{spot}: description", BOARDS[column.machine].name if column.machine else "mean of all"),
    ]
    if known.sum() < 2:
        return out
    found = rank(guess, measured)
    macs = f"MACs alone: {rank(table['macs'].to_numpy(dtype=float)[known], measured):.3f}" if "macs" in table else ""
    name = f"{spot}: Spearman of predicted latency and measured {what}"
    out += [
        Figure(name, found, f">= {TARGET_SPEARMAN}", found >= TARGET_SPEARMAN, macs),
        Figure(f"{spot}: Kendall", float(kendalltau(guess, measured).statistic)),
    ]
    if column.machine:
        machine = BOARDS[column.machine]
        worst = least_rank(rows[column.machine][known], prices(machine), measured)
        out.append(Figure(f"{spot}: Spearman, least of 200 with all figures wrong by up to 2x", worst))
    if column.machine == FITTED_ON and not column.reciprocal:
        error = np.abs(guess / measured - 1)
        out.append(Figure(f"{spot}: mean absolute error of latency (%)", 100 * float(error.mean())))
        out.append(Figure(f"{spot}: largest error of latency (%)", 100 * float(error.max())))
        if known.sum() >= 20:
            cycles = measured * machine.clock_hz / 1e3
            half_rank, half_error = cross_validated(rows[column.machine][known], cycles)
            out.append(Figure(f"{spot}: Spearman, figures refitted on the other half", half_rank))
            out.append(Figure(f"{spot}: mean error (%), refitted on the other half", 100 * half_error))
    return out


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="CSV file, compressed or not")
    parser.add_argument("--board", choices=sorted(BOARDS), default="", help="description to rank by")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = arguments.data or reference_dir() / "fpga" / "accel_nasbench_zcu102.csv.gz"
    if not data.is_file():
        parser.error(f"no file {data}")
    try:
        table = pd.read_csv(data)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        parser.error(f"{data} cannot be read: {error}")
    table = table.rename(columns={name: str(name).strip() for name in table.columns})
    missing = [name for name in ("e", "k", "l", "se") if name not in table]
    if missing:
        parser.error(f"{data} lacks the columns {', '.join(missing)}")
    try:
        return show("dpu_rank", figures(table, data.name, arguments.board), arguments.json)
    except SpecError as error:
        parser.error(f"{data}: {error}")


if __name__ == "__main__":
    sys.exit(main())
