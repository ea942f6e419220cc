"""Tasks: scores against cases worked by hand, losses, scenes, data of the user's own, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from codesign.accuracy.augment import Augmentation
from codesign.accuracy.boxes import Candidates, decoded, mean_average_precision, middles, overlaps
from codesign.accuracy.data import digits, load_dataset, mnist5k, small_boxes, small_scenes
from codesign.accuracy.evaluator import integer_accuracy
from codesign.accuracy.losses import UNLABELLED, augmented, detection, loss_of, segmentation, wanted
from codesign.accuracy.scenes import SMALL, scenes_of
from codesign.accuracy.splits import PART_NAMES, Dataset, checked
from codesign.accuracy.task import TASKS, nearest
from codesign.accuracy.training import Training, recalibrate, score, train
from codesign.explorer.search import SearchTally, describe
from codesign.quantization.deploy import deploy
from codesign.quantization.qat import QatNetwork
from codesign.recipe import load_recipe, parse_recipe
from mappings.errors import SpecError


def maps(*rows: list[list[int]], classes: int = 3) -> np.ndarray:  # type: ignore[type-arg]
    """Outputs whose largest score is of the class that is given."""
    named = np.array(rows)
    return np.stack([(named == kind).astype(np.float64) for kind in range(classes)], axis=1)


def test_accuracy_is_the_share_that_is_named_rightly() -> None:
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]])  # of equal ones the first
    assert TASKS["classification"].score(outputs, np.array([1, 1, 0]), (8, 8)) == pytest.approx(2 / 3)


def test_mean_intersection_over_union_by_hand() -> None:
    labels = np.array([[[0, 0], [1, 1]]])
    score = TASKS["segmentation"].score
    assert score(maps([[0, 0], [1, 1]]), labels, (2, 2)) == 1.0
    # Of class 0 one pixel of two, both of class 1 and one more: 1/2 and 2/3. Class 2 is nowhere and does not count.
    assert score(maps([[0, 1], [1, 1]]), labels, (2, 2)) == pytest.approx((1 / 2 + 2 / 3) / 2)
    # What is named class 2 is no class of the labels: it costs class 0 its pixel, and is no term of its own.
    assert score(maps([[0, 2], [1, 1]]), labels, (2, 2)) == pytest.approx((1 / 2 + 1) / 2)
    assert score(maps([[2, 2], [2, 2]]), labels, (2, 2)) == 0.0
    # Over all pixels of the part, not by image: 3 of 4 and 0 of 2 are 3/5 of class 0 (5 pixels named or meant).
    two = np.array([[[0, 0], [0, 1]], [[1, 1], [1, 1]]])
    found = score(maps([[0, 0], [0, 0]], [[1, 1], [1, 0]]), two, (2, 2))
    assert found == pytest.approx((3 / 5 + 3 / 5) / 2)


def test_a_coarser_map_stands_for_the_pixels_that_it_covers() -> None:
    coarse = np.array([[[1, 2]]])
    assert nearest(coarse, (2, 4)).tolist() == [[[1, 1, 2, 2], [1, 1, 2, 2]]]
    assert nearest(np.array([[[0, 1, 2]]]), (1, 4)).tolist() == [[[0, 0, 1, 2]]]
    assert TASKS["segmentation"].score(maps([[1, 2]]), np.array([[[1, 1, 2, 1]]]), (1, 4)) == pytest.approx(
        (2 / 3 + 1 / 2) / 2
    )


def test_overlap_of_boxes() -> None:
    one = np.array([[0.0, 0.0, 2.0, 2.0]])
    other = np.array([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0], [2.0, 0.0, 4.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
    assert overlaps(one, other)[0].tolist() == pytest.approx([1.0, 1 / 7, 0.0, 0.0])


def candidates(*rows: tuple[int, int, float, tuple[float, float, float, float]]) -> Candidates:
    """Image, class, confidence, box."""
    image, kind, confidence, boxes = (np.array(column) for column in zip(*rows, strict=True))
    return Candidates(image, kind, confidence, boxes.astype(np.float64))


TWO = np.array([[[0, 0, 0, 4, 4], [0, 10, 10, 14, 14]], [[0, 0, 0, 4, 4], [-1, -1, -1, -1, -1]]])


def test_average_precision_by_hand() -> None:
    right, wrong = (0.0, 0.0, 4.0, 4.0), (20.0, 20.0, 24.0, 24.0)
    assert mean_average_precision(candidates((0, 0, 0.9, right)), TWO) == pytest.approx(1 / 3)
    # Right, wrong, right, of three boxes: precision 1, 1/2, 2/3; made to fall 1, 2/3, 2/3 at recall 1/3, 1/3, 2/3.
    found = candidates((0, 0, 0.9, right), (1, 0, 0.8, wrong), (1, 0, 0.7, right))
    assert mean_average_precision(found, TWO) == pytest.approx(1 / 3 + (1 / 3) * (2 / 3))
    # A second candidate for a box that is taken is wrong.
    again = candidates((0, 0, 0.9, right), (0, 0, 0.8, right), (1, 0, 0.7, right))
    assert mean_average_precision(again, TWO) == pytest.approx(1 / 3 + (1 / 3) * (2 / 3))
    # An overlap of half counts, of less does not: 8 / 16 and 4 / 16.
    assert mean_average_precision(candidates((0, 0, 0.9, (0.0, 0.0, 2.0, 4.0))), TWO) == pytest.approx(1 / 3)
    assert mean_average_precision(candidates((0, 0, 0.9, (0.0, 0.0, 1.0, 4.0))), TWO) == 0.0
    # In another image, or of another class, it is nothing; a class that is nowhere is no term.
    assert mean_average_precision(candidates((1, 0, 0.9, (10.0, 10.0, 14.0, 14.0))), TWO) == 0.0
    assert mean_average_precision(candidates((0, 1, 0.9, right)), TWO) == 0.0
    both = TWO.copy()
    both[1, 0, 0] = 1
    assert mean_average_precision(candidates((0, 0, 0.9, right), (1, 1, 0.1, right)), both) == pytest.approx(0.75)
    assert mean_average_precision(candidates((0, 0, 0.9, right)), np.full((1, 2, 5), -1)) == 0.0


def told(kinds: torch.Tensor, away: torch.Tensor, classes: int) -> torch.Tensor:
    """A map that says what is wanted, sure of it."""
    scores = 20.0 * torch.nn.functional.one_hot(kinds, 1 + classes).permute(0, 3, 1, 2).float()
    return torch.cat([scores, away.permute(0, 3, 1, 2)], dim=1)


def test_what_a_map_is_taught_is_what_is_read_from_it() -> None:
    labels = torch.tensor([[[1, 1, 1, 9, 8], [0, 9, 9, 15, 16]], [[2, 0, 0, 16, 16], [-1, -1, -1, -1, -1]]])
    kinds, away = wanted(labels, (4, 4), (16, 16))
    rows, columns = middles((4, 4), (16, 16))
    assert rows.tolist() == columns.tolist() == [2.0, 6.0, 10.0, 14.0]
    assert kinds[0].tolist() == [[2, 2, 0, 0], [2, 2, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    assert away[0, 0, 0].tolist() == [0.25, 0.25, 1.75, 1.5]  # from (2, 2) to 1, 1, 9 and 8, in places of 4 pixels
    output = told(kinds, away, 3)
    found = decoded(output.double().numpy(), (16, 16))
    assert sorted(zip(found.image.tolist(), found.kind.tolist(), strict=True))[:1] == [(0, 0)]
    assert TASKS["detection"].score(output.double().numpy(), labels.numpy(), (16, 16)) == 1.0
    assert float(detection(output, labels, (16, 16))) < 1e-6
    worse = output.clone()
    worse[:, -1] += 1.0
    assert float(detection(worse, labels, (16, 16))) > 0.05
    assert float(detection(output, torch.full((2, 1, 5), -1), (16, 16))) > 1.0  # boxes where none is


def test_the_smaller_of_two_boxes_has_the_place() -> None:
    labels = torch.tensor([[[0, 0, 0, 16, 16], [1, 4, 4, 12, 12]]])
    assert set(wanted(labels, (4, 4), (16, 16))[0][0, 1:3, 1:3].reshape(-1).tolist()) == {2}


def test_the_loss_of_segmentation_is_that_of_its_pixels() -> None:
    outputs, labels = torch.randn(2, 3, 2, 2), torch.randint(0, 3, (2, 4, 4))
    fine = outputs.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(segmentation(outputs, labels), torch.nn.functional.cross_entropy(fine, labels))
    cut = labels.clone()
    cut[:, 0] = UNLABELLED
    whole = torch.nn.functional.cross_entropy(fine[:, :, 1:], labels[:, 1:])
    assert torch.allclose(loss_of("segmentation", (4, 4))(outputs, cut), whole)


def test_labels_of_pixels_move_with_them() -> None:
    images = torch.rand(6, 1, 8, 8)
    labels = (images[:, 0] * 5).long()
    moved, with_them, partners, share = augmented("segmentation", Augmentation(2, flip=True), images, labels, 3, 1)
    there = with_them != UNLABELLED
    assert partners is None and share == 1.0 and bool((~there).any()) and not torch.equal(moved, images)
    assert torch.equal((moved[:, 0] * 5).long()[there], with_them[there]) and bool((moved[:, 0][~there] == 0).all())


@pytest.mark.parametrize("name", ["digit_scenes", "digit_boxes", "small_scenes", "small_boxes"])
def test_scenes_are_whole_and_their_parts_apart(name: str) -> None:
    data = checked(load_dataset(name))
    assert data.task == ("segmentation" if "scenes" in name else "detection")
    assert data.classes == {"digit_scenes": 11, "digit_boxes": 10, "small_scenes": 5, "small_boxes": 4}[name]
    assert data.images["train"].shape[1:] == (1, data.extent, data.extent)
    assert len({image.tobytes() for part in PART_NAMES for image in data.images[part]}) == sum(
        len(data.labels[part]) for part in PART_NAMES
    )


def test_scenes_hold_digits_of_their_part_alone_and_boxes_hold_their_ink() -> None:
    assert scenes_of("again", digits(), SMALL).digest == small_scenes().digest
    marked = Dataset("marked", digits().images, {**digits().labels, "test": digits().labels["test"] * 0 + 3})
    again = scenes_of("again", marked, SMALL)
    assert set(np.unique(again.labels["test"]).tolist()) == {0, 4}
    assert np.array_equal(again.labels["train"], small_scenes().labels["train"])
    named, boxes = small_scenes().labels["held_out"], small_boxes().labels["held_out"]
    assert np.array_equal(small_scenes().images["held_out"], small_boxes().images["held_out"])
    for label, own in zip(named, boxes, strict=True):
        outside = np.ones_like(label, bool)
        for kind, top, left, bottom, right in own[own[:, 0] >= 0]:
            rows, columns = slice(max(top - 1, 0), bottom + 1), slice(max(left - 1, 0), right + 1)
            inked = label[rows, columns] == kind + 1  # its ink reaches each edge, and one pixel beyond
            assert inked[[0, -1] if top > 0 else [-1]].any(axis=1).all() and inked[:, -1].any()
            outside[rows, columns] = False
        assert not label[outside].any()


def test_todays_data_sets_are_as_they_were() -> None:
    assert mnist5k().task == digits().task == "classification"
    assert mnist5k().digest.startswith("ddb09cfd168f") and digits().digest.startswith("add96cbccd62")


PIXELS = np.random.default_rng(0).integers(0, 256, (120, 8, 8), dtype=np.uint8)
MAPS = (PIXELS > 128).astype(np.uint8)
BOXES = np.tile(np.array([[[0, 1, 1, 5, 6]]]), (120, 1, 1))


def test_own_label_maps_and_boxes_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "maps.npz", images=PIXELS, labels=MAPS)
    np.savez(tmp_path / "two.npz", x_train=PIXELS, y_train=MAPS, x_test=PIXELS[:20], y_test=MAPS[:20])
    np.savez(tmp_path / "boxes.npz", images=PIXELS, boxes=BOXES)
    found = load_dataset(str(tmp_path / "maps.npz"))
    assert (found.task, found.classes) == ("segmentation", 2) and found.labels["train"].shape == (84, 8, 8)
    assert all(np.array_equal(found.images[p][:, 0] > 128 / 255, found.labels[p] > 0) for p in PART_NAMES)
    assert len(load_dataset(str(tmp_path / "two.npz")).labels["test"]) == 20
    boxes = load_dataset(str(tmp_path / "boxes.npz"))
    assert (boxes.task, boxes.classes, boxes.labels["test"].shape) == ("detection", 1, (12, 1, 5))
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "HELD = np.load(__file__.replace('mine.py', 'maps.npz'))\n"
        "class Pairs:\n"
        "    bad = False\n"
        "    def __len__(self): return 120\n"
        "    def __getitem__(self, place):\n"
        "        label = HELD['labels'][place]\n"
        "        return HELD['images'][place][None], label[:4] if self.bad and place == 7 else label\n"
        "class Bad(Pairs):\n    bad = True\n"
    )
    own = load_dataset(f"{tmp_path / 'mine.py'}:Pairs")
    assert own.task == "segmentation" and own.digest == found.digest
    with pytest.raises(SpecError, match=r"Bad\[7\]: has a label of \[4, 8\], and that of image 0 is \[8, 8\]"):
        load_dataset(f"{tmp_path / 'mine.py'}:Bad")


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({"labels": MAPS[:, :4]}, r"labels: is \[120, 4, 8\] \(allowed: one label an image, or one a pixel"),
        ({"labels": MAPS.astype(np.float32)}, "has the label float32"),
        ({"labels": 2 * MAPS}, "no image of class 1 to train on, and labels up to 2"),
        ({"labels": 0 * MAPS}, "has one class"),
        ({"boxes": BOXES[:, :, :4]}, r"boxes: has boxes \[120, 1, 4\]"),
        ({"boxes": BOXES + np.array([0, 0, 0, 4, 0])}, r"has the box \[0, 1, 1, 9, 6\] in image 0"),
        ({"boxes": BOXES * np.array([1, 1, 1, 0, 1])}, r"has the box \[0, 1, 1, 0, 6\] in image 0"),
        ({"boxes": BOXES.astype(np.float64)}, "holds float64"),
        ({"boxes": np.full((120, 1, 5), -1)}, "has 0 classes|has one class"),
    ],
)
def test_malformed_maps_and_boxes(held: dict[str, np.ndarray], told: str, tmp_path: Path) -> None:  # type: ignore[type-arg]
    np.savez(tmp_path / "bad.npz", images=PIXELS, **held)
    with pytest.raises(SpecError, match=told):
        load_dataset(str(tmp_path / "bad.npz"))


SEGMENTS = {"network": "trellis", "objectives": ["accuracy"], "compression": "none"}
TRAIN = {"name": "train", "deploy_shift_pixels": 0}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"providers": ["probe"]}, '"probe" understands labels for classification, and the networks are for segm'),
        ({"providers": ["supernet"]}, r'"supernet" understands labels .* \(allowed: train\)'),
        ({"driver": "relaxed"}, '"relaxed" understands labels for classification'),
        (
            {"providers": [{**TRAIN, "search_rotate_degrees": 5.0}]},
            "search_rotate_degrees: is 5.0, which does not go",
        ),
        ({"providers": [{**TRAIN, "mixup": 0.2}]}, "mixup: is 0.2"),
        ({"providers": [{**TRAIN, "stages": 2}]}, "stages: is 2"),
        (
            {"network": "pyramid", "providers": ["train"]},
            "deploy_shift_pixels: is 1, which does not go with labels for det",
        ),
        ({"network": "layerwise", "providers": [{**TRAIN, "auxiliary": ["stem"]}]}, r"auxiliary: is \['stem'\], which"),
        ({"network": {"name": "trellis", "dataset": "mnist5k"}}, "trellis: is for segmentation, and mnist5k is for cl"),
        ({"network": {"name": "layerwise", "dataset": "digit_boxes"}}, "is for classification, and digit_boxes is for"),
    ],
)
def test_what_does_not_go_with_a_task_is_told_when_a_recipe_is_read(changes: dict[str, object], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        parse_recipe({**SEGMENTS, "providers": [TRAIN], **changes}, "mine")


def test_data_of_another_task_is_refused_on_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="trellis: is for segmentation, and digits is for classification"):
        load_recipe("auto_deeplab", {"data": "digits"})
    taken = load_recipe("auto_deeplab", {"data": "small_scenes"}).network.given
    assert (taken["extent"], taken["classes"]) == (16, 5)


def test_networks_of_maps_on_the_command_line_are_trained_as_their_labels_allow() -> None:
    train = load_recipe("default", {"network": "pyramid"}).providers[1].given
    assert train["deploy_shift_pixels"] == train["deploy_rotate_degrees"] == train["deploy_bend_pixels"] == 0
    assert train["flip"] is False
    assert load_recipe("default", {"network": "trellis"}).providers[1].given["deploy_steps"] == 4000
    with pytest.raises(SpecError, match=r"or a network for segmentation \(trellis, squeeze"):
        load_recipe("default", {"data": "small_scenes"})


OWN_SPACE = """
import torch
from torch import nn
from codesign.decisions import Decision

class Mine:
    dataset, input_shape, task = "small_scenes", (1, 1, 16, 16), "{task}"
    decisions = (Decision("width", "network", (4, 8)), Decision("kernel", "network", (1, 3)))

    def build(self, point):
        width, kernel = point["width"], point["kernel"]
        return nn.Sequential(
            nn.Conv2d(1, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 5, kernel, 1, kernel // 2), nn.BatchNorm2d(5), nn.Upsample(scale_factor=2),
        )
"""


def test_own_networks_say_their_task(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN_SPACE.format(task="segmentation"))
    (tmp_path / "wrong.py").write_text(OWN_SPACE.format(task="segments"))
    (tmp_path / "plain.py").write_text(OWN_SPACE.format(task="classification"))
    recipe = parse_recipe({**SEGMENTS, "network": f"{tmp_path / 'mine.py'}:Mine", "providers": [TRAIN]}, "mine")
    workload = recipe.space.network_at({"width": 4, "kernel": 3}).workload
    assert workload is not None and workload.layers[-1].moves == "box"
    data = small_scenes()
    torch.manual_seed(0)
    network = QatNetwork(workload)
    train(network, data, Training(40, 0.03), 0)
    recalibrate(network, data, 128)
    found = score(network, data, "held_out")
    assert 0.15 < found < 1.0  # background everywhere: 0.13
    whole = deploy(network)
    assert abs(integer_accuracy(whole, "held_out", data) - found) < 0.02
    with pytest.raises(SpecError, match=r"wrong.py:Mine.task: is .segments. \(allowed: classification, segmentation"):
        parse_recipe({**SEGMENTS, "network": f"{tmp_path / 'wrong.py'}:Mine", "providers": [TRAIN]}, "mine")
    with pytest.raises(SpecError, match="is for classification, and small_scenes is for segmentation"):
        parse_recipe({**SEGMENTS, "network": f"{tmp_path / 'plain.py'}:Mine", "providers": [TRAIN]}, "mine")


def test_a_search_says_what_its_score_is() -> None:
    tallied = SearchTally(4, 0, 3, 0, {}, {})
    found: Any = [SimpleNamespace(metrics={"accuracy": 0.25}), SimpleNamespace(metrics={"accuracy": 0.5})]
    assert describe(tallied, found).endswith(
        "3 networks trained, the best classifies 50.0% of the held-out images correctly"
    )
    assert describe(tallied, found, "mIoU").endswith("trained, the best has a mIoU of 50.0% on the held-out images")
