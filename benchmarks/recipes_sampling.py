"""Mechanisms of ways to draw the networks that share a training step."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.stats import spearmanr

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_shared import trained
from codesign.supernet.training import Trainer, measured


def fairnas(bench: Bench) -> Line:
    """No choice is trained more often than another; weights that were trained so rank networks as training each alone.

    The control has as many passes of evenly drawn paths.
    """
    mine, even, alone = bench.run(), bench.random(), bench.run(bench.recipe("alone"))
    ranks, unfair = [], []
    for variant in ("reduced", "control"):
        recipe = bench.recipe(variant)
        (part,) = [part for part in recipe.providers if part.name == "supernet"]
        trainer = trained(recipe)
        unfair.append(_imbalance(trainer, int(part.given["steps"])))
        drawn = [trainer.corners.workload_at(trial.told.point) for trial in alone.trials]
        shared = [measured(trainer.network, workload, trainer.data, "held_out", 256) for workload in drawn]
        ranks.append(spearmanr(shared, alone.values("accuracy"), alternative="greater"))
    fair, plain = ranks
    text = (
        f"the most and the least trained choice of a decision differ by {unfair[0]} passes, with as many even paths by "
        f"{unfair[1]}; {len(alone.trials)} networks trained alone rank as with its shared weights with correlation "
        f"{fair.statistic:.2f} (p = {fair.pvalue:.0e}), with those of even paths {plain.statistic:.2f}"
    )
    figures = {
        "imbalance": unfair[0],
        "even_imbalance": unfair[1],
        "spearman": fair.statistic,
        "p": fair.pvalue,
        "even_spearman": plain.statistic,
    }
    return bench.line(text, unfair[0] <= 1 < unfair[1] and fair.pvalue < 0.01, mine, even, figures)


def _imbalance(trainer: Trainer, steps: int) -> int:
    """Passes by which the most trained choice of a decision is ahead of its least trained, at most of any decision."""
    points = [point for step in range(steps) for point in trainer._plan(step).points]
    most = 0
    for decision in trainer.corners.space.choices:
        counts = Counter(point[decision.name] for point in points)
        told = [counts[choice] for choice in decision.choices]
        most = max(most, int(np.ptp(told)))
    return most
