"""Data sets in files: NPZ, IDX (MNIST), CIFAR's binaries, and a folder of images with one folder a class."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from codesign.accuracy.splits import Dataset, Images, Labels, as_boxes, as_labels, as_pixels, labelled, split
from codesign.accuracy.task import Detection
from mappings.errors import Fault, SpecError
from mappings.files import check_regular, gunzipped, read_bytes
from mappings.npz import read_arrays

#: What a file of a data set may hold, unpacked.
MOST_BYTES = 2**32
#: Extent to which images of a folder are resized, where they are not square and of one size up to twice this.
FOLDER_EXTENT = 32
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_LAYOUTS = (
    "an .npz (x_train, y_train, x_test, y_test; or images, labels; boxes in place of labels), or a folder: IDX, CIFAR, "
    "one folder a class"
)
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
        if "data_batch_1" in names or {"train", "test", "meta"} <= names:
            what = "holds the pickles of CIFAR's Python version, which can run code when they are read"
            raise SpecError(Fault(str(path), what, "CIFAR's binary version (*.bin), or an .npz"))
        return _folder(path)
    if path.suffix == ".npz":
        return _npz(path)
    if path.suffix in (".pkl", ".pickle", ".pt", ".pth"):
        raise SpecError(Fault(str(path), "is a pickle, which can run code when it is read", _LAYOUTS))
    raise SpecError(Fault(str(path), "is no data set" if path.exists() else "is not there", _LAYOUTS))


def _npz(path: Path) -> Dataset:
    where = str(path)
    held = read_arrays(path, MOST_BYTES)

    def pair(images: str, labels: str) -> tuple[Images, Labels, str]:
        pixels = as_pixels(held[images], f"{where}: {images}")
        if labels.endswith("boxes"):
            return pixels, as_boxes(held[labels], pixels, f"{where}: {labels}"), Detection.name
        return pixels, *labelled(held[labels], pixels, f"{where}: {labels}")

    for names in (
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("train_images", "train_boxes", "test_images", "test_boxes"),
    ):
        if set(names) <= set(held):
            images, labels, task = pair(*names[:2])
            tested, named, other = pair(*names[2:])
            if other != task:
                what = f"has labels for {task} in {names[1]} and for {other} in {names[3]}"
                raise SpecError(Fault(where, what, "one kind of labels"))
            return split(path.stem, images, labels, (tested, named), task)
    if {"header", "blob", "lengths", "labels", "n_train"} <= set(held):
        return _jpegs(path.stem, held, where)
    for name in ("labels", "boxes"):
        if {"images", name} <= set(held):
            images, labels, task = pair("images", name)
            return split(path.stem, images, labels, task=task)
    raise SpecError(Fault(where, f"holds {', '.join(sorted(held))[:80]}", _LAYOUTS))


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


def _eight_bit(image: Image.Image, where: str) -> Image.Image:
    """Grey (L) or colour (RGB); of 16 bits of grey the upper eight, where Pillow would make all above 255 white.

    Raises:
        SpecError: grey of more than 16 bits, or real numbers, of which nobody says what white is.
    """
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        if values.dtype.kind not in "ui" or values.min() < 0 or values.max() >= 1 << 16:
            raise SpecError(Fault(where, f"holds pixels of mode {image.mode}", "8 bits a colour, or 16 of grey"))
        return Image.fromarray((values >> 8).astype(np.uint8))
    return image.convert("L" if image.mode in ("L", "1", "LA") else "RGB")


def _folder(path: Path) -> Dataset:
    classes = sorted(item for item in path.iterdir() if item.is_dir() and not item.name.startswith("."))
    if not classes:
        raise SpecError(Fault(str(path), "has no folder of images", _LAYOUTS))
    faults, opened, labels = [], list[Image.Image](), list[int]()
    for label, folder in enumerate(classes):
        files = sorted(item for item in folder.iterdir() if item.suffix.lower() in _SUFFIXES)
        if not files:
            faults.append(Fault(str(folder), "has no image, so its class is empty", ", ".join(_SUFFIXES)))
        for file in files:
            try:
                check_regular(file)
                with Image.open(file) as image:
                    image.load()
                    opened.append(_eight_bit(image, str(file)))
                labels.append(label)
            except SpecError as error:
                faults += error.faults
            except Exception:  # what a damaged image may raise has no end
                faults.append(Fault(str(file), "is corrupt, or no image", "an image that opens"))
    if faults:
        raise SpecError(faults)
    mode = "L" if all(image.mode == "L" for image in opened) else "RGB"
    sizes = {image.size for image in opened}
    width, height = next(iter(sizes))
    same = len(sizes) == 1 and width == height <= 2 * FOLDER_EXTENT
    extent = width if same else FOLDER_EXTENT
    made = np.stack(
        [np.asarray(image.convert(mode).resize((extent, extent), Image.Resampling.BILINEAR)) for image in opened]
    )
    pixels = as_pixels(made if mode == "RGB" else made[..., None], str(path))
    return split(path.name, pixels, np.array(labels, np.int64))
