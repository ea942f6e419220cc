"""Standard cells: the area of whole accelerators, memories apart, by the model and by synthesis for real libraries.

    python -m benchmarks.asic                                   # five arrays, three sizes, both libraries: many hours
    python -m benchmarks.asic --sizes 4 --arrays loop_tile --libraries asap7
    python -m benchmarks.asic --kept                            # judge on the table, synthesise nothing
    python -m benchmarks.asic --liberty cells.lib --technology asic_45nm --sizes 4
    python -m benchmarks.asic --fit [--kept]                    # and fit the model to modules alone in SG13G2 (an hour)

The libraries are IHP SG13G2 (130 nm) and ASAP7 (7 nm), looked for in ``CODESIGN_REFERENCE_DIR``/liberty. Needs
``pip install pyosys``. Results enter ``data/asic_cells.csv`` as they come, with the digest of their sources.

The terms of the parts are fitted to modules alone in SG13G2 (``data/asic_modules.csv``), of arrays up to 256 PEs; what
flattening leaves is fitted to the whole accelerators in SG13G2 of the first size. The other sizes, and all of ASAP7,
are judged.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from scipy.optimize import nnls

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.hardware.technology import Technology, technology
from accel_models.program.parameters import parameters
from accel_models.template import cells, fabric
from accel_models.template.resources import logic_um2, part_registers, stored
from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import Figure, read_names, read_numbers, reference_dir, show
from benchmarks.resources import fit_terms, sources, spelled
from benchmarks.resources_cases import module_cases
from mappings.errors import Fault, SpecError
from mappings.yamlio import load_yaml
from rtl_templates.synth.asic import synthesize_cells
from rtl_templates.synth.measure import TOP, WHOLE, module_of
from rtl_templates.synth.yosys import yosys_version

TABLE = Path(__file__).parent / "data" / "asic_cells.csv"
HEAD = ("library", "template", "sources", "area_um2", "sequential_um2")
MODULES = Path(__file__).parent / "data" / "asic_modules.csv"
MODULES_HEAD = ("part", "template", "sources", "gates", "flops")
#: The library of the fit, and most PEs of an array alone in it.
FITTED, MOST_PES = "sg13g2", 256
#: Weight of "flattening saves nothing" in the fit, in designs.
PULL = 0.5


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
            write_rows(TABLE, HEAD, list(table.values()))
    if row is None:
        return None
    return Measured(name, tech, template, float(row["area_um2"]), float(row["sequential_um2"]))


def write_rows(path: Path, head: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    """Writes a table, whole or not at all."""
    fresh = path.with_suffix(".part")
    with fresh.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, head, lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
    fresh.replace(path)


def modules(run: bool) -> list[tuple[str, Template, float, float]]:
    """(part, accelerator that has it, gates, flip-flops) of the modules alone; of the table where ``run`` is False."""
    rows = {}
    if MODULES.exists():
        with MODULES.open(encoding="utf-8", newline="") as file:
            rows = {(row["part"], row["template"]): row for row in csv.DictReader(file)}
    library, found = LIBRARIES[FITTED], []
    files = [reference_dir() / "liberty" / file for file in library.files]
    for part, template in module_cases():
        if template.rows * template.cols > MOST_PES and part == "PE array":
            continue
        place, digest = (part, spelled(template)), sources(part, template)
        row = rows.get(place)
        if run and (row is None or row["sources"] != digest):
            taken = synthesize_cells(*module_of(template, part), files)
            held = taken.sequential_um2 or 0.0
            gates, flops = ((taken.area_um2 or 0.0) - held) / library.gate[1], held / library.register[1]
            row = dict(zip(MODULES_HEAD, (*place, digest, f"{gates:.0f}", f"{flops:.0f}"), strict=True))
            rows[place] = row
            write_rows(MODULES, MODULES_HEAD, list(rows.values()))
        if row is not None:
            found.append((part, template, float(row["gates"]), float(row["flops"])))
    return found


def fit(alone: Sequence[tuple[str, Template, float, float]], whole: Sequence[Measured], command: str) -> None:
    """Fits the parts to modules alone and what flattening leaves to whole accelerators; writes the data file."""
    tool = f"our synthesis with Yosys {yosys_version()} and abc, {FITTED}"
    known = load_yaml(cells.DATA)
    data: dict[str, object] = {
        "source": f"{tool}; {len(alone)} modules alone, {len(whole)} whole accelerators: {command}",
        "whole_designs": [spelled(item.template) for item in whole],
    }
    library = LIBRARIES[FITTED]
    for index, resource in enumerate(cells.RESOURCES):
        groups: dict[str, list[tuple[tuple[float, ...], float]]] = {}
        for part, template, *values in alone:
            # Registers behind memories are counted with these.
            counted = values[index] - (part_registers(template, part) if resource == "flops" else 0)
            groups.setdefault(fabric.key(template, part), []).append((cells.terms(template, part), counted))
        rows: dict[str, list[float]] = {"whole": list(known[resource]["whole"])}
        for name, samples in sorted(groups.items()):
            rows[name] = list(fit_terms([(terms, max(value, 1.0)) for terms, value in samples]))
        sums, taken = [], []
        for item in whole:
            t = item.template
            each = {
                p: float(np.dot(rows[fabric.key(t, p)], cells.terms(t, p)))
                for p in ("PE array", *fabric.shell_names(t))
            }
            sums.append((each.pop("PE array"), sum(each.values())))
            flops = item.sequential_um2 / library.register[1] - stored(t).registers - fabric.pipeline_ff(t)
            taken.append(flops if resource == "flops" else (item.area_um2 - item.sequential_um2) / library.gate[1])
        if whole:
            rows["whole"] = list(fit_saving(sums, taken))
        data[resource] = rows
    head = "# Written by benchmarks/asic.py; see accel_models/template/cells.py for the terms.\n"
    cells.DATA.write_text(head + yaml.safe_dump(data, sort_keys=False, width=118), encoding="utf-8")
    cells.coefficients.cache_clear()


def fit_saving(sums: Sequence[tuple[float, float]], values: Sequence[float]) -> tuple[float, float]:
    """What is left of the sums of array and shell, alone, in the wholes that were found."""
    # Few designs tell the two apart badly: each is drawn towards 1 (nothing saved) as by one design more.
    a, v = np.array(sums), np.array(values)
    left, right = np.vstack([a / v[:, None], PULL * np.eye(2)]), np.concatenate([np.ones(len(v)), [PULL, PULL]])
    found, _ = nnls(left, right)
    return float(f"{found[0]:.4g}"), float(f"{found[1]:.4g}")


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
    text = "fit the model anew to modules alone and to the whole accelerators of the first size, and write it"
    parser.add_argument("--fit", action="store_true", help=text)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found: list[Measured | None] = []
    try:
        sizes = read_numbers(args.sizes, "--sizes")
        templates = cases(read_names(args.arrays, "--arrays", "array", list(ArrayKind)), sizes)
        if args.liberty:
            chosen = {"given": (technology(args.technology, "--technology"), list(args.liberty))}
        else:
            chosen = {}
            for name in read_names(args.libraries, "--libraries", "library", list(LIBRARIES)):
                library = LIBRARIES[name]
                chosen[name] = library.technology(), [reference_dir() / "liberty" / file for file in library.files]
        for template in templates:
            for name, (tech, files) in chosen.items():
                found.append(measured(name, tech, files, template, run=not args.kept))
        kept = [item for item in found if item is not None]
        if args.fit:
            whole = [item for item in kept if item.library == FITTED and item.template.rows == sizes[0]]
            fit(modules(run=not args.kept), whole, "python -m benchmarks.asic --fit")
    except SpecError as error:
        print(f"asic: {error}", file=sys.stderr)
        return 2
    known = set(load_yaml(cells.DATA)["whole_designs"])
    kept = [item for item in kept if item.library != FITTED or spelled(item.template) not in known]
    return show("Cell area of whole accelerators, memories apart", figures_of(kept, len(found)), args.json)


if __name__ == "__main__":
    sys.exit(main())
