"""Standard cells: the area of whole accelerators, memories apart, by the model and by synthesis for real libraries.

    python -m benchmarks.asic                                   # five arrays, three sizes, both libraries: many hours
    python -m benchmarks.asic --sizes 4 --arrays loop_tile --libraries asap7
    python -m benchmarks.asic --kept                            # judge on the table, synthesise nothing
    python -m benchmarks.asic --liberty cells.lib --technology asic_45nm --sizes 4

The libraries are IHP SG13G2 (130 nm) and ASAP7 (7 nm), looked for in ``CODESIGN_REFERENCE_DIR``/liberty. Needs
``pip install pyosys``. Results enter ``data/asic_cells.csv`` as they come, with the digest of their sources.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.hardware.technology import Technology, technology
from accel_models.template.resources import logic_um2
from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import Figure, reference_dir, show
from benchmarks.resources import sources, spelled
from mappings.errors import Fault, SpecError, unknown_name
from rtl_templates.parameters import parameters
from rtl_templates.synth.asic import synthesize_cells
from rtl_templates.synth.measure import TOP, WHOLE

TABLE = Path(__file__).parent / "data" / "asic_cells.csv"
HEAD = ("library", "template", "sources", "area_um2", "sequential_um2")
KIB = 1024


@dataclass(frozen=True)
class Library:
    """Standard cells of an open library.

    Attributes:
        gate, register: its smallest two-input NAND and D flip-flop, and their areas in um2, from its liberty.
        files: its liberty files.
    """

    gate: tuple[str, float]
    register: tuple[str, float]
    files: tuple[str, ...]

    def technology(self) -> Technology:
        """Nangate45's model in these cells: logic and multipliers by the NAND gate, registers by the flip-flop."""
        base = technology("asic_45nm")
        gate = base.value("gate_um2")
        assert gate is not None, "an asic technology models areas"
        scale = self.gate[1] / gate
        found = []
        for name, item in base.coefficients:
            if name in ("gate_um2", "mult_8b_um2", "add_32b_um2"):
                item = replace(item, value=item.value * scale, source=f"{item.source}; by {self.gate[0]}")
            elif name == "register_um2_per_bit":
                item = replace(item, value=self.register[1], source=self.register[0])
            found.append((name, item))
        return replace(base, coefficients=tuple(found))


LIBRARIES = {
    "sg13g2": Library(("sg13g2_nand2_1", 7.2576), ("sg13g2_dfrbp_1", 47.1744), ("sg13g2_typ.lib.gz",)),
    "asap7": Library(
        ("NAND2xp5_ASAP7_75t_R", 0.05832),
        ("DFFHQNx1_ASAP7_75t_R", 0.2916),
        tuple(f"asap7_{part}.lib.gz" for part in ("AO", "INVBUF", "OA", "SEQ", "SIMPLE")),
    ),
}


@dataclass(frozen=True)
class Measured:
    """One accelerator in one library."""

    library: str
    technology: Technology
    template: Template
    area_um2: float
    sequential_um2: float

    @property
    def error(self) -> float:
        """Relative error of the model."""
        guess = logic_um2(self.template, self.technology)
        assert guess is not None, "an asic technology models areas"
        return guess / self.area_um2 - 1


def cases(arrays: Sequence[str], sizes: Sequence[int]) -> list[Template]:
    """Square arrays with small memories; these are not in the cells."""
    return [
        Template(array=ArrayKind(array), rows=n, cols=n, axi_bits=64, dram_bytes_per_cycle=8)
        for n in sizes
        for array in arrays
    ]


def read_table() -> dict[tuple[str, str], dict[str, str]]:
    """Rows by library and parameters."""
    if not TABLE.exists():
        return {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {(row["library"], row["template"]): row for row in csv.DictReader(file)}


def measured(name: str, tech: Technology, files: Sequence[Path], template: Template, run: bool) -> Measured | None:
    """Synthesis of one accelerator; of the table where ``run`` is False, None where it is not there."""
    table, place = read_table(), (name, spelled(template))
    digest = sources(WHOLE, template)
    row = table.get(place)
    if run and (row is None or row["sources"] != digest):
        found = synthesize_cells(TOP, parameters(template), files)
        if found.area_um2 is None:
            raise SpecError(Fault(name, "states no areas", "a liberty with the area of its cells"))
        values = (*place, digest, f"{found.area_um2:.6g}", f"{found.sequential_um2 or 0.0:.6g}")
        row = dict(zip(HEAD, values, strict=True))
        if name in LIBRARIES:
            table[place] = row
            fresh = TABLE.with_suffix(".part")
            with fresh.open("w", encoding="utf-8", newline="") as file:
                out = csv.DictWriter(file, HEAD, lineterminator="\n")
                out.writeheader()
                out.writerows(table.values())
            fresh.replace(TABLE)
    if row is None:
        return None
    return Measured(name, tech, template, float(row["area_um2"]), float(row["sequential_um2"]))


def figures_of(found: Sequence[Measured], asked: int) -> list[Figure]:
    """Errors, library by library."""
    figures = [Figure("accelerators synthesised", len(found), "1 or more", bool(found), f"{asked} asked for")]
    for name in dict.fromkeys(item.library for item in found):
        errors = [item.error for item in found if item.library == name]
        mean = float(np.mean(np.abs(errors)))
        each = ", ".join(
            f"{t.array} {t.rows}x{t.cols} {item.area_um2:,.0f} um2 {item.error:+.1%}"
            for item, t in ((item, item.template) for item in found)
            if item.library == name
        )
        figures.append(Figure(f"{name}: area, mean error", mean, "at most 8 %", mean <= 0.08, each))
    return figures


def main() -> int:
    """Collect and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", default=",".join(ArrayKind), help="templates")
    parser.add_argument("--sizes", default="4,8,16", help="rows and columns")
    parser.add_argument("--libraries", default=",".join(LIBRARIES), help="of those that are known")
    parser.add_argument("--liberty", nargs="+", type=Path, help="a library of your own, in place of them")
    parser.add_argument("--technology", default="", help="that models it: asic_45nm")
    parser.add_argument("--kept", action="store_true", help="the table alone; synthesise nothing")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found: list[Measured | None] = []
    try:
        arrays = args.arrays.split(",")
        for array in arrays:
            if array not in list(ArrayKind):
                raise unknown_name("--arrays", "array", array, list(ArrayKind))
        templates = cases(arrays, [int(size) for size in args.sizes.split(",")])
        if args.liberty:
            chosen = {"given": (technology(args.technology, "--technology"), list(args.liberty))}
        else:
            chosen = {}
            for name in args.libraries.split(","):
                if name not in LIBRARIES:
                    raise unknown_name("--libraries", "library", name, list(LIBRARIES))
                library = LIBRARIES[name]
                chosen[name] = library.technology(), [reference_dir() / "liberty" / file for file in library.files]
        for template in templates:
            for name, (tech, files) in chosen.items():
                found.append(measured(name, tech, files, template, run=not args.kept))
    except SpecError as error:
        print(f"asic: {error}", file=sys.stderr)
        return 2
    kept = [item for item in found if item is not None]
    return show("Cell area of whole accelerators, memories apart", figures_of(kept, len(found)), args.json)


if __name__ == "__main__":
    sys.exit(main())
