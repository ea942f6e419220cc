"""Machine code of what prices designs, made at set-up: ``python -m codesign.providers.cost.compile_ahead``."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from codesign.explorer.problem import SearchProblem, Step
from codesign.providers.base import ProviderContext
from codesign.providers.registry import PROVIDERS, make_provider
from codesign.recipe import load_recipe

#: One of each, so that the time goes into compiling.
_CHOICES = {
    "array": ["loop_tile"], "rows": [8], "cols": [8], "axi_bits": [64], "clock_mhz": [100], "input_buffer_kib": [8],
    "weight_buffer_kib": [8], "acc_buffer_kib": [8], "output_buffer_kib": [2], "tile_rows": [7], "tile_channels": [32],
}  # fmt: skip


def compile_ahead() -> float:
    """Price one design as the main job does; seconds that it took."""
    started = time.monotonic()
    recipe = load_recipe("default", {"choices": _CHOICES})
    provider = make_provider("schedule", ProviderContext(0, recipe.device, recipe.space, Path()))
    problem = SearchProblem(recipe.space, recipe.goal, [Step("schedule", PROVIDERS.get("schedule"), provider)])
    network = recipe.space.decisions.of_groups("network", "compression").draw(np.random.default_rng(0))
    fronts = problem.hardware_fronts
    assert fronts is not None, "the default space is one whose fronts are proved"
    (outcome,) = problem.price(network, fronts([network])[0])
    assert outcome.metrics, "one design of one accelerator"
    return time.monotonic() - started


if __name__ == "__main__":
    print(f"  the cost model is compiled ({compile_ahead():.0f} s)")
