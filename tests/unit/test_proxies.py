"""Zero-cost proxies: by hand where a sum can be done by hand, and as a gate before training."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codesign.accuracy.data import digits, mnist5k
from codesign.accuracy.proxies import PROXIES, naswot, proxy, snip, synflow, untrained, weights_of
from codesign.explorer.problem import SearchProblem
from codesign.recipe import Part, parse_recipe
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
    first, second = (weight.detach().abs().double() for weight in weights_of(untrained(workload, 3)))
    out = (second @ first.sum(dim=(1, 2, 3))).sum()
    assert synflow(workload, 3) == pytest.approx(math.log(2 * float(out)))


def test_naswot_counts_units_that_are_alike() -> None:
    workload, images = linear(8), torch.rand(6, 1, 2, 2)
    first = weights_of(untrained(workload, 1))[0].detach()
    steps = torch.round(images * 127) / 127
    out = torch.einsum("ncrs,kcrs->nk", steps, first)
    on = out > out.mean(dim=0)  # normalised over the batch
    kernel = np.array([[float((a == b).sum()) for b in on] for a in on])
    assert naswot(workload, images, 1) == pytest.approx(np.linalg.slogdet(kernel)[1])
    assert naswot(workload, torch.cat((images, images[:1])), 1) == -math.inf  # two images that are the same


def test_snip_is_the_change_of_the_loss() -> None:
    workload, labels = linear(4), torch.tensor([0, 1, 2, 0])
    images = torch.rand(4, 1, 2, 2)
    network = untrained(workload, 2)

    def loss() -> float:
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(network(images).flatten(1), labels))

    total, step = 0.0, 1e-3
    for weight in weights_of(network):
        for place in range(weight.numel()):
            flat = weight.detach().view(-1)
            kept = float(flat[place])
            flat[place] = kept + step
            up = loss()
            flat[place] = kept - step
            total += abs(kept * (up - loss()) / (2 * step))
            flat[place] = kept
    assert snip(workload, images, labels, 2) == pytest.approx(math.log(total), abs=0.01)


def test_pools_concatenations_and_activations_of_their_own_are_what_they_are() -> None:
    """A largest and a mean of windows, joined, an activation alone: by torch, with the network's own weights."""
    image = TensorShape("image", C=1, H=6, W=6)
    window = {"P": 3, "Q": 3, "R": 2, "S": 2, "stride": (2, 2), "groups": 4}
    workload = Workload("mixed", (image,), (
        Layer("conv", Op.CONV, K=4, C=1, P=6, Q=6, R=3, S=3, padding=(1,) * 4, inputs=("image",)),
        Layer("most", Op.MAXPOOL, inputs=("conv",), **window),
        Layer("mean", Op.AVGPOOL, inputs=("conv",), **window),
        Layer("both", Op.CONCAT, P=3, Q=3, groups=8, inputs=("most", "mean")),
        Layer("relu", Op.ACT, P=3, Q=3, groups=8, activation="relu", inputs=("both",)),
        Layer("pool", Op.AVGPOOL, R=3, S=3, groups=8, inputs=("relu",)),
        Layer("fc", Op.LINEAR, K=3, C=8, inputs=("pool",)),
    ))  # fmt: skip
    first, second = (weight.detach() for weight in weights_of(untrained(workload, 5)))
    images = torch.round(torch.rand(5, 1, 6, 6) * 127) / 127
    out = torch.nn.functional.conv2d(images, first, padding=1)
    out = (out - out.mean(dim=(0, 2, 3), keepdim=True)) / out.std(dim=(0, 2, 3), keepdim=True)
    pooled = [pool(out, 2) for pool in (torch.nn.functional.max_pool2d, torch.nn.functional.avg_pool2d)]
    on = (torch.cat(pooled, dim=1) > 0).flatten(1)
    kernel = np.array([[float((a == b).sum()) for b in on] for a in on])
    assert naswot(workload, images, 5) == pytest.approx(np.linalg.slogdet(kernel)[1])
    grown, second = first.double().abs().requires_grad_(), second.double().abs().requires_grad_()
    out = torch.nn.functional.conv2d(torch.ones(1, 1, 6, 6, dtype=torch.float64), grown, padding=1)
    pooled = [pool(out, 2) for pool in (torch.nn.functional.max_pool2d, torch.nn.functional.avg_pool2d)]
    (torch.cat(pooled, dim=1).mean(dim=(2, 3)) @ second.T).sum().backward()
    total = sum(float((weight * weight.grad).detach().sum()) for weight in (grown, second))
    assert synflow(workload, 5) == pytest.approx(math.log(total))


def test_a_network_without_a_relu_has_no_patterns() -> None:
    workload = linear(4)
    plain = replace(workload, layers=tuple(replace(layer, activation="") for layer in workload.layers))
    assert naswot(plain, torch.rand(4, 1, 2, 2), 0) == -math.inf
    assert math.isfinite(synflow(plain, 0)) and math.isfinite(
        snip(plain, torch.rand(4, 1, 2, 2), torch.arange(4) % 3, 0)
    )


@pytest.mark.parametrize("network", [
    {"name": "transformer", "patch": 2}, {"name": "uninet", "patch": 1}, {"name": "capsules", "kernels": [3]},
    {"name": "nasbench201", "channels": 4, "cells": 1},
])  # fmt: skip
def test_every_space_has_scores(network: dict[str, Any]) -> None:
    """Attention, layer norms, stored positions, pools within cells; equal seeds, equal scores."""
    shape = {} if network["name"] == "nasbench201" else {"extent": 8}
    raw = {"name": "mine", "extends": "networks", "network": {**network, **shape, "dataset": "digits"}}
    attention = {"hardware": {"name": "fixed", "hardware": "attention"}} if shape else {}
    space, data, rng = parse_recipe({**raw, **attention}, "mine").space, digits(), np.random.default_rng(1)
    for _ in range(3):
        workload = space.network_at(space.decisions.draw(rng)).workload
        assert workload is not None
        for name in PROXIES:
            found = proxy(name, workload, data, 3, 16)
            assert math.isfinite(found) and found == proxy(name, workload, data, 3, 16), name


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
