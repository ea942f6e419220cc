"""The space of capsules: a point routes by agreement, trains with its quantisation, and runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from codesign.decisions import DecisionSpace
from codesign.quantization.qat import QatNetwork
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network.capsules import CapsuleSpace
from mappings.layer import Op
from mappings.workload import Workload
from tests.spaces import assert_runs, assert_taken_out, assert_trains
from tests.unit.test_transformer_space import HARDWARE

SPACE = CapsuleSpace(extent=8, dataset="digits", widths=(8, 12))
DECISIONS = DecisionSpace(SPACE.decisions)


def draw(seed: int = 0, **fixed: object) -> Workload:
    return SPACE.workload(DECISIONS.completed(fixed, np.random.default_rng(seed)))


class TestCapsules(NetworkSpaceConformance):
    name, options = "capsules", {"extent": 8}


def test_rounds_route_what_agrees() -> None:
    workload = draw(types=2, capsules=6, pose=8, rounds=3)
    by = {layer.name: layer for layer in workload.layers}
    votes, agreement, weights = by["t1_votes"], by["r2t1_agreement"], by["r2t1_weights"]
    assert (votes.P, votes.K) == (4, 48)  # 4 positions vote for 6 poses of 8
    assert (agreement.groups, agreement.P, agreement.K, agreement.C) == (6, 1, 4, 8)
    assert (weights.op, weights.groups, weights.C, weights.P) == (Op.SOFTMAX, 6, 4, 1)
    assert by["r2_add2"].inputs == ("r2t1_sum", "r2t2_sum") and by["fc"].inputs == ("r3_poses",)
    assert "r2t1_agreement" not in {layer.name for layer in draw(rounds=1).layers}


def test_a_round_by_hand() -> None:
    """In real numbers: agreements, a softmax over the votes for a capsule, sums of votes, a norm."""
    workload = draw(types=1, capsules=6, pose=8, rounds=2)
    network = QatNetwork(workload)
    network.use_integers(False)
    network.eval()
    with torch.no_grad():
        values = network.values(network.entered(torch.rand(3, 1, 8, 8)))
        votes = values["t1_votes"].reshape(3, 6, 8, 4)  # images, output capsules, pose, positions

        def normed(poses: Tensor) -> Tensor:
            return torch.nn.functional.layer_norm(poses.reshape(3, 48), (48,)).reshape(3, 6, 8)

        poses = normed(votes.mean(dim=3))
        agreement = torch.einsum("njdp,njd->njp", votes, poses) / 8.0**0.5  # the root of the pose's channels
        routed = normed(torch.einsum("njp,njdp->njd", agreement.softmax(dim=2), votes))
    assert torch.allclose(values["r2_poses"].reshape(3, 6, 8), routed, atol=1e-4)


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_point_trains_with_its_quantisation(rounds: int) -> None:
    assert_trains(draw(types=2, rounds=rounds, stem_width=12, dimension=8, capsules=10, pose=8), 150)


def test_a_network_taken_out_computes_what_it_did_within() -> None:
    assert_taken_out(DECISIONS, SPACE.workload)


@pytest.mark.rtl
@pytest.mark.parametrize(("types", "rounds"), [(1, 2), (2, 3)])
def test_a_point_runs_on_hardware(types: int, rounds: int, tmp_path: Path) -> None:
    workload = draw(types=types, rounds=rounds, stem_width=8, stem_kernel=3)
    assert_runs(workload, replace(HARDWARE, param_buffer_bytes=4096), tmp_path)
