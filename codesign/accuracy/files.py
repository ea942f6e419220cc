"""Data sets in files: NPZ, IDX (MNIST), CIFAR's binaries; folders of images are `image_folder.py`'s."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from codesign.accuracy.image_folder import folders_of, images_of, read_folder
from codesign.accuracy.splits import (
    PART_SPELLINGS,
    Dataset,
    Images,
    Labels,
    as_boxes,
    as_labels,
    as_pixels,
    in_parts,
    labelled,
    split,
)
from codesign.accuracy.task import Detection
from mappings.errors import Fault, SpecError
from mappings.files import gunzipped, read_bytes
from mappings.npz import read_arrays

#: What a file of a data set may hold, unpacked.
MOST_BYTES = 2**32
_LAYOUTS = (
    "an .npz (x_train, y_train, x_test, y_test; or images, labels; boxes in place of labels), or a folder: IDX, CIFAR, "
    "one folder a class"
)
#: Names of the arrays of a part, in any case, and of a set that comes whole.
_PAIRS = (("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("{}_images", "{}_boxes"))
_SIDES = tuple(zip(*_PAIRS, strict=True))
_WHOLE = (("images", "labels"), ("images", "boxes"), ("x", "y"), ("data", "target"))
_PIXELS_A_CIFAR_IMAGE = 3 * 32 * 32


def read_dataset(path: Path) -> Dataset:
    """The data set at a path.

    Raises:
        SpecError: another layout, a corrupt file, labels or images that are missing or malformed.
    """
    if path.is_dir():
        names = {item.name for item in path.iterdir()}
        if any(name.startswith("train-images") for name in names):
            return _idx(path)
        if "data_batch_1.bin" in names or {"train.bin", "test.bin"} <= names:
            return _cifar(path)
        if any((path / name).is_file() for name in ("data_batch_1", "meta")):
            what = "holds the pickles of CIFAR's Python version, which can run code when they are read"
            raise SpecError(Fault(str(path), what, "CIFAR's binary version (*.bin), or an .npz"))
        inner = folders_of(path)
        if len(inner) == 1 and not images_of(inner[0]) and any(inner[0].iterdir()):
            return read_dataset(inner[0])  # as archives unpack: MNIST/raw, data/cifar-10-batches-bin
        if not inner:
            raise SpecError(Fault(str(path), "has no folder of images", _LAYOUTS))
        return read_folder(path)
    if path.suffix == ".npz":
        return _npz(path)
    if path.suffix in (".pkl", ".pickle", ".pt", ".pth"):
        raise SpecError(Fault(str(path), "is a pickle, which can run code when it is read", _LAYOUTS))
    raise SpecError(Fault(str(path), "is no data set" if path.exists() else "is not there", _LAYOUTS))


def _npz(path: Path) -> Dataset:
    where = str(path)
    held = read_arrays(path, MOST_BYTES)
    if {"header", "blob", "lengths", "labels", "n_train"} <= set(held):
        return _jpegs(path.stem, held, where)
    spelled = {name.lower(): name for name in held}

    def pair(images: str, labels: str) -> tuple[Images, Labels, str] | None:
        if images not in spelled or labels not in spelled:
            return None
        pixels, told = as_pixels(held[spelled[images]], f"{where}: {spelled[images]}"), spelled[labels]
        if labels.endswith("boxes"):
            return pixels, as_boxes(held[told], pixels, f"{where}: {told}"), Detection.name
        return pixels, *labelled(held[told], pixels, f"{where}: {told}")

    for images, labels in _PAIRS:
        parts = {
            part: found
            for part, spellings in PART_SPELLINGS.items()
            for spelling in spellings
            if (found := pair(images.format(spelling), labels.format(spelling)))
        }
        if "train" in parts:
            _check_whole(spelled, where)
            tasks = {part: task for part, (*_, task) in parts.items()}
            if len(set(tasks.values())) > 1:
                what = f"has labels for {', '.join(f'{task} in {part}' for part, task in tasks.items())}"
                raise SpecError(Fault(where, what, "one kind of labels"))
            return in_parts(path.stem, {part: (a, b) for part, (a, b, _) in parts.items()}, tasks["train"])
    for images, labels in _WHOLE:
        if found := pair(images, labels):
            return split(path.stem, *found[:2], task=found[2])
    raise SpecError(Fault(where, f"holds {', '.join(sorted(held))[:80]}", _LAYOUTS))


def _check_whole(spelled: dict[str, str], where: str) -> None:
    """Refuse images of a part without their labels, and the other way round."""
    for spelling in (name for spellings in PART_SPELLINGS.values() for name in spellings):
        given = [[form.format(spelling) for form in forms if form.format(spelling) in spelled] for forms in _SIDES]
        if bool(given[0]) != bool(given[1]):
            alone = spelled[(given[0] or given[1])[0]]
            raise SpecError(Fault(where, f"has {alone} without its {'labels' if given[0] else 'images'}", _LAYOUTS))


def _jpegs(name: str, held: dict[str, NDArray[np.generic]], where: str) -> Dataset:
    """Images as JPEGs one after another, whose common start is held once; those after the first are the test set."""
    header, blob = held["header"].tobytes(), held["blob"].tobytes()
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(held["lengths"].astype(np.int64))])
    count, labels = int(held["n_train"]), as_labels(held["labels"], len(ends) - 1, where)
    if ends[-1] != len(blob) or not 0 < count < len(labels):
        what = f"holds {len(blob)} bytes of images, lengths of {ends[-1]} and {count} of {len(labels)} to train on"
        raise SpecError(Fault(where, what, "lengths that sum to the bytes, and images for both sets"))
    pixels = []
    for place, (start, end) in enumerate(pairwise(ends.tolist())):
        try:
            with Image.open(io.BytesIO(header + blob[start:end])) as image:
                pixels.append(np.asarray(image.convert("RGB")))
        except Exception:  # what a damaged image may raise has no end
            raise SpecError(Fault(f"{where}: image {place}", "is corrupt", "a JPEG without its common start")) from None
        if pixels[-1].shape != pixels[0].shape:
            what = f"is {list(pixels[-1].shape)}, and image 0 is {list(pixels[0].shape)}"
            raise SpecError(Fault(f"{where}: image {place}", what, "images of one shape"))
    images = as_pixels(np.stack(pixels), where)
    return split(name, images[:count], labels[:count], (images[count:], labels[count:]))


def _bytes(path: Path) -> bytes:
    if not path.exists():
        raise SpecError(Fault(str(path), "is not there", "all files of the data set"))
    data = read_bytes(path, MOST_BYTES)
    return gunzipped(data, str(path), MOST_BYTES) if path.suffix == ".gz" else data


def _idx_array(folder: Path, start: str) -> NDArray[np.uint8]:
    found = sorted(item for item in folder.iterdir() if item.name.startswith(start))
    if not found:
        raise SpecError(Fault(str(folder), f"has no {start}...", "the four files of an IDX data set"))
    raw = _bytes(found[0])
    dims = raw[3] if len(raw) > 3 else 0
    shape = tuple(int.from_bytes(raw[4 + 4 * d : 8 + 4 * d], "big") for d in range(dims))
    offset = 4 + 4 * dims
    if raw[:3] != b"\x00\x00\x08" or not shape or len(raw) - offset != int(np.prod(shape)):
        raise SpecError(Fault(str(found[0]), "is corrupt", "an IDX file of bytes"))
    return np.frombuffer(raw, np.uint8, offset=offset).reshape(shape)


def _idx(folder: Path) -> Dataset:
    def pair(images: str, labels: str) -> tuple[Images, Labels]:
        pixels = as_pixels(_idx_array(folder, images), f"{folder}: {images}")
        return pixels, as_labels(_idx_array(folder, labels), len(pixels), f"{folder}: {labels}")

    return split(folder.name, *pair("train-images", "train-labels"), pair("t10k-images", "t10k-labels"))


def _cifar(folder: Path) -> Dataset:
    """CIFAR-10 (one label byte an image) or CIFAR-100 (coarse and fine; the fine one counts)."""
    tens = (folder / "data_batch_1.bin").exists()
    heads = 1 if tens else 2

    def rows(names: list[str]) -> tuple[Images, Labels]:
        raw = b"".join(_bytes(folder / name) for name in names)
        size = heads + _PIXELS_A_CIFAR_IMAGE
        if not raw or len(raw) % size:
            what = f"{names[0]} is {len(raw):,} bytes, no whole number of images"
            raise SpecError(Fault(str(folder), what, f"{size:,} bytes an image"))
        table = np.frombuffer(raw, np.uint8).reshape(-1, size)
        pixels = as_pixels(table[:, heads:].reshape(-1, 3, 32, 32), str(folder))
        return pixels, as_labels(table[:, heads - 1], len(pixels), str(folder))

    if tens:
        return split(folder.name, *rows([f"data_batch_{n}.bin" for n in range(1, 6)]), rows(["test_batch.bin"]))
    return split(folder.name, *rows(["train.bin"]), rows(["test.bin"]))
