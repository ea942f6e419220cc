"""Images and augmentation that grow while a network trains; blocks that are fused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from codesign.accuracy.augment import Augmentation
from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import digits
from codesign.accuracy.pool import make_evaluator
from codesign.accuracy.progressive import Progressive
from codesign.accuracy.training import Training, recalibrate, score, train
from codesign.decisions import DecisionSpace
from codesign.quantization.qat import QatNetwork
from codesign.recipe import parse_recipe
from codesign.spaces.network.layerwise import LayerwiseSpace
from codesign.spaces.network.transformer import TransformerSpace
from mappings.errors import SpecError
from mappings.workload import Workload
from tests.spaces import assert_runs, assert_taken_out, assert_trains
from tests.unit.test_dense_routes import HARDWARE

SPACE = LayerwiseSpace(
    extent=8, dataset="digits", blocks=2, kinds=("inverted", "fused"), widths=((4,), (6,), (8,)), kernels=(3, 5),
    expansions=(2,), resolutions=(100,),
)  # fmt: skip
DECISIONS = DecisionSpace(SPACE.decisions)
GROWING = Progressive(4, 0.5, 0.0)


def at(seed: int, **fixed: object) -> Workload:
    return SPACE.workload(DECISIONS.completed(fixed, np.random.default_rng(seed)))


def test_stages_grow_evenly_to_the_whole() -> None:
    assert [GROWING.extent(28, step, 8) for step in range(8)] == [14, 14, 19, 19, 23, 23, 28, 28]
    assert [GROWING.strength(step, 8) for step in range(0, 8, 2)] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    whole = Progressive()
    assert whole.extent(28, 0, 8) == 28 and whole.strength(0, 8) == 1 and whole.work(28, 8) == 1
    assert GROWING.work(28, 8) == pytest.approx((14**2 + 19**2 + 23**2 + 28**2) / 4 / 28**2)
    assert GROWING.extent(8, 7, 8) == 8 and GROWING.extent(6, 0, 8) == 4


def test_augmentation_has_a_strength() -> None:
    whole = Augmentation(4, True, 6, 10.0, 20.0, 0.4)
    assert whole.scaled(1.0) == whole
    assert whole.scaled(0.5) == Augmentation(2, True, 3, 5.0, 10.0, 0.2)
    assert whole.scaled(0.0) == Augmentation(flip=True)


def test_a_network_takes_images_of_another_extent_with_the_same_weights() -> None:
    torch.manual_seed(0)
    point = DECISIONS.completed({"s1b1_gate": "gate"}, np.random.default_rng(0))
    network, images = QatNetwork(SPACE.workload(point)).train(), torch.rand(4, 1, 8, 8)
    assert torch.equal(network.at_extent(images, 8), network(images))
    for extent in (6, 13):
        other = QatNetwork(SPACE.workload({**point, "resolution": extent})).train()
        other.load_state_dict(network.state_dict())
        assert torch.equal(network.at_extent(images, extent), other(images))


def test_steps_of_a_stage_see_its_extent(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    at_extent = QatNetwork.at_extent

    def told(network: QatNetwork, images: torch.Tensor, extent: int) -> torch.Tensor:
        seen.append(extent)
        return at_extent(network, images, extent)

    monkeypatch.setattr(QatNetwork, "at_extent", told)
    train(QatNetwork(at(0)), digits(), Training(8, 0.02, progressive=GROWING), 0)
    assert seen == [4, 4, 5, 5, 7, 7, 8, 8]


def test_a_network_learns_so() -> None:
    torch.manual_seed(0)
    network = QatNetwork(at(1))
    train(
        network, digits(), Training(150, 0.02, augmentation=Augmentation(1), progressive=Progressive(2, 0.75, 0.0)), 0
    )
    recalibrate(network, digits())
    assert score(network, digits(), "held_out") > 0.5


def test_what_has_one_extent_alone_is_told(tmp_path: Path) -> None:
    tokens = TransformerSpace(extent=8, patch=2, dataset="digits")
    workload = tokens.workload(DecisionSpace(tokens.decisions).draw(np.random.default_rng(0)))
    given = {"search_steps": 4, "stages": 2, "first_extent": 0.5}
    with pytest.raises(SpecError, match="over a fixed extent"):
        make_evaluator("train", AccuracyContext(0, "digits", tmp_path, given)).measure(workload)


def test_the_provider_trains_so(tmp_path: Path) -> None:
    told = [
        make_evaluator("train", AccuracyContext(0, "digits", tmp_path, {"search_steps": 30, **given})).measure(at(1))
        for given in ({}, {"stages": 3, "first_extent": 0.5}, {"stages": 1, "first_extent": 0.5})
    ]
    assert told[0] == told[2] != told[1]  # a training of one stage has its last alone


def test_a_fused_block_is_one_full_convolution() -> None:
    point = DECISIONS.completed(
        {"s2b1_kind": "fused", "s2b1_kernel": 5, "s1b1_kind": "inverted"}, np.random.default_rng(0)
    )
    by = {layer.name: layer for layer in SPACE.workload(point).layers}
    fused = by["s2b1_fused"]
    assert (fused.R, fused.groups, fused.K, fused.C, fused.stride) == (5, 1, 8, 4, (2, 2))
    assert "s2b1_expand" not in by and "s2b1_depthwise" not in by and "s1b1_depthwise" in by
    assert by["s2b1_project"].C == 8
    plain = DecisionSpace(LayerwiseSpace().decisions).names
    assert not any(name.endswith("kind") for name in plain)


@pytest.mark.parametrize("kind", SPACE.kinds)
def test_blocks_of_each_kind_train_with_their_quantisation(kind: str) -> None:
    fixed = {name: kind for name in DECISIONS.names if name.endswith("kind")}
    assert_trains(at(0, s1b1_gate="none", s3b1_gate="none", **fixed), 120)


def test_a_network_taken_out_computes_what_it_did_within() -> None:
    assert_taken_out(DECISIONS, SPACE.workload)


def test_kinds_are_checked() -> None:
    with pytest.raises(SpecError, match="inverted, fused"):
        parse_recipe({"network": {"name": "layerwise", "kinds": ["melted"]}}, "mine")
    assert parse_recipe({"network": {"name": "layerwise", "kinds": ["fused"]}}, "mine").space.networks > 1e12


@pytest.mark.rtl
@pytest.mark.parametrize("shortcuts", [True, False])
def test_a_fused_point_runs_on_hardware(shortcuts: bool, tmp_path: Path) -> None:
    space = replace(SPACE, shortcuts=shortcuts)
    kinds = {name: "fused" for name in DECISIONS.names if name.endswith("kind")}
    fixed = {**kinds, "s1b1_gate": "none", "s2b1_gate": "gate", "s1_depth": 2, "s1b2_block": "keep"}
    point = DECISIONS.completed(fixed, np.random.default_rng(0))
    assert_runs(space.workload(point), HARDWARE, tmp_path)
