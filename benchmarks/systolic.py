"""Compute cycles of the systolic dataflows against SCALE-Sim's, row by row.

    python benchmarks/systolic.py [--data FILE] [--json]

Groups of a convolution run one after another, each as a matrix product of its own.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.published.systolic import systolic_cycles
from benchmarks.common import Figure, reference_dir, show
from mappings.layer import Layer, Op


def predicted(row: Mapping[str, str]) -> int:
    """Our cycles for one row of the reference file."""
    number = {key: int(row[key]) for key in ("OH", "OW", "FH", "FW", "C", "K", "stride", "groups")}
    groups = number["groups"]
    layer = Layer(
        row["layer"],
        Op.CONV,
        K=number["K"] // groups,
        C=number["C"] // groups,
        P=number["OH"],
        Q=number["OW"],
        R=number["FH"],
        S=number["FW"],
        groups=groups,
        stride=(number["stride"], number["stride"]),
    )
    rows, cols = (int(part) for part in row["array"].split("x"))
    return groups * systolic_cycles(layer, row["dataflow"], rows, cols).total


def compare(path: Path) -> list[Figure]:
    """Every row of a file of the reference's form."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = []
    for row in rows:
        mine = predicted(row)
        if mine != int(row["compute_cycles"]):
            wrong.append(
                f"{row['net']} {row['layer']} {row['array']} {row['dataflow']}: {mine}, not {row['compute_cycles']}"
            )
    for text in wrong[:10]:
        print(text, file=sys.stderr)
    return [
        Figure("rows", len(rows), "some", bool(rows)),
        Figure("rows equal to SCALE-Sim", len(rows) - len(wrong), "all", not wrong),
    ]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="a CSV file of the reference's form")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    data = arguments.data or reference_dir() / "systolic" / "scalesim_compute_cycles.csv"
    if not data.is_file():
        parser.error(f"no file {data}")
    return show("systolic", compare(data), arguments.json)


if __name__ == "__main__":
    sys.exit(main())
