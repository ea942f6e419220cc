"""Sequences to learn, made from the parts of a set of digits: what is written, said in another order.

Four digits stand in an image in reading order; their sequence of labels is in ascending order. So each place of the
output has to look at all that was read. Images of a part hold digits of that part alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from codesign.accuracy.splits import Dataset, Images, Labels
from codesign.accuracy.task import Sequence

_SEED = 22  # fixes every image; no run chooses it


@dataclass(frozen=True)
class Orders:
    """What images look like.

    Attributes:
        side: rows and columns of a digit, to which it is resized.
        counts: images of each part.
        across: digits in a row, and rows of digits.
    """

    side: int
    counts: Mapping[str, int]
    across: int = 2


LARGE = Orders(14, {"train": 6000, "held_out": 500, "test": 1000})
SMALL = Orders(8, {"train": 3000, "held_out": 300, "test": 500})


def orders_of(name: str, digits: Dataset, how: Orders) -> Dataset:
    """Images of several digits, and those digits in ascending order, ``[n, across * across, 1]``."""
    images, labels = dict[str, Images](), dict[str, Labels]()
    for part, count in how.counts.items():
        rng = np.random.default_rng([_SEED, *part.encode()])
        chosen = rng.integers(len(digits.labels[part]), size=(count, how.across * how.across))
        small = _resized(digits.images[part][:, 0], how.side)[chosen]  # [count, digits, side, side]
        grid = small.reshape(count, how.across, how.across, how.side, how.side)
        extent = how.across * how.side
        images[part] = np.ascontiguousarray(grid.transpose(0, 1, 3, 2, 4).reshape(count, 1, extent, extent))
        labels[part] = np.sort(digits.labels[part][chosen], axis=1)[..., None]
    return Dataset(name, images, labels, Sequence.name)


def _resized(digits: Images, side: int) -> Images:
    """Digits ``[n, rows, columns]`` at so many rows and columns."""
    if digits.shape[1:] == (side, side):
        return digits
    levels = np.round(255 * digits).astype(np.uint8)
    made = [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BILINEAR)) for one in levels]
    return np.stack(made).astype(np.float32) / np.float32(255.0)
