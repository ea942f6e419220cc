"""Every controller and driver against the true front of NAS-Bench-201 on all accelerators of a space.

    python -m benchmarks.oracle_race --table FILE [--dataset cifar10] [--device zynq7020] [--seeds 10] [--json]

FILE is a table of NAS-Bench-201 (`codesign.providers.accuracy.table` says which); accuracy is the test accuracy of the
200-epoch training, for the search and for the truth. Costs are those of the provider `layer_sum`; how far they are from
whole programs (`schedule`) is printed, and that the oracle equals the provider is checked on random pairs.

Hypervolume is over error, log latency and log energy, below the true front's worst of each and a tenth of its span
more. `nested` is told each network's exact front over all accelerators; its budget counts networks, the
others' pairs. Much of the front is chance (cells that compute the same and came out best of many); how far one gets who
knows all but that is printed too (`oracle_informed.py`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Figure, show
from benchmarks.oracle_informed import informed_shares
from benchmarks.oracle_space import OBJECTIVES, Memory, Oracle, OracleProblem, Truth, make_oracle
from codesign.controllers.controller import Controller, ControllerContext
from codesign.controllers.registry import CONTROLLERS, make_controller
from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.registry import DRIVERS
from codesign.objectives import Goal, Outcome
from codesign.providers.base import Candidate, ProviderContext
from codesign.providers.registry import make_provider
from codesign.seeds import derive_seed
from codesign.spaces.network.nasbench201 import row_of
from mappings.errors import SpecError

GENERATION = 20
BUDGETS = (100, 300, 1000, 3000)
GOAL = Goal(OBJECTIVES)
#: Whose cost of a proposal grows with what was told: they stop at so many trials.
SLOW = {"gp": 100, "graph_bayes": 300, "encoder": 1000, "surrogate_evolution": 1000, "progressive": 1000, "tpe": 1000}
SLOW |= {"reinforce": 1000, "ppo": 1000, "wl_bayes": 1000}
#: Of which the issue says that they beat random search from 300 evaluations on.
LEARNERS = (
    "nsga2", "nsga3", "regularized_evolution", "learned_mutation", "structured_genome", "evolution_strategy", "tpe",
    "reinforce", "ppo",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """Shares of the true hypervolume by budget, those that were reached."""

    shares: dict[int, float]
    seconds: float


def run(
    oracle: Oracle, truth: Truth, problem: OracleProblem, driver: str, controller: str, budget: int, seed: int,
    options: dict[str, object] | None = None, settings: Mapping[str, object] | None = None,
    start: Sequence[Point] = (),
) -> Run:  # fmt: skip
    """One search.

    Args:
        options: of the driver; settings: of the controller; start: what is known of points that are asked for first.
    """
    started = time.process_time()

    def maker(part: str, space: DecisionSpace, goal: Goal) -> Controller:
        context = ControllerContext(
            derive_seed(seed, part), space, goal, GENERATION, budget, settings or {}, oracle.space.hooks, tuple(start)
        )
        return make_controller(controller, context)

    entry, journal = DRIVERS.get(driver), Memory()
    given = entry.checked(options or {}, "driver")
    context = DriverContext(problem, maker, journal, budget, GENERATION, seed, options=given)
    entry.load()().run(context)
    outcomes = [trial.told.outcome for trial in journal]
    counts = [int(trial.phase.split()[1]) for trial in journal] if driver == "nested" else list(range(len(outcomes)))
    shares = {}
    for stop in BUDGETS:
        if stop <= budget:
            seen = [outcome for outcome, count in zip(outcomes, counts, strict=True) if count < stop]
            shares[stop] = truth.share(_distinct(seen))
    return Run(shares, time.process_time() - started)


def _distinct(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return list({id(o): o for o in outcomes if o.feasible}.values())


def differing(oracle: Oracle, table: str, device_name: str, pairs: int, seed: int) -> tuple[int, list[str]]:
    """How many random pairs the oracle gives other figures than the provider, and how the whole program compares."""
    rng = np.random.default_rng(seed)
    good = [column for column, broken in enumerate(oracle.broken) if not broken] or list(range(len(oracle.broken)))
    networks = oracle.space.decisions.of_groups("network")
    points: list[Point] = [
        {**networks.draw(rng), **oracle.hardware[good[int(rng.integers(len(good)))]]} for _ in range(pairs)
    ]
    context = ProviderContext(0, device_name, oracle.space, Path())
    given = {"file": table, "search": "test_200"}
    accuracy = make_provider("table", ProviderContext(0, device_name, oracle.space, Path(), options=given))
    accuracy.prepare()
    direct, whole = make_provider("layer_sum", context), make_provider("schedule", context)
    candidates: list[Candidate] = oracle.space.decode(points, designs=False)
    told = OracleProblem(oracle, GOAL).measure(points)
    wrong, ratios = 0, []
    found = zip(told, direct.measure(candidates), accuracy.measure(candidates), whole.measure(candidates), strict=True)
    for mine, cost, quality, exact in found:
        same = (
            not cost.broken and quality.metrics["accuracy"] == mine.metrics["accuracy"] and "latency_ms" in mine.metrics
        )
        if cost.broken:
            wrong += "latency_ms" in mine.metrics
            continue
        same = same and all(abs(mine.metrics[n] / cost.metrics[n] - 1) < 1e-9 for n in OBJECTIVES[1:])
        wrong += not same
        if exact.metrics:
            ratios.append([cost.metrics[name] / exact.metrics[name] for name in OBJECTIVES[1:]])
    lines = []
    for column, name in enumerate(OBJECTIVES[1:]):
        low, middle, high = np.percentile(np.array(ratios)[:, column], (0, 50, 100))
        lines.append(f"{name}: {low:.3f} to {high:.3f}, median {middle:.3f}")
    return wrong, lines


def spread(values: Sequence[float]) -> str:
    """Median and quartiles, in percent."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.2%} ({low:.2%} to {high:.2%})"


def knee_hardware(oracle: Oracle) -> Point:
    """A fixed accelerator as one would choose it beforehand: the fastest that fits, for the largest network."""
    kind = int(oracle.kind[row_of(("nor_conv_3x3",) * 6)])
    good = oracle.feasible()[kind]
    return oracle.hardware[int(np.nanargmin(np.where(good, oracle.latency_ms[kind], np.inf)))]


def opened(options: argparse.Namespace, names: Sequence[str]) -> tuple[Oracle, list[NDArray[np.int64]], Truth]:
    """The oracle of the options' table, data set and device, each kind's front, and the true front.

    Raises:
        SpecError: an unknown controller, a damaged table, an unknown device.
    """
    for name in names:
        CONTROLLERS.get(name, "--controllers")
    oracle = make_oracle(options.table, options.dataset, options.device)
    fronts = oracle.fronts()
    return oracle, fronts, Truth(oracle, fronts)


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--table", required=True)
    parser.add_argument("--dataset", default="cifar10", choices=("cifar10", "cifar100", "imagenet16"))
    parser.add_argument("--device", default="zynq7020")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--limit", type=int, default=3000, help="largest budget")
    parser.add_argument("--controllers", default="", help="only these, with commas between")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = tuple(options.controllers.split(",")) if options.controllers else CONTROLLERS.names()
    started = time.monotonic()
    try:
        oracle, fronts, truth = opened(options, names)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    seconds = time.monotonic() - started
    figures = [
        Figure("pairs enumerated", oracle.pairs, ">= 150,000,000", oracle.pairs >= 150_000_000),
        Figure("of these accelerators, that the device has room for", float(np.mean([not b for b in oracle.broken]))),
        Figure("enumeration, s", seconds, "<= 600", seconds <= 600),
        Figure("designs on the true front", len(truth.front)),
        Figure("networks among them", len(set(truth.pairs[:, 0].tolist()))),
        Figure("hypervolume, were equal computations equally accurate", truth.without_luck(oracle, fronts)),
    ]
    wrong, lines = differing(oracle, options.table, options.device, 200, options.seed)
    figures.append(Figure("pairs that differ from the provider layer_sum, of 200", wrong, "0", wrong == 0))
    figures += [
        Figure("layer_sum over schedule (whole programs), " + line.split(":")[0], line.split(": ")[1]) for line in lines
    ]
    stops = [stop for stop in BUDGETS[:3] if stop <= options.limit]
    told = [informed_shares(oracle, truth, fronts, stops, options.seed + number) for number in range(options.seeds)]
    for stop in stops:
        what = f"networks, a search that is told every computation's mean accuracy, after {stop:,}"
        figures.append(Figure(what, spread([shares[stop] for shares in told])))
    figures += race(oracle, truth, OracleProblem(oracle, GOAL, fronts), names, options)
    return show(f"race on NAS-Bench-201, {options.dataset}, {options.device}", figures, options.json)


def race(
    oracle: Oracle, truth: Truth, problem: OracleProblem, names: Sequence[str], options: argparse.Namespace
) -> list[Figure]:
    """Every controller under every driver."""
    seeds = range(options.seed, options.seed + options.seeds)
    figures: list[Figure] = []
    middle: dict[tuple[str, str, int], float] = {}

    def entrant(
        driver: str, name: str, title: str, given: dict[str, object], most: int, start: Sequence[Point] = ()
    ) -> None:
        budget = max((stop for stop in BUDGETS if stop <= min(options.limit, most)), default=min(options.limit, most))
        # A staged search divides its budget, so each budget is a search of its own.
        stops = [stop for stop in BUDGETS if stop <= budget] if driver == "staged" else [budget]
        runs = [Run({}, 0.0) for _ in seeds]
        for stop in stops:
            for place, seed in enumerate(seeds):
                done = run(oracle, truth, problem, driver, name, stop, seed, given, start=start)
                shares = {**runs[place].shares, **(done.shares if len(stops) == 1 else {stop: done.shares[stop]})}
                runs[place] = Run(shares, runs[place].seconds + done.seconds)
        for stop in runs[0].shares:
            values = [item.shares[stop] for item in runs]
            middle[title, name, stop] = float(np.median(values))
            figures.append(Figure(f"{title}, {name}, after {stop:,}", spread(values)))
        print(f"{title} {name}: {sum(item.seconds for item in runs):.0f} s", file=sys.stderr)

    ordered = ("random", *(name for name in names if name != "random"))
    for name in ordered:
        entrant("nested", name, "networks, nested", {}, min(SLOW.get(name, 3000), 1000))
    for name in ordered:
        entrant("ask_tell", name, "pairs, joint", {}, SLOW.get(name, 3000))
    fixed = knee_hardware(oracle)
    for name in [name for name in ("nsga2",) if name in names]:
        share: dict[str, object] = {"first_share": 0.5, "keep": 1}
        entrant("staged", name, "pairs, two-stage", share, 3000)
        entrant("staged", name, "pairs, separate", {"first_share": 0.5, "keep": 5}, 3000)
        alone: dict[str, object] = {"first_share": 1.0, "first_objectives": list(OBJECTIVES), "hardware": fixed}
        entrant("staged", name, "pairs, fixed accelerator", alone, 3000)
        # The fixed one is a good one, which enumeration has found: joint search, told the same, begins there.
        entrant("ask_tell", name, "pairs, joint from it", {}, 3000, [fixed] * GENERATION)
        entrant("alternate", name, "pairs, alternate", {}, 3000)
    return figures + bars(middle)


def bars(middle: dict[tuple[str, str, int], float]) -> list[Figure]:
    """What the medians have to reach."""
    figures = []

    def best(title: str, stop: int) -> tuple[float, str]:
        found = [(value, name) for (what, name, at), value in middle.items() if what == title and at == stop]
        return max(found, default=(float("nan"), "none"))

    for title, stop, bar in (
        ("networks, nested", 300, 0.99),
        ("networks, nested", 1000, 0.999),
        ("pairs, joint", 3000, 0.97),
    ):
        value, name = best(title, stop)
        if value == value:
            figures.append(Figure(f"best {title}, after {stop:,}: {name}", value, f">= {bar}", value >= bar))
    for title in ("networks, nested", "pairs, joint"):
        for name in LEARNERS:
            for stop in BUDGETS[1:]:
                mine, drawn = middle.get((title, name, stop)), middle.get((title, "random", stop))
                if mine is not None and drawn is not None:
                    what = f"{title}, {name} over random after {stop:,}"
                    figures.append(Figure(what, mine - drawn, "> 0", mine > drawn))
    for other in ("two-stage", "fixed accelerator", "separate"):
        for stop in BUDGETS[1:]:
            joint, theirs = middle.get(("pairs, joint", "nsga2", stop)), middle.get((f"pairs, {other}", "nsga2", stop))
            if joint is not None and theirs is not None:
                figures.append(
                    Figure(f"joint over {other}, nsga2, after {stop:,}", joint - theirs, "> 0", joint > theirs)
                )
    for stop in BUDGETS[1:]:  # a pair of the fixed accelerator is a network, too
        nested = middle.get(("networks, nested", "nsga2", stop))
        held = middle.get(("pairs, fixed accelerator", "nsga2", stop))
        if nested is not None and held is not None:
            what = f"nested over fixed accelerator, nsga2, after {stop:,} networks each"
            figures.append(Figure(what, nested - held, "> 0", nested > held))
    for stop in BUDGETS[1:]:
        begun = middle.get(("pairs, joint from it", "nsga2", stop))
        held = middle.get(("pairs, fixed accelerator", "nsga2", stop))
        if begun is not None and held is not None:
            what = f"joint begun at the fixed accelerator over it, nsga2, after {stop:,}"
            figures.append(Figure(what, begun - held, "> 0", begun > held))
    return figures


if __name__ == "__main__":
    sys.exit(main())
