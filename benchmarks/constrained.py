"""The most accurate network under latency limits, against the true optimum of an enumerated space.

    python -m benchmarks.constrained --table FILE [--dataset cifar10] [--devices zynq7020,zcu104,zynq7010] [--seeds 10]

Limits are five shares of the way, in logarithms, from the least to the largest latency on each device; a
sixth is half of the least that any design has, which nothing meets: the search has to end with the nearest design and
name the limit. A search is `nested` with one controller; its budget is 300 network evaluations.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np

from benchmarks.common import Figure, show
from benchmarks.oracle_space import Memory, Oracle, OracleProblem, make_oracle
from codesign.controllers.controller import Controller, ControllerContext
from codesign.controllers.registry import CONTROLLERS, make_controller
from codesign.decisions import DecisionSpace
from codesign.drivers.base import DriverContext, Trial
from codesign.drivers.registry import DRIVERS
from codesign.objectives import Goal, Limit
from codesign.seeds import derive_seed
from mappings.errors import SpecError

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
BUDGET = 300


def searched(oracle: Oracle, fronts: list[np.ndarray], goal: Goal, name: str, budget: int, seed: int) -> list[Trial]:
    """One search's trials."""
    journal = Memory()

    def maker(part: str, space: DecisionSpace, part_goal: Goal) -> Controller:
        hooks = oracle.space.hooks
        return make_controller(
            name, ControllerContext(derive_seed(seed, part), space, part_goal, 20, budget, {}, hooks)
        )

    entry = DRIVERS.get("nested")
    problem = OracleProblem(oracle, goal, fronts)
    options = entry.checked({}, "driver")
    entry.load()().run(DriverContext(problem, maker, journal, budget, 20, seed, options=options))
    return list(journal)


def best_under(oracle: Oracle, limit_ms: float) -> float:
    """Accuracy of the most accurate network that any accelerator runs within a limit."""
    latency = np.where(oracle.feasible(), oracle.latency_ms, np.inf).min(axis=1)
    return float(oracle.accuracy[(latency <= limit_ms)[oracle.kind]].max())


def judge(oracle: Oracle, device: str, name: str, budget: int, seeds: range, share: float | None) -> list[Figure]:
    """One limit on one device; None: one that nothing meets."""
    fronts = oracle.fronts()
    latency = np.where(oracle.feasible(), oracle.latency_ms, np.inf).min(axis=1)
    low, high = np.log(latency.min()), np.log(latency[np.isfinite(latency)].max())
    limit_ms = float(np.exp(low + share * (high - low))) if share is not None else float(np.exp(low)) / 2
    goal = Goal(("accuracy",), (Limit("latency_ms", limit_ms),))
    runs = [searched(oracle, fronts, goal, name, budget, seed) for seed in seeds]
    title = f"{device}, latency of at most {limit_ms:.3g} ms"
    if share is None:
        quiet = all(not trial.told.outcome.feasible for trials in runs for trial in trials)
        nearest = [min((t.told.outcome for t in trials), key=lambda o: o.violation) for trials in runs]
        ratio = float(np.median([o.metrics.get("latency_ms", np.inf) for o in nearest]) / latency.min())
        binds = Counter(item.resource for outcome in nearest for item in outcome.broken).most_common(1)[0][0]
        return [
            Figure(f"{title}: infeasible, as it is", str(quiet), "True", quiet),
            Figure(f"{title}: the limit that binds", binds, "latency_ms", binds == "latency_ms"),
            Figure(f"{title}: nearest design, over the least latency", ratio, "<= 1.01", ratio <= 1.01),
        ]
    truth = best_under(oracle, limit_ms)
    found = []
    for trials in runs:
        good = [trial.told.outcome.metrics["accuracy"] for trial in trials if trial.told.outcome.feasible]
        found.append(max(good, default=0.0))
    middle = float(np.median(found))
    least = min(found)
    value = f"{middle:.2%} (least {least:.2%})"
    return [Figure(f"{title}: median seed", value, f"{truth:.2%}, the true optimum", middle >= truth)]


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--table", required=True)
    parser.add_argument("--dataset", default="cifar10", choices=("cifar10", "cifar100", "imagenet16"))
    parser.add_argument("--devices", default="zynq7020,zcu104,zynq7010")
    parser.add_argument("--controller", default="wl_bayes")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--limit", type=int, default=BUDGET, help="network evaluations")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: list[Figure] = []
    try:
        CONTROLLERS.get(options.controller, "--controller")
        for device in options.devices.split(","):
            oracle = make_oracle(options.table, options.dataset, device)
            seeds = range(options.seed, options.seed + options.seeds)
            for share in (*SHARES, None):
                figures += judge(oracle, device, options.controller, options.limit, seeds, share)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    return show(f"constrained search, {options.dataset}, {options.controller}", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
