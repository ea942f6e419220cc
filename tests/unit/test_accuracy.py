"""Data and training: real images, disjoint parts, networks that learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from codesign.accuracy.augment import shifted, turned
from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import PARTS, mnist5k
from codesign.accuracy.evaluator import integer_accuracy
from codesign.accuracy.pool import AccuracyPool, make_evaluator
from codesign.images import random_images, sample_images
from codesign.spaces.network.elastic import ElasticSpace
from mappings.errors import SpecError
from mappings.network_io import load_network
from mappings.workload import Workload

OPTIONS = {
    "search_steps": 27,
    "search_learning_rate": 0.03,
    "search_shift_pixels": 0,
    "deploy_steps": 81,
    "deploy_learning_rate": 0.03,
    "deploy_shift_pixels": 1,
}


def small() -> Workload:
    space = ElasticSpace()
    point = {decision.name: decision.choices[0] for decision in space.decisions}
    return space.workload(point | {"stem_width": 8, "s1_width": 8, "downsample": "s1+s2+s3"})


def test_parts_are_disjoint_real_images_with_equal_shares() -> None:
    data = mnist5k()
    seen: set[bytes] = set()
    for part, count in PARTS.items():
        images, labels = data.images[part], data.labels[part]
        assert images.shape == (count, 1, 28, 28) and images.dtype == np.float32
        assert images.min() == 0.0 and images.max() == 1.0
        assert set(np.bincount(labels)) == {count // 10}
        digests = {image.tobytes() for image in images}
        assert not digests & seen
        seen |= digests
    assert sum(PARTS.values()) == 5000


def test_shifted_images_keep_their_pixels() -> None:
    images = torch.zeros(40, 2, 6, 5)
    images[:, 0, 2, 2], images[:, 1, 3, 2] = 1.0, 2.0
    moved = shifted(images, 2, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape
    rows, columns = moved[:, 0].amax(dim=2).argmax(dim=1), moved[:, 0].amax(dim=1).argmax(dim=1)
    assert set(rows.tolist()) == set(range(5)) and set(columns.tolist()) == set(range(5))
    for image, row, column in zip(moved, rows, columns, strict=True):
        assert image.sum() == 3.0 and image[0, row, column] == 1.0 and image[1, row + 1, column] == 2.0


def test_images_are_turned_for_what_is_asked_alone(tmp_path: Path) -> None:
    def measured(**more: float) -> float:
        options = {**OPTIONS, "search_steps": 6, **more}
        return make_evaluator("train", AccuracyContext(0, "mnist5k", tmp_path, options)).measure(small())

    assert measured(deploy_rotate_degrees=40, deploy_scale_percent=40, deploy_bend_pixels=4) == measured()
    assert measured(search_rotate_degrees=40) != measured()
    assert measured(search_scale_percent=40) != measured()
    assert measured(search_bend_pixels=4) != measured()


def test_bent_images_move_smoothly_by_what_is_asked() -> None:
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(20.0), indexing="ij")
    places = torch.stack([rows, columns]).expand(200, -1, -1, -1)  # each pixel says where it came from
    assert turned(places, 0, 0, 0, torch.Generator().manual_seed(1)).allclose(places, atol=1e-4)
    moves = (turned(places, 0, 0, 0.5, torch.Generator().manual_seed(1)) - places)[:, :, 4:-4, 4:-4]  # no border
    assert 0.3 < float(moves.std()) < 0.5  # between the knots less than at them
    assert float(moves.mean().abs()) < 0.05 and moves.std(dim=(1, 2, 3)).min() > 0.1  # each image has moves of its own
    assert all(moves.diff(dim=axis).std() < 0.4 * moves.std() for axis in (2, 3))  # neighbours move alike


def test_a_short_training_learns_and_deploys(tmp_path: Path) -> None:
    evaluator = make_evaluator("train", AccuracyContext(0, "mnist5k", tmp_path, OPTIONS))
    workload = small()
    accuracy = evaluator.measure(workload)
    assert 0.3 < accuracy < 1.0  # chance is 0.1
    assert evaluator.measure(workload) == accuracy
    finished = evaluator.finish(workload)
    assert finished["held_out"] > accuracy - 0.05
    network = load_network(tmp_path / workload.digest[:16])
    assert network.workload == workload
    assert integer_accuracy(network, "test", mnist5k()) == finished["test"]


def test_the_pool_gives_what_one_process_gives(tmp_path: Path) -> None:
    context = AccuracyContext(1, "mnist5k", tmp_path, {**OPTIONS, "search_steps": 4})
    with AccuracyPool("train", context, 1) as pool:
        found = {w.digest: value for w, value in pool.run("measure", [small()])}
    with AccuracyPool("train", context, 0) as local:
        assert {w.digest: value for w, value in local.run("measure", [small()])} == found


def test_unknown_evaluators_options_and_data_sets_are_told(tmp_path: Path) -> None:
    context = AccuracyContext(0, "mnist5k", tmp_path, {"step": 3})
    with pytest.raises(SpecError, match='did you mean "train"'):
        make_evaluator("trian", context)
    with pytest.raises(SpecError, match='unknown option "step"'):
        make_evaluator("train", context)
    with pytest.raises(SpecError, match='unknown dataset "mnist6k"'):
        sample_images("mnist6k", 1, small())


def test_sample_images_take_turns_among_the_digits() -> None:
    pixels, labels = sample_images("mnist5k", 10, small())
    assert pixels.shape == (10, 1, 28, 28)
    assert sorted(labels.tolist()) == list(range(10))


def test_random_images_fill_the_input_range(tmp_path: Path) -> None:
    evaluator = make_evaluator("train", AccuracyContext(0, "mnist5k", tmp_path, {**OPTIONS, "deploy_steps": 2}))
    evaluator.finish(small())
    network = load_network(tmp_path / small().digest[:16])
    images = random_images(network, 50)["image"]
    assert images.shape == (50, 1, 28, 28)
    assert images.min() == -128 and images.max() == 127
