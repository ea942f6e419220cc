"""What a mechanism of `recipes.py` is told and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.recipes_runs import Run, Versus, at_random, run, standing, versus
from codesign.recipe import Part, Recipe, load_recipe


@dataclass(frozen=True)
class Line:
    """One recipe.

    Attributes:
        recipe: its name.
        mechanism: the figure that shows that its own mechanism worked, in words.
        figures: the same as numbers.
        best, random_best: best reward, or first objective, of it and of random search.
        ahead: chance that a late proposal is better than a random one.
        met: the mechanism's own figure is as it must be, and it is told apart from random search.
        seconds: of all its runs.
    """

    recipe: str
    mechanism: str
    figures: dict[str, float]
    best: float
    random_best: float
    ahead: float
    met: bool
    seconds: float = 0.0


@dataclass(frozen=True)
class Bench:
    """Runs a recipe's variants.

    Attributes:
        name: of the recipe.
        seed: of every run.
        table: path of NAS-Bench-201's accuracies.
        size: share of a variant's trials that are made.
    """

    name: str
    seed: int
    table: str
    size: float = 1.0

    def recipe(self, variant: str = "reduced", **changes: Any) -> Recipe:
        """A variant with this seed and table."""
        loaded = load_recipe(f"{self.name}:{variant}", {"seed": self.seed})
        placed = tuple(self._placed(part) for part in loaded.providers)
        made = {"trials": max(1, round(self.size * loaded.trials))} | changes
        return replace(loaded, providers=placed, **made).check(f"recipe {self.name}:{variant}")

    def _placed(self, part: Part) -> Part:
        if part.name != "table":
            return part
        return Part(part.name, (*(item for item in part.options if item[0] != "file"), ("file", self.table)))

    def run(self, recipe: Recipe | None = None) -> Run:
        """The reduced form, or another recipe."""
        return run(recipe or self.recipe())

    def random(self, recipe: Recipe | None = None) -> Run:
        """Random search at the same budget."""
        return run(at_random(recipe or self.recipe()))

    def line(
        self,
        mechanism: str,
        worked: bool,
        mine: Run,
        even: Run,
        figures: dict[str, float],
        against: Versus | None = None,
    ) -> Line:
        """The answer: met where the mechanism worked and the method is told apart from random search."""
        found = against or versus(mine.recipe.goal, [mine], [even])
        met = bool(worked) and found.told_apart
        plain = {name: float(value) for name, value in figures.items()}
        return Line(self.name, mechanism, plain, float(mine.best()), float(even.best()), found.chance, met)


def quarters(values: Sequence[float] | NDArray[np.float64]) -> list[float]:
    """Means of the four quarters of a run."""
    return [float(np.mean(part)) for part in np.array_split(np.asarray(values, np.float64), 4)]


def refused(item: Run) -> NDArray[np.float64]:
    """1 for each trial that breaks a bound."""
    return np.array([not outcome.feasible for outcome in item.outcomes], np.float64)


def scores(item: Run) -> NDArray[np.float64]:
    """Standing of each trial among those of its run."""
    return standing(item.recipe.goal, item.outcomes)
