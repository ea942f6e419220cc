"""One set of weights for all cells of NAS-Bench-201: every edge has every operation, a network runs its own of them.

In real numbers: what the published table holds was trained so too. Batch statistics are those of the batch, in training
and in scoring, since each network has its own and shares none (as Guo 2020 sets them anew for each).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.accuracy.augment import Augmentation
from codesign.accuracy.checkpoint import Periodic, resume
from codesign.accuracy.data import Dataset
from codesign.accuracy.training import batches, tensors
from codesign.seeds import derive_seed
from codesign.spaces.network.nasbench201 import EDGES, KERNELS, OPERATIONS, STAGES, live_edges


@dataclass(frozen=True)
class CellTraining:
    """How shared cells are trained.

    Attributes:
        channels, cells: of the first stage, and of each stage.
        extent: rows and columns to which images are resized.
        strategy: "uniform" (Guo 2020): one network a step; "fair" (Chu 2021): five, in which each edge has each of its
            operations once, and one update.
        steps: updates.
        batch: images of a step.
        learning_rate: the highest, of SGD with Nesterov's momentum; falls on a cosine.
    """

    channels: int = 8
    cells: int = 1
    extent: int = 16
    strategy: str = "fair"
    steps: int = 2000
    batch: int = 128
    learning_rate: float = 0.1


class _Normal(nn.BatchNorm2d):
    """Normalised by the batch alone."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False, track_running_stats=False)


def _conv(inside: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inside, out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, _Normal(out))


class _Cell(nn.Module):
    """All convolutions that a cell may have."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict(
            {f"{a}{b}_{name}": _conv(channels, channels, size) for a, b in EDGES for name, size in KERNELS.items()}
        )

    def forward(self, value: Tensor, cell: dict[tuple[int, int], str]) -> Tensor:
        nodes = {0: value}
        for node in (1, 2, 3):
            parts = []
            for (a, b), operation in cell.items():
                if b != node:
                    continue
                if operation in KERNELS:
                    parts.append(self.convolutions[f"{a}{b}_{operation}"](nodes[a]))
                elif operation == "avg_pool_3x3":
                    parts.append(functional.avg_pool2d(nodes[a], 3, 1, 1, count_include_pad=False))
                else:
                    parts.append(nodes[a])
            if parts:
                nodes[node] = torch.stack(parts).sum(dim=0) if len(parts) > 1 else parts[0]
        return nodes[3]


class _Reduction(nn.Module):
    """The residual block between stages."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.first, self.second = _conv(inside, out, 3, 2), _conv(out, out, 3)
        self.short = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inside, out, 1, bias=False))

    def forward(self, value: Tensor) -> Tensor:
        total: Tensor = self.short(value) + self.second(self.first(value))
        return total


class CellSuperNetwork(nn.Module):
    """The published skeleton with every operation on every edge.

    Args:
        how: its size.
        colours, classes: of the data.
    """

    def __init__(self, how: CellTraining, colours: int, classes: int) -> None:
        super().__init__()
        widths = [how.channels << stage for stage in range(STAGES)]
        self.extent, self.classes = how.extent, classes
        self.stem = nn.Sequential(nn.Conv2d(colours, widths[0], 3, 1, 1, bias=False), _Normal(widths[0]))
        self.stages = nn.ModuleList(nn.ModuleList(_Cell(width) for _ in range(how.cells)) for width in widths)
        self.reductions = nn.ModuleList(_Reduction(*pair) for pair in pairwise(widths))
        self.norm, self.classifier = _Normal(widths[-1]), nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor, operations: Sequence[str]) -> Tensor:
        """Images [N, C, H, W] to logits [N, classes] of the network with these operations, as ``EDGES`` has them."""
        cell = live_edges(operations)
        if not cell:  # such a cell gives zeros
            logits: Tensor = self.classifier.bias.expand(len(images), self.classes)
            return logits
        if images.shape[2] != self.extent:
            images = functional.interpolate(images, (self.extent, self.extent), mode="bilinear", antialias=True)
        value = self.stem(images)
        for stage, cells in enumerate(self.stages):
            if stage:
                value = self.reductions[stage - 1](value)
            assert isinstance(cells, nn.ModuleList)
            for one in cells:
                value = one(value, cell)
        result: Tensor = self.classifier(functional.relu(self.norm(value)).mean(dim=(2, 3)))
        return result


def drawn(strategy: str, seed: int, step: int) -> list[tuple[str, ...]]:
    """Operations of the networks that share a step."""
    rng = np.random.default_rng(derive_seed(seed, "cells", step))
    if strategy == "uniform":
        return [tuple(OPERATIONS[int(choice)] for choice in rng.integers(0, len(OPERATIONS), len(EDGES)))]
    orders = [rng.permutation(len(OPERATIONS)) for _ in EDGES]
    return [tuple(OPERATIONS[int(order[place])] for order in orders) for place in range(len(OPERATIONS))]


def train_cells(
    how: CellTraining,
    data: Dataset,
    seed: int,
    checkpoint: Path | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> CellSuperNetwork:
    """Train the shared cells on the training part.

    Args:
        how: size and schedule.
        seed: of weights, networks and batches.
        checkpoint: what is kept there is gone on from, and ends as it would have; the finished weights stay there.
        on_step: called after each step, also for steps that the checkpoint holds.
    """
    torch.set_num_threads(1)  # equal results whatever the machine
    torch.manual_seed(derive_seed(seed, "shared cells"))
    network = CellSuperNetwork(how, data.channels, data.classes)
    optimizer = torch.optim.SGD(network.parameters(), how.learning_rate, 0.9, weight_decay=5e-4, nesterov=True)
    images, labels = tensors(data, "train")
    small = functional.interpolate(images, (how.extent, how.extent), mode="bilinear", antialias=True)
    change, told = Augmentation(max(1, how.extent // 16), flip=True), f"{how} {seed} {data.digest}"
    begun = 0 if checkpoint is None else resume(checkpoint, told, network, optimizer)
    for _ in range(begun):
        on_step()
    kept = None if checkpoint is None else Periodic(checkpoint, told, network, optimizer)
    order = batches(data, how.steps, seed, how.batch)
    for step in range(begun, how.steps):
        for group in optimizer.param_groups:
            group["lr"] = how.learning_rate * 0.5 * (1.0 + float(np.cos(np.pi * step / how.steps)))
        optimizer.zero_grad()
        batch = change(small[order[step]], seed, step)[0]
        for operations in drawn(how.strategy, seed, step):
            loss = functional.cross_entropy(network(batch, operations), labels[order[step]])
            loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        on_step()
        if kept is not None:
            kept(step + 1, last=step + 1 == how.steps)
    return network


def scored(network: CellSuperNetwork, operations: Sequence[str], data: Dataset, images: int = 1000) -> float:
    """Share of the first ``images`` held-out images that a network with its weights classifies correctly."""
    pixels, labels = tensors(data, "held_out")
    with torch.no_grad():
        right = (network(pixels[:images], operations).argmax(dim=1) == labels[:images]).sum()
    return int(right) / len(labels[:images])
