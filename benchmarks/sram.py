"""Memory macros: area and access energy by words, width and bits, fitted on half of them, judged on the others."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.hardware import sram
from benchmarks.common import Figure, read_rows, reference_dir, show
from mappings.errors import Fault, SpecError

Row = dict[str, str]
DATA = reference_dir() / "sram" / "ihp_sg13g2_macros.csv"
NUMBERS = ("words", "bits", "area_um2", "read_pJ", "write_pJ")
LEAST = 8  #: macros of each number of ports: half of them decide four coefficients


def fit(rows: Sequence[Row], column: str) -> tuple[float, ...]:
    """Coefficients of :func:`sram.shape` with the least squares of relative errors."""
    sizes = [(float(r["words"]), float(r["bits"])) for r in rows]
    terms = np.array([[1.0, words**0.5, bits, words * bits] for words, bits in sizes])
    values = np.array([float(r[column]) for r in rows])
    found, *_ = np.linalg.lstsq(terms / values[:, None], np.ones(len(values)), rcond=None)
    return tuple(float(value) for value in found)


def errors(rows: Sequence[Row], column: str, coefficients: Sequence[float]) -> np.ndarray:
    """Relative errors of the model."""
    a, b, c, d = coefficients
    sizes = [(float(r["words"]), float(r["bits"]), float(r[column])) for r in rows]
    return np.array([sram.shape((a, b, c, d), words, bits) / value - 1 for words, bits, value in sizes])


def split(rows: Sequence[Row], seed: int | None = None) -> tuple[list[Row], list[Row]]:
    """Every second macro of each number of ports, to fit; the others to judge.

    Args:
        rows: macros.
        seed: of their order; None: that of the names.
    """
    kinds = [[r for r in sorted(rows, key=lambda r: r["macro"]) if r["ports"] == p] for p in ("1P", "2P")]
    if seed is not None:
        drawn = random.Random(seed)
        for kind in kinds:
            drawn.shuffle(kind)
    return [r for kind in kinds for r in kind[::2]], [r for kind in kinds for r in kind[1::2]]


def read_macros(path: Path) -> list[Row]:
    """Macros of one port and of two, at least eight of each, so that half of them decide four coefficients.

    Raises:
        SpecError: another file, or too few.
    """
    columns = ("macro", "ports", *NUMBERS)
    rows = read_rows(path, columns, f"a CSV table of macros: {', '.join(columns)}")
    for row in rows:
        for name in NUMBERS:
            try:
                good = 0 < float(row[name]) < float("inf")
            except (TypeError, ValueError):
                good = False
            if not good:
                raise SpecError(Fault(f"{path}: {row['macro']}.{name}", f"is {row[name]}", "a number above 0"))
    for ports in ("1P", "2P"):
        count = sum(row["ports"] == ports for row in rows)
        if count < LEAST:
            raise SpecError(Fault(str(path), f"has {count} macros with ports {ports}", f"{LEAST} or more"))
    return rows


def main() -> int:
    """Fit, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="macros of another kit are fitted anew")
    parser.add_argument("--seed", type=int, help="another half, drawn at random, is fitted to (that of the names)")
    parser.add_argument("--fit", action="store_true", help="print the coefficients of the fit")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        known, held = split(read_macros(args.data), args.seed)
    except SpecError as error:
        print(f"sram: {error}", file=sys.stderr)
        return 2
    own = args.data == DATA and args.seed is None  # else the coefficients that are kept have seen what is judged
    figures = []
    kept = {
        ("area_um2", "1P"): (sram.AREA_1P, 0.06),
        ("area_um2", "2P"): (sram.AREA_2P, 0.06),
        ("read_pJ", ""): (sram.READ, 0.08),
        ("write_pJ", ""): (sram.WRITE, 0.08),
    }
    for (column, ports), (coefficients, target) in kept.items():
        some = [r for r in known if ports in ("", r["ports"])]
        others = [r for r in held if ports in ("", r["ports"])]
        again = fit(some, column)
        coefficients = coefficients if own else again
        if args.fit:
            print(column, ports, ", ".join(f"{value:.5g}" for value in again))
        off = np.abs(errors(others, column, coefficients))
        name = f"{column} {ports}".strip()
        worst = f"worst {off.max():.1%} of {len(others)}"
        mean = float(off.mean())
        label = f"{name}: mean error, macros not fitted to"
        figures.append(Figure(label, mean, f"at most {target:.0%}", mean <= target, worst))
        both = some + others
        drift = float(np.abs(errors(both, column, again) - errors(both, column, coefficients)).max())
        if own:
            label = f"{name}: kept coefficients against this fit"
            figures.append(Figure(label, drift, "at most 0.1 %", drift <= 0.001))
    bits = np.array([float(r["words"]) * float(r["bits"]) for r in held])
    areas = np.array([float(r["area_um2"]) for r in held])
    alone = float(np.abs(bits / areas * np.mean(areas / bits) - 1).mean())
    figures.append(Figure("area by bits alone: mean error", alone))
    return show("SRAM macros of SG13G2", figures, args.json)


if __name__ == "__main__":
    sys.exit(main())
