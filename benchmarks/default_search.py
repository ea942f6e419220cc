"""The default search beside the joint one that it replaced: hypervolume, designs looked at, CPU seconds, seed by seed.

    python -m benchmarks.default_search [--seeds 5] [--seed 0] [--jobs 2] [--kept DIR] [--json]

Both search the same space with the same trainings; `joint` is NSGA-II over 120 designs. Hypervolume is that of all
measured designs that fit, over error, log latency and log energy, below fixed bounds. Networks that were trained into
DIR are not trained again, so a benchmark that was stopped goes on; CPU seconds are those of this run. Deployment and
verification, which follow in `codesign explore`, are not part of it; `codesign explore` prints its own time.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np

from benchmarks.common import Figure, show
from benchmarks.oracle_space import Memory, hypervolume
from codesign.explorer.claims import Claims
from codesign.explorer.folder import RunFolder
from codesign.explorer.problem import SearchProblem
from codesign.explorer.search import opened_steps, search, tally
from codesign.recipe import load_recipe

#: Error, latency and energy beyond which a design counts for nothing.
WORST_ERROR, WORST_MS, WORST_UJ = 0.3, 10.0, 2000.0
TIMES_DESIGNS = 20


@dataclass(frozen=True)
class Searched:
    """One search: volume of what it found, best accuracy, designs looked at, programs timed, networks trained."""

    volume: float
    accuracy: float
    designs: int
    timed: int
    trained: int
    cpu_s: float


def searched(name: str, seed: int, kept: Path, jobs: int) -> Searched:
    """Run a recipe's search."""
    default = load_recipe("default")
    alike = {
        "network": default.network.plain(),
        "choices": default.to_dict()["choices"],
        "providers": [part.plain() for part in default.providers],
    }
    recipe = load_recipe(name, {"seed": seed, **({} if name == default.name else alike)})
    folder, journal = RunFolder(kept / f"{name}-{seed}"), Memory()
    folder.networks.mkdir(parents=True, exist_ok=True)
    before, claims = _cpu_s(), Claims(folder.claims)
    try:
        with opened_steps(recipe, folder, claims, jobs) as steps:
            problem = SearchProblem(recipe.space, recipe.goal, steps)
            search(recipe, problem, journal, recipe.trials)
    finally:
        claims.close()
    metrics = [trial.told.outcome.metrics for trial in journal if trial.told.outcome.feasible]
    costs = np.array([[1 - m["accuracy"], np.log(m["latency_ms"]), np.log(m["energy_uj"])] for m in metrics])
    volume = hypervolume(costs, np.array([WORST_ERROR, np.log(WORST_MS), np.log(WORST_UJ)]))
    designs, timed = len(journal), len(journal)
    if problem.proofs:
        designs = sum(account.designs for account in problem.proofs)
        timed = sum(account.timed for account in problem.proofs)
    trained = tally(recipe, list(journal)).trained
    best = max(item["accuracy"] for item in metrics)
    return Searched(volume, best, designs, timed, trained, _cpu_s() - before)


def _cpu_s() -> float:
    """Of this process and of its workers that have ended."""
    return sum(os.times()[:4])


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes for training; 0: none")
    parser.add_argument("--kept", help="folder for what is trained")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(options.kept or scratch)
        for seed in range(options.seed, options.seed + options.seeds):
            new = searched("default", seed, kept, options.jobs)
            old = searched("joint", seed, kept, options.jobs)
            rows = [
                Figure(f"seed {seed}: hypervolume", new.volume, f"> joint's {old.volume:.3f}", new.volume > old.volume),
                Figure(f"seed {seed}: best accuracy, default and joint", f"{new.accuracy:.1%}, {old.accuracy:.1%}"),
                Figure(f"seed {seed}: networks trained, default and joint", f"{new.trained}, {old.trained}"),
                Figure(f"seed {seed}: CPU s, default and joint", f"{new.cpu_s:.0f}, {old.cpu_s:.0f}"),
                Figure(
                    f"seed {seed}: programs timed exactly", new.timed, f">= {TIMES_DESIGNS * old.designs}",
                    new.timed >= TIMES_DESIGNS * old.designs,
                ),
                Figure(f"seed {seed}: designs that they and bounds speak for", new.designs),
            ]  # fmt: skip
            for row in rows:
                print(f"{row.name}: {row.value} {row.target}", file=sys.stderr, flush=True)
            figures += rows
    return show("the default search beside the joint one", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
