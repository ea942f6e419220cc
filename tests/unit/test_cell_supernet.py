"""Shared cells of NAS-Bench-201: what a step draws, that a kill changes nothing, that a recipe searches with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from accel_models import jit
from codesign.accuracy import checkpoint
from codesign.accuracy.splits import Dataset, split
from codesign.explorer.options import ExploreOptions
from codesign.explorer.run import explore
from codesign.spaces.network.nasbench201 import EDGES, OPERATIONS, NasBench201
from codesign.supernet.cells import CellSuperNetwork, CellTraining, drawn, scored, train_cells
from codesign.zoo.nasbench201 import NasBench201Net
from mappings.errors import SpecError
from mappings.yamlio import dump_yaml

HOW = CellTraining(channels=4, cells=1, extent=8, steps=6, batch=32)
BEST = ("nor_conv_3x3",) * 6


def stripes(count: int = 600) -> Dataset:
    """Three classes that a convolution tells apart and colours alone do not."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, count)
    images = rng.random((count, 3, 8, 8), dtype=np.float32) * 0.5
    wave = (np.arange(8) % 2 * 0.5).astype(np.float32)
    images[labels == 1] += wave
    images[labels == 2] += wave[:, None]
    return split("stripes", images, labels.astype(np.int64))


def test_a_fair_step_has_each_operation_of_each_edge_once() -> None:
    for step in range(3):
        networks = drawn("fair", 1, step)
        assert len(networks) == len(OPERATIONS)
        for edge in range(len(EDGES)):
            assert {network[edge] for network in networks} == set(OPERATIONS)
    assert drawn("fair", 1, 0) == drawn("fair", 1, 0) != drawn("fair", 1, 1)
    assert len(drawn("uniform", 1, 0)) == 1


def test_a_network_uses_its_own_operations_alone() -> None:
    torch.manual_seed(0)
    shared = CellSuperNetwork(HOW, 3, 3)
    images = torch.rand(16, 3, 8, 8)
    chosen = ("nor_conv_3x3", "none", "nor_conv_1x1", "skip_connect", "avg_pool_3x3", "nor_conv_3x3")
    shared(images, chosen).sum().backward()
    used = {name for name, value in shared.named_parameters() if value.grad is not None and "convolutions" in name}
    # Edge 1-2 carries a 1x1; 0-1 and 2-3 a 3x3; all three stages have one cell.
    expected = ("01_nor_conv_3x3", "12_nor_conv_1x1", "23_nor_conv_3x3")
    assert len(used) == 9 and all(any(key in name for key in expected) for name in used)
    zeros = shared(images, ("none",) * 6)
    assert zeros.shape == (16, 3) and torch.equal(zeros[0], zeros[1])


def test_shared_cells_have_the_published_skeletons_parameters() -> None:
    alone = NasBench201Net(dict.fromkeys(EDGES, "nor_conv_3x3"), 4, 1, 3)
    shared = CellSuperNetwork(HOW, 3, 3)
    weights = [sum(v.numel() for v in m.parameters() if v.dim() == 4) for m in (alone, shared)]
    ones = sum(v.numel() for v in shared.parameters() if v.dim() == 4 and v.shape[2] == 1 and v.shape[0] == v.shape[1])
    assert weights[1] - ones == weights[0]


def test_an_interrupted_training_ends_as_an_uninterrupted_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, file = stripes(), tmp_path / "cells.npz"
    whole = train_cells(HOW, data, 2)
    monkeypatch.setattr(checkpoint, "SECONDS", -1.0)
    seen = 0

    def kill() -> None:
        nonlocal seen
        seen += 1
        if seen > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_cells(HOW, data, 2, file, kill)
    again = train_cells(HOW, data, 2, file)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in whole.state_dict().items())


def test_sharing_learns_which_cells_see_stripes() -> None:
    data = stripes()
    shared = train_cells(replace(HOW, steps=60), data, 0)
    assert scored(shared, BEST, data) > 0.8 > 0.5 > scored(shared, ("none",) * 6, data)


def test_a_recipe_searches_with_shared_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE_DIR", str(tmp_path / "cache"))
    data = stripes()
    np.savez(
        tmp_path / "stripes.npz",
        images=np.concatenate([data.images[part] for part in data.images]),
        labels=np.concatenate([data.labels[part] for part in data.labels]),
    )
    cells = {"channels": 4, "extent": 8, "steps": 20, "batch": 32, "images": 100}
    raw = {
        "name": "shared",
        "network": {"name": "nasbench201", "channels": 4, "cells": 1},
        "compression": "none",
        "providers": [{"name": "cell_supernet", "data": str(tmp_path / "stripes.npz"), **cells}, "size"],
        "objectives": ["accuracy", "macs"],
        "controller": "random",
        "trials": 6,
    }
    (tmp_path / "shared.yaml").write_text(dump_yaml(raw), encoding="utf-8")
    found = explore(ExploreOptions(recipe=str(tmp_path / "shared.yaml"), out=str(tmp_path / "run"), verify=(), jobs=0))
    assert all(0 <= point.metrics["accuracy"] <= 1 for point in found.points) and found.points
    with pytest.raises(SpecError, match='needs "operations"'):
        raw["network"] = "elastic_mnist"
        (tmp_path / "wrong.yaml").write_text(dump_yaml(raw), encoding="utf-8")
        explore(ExploreOptions(recipe=str(tmp_path / "wrong.yaml"), out=str(tmp_path / "wrong"), verify=()))


def test_the_space_names_its_networks_as_published() -> None:
    point = {f"edge_{a}_{b}": "nor_conv_3x3" for a, b in EDGES}
    assert NasBench201().network_at(point).key.count("nor_conv_3x3") == 6 and jit.cache_dir()
