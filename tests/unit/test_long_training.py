"""What long trainings add: augmentation, real numbers first, checkpoints, whitened filters, residual networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from codesign.accuracy import checkpoint
from codesign.accuracy.augment import Augmentation, whitening, with_cutout
from codesign.accuracy.data import digits
from codesign.accuracy.evaluator import integer_accuracy
from codesign.accuracy.training import Training, recalibrate, score, train
from codesign.quantization.deploy import deploy
from codesign.quantization.qat import ActivationQuantizer, QatNetwork
from codesign.spaces.network.residual import ResidualSpace
from mappings.layer import Op
from mappings.workload import Workload

SPACE = ResidualSpace(1, 8, stem=(8, 12), widths=((8, 12), (12, 16)), first_stride=1)
HOW = Training(
    30, 0.1, 32, "sgd", 5e-4, 0.1, 0.7, whiten=True, augmentation=Augmentation(1, flip=True, cutout_pixels=2, mixup=0.3)
)


def network_of(depth: int = 1) -> Workload:
    return SPACE.workload({"stem_width": 8, "s1_width": 8, "s1_depth": depth, "s2_width": 12, "s2_depth": depth})


def trained(how: Training, checkpoint: Path | None = None, told: str = "") -> QatNetwork:
    torch.manual_seed(3)
    network = QatNetwork(network_of())
    train(network, digits(), how, 5, checkpoint, told)
    return network


def same(one: QatNetwork, other: QatNetwork) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_depth_adds_blocks_around_the_identity() -> None:
    shallow, deep = network_of(0), network_of(1)
    assert [layer.op for layer in shallow.layers].count(Op.ADD) == 0
    adds = [layer for layer in deep.layers if layer.op is Op.ADD]
    assert [layer.inputs for layer in adds] == [("s1", "s1b1_second"), ("s2", "s2b1_second")]
    # stem 8x8x8x9; s1 as it is; block twice; s2 at 4x4; block; classifier: by hand.
    convolutions = 64 * 9 * (8 + 64 * 3) + 16 * 9 * (8 * 12 + 2 * 144)
    assert sum(layer.macs for layer in deep.layers if layer.op in (Op.CONV, Op.LINEAR)) == convolutions + 120


@pytest.mark.parametrize("stopped", [4, 21, 25])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: int
) -> None:
    whole = trained(HOW)
    monkeypatch.setattr(checkpoint, "SECONDS", -1.0)
    seen = 0

    def kill() -> None:
        nonlocal seen
        seen += 1
        if seen > stopped:
            raise KeyboardInterrupt

    torch.manual_seed(3)
    with pytest.raises(KeyboardInterrupt):
        train(QatNetwork(network_of()), digits(), HOW, 5, tmp_path / "kept.npz", "net", kill)
    assert same(trained(HOW, tmp_path / "kept.npz", "net"), whole)


def test_another_trainings_checkpoint_and_a_damaged_one_are_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS", -1.0)
    short, kept = replace(HOW, steps=6), tmp_path / "kept.npz"
    trained(replace(HOW, steps=5), kept, "net")
    whole = trained(short)
    assert same(trained(short, kept, "net"), whole)
    kept.write_bytes(kept.read_bytes()[:-200])
    assert same(trained(short, kept, "net"), whole)


def test_real_numbers_then_integers_learn_and_deploy_alike() -> None:
    network = trained(replace(HOW, steps=150, augmentation=Augmentation()))
    assert all(item.exact for item in network.modules() if isinstance(item, ActivationQuantizer))
    recalibrate(network, digits())
    accuracy = score(network, digits(), "held_out")
    assert accuracy > 0.7  # chance is 0.1
    assert abs(integer_accuracy(deploy(network), "held_out", digits()) - accuracy) < 0.01


def test_calibration_takes_scales_from_what_passes() -> None:
    torch.manual_seed(0)
    network = QatNetwork(network_of(0))
    network.use_integers(False)
    images = torch.rand(50, 1, 8, 8)
    network.calibrate(images)
    with torch.no_grad():
        exact = network(images)
        network.use_integers(False)
        real = network(images)
    assert 0 < (exact - real).abs().max() < 0.2 * real.std()


def test_whitened_patches_are_uncorrelated() -> None:
    rng = torch.Generator().manual_seed(0)
    rough = torch.rand(300, 3, 10, 10, generator=rng)
    images = torch.nn.functional.avg_pool2d(rough, 3, 1, 1)  # neighbours alike
    filters = whitening(images, 12, 3)
    assert filters.shape == (12, 3, 3, 3) and torch.equal(filters[:6], -filters[6:])
    seen = torch.nn.functional.conv2d(images, filters[:6], stride=2).transpose(0, 1).flatten(1)
    covariance = np.cov(seen.numpy())
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.15
    assert np.diag(covariance).min() > 0.7 and np.diag(covariance).max() < 1.1


def test_cutout_leaves_a_square_out() -> None:
    images = torch.ones(60, 2, 9, 7)
    cut = with_cutout(images, 3, torch.Generator().manual_seed(1))
    missing = (cut[:, 0] == 0).flatten(1).sum(dim=1)
    assert torch.equal(cut[:, 0], cut[:, 1])
    assert missing.max() == 9 and missing.min() >= 4 and set(cut.flatten().tolist()) == {0.0, 1.0}


def test_augmentation_follows_from_seed_and_step() -> None:
    images = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    change = Augmentation(2, flip=True, mixup=0.5)
    one, partners, share = change(images, 7, 3)
    again, others, same_share = change(images, 7, 3)
    assert torch.equal(one, again) and partners is not None and others is not None
    assert torch.equal(partners, others) and share == same_share and 0 < share < 1
    assert not torch.equal(change(images, 7, 4)[0], one)
    assert Augmentation()(images, 7, 3)[0] is images
