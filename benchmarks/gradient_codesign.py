"""Network and hardware together by gradient: regret to the enumerated optimum of both, for `gradient.py`.

Every network of a small space is trained, and priced on every accelerator by the exact program: the best pair is known.
What is compared is how the hardware reaches the gradient: an evaluator network (DANCE), a Gumbel-softmax over exact
prices of every single change, the exact price of the drawn pair alone (DNA).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Figure
from benchmarks.recipes_runs import Run, run
from codesign.decisions import Decision, Point
from codesign.objectives import Outcome
from codesign.recipe import Part, Recipe, load_recipe
from codesign.spaces.search_space import HARDWARE_GROUPS, NETWORK_GROUPS

METHODS = {
    "DANCE's evaluator": {"cost": "evaluator"},
    "Gumbel over the exact table": {"cost": "conditional", "refresh": 1},
    "price of the drawn pair": {"cost": "sampled", "steps": 300},
}
#: Regret that a method may have at most.
_MOST = 0.05


def _points(decisions: tuple[Decision, ...]) -> list[Point]:
    names = [d.name for d in decisions]
    return [dict(zip(names, values, strict=True)) for values in product(*(d.choices for d in decisions))]


def enumerated(recipe: Recipe) -> NDArray[np.float64]:
    """Rewards of every network on every accelerator [networks, accelerators]; not a number where it does not fit."""
    assert recipe.goal.reward is not None
    networks = _points(recipe.space.decisions.of_groups(*NETWORK_GROUPS).choices)
    machines = _points(recipe.space.decisions.of_groups(*HARDWARE_GROUPS).choices)
    found: Run | None = None
    for machine in machines:  # one that takes every network, so that each is trained
        start = tuple(tuple({**network, **machine}.items()) for network in networks)
        plain = {"driver": Part("ask_tell"), "controller": Part("random"), "start": start}
        asked = replace(recipe, **plain, trials=len(start), batch=len(start))  # type: ignore[arg-type]
        found = run(asked)
        if all(outcome.feasible for outcome in found.outcomes):
            break
    assert found is not None
    accuracy = {
        tuple(trial.told.point[name] for name in networks[0]): trial.told.outcome.metrics["accuracy"]
        for trial in found.trials
    }
    out = np.full((len(networks), len(machines)), np.nan)
    for row, network in enumerate(networks):
        for column, outcome in enumerate(found.problem.price(network, machines)):
            if outcome.feasible:
                told = Outcome({**outcome.metrics, "accuracy": accuracy[tuple(network.values())]})
                out[row, column] = recipe.goal.reward(told.metrics)
    return out


def regrets(seed: int, searches: int) -> list[Figure]:
    """One figure a method."""
    recipe = load_recipe("dance:reduced", {"seed": seed, "trials": searches})
    assert recipe.goal.reward is not None
    table = enumerated(recipe)
    fitting = table[np.isfinite(table)]
    best = float(fitting.max())
    drawn = float(np.mean(1 - fitting / best))
    figures = [Figure(f"best reward of {table.size:,} pairs of network and accelerator", best)]
    for name, changes in METHODS.items():
        driver = Part("relaxed", tuple((dict(recipe.driver.options) | changes).items()))
        told = run(replace(recipe, driver=driver))
        rewards = [recipe.goal.reward(outcome.metrics) for outcome in told.outcomes if outcome.feasible]
        regret = float(np.mean([1 - value / best for value in rewards]))
        above = float(np.mean([(fitting > value).mean() for value in rewards]))
        peer = f"{drawn:.3f}: drawn evenly; {above:.2%} of all pairs are better"
        met = len(rewards) == searches and regret <= _MOST
        figures.append(Figure(f"{name}: mean regret of {searches} searches", regret, f"at most {_MOST}", met, peer))
    return figures
