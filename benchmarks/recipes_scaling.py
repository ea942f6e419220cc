"""Mechanisms of networks that are scaled up."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_runs import Run, opened
from codesign.decisions import Point
from codesign.drivers.compound import POWERS, Compound
from codesign.recipe import Part

#: Trainings of each network that is compared.
_SEEDS = 3


def efficientnet(bench: Bench) -> Line:
    """Networks scaled in all dimensions are ahead of those scaled in one, at no more multiply-accumulates.

    The control is the same driver that may scale one dimension alone, as far as its ladder goes. The compound network
    beside each is the largest that costs no more. All are trained anew from several seeds, the search's own not among
    them, so that luck in the search does not count.
    """
    mine = bench.run()
    found = cast(Compound, mine.driver).found
    assert found is not None, "the budget is larger than the grid"
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random"), trials=len(mine.trials)))
    scaled = [trial.told for trial in mine.trials if trial.phase == "scaled"]
    gaps, said = dict[str, float](), list[str]()
    for dimension in POWERS:
        part = Part("compound", (*mine.recipe.driver.options, ("dimensions", (dimension,))))
        last = bench.run(bench.recipe(driver=part)).trials[-1].told
        most = last.outcome.metrics["macs"]
        ours = max(
            (told for told in scaled if told.outcome.metrics["macs"] <= most), key=lambda t: t.outcome.metrics["macs"]
        )
        accurate, alone = (_trained(mine, told.point) for told in (ours, last))
        gaps[dimension] = accurate - alone
        said.append(f"{dimension} {alone:.3f} at {most / 1e3:.0f}k (compound {accurate:.3f})")
    text = (
        f"constants {found.depth:.2f}, {found.width:.2f}, {found.resolution:.2f} (depth, width, resolution); scaled "
        f"alone: {', '.join(said)}"
    )
    return bench.line(text, min(gaps.values()) > 0, mine, even, {f"gap_{name}": gap for name, gap in gaps.items()})


def _trained(item: Run, point: Point) -> float:
    """Mean accuracy of a network over trainings from other seeds."""
    out = []
    for seed in range(_SEEDS):
        with opened(replace(item.recipe, seed=item.recipe.seed + 1000 + seed)) as steps:
            provider = steps[-1].provider
            (candidate,) = item.recipe.space.decode([point], designs=False)
            out.append(provider.measure([candidate])[0].metrics["accuracy"])
    return float(np.mean(out))
