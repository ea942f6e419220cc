"""What a data set's labels are, what a network has to give for them, and how its outputs are scored. Loads no torch.

A task gives the metric ``accuracy`` its meaning: the share of images classified correctly (classification), the mean
intersection over union (segmentation), the mean average precision at an overlap of one half (detection), the share of
places classified correctly (sequence). How each is learned stands in :mod:`codesign.accuracy.losses`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from codesign.accuracy.boxes import EDGES, NONE, decoded, mean_average_precision
from mappings.errors import Fault

Outputs = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Options of training that move or mix pixels in a way that labels of another kind do not follow.
_TURNED = ("rotate_degrees", "scale_percent", "bend_pixels")
_MIXED = ("cutout_pixels", "mixup")


class Task(Protocol):
    """One kind of labels.

    Attributes:
        name: as a data set and a network space say it.
        score_name: what the metric ``accuracy`` is.
        layout: what images and labels look like, for people.
        least: the smallest number that labels may hold.
        least_classes: how many classes make a task.
        without: options of training that must have this value, by name (with ``search_`` or ``deploy_`` or not).
    """

    name: str
    score_name: str
    layout: str
    least: int
    least_classes: int
    without: Mapping[str, Any]

    def classes(self, labels: Labels) -> int:
        """How many classes labels speak of: one more than the largest."""
        ...

    def outputs(self, classes: int) -> int:
        """Channels that a network's output needs."""
        ...

    def layout_fault(self, images: tuple[int, ...], labels: Labels) -> str:
        """What is wrong with the shape or the values of a part's labels; "": nothing.

        Args:
            images: shape ``[n, C, H, W]``.
        """
        ...

    def present(self, labels: Labels) -> NDArray[np.int64]:
        """The classes that occur, ascending."""
        ...

    def score(self, outputs: Outputs, labels: Labels, extent: tuple[int, int]) -> float:
        """0 to 1, higher is better.

        Args:
            outputs: ``[n, channels, P, Q]`` (classification: ``[n, channels]`` too), in real numbers.
            labels: of as many images.
            extent: rows and columns of the images.
        """
        ...


class Classification:
    """A class an image: labels ``[n]``, one output a class."""

    name, score_name = "classification", "accuracy"
    without: Mapping[str, Any] = {"auxiliary": ()}
    layout = "float32 [n, C, H, W] and as many labels"
    least, least_classes = 0, 2

    def classes(self, labels: Labels) -> int:
        """One more than the largest label."""
        return 1 + int(labels.max())

    def outputs(self, classes: int) -> int:
        """One a class."""
        return classes

    def layout_fault(self, images: tuple[int, ...], labels: Labels) -> str:
        """Not one label an image."""
        return "" if labels.shape == images[:1] else f"labels {list(labels.shape)}"

    def present(self, labels: Labels) -> NDArray[np.int64]:
        """Of any image."""
        return np.unique(labels)

    def score(self, outputs: Outputs, labels: Labels, extent: tuple[int, int]) -> float:
        """Share of images whose largest output is their class's; the first of equal ones counts."""
        return int((outputs.reshape(len(labels), -1).argmax(axis=1) == labels).sum()) / len(labels)


class Segmentation:
    """A class a pixel: labels ``[n, H, W]``; the output may be coarser, and stands for the pixels that it covers."""

    name, score_name = "segmentation", "mIoU"
    without: Mapping[str, Any] = {**dict.fromkeys((*_TURNED, *_MIXED), 0), "stages": 1}
    layout = "float32 [n, C, H, W] and labels [n, H, W]"
    least, least_classes = 0, 2

    def classes(self, labels: Labels) -> int:
        """One more than the largest label."""
        return 1 + int(labels.max())

    def outputs(self, classes: int) -> int:
        """One a class."""
        return classes

    def layout_fault(self, images: tuple[int, ...], labels: Labels) -> str:
        """Not one label a pixel."""
        return "" if labels.shape == (images[0], *images[2:]) else f"labels {list(labels.shape)}"

    def present(self, labels: Labels) -> NDArray[np.int64]:
        """Of any pixel."""
        return np.unique(labels)

    def score(self, outputs: Outputs, labels: Labels, extent: tuple[int, int]) -> float:
        """Mean over the classes that occur in the labels of intersection over union, over all pixels of the part."""
        named = nearest(outputs.argmax(axis=1), extent)
        count = max(outputs.shape[1], self.classes(labels))
        met = np.bincount((labels * count + named).reshape(-1), minlength=count * count).reshape(count, count)
        both, either = np.diag(met), met.sum(axis=0) + met.sum(axis=1) - np.diag(met)
        there = met.sum(axis=1) > 0
        return float(np.mean(both[there] / either[there]))


class Sequence:
    """A class a place of a sequence: labels ``[n, length, 1]``, and a map of as many rows."""

    name, score_name = "sequence", "place accuracy"
    without: Mapping[str, Any] = {"flip": False, "auxiliary": ()}
    layout = "float32 [n, C, H, W] and labels [n, length, 1]"
    least, least_classes = 0, 2

    def classes(self, labels: Labels) -> int:
        """One more than the largest label."""
        return 1 + int(labels.max())

    def outputs(self, classes: int) -> int:
        """One a class."""
        return classes

    def layout_fault(self, images: tuple[int, ...], labels: Labels) -> str:
        """No column of labels an image."""
        fine = labels.ndim == 3 and labels.shape[0] == images[0] and labels.shape[1] > 1 and labels.shape[2] == 1
        return "" if fine else f"labels {list(labels.shape)}"

    def present(self, labels: Labels) -> NDArray[np.int64]:
        """At any place."""
        return np.unique(labels)

    def score(self, outputs: Outputs, labels: Labels, extent: tuple[int, int]) -> float:
        """Share of places whose largest output is their class's; the first of equal ones counts."""
        return float((outputs.reshape(*outputs.shape[:2], -1).argmax(axis=1) == labels[..., 0]).mean())


class Detection:
    """Boxes with a class: labels ``[n, most, 5]`` (class, top, left, bottom, right; class -1: no box), in pixels.

    Each place of the output is one candidate: scores of no box and of each class, and the distances of the box's edges
    (see :mod:`codesign.accuracy.boxes`).
    """

    name, score_name = "detection", "mAP"
    without: Mapping[str, Any] = {
        **dict.fromkeys((*_TURNED, *_MIXED, "shift_pixels", "label_smoothing"), 0),
        "flip": False,
        "stages": 1,
    }
    layout = "float32 [n, C, H, W] and boxes [n, most, 5] (class, top, left, bottom, right) within the image"
    least, least_classes = -1, 1

    def classes(self, labels: Labels) -> int:
        """One more than the largest class."""
        return 1 + int(labels[..., 0].max())

    def outputs(self, classes: int) -> int:
        """One for no box, one a class, and one an edge."""
        return NONE + classes + EDGES

    def layout_fault(self, images: tuple[int, ...], labels: Labels) -> str:
        """Not five numbers a box, or a box that is empty or leaves the image."""
        if labels.ndim != 3 or labels.shape[0] != images[0] or labels.shape[2] != 1 + EDGES:
            return f"boxes {list(labels.shape)}"
        there = labels[..., 0] >= 0
        top, left, bottom, right = (labels[..., 1 + edge] for edge in range(EDGES))
        rows, columns = images[2:]
        wrong = there & ~((top >= 0) & (left >= 0) & (top < bottom) & (left < right))
        wrong |= there & ((bottom > rows) | (right > columns))
        if labels.dtype.kind not in "iu" or not wrong.any():
            return ""
        image, place = (int(found[0]) for found in np.nonzero(wrong))
        return f"the box {labels[image, place].tolist()} in image {image}"

    def present(self, labels: Labels) -> NDArray[np.int64]:
        """Of any box."""
        found = labels[..., 0]
        return np.unique(found[found >= 0])

    def score(self, outputs: Outputs, labels: Labels, extent: tuple[int, int]) -> float:
        """Mean over the classes that occur of the average precision of the candidates."""
        return mean_average_precision(decoded(outputs, extent), labels)


TASKS: dict[str, Task] = {task.name: task for task in (Classification(), Segmentation(), Detection(), Sequence())}
#: What understands the labels of every task, or of a class an image alone.
EVERY, NAMES = tuple(TASKS), (Classification.name,)
#: Of the data sets that ship, so that a recipe is checked without reading them.
KNOWN = {
    "mnist5k": "classification",
    "digits": "classification",
    "digit_scenes": "segmentation",
    "digit_boxes": "detection",
    "small_scenes": "segmentation",
    "small_boxes": "detection",
    "digit_orders": "sequence",
    "small_orders": "sequence",
}


def nearest(named: NDArray[Any], extent: tuple[int, int]) -> NDArray[Any]:
    """A map ``[n, P, Q]`` at another extent ``[n, H, W]``: each pixel takes the place that covers it."""
    rows, columns = (np.arange(size) * have // size for size, have in zip(extent, named.shape[1:], strict=True))
    return named[:, rows[:, None], columns]


def task_of(network: Any) -> Task:
    """Of a network space: its attribute ``task``; of one without, classification."""
    return TASKS[str(getattr(network, "task", Classification.name))]


def wrong_task(data: str, of: str, network: str, wanted: str, networks: Iterable[str]) -> Fault:
    """A network and a data set of different tasks.

    Args:
        networks: spaces for the data.
    """
    others = [name for name, task in KNOWN.items() if task == wanted]
    allowed = f"data for {wanted} ({', '.join(others)}, or your own), or a network for {of} ({', '.join(networks)})"
    return Fault(f"network {network}", f"is for {wanted}, and {data} is for {of}", allowed)
