"""The clock gate on ECP5-85: what it allows beside what routing reaches, of accelerators drawn at random.

    python -m benchmarks.clocks --designs 4 --seed 1     # routes what is not kept: ten minutes of a core and more each
    python -m benchmarks.clocks --kept                   # judge on the table, route nothing
    python -m benchmarks.clocks --largest 64             # designs of up to 8x8 PEs

The draw is that of ``benchmarks.resources``; of it, what has room on the part at any clock. The gate's clocks
(``accel_models/hardware/data/clocks.yaml``) are of other designs. Needs ``pip install 'codesign[synthesis]'``. Results
enter ``data/clocks_ecp5.csv`` as they come, with the digest of their sources; rows of older sources are not judged on.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.hardware.devices import SMALL_PES, device
from accel_models.program.parameters import parameters
from accel_models.template.resources import fits, highest_hz
from accel_models.template.spec import Template
from benchmarks.common import Figure, show
from benchmarks.resources import sources, spelled
from benchmarks.resources_cases import draw
from mappings.errors import SpecError
from rtl_templates.synth.measure import TOP, WHOLE
from rtl_templates.synth.route import route

PART = "ecp5_85k"
TABLE = Path(__file__).parent / "data" / "clocks_ecp5.csv"
COLUMNS = ("template", "sources", "fmax_hz", "path")
#: Clocks at which gate and routing are both asked.
ASKED_MHZ = range(40, 161, 5)


@dataclass(frozen=True)
class Case:
    """One accelerator: what the gate allows, what routing reached, in Hz."""

    template: Template
    allowed_hz: float
    routed_hz: float

    @property
    def error(self) -> float:
        """Relative error of what the gate takes the accelerator to reach."""
        return self.allowed_hz / self.routed_hz - 1

    def __str__(self) -> str:
        size = f"{self.template.rows}x{self.template.cols}"
        return f"{self.template.array} {size} {self.routed_hz / 1e6:.1f} MHz {self.error:+.1%}"


def drawn(seed: int, largest: int) -> Iterator[Template]:
    """Accelerators of at most so many PEs that have room on the part, without end."""
    done = 0
    for some in count(50, 50):
        for template in draw(some, seed)[done:]:
            if template.rows * template.cols <= largest and not fits(replace(template, clock_hz=1), PART):
                yield template
        done = some


def read_table() -> dict[str, dict[str, str]]:
    """Rows by parameters."""
    if not TABLE.exists():
        return {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["template"]: row for row in csv.DictReader(file)}


def measured(template: Template, run: bool) -> Case | None:
    """One accelerator, routed; of the table where ``run`` is False, None where it is not there.

    Raises:
        SpecError: a tool is missing, or the part has no room.
    """
    place, digest, table = spelled(template), sources(WHOLE, template), read_table()
    row = table.get(place)
    if run and (row is None or row["sources"] != digest):
        found = route(TOP, parameters(template), "ecp5", PART)
        row = dict(zip(COLUMNS, (place, digest, f"{found.fmax_hz:.6g}", found.path), strict=True))
        fresh = TABLE.with_suffix(".part")
        with fresh.open("w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            out.writeheader()
            out.writerows({**table, place: row}.values())
        fresh.replace(TABLE)
    if row is None or row["sources"] != digest:
        return None
    allowed = highest_hz(template, device(PART))
    assert allowed is not None, "the part's family has clocks"
    return Case(template, allowed, float(row["fmax_hz"]))


def figures_of(cases: Sequence[Case], asked: int) -> list[Figure]:
    """How far off the gate is, and how much of what routing refuses it refuses."""
    figures = [Figure("designs routed", len(cases), "1 or more", len(cases) > 0, f"{asked} asked for")]
    if not cases:
        return figures
    mean = float(np.mean([abs(case.error) for case in cases]))
    each = ", ".join(map(str, cases))
    figures.append(Figure("Fmax: mean error", mean, "at most 12 %", mean <= 0.12, each))
    pairs = [(case, mhz * 1e6) for case in cases for mhz in ASKED_MHZ]
    slow = [(case, hz) for case, hz in pairs if hz > case.routed_hz]
    both = sum(hz > case.allowed_hz for case, hz in slow)
    if slow:
        peer = f"{both} of {len(slow)} pairs of a design and a clock"
        share = both / len(slow)
        figures.append(Figure("refused by routing: refused by the gate", share, "at least 95 %", share >= 0.95, peer))
    return figures


def main() -> int:
    """Route, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=4, help="drawn; more of a seed begin with the fewer")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--largest", type=int, default=SMALL_PES, help="most PEs of a design (a 4x4's)")
    parser.add_argument("--kept", action="store_true", help="the table alone; route nothing")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.designs < 1:
        parser.error(f"argument --designs: is {args.designs}, at least 1 is needed")
    if args.largest < SMALL_PES:
        parser.error(f"argument --largest: is {args.largest}, the smallest design has {SMALL_PES}")
    try:
        chosen = list(islice(drawn(args.seed, args.largest), args.designs))
        found = [measured(template, run=not args.kept) for template in chosen]
    except SpecError as error:
        print(f"clocks: {error}", file=sys.stderr)
        return 2
    known = [case for case in found if case is not None]
    return show("Clocks on ECP5-85, speed grade 6, allowed and routed", figures_of(known, len(found)), args.json)


if __name__ == "__main__":
    sys.exit(main())
