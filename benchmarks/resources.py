"""FPGA resources: the estimate against synthesis of accelerators drawn at random, and the fit of its coefficients.

    python -m benchmarks.resources --designs 60 --seed 1       # judge; synthesises what is not kept into the table
    python -m benchmarks.resources --designs 60 --kept         # judge on what is kept, and on the table
    python -m benchmarks.resources --designs 60 --narrow       # judge on the same for narrow and pruned weights
    python -m benchmarks.resources --designs 60 --fit [whole] [--kept] # fit anew; writes the data file

Every second design of the draw serves the fit of what flattening saves; the errors are of the others. The terms of the
parts are fitted to modules synthesised alone. Needs ``pip install pyosys``; results are kept by digest, and in a table
with the digest of their sources: a row of older sources is neither fitted to nor judged on (``--older`` judges on it
too). A part with fewer rows than terms keeps its coefficients, but for a constant that its rows' mean decides.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import yaml
from scipy.optimize import nnls

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.hardware.devices import DEVICES, device
from accel_models.report import broken_bounds
from accel_models.template import fabric
from accel_models.template.resources import demand, estimate, fpga_bounds, part_lutram, part_memory_ff
from accel_models.template.spec import Template
from benchmarks.common import Figure, show
from benchmarks.resources_cases import draw, draw_narrow, module_cases
from mappings.yamlio import load_yaml
from rtl_templates.synth.fpga import Taken
from rtl_templates.synth.measure import WHOLE, measured, module_of
from rtl_templates.synth.yosys import source_digests, yosys_version

RESOURCES = ("dsp", "bram18", "lut", "ff")
TABLE = Path(__file__).parent / "data" / "resources_xc7.csv"
Rows: TypeAlias = dict[str, tuple[float, ...]]
Case: TypeAlias = tuple[str, Template, Taken]
Sample: TypeAlias = tuple[tuple[float, ...], float]  #: terms of a part, what was found


def sources(part: str, template: Template) -> str:
    """Digest of the SystemVerilog that a part of a template reaches."""
    top, given = module_of(template, part)
    return hashlib.sha256("".join((top, *source_digests(top, given))).encode()).hexdigest()[:12]


def spelled(template: Template) -> str:
    """The parameters that differ from the defaults, as the table has them."""
    plain = Template().to_dict()
    return " ".join(f"{k}={v}" for k, v in template.to_dict().items() if v != plain[k])


def read_table() -> dict[tuple[str, str], tuple[str, Taken]]:
    """{(part, parameters): (digest of the sources, resources)}."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {
            (row["part"], row["template"]): (row["sources"], Taken(*(int(row[name]) for name in RESOURCES)))
            for row in csv.DictReader(file)
        }


def write_table(table: Mapping[tuple[str, str], tuple[str, Taken]]) -> None:
    """Writes every row, whole or not at all."""
    fresh = TABLE.with_suffix(".part")
    with fresh.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["part", "template", "sources", *RESOURCES])
        for (part, given), (digest, taken) in table.items():
            out.writerow([part, given, digest, taken.dsp, taken.bram18, taken.lut, taken.ff])
    fresh.replace(TABLE)


def collect(cases: Sequence[tuple[str, Template]], run: bool, older: bool = False) -> list[Case]:
    """Synthesis of each case that is kept or in the table, or with ``run`` of every case; new ones enter the table.

    Args:
        older: rows of the table whose sources have changed since count too.
    """
    found = []
    for part, template in cases:
        place = part, spelled(template)
        taken = measured(template, part, run=run)
        if taken is not None:
            table, row = read_table(), (sources(part, template), taken)
            if table.get(place) != row:
                write_table({**table, place: row})
        else:
            digest, taken = read_table().get(place, ("", None))
            if digest != sources(part, template) and not older:
                taken = None
        if taken is not None:
            found.append((part, template, taken))
    return found


def samples(cases: Sequence[Case], resource: str) -> dict[str, list[Sample]]:
    """(terms, what was found but for memories) of each case, by part."""
    groups: dict[str, list[Sample]] = {}
    for part, template, taken in cases:
        stored = part_lutram(template, part) if resource == "lut" else part_memory_ff(template, part)
        value = float(getattr(taken, resource)) - stored
        groups.setdefault(fabric.key(template, part), []).append((fabric.terms(template, part), max(value, 1.0)))
    return groups


def fit_parts(groups: Mapping[str, Sequence[Sample]]) -> Rows:
    """Coefficients of the terms of every part with enough cases, none negative, by least squares of relative errors."""
    return {name: fit_terms(found) for name, found in sorted(groups.items()) if len(found) >= len(found[0][0])}


def newer(found: Sequence[Sample], row: Sequence[float], since: Sequence[float]) -> list[float]:
    """What is counted beside the coefficients of a part with few cases: its constant, moved to their mean."""
    now = fabric.added(row, since)
    less = [value - float(np.dot(now, terms)) for terms, value in found]
    const, *others = since or [0.0]
    return [round(const + sum(less) / len(less), 1), *others]


def fit_terms(found: Sequence[Sample]) -> tuple[float, ...]:
    """Coefficients, none negative, by least squares of relative errors; a sample is its terms and what was found."""
    terms, values = np.array([t for t, _ in found]), np.array([v for _, v in found])
    row, _ = nnls(terms / values[:, None], np.ones(len(values)))
    return tuple(float(f"{value:.5g}") for value in row)


def fit_whole(cases: Sequence[Case], resource: str) -> float:
    """What accelerators have less than the sum of their parts alone, in the mean, where the data file says 0 of it."""
    less = [getattr(estimate(template), resource) - getattr(taken, resource) for _, template, taken in cases]
    return round(sum(less) / len(less), 1)


def write_fit(modules: Sequence[Case], designs: Sequence[Case], command: str, seed: int) -> None:
    """Fits the parts to modules and what flattening leaves to designs, and writes the data file.

    Args:
        modules: none: the parts stay as the data file has them.
    """
    tool = f"our synthesis with Yosys {yosys_version()}, synth_xilinx -family xc7 -flatten"
    earlier = load_yaml(fabric.DATA)
    older = earlier.get("source_older", {"source": earlier["source"]})
    data: dict[str, Any] = {
        "source": f"{tool}; {len(modules)} modules alone: {command}" if modules else earlier["source"],
        "source_older": older,
        "source_whole": f"{tool}; {len(designs)} whole accelerators: {command}",
        "seed": seed,
    }
    since = earlier.get("since", {})
    for resource in ("lut", "ff"):
        known = {name: row for name, row in fabric.fitted()[resource].items() if name != "whole"}
        groups = samples(modules, resource)
        found = fit_parts(groups)
        if modules:
            older["parts"] = sorted(set(known) - set(found))
        # What is counted since belongs to rows of older sources.
        since[resource] = {name: more for name, more in since.get(resource, {}).items() if name not in found}
        for name in sorted(groups.keys() - found.keys()):
            since[resource][name] = newer(groups[name], known[name], since[resource].get(name, []))
        data[resource] = {name: list(row) for name, row in {**known, **found, "whole": (0.0,)}.items()}
    data["since"] = since
    write_data(data)
    for resource in ("lut", "ff"):
        data[resource]["whole"] = [fit_whole(designs, resource)]
    write_data(data)


def write_data(data: Mapping[str, object]) -> None:
    """Writes the data file, which counts from now on."""
    head = "# Written by benchmarks/resources.py; see accel_models/template/fabric.py for the terms.\n"
    fabric.DATA.write_text(head + yaml.safe_dump(dict(data), sort_keys=False, width=118), encoding="utf-8")
    fabric.coefficients.cache_clear()
    fabric.summed.cache_clear()


def errors(cases: Sequence[Case]) -> dict[str, np.ndarray]:
    """Relative errors (DSP, BRAM36: differences in blocks) of the estimate for whole accelerators."""
    found: dict[str, list[float]] = {"DSP": [], "BRAM36": [], "LUT": [], "FF": []}
    for _, template, taken in cases:
        guess = estimate(template)
        found["DSP"].append(guess.dsp - taken.dsp)
        found["BRAM36"].append(guess.bram36 - -(-taken.bram18 // 2))
        found["LUT"].append(guess.lut / taken.lut - 1)
        found["FF"].append(guess.ff / taken.ff - 1)
    return {name: np.array(values) for name, values in found.items()}


def judge(cases: Sequence[Case]) -> list[Figure]:
    """Figures of designs that the fit has not seen."""
    found, figures = errors(cases), []
    for name in ("DSP", "BRAM36"):
        exact, under = float(np.mean(found[name] == 0)), int(np.sum(found[name] < 0))
        figures.append(Figure(f"{name}: exact", exact, "at least 95 %", exact >= 0.95))
        figures.append(Figure(f"{name}: designs below synthesis", under, "none", under == 0))
    for name in ("LUT", "FF"):
        off = found[name]
        mean, worst, bias = float(np.abs(off).mean()), float(np.abs(off).max()), float(off.mean())
        figures.append(Figure(f"{name}: mean error", mean, "at most 7 %", mean <= 0.07))
        figures.append(Figure(f"{name}: worst error", worst, "at most 15 %", worst <= 0.15))
        figures.append(Figure(f"{name}: bias", bias, "not below -2 %", bias >= -0.02))
    return figures


def admissions(cases: Sequence[Case]) -> list[Figure]:
    """The gate of every 7-series part: what it admits by the estimate, and of it what synthesis finds no room for.

    Room is what the gate itself allows, of look-up tables the fill limit.
    """
    parts = [part for name in DEVICES.names() if (part := device(name)).family.startswith("xc7")]
    admitted, wrong = 0, list[str]()
    for _, template, taken in cases:
        for part in parts:
            if broken_bounds(fpga_bounds(part, *demand(template))):
                continue
            admitted += 1
            over = broken_bounds(fpga_bounds(part, taken.dsp, -(-taken.bram18 // 2), taken.lut, taken.ff))
            wrong += [f"{spelled(template)} on {part.name}: {over[0]}"] if over else []
    peer = f"of {admitted} admissions of {len(cases)} designs to {len(parts)} parts; " + "; ".join(wrong)
    return [Figure("false admissions at the gate", len(wrong), "none", not wrong, peer.removesuffix("; "))]


def main() -> int:
    """Collect, fit where asked, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=60, help="drawn; more of a seed begin with the fewer")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    narrow = "the same designs with packed weights, pairs of products, skipped taps and longer bursts; not with --fit"
    parser.add_argument("--narrow", action="store_true", help=narrow)
    text = "fit the coefficients anew and write them; whole: only what flattening leaves, the parts stay"
    parser.add_argument("--fit", nargs="?", const="all", choices=("all", "whole"), help=text)
    parser.add_argument("--kept", action="store_true", help="use kept results alone; synthesise nothing")
    parser.add_argument("--older", action="store_true", help="judge on rows of older sources as well; not with --fit")
    parser.add_argument("--each", action="store_true", help="print every design's errors to the error output")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.older and args.fit:
        parser.error("argument --older: not allowed with --fit")
    if args.narrow and args.fit:
        parser.error("argument --narrow: not allowed with --fit")
    if args.designs < 1:
        parser.error(f"argument --designs: is {args.designs}, at least 1 is needed")
    run, drawn = not args.kept, draw_narrow if args.narrow else draw
    whole = [(WHOLE, template) for template in drawn(args.designs, args.seed)]
    fitted, others = (collect(part, run, args.older) for part in (whole[::2], whole[1::2]))
    if args.fit:
        modules = collect(module_cases(), run) if args.fit == "all" else []
        command = f"python -m benchmarks.resources --designs {args.designs} --seed {args.seed} --fit {args.fit}"
        command += " --kept" if args.kept else ""
        if not fitted:
            parser.error("argument --fit: no whole design of the present sources is kept; run it without --kept")
        write_fit(modules, fitted, command, args.seed)
    held = others if load_yaml(fabric.DATA)["seed"] == args.seed else [*fitted, *others]
    if args.each:
        for case in held:
            print(case[1].to_dict(), {k: v.round(3).tolist() for k, v in errors([case]).items()}, file=sys.stderr)
    table = read_table()
    now = sum(table[part, spelled(t)][0] == sources(part, t) for part, t, _ in (*fitted, *others))
    figures = [
        Figure(
            "designs judged",
            len(held),
            "at least 1",
            len(held) > 0,
            f"{len(fitted) + len(others)} of {args.designs} synthesised, {now} from the sources as they are",
        )
    ]
    figures += judge(held) + admissions(held) if held else []
    return show("FPGA resources, estimated and synthesised (Yosys, xc7)", figures, args.json)


if __name__ == "__main__":
    sys.exit(main())
