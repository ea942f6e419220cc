"""Mechanisms of searches that know something beforehand: an order of networks, an expert's topology, a way to cut."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_runs import MORE_PAIRS, PAIRS, Versus, opened, paired
from codesign.controllers.ordered import LazyGreedy, PartialOrder
from codesign.explorer.problem import SearchProblem
from codesign.objectives.front import nondominated, scaled_costs
from codesign.recipe import Part

#: Ruled out networks that are measured after all.
_JUDGED = 60


def partial_order(bench: Bench) -> Line:
    """Of what the order ruled out hardly anything would have stood on the front, of other unseen networks more."""
    mine, even = bench.run(), bench.random()
    controller = cast(PartialOrder, mine.controller())
    rng = np.random.default_rng(bench.seed)
    ruled = controller.ruled_out
    chosen = [ruled[int(place)] for place in rng.permutation(len(ruled))[:_JUDGED]]
    told = [outcome for outcome in mine.outcomes if outcome.feasible]
    goal = mine.recipe.goal
    known = scaled_costs(goal, told)
    with opened(mine.recipe) as steps:
        measured = SearchProblem(mine.recipe.space, goal, steps).measure(chosen)
    fine = scaled_costs(goal, [outcome for outcome in measured if outcome.feasible])
    hits = [len(known) in nondominated(np.vstack([known, row])) for row in fine]
    missed = float(np.mean(hits)) if hits else float("nan")
    asked = range(len(told) // 4, len(told))
    stood = float(np.mean([row in nondominated(known[: row + 1]) for row in asked]))
    text = (
        f"{len(ruled)} of {len(ruled) + len(mine.trials)} candidates were ruled out; of {len(chosen)} of these "
        f"{missed:.0%} would have stood on the front, of those measured {stood:.0%} did when they were"
    )
    worked = len(ruled) > 20 and missed < stood / 2
    return bench.line(text, worked, mine, even, {"ruled_out": len(ruled), "missed": missed, "stood": stood})


def rcas(bench: Bench) -> Line:
    """Most candidates of a step are not measured again, and the network that grew is ahead of drawn ones."""
    mine, even = bench.run(), bench.random()
    controller = cast(LazyGreedy, mine.controller())
    share = controller.measured / max(controller.candidates, 1)
    text = (
        f"{controller.steps} steps with {controller.candidates} candidates, of which {controller.measured} "
        f"({share:.0%}) were measured"
    )
    worked = controller.steps >= 5 and share < 0.8
    return bench.line(text, worked, mine, even, {"steps": controller.steps, "measured": share})


def irlas(bench: Bench) -> Line:
    """Late networks are nearer the expert's than the same search's without the likeness; what that costs is told."""
    seeds = [replace(bench, seed=bench.seed + place) for place in range(PAIRS)]
    plain = Part("weighted_sum", (("weights", {"accuracy": 1.0, "expert_distance": 0.0}),))
    runs = [each.run() for each in seeds], [each.run(each.recipe(reward=plain)) for each in seeds]

    def late(metric: str) -> list[list[float]]:
        return [[float(run.values(metric)[len(run.trials) // 2 :].mean()) for run in group] for group in runs]

    (near, far), (guided, alone) = late("expert_distance"), late("accuracy")
    nearer, p = paired([-distance for distance in near], [-distance for distance in far])
    mine, even = runs[0][0], bench.random()
    drawn = float(even.values("expert_distance").mean())
    text = (
        f"over {PAIRS} seeds late networks are {np.mean(near):.2f} from the expert's, without the likeness "
        f"{np.mean(far):.2f} (nearer in {nearer:.0%}, p = {p:.0e}), drawn ones {drawn:.2f}; they name "
        f"{np.mean(guided):.3f}, without it {np.mean(alone):.3f}"
    )
    figures = {"distance": float(np.mean(near)), "alone_distance": float(np.mean(far)), "random_distance": drawn}
    figures |= {"guided": float(np.mean(guided)), "alone": float(np.mean(alone)), "p": p}
    return bench.line(text, p < 0.01, mine, even, figures)


def mobilenet_v3(bench: Bench) -> Line:
    """A search and then cuts lead to a better network at the limit than the search alone for as many measurements."""
    seeds = [replace(bench, seed=bench.seed + place) for place in range(MORE_PAIRS)]
    runs = [each.run() for each in seeds]
    alone = [each.run(each.recipe(driver=Part("ask_tell"))) for each in seeds]
    found, others = ([float(run.values("accuracy").max()) for run in group] for group in (runs, alone))
    chance, p = paired(found, others)
    mine, even = runs[0], bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random")))
    gain = float(np.mean(found) - np.mean(others))
    cuts = sum(trial.phase != "search" for trial in mine.trials)
    text = (
        f"{cuts} proposals of cuts after {len(mine.trials) - cuts} of the search; over {MORE_PAIRS} seeds the best "
        f"accuracy within the limit is {gain:+.3f} from that of the search alone, ahead in {chance:.0%} (p = {p:.0e})"
    )
    return bench.line(text, gain > 0, mine, even, {"gain": gain, "ahead": chance, "p": p}, Versus(chance, p))
