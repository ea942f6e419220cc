"""Each recipe of a published method in its reduced form: the figure that shows that its own mechanism worked.

    python -m benchmarks.recipes [--only NAME ...] [--seed 0] [--size 1] [--table nb201.csv.gz] [--record] [--json]

``--size`` is how many times as many proposals each run makes as the reduced form says; the mechanisms' own comparisons
keep theirs. One line a recipe, beside random search at the same budget. "ahead" is the chance that a proposal of the
second half is better than one of random search by the recipe's own goal; below 0.6, or where that could be luck (p >=
0.01), or where the mechanism's own figure is not as it must be, the line has failed and so has the command. Accuracies
are those of NAS-Bench-201 (``--table``), or a classifier's on the features of untrained networks (8 x 8 digits).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder
# Small matrices: threads would wait for one another.
os.environ |= {name: os.environ.get(name, "1") for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}

from rich.table import Table

from benchmarks.common import reference_dir, table_console
from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_mechanisms import MECHANISMS
from codesign.reports.recipes_page import FIGURES, read_figures
from mappings.errors import SpecError

#: Values of --size: with fewer proposals halves of a run are too few to be compared.
LEAST_SIZE, MOST_SIZE = 0.25, 100.0


def shown(lines: list[Line], as_json: bool) -> int:
    """Prints them; 1 where one has failed."""
    failed = any(not line.met for line in lines)
    if as_json:
        told = [{key: plain(value) for key, value in asdict(line).items()} for line in lines]
        print(json.dumps({"benchmark": "recipes", "met": not failed, "lines": told}))
        return int(failed)
    table = Table("recipe", "its mechanism", "best", "random", "ahead", "", "s", title="published methods, reduced")
    for line in lines:
        mark = "met" if line.met else "MISSED"
        best, random = (f"{value:.4g}" for value in (line.best, line.random_best))
        table.add_row(line.recipe, line.mechanism, best, random, f"{line.ahead:.2f}", mark, f"{line.seconds:.0f}")
    table_console().print(table)
    return int(failed)


def plain(value: object) -> object:
    """A value as JSON holds it: no figure where there is no number."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def share(text: str) -> float:
    """The value of --size.

    Raises:
        argparse.ArgumentTypeError: none that a run can be made of.
    """
    try:
        if LEAST_SIZE <= (value := float(text)) <= MOST_SIZE:
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"is {text} (allowed: a number from {LEAST_SIZE} to {MOST_SIZE})")


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=sorted(MECHANISMS), help="recipes (all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=share, default=1.0, help="share of a reduced form's proposals that are made")
    parser.add_argument("--table", help="accuracies of NAS-Bench-201 (CODESIGN_REFERENCE_DIR/nas/...)")
    parser.add_argument("--record", action="store_true", help="write the lines for docs/recipes.md")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.record and options.size != 1.0:
        parser.error("--record: lines are of --size 1")
    table = options.table or str(reference_dir() / "nas" / "nb201_accuracy_hw.csv.gz")
    lines = []
    for name in options.only or sorted(MECHANISMS):
        started = time.monotonic()
        bench = Bench(name, options.seed, table, options.size)
        try:
            line = MECHANISMS[name](bench)
        except SpecError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        lines.append(Line(**{**asdict(line), "seconds": time.monotonic() - started}))
        if not options.json:
            print(f"{name}: {line.mechanism}", file=sys.stderr)
        if options.record:
            record(lines[-1])
    return shown(lines, options.json)


def record(line: Line) -> None:
    """Puts a line among those that docs/recipes.md shows."""
    known = read_figures(FIGURES)
    plain = {key: value for key, value in asdict(line).items() if key != "seconds"}
    known[line.recipe] = plain
    FIGURES.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
