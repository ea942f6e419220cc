"""Mechanisms of searches that begin with what earlier ones have learned."""

from __future__ import annotations

import numpy as np
from scipy.stats import mannwhitneyu

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_runs import Run
from codesign.recipe import Part


def carried(bench: Bench) -> Line:
    """The first networks of the new task are better than where the same search begins anew there.

    Random search has the new task's measurements alone: those of the small task are what the method pays beforehand.
    """
    recipe = bench.recipe()
    given = dict(recipe.driver.given)
    mine = bench.run(recipe)
    anew = bench.run(bench.recipe(driver=Part("carried", tuple({**given, "carry": False}.items()))))
    left = recipe.trials - int(given["first_trials"])
    even = bench.random(bench.recipe(driver=Part("ask_tell"), trials=left))
    begun, cold = _first(mine), _first(anew)
    p = float(mannwhitneyu(begun, cold, alternative="greater").pvalue)
    text = (
        f"the first {len(begun)} networks on the new task name {begun.mean():.3f}, "
        f"{cold.mean():.3f} where nothing is carried over (p = {p:.0e})"
    )
    figures = {"begun": float(begun.mean()), "anew": float(cold.mean()), "p": p, "best_anew": anew.best()}
    return bench.line(text, p < 0.01, mine, even, figures)


def _first(item: Run) -> np.ndarray:
    """Accuracies of the first quarter of the new task's measurements."""
    values = item.values("accuracy")
    return values[: len(values) // 4]
