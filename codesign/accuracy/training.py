"""Training and scoring of one network on one data set: deterministic for a seed and a number of threads."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.accuracy.augment import Augmentation, whitening
from codesign.accuracy.auxiliary import Auxiliary
from codesign.accuracy.checkpoint import Periodic, resume
from codesign.accuracy.data import Dataset
from codesign.accuracy.losses import augmented, loss_of
from codesign.accuracy.progressive import Progressive
from codesign.accuracy.rule_optimizer import RuleOptimizer
from codesign.accuracy.update_rule import Rule
from codesign.quantization.qat import QatLayer, QatNetwork

BATCH = 64
#: Images that are scored, or whose statistics are taken, at once.
_AT_ONCE = 1000
#: Temperature of a teacher's soft labels.
_SOFTNESS = 4.0
#: Images whose patches are decorrelated.
_WHITENED = 2000


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Attributes:
        steps: batches.
        learning_rate: the highest.
        batch: images of a step.
        optimizer: "adamw" (betas of 0.8 and 0.95 follow the loss faster than the usual ones: of the settings tried,
            these learn most in 100 steps) with a cosine; "sgd" (Nesterov's momentum of 0.9) with a straight line to 0.
        weight_decay: of weights; of AdamW's also of all else.
        label_smoothing: share of a label that all classes have alike.
        float_share: share of the steps that are trained in real numbers; the rest with the quantisation.
        whiten: the first convolution begins with filters that decorrelate the patches of the images (Page 2018).
        augmentation: of images.
        distilled: share of the loss that is a teacher's soft labels (Hinton 2015), where there is a teacher.
        rule: weights are updated by it in place of ``optimizer``, with AdamW's schedule.
        progressive: how images and augmentation grow.
        auxiliary: tensors of the network that are supervised too, and the weight of their loss.
    """

    steps: int
    learning_rate: float
    batch: int = BATCH
    optimizer: str = "adamw"
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    float_share: float = 0.0
    whiten: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    distilled: float = 0.0
    rule: Rule | None = None
    progressive: Progressive = field(default_factory=Progressive)
    auxiliary: tuple[str, ...] = ()
    auxiliary_weight: float = 0.3


def tensors(data: Dataset, part: str) -> tuple[Tensor, Tensor]:
    """Images [n, C, H, W] and labels (of n images, as the task has them) of a part."""
    return torch.from_numpy(data.images[part]), torch.from_numpy(data.labels[part]).long()


def portions(count: int, most: int) -> list[slice]:
    """Places 0 to ``count``, at most so many at a time."""
    return [slice(start, start + most) for start in range(0, count, most)]


def batches(data: Dataset, steps: int, seed: int, size: int = BATCH) -> list[Tensor]:
    """Indices of ``steps`` batches of training images: epochs of fresh permutations, one after another."""
    generator = torch.Generator().manual_seed(seed)
    count = len(data.labels["train"])
    size = min(size, count)
    per_epoch = count // size
    out: list[Tensor] = []
    while len(out) < steps:
        order = torch.randperm(count, generator=generator)
        out += [order[index * size : (index + 1) * size] for index in range(per_epoch)]
    return out[:steps]


def _optimizer(network: nn.Module, how: Training) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    if how.optimizer == "sgd" and how.rule is None:
        # Decay is for weights: not for biases, gains, and the logarithms of step sizes.
        weights = [value for value in network.parameters() if value.dim() > 1]
        others = [value for value in network.parameters() if value.dim() <= 1]
        groups = [{"params": weights, "weight_decay": how.weight_decay}, {"params": others, "weight_decay": 0.0}]
        optimizer: torch.optim.Optimizer = torch.optim.SGD(groups, lr=how.learning_rate, momentum=0.9, nesterov=True)
        rise = max(1, round(0.2 * how.steps))
        return optimizer, torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / rise, (how.steps - step) / max(1, how.steps - rise))
        )
    if how.rule is not None:
        optimizer = RuleOptimizer(network.parameters(), how.rule, how.learning_rate, how.weight_decay)
    else:
        optimizer = torch.optim.AdamW(
            network.parameters(), how.learning_rate, (0.8, 0.95), weight_decay=how.weight_decay, fused=True
        )
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        optimizer, how.learning_rate, total_steps=how.steps + 1, pct_start=0.15, cycle_momentum=False
    )


@torch.no_grad()
def _whiten(network: QatNetwork, images: Tensor) -> None:
    """Filters of the layers that read the image."""
    for layer in network.workload.layers:
        step = network.steps[layer.name]
        assert isinstance(step, QatLayer)
        if layer.inputs[0] == network.workload.inputs[0].name and step.norm is not None and layer.groups == 1:
            assert step.weight is not None
            filters = whitening(images[:_WHITENED].contiguous(), layer.K, layer.R)
            step.weight[: len(filters)] = filters


def soft_loss(logits: Tensor, images: Tensor, teacher: nn.Module) -> Tensor:
    """Cross entropy with a teacher's soft labels, both at a temperature; its gradients are as large as hard labels'."""
    with torch.no_grad():
        soft = functional.softmax(teacher(images) / _SOFTNESS, dim=1)
    return _SOFTNESS**2 * functional.cross_entropy(logits / _SOFTNESS, soft)


def train(
    network: QatNetwork,
    data: Dataset,
    how: Training,
    seed: int,
    checkpoint: Path | None = None,
    told: str = "",
    on_step: Callable[[], None] = lambda: None,
    teacher: nn.Module | None = None,
) -> None:
    """Train in place: a warm-up, a falling rate, the loss of the data's task.

    Args:
        network: images to what the task needs: logits, or a map of them.
        how: steps, rates, augmentation.
        checkpoint: where all that it takes to go on is kept every now and then; what is there is gone on from, and ends
            as it would have without the interruption.
        told: what the training is of, for the checkpoint: another training's is not gone on from.
        on_step: called after each step, for a progress bar.
        teacher: what soft labels are of; images to logits.

    Raises:
        SpecError: images are to grow, and the network is of one extent.
    """
    grows, whole = how.progressive, network.workload.inputs[0].H
    grows.check(network.workload)
    images, labels = tensors(data, "train")
    images = images.contiguous(memory_format=torch.channels_last)  # depthwise convolutions run half as long again else
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # missing from the stubs
    heads: Auxiliary | None = None
    if how.auxiliary:
        last = network.workload.by_name[network.workload.outputs[0]]
        heads = Auxiliary(network.workload, how.auxiliary, last.channels_out)
        network.add_module("auxiliary", heads)  # learned and kept with it, and taken away at the end
    optimizer, schedule = _optimizer(network, how)
    error_of = loss_of(data.task, (images.shape[2], images.shape[3]), how.label_smoothing)
    exact_from = math.floor(how.float_share * how.steps)
    order = batches(data, how.steps, seed, how.batch)
    if exact_from:
        network.use_integers(False)
    told = f"{told} {how} {seed}"
    if how.whiten:
        _whiten(network, images)
    begun = 0 if checkpoint is None else resume(checkpoint, told, network, optimizer)
    if begun > exact_from > 0:
        network.use_integers(True)
    with warnings.catch_warnings():
        # A schedule that catches up with a checkpoint takes its steps before the optimiser takes any.
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
        for _ in range(begun):
            schedule.step()
            on_step()
    network.train()
    kept = None if checkpoint is None else Periodic(checkpoint, told, network, optimizer)
    for step in range(begun, how.steps):
        index = order[step]
        moves = how.augmentation.scaled(grows.strength(step, how.steps))
        batch, target, partners, share = augmented(data.task, moves, images[index], labels[index], seed, step)
        if step == exact_from > 0:
            network.calibrate(batch)
        if heads is None:
            logits = network.at_extent(batch, grows.extent(whole, step, how.steps))
            loss = error_of(logits, target)
        else:
            values = network.values(network.entered(batch))
            logits = values[network.workload.outputs[0]]
            loss = error_of(logits, target) + how.auxiliary_weight * heads.loss(values, target, error_of)
        if partners is not None:
            loss = share * loss + (1.0 - share) * error_of(logits, target[partners])
        if teacher is not None and how.distilled:
            loss = (1.0 - how.distilled) * loss + how.distilled * soft_loss(logits, batch, teacher)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        on_step()
        if kept is not None:
            kept(step + 1)
    if heads is not None:
        del network.auxiliary
    network.eval()


def recalibrate(network: nn.Module, data: Dataset, images: int = 512) -> None:
    """Set the statistics of batch normalisation to those of the first ``images`` training images."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # plain average over what follows
    network.train()
    with torch.no_grad():
        chosen = tensors(data, "train")[0][:images]
        for some in portions(len(chosen), _AT_ONCE):
            network(chosen[some])
    network.eval()


def score(network: nn.Module, data: Dataset, part: str) -> float:
    """The task's score of a part: of classification the share of images that the network classifies correctly."""
    images = tensors(data, part)[0]
    network.eval()
    with torch.no_grad():
        found = [network(images[some]).double().numpy() for some in portions(len(images), _AT_ONCE)]
    return data.does.score(np.concatenate(found), data.labels[part], (images.shape[2], images.shape[3]))
