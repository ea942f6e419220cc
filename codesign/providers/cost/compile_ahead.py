"""Machine code of what prices designs and maps layers, made at set-up by two processes.

``python -m codesign.providers.cost.compile_ahead``
"""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np

from accel_models.hardware.accelerators import accelerator
from accel_models.mapper import best_mapping
from codesign.explorer.problem import SearchProblem, Step
from codesign.providers.base import ProviderContext
from codesign.providers.registry import PROVIDERS, make_provider
from codesign.recipe import load_recipe
from mappings.layer import Layer, Op

#: One of each, so that the time goes into compiling.
_CHOICES = {
    "array": ["loop_tile"], "rows": [8], "cols": [8], "axi_bits": [64], "clock_mhz": [100], "input_buffer_kib": [8],
    "weight_buffer_kib": [8], "acc_buffer_kib": [8], "output_buffer_kib": [2], "tile_rows": [7], "tile_channels": [32],
}  # fmt: skip


def price() -> None:
    """Price one design as the main job does."""
    recipe = load_recipe("default", {"choices": _CHOICES})
    provider = make_provider("schedule", ProviderContext(0, recipe.device, recipe.space, Path()))
    problem = SearchProblem(recipe.space, recipe.goal, [Step("schedule", PROVIDERS.get("schedule"), provider)])
    network = recipe.space.decisions.of_groups("network", "compression").draw(np.random.default_rng(0))
    fronts = problem.hardware_fronts
    assert fronts is not None, "the default space is one whose fronts are proved"
    (outcome,) = problem.price(network, fronts([network])[0])
    assert outcome.metrics, "one design of one accelerator"


def map_layer() -> None:
    """Map one layer by every search that the mapper has."""
    layer = Layer("probe", Op.CONV, K=4, C=4, P=4, Q=4, R=3, S=3)
    best_mapping(layer, accelerator("eyeriss_like"), objective="latency", use_cache=False, tiles="any")


def compile_ahead() -> float:
    """Both, side by side: neither needs the other's code; seconds that it took."""
    started = time.monotonic()
    parts = [multiprocessing.get_context("spawn").Process(target=part) for part in (price, map_layer)]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
        if part.exitcode:
            raise SystemExit(part.exitcode)  # it has told why
    return time.monotonic() - started


if __name__ == "__main__":
    print(f"  cost model and mapper are compiled ({compile_ahead():.0f} s)")
