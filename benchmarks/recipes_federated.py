"""The mechanism of searches whose images lie with several clients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_runs import versus
from codesign.accuracy.clients import clients_of
from codesign.accuracy.data import DATASETS, load_dataset
from codesign.recipe import Part, Recipe


def fednas(bench: Bench) -> Line:
    """What clients find and train together is ahead of what each finds and trains on its own images."""
    mine = bench.run()
    recipe = mine.recipe
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random"), trials=24, batch=24))
    options = dict(recipe.driver.options)
    data = load_dataset(recipe.space.network.dataset)
    parts = clients_of(data, options["clients"], options["concentration"], bench.seed)
    apart = []
    for place, part in enumerate(parts):
        name = f"{data.name}, client {place} of {len(parts)}, seed {bench.seed}"
        if name not in DATASETS.names():
            DATASETS.register(name, lambda part=part: part)
        apart.append(bench.run(_alone(recipe, name)).values("accuracy"))
    ours, best = float(np.mean(mine.values("accuracy"))), max(float(np.mean(values)) for values in apart)
    kinds = [len(np.unique(part.labels["train"])) for part in parts]
    text = (
        f"{len(parts)} clients with {min(kinds)} to {max(kinds)} of {data.classes} classes name {ours:.1%} of held-out "
        f"images with what they found and trained together; apart, the best of them {best:.1%}, on average "
        f"{float(np.mean(apart)):.1%}; evenly drawn networks, trained together, "
        f"{float(np.mean(even.values('accuracy'))):.1%}"
    )
    figures = {"together": ours, "best_apart": best, "apart": float(np.mean(apart))}
    found = versus(recipe.goal, [mine], [even], share=1.0)
    return bench.line(text, ours > best, mine, even, figures, found)


def _alone(recipe: Recipe, dataset: str) -> Recipe:
    """The same search and training of one client, as many steps on its images alone."""
    federated = ("clients", "concentration", "local_steps", "rounds")

    def without(part: Part, name: str = "") -> Part:
        return Part(name or part.name, tuple(item for item in part.options if item[0] not in federated))

    network = {**recipe.network.given, "dataset": dataset}
    providers = tuple(without(part, "train") if part.name == "federated" else part for part in recipe.providers)
    return replace(
        recipe,
        network=Part(recipe.network.name, tuple(network.items())),
        driver=without(recipe.driver),
        providers=providers,
    ).check(f"recipe {recipe.name}, one client")
