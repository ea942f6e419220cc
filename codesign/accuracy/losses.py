"""What training makes small, by task: the difference of a network's output from labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from codesign.accuracy.augment import Augmentation
from codesign.accuracy.boxes import EDGES
from codesign.accuracy.task import Detection, Segmentation

Loss = Callable[[Tensor, Tensor], Tensor]
#: Of a pixel without a label: what moved into an image.
UNLABELLED = -1
#: Of the focal loss (Lin 2017): how little what is right already counts, and the share of boxes against the rest.
_FOCUS, _BALANCE = 2.0, 0.25


def loss_of(task: str, extent: tuple[int, int], label_smoothing: float = 0.0) -> Loss:
    """The loss of a batch: outputs and labels to one number.

    Args:
        task: of :data:`~codesign.accuracy.task.TASKS`.
        extent: rows and columns of the images that labels speak of.
        label_smoothing: share of a label that all classes have alike.
    """
    if task == Detection.name:
        return partial(detection, extent=extent)
    if task == Segmentation.name:
        return partial(segmentation, label_smoothing=label_smoothing)
    return partial(functional.cross_entropy, label_smoothing=label_smoothing)


def segmentation(outputs: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross entropy of the pixels.

    Args:
        outputs: ``[N, classes, P, Q]``; each place stands for the pixels that it covers.
        labels: ``[N, H, W]``.
    """
    fine = functional.interpolate(outputs, (labels.shape[1], labels.shape[2]), mode="nearest")
    return functional.cross_entropy(fine, labels, ignore_index=UNLABELLED, label_smoothing=label_smoothing)


def detection(outputs: Tensor, labels: Tensor, extent: tuple[int, int]) -> Tensor:
    """Focal loss of all class scores and, where a box is, the smooth distance of its edges; both by number of boxes.

    A box belongs to the place that holds its middle (Zhou 2019); of several the smallest.

    Args:
        outputs: ``[N, classes + 4, P, Q]``.
        labels: ``[N, most, 5]``: class (-1: none), top, left, bottom, right, in pixels.
        extent: rows and columns of the image.
    """
    count, channels, rows, columns = outputs.shape
    classes, unit = channels - EDGES, torch.tensor([extent[0] / rows, extent[1] / columns])
    image, place = torch.nonzero(labels[..., 0] >= 0, as_tuple=True)
    kinds, boxes = labels[image, place, 0], labels[image, place, 1:].float()
    size = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    order = torch.argsort(size, descending=True, stable=True)  # the last that is written is the smallest
    image, kinds, boxes = image[order], kinds[order], boxes[order]
    cell = ((boxes[:, :2] + boxes[:, 2:]) / 2 / unit).floor().long()
    flat = (image * rows + cell[:, 0]) * columns + cell[:, 1]
    owner = torch.full((count * rows * columns,), -1, dtype=torch.long)
    for number, at in enumerate(flat.tolist()):
        owner[at] = number
    held = torch.nonzero(owner >= 0)[:, 0]
    mine = owner[held]
    by_place = outputs.permute(0, 2, 3, 1).reshape(-1, channels)
    wanted = torch.zeros(len(by_place), classes)
    wanted[held, kinds[mine]] = 1.0
    middle = (cell[mine].float() + 0.5) * unit
    away = torch.cat([middle - boxes[mine, :2], boxes[mine, 2:] - middle], dim=1) / unit.repeat(2)
    found = max(1, len(held))
    edges = functional.smooth_l1_loss(by_place[held, classes:], away, reduction="sum")
    return (_focal(by_place[:, :classes], wanted) + edges) / found


def _focal(scores: Tensor, wanted: Tensor) -> Tensor:
    """Sum of the focal loss."""
    plain = functional.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
    chance = torch.sigmoid(scores)
    wrong = wanted * (1 - chance) + (1 - wanted) * chance
    weight = wanted * _BALANCE + (1 - wanted) * (1 - _BALANCE)
    return (weight * wrong**_FOCUS * plain).sum()


def augmented(
    task: str, how: Augmentation, images: Tensor, labels: Tensor, seed: int, step: int
) -> tuple[Tensor, Tensor, Tensor | None, float]:
    """A batch as it is trained on, labels that have places moved with the pixels.

    Returns:
        images; labels; partners and weight of mixing, as of :class:`~codesign.accuracy.augment.Augmentation`.
    """
    if task != Segmentation.name:
        batch, partners, share = how(images, seed, step)
        return batch, labels, partners, share
    # Zeros move in, so labels are one more on their way: what has none is told.
    planes = torch.cat([images, (labels - UNLABELLED)[:, None].to(images.dtype)], dim=1)
    moved = how(planes, seed, step)[0]
    return moved[:, :-1], moved[:, -1].round().long() + UNLABELLED, None, 1.0
