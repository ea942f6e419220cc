"""Scenes of digits for segmentation and detection, made from the parts of a set of digits; none is downloaded.

Scenes of a part hold digits of that part alone, so that what is tested was never trained on. Some digits of drawn sizes
stand at drawn places without touching, among pieces of other digits and noise, which are no object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from codesign.accuracy.splits import Dataset, Images, Labels
from codesign.accuracy.task import Detection, Segmentation

#: Tries to place a digit; a pixel that is brighter is of the digit; the deviation of the noise.
_TRIES, _INK, _NOISE = 20, 0.3, 0.05
_SEED = 21  # fixes every scene; no run chooses it


@dataclass(frozen=True)
class Scenes:
    """What scenes look like.

    Attributes:
        extent: rows and columns of a scene.
        counts: scenes of each part.
        most: digits of a scene, at most.
        rows: of a digit, at least and at most, drawn evenly.
        classes: digits from 0 that are drawn.
        pieces, piece: pieces of digits that are clutter, and their rows and columns.
    """

    extent: int
    counts: Mapping[str, int]
    most: int
    rows: tuple[int, int]
    classes: int
    pieces: int
    piece: int


LARGE = Scenes(32, {"train": 2000, "held_out": 400, "test": 600}, 3, (12, 20), 10, 6, 5)
SMALL = Scenes(16, {"train": 1200, "held_out": 300, "test": 300}, 2, (8, 10), 4, 3, 2)


def scenes_of(name: str, digits: Dataset, how: Scenes) -> Dataset:
    """Label maps: 0 for no digit, 1 + class on the ink of a digit and one pixel round it."""
    drawn = {part: _part(digits, part, how) for part in how.counts}
    images = {part: found[0] for part, found in drawn.items()}
    return Dataset(name, images, {part: found[1] for part, found in drawn.items()}, Segmentation.name)


def boxes_of(name: str, digits: Dataset, how: Scenes) -> Dataset:
    """Boxes round the ink of each digit: class, top, left, bottom, right."""
    drawn = {part: _part(digits, part, how) for part in how.counts}
    images = {part: found[0] for part, found in drawn.items()}
    return Dataset(name, images, {part: found[2] for part, found in drawn.items()}, Detection.name)


def _part(digits: Dataset, part: str, how: Scenes) -> tuple[Images, Labels, Labels]:
    """Images, label maps and boxes."""
    rng, count = np.random.default_rng([_SEED, *part.encode()]), how.counts[part]
    kept = digits.labels[part] < how.classes
    pixels, labels = digits.images[part][kept, 0], digits.labels[part][kept]
    images = np.zeros((count, 1, how.extent, how.extent), np.float32)
    maps = np.zeros((count, how.extent, how.extent), np.int64)
    boxes = np.full((count, how.most, 5), -1, np.int64)
    for number in range(count):
        images[number, 0], maps[number], boxes[number] = _scene(pixels, labels, how, rng)
    return images, maps, boxes


def _scene(
    digits: Images, labels: Labels, how: Scenes, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """One image ``[rows, columns]``, its map and its boxes."""
    canvas, named = np.zeros((how.extent, how.extent), np.float32), np.zeros((how.extent, how.extent), np.int64)
    boxes, side = np.full((how.most, 5), -1, np.int64), how.piece
    for _ in range(how.pieces):
        piece = digits[rng.integers(len(digits))]
        border = piece.shape[0] // 7
        row, column = rng.integers(border, piece.shape[0] - border - side, 2)
        top, left = rng.integers(0, how.extent - side, 2)
        canvas[top : top + side, left : left + side] = piece[row : row + side, column : column + side]
    placed = 0
    for _ in range(int(rng.integers(1, how.most + 1))):
        chosen, size = int(rng.integers(len(digits))), int(rng.integers(how.rows[0], how.rows[1] + 1))
        digit = _inked(digits[chosen], size, how.extent - 2)
        at = _room(named, digit.shape, rng)
        if at is None:
            continue
        rows, columns = slice(at[0], at[0] + digit.shape[0]), slice(at[1], at[1] + digit.shape[1])
        canvas[rows, columns] = digit  # nothing shows through: what is behind a digit is not seen
        ink = np.zeros_like(named, bool)
        ink[rows, columns] = digit > _INK
        named[_grown(ink)] = 1 + labels[chosen]
        boxes[placed] = labels[chosen], rows.start, columns.start, rows.stop, columns.stop
        placed += 1
    noisy = canvas + rng.normal(0.0, _NOISE, canvas.shape)
    return np.clip(noisy, 0.0, 1.0).astype(np.float32), named, boxes


def _inked(digit: NDArray[np.float32], size: int, most: int) -> NDArray[np.float32]:
    """A digit so many rows high, columns in proportion and at most so many, cut to its ink."""
    cut = _cut(digit)
    width = min(max(3, round(cut.shape[1] * size / cut.shape[0])), most)
    drawn = Image.fromarray(np.round(255 * cut).astype(np.uint8)).resize((width, size), Image.Resampling.BILINEAR)
    return _cut(np.asarray(drawn, np.float32) / np.float32(255.0))


def _cut(digit: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows and columns from the first ink to the last."""
    rows, columns = np.flatnonzero((digit > _INK).any(axis=1)), np.flatnonzero((digit > _INK).any(axis=0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _room(named: NDArray[np.int64], shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, int] | None:
    """Where a digit has room with a pixel to spare all round; None: not found."""
    for _ in range(_TRIES):
        top, left = (int(rng.integers(1, rows - size)) for rows, size in zip(named.shape, shape, strict=True))
        if not named[top - 1 : top + shape[0] + 1, left - 1 : left + shape[1] + 1].any():
            return top, left
    return None


def _grown(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With one more pixel round it."""
    padded = np.pad(ink, 1)
    shifts = [padded[i : i + ink.shape[0], j : j + ink.shape[1]] for i in range(3) for j in range(3)]
    return np.asarray(np.logical_or.reduce(shifts), np.bool_)
