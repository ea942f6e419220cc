"""Mechanisms of searches that relax network, bits and accelerator together.

Each trial is a whole search; beside it stand designs drawn at random within the limits, each trained as long as what a
search derives. Their number is such that both take about as many batches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import cast

import numpy as np

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_runs import Run, Versus, versus
from codesign.decisions import Point
from codesign.drivers.relaxed import Relaxed
from codesign.objectives.rewards import WeightedProduct
from codesign.recipe import Part
from codesign.spaces.search_space import HARDWARE_GROUPS

_DRAWN = 48


def against(bench: Bench, mine: Run, draws: int = _DRAWN) -> tuple[Run, Versus]:
    """Random designs, and what was derived against those of them within the limits."""
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random"), trials=draws, batch=24))
    fitting = replace(even, trials=[trial for trial in even.trials if trial.told.outcome.feasible])
    return even, versus(mine.recipe.goal, [mine], [fitting], share=1.0)


def _excess(mine: Run) -> tuple[float, float]:
    """How much dearer than the best for its network the accelerators are: those of the designs, and the usual one.

    Costs are products of the reward's metrics, by the exact model, over all accelerators within the limits.
    """
    recipe, reward = mine.recipe, mine.recipe.goal.reward
    assert isinstance(reward, WeightedProduct)
    weights = [(name, -weight) for name, weight in reward.weights if name != "accuracy"]
    decisions = recipe.space.decisions.of_groups(*HARDWARE_GROUPS).choices
    rows: list[Point] = [
        dict(zip((d.name for d in decisions), values, strict=True))
        for values in product(*(d.choices for d in decisions))
    ]
    own, usual = [], []
    for trial in mine.trials:
        point = trial.told.point
        machine = {d.name: point[d.name] for d in decisions}
        found = mine.problem.price(point, [machine, *rows])
        costs = [
            math.prod(item.metrics[name] ** weight for name, weight in weights) if item.feasible else math.inf
            for item in found
        ]
        fitting = [cost for cost in costs[1:] if math.isfinite(cost)]
        own.append(costs[0] / min(fitting) - 1)
        usual.append(float(np.mean(fitting)) / min(fitting) - 1)
    return float(np.mean(own)), float(np.mean(usual))


def _redrawn(bench: Bench, mine: Run, groups: Sequence[str], count: int = 3) -> float:
    """Mean reward of the same designs with some of their decisions drawn anew, within the limits."""
    recipe, rng, points = mine.recipe, np.random.default_rng(bench.seed), list[Point]()
    names = [d.name for d in recipe.space.decisions.choices if d.group in groups]
    for trial in mine.trials:
        kept = {name: value for name, value in trial.told.point.items() if name not in names}
        drawn = [recipe.space.decisions.completed(kept, rng) for _ in range(50)]
        fitting = [p for p in drawn if mine.problem.price(p, [{}])[0].feasible and p not in points]
        points += fitting[:count]
    start = tuple(tuple(point.items()) for point in points)
    plain = {"driver": Part("ask_tell"), "controller": Part("random")}
    told = bench.run(bench.recipe(**plain, start=start, trials=len(start), batch=len(start)))
    return mean_reward(told)


def mean_reward(run: Run) -> float:
    """Of the designs within the limits."""
    reward = run.recipe.goal.reward
    assert reward is not None
    return float(np.mean([reward(outcome.metrics) for outcome in run.outcomes if outcome.feasible]))


def dance(bench: Bench) -> Line:
    """The evaluator is right about networks that it never saw, and what it steers to is ahead of random designs."""
    mine = bench.run()
    even, found = against(bench, mine)
    error = cast(Relaxed, mine.driver).error
    assert error is not None
    off = ", ".join(f"{name} {value:.1%}" for name, value in error.mape.items())
    text = (
        f"of {error.networks} networks that it never saw the evaluator is off by {off} on average; its accelerators "
        f"are {error.excess:.1%} dearer than the best for each, drawn ones {error.usual:.1%}; {len(mine.trials)} "
        f"searches end at a reward of {mean_reward(mine):.3f} on average, random designs {mean_reward(even):.3f}"
    )
    figures = {**error.mape, "excess": error.excess, "usual": error.usual}
    met = max(error.mape.values()) < 0.2 and error.excess < 0.5 * error.usual
    return bench.line(text, met, mine, even, figures, found)


def dna_gradient(bench: Bench) -> Line:
    """Gates of the accelerator that cost alone moves end at one that suits the network."""
    mine = bench.run()
    even, found = against(bench, mine)
    own, usual = _excess(mine)
    text = (
        f"accelerators that were learned beside the network are {own:.1%} dearer than the best for it, drawn ones "
        f"{usual:.1%}; {len(mine.trials)} searches end at a reward of {mean_reward(mine):.3f} on average, random "
        f"designs {mean_reward(even):.3f}"
    )
    return bench.line(text, own < 0.5 * usual, mine, even, {"excess": own, "usual": usual}, found)


def edd(bench: Bench) -> Line:
    """Without its exponential of the resources the same search ends over the limit; with it, it does not."""
    mine = bench.run()
    even, found = against(bench, mine)
    given = dict(mine.recipe.driver.options) | {"limit_weight": 0.0}
    plain = bench.run(bench.recipe(driver=Part("relaxed", tuple(given.items()))))
    (metric, limit), own = mine.recipe.limits[0], _excess(mine)
    shares = []
    for run in (mine, plain):
        points = [item.likeliest for item in cast(Relaxed, run.driver).found]
        shares.append([run.problem.price(point, [{}])[0].metrics[metric] / limit for point in points])
    text = (
        f"likeliest designs need {np.mean(shares[0]):.0%} of {limit:.0f} {metric}, without the term "
        f"{np.mean(shares[1]):.0%}; accelerators are {own[0]:.1%} slower (to the reward's power) than the best within "
        f"the limit, drawn ones {own[1]:.1%}; rewards of {mean_reward(mine):.3f} on average, random designs "
        f"{mean_reward(even):.3f}"
    )
    figures = {"filled": float(np.mean(shares[0])), "without": float(np.mean(shares[1])), "excess": own[0]}
    met = max(shares[0]) <= 1.05 and float(np.mean(shares[1])) > 1.0
    return bench.line(text, met, mine, even, figures, found)


def auto_nba(bench: Bench) -> Line:
    """Each of the three parts is worth something to the other two: with one of them drawn anew the reward falls."""
    mine = bench.run()
    even, found = against(bench, mine)
    whole = mean_reward(mine)
    parts = {"network": ("network",), "bits": ("compression",), "accelerator": HARDWARE_GROUPS}
    drawn = {name: _redrawn(bench, mine, groups) for name, groups in parts.items()}
    lost = ", ".join(f"{name} {value:.3f}" for name, value in drawn.items())
    text = (
        f"rewards of {whole:.3f} on average; with one part of each design drawn anew within the limit: {lost}; "
        f"random designs {mean_reward(even):.3f}"
    )
    met = all(value < whole for value in drawn.values())
    return bench.line(text, met, mine, even, {"reward": whole, **drawn}, found)


def bp_nas(bench: Bench) -> Line:
    """One search ends inside its limit, near to it and certain; without the regulariser shares stay undecided."""
    mine, control = bench.run(), bench.run(bench.recipe("control"))
    even, found = against(bench, mine, 100)
    metric, limit = mine.recipe.limits[0]
    driver, other = cast(Relaxed, mine.driver), cast(Relaxed, control.driver)
    used = [mine.problem.price(item.likeliest, [{}])[0].metrics[metric] / limit for item in driver.found]
    certainty, loose = (
        float(np.mean([share.max() for item in run.found for share in item.shares.values()])) for run in (driver, other)
    )
    fitting = even.values("accuracy")
    text = (
        f"{len(used)} searches end at {min(used):.0%} to {max(used):.0%} of {limit:.0f} {metric} before anything is "
        f"mended; largest shares {certainty:.2f} on average, without the regulariser {loose:.2f}; accuracy "
        f"{np.mean(mine.values('accuracy')):.3f}, {len(fitting)} random choices within the limit {np.mean(fitting):.3f}"
    )
    figures = {"least": min(used), "most": max(used), "certainty": certainty, "without": loose}
    met = max(used) <= 1.0 and min(used) > 0.75 and certainty > loose + 0.05
    return bench.line(text, met, mine, even, figures, found)


def tas(bench: Bench) -> Line:
    """Expected costs end in their window, and the widths are ahead of random ones that are taught alike.

    What the teacher adds is told, whatever its sign.
    """
    mine = bench.run()
    even, found = against(bench, mine, 72)
    metric, limit = mine.recipe.limits[0]
    driver = cast(Relaxed, mine.driver)
    used = [mine.problem.price(item.likeliest, [{}])[0].metrics[metric] / limit for item in driver.found]
    start = tuple(dict.fromkeys(tuple(trial.told.point.items()) for trial in mine.trials))
    plain = {"driver": Part("ask_tell"), "controller": Part("random"), "start": start, "trials": len(start)}
    alone = bench.run(bench.recipe("control", **plain, batch=len(start)))
    taught, untaught, fitting = (float(np.mean(run.values("accuracy"))) for run in (mine, alone, even))
    text = (
        f"likeliest widths need {min(used):.0%} to {max(used):.0%} of {limit:.0f} {metric}; taught by the unpruned "
        f"network what is found names {taught:.3f}, by labels alone {untaught:.3f}; "
        f"{len(even.values('accuracy'))} random widths within the limit, taught alike, {fitting:.3f}"
    )
    figures = {"least": min(used), "most": max(used), "taught": taught, "untaught": untaught, "random": fitting}
    return bench.line(text, max(used) <= 1.1 and min(used) >= 0.75, mine, even, figures, found)


def dnas_bits(bench: Bench) -> Line:
    """Bits of its own for each layer are ahead of any width for all; the cost in the loss is what made them narrow."""
    mine = bench.run()
    even, found = against(bench, mine, 60)
    given = dict(mine.recipe.driver.options) | {"cost_weight": 0.0}
    free = bench.run(bench.recipe(driver=Part("relaxed", tuple(given.items()))))
    names = [d.name for d in mine.recipe.space.decisions.of_groups("compression").choices]
    start = tuple(tuple(dict.fromkeys(names, bits).items()) for bits in (2, 4, 8))
    plain = {"driver": Part("ask_tell"), "controller": Part("random"), "start": start, "trials": 3, "batch": 3}
    alike = [float(mine.recipe.goal.reward(o.metrics)) for o in bench.run(bench.recipe(**plain)).outcomes]  # type: ignore[misc]
    size, without = (float(np.mean(run.values("weight_bytes"))) for run in (mine, free))
    mean = mean_reward(mine)
    text = (
        f"weights of {size:.0f} bytes, {without:.0f} where the error alone is the loss; rewards of {mean:.3f} on "
        f"average, 2, 4 and 8 bits for all {', '.join(f'{value:.3f}' for value in alike)}, random bits "
        f"{mean_reward(even):.3f}"
    )
    figures = {"bytes": size, "without": without, "reward": mean, "uniform": max(alike)}
    return bench.line(text, size < 0.8 * without and mean > max(alike), mine, even, figures, found)


def setn(bench: Bench) -> Line:
    """What the evaluator draws is ahead of what is drawn evenly, and both are trained alone."""
    mine = bench.run()
    even, found = against(bench, mine, 60)
    driver = cast(Relaxed, mine.driver)
    certainty = float(np.mean([share.max() for item in driver.found for share in item.shares.values()]))
    drawn = mean_reward(mine)
    text = (
        f"largest shares {certainty:.2f} on average though weights learn on even draws; the best of 20 templates that "
        f"the evaluator draws, trained alone: a reward of {drawn:.3f} on average, even draws {mean_reward(even):.3f}"
    )
    return bench.line(text, certainty > 0.6, mine, even, {"certainty": certainty, "reward": drawn}, found)
