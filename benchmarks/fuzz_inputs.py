"""Feeds random corruptions of valid inputs to every reader: one clear error or a sound result, nothing else.

python benchmarks/fuzz_inputs.py [--cases N] [--seed S] [--kind NAME] [--json]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from benchmarks.common import Figure, show
from benchmarks.fuzz_designs import ACCELERATOR, DATAFLOW, DESIGN
from benchmarks.fuzz_files import FILES
from benchmarks.fuzz_maestro import MAESTRO_HARDWARE, MAESTRO_MAPPING
from benchmarks.fuzzing import HANG_SECONDS, InputKind, Outcome, fuzz

KINDS: tuple[InputKind, ...] = (MAESTRO_MAPPING, MAESTRO_HARDWARE, DESIGN, ACCELERATOR, DATAFLOW, *FILES)


def figures(outcomes: dict[str, Outcome]) -> list[Figure]:
    """What the command prints."""
    lines: list[Figure] = []
    sealed = {kind.name for kind in KINDS if kind.sealed}
    for name, outcome in outcomes.items():
        lines += [
            Figure(f"{name}: corrupted inputs", outcome.cases, "some", outcome.cases > 0),
            Figure(f"{name}: refused with a clear error", outcome.refused, "some", outcome.refused > 0),
            Figure(f"{name}: still valid, result sound", outcome.accepted)
            if name in sealed
            else Figure(f"{name}: still valid, result sound", outcome.accepted, "some", outcome.accepted > 0),
            Figure(f"{name}: other exceptions", outcome.tracebacks, "0", outcome.tracebacks == 0),
            Figure(f"{name}: over {HANG_SECONDS:.0f} s", outcome.hangs, "0", outcome.hangs == 0),
            Figure(f"{name}: NaN, infinite or negative, untold", outcome.unsound, "0", outcome.unsound == 0),
            Figure(f"{name}: slowest (s)", outcome.slowest_seconds),
            Figure(f"{name}: inputs/s", outcome.cases / max(outcome.seconds, 1e-9)),
        ]
    return lines


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=[kind.name for kind in KINDS], help="this kind of input only")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    kinds = [kind for kind in KINDS if arguments.kind in (None, kind.name)]
    outcomes = fuzz(kinds, arguments.cases, arguments.seed)
    for outcome in outcomes.values():
        for example in outcome.examples[:5]:
            print(example, file=sys.stderr)
    return show("fuzz_inputs", figures(outcomes), arguments.json)


if __name__ == "__main__":
    sys.exit(main())
