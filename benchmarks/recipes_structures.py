"""Mechanisms of searches that learn a structure by gradients: routes through blocks, masks over cells.

Each trial is a whole search; beside it stand networks drawn at random within the limit, each trained as long as what a
search derives.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise, product
from typing import Any, cast

import numpy as np

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_runs import Run, versus
from codesign.accuracy.data import load_dataset
from codesign.accuracy.training import recalibrate, score
from codesign.drivers.masked import Masked
from codesign.drivers.routes import Found, Routes
from codesign.recipe import Part
from codesign.spaces.network.dense_routes import DenseSpace
from codesign.spaces.network.routed import END, START

#: Networks drawn beside those that were found.
_DRAWN = 60


def _drawn(bench: Bench) -> Run:
    """Networks within the limit, drawn evenly from all."""
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random"), trials=_DRAWN, batch=20))
    return replace(even, trials=[trial for trial in even.trials if trial.told.outcome.feasible])


def dense_nas(bench: Bench) -> Line:
    """What the chain expects routes to cost is what drawn routes cost, and the likeliest that fit name more than even
    draws that do.

    The control is the same search whose chances do not learn: which of all equally likely routes within the limit the
    dynamic program comes upon.
    """
    mine, unlearned = bench.run(), bench.run(_with(bench, learned=False))
    even = _drawn(bench)
    limit = dict(mine.recipe.limits)["macs"]
    found = cast(Routes, mine.driver).found
    within = float(np.mean([outcome.feasible for outcome in mine.outcomes]))
    errors = [_chain_error(mine, item) for item in found]
    ours, control, random = (float(np.mean(run.values("accuracy"))) for run in (mine, unlearned, even))
    blocks = [len(item.route.blocks) - 2 for item in found]
    text = (
        f"expected costs by the chain are within {max(errors):.0e} of the exact costs of all networks by their "
        f"chances; {within:.0%} of the derived routes, of {min(blocks)} to {max(blocks)} blocks, are under {limit:.0f} "
        f"macs; trained alone they name {ours:.3f}, routes of unlearned chances {control:.3f}, {len(even.trials)} even "
        f"draws within the limit {random:.3f}"
    )
    figures = {"chain_error": max(errors), "within": within, "ours": ours, "unlearned": control, "random": random}
    worked = within == 1.0 and max(errors) < 1e-3 and ours > control
    return bench.line(text, worked, mine, even, figures, versus(mine.recipe.goal, [mine], [even], share=1.0))


def _with(bench: Bench, **options: Any) -> Any:
    recipe = bench.recipe()
    given = {**recipe.driver.given, **options}
    return replace(recipe, driver=Part(recipe.driver.name, tuple(given.items())))


def _chain_error(item: Run, found: Found) -> float:
    """How far the expected cost is off the exact one, over all networks of the space by their chances; as a share."""
    space, total = cast(DenseSpace, item.recipe.space.network), 0.0
    for routes in product(*(d.choices for d in space.decisions if d.name.endswith("_route"))):
        point = {f"s{stage}_route": route for stage, route in enumerate(routes, 1)}
        blocks = space.route_at(point)
        chance = math.prod(
            float(found.shares.edges[source][space.successors(source).index(target)])
            for source, target in pairwise((START, *blocks, END))
        )
        layers = [layer for block in blocks for layer in space.layers_of(block)]
        for picked in product(space.operators, repeat=len(layers)):
            own = dict(zip(layers, picked, strict=True))
            chances = (float(found.shares.operators[name][space.operators.index(op)]) for name, op in own.items())
            total += chance * math.prod(chances) * space.workload(space.point_at(blocks, own)).macs
    return abs(found.expected["macs"] / total - 1)


def hm_nas(bench: Bench) -> Line:
    """Networks that learned masks leave name more with the weights that they have than those that magnitudes leave.

    Both are cut from one training and to one limit; neither is trained again. Trained alone as long as random networks
    within the limit, what masks leave is ahead of them.
    """
    mine, plain, even = bench.run(), bench.run(bench.recipe("control")), _drawn(bench)
    data, limit = load_dataset(mine.recipe.space.network.dataset), dict(mine.recipe.limits)["macs"]
    left = [cast(Masked, run.driver).found for run in (mine, plain)]
    for item in (*left[0], *left[1]):
        recalibrate(item.network, data)
    own, magnitudes = (float(np.mean([score(i.network, data, "held_out") for i in items])) for items in left)
    within = float(np.mean([item.network.workload.macs <= limit for item in left[0]]))
    alone, random = (float(np.mean(run.values("accuracy"))) for run in (mine, even))
    edges = [len({name.rpartition("_")[0] for name, count in item.kept.items() if count}) for item in left[0]]
    text = (
        f"{within:.0%} of the networks that masks leave, with {min(edges)} to {max(edges)} edges of "
        f"{len({name.rpartition('_')[0] for name in left[0][0].kept})}, are under {limit:.0f} macs; as they are they "
        f"name {own:.3f}, those that magnitudes leave {magnitudes:.3f}; trained alone {alone:.3f}, {len(even.trials)} "
        f"random ones within the limit {random:.3f}"
    )
    figures = {"within": within, "own": own, "magnitudes": magnitudes, "alone": alone, "random": random}
    found = versus(mine.recipe.goal, [mine], [even], share=1.0)
    return bench.line(text, within == 1.0 and own > magnitudes, mine, even, figures, found)
