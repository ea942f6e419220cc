"""Mechanisms of searches whose networks share weights."""

from __future__ import annotations

from typing import cast

import numpy as np

from benchmarks.recipes_lines import Bench, Line, quarters
from benchmarks.recipes_runs import versus
from codesign.controllers.policy import PolicySearch
from codesign.recipe import Part


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
