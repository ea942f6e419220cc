"""Mechanisms of searches whose networks share weights."""

from __future__ import annotations

from dataclasses import fields
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from benchmarks.recipes_lines import Bench, Line, quarters
from benchmarks.recipes_runs import versus
from codesign.accuracy.data import load_dataset
from codesign.controllers.policy import PolicySearch
from codesign.providers.accuracy.supernet import corners_of
from codesign.recipe import Part, Recipe
from codesign.supernet.training import Trainer, TrainingOptions, measured

#: Networks drawn evenly that two ways of sharing are compared by.
_JUDGED = 90


def enas(bench: Bench) -> Line:
    """The policy draws what does better with the weights that it shares, and better when trained alone.

    Both comparisons train as many networks for as long: those that the same number of even draws, ranked by weights
    that even draws shared, leaves (the control: the policy is all that is missing), and networks drawn at random.
    """
    mine, drawn = bench.run(), bench.run(bench.recipe("control"))
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random")))
    policy = cast(PolicySearch, mine.controller())
    certain = policy.certainty()
    heard = quarters([told.outcome.metrics["accuracy"] for told in policy._archive.told])
    ours, control, random = (float(np.mean(run.values("accuracy"))) for run in (mine, drawn, even))
    text = (
        f"with shared weights its draws name {', '.join(f'{value:.2f}' for value in heard)} by quarter, certainty "
        f"{certain:.2f}; trained alone its networks name {ours:.3f} on average, those that even draws with shared "
        f"weights lead to {control:.3f}, random ones {random:.3f}"
    )
    figures = {"certainty": certain, "alone": ours, "even_shared": control, "random": random}
    found = versus(mine.recipe.goal, [mine], [even], share=1.0)
    return bench.line(text, certain > 0.2 and heard[-1] > heard[0] + 0.1 and ours > control, mine, even, figures, found)


def greedynas(bench: Bench) -> Line:
    """Good networks are served better by weights that greedy paths trained than by those of as many even paths.

    Networks are drawn evenly, unseen by either training; of these the better third by the sum of both accuracies, which
    favours neither, is compared in pairs. All of them are told beside it: the others are what greedy training gives up.
    """
    mine, even = bench.run(), bench.random()
    greedy, plain = (_shared(bench.recipe(variant)) for variant in ("reduced", "control"))
    top = np.argsort(-(greedy + plain), kind="stable")[: _JUDGED // 3]
    gap, p = float((greedy - plain)[top].mean()), float(wilcoxon(greedy[top], plain[top], alternative="greater").pvalue)
    text = (
        f"of {_JUDGED} even draws the better third names {greedy[top].mean():.3f} with its shared weights, "
        f"{plain[top].mean():.3f} with those of as many even paths (p = {p:.0e}); all {greedy.mean():.3f} and "
        f"{plain.mean():.3f}; the best {greedy.max():.3f} and {plain.max():.3f}"
    )
    worked = gap > 0 and p < 0.01 and greedy.max() > plain.max()
    return bench.line(text, worked, mine, even, {"gap": gap, "p": p, "best": greedy.max(), "even_best": plain.max()})


def _shared(recipe: Recipe) -> NDArray[np.float64]:
    """Held-out accuracies of networks that are drawn evenly, with the shared weights as the recipe trains them."""
    (part,) = [part for part in recipe.providers if part.name == "supernet"]
    given = {**part.given, "seed": recipe.seed}
    names = {field.name for field in fields(TrainingOptions)}
    how = TrainingOptions(**{name: value for name, value in given.items() if name in names})
    corners, data = corners_of(recipe.space), load_dataset(recipe.space.network.dataset)
    trainer = Trainer(corners, data, how)
    trainer.run()
    rng = np.random.default_rng(1_000_003)
    drawn = [corners.workload_at(corners.space.draw(rng)) for _ in range(_JUDGED)]
    return np.array([measured(trainer.network, workload, data, "held_out", 256) for workload in drawn])
