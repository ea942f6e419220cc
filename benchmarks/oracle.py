"""The engine against the oracle: every count of random layers, mappings and hardware, to the last element.

    python benchmarks/oracle.py [--cases N] [--seed S] [--json]

Compared: reads and writes of every tensor at every level, steps of work, peak occupancy of every memory, stall-free
cycles; and, by the oracle alone, that every output was summed completely and that no fan-out was exceeded.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.report import Infeasible
from accel_models.reuse.counts import count
from accel_models.reuse.lower import lower
from accel_models.reuse.nest import Nest
from accel_models.reuse.oracle import Oracle
from accel_models.reuse.parts import nests_of
from benchmarks.common import Figure, show
from benchmarks.oracle_cases import Case, random_case
from mappings.dataflow import DATAFLOWS
from mappings.loops import LOOP_OPS

#: Cases from which on every operator and dataflow must have come up.
ENOUGH = 300
FIELDS = ("reads", "writes", "peaks", "steps", "work", "sums", "fan-out")


@dataclass
class Tally:
    """What was found."""

    cases: int = 0
    figures: int = 0
    ragged: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    dataflows: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0


def check(case: Case, name: str, tally: Tally) -> None:
    """Walk one case and compare."""
    tally.cases += 1
    tally.operators[str(case.layer.op)] += 1
    tally.dataflows[case.dataflow] += 1
    nest = lower(case.layer, case.mapping, case.accelerator)
    if isinstance(nest, Infeasible):
        tally.wrong["fan-out"] += 1
        tally.examples.append(f"{name}: {nest}")
        return
    for one in nests_of(nest):
        _check_nest(one, case, name, tally)


def _check_nest(nest: Nest, case: Case, name: str, tally: Tally) -> None:
    """Walk one nest and compare."""
    walked = Oracle(nest).run()
    counted = count(nest)
    tally.ragged += any(
        size % cut
        for extent, chain in zip(nest.bounds, nest.chains, strict=True)
        for size, cut in _steps(extent, chain)
    )
    reduction = 1
    for dim, extent in zip("GNKCPQRS", nest.bounds, strict=True):
        reduction *= extent if dim in ("RS" if case.layer.op in ("softmax", "layernorm") else "CRS") else 1
    pairs = {
        "reads": ([list(row) for row in counted.reads], walked.reads),
        "writes": ([list(row) for row in counted.writes], walked.writes),
        "peaks": ([list(row) for row in counted.peaks], walked.peaks),
        "steps": (counted.steps, walked.steps),
        "work": (counted.macs, walked.macs),
        "sums": (set(walked.sums.values()), {reduction}),
        "fan-out": (
            [b > case.accelerator.instances(m) for m, b in enumerate(walked.busy)],
            [False] * (len(walked.busy)),
        ),
    }
    tally.figures += 9 * nest.levels + 2
    for what, (engine, oracle) in pairs.items():
        if engine != oracle:
            tally.wrong[what] += 1
            tally.examples.append(f"{name}: {what}: engine {engine}, oracle {oracle}\n  {case}")


def _steps(extent: int, chain: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(zip((extent, *chain), chain, strict=False))


def compare(cases: int, seed: int) -> Tally:
    """Check ``cases`` random triples."""
    tally = Tally()
    start = time.perf_counter()
    for index in range(cases):
        check(random_case(f"{seed}/{index}"), f"seed {seed}, case {index}", tally)
    tally.seconds = time.perf_counter() - start
    return tally


def _coverage(name: str, found: int, of: int, cases: int) -> Figure:
    """A few cases need not meet every kind."""
    return (
        Figure(name, found, f"{of}", found == of) if cases >= ENOUGH else Figure(name, found, f"{of} in a longer run")
    )


def figures(tally: Tally, wanted: int) -> list[Figure]:
    """What the command prints."""
    operators, dataflows = len(LOOP_OPS), len(DATAFLOWS.names()) + 1
    return [
        Figure("cases", tally.cases, f">= {wanted:,}", tally.cases >= wanted),
        Figure("figures compared", tally.figures),
        Figure("cases with ragged tiles", tally.ragged, "some", tally.ragged > 0),
        _coverage("operators", len(tally.operators), operators, wanted),
        _coverage("dataflows, random directives among them", len(tally.dataflows), dataflows, wanted),
        *(Figure(f"cases that differ in {name}", tally.wrong[name], "0", tally.wrong[name] == 0) for name in FIELDS),
        Figure("cases a second", tally.cases / tally.seconds),
    ]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    tally = compare(arguments.cases, arguments.seed)
    for text in tally.examples[:10]:
        print(text, file=sys.stderr)
    return show("oracle", figures(tally, arguments.cases), arguments.json)


if __name__ == "__main__":
    sys.exit(main())
