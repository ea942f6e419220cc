"""Blocks that a teacher's features train apart: what a block reads and learns, and what a network is worth by them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from codesign.accuracy.data import digits
from codesign.providers.accuracy import kept as kept_files
from codesign.providers.accuracy.supernet import corners_of
from codesign.providers.base import ProviderContext
from codesign.providers.registry import make_provider
from codesign.quantization.qat import QatNetwork
from codesign.recipe import Recipe, parse_recipe
from codesign.supernet.blockwise import Blocks, BlockwiseTrainer, Ratings, blocks_of, prefixes_of
from codesign.supernet.corners import Corners
from codesign.supernet.training import TrainingOptions
from mappings.errors import SpecError

HELD = {
    "stem_width": [8],
    "stem_kernel": [3],
    "downsample": ["s2"],
    "s1_width": [8],
    "s2_width": [12],
    "s3_width": [12],
}
FREE = {"s1_depth": [1, 2], "s2_depth": [1], "s3_depth": [1], "s3_kernel": [3]}


def recipe(**changes: object) -> Recipe:
    network = {"name": "elastic_mnist", "extent": 8, "dataset": "digits"}
    return parse_recipe({"extends": "networks", "network": network, "choices": {**HELD, **FREE, **changes}}, "mine")


@pytest.fixture(scope="module")
def corners() -> Corners:
    return corners_of(recipe().space)


@pytest.fixture
def blocks(corners: Corners) -> Blocks:
    torch.manual_seed(0)
    teacher = QatNetwork(corners.workload_at(corners.largest))
    teacher(torch.from_numpy(digits().images["train"][:64]))
    return Blocks(teacher.eval(), prefixes_of(recipe().space))


def test_a_network_falls_into_its_blocks(corners: Corners) -> None:
    point = corners.largest | {"s1_block": "bottleneck2", "s1_depth": 2}
    first, second, last = blocks_of(corners.workload_at(point), ("s1", "s2", "s3"))
    assert first.source == "stem" and first.target == second.source == "s1b2_add" and last.source == second.target
    assert [layer.name for layer in first.layers.layers][:3] == ["s1b1_expand", "s1b1_depthwise", "s1b1_project"]


def test_a_block_that_is_the_teachers_own_has_no_error(corners: Corners, blocks: Blocks) -> None:
    options, largest = TrainingOptions("uniform", "own", steps=1), corners.workload_at(corners.largest)
    trainer = BlockwiseTrainer(corners, digits(), options, blocks)
    images = torch.from_numpy(digits().images["train"][:64])
    with torch.no_grad():
        for name, part in trainer.network.parameters_of(largest).items():
            part.copy_(blocks.teacher.get_parameter(name))
        blocks.teacher.train()  # statistics of these images, as the blocks have them
        found = [float(e) for e in blocks.errors(trainer.network, largest, blocks.features(images))]
        smaller = corners.workload_at(corners.largest | {"s1_depth": 1})
        other = [float(e) for e in blocks.errors(trainer.network, smaller, blocks.features(images))]
    assert found == [0.0, 0.0, 0.0] and other[0] > 0.1 and other[1:] == [0.0, 0.0]


def test_no_gradient_passes_from_block_to_block(corners: Corners, blocks: Blocks) -> None:
    trainer = BlockwiseTrainer(corners, digits(), TrainingOptions("uniform", "own", steps=1), blocks)
    workload = corners.workload_at(corners.largest)
    features = blocks.features(torch.from_numpy(digits().images["train"][:16]))
    first, second, _ = blocks.errors(trainer.network, workload, features)
    second.backward()  # type: ignore[no-untyped-call]
    reached = {name.split("/")[0][:2] for name, part in trainer.network.parts.items() if part.grad is not None}
    assert reached == {"s2"} and first.requires_grad


def test_training_brings_blocks_nearer_and_leaves_stem_and_classifier_alone(corners: Corners, blocks: Blocks) -> None:
    trainer = BlockwiseTrainer(corners, digits(), TrainingOptions("fair", "own", steps=25, learning_rate=0.03), blocks)
    workload = corners.workload_at(corners.smallest)
    before = Ratings(trainer.network, blocks, digits(), 128).error(workload)
    trainer.run()
    assert Ratings(trainer.network, blocks, digits(), 128).error(workload) < 0.8 * before
    weights = trainer.network.parameters_of(corners.workload_at(corners.largest))
    for name in ("steps.stem.weight", "steps.fc.bias", "steps.pool.quantizer.log_scale"):
        assert torch.equal(weights[name], blocks.teacher.get_parameter(name))


def test_the_provider_tells_errors_and_accuracies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_files, "cache_dir", lambda: tmp_path / "cache")
    mine = recipe()
    told = {"base_steps": 40, "steps": 30, "learning_rate": 0.03, "shift_pixels": 0, "calibration_images": 128}
    context = ProviderContext(0, mine.device, mine.space, tmp_path / "run", 0, told)
    provider = make_provider("blockwise", context)
    provider.prepare()
    points = [corners_of(mine.space).largest, corners_of(mine.space).smallest]
    found = provider.measure(mine.space.decode(points, designs=False))
    assert all(set(item.metrics) == {"accuracy", "block_error"} for item in found)
    assert found[0].metrics["block_error"] != found[1].metrics["block_error"] > 0
    assert len(list((tmp_path / "run").glob("*.npz"))) == 2  # the teacher and the blocks


def test_what_changes_several_blocks_is_held() -> None:
    with pytest.raises(SpecError, match="s2_width changes what several of them read"):
        prefixes_of(recipe(s2_width=[8, 12]).space)
