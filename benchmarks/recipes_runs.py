"""Runs of recipes for `recipes.py`: in memory, controllers at hand, and how one run is told from another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, wilcoxon

from benchmarks.oracle_space import Memory
from codesign.controllers.controller import Controller
from codesign.decisions import Choice, DecisionSpace, Point
from codesign.drivers.base import Driver, DriverContext, Trial
from codesign.drivers.pooled import Pooled
from codesign.drivers.registry import DRIVERS
from codesign.explorer.problem import SearchProblem, Step
from codesign.explorer.search import controller_maker, search, tally
from codesign.objectives import Goal, Outcome
from codesign.objectives.front import nondominated, scaled_costs
from codesign.providers.base import ProviderContext
from codesign.providers.registry import PROVIDERS, make_provider
from codesign.recipe import Part, Recipe
from mappings.yamlio import digest

#: Seeds of a paired comparison: so many wins without a loss have p < 0.01.
PAIRS = 8
#: The same where trainings are noisy: 14 wins have p < 0.01.
MORE_PAIRS = 16
#: What dear providers measured, by space and seed: runs of one process share it.
_MEASURED: dict[str, dict[Any, Any]] = {}


@contextmanager
def opened(recipe: Recipe) -> Iterator[list[Step]]:
    """The providers of a recipe, prepared, in this process."""
    steps = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for part in recipe.providers:
            entry = PROVIDERS.get(part.name)
            context = ProviderContext(recipe.seed, recipe.device, recipe.space, Path(folder), 0, part.given)
            provider = make_provider(part.name, context)
            if hasattr(provider, "__exit__"):
                stack.push(provider.__exit__)
            provider.prepare()
            told = digest([part.name, str(entry.checked(part.given, part.name)), recipe.seed, recipe.space.digest])
            steps.append(Step(part.name, entry, provider, _MEASURED.setdefault(told, {}) if entry.dear else {}))
        yield steps


@dataclass(frozen=True, eq=False)
class Run:
    """What became of one recipe.

    Attributes:
        recipe: as run.
        trials: in order.
        controllers: that were made, by part of the space, each part's in order.
        steps: the providers, with what they measured.
        problem: what was searched, still open to questions that need no provider.
        driver: that searched it.
    """

    recipe: Recipe
    trials: list[Trial]
    controllers: list[tuple[str, Controller]]
    steps: list[Step]
    problem: SearchProblem
    driver: Driver

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """Of the full measurements."""
        return [trial.told.outcome for trial in self.trials if trial.fidelity == 1.0]

    def controller(self, part: str = "") -> Controller:
        """The last one made for a part."""
        return [made for name, made in self.controllers if name == part][-1]

    @property
    def trained(self) -> int:
        """Networks that a dear provider measured."""
        return tally(self.recipe, self.trials).trained

    def values(self, metric: str) -> NDArray[np.float64]:
        """A metric of the feasible full measurements, in order."""
        return np.array([o.metrics[metric] for o in self.outcomes if o.feasible and metric in o.metrics])

    def best(self) -> float:
        """The best reward of a feasible trial, or the best of the first objective."""
        goal = self.recipe.goal
        fine = [outcome for outcome in self.outcomes if outcome.feasible]
        if not fine:
            return float("nan")
        if goal.reward is not None:
            return max(goal.reward(outcome.metrics) for outcome in fine)
        values = [outcome.metrics[goal.objectives[0]] for outcome in fine]
        return max(values) if goal.metrics[0].maximize else min(values)


def run(recipe: Recipe) -> Run:
    """Run a recipe."""
    journal, made = Memory(), list[tuple[str, Controller]]()
    maker = controller_maker(recipe, recipe.trials)

    def make(part: str, space: DecisionSpace, goal: Goal) -> Controller:
        controller = maker(part, space, goal)
        made.append((part, controller))
        return controller

    with opened(recipe) as steps:
        problem = SearchProblem(recipe.space, recipe.goal, steps)
        driver = search(recipe, problem, journal, recipe.trials, make=make)
    return Run(recipe, list(journal), made, steps, problem, driver)


def worth(recipe: Recipe) -> dict[str, dict[Choice, float]]:
    """What the driver "pooled" finds each choice of each operator to be worth on the recipe's hardware."""
    with opened(recipe) as steps:
        problem = SearchProblem(recipe.space, recipe.goal, steps)
        maker = controller_maker(recipe, recipe.trials)
        options = DRIVERS.get("pooled").checked(recipe.driver.given, "driver")
        driver = Pooled()
        driver.pool(DriverContext(problem, maker, Memory(), recipe.trials, recipe.batch, recipe.seed, options=options))
        return driver.worth


def exactly(recipe: Recipe, points: Sequence[Point]) -> list[float]:
    """Latencies of designs by the exact program, ms."""
    with tempfile.TemporaryDirectory() as folder:
        context = ProviderContext(recipe.seed, recipe.device, recipe.space, Path(folder), 0, {})
        found = make_provider("schedule", context).measure(recipe.space.decode(points, designs=False))
    return [item.metrics["latency_ms"] for item in found]


def at_random(recipe: Recipe) -> Recipe:
    """The same recipe with every decision drawn evenly."""
    return replace(recipe, controller=Part("random"), controllers=())


def standing(goal: Goal, outcomes: Sequence[Outcome]) -> NDArray[np.float64]:
    """How good each outcome is among all of them [n], larger is better; what breaks bounds is below all that does not.

    The reward where the goal has one, else how many fronts have to be taken off until it is on one.
    """
    out = np.array([-1e6 - outcome.violation for outcome in outcomes])
    fine = np.flatnonzero([outcome.feasible for outcome in outcomes])
    if goal.reward is not None:
        out[fine] = [goal.reward(outcomes[place].metrics) for place in fine]
        return out
    costs, left, level = scaled_costs(goal, outcomes), fine, 0
    while len(left):
        rows = set(nondominated(costs[left]))
        equal = {tuple(costs[left[row]]) for row in rows}  # of equal rows one is named; all stand alike
        taken = np.array([tuple(costs[place]) in equal for place in left])
        out[left[taken]] = -float(level)
        left, level = left[~taken], level + 1
    return out


@dataclass(frozen=True)
class Versus:
    """Later proposals of a method against a random search's, both judged by the method's goal.

    Attributes:
        chance: that a late proposal is better than a random one (ties count half).
        p: one-sided p-value that it is no better (Mann 1947).
    """

    chance: float
    p: float

    @property
    def told_apart(self) -> bool:
        """Clearly better than random."""
        return self.chance >= 0.6 and self.p < 0.01


def versus(goal: Goal, runs: Sequence[Run], randoms: Sequence[Run], share: float = 0.5) -> Versus:
    """The last ``share`` of each run's full measurements against all of the random searches'."""
    late, even = list[Outcome](), list[Outcome]()
    for item in runs:
        late += item.outcomes[round(len(item.outcomes) * (1 - share)) :]
    for item in randoms:
        even += item.outcomes
    rated = standing(goal, [*late, *even])
    test = mannwhitneyu(rated[: len(late)], rated[len(late) :], alternative="greater")
    return Versus(float(test.statistic) / (len(late) * len(even)), float(test.pvalue))


def paired(mine: list[float], control: list[float]) -> tuple[float, float]:
    """Share of pairs in which the first is ahead (ties count half), and the one-sided p-value that it is not."""
    gaps = np.array(mine) - np.array(control)
    chance = float((gaps > 0).mean() + 0.5 * (gaps == 0).mean())
    return chance, float(wilcoxon(gaps, alternative="greater").pvalue) if gaps.any() else 1.0
