"""Mechanisms of searches for networks that give maps: a class a pixel, or boxes. Scenes are small, trainings short."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import cast

import numpy as np
from scipy.stats import mannwhitneyu, spearmanr

from benchmarks.recipes_lines import Bench, Line, quarters
from benchmarks.recipes_runs import Run, Versus, paired, versus
from codesign.controllers.near_best import NearBest
from codesign.controllers.policy import PolicySearch
from codesign.controllers.proposals import key_of
from codesign.drivers.routes import Found, Routes
from codesign.drivers.stopped import Stopped
from codesign.recipe import Part
from codesign.spaces.network.routed import END, START
from codesign.spaces.network.trellis import TrellisSpace

#: Networks that are trained with and without supervised sums.
_PAIRED = 12


def _drawn(bench: Bench, count: int) -> Run:
    """So many networks drawn evenly from all, of which those within the limits stay."""
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random"), trials=count, batch=count))
    return replace(even, trials=[trial for trial in even.trials if trial.told.outcome.feasible])


def auto_deeplab(bench: Bench) -> Line:
    """The derived path is the likeliest of all paths, and what it gives is ahead of even draws and of paths of chances
    that did not learn."""
    mine = bench.run()
    given = {**mine.recipe.driver.given, "learned": False}
    unlearned = bench.run(replace(mine.recipe, driver=Part("routes", tuple(given.items()))))
    even = _drawn(bench, 20)
    gaps = [_behind(cast(TrellisSpace, mine.recipe.space.network), item) for item in cast(Routes, mine.driver).found]
    ours, control, random = (float(np.mean(run.values("accuracy"))) for run in (mine, unlearned, even))
    paths = {str(trial.told.point["path"]) for trial in mine.trials}
    text = (
        f"derived paths ({', '.join(sorted(paths))}) are the likeliest of all; trained alone their networks have a "
        f"mIoU of {ours:.3f}, those of unlearned chances {control:.3f}, {len(even.trials)} even draws {random:.3f}"
    )
    figures = {"behind_likeliest": max(gaps), "ours": ours, "unlearned": control, "random": random}
    found = versus(mine.recipe.goal, [mine], [even], share=1.0)
    return bench.line(text, max(gaps) < 1e-6 and ours > control, mine, even, figures, found)


def _behind(space: TrellisSpace, found: Found) -> float:
    """How far the logarithm of the derived network's chance is below that of the likeliest, by going through all."""
    best = -math.inf
    for path in space.paths:
        blocks = [f"l{place}s{level}" for place, level in enumerate(path, 1)]
        score = sum(
            math.log(float(found.shares.edges[source][space.successors(source).index(target)]))
            for source, target in pairwise((START, *blocks, END))
        )
        score += sum(
            math.log(float(found.shares.operators[layer].max())) for block in blocks for layer in space.layers_of(block)
        )
        best = max(best, score)
    return best - found.route.score


def squeezenas(bench: Bench) -> Line:
    """Every derived network is under the limit by the exact model, and ahead of even draws that are."""
    mine, even = bench.run(), _drawn(bench, 60)
    limit = dict(mine.recipe.limits)["latency_ms"]
    spent = [float(value) / limit for value in mine.values("latency_ms")]
    within = float(np.mean([outcome.feasible for outcome in mine.outcomes]))
    ours, random = (float(np.mean(run.values("accuracy"))) for run in (mine, even))
    text = (
        f"{within:.0%} of the derived networks are under {limit:g} ms by the exact model, at {min(spent):.0%} to "
        f"{max(spent):.0%} of it; trained alone they have a mIoU of {ours:.3f}, {len(even.trials)} even draws within "
        f"the limit {random:.3f}"
    )
    figures = {"within": within, "least_fill": min(spent), "ours": ours, "random": random}
    found = versus(mine.recipe.goal, [mine], [even], share=1.0)
    return bench.line(text, within == 1.0 and ours > random, mine, even, figures, found)


def nas_fpn(bench: Bench) -> Line:
    """The policy grows certain of merging cells that detect better."""
    mine, even = bench.run(), bench.random()
    certain = cast(PolicySearch, mine.controller()).certainty()
    by_quarter = quarters(mine.values("accuracy"))
    text = (
        f"policy from 0 to {certain:.2f} of certainty; mAP by quarter "
        f"{', '.join(f'{value:.3f}' for value in by_quarter)}, at random {float(np.mean(even.values('accuracy'))):.3f}"
    )
    worked = certain > 0.1 and by_quarter[-1] > by_quarter[0]
    return bench.line(text, worked, mine, even, {"certainty": certain, "last_quarter": by_quarter[-1]})


def dense_prediction(bench: Bench) -> Line:
    """Changes of the best are ahead of even draws, by the proxy; and the proxy ranks as the longer training does."""
    mine, even = bench.run(), bench.random()
    near = cast(NearBest, mine.controller()).near
    proxy = [trial.told for trial in mine.trials if trial.fidelity < 1.0]
    late = proxy[len(proxy) // 2 :]
    close = [item.outcome.metrics["accuracy"] for item in late if key_of(item.point) in near]
    drawn = [trial.told.outcome.metrics["accuracy"] for trial in even.trials if trial.fidelity < 1.0]
    test = mannwhitneyu(close, drawn, alternative="greater")
    found = Versus(float(test.statistic) / (len(close) * len(drawn)), float(test.pvalue))
    short = {
        key_of(trial.told.point): trial.told.outcome.metrics["accuracy"]
        for trial in (*mine.trials, *even.trials)
        if trial.fidelity < 1.0
    }
    whole = [trial.told for trial in (*mine.trials, *even.trials) if trial.fidelity == 1.0]
    pairs = [(short[key_of(item.point)], item.outcome.metrics["accuracy"]) for item in whole]
    rank = float(spearmanr(*zip(*pairs, strict=True)).statistic)
    text = (
        f"{len(close)} late changes of the best have a mIoU of {float(np.mean(close)):.3f} by the proxy, {len(drawn)} "
        f"even draws {float(np.mean(drawn)):.3f}; of {len(pairs)} that went on, proxy and longer training rank alike "
        f"with correlation {rank:.2f}"
    )
    figures = {"near": float(np.mean(close)), "drawn": float(np.mean(drawn)), "spearman": rank}
    return bench.line(text, rank > 0.2, mine, even, figures, found)


def auxiliary_cells(bench: Bench) -> Line:
    """Supervised sums make the same networks better, candidates are stopped, and the policy is ahead of even draws."""
    mine, even = bench.run(), bench.random()
    driver = cast(Stopped, mine.driver)
    stopped = driver.stopped / driver.begun
    drawn = bench.recipe(driver=Part("ask_tell"), controller=Part("random"), trials=_PAIRED, batch=_PAIRED)
    plain = tuple(
        Part(part.name, tuple(item for item in part.options if item[0] != "auxiliary")) for part in drawn.providers
    )
    with_them, without = bench.run(drawn), bench.run(replace(drawn, providers=plain))
    gain, p = paired(with_them.values("accuracy").tolist(), without.values("accuracy").tolist())
    means = [float(np.mean(run.values("accuracy"))) for run in (with_them, without, mine, even)]
    text = (
        f"{_PAIRED} drawn networks have a mIoU of {means[0]:.3f} with their sums supervised, {means[1]:.3f} without "
        f"(ahead in {gain:.0%}, p {p:.2g}); {stopped:.0%} of the candidates were stopped; those that were not have "
        f"{means[2]:.3f}, those of even draws {means[3]:.3f}"
    )
    figures = {"supervised_ahead": gain, "p": p, "stopped": stopped, "supervised": means[0], "plain": means[1]}
    worked = p < 0.05 and 0.1 < stopped < 0.9
    return bench.line(text, worked, mine, even, figures)
