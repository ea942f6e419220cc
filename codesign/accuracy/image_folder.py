"""Folders of images: one folder a class, or such folders in one folder a part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from codesign.accuracy.splits import PART_SPELLINGS, Dataset, Images, Labels, as_pixels, in_parts
from mappings.errors import Fault, SpecError, unknown_name
from mappings.files import check_regular

#: Extent to which images of a folder are resized, where they are not square and of one size up to twice this.
FOLDER_EXTENT = 32
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def folders_of(path: Path) -> list[Path]:
    """Its folders by name, without hidden ones."""
    return sorted(item for item in path.iterdir() if item.is_dir() and not item.name.startswith("."))


def images_of(folder: Path) -> list[Path]:
    """Its images by name."""
    return sorted(item for item in folder.iterdir() if item.suffix.lower() in _SUFFIXES)


def read_folder(path: Path) -> Dataset:
    """The data set of a folder of folders: classes, or parts that hold one folder a class each.

    Raises:
        SpecError: all faults at once: a corrupt image, an empty class, a class that is not trained on, a part twice.
    """
    faults = list[Fault]()
    folders = _parts(path) or {"train": path}
    names = [item.name for item in folders_of(folders["train"])]
    opened = {part: _opened(folder, names, faults) for part, folder in folders.items()}
    if faults:
        raise SpecError(faults)
    pixels = _alike([image for images, _ in opened.values() for image in images])
    pairs, start = dict[str, tuple[Images, Labels]](), 0
    for part, (images, labels) in opened.items():
        pairs[part] = pixels[start : start + len(images)], np.array(labels, np.int64)
        start += len(images)
    return in_parts(path.name, pairs)


def _parts(path: Path) -> dict[str, Path] | None:
    """The folder of each part; none where the folders are classes, which hold images and no folders.

    Raises:
        SpecError: two folders of one part, or others beside them.
    """
    spelled = {spelling: part for part, spellings in PART_SPELLINGS.items() for spelling in spellings}
    inner = [item for item in folders_of(path) if folders_of(item) and not images_of(item)]
    parts = {spelled[item.name.lower()]: item for item in inner if item.name.lower() in spelled}
    if "train" not in parts or len(parts) < 2:
        return None
    if len(parts) < len(folders_of(path)):
        what = f"has {', '.join(item.name for item in folders_of(path))}"
        raise SpecError(Fault(str(path), what, "one folder a part (train, test, val), or one a class"))
    return parts


def _opened(path: Path, names: list[str], faults: list[Fault]) -> tuple[list[Image.Image], list[int]]:
    """The images of each class and their labels, which are places in the names; what is wrong is added to faults."""
    opened, labels = list[Image.Image](), list[int]()
    for folder in folders_of(path):
        if folder.name not in names:
            faults += unknown_name(str(path), "class", folder.name, names).faults
            continue
        files = images_of(folder)
        if not files:
            faults.append(Fault(str(folder), "has no image, so its class is empty", ", ".join(_SUFFIXES)))
        for file in files:
            try:
                check_regular(file)
                with Image.open(file) as image:
                    image.load()
                    opened.append(_eight_bit(image, str(file)))
                labels.append(names.index(folder.name))
            except SpecError as error:
                faults += error.faults
            except Exception:  # what a damaged image may raise has no end
                faults.append(Fault(str(file), "is corrupt, or no image", "an image that opens"))
    return opened, labels


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


def _alike(opened: list[Image.Image]) -> Images:
    """All in grey or all in colour, and of one size."""
    mode = "L" if all(image.mode == "L" for image in opened) else "RGB"
    sizes = {image.size for image in opened}
    width, height = next(iter(sizes))
    same = len(sizes) == 1 and width == height <= 2 * FOLDER_EXTENT
    extent = width if same else FOLDER_EXTENT
    made: NDArray[np.uint8] = np.stack(
        [np.asarray(image.convert(mode).resize((extent, extent), Image.Resampling.BILINEAR)) for image in opened]
    )
    return as_pixels(made[:, None] if mode == "L" else made.transpose(0, 3, 1, 2), "images")
