"""Mechanisms of ways to draw the networks that share a training step."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.stats import spearmanr, wilcoxon

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_shared import JUDGED, judged, trained
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


def beside_several(bench: Bench) -> Line:
    """Networks do better with weights that were trained so than where as many evenly drawn networks share each step.

    The control has the passes and nearly the updates, as where the rules were published: which networks a step trains,
    and who teaches them, is all that differs. Networks are drawn evenly and compared in pairs. Both ends of the space,
    and what as many passes of one even path each lead to (more updates, of fewer networks each), are told beside it.
    """
    mine, even = bench.run(), bench.random()
    trainers = [trained(bench.recipe(variant)) for variant in ("reduced", "control", "paths")]
    ours, several, paths = (judged(trainer) for trainer in trainers)
    corners = trainers[0].corners
    ends = [
        [measured(trainer.network, corners.workload_at(point), trainer.data, "held_out", 256) for trainer in trainers]
        for point in (corners.largest, corners.smallest)
    ]
    p = float(wilcoxon(ours, several, alternative="greater").pvalue)
    text = (
        f"{JUDGED} even draws name {ours.mean():.3f} with its shared weights, {several.mean():.3f} where as many even "
        f"draws share a step (p = {p:.0e}); the largest {ends[0][0]:.3f} and {ends[0][1]:.3f}, the smallest "
        f"{ends[1][0]:.3f} and {ends[1][1]:.3f}; with as many passes of one even path each {paths.mean():.3f}, "
        f"{ends[0][2]:.3f}, {ends[1][2]:.3f}"
    )
    figures = {"ours": ours.mean(), "several": several.mean(), "p": p, "paths": paths.mean()}
    for name, found in zip(("largest", "smallest"), ends, strict=True):
        figures |= {f"{name}_ours": found[0], f"{name}_several": found[1], f"{name}_paths": found[2]}
    return bench.line(text, p < 0.01, mine, even, figures)
