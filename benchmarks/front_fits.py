"""Does what a search promises fit? Every design on the default recipe's front through synthesis, beside its budget.

    python -m benchmarks.front_fits                          # three seeds, every point: some hours the first time
    python -m benchmarks.front_fits --seeds 0 --trials 40    # fewer designs searched
    python -m benchmarks.front_fits --points 2               # of each front the two with most look-up tables
    python -m benchmarks.front_fits --runs runs/mine         # fronts that are there already

Each resource that Yosys finds is held to the device's (look-up tables to its fill limit), each clock to the clock that
routing reaches on the device's family. Needs ``pip install pyosys``; results are kept by digest.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

from accel_models.design import Design
from accel_models.hardware.devices import device
from accel_models.template.resources import demand, highest_hz
from accel_models.template.spec import Template
from benchmarks.common import Figure, read_numbers, show
from codesign.commands.exploring import explore
from codesign.design_file import DesignFile
from codesign.explorer.folder import RunFolder
from codesign.explorer.synthesis import Synthesised, synthesise
from codesign.progress import Silent
from mappings.errors import Fault, SpecError


@dataclass(frozen=True)
class Judged:
    """One design of a front: what synthesis found, and by how much its clock is above what routing reaches."""

    found: Synthesised
    clock_hz: int
    highest_hz: int | None

    @property
    def clock_holds(self) -> bool:
        """Whether a clock is known for the family, and the design's is not above it."""
        return self.highest_hz is not None and self.clock_hz <= self.highest_hz


def searched(seed: int, trials: int | None, folder: Path) -> Path:
    """Folder of a finished run of the default recipe; one that is there already is taken."""
    out = folder / f"seed_{seed}"
    if not (out / "front.csv").exists():
        where = {"resume": out} if (out / "run.yaml").exists() else {"out": out, "recipe": "default", "seed": seed}
        explore(**where, trials=trials, verify="none")  # type: ignore[arg-type]
    return out


def designs_of(run: Path) -> list[tuple[str, Design]]:
    """The front's designs whose hardware is ours.

    Raises:
        SpecError: none is there.
    """
    files = sorted(RunFolder(run).designs.glob("point_*.yaml"))
    found = [(f"{run.name}/{path.stem}", DesignFile.load(path).design) for path in files]
    found = [(name, design) for name, design in found if design.accelerator.template is not None]
    if not found:
        raise SpecError(Fault(str(run), "holds no front of designs that can be built", "a finished run"))
    return found


def _template(design: Design) -> Template:
    """The hardware of a design of :func:`designs_of`."""
    assert design.accelerator.template is not None, "designs_of leaves the others out"
    return design.accelerator.template


def judge(name: str, design: Design) -> Judged:
    """One design through synthesis."""
    template = _template(design)
    part = device(design.accelerator.device)
    found = synthesise(name, design.accelerator, Silent())
    return Judged(found, template.clock_hz, highest_hz(template, part))


def figures_of(judged: Sequence[Judged], searches: int) -> list[Figure]:
    """What must hold of all, and the worst error of each estimate."""
    over = [item.found.line() for item in judged if not item.found.passed]
    fast = [item.found.point for item in judged if not item.clock_holds]
    figures = [
        Figure("designs synthesised", len(judged), f"1 or more of each of {searches} fronts", len(judged) >= searches),
        Figure("designs over their budget", len(over), "none", not over, "; ".join(over)),
        Figure("clocks above what routing reaches", len(fast), "none", not fast, ", ".join(fast)),
    ]
    for name in ("DSP", "BRAM36", "LUT", "FF"):
        errors = [
            f.error for item in judged for f in item.found.report.figures if f.name == name and f.error is not None
        ]
        if errors:
            figures.append(Figure(f"{name}: mean error of the estimate", sum(errors) / len(errors)))
            figures.append(Figure(f"{name}: furthest below synthesis", min(errors)))
    return figures


def main() -> int:
    """Search, synthesise, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2", help="of the searches")
    parser.add_argument("--trials", type=int, help="designs of each search (the recipe's)")
    parser.add_argument("--points", type=int, help="of each front, the largest by the model (all)")
    parser.add_argument("--runs", nargs="+", type=Path, metavar="RUN", help="finished runs, in place of searches")
    parser.add_argument("--out", type=Path, help="where the runs are kept and found again (a temporary folder)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    judged: list[Judged] = []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            seeds = read_numbers(args.seeds, "--seeds")
            runs = args.runs or [searched(seed, args.trials, args.out or Path(scratch)) for seed in seeds]
            for run in runs:
                designs = designs_of(run)
                designs.sort(key=lambda item: demand(_template(item[1]))[2], reverse=True)
                for name, design in designs[: args.points]:
                    judged.append(judge(name, design))
                    print(judged[-1].found.line(), file=sys.stderr, flush=True)
        except SpecError as error:
            print(f"front_fits: {error}", file=sys.stderr)
            return 2
    return show("Designs of fronts, synthesised", figures_of(judged, len(runs)), args.json)


if __name__ == "__main__":
    sys.exit(main())
