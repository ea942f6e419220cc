"""FPGA resources of other families than 7 series: the estimate against synthesis of modules and whole accelerators.

    python -m benchmarks.resources_families --target ecp5   # synthesises what is not kept; an hour
    python -m benchmarks.resources_families --target ecp5 --kept  # on what is kept alone, and on the table

The table has the digest of each row's sources; a row of older sources is not judged. Modules that 7 series' estimate is
off at (arrays, post-processing) are what the terms were found from; of whole accelerators only weight stationary 4x4.
DSP and BRAM36 have to be exact, look-up tables and flip-flops within 15 %, never more than 2 % too few.
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
from benchmarks.common import Figure, show
from benchmarks.resources import RESOURCES, sources, spelled
from mappings.errors import SpecError
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


def judge(target: str, template: Template, taken: Taken) -> list[Figure]:
    """One whole accelerator: estimated over synthesised, resource by resource."""
    family = FAMILIES[target]
    guess = dict(estimate(template, family).as_pairs())
    found = {
        "DSP": taken.dsp,
        "BRAM36": -(-taken.bram18 // family.blocks36),
        "LUT": taken.lut,
        "FF": taken.ff,
    }
    figures = []
    for name, count in found.items():
        error, exact = guess[name] / count - 1, name in ("DSP", "BRAM36")
        label = f"{template.array} {template.rows}x{template.cols}: {name}, relative error"
        met = error == 0 if exact else -0.02 <= error <= 0.15
        aim = "exact" if exact else "-2 % to 15 %"
        figures.append(Figure(label, error, aim, met, f"{guess[name]:,} for {count:,}"))
    return figures


def main() -> int:
    """Collects, and judges what is estimated of whole accelerators by what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=FAMILIES, default="ecp5")
    parser.add_argument("--kept", action="store_true", help="use kept results alone; synthesise nothing")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    table, figures = read_table(), list[Figure]()
    try:
        for part, template in cases():
            place = args.target, part, spelled(template)
            taken = measured(template, part, args.target, run=not args.kept)
            if taken is not None:
                table[place] = sources(part, template), taken
                write_table(table)
            row = table.get(place)
            if part == WHOLE and row is not None and row[0] == sources(part, template):
                figures += judge(args.target, template, row[1])
    except SpecError as error:
        print(f"resources_families: {error}", file=sys.stderr)
        return 2
    judged = Figure(
        "whole accelerators of the sources as they are", len(figures) // len(RESOURCES), "1 or more", bool(figures)
    )
    return show(f"Resources on {args.target}, estimated and synthesised (Yosys)", [judged, *figures], args.json)


if __name__ == "__main__":
    sys.exit(main())
