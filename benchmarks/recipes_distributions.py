"""Mechanisms of searches that move one distribution a decision; the control of each draws evenly and learns nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from scipy.stats import mannwhitneyu, spearmanr

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_runs import Run
from codesign.controllers.distributions import Agents, NaturalGradient, Pruned


def _worth(even: Run) -> dict[str, list[float]]:
    """What each choice of each decision is worth by even draws: its mean accuracy less that of its decision."""
    out = {}
    for decision in even.recipe.space.decisions.choices:
        told: dict[object, list[float]] = {choice: [] for choice in decision.choices}
        for trial in even.trials:
            if decision.name in trial.told.point:
                told[trial.told.point[decision.name]].append(trial.told.outcome.metrics["accuracy"])
        means = [float(np.mean(values)) if values else np.nan for values in told.values()]
        out[decision.name] = [mean - float(np.nanmean(means)) for mean in means]
    return out


def _searched(bench: Bench) -> list[tuple[Run, Run]]:
    """The search and even draws of three seeds: one search is too few choices to tell a correlation from luck."""
    seeds = [replace(bench, seed=bench.seed + place) for place in range(3)]
    return [(each.run(), each.random()) for each in seeds]


def _agreement(runs: list[tuple[Run, Run]]) -> tuple[float, float]:
    """Rank correlation, and its p-value, of what choices' shares grew by with what they are worth by even draws."""
    grown, worth = list[float](), list[float]()
    for mine, even in runs:
        controller = cast(NaturalGradient | Agents, mine.controller())
        grown += [float(share) * len(shares) for shares in controller.shares.values() for share in shares]
        worth += [value for values in _worth(even).values() for value in values]
    found = spearmanr(grown, worth, alternative="greater")
    return float(found.statistic), float(found.pvalue)


def asng(bench: Bench) -> Line:
    """Shares have grown where choices are worth more by draws that the search never saw, and the step has adapted."""
    runs = _searched(bench)
    (mine, even), (rank, p) = runs[0], _agreement(runs)
    controller = cast(NaturalGradient, mine.controller())
    text = (
        f"certainty {controller.certainty():.2f}; over {len(runs)} seeds shares go with what even draws say of "
        f"choices: {rank:.2f} (p = {p:.0e}); step from 0.30 to {controller.step:.3f}"
    )
    return bench.line(text, p < 0.01, mine, even, {"spearman": rank, "p": p, "step": controller.step})


def manas(bench: Bench) -> Line:
    """Agents that see one loss in common end with shares that go with what each choice is worth by itself."""
    runs = _searched(bench)
    (mine, even), (rank, p) = runs[0], _agreement(runs)
    controller = cast(Agents, mine.controller())
    text = (
        f"{len(controller.shares)} agents, certainty {controller.certainty():.2f}; over {len(runs)} seeds shares go "
        f"with what even draws say of choices: {rank:.2f} (p = {p:.0e})"
    )
    return bench.line(text, p < 0.01, mine, even, {"spearman": rank, "p": p, "certainty": controller.certainty()})


def ddpnas(bench: Bench) -> Line:
    """What was pruned is worth less, by draws that the search never saw, than what is left."""
    mine, even = bench.run(), bench.random()
    controller, worth = cast(Pruned, mine.controller()), _worth(even)
    cut = [worth[name][place] for name, places in controller.cut.items() for place in places]
    left = [
        value for name, values in worth.items() for at, value in enumerate(values) if at not in controller.cut[name]
    ]
    p = float(mannwhitneyu(left, cut, alternative="greater").pvalue)
    gap = float(np.mean(left) - np.mean(cut))
    text = f"{len(cut)} choices pruned, {len(left)} left, worth {gap:.3f} more accuracy by even draws (p = {p:.0e})"
    return bench.line(text, p < 0.01, mine, even, {"pruned": len(cut), "left": len(left), "gap": gap, "p": p})
