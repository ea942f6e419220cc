"""Boxes: from a network's map to candidates, and how good candidates are.

A map ``[1 + classes + 4, P, Q]`` over an image of H x W has one candidate a place (without anchors, after Tian 2019,
FCOS). The first channels are scores of no box and of each class; the share of the likeliest class in their softmax is
the candidate's confidence. The last four are how far the top, left, bottom and right edges are from the middle of the
place, in units of a place (H / P rows, W / Q columns).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Of a box: top, left, bottom, right; and the score of no box.
EDGES, NONE = 4, 1
#: Candidates of an image that count, the most confident first.
MOST = 16
#: Overlap (intersection over union) from which two boxes are one, and a candidate is right.
OVERLAP = 0.5

Boxes = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Of many images.

    Attributes:
        image: of each, ``[m]``.
        kind: class of each, ``[m]``.
        confidence: of each, ``[m]``.
        boxes: ``[m, 4]``, top, left, bottom, right in pixels.
    """

    image: NDArray[np.int64]
    kind: NDArray[np.int64]
    confidence: NDArray[np.float64]
    boxes: Boxes


def middles(places: tuple[int, int], extent: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows ``[P]`` and columns ``[Q]`` of the middles of places, in pixels."""
    rows, columns = ((np.arange(have) + 0.5) * size / have for have, size in zip(places, extent, strict=True))
    return rows, columns


def overlaps(one: Boxes, other: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each of ``[a, 4]`` with each of ``[b, 4]``: ``[a, b]``."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    both = np.prod(np.maximum(high - low, 0.0), axis=2)
    sizes = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=1) for boxes in (one, other)]
    either = sizes[0][:, None] + sizes[1][None, :] - both
    return np.asarray(np.divide(both, either, out=np.zeros_like(both), where=either > 0), np.float64)


def decoded(outputs: NDArray[np.float64], extent: tuple[int, int]) -> Candidates:
    """The candidates of maps: of an image the :data:`MOST` most confident, without those that a more confident one of
    their class overlaps.

    Args:
        outputs: ``[n, 1 + classes + 4, P, Q]``.
        extent: rows and columns of the image.
    """
    places = (outputs.shape[2], outputs.shape[3])
    scores = outputs[:, :-EDGES].reshape(len(outputs), outputs.shape[1] - EDGES, -1)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = (shares / shares.sum(axis=1, keepdims=True))[:, NONE:]
    confidence, kind = shares.max(axis=1), shares.argmax(axis=1)
    rows, columns = (part.reshape(-1) for part in np.meshgrid(*middles(places, extent), indexing="ij"))
    units = [size / have for size, have in zip(extent, places, strict=True)]
    away = np.maximum(outputs[:, -EDGES:].reshape(len(outputs), EDGES, -1), 0.0)
    boxes = np.stack(
        [
            rows - away[:, 0] * units[0],
            columns - away[:, 1] * units[1],
            rows + away[:, 2] * units[0],
            columns + away[:, 3] * units[1],
        ],
        axis=2,
    )
    boxes = np.clip(boxes, 0.0, [*extent, *extent])
    kept: list[tuple[int, int]] = []
    for image in range(len(outputs)):
        order = np.argsort(-confidence[image], kind="stable")[:MOST]
        same = kind[image, order][:, None] == kind[image, order][None, :]
        hides = (overlaps(boxes[image, order], boxes[image, order]) > OVERLAP) & same
        alive = np.ones(len(order), bool)
        for place in range(len(order)):
            if alive[place]:
                alive[place + 1 :] &= ~hides[place, place + 1 :]
        kept += [(image, int(place)) for place in order[alive]]
    at = np.array(kept, np.int64).reshape(-1, 2)
    found = at[:, 0], at[:, 1]
    return Candidates(at[:, 0], kind[found].astype(np.int64), confidence[found], boxes[found])


def mean_average_precision(found: Candidates, labels: NDArray[np.int64]) -> float:
    """Mean over the classes that occur in the labels.

    Of a class, candidates of all images come in the order of their confidence; each takes the box of its image that it
    overlaps most and that no other has taken, if it overlaps it by half; else it is wrong. The average precision is the
    whole area under precision over recall, precision made to fall (Everingham 2010, since 2010 over all points).

    Args:
        labels: ``[n, most, 5]``: class (-1: none), top, left, bottom, right.

    Returns:
        0 to 1; without any box 0.
    """
    classes = np.unique(labels[..., 0][labels[..., 0] >= 0])
    if not len(classes):
        return 0.0
    return float(np.mean([_average_precision(found, labels, int(kind)) for kind in classes]))


def _average_precision(found: Candidates, labels: NDArray[np.int64], kind: int) -> float:
    mine = np.flatnonzero(found.kind == kind)
    mine = mine[np.argsort(-found.confidence[mine], kind="stable")]
    wanted = {image: boxes[boxes[:, 0] == kind, 1:].astype(np.float64) for image, boxes in enumerate(labels)}
    total = sum(len(boxes) for boxes in wanted.values())
    taken = {image: np.zeros(len(boxes), bool) for image, boxes in wanted.items()}
    right = np.zeros(len(mine))
    for place, candidate in enumerate(mine):
        image = int(found.image[candidate])
        if not len(wanted[image]):
            continue
        shared = np.where(taken[image], 0.0, overlaps(found.boxes[candidate][None], wanted[image])[0])
        best = int(shared.argmax())
        if shared[best] >= OVERLAP:
            taken[image][best], right[place] = True, 1.0
    recall = np.cumsum(right) / total
    precision = np.cumsum(right) / np.arange(1, len(mine) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1] if len(mine) else precision
    return float(np.sum(np.diff(recall, prepend=0.0) * falling))
