"""The space of convolution, attention and mixing: a point lowers, trains with its quantisation, and runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codesign.accuracy.data import digits
from codesign.decisions import DecisionSpace
from codesign.recipe import parse_recipe
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network.uninet import UniSpace
from codesign.supernet.corners import Corners
from codesign.supernet.training import Trainer, TrainingOptions, measured
from mappings.errors import SpecError
from mappings.layer import Op
from mappings.workload import Workload
from tests.spaces import assert_runs, assert_taken_out, assert_trains
from tests.unit.test_transformer_space import HARDWARE

SPACE = UniSpace(extent=8, patch=2, dataset="digits", widths=((8, 12), (12, 16)), depths=(1, 2))
DECISIONS = DecisionSpace(SPACE.decisions)
KINDS = [("conv", "attention", "global"), ("mixer", "conv", "local"), ("attention", "mixer", "global")]


def draw(seed: int, **fixed: object) -> Workload:
    return SPACE.workload(DECISIONS.completed(fixed, np.random.default_rng(seed)))


def of_kinds(first: str, second: str, down: str, **fixed: object) -> Workload:
    return draw(0, s1_choice=first, s2_choice=second, s2_down=down, **fixed)


class TestUniNet(NetworkSpaceConformance):
    name, options = "uninet", {"extent": 8, "patch": 2}


def test_stages_are_what_they_say() -> None:
    workload = of_kinds("mixer", "attention", "global", s1_depth=1, s2_depth=1, s1_width=8, s2_width=16, s2_expansion=2)
    by = {layer.name: layer for layer in workload.layers}
    mix = by["s1b1_mixer_mix"]  # 16 tokens to 16, for each of 8 channels
    assert (mix.op, mix.P, mix.K, mix.C, mix.activation) == (Op.MATMUL, 16, 8, 16, "relu")
    scores = by["s2_down_scores"]  # 4 tokens of the halved map ask 16 of the map before
    assert (scores.P, scores.K, scores.groups * scores.C) == (4, 16, 16)
    assert by["s2b1_attention_scores"].P == by["s2b1_attention_scores"].K == 4
    assert by["s2b1_attention_wide"].K == 32
    local = of_kinds("conv", "conv", "local")
    assert {layer.op for layer in local.layers} <= {Op.CONV, Op.ADD, Op.AVGPOOL, Op.LINEAR}


@pytest.mark.parametrize("kinds", KINDS)
def test_a_point_trains_with_its_quantisation(kinds: tuple[str, str, str]) -> None:
    assert_trains(of_kinds(*kinds, s1_depth=1, s2_depth=1), 120)


def test_a_network_taken_out_computes_what_it_did_within() -> None:
    assert_taken_out(DECISIONS, SPACE.workload)


def test_its_supernet_learns() -> None:
    corners = Corners.of(DECISIONS, SPACE.workload)
    trainer = Trainer(corners, digits(), TrainingOptions("uniform", steps=150, learning_rate=0.02))
    trainer.run()
    assert measured(trainer.network, corners.workload_at(corners.largest), digits(), "held_out", 256) > 0.3


def test_its_options_are_checked() -> None:
    with pytest.raises(SpecError) as caught:
        parse_recipe({"network": {"name": "uninet", "extent": 28, "patch": 5, "widths": [[7], [8]]}}, "mine")
    assert "uninet.patch: is 5" in str(caught.value) and "uninet.widths: are [7]" in str(caught.value)


@pytest.mark.rtl
@pytest.mark.parametrize("kinds", KINDS)
def test_a_point_runs_on_hardware(kinds: tuple[str, str, str], tmp_path: Path) -> None:
    workload = of_kinds(*kinds, s1_depth=1, s2_depth=1, s1_width=8, s2_width=12)
    assert_runs(workload, HARDWARE, tmp_path)
