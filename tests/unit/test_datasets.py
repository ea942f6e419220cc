"""Data sets from files: layouts, splits that content decides, and every fault in one line."""

from __future__ import annotations

import gzip
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import check_fits, load_dataset
from codesign.accuracy.pool import make_evaluator
from codesign.accuracy.splits import PART_NAMES, Dataset, split
from codesign.recipe import load_recipe
from codesign.spaces.network.elastic import ElasticSpace
from mappings.errors import SpecError

RNG = np.random.default_rng(0)


def noise(count: int, *shape: int) -> np.ndarray:  # type: ignore[type-arg]
    return RNG.integers(0, 256, (count, *shape), dtype=np.uint8)


def labels(count: int, classes: int = 4) -> np.ndarray:  # type: ignore[type-arg]
    return (np.arange(count) % classes).astype(np.uint8)


def write_folder(path: Path, counts: dict[str, int], mode: str = "RGB") -> Path:
    for name, count in counts.items():
        (path / name).mkdir(parents=True)
        for index in range(count):
            side = int(RNG.integers(12, 30))
            image = Image.fromarray(noise(side, side + index % 3, 3)).convert(mode)
            image.save(path / name / f"{index}.{'png' if index % 2 else 'jpg'}")
    return path


def test_content_alone_decides_the_parts() -> None:
    images, named = noise(400, 1, 6, 6).astype(np.float32) / 255, labels(400).astype(np.int64)
    first = split("a", images, named)
    order = RNG.permutation(400)
    again = split("a", images[order], named[order])
    assert first.digest == again.digest
    assert [len(first.labels[part]) for part in PART_NAMES] == [280, 80, 40]
    assert all(set(np.bincount(first.labels[part])) == {len(first.labels[part]) // 4} for part in PART_NAMES)
    seen = [image.tobytes() for part in PART_NAMES for image in first.images[part]]
    assert len(set(seen)) == 400
    other = split("a", images, np.roll(named, 1))
    assert other.digest != first.digest


def test_each_layout_is_read(tmp_path: Path) -> None:
    x, y, tx, ty = noise(200, 10, 10), labels(200), noise(40, 10, 10), labels(40)
    np.savez(tmp_path / "whole.npz", x_train=x, y_train=y, x_test=tx, y_test=ty)
    np.savez(tmp_path / "one.npz", images=noise(200, 10, 10, 3), labels=y)
    idx = tmp_path / "idx"
    idx.mkdir()
    for name, array in (("train-images", x), ("train-labels", y), ("t10k-images", tx), ("t10k-labels", ty)):
        head = bytes([0, 0, 8, array.ndim]) + b"".join(extent.to_bytes(4, "big") for extent in array.shape)
        raw = head + array.tobytes()
        (idx / f"{name}-idx{array.ndim}-ubyte.gz").write_bytes(gzip.compress(raw))
    for name, heads in (("cifar10", 1), ("cifar100", 2)):
        folder = tmp_path / name
        folder.mkdir()
        files = (
            [f"data_batch_{n}.bin" for n in range(1, 6)] + ["test_batch.bin"]
            if heads == 1
            else ["train.bin", "test.bin"]
        )
        for file in files:
            rows = np.concatenate([np.repeat(labels(80)[:, None], heads, 1), noise(80, 3 * 1024)], axis=1)
            (folder / file).write_bytes(rows.astype(np.uint8).tobytes())
    found = {
        name: load_dataset(str(tmp_path / name)) for name in ("whole.npz", "one.npz", "idx", "cifar10", "cifar100")
    }
    assert found["whole.npz"].digest == found["idx"].digest
    assert len(found["idx"].labels["test"]) == 40 and len(found["idx"].labels["held_out"]) == 30
    assert (found["one.npz"].channels, found["one.npz"].extent, found["one.npz"].classes) == (3, 10, 4)
    assert found["cifar10"].images["train"].shape == (340, 3, 32, 32)
    assert found["cifar100"].images["test"].shape == (80, 3, 32, 32)
    digits = load_dataset("digits")
    assert (digits.channels, digits.extent, digits.classes) == (1, 8, 10) and len(digits.labels["train"]) == 1258


def test_a_folder_of_images_of_any_size(tmp_path: Path) -> None:
    data = load_dataset(str(write_folder(tmp_path / "mine", {"cat": 60, "dog": 60})))
    assert (data.channels, data.extent, data.classes) == (3, 32, 2)
    grey = load_dataset(str(write_folder(tmp_path / "grey", {"a": 60, "b": 60}, "L")))
    assert grey.channels == 1 and 0 <= grey.images["train"].min() < grey.images["train"].max() <= 1


def test_folders_of_parts_keep_their_parts(tmp_path: Path) -> None:
    for part, count in (("Train", 60), ("test", 12), ("val", 20)):
        write_folder(tmp_path / "all" / part, {"cat": count, "dog": count})
        if part != "val":
            write_folder(tmp_path / "two" / part, {"cat": count, "dog": count})
        if part != "test":
            write_folder(tmp_path / "net" / part.lower(), {"cat": count, "dog": count})
    sizes = {
        name: [len(load_dataset(str(tmp_path / name)).labels[part]) for part in PART_NAMES]
        for name in ("all", "two", "net")
    }
    assert sizes == {"all": [120, 40, 24], "two": [102, 18, 24], "net": [102, 18, 40]}
    # Labels are those of the training folder; a class may be missing from the test, none may be new.
    short = write_folder(tmp_path / "short" / "train", {"ant": 40, "bee": 40, "cow": 40}).parent
    write_folder(short / "test", {"cow": 5})
    assert set(load_dataset(str(short)).labels["test"]) == {2}
    write_folder(short / "test", {"cop": 5})
    with pytest.raises(
        SpecError, match=r'short/test: unknown class "cop", did you mean "cow"\? .allowed: ant, bee, cow'
    ):
        load_dataset(str(short))
    # Folders of images are classes, whatever they are called; a part stands beside parts alone.
    assert load_dataset(str(write_folder(tmp_path / "traffic", {"train": 60, "test": 60}))).classes == 2
    write_folder(tmp_path / "all" / "more", {"cat": 2})
    with pytest.raises(SpecError, match=r"all: has Train, more, test, val .allowed: one folder a part"):
        load_dataset(str(tmp_path / "all"))


def test_a_folder_that_holds_a_data_set_is_that_data_set(tmp_path: Path) -> None:
    inner = write_folder(tmp_path / "archive" / "images", {"a": 60, "b": 60}, "L")
    (tmp_path / "archive" / "LICENSE").write_text("free")
    assert load_dataset(str(tmp_path / "archive")).digest == load_dataset(str(inner)).digest


def test_an_image_of_one_row_keeps_its_colours(tmp_path: Path) -> None:
    for label, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        for place in range(60):
            colour = np.array([[[10 + place, 100, 200 + label]]], np.uint8)
            Image.fromarray(colour).save(tmp_path / name / f"{place}.png")
    images = load_dataset(str(tmp_path)).images["train"]
    assert images.shape == (84, 3, 1, 1) and set((255 * images[:, 1]).round().ravel()) == {100.0}


def test_arrays_by_other_names(tmp_path: Path) -> None:
    x, y, vx, vy, tx, ty = noise(200, 10, 10), labels(200), noise(40, 10, 10), labels(40), noise(30, 10, 10), labels(30)
    for number, held in enumerate(
        (
            {"x_train": x, "y_train": y, "x_val": vx, "y_val": vy, "x_test": tx, "y_test": ty},
            {"X_train": x, "Y_train": y, "X_valid": vx, "Y_valid": vy, "X_test": tx, "Y_test": ty},
            {
                **{"train_images": x, "train_labels": y[:, None], "val_images": vx, "val_labels": vy[:, None]},
                **{"test_images": tx, "test_labels": ty[:, None]},
            },
        )
    ):
        np.savez(tmp_path / f"{number}.npz", **held)
    found = [load_dataset(str(tmp_path / f"{number}.npz")) for number in range(3)]
    assert len({data.digest for data in found}) == 1
    assert [len(found[0].labels[part]) for part in PART_NAMES] == [200, 40, 30]
    np.savez(tmp_path / "a.npz", X=x, y=y)
    np.savez(tmp_path / "b.npz", data=x, target=y)
    np.savez(tmp_path / "c.npz", x_train=x, y_train=y)
    assert len({load_dataset(str(tmp_path / f"{name}.npz")).digest for name in "abc"}) == 1
    np.savez(tmp_path / "bool.npz", images=x > 127, labels=y)
    assert set(np.unique(load_dataset(str(tmp_path / "bool.npz")).images["train"])) == {0.0, 1.0}
    np.savez(tmp_path / "c.npz", x=x, y=1 - labels(200, 2))  # written anew, and read anew
    assert load_dataset(str(tmp_path / "c.npz")).classes == 2
    np.savez(tmp_path / "alone.npz", x_train=x, y_train=y, x_test=tx)
    with pytest.raises(SpecError, match=r"alone\.npz: has x_test without its labels"):
        load_dataset(str(tmp_path / "alone.npz"))
    np.savez(tmp_path / "none.npz", images=noise(200, 0, 9), labels=y)
    with pytest.raises(SpecError, match=r"images: holds uint8 \[200, 1, 0, 9\]"):
        load_dataset(str(tmp_path / "none.npz"))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_of_grey_keep_their_upper_eight(suffix: str, tmp_path: Path) -> None:
    for label, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        for place in range(60):
            pixels = np.full((8, 8), 20_000 + 20_000 * label + place, np.uint16)
            Image.fromarray(pixels).save(tmp_path / name / f"{place}.{suffix}")
    data = load_dataset(str(tmp_path))
    values = [set((255 * data.images["train"][data.labels["train"] == label]).round().ravel()) for label in (0, 1)]
    assert data.channels == 1 and values == [{20_000 >> 8}, {40_000 >> 8}]


def test_grey_whose_white_nobody_says_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "mine", {"a": 40, "b": 40}, "L")
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(folder / "b" / "real.tif")
    with pytest.raises(SpecError, match=r"b/real\.tif: holds pixels of mode F"):
        load_dataset(str(folder))


def test_a_torch_data_set(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text(
        "import torch\nclass Mine(torch.utils.data.Dataset):\n    bad = False\n    def __len__(self): return 200\n"
        "    def __getitem__(self, i):\n        g = torch.Generator().manual_seed(i)\n"
        "        return torch.rand(3, 9, 9 + (self.bad and i == 7), generator=g), i % 2\n"
        "class Bad(Mine):\n    bad = True\n"
    )
    data = load_dataset(f"{module}:Mine")
    assert (data.channels, data.extent, data.classes) == (3, 9, 2)
    module.write_text(
        module.read_text() + "def boom(): raise OSError('no disk')\n"
        "class Lost(Mine):\n    def __getitem__(self, i): raise RuntimeError('line one\\nline two')\n"
        "class Needs(Mine):\n    def __init__(self, root): pass\n"
        "class Share(Mine):\n    def __getitem__(self, i): return torch.rand(3, 9, 9), 0.7\n"
        "class Hot(Mine):\n    def __getitem__(self, i): return torch.rand(3, 9, 9), torch.eye(2)[i % 2]\n"
        "class Word(Mine):\n    def __getitem__(self, i): return torch.rand(3, 9, 9), 'cat'\n"
        "class Whole(Mine):\n    def __getitem__(self, i): return torch.rand(3, 9, 9), torch.eye(2).long()[i % 2]\n"
        "class Endless(torch.utils.data.IterableDataset):\n    def __iter__(self): yield torch.rand(3, 9, 9), 0\n"
        "class Unsure(Mine):\n    def __len__(self): return None\n"
        "class Loud(Mine):\n    def __getitem__(self, i): return 255 * torch.rand(3, 9, 9).round(), i % 2\n"
    )
    for kind, said in (
        ("boom", "raises OSError: no disk"),
        ("Lost", "Lost[0]: is no pair: RuntimeError: line one line two"),
        ("Needs", "raises TypeError"),
        ("Share", "Share[0]: has the label '0.7' (allowed: an integer"),
        ("Hot", "Hot[0]: has a label of float32 [2]"),
        ("Word", "Word[0]: has the label 'cat'"),
        ("Whole", "Whole: has one-hot labels [200, 2] (allowed: the class itself"),
        ("Endless", "gives Endless, which has no __len__"),
        ("Unsure", "has no length: TypeError"),
        ("Loud", "holds pixels out of range: float32 from 0 to 255"),
    ):
        with pytest.raises(SpecError) as caught:
            load_dataset(f"{module}:{kind}")
        assert said in str(caught.value) and len(str(caught.value).splitlines()) == 1, str(caught.value)
    with pytest.raises(SpecError, match=r"Bad\[7\]: is \[3, 9, 10\], and image 0 is \[3, 9, 9\]"):
        load_dataset(f"{module}:Bad")


def test_what_is_wrong_is_told_in_one_line(tmp_path: Path) -> None:
    def npz(name: str, **arrays: object) -> str:
        path = tmp_path / f"{name}.npz"
        np.savez(path, **arrays)  # type: ignore[arg-type]
        return str(path)

    unequal = np.empty(2, dtype=object)
    unequal[:] = [noise(3, 3), noise(4, 4)]
    corrupt = write_folder(tmp_path / "corrupt", {"a": 40, "b": 40})
    (corrupt / "b" / "7.png").write_bytes(b"no image")
    empty = write_folder(tmp_path / "empty", {"a": 40, "b": 40})
    (empty / "c").mkdir()
    pickled = tmp_path / "data.pkl"
    pickled.write_bytes(pickle.dumps([1]))
    python = tmp_path / "cifar-10-batches-py"
    python.mkdir()
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (python / name).write_bytes(pickle.dumps({}))
    short = tmp_path / "short"
    short.mkdir()
    (short / "train.bin").write_bytes(b"123")
    (short / "test.bin").write_bytes(b"123")
    ok = noise(200, 8, 8)
    for name, said in (
        (npz("missing", images=ok, labels=labels(150)), "has 200 images and 150 labels"),
        (npz("extra", images=ok, labels=labels(250)), "has 200 images and 250 labels"),
        (npz("range", images=ok, labels=labels(200).astype(np.int64) - 1), "has the label -1"),
        (npz("gap", images=ok, labels=np.where(labels(200) == 1, 7, labels(200))), "has no image of class 1"),
        (
            npz("wild", images=ok, labels=np.where(labels(200) == 1, 2**40, labels(200).astype(np.int64))),
            "no image of class 1",
        ),
        (str(python), "holds the pickles of CIFAR's Python version"),
        (npz("small", images=noise(40, 8, 8), labels=labels(40)), "has 28 images to train on"),
        (npz("unequal", images=unequal, labels=labels(2)), "holds pickled objects"),
        (npz("channels", images=noise(200, 8, 8, 5), labels=labels(200)), "holds uint8 [200, 8, 8, 5]"),
        (npz("bright", images=ok.astype(np.float32), labels=labels(200)), "holds pixels out of range"),
        (npz("flags", images=(ok > 127).astype(np.uint8), labels=labels(200)), "holds uint8 pixels of 0 and 1"),
        (npz("hot", images=ok, labels=np.eye(10)[labels(200)]), "labels: has one-hot labels [200, 10]"),
        (npz("other", stuff=ok), "holds stuff"),
        (str(corrupt), "corrupt/b/7.png: is corrupt, or no image"),
        (str(empty), "empty/c: has no image, so its class is empty"),
        (str(pickled), "is a pickle"),
        (str(short), "train.bin is 3 bytes"),
        (str(tmp_path / "none.npz"), "cannot be read"),
        ("cifra", 'unknown dataset "cifra"'),
    ):
        with pytest.raises(SpecError) as caught:
            load_dataset(name)
        assert said in str(caught.value) and len(str(caught.value).splitlines()) == 1, str(caught.value)
    good = Dataset("mine", {}, {})
    with pytest.raises(SpecError, match="mine: train: is missing"):
        load_checked(good)


def load_checked(data: Dataset) -> Dataset:
    from codesign.accuracy.splits import checked

    return checked(data)


def test_spaces_take_their_shape_from_the_data(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=noise(200, 20, 20, 3), labels=labels(200, 5))
    for network in ("elastic_mnist", "layerwise"):
        recipe = load_recipe("default", {"network": network, "data": str(tmp_path / "mine.npz")})
        space = recipe.space
        workload = space.network_at({d.name: d.choices[-1] for d in space.decisions.choices}).workload
        assert workload is not None
        assert (workload.inputs[0].C, workload.inputs[0].H, workload.layers[-1].channels_out) == (3, 20, 5)
        assert space.network.dataset == str(tmp_path / "mine.npz")
    data = load_dataset(str(tmp_path / "mine.npz"))
    wrong = ElasticSpace(classes=4)
    with pytest.raises(SpecError) as caught:
        check_fits(data, wrong.workload({d.name: d.choices[0] for d in wrong.decisions}))
    assert "takes 1 channels; mine has 3" in str(caught.value) and "has 4 outputs" in str(caught.value)


@pytest.mark.parametrize("network", ["resnet18", "several"])
def test_data_for_a_network_that_takes_none_is_refused(network: str) -> None:
    with pytest.raises(SpecError, match=f"--data: has no use: the network {network} is not trained") as caught:
        load_recipe("joint", {"network": network, "data": "digits"})
    assert len(str(caught.value).splitlines()) == 1 and "elastic_mnist" in str(caught.value)


def test_a_batch_of_more_images_than_there_are_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=noise(200, 8, 8), labels=labels(200))
    context = AccuracyContext(0, str(tmp_path / "mine.npz"), tmp_path, {"batch": 141})
    with pytest.raises(SpecError, match=r"training: batch: is 141, and mine has 140 images to train on.*at most 140"):
        make_evaluator("train", context)
    make_evaluator("train", replace(context, options={"batch": 140}))
