"""Mechanisms of ways to draw the networks that share a training step."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr, wilcoxon

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_shared import JUDGED, judged, trained
from codesign.supernet.training import Trainer, measured

#: Trainings that two rules are compared by.
_SEEDS = 5


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


def sandwich(bench: Bench) -> Line:
    """Both ends of the space do better where every step trains them than where as many even draws share a step.

    That is what the rule is for: what lies between is bounded by the ends. The control has the passes and the updates;
    which networks a step trains, and who teaches them, is all that differs. Paired over seeds and ends. How networks
    between the ends do, and what one even path a step comes to in as many passes (more updates), is told beside it.
    """
    mine, even = bench.run(), bench.random()
    seeds = [replace(bench, seed=bench.seed + place) for place in range(_SEEDS)]
    ours, several = ([trained(each.recipe(variant)) for each in seeds] for variant in ("reduced", "control"))
    paths = trained(bench.recipe("paths"))
    mine_ends, their_ends = (np.array([_ends(trainer) for trainer in some]) for some in (ours, several))
    p = float(wilcoxon(mine_ends.ravel(), their_ends.ravel(), alternative="greater").pvalue)
    (largest, smallest), (drawn_largest, drawn_smallest) = mine_ends.mean(0), their_ends.mean(0)
    between = [float(judged(trainer).mean()) for trainer in (ours[0], several[0], paths)]
    path_ends = _ends(paths)
    text = (
        f"over {_SEEDS} trainings the largest network names {largest:.3f}, the smallest {smallest:.3f}, where as many "
        f"even draws share a step {drawn_largest:.3f} and {drawn_smallest:.3f} (p = {p:.0e}); {JUDGED} even draws "
        f"{between[0]:.3f} and {between[1]:.3f}; with as many passes of one even path each the ends name "
        f"{path_ends[0]:.3f} and {path_ends[1]:.3f}, even draws {between[2]:.3f}"
    )
    better = largest > drawn_largest and smallest > drawn_smallest
    figures = {"p": p, "largest": largest, "smallest": smallest}
    figures |= {"drawn_largest": drawn_largest, "drawn_smallest": drawn_smallest}
    figures |= dict(zip(("between", "drawn_between", "paths_between"), between, strict=True))
    return bench.line(text, better and p < 0.01, mine, even, figures)


def _ends(trainer: Trainer) -> tuple[float, float]:
    """Held-out accuracies of the largest and of the smallest network, with the shared weights."""
    largest, smallest = (
        measured(trainer.network, trainer.corners.workload_at(point), trainer.data, "held_out", 256)
        for point in (trainer.corners.largest, trainer.corners.smallest)
    )
    return largest, smallest
