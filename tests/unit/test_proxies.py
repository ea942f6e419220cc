"""Zero-cost proxies: by hand where a sum can be done by hand, and as a gate before training."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from codesign.accuracy.data import mnist5k
from codesign.accuracy.proxies import PROXIES, Unquantised, naswot, proxy, snip, synflow
from codesign.explorer.problem import SearchProblem
from codesign.recipe import Part
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from tests import toy


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def linear(width: int) -> Workload:
    """image [1, 2, 2] -> conv of 2 x 2 to ``width`` with ReLU -> 3 logits."""
    image = TensorShape("image", C=1, H=2, W=2)
    conv = Layer("conv", Op.CONV, K=width, C=1, R=2, S=2, activation="relu", inputs=("image",))
    fc = Layer("fc", Op.LINEAR, K=3, C=width, inputs=("conv",))
    return Workload("linear", (image,), (conv, fc))


def test_synflow_is_what_paths_sum_to() -> None:
    """Two layers: weight x gradient sums to the output of the all-positive network for ones, once a layer."""
    workload = linear(5)
    network = Unquantised(workload, torch.Generator().manual_seed(3), normal=False)
    with torch.no_grad():
        first, second = (network.weights[name].abs().double() for name in ("conv", "fc"))
        out = (second.flatten(1) @ first.sum(dim=(1, 2, 3))).sum()
    assert synflow(workload, 3) == pytest.approx(math.log(2 * float(out)))


def test_naswot_counts_units_that_are_alike() -> None:
    workload, images = linear(8), torch.rand(6, 1, 2, 2)
    network = Unquantised(workload, torch.Generator().manual_seed(1), normal=True)
    network(images)
    (on,) = network.patterns
    kernel = np.array([[float((a == b).sum()) for b in on] for a in on])
    assert naswot(workload, images, 1) == pytest.approx(np.linalg.slogdet(kernel)[1])
    assert naswot(workload, torch.cat((images, images[:1])), 1) == -math.inf  # two images that are the same


def test_snip_is_the_change_of_the_loss() -> None:
    workload, labels = linear(4), torch.tensor([0, 1, 2, 0])
    images = torch.rand(4, 1, 2, 2)
    network = Unquantised(workload, torch.Generator().manual_seed(2), normal=True)

    def loss() -> float:
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(network(images), labels))

    total, step = 0.0, 1e-3
    for weight in network.weights.values():
        for place in range(weight.numel()):
            flat = weight.detach().view(-1)
            kept = float(flat[place])
            flat[place] = kept + step
            up = loss()
            flat[place] = kept - step
            total += abs(kept * (up - loss()) / (2 * step))
            flat[place] = kept
    assert snip(workload, images, labels, 2) == pytest.approx(math.log(total), abs=0.01)


def test_they_rank_wider_networks_higher() -> None:
    space = toy.recipe().space
    base = {d.name: d.choices[0] for d in space.decisions.choices}
    narrow = space.network_at(base).workload
    wide = space.network_at(base | {"stem_width": 16, "s1_width": 16, "s2_width": 24, "s3_width": 32}).workload
    assert narrow is not None and wide is not None
    for name in ("synflow", "naswot"):
        assert proxy(name, wide, mnist5k(), 0) > proxy(name, narrow, mnist5k(), 0), name


def test_the_gate_keeps_poor_networks_from_training(tmp_path: Path) -> None:
    gated = Part("proxies", (("gate", 0.5), ("by", "naswot"), ("drawn", 12), ("images", 16)))
    recipe = replace(toy.recipe(), providers=(Part("schedule"), gated, Part(toy.NAME)))
    recipe = replace(recipe, choices=(*recipe.choices[1:], ("array", ("weight_stationary",)))).check("gated")
    rng = np.random.default_rng(0)
    problem = SearchProblem(recipe.space, recipe.goal, toy.steps_of(recipe, tmp_path))
    outcomes = problem.measure([recipe.space.decisions.draw(rng) for _ in range(24)])
    refused = [o for o in outcomes if any(item.resource == "naswot" for item in o.broken)]
    trained = [o for o in outcomes if "accuracy" in o.metrics]
    assert refused and trained and all("accuracy" not in o.metrics for o in refused)
    bound = refused[0].broken[-1].bound
    assert all(o.metrics["naswot"] >= bound for o in trained)
    assert all(set(PROXIES) <= set(o.metrics) for o in outcomes)
