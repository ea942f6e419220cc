"""Compares the ``maestro`` semantics with results of MAESTRO itself, cell by cell.

    python benchmarks/maestro_parity.py [--data FOLDER] [--json]

FOLDER holds ``INDEX.csv`` and ``cases/CASE/{mapping.m, hw.hw, result.csv.gz}``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.published.maestro import MaestroReport, maestro_cost
from accel_models.report import Infeasible
from benchmarks.common import Figure, reference_dir, show
from mappings.errors import SpecError

PEER_LAYERS_PER_SECOND = "MAESTRO: 1,800 to 5,000"


@dataclass
class Tally:
    """Counts over all cases.

    Attributes:
        cases, layers, cells: compared.
        mismatches: cells that differ, rows that are missing or too many included.
        identical_files: results equal byte for byte.
        failing: cases on which MAESTRO fails.
        refused: those of them that are refused.
        wrongly_refused: cases on which only this model fails.
        seconds: spent in reading the inputs, the model and the CSV text.
        examples: the first differences, in words.
    """

    cases: int = 0
    layers: int = 0
    cells: int = 0
    mismatches: int = 0
    identical_files: int = 0
    failing: int = 0
    refused: int = 0
    wrongly_refused: int = 0
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)

    def example(self, text: str) -> None:
        """Keeps the first few differences."""
        if len(self.examples) < 10:
            self.examples.append(text)


def run_case(folder: Path, simd_lanes: int) -> MaestroReport | str:
    """The report of one case, or the message of its refusal."""
    try:
        outcome = maestro_cost(folder / "mapping.m", folder / "hw.hw", simd_lanes)
    except SpecError as error:
        return str(error)
    return str(outcome) if isinstance(outcome, Infeasible) else outcome


def compare_text(case: str, expected: str, found: str, tally: Tally) -> None:
    """Compares two CSV files cell by cell, spaces around cells aside."""
    tally.identical_files += expected == found
    wanted = [[cell.strip() for cell in line.split(",")] for line in expected.splitlines()]
    given = [[cell.strip() for cell in line.split(",")] for line in found.splitlines()]
    tally.layers += len(wanted) - 1
    tally.cells += sum(len(cells) for cells in wanted[1:])
    if len(wanted) != len(given):
        tally.mismatches += 52 * abs(len(wanted) - len(given))
        tally.example(f"{case}: {len(given) - 1} layers instead of {len(wanted) - 1}")
    for want, have in zip(wanted, given, strict=False):
        tally.mismatches += abs(len(want) - len(have))
        for name, cell, other in zip(wanted[0], want, have, strict=False):
            if cell != other:
                tally.mismatches += 1
                tally.example(f"{case} {want[1]}: {name} is {other}, MAESTRO has {cell}")


def compare(data: Path, every: int = 1) -> Tally:
    """Runs the cases of a folder.

    Args:
        data: the folder.
        every: take each so-many-th case only.
    """
    tally = Tally()
    with (data / "INDEX.csv").open(encoding="utf-8", newline="") as file:
        entries = list(csv.DictReader(file))[::every]
    for entry in entries:
        case = entry["case_id"]
        folder = data / "cases" / case
        tally.cases += 1
        start = time.perf_counter()
        outcome = run_case(folder, int(entry["simd_lanes"]))
        text = outcome.csv if isinstance(outcome, MaestroReport) else ""
        tally.seconds += time.perf_counter() - start
        if entry["exit_code"] != "0":
            tally.failing += 1
            if isinstance(outcome, str) and outcome:
                tally.refused += 1
            else:
                tally.example(f"{case}: not refused; MAESTRO: {entry['error']}")
        elif isinstance(outcome, str):
            tally.wrongly_refused += 1
            tally.example(f"{case}: refused: {outcome[:200]}")
        else:
            with gzip.open(folder / "result.csv.gz", "rt", encoding="utf-8") as file:
                compare_text(case, file.read(), text, tally)
    return tally


def figures(tally: Tally) -> list[Figure]:
    """What the command prints."""
    return [
        Figure("cases", tally.cases, "some", tally.cases > 0),
        Figure("layers compared", tally.layers, "some", tally.layers > 0),
        Figure("cells compared", tally.cells),
        Figure("cells that differ", tally.mismatches, "0", tally.mismatches == 0),
        Figure("result files equal byte for byte", tally.identical_files),
        Figure("cases refused though MAESTRO runs them", tally.wrongly_refused, "0", tally.wrongly_refused == 0),
        Figure("cases on which MAESTRO fails", tally.failing),
        Figure("of these, refused with a message", tally.refused, "all", tally.refused == tally.failing),
        Figure(
            "layers/s, reading and writing included, equal layers of a file costed once",
            tally.layers / tally.seconds,
            peer=PEER_LAYERS_PER_SECOND,
        ),
    ]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="folder with INDEX.csv and cases/")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = arguments.data or reference_dir() / "maestro"
    if not (data / "INDEX.csv").is_file():
        parser.error(f"no INDEX.csv in {data}")
    tally = compare(data)
    for text in tally.examples:
        print(text, file=sys.stderr)
    return show("maestro_parity", figures(tally), arguments.json)


if __name__ == "__main__":
    sys.exit(main())
