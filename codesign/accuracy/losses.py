"""What training makes small, by task: the difference of a network's output from labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from codesign.accuracy.augment import Augmentation
from codesign.accuracy.boxes import EDGES, middles
from codesign.accuracy.task import Detection, Segmentation

Loss = Callable[[Tensor, Tensor], Tensor]
#: Of a pixel without a label: what moved into an image.
UNLABELLED = -1


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
    """Mean cross entropy of all places and, where a box is, the mean smooth distance of its edges.

    A box has the places whose middles lie within it and no farther than one place from its own middle, both ways (Tian
    2019); where boxes meet, the smallest. All others have none, which is a class of its own (Liu 2016).

    Args:
        outputs: ``[N, 1 + classes + 4, P, Q]``.
        labels: ``[N, most, 5]``: class (-1: none), top, left, bottom, right, in pixels.
        extent: rows and columns of the image.
    """
    places = (outputs.shape[2], outputs.shape[3])
    kinds, away = wanted(labels, places, extent)
    scores, edges = outputs[:, :-EDGES], outputs[:, -EDGES:].permute(0, 2, 3, 1)
    there = kinds > 0
    wrong = functional.cross_entropy(scores, kinds)
    if not bool(there.any()):
        return wrong
    return wrong + functional.smooth_l1_loss(edges[there], away[there])


def wanted(labels: Tensor, places: tuple[int, int], extent: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """What each place is to say: its class ``[N, P, Q]`` (0: no box), and how far the edges are ``[N, P, Q, 4]``."""
    rows, columns = (torch.from_numpy(axis).float() for axis in middles(places, extent))
    middle = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=2)  # [P, Q, 2]
    unit = torch.tensor([size / have for size, have in zip(extent, places, strict=True)])
    boxes = labels[..., 1:].float()[:, :, None, None]  # [N, most, 1, 1, 4]
    low, high = boxes[..., :2], boxes[..., 2:]
    near = ((middle - (low + high) / 2).abs() <= unit).all(dim=4)
    held = (labels[..., 0] >= 0)[:, :, None, None] & near & (middle > low).all(dim=4) & (middle < high).all(dim=4)
    size = (high - low).prod(dim=4).expand(held.shape)
    owner = torch.where(held, size, torch.inf).argmin(dim=1, keepdim=True)
    kinds = torch.where(held.any(dim=1), 1 + labels[..., 0].gather(1, owner.flatten(1)).view(owner[:, 0].shape), 0)
    away = torch.cat([middle - low, high - middle], dim=4) / unit.repeat(2)
    mine = away.gather(1, owner[..., None].expand(-1, -1, -1, -1, EDGES))[:, 0]
    return kinds, mine


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
