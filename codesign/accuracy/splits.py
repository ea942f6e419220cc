"""Images and labels in three parts that their content alone decides, and what is wrong with them told at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codesign.accuracy.task import TASKS, Classification, Detection, Segmentation, Sequence, Task
from mappings.errors import Fault, SpecError

#: Weights see train, the search sees held_out, test is read once, for the front.
PART_NAMES = ("train", "held_out", "test")
#: How files and folders spell them.
PART_SPELLINGS = {
    "train": ("train", "training"),
    "held_out": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
#: Of images that come in one set: the share of each part.
_SHARES = (0.7, 0.2, 0.1)
#: Of a training set that comes with a test set: what is held out, at most so many images.
_HELD_OUT, _MOST_HELD_OUT = 0.15, 5000
#: The least that is trained on: a batch.
LEAST_TRAINED = 64

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images in three disjoint parts.

    Attributes:
        name: display name.
        images: float32 ``[n, channels, rows, columns]`` in 0..1, by part.
        labels: int64, by part: ``[n]`` for classification, ``[n, rows, columns]`` for segmentation, ``[n, most, 5]``
            (class or -1, top, left, bottom, right) for detection, ``[n, length, 1]`` for sequences.
        task: name of what labels are.
    """

    name: str
    images: dict[str, Images]
    labels: dict[str, Labels]
    task: str = Classification.name

    @property
    def does(self) -> Task:
        """The task itself."""
        return TASKS[self.task]

    @property
    def channels(self) -> int:
        """Of an image."""
        return int(self.images["train"].shape[1])

    @property
    def extent(self) -> int:
        """Rows or columns of an image, whichever are more."""
        return int(max(self.images["train"].shape[2:]))

    @property
    def classes(self) -> int:
        """How many labels there are."""
        return max(self.does.classes(part) for part in self.labels.values())

    @property
    def length(self) -> int:
        """Of a label that is a sequence; of any other 1."""
        return int(self.labels["train"].shape[1]) if self.task == Sequence.name else 1

    @cached_property
    def digest(self) -> str:
        """Of every image and label."""
        found = hashlib.sha256()
        for part in PART_NAMES:
            for array in (self.images[part], self.labels[part]):
                found.update(f"{part} {array.dtype} {array.shape}".encode())
                found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()


def checked(data: Dataset) -> Dataset:
    """Refuse parts that are missing or malformed.

    Raises:
        SpecError: all faults at once.
    """
    faults = []
    if data.task not in TASKS:
        raise SpecError(Fault(data.name, f'has the task "{data.task}"', ", ".join(TASKS)))
    for part in PART_NAMES:
        images, labels, where = data.images.get(part), data.labels.get(part), f"{data.name}: {part}"
        if images is None or labels is None:
            faults.append(Fault(where, "is missing", ", ".join(PART_NAMES)))
        elif images.ndim != 4 or images.dtype != np.float32:
            what = f"has images {images.dtype} {list(images.shape)} and labels {list(labels.shape)}"
            faults.append(Fault(where, what, data.does.layout))
        elif wrong := data.does.layout_fault(images.shape, labels):
            what = f"has images {images.dtype} {list(images.shape)} and {wrong}"
            faults.append(Fault(where, what, data.does.layout))
        elif not len(labels):
            faults.append(Fault(where, "has no image", "some in each part"))
        elif labels.dtype.kind not in "iu" or int(labels.min()) < data.does.least:
            low = labels.min() if labels.dtype.kind in "iu" else labels.dtype
            faults.append(Fault(where, f"has the label {low}", f"integers from {data.does.least}"))
    if faults:
        raise SpecError(faults)
    shapes = {data.images[part].shape[1:] for part in PART_NAMES}
    if len(shapes) > 1:
        faults.append(Fault(data.name, f"has images of shapes {sorted(shapes)}", "one shape in all parts"))
    if len(data.labels["train"]) < LEAST_TRAINED:
        what = f"has {len(data.labels['train'])} images to train on"
        faults.append(Fault(data.name, what, f"at least {LEAST_TRAINED}, a batch"))
    present = data.does.present(data.labels["train"])
    # Not a set of all classes: one wild label may be beyond any memory.
    missing = next((place for place, label in enumerate(sorted(present.tolist())) if label != place), len(present))
    if missing < data.classes:
        what = f"has no image of class {missing} to train on, and labels up to {data.classes - 1}"
        faults.append(Fault(data.name, what, "labels from 0 without a gap"))
    if data.classes < data.does.least_classes:
        faults.append(Fault(data.name, "has one class", "two or more"))
    if faults:
        raise SpecError(faults)
    return data


def check_batch(data: Dataset, batch: int, where: str) -> None:
    """Refuse a batch of more images than there are to train on.

    Raises:
        SpecError: it is.
    """
    count = len(data.labels["train"])
    if batch > count:
        what = f"is {batch}, and {data.name} has {count} images to train on"
        raise SpecError(Fault(f"{where}: batch", what, f"at most {count}"))


def as_pixels(images: NDArray[np.generic], where: str) -> Images:
    """float32 ``[n, C, H, W]`` in 0..1 of images in whichever order and type they come.

    Args:
        images: ``[n, H, W]``, ``[n, H, W, C]`` or ``[n, C, H, W]`` with C of 1 or 3; bytes, or real numbers in 0..1,
            or whether a pixel is white.

    Raises:
        SpecError: another shape, type or range.
    """
    allowed = "[n, H, W], [n, H, W, C] or [n, C, H, W] with 1 or 3 channels; bytes, or numbers from 0 to 1"
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[3] in (1, 3) and images.shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape[2:] or images.dtype.kind not in "uifb":
        raise SpecError(Fault(where, f"holds {images.dtype} {list(images.shape)}", allowed))
    pixels = images.astype(np.float32)
    least, most = (float(edge(pixels, initial=0.0)) for edge in (np.min, np.max))
    if images.dtype.kind in "ui":
        if most == 1:  # taken as bytes all would be black
            raise SpecError(Fault(where, f"holds {images.dtype} pixels of 0 and 1", f"{allowed}, or truth values"))
        pixels /= np.float32(255.0)
    if not (np.isfinite(pixels).all() and least >= 0 and pixels.max(initial=0.0) <= 1):
        what = f"holds pixels out of range: {images.dtype} from {least:g} to {most:g}"
        raise SpecError(Fault(where, what, allowed))
    return np.ascontiguousarray(pixels)


def as_labels(labels: NDArray[np.generic], count: int, where: str) -> Labels:
    """int64 ``[n]``.

    Raises:
        SpecError: not one a image, or no integers from 0.
    """
    flat = np.asarray(labels).reshape(-1)
    if len(flat) != count:
        raise SpecError(Fault(where, f"has {count} images and {len(flat)} labels", "one label an image"))
    if flat.dtype.kind not in "ui" or (len(flat) and int(flat.min()) < 0):
        found = flat.dtype if flat.dtype.kind not in "ui" else flat.min()
        raise SpecError(Fault(where, f"has the label {found}", "integers from 0"))
    return flat.astype(np.int64)


def as_label_maps(labels: NDArray[np.generic], images: Images, where: str) -> Labels:
    """int64 ``[n, H, W]``: a class a pixel.

    Raises:
        SpecError: not one a pixel, or no integers from 0.
    """
    shape = (len(images), *images.shape[2:])
    if labels.shape != shape:
        raise SpecError(Fault(where, f"is {list(labels.shape)}", f"one label an image, or one a pixel: {list(shape)}"))
    if labels.dtype.kind not in "ui" or (labels.size and int(labels.min()) < 0):
        found = labels.dtype if labels.dtype.kind not in "ui" else labels.min()
        raise SpecError(Fault(where, f"has the label {found}", "integers from 0"))
    return labels.astype(np.int64)


def as_boxes(labels: NDArray[np.generic], images: Images, where: str) -> Labels:
    """int64 ``[n, most, 5]``: class (-1: no box), top, left, bottom, right.

    Raises:
        SpecError: another shape, numbers that are no integers, a box that is empty or leaves its image.
    """
    if labels.dtype.kind not in "ui":
        raise SpecError(Fault(where, f"holds {labels.dtype}", f"integers: {TASKS[Detection.name].layout}"))
    boxes = labels.astype(np.int64)
    if wrong := TASKS[Detection.name].layout_fault(images.shape, boxes):
        raise SpecError(Fault(where, f"has {wrong}", TASKS[Detection.name].layout))
    return boxes


def labelled(labels: NDArray[np.generic], images: Images, where: str) -> tuple[Labels, str]:
    """Labels as they are used, and the task that their shape tells: a class an image, a place, or a pixel.

    Raises:
        SpecError: neither, or no integers from 0.
    """
    if labels.ndim == 3 and labels.size != len(images):
        return as_label_maps(labels, images, where), Segmentation.name
    if labels.ndim == 2 and labels.size == len(images) * labels.shape[1] > len(images):
        if labels.dtype.kind in "uifb" and ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all():
            what = f"has one-hot labels {list(labels.shape)}"
            raise SpecError(Fault(where, what, "the class itself, an integer (the place of the 1)"))
        return as_labels(labels, labels.size, where).reshape(*labels.shape, 1), Sequence.name
    return as_labels(labels, len(images), where), Classification.name


def _order(images: Images, labels: Labels) -> NDArray[np.int64]:
    """Places in an order that content alone decides, classes in turn, so that every prefix holds equal shares.

    Where an image has labels of several classes, content alone.
    """
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    rank = np.empty(len(labels), np.int64)
    rank[sorted(range(len(labels)), key=lambda place: (digests[place], place))] = np.arange(len(labels))
    if labels.ndim > 1:
        return np.argsort(rank)
    turn = np.empty(len(labels), np.float64)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        own = own[np.argsort(rank[own])]
        turn[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.lexsort((labels, turn)).astype(np.int64)


def split(
    name: str,
    images: Images,
    labels: Labels,
    test: tuple[Images, Labels] | None = None,
    task: str = Classification.name,
    held_out: tuple[Images, Labels] | None = None,
) -> Dataset:
    """Three parts of one set, or of a training and a test set.

    Args:
        task: of the labels.
        held_out: what the search is to see of a set that comes in three parts; else a share of the training set.

    Raises:
        SpecError: what :func:`checked` refuses.
    """
    order, count = _order(images, labels), len(labels)
    if test is None:
        first, second = round(_SHARES[0] * count), round((_SHARES[0] + _SHARES[1]) * count)
        places = {"train": order[:first], "held_out": order[first:second], "test": order[second:]}
    else:
        held = 0 if held_out is not None else min(round(_HELD_OUT * count), _MOST_HELD_OUT)
        places = {"train": order[held:], "held_out": order[:held]}
    parts = {part: images[place] for part, place in places.items()}
    named = {part: labels[place] for part, place in places.items()}
    for part, given in (("held_out", held_out), ("test", test)):
        if given is not None:
            again = _order(*given)
            parts[part], named[part] = given[0][again], given[1][again]
    return checked(Dataset(name, parts, named, task))


def in_parts(name: str, parts: dict[str, tuple[Images, Labels]], task: str = Classification.name) -> Dataset:
    """A data set that comes in parts: `train` alone, or with `test`, `held_out` or both; a lone `held_out` is the test.

    Raises:
        SpecError: what :func:`checked` refuses.
    """
    test, held_out = parts.get("test"), parts.get("held_out")
    if test is None:
        test, held_out = held_out, None  # as ImageNet's validation images are the test of whoever has no others
    return split(name, *parts["train"], test, task, held_out)
