"""FPGA resources of other families than 7 series: the estimate against synthesis of modules and whole accelerators.

    python -m benchmarks.resources_families --target ecp5   # synthesises what is not kept; an hour
    python -m benchmarks.resources_families --target ecp5 --kept  # on what is kept alone, and on the table

The table has the digest of each row's sources; a row of older sources is not judged. Modules that 7 series' estimate is
off at (arrays, post-processing) are what the terms were found from; of whole accelerators only weight stationary 4x4.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.template.families import FAMILIES
from accel_models.template.resources import estimate
from accel_models.template.spec import ArrayKind, Template
from benchmarks.resources import RESOURCES, sources, spelled
from rtl_templates.synth.fpga import Taken
from rtl_templates.synth.measure import WHOLE, measured

TABLE = Path(__file__).parent / "data" / "resources_families.csv"
Place = tuple[str, str, str]  #: target, part, parameters


def cases() -> Iterator[tuple[str, Template]]:
    """Parts and templates."""
    small, wide = Template(rows=4, cols=4), Template(rows=4, cols=4, act_bits=16, weight_bits=16, acc_bits=48)
    yield from ((WHOLE, Template(rows=size, cols=size)) for size in (4, 8))
    yield from (("PE array", Template(array=array, rows=4, cols=4)) for array in ArrayKind)
    yield from ((part, small) for part in ("drain", "vector unit", "control", "accumulators", "load", "store"))
    yield from ((part, wide) for part in ("PE array", "drain", "vector unit"))
    yield "drain", Template(rows=4, cols=4, ppu_lanes=1)
    yield "vector unit", Template(rows=4, cols=4, vector_taps=3)


def read_table() -> dict[Place, tuple[str, Taken]]:
    """Digest of the sources and resources of each row."""
    if not TABLE.exists():
        return {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {
            (row["target"], row["part"], row["template"]): (row["sources"], Taken(*(int(row[n]) for n in RESOURCES)))
            for row in csv.DictReader(file)
        }


def write_table(table: dict[Place, tuple[str, Taken]]) -> None:
    """Writes every row, whole or not at all."""
    fresh = TABLE.with_suffix(".part")
    with fresh.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["target", "part", "template", "sources", *RESOURCES])
        for place, (digest, taken) in sorted(table.items()):
            out.writerow([*place, digest, taken.dsp, taken.bram18, taken.lut, taken.ff])
    fresh.replace(TABLE)


def main() -> int:
    """Collects, and prints found beside estimated of whole accelerators."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=FAMILIES, default="ecp5")
    parser.add_argument("--kept", action="store_true", help="use kept results alone; synthesise nothing")
    args = parser.parse_args()
    table, family = read_table(), FAMILIES[args.target]
    for part, template in cases():
        place = args.target, part, spelled(template)
        taken = measured(template, part, args.target, run=not args.kept)
        if taken is not None:
            table[place] = sources(part, template), taken
            write_table(table)
        row = table.get(place)
        if part == WHOLE and row is not None and row[0] == sources(part, template):
            guess, found = estimate(template, family), row[1]
            print(place, "found:", found, "estimated:", dict(guess.as_pairs()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
