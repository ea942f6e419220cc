"""Mechanisms of searches that move one distribution a decision; the control of each draws evenly and learns nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_runs import Run
from codesign.controllers.distributions import Agents, NaturalGradient, Pruned

#: Distributions that a distribution's gain is compared with.
_DRAWN = 20_000


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


def gained(shares: Mapping[str, NDArray[np.float64]], worths: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    """What the shares gain over even ones, summed over decisions in accuracy by even draws; how likely by chance.

    The chance is that of shares whose owners within each decision are drawn: sharp ones gain as easily as they lose.
    Ranks of all choices would count those that the search gave up early as much as those that it came to.
    """
    rng, gain = np.random.default_rng(0), 0.0
    chance = np.zeros(_DRAWN)
    for name, worth in worths.items():
        value, share = np.nan_to_num(np.array(worth)), np.asarray(shares[name])
        gain += float(share @ value)
        chance += rng.permuted(np.tile(value, (_DRAWN, 1)), axis=1) @ share
    return gain, float((1 + (chance >= gain).sum()) / (1 + _DRAWN))


def asng(bench: Bench) -> Line:
    """Shares have grown where choices are worth more by draws that the search never saw, and the step has adapted."""
    mine, even = bench.run(), bench.random()
    controller = cast(NaturalGradient, mine.controller())
    gain, p = gained(controller.shares, _worth(even))
    text = (
        f"certainty {controller.certainty():.2f}; by what even draws say of choices its shares gain {gain:+.3f} "
        f"accuracy over even ones (p = {p:.0e}); step from 0.30 to {controller.step:.3f}"
    )
    return bench.line(text, p < 0.01, mine, even, {"gain": gain, "p": p, "step": controller.step})


def manas(bench: Bench) -> Line:
    """Agents that see one loss in common end with shares that go with what each choice is worth by itself."""
    mine, even = bench.run(), bench.random()
    controller = cast(Agents, mine.controller())
    gain, p = gained(controller.shares, _worth(even))
    text = (
        f"{len(controller.shares)} agents, certainty {controller.certainty():.2f}; by what even draws say of choices "
        f"their shares gain {gain:+.3f} accuracy over even ones (p = {p:.0e})"
    )
    return bench.line(text, p < 0.01, mine, even, {"gain": gain, "p": p, "certainty": controller.certainty()})


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
