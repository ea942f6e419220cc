"""Training and scoring of one network on one data set: deterministic for a seed and a number of threads."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from codesign.accuracy.data import Dataset
from codesign.seeds import derive_seed

BATCH = 64


def tensors(data: Dataset, part: str) -> tuple[Tensor, Tensor]:
    """Images [n, C, H, W] and labels [n] of a part."""
    return torch.from_numpy(data.images[part]), torch.from_numpy(data.labels[part])


def batches(data: Dataset, steps: int, seed: int) -> list[Tensor]:
    """Indices of ``steps`` batches of training images: epochs of fresh permutations, one after another."""
    generator = torch.Generator().manual_seed(seed)
    count = len(data.labels["train"])
    per_epoch = count // BATCH
    out: list[Tensor] = []
    while len(out) < steps:
        order = torch.randperm(count, generator=generator)
        out += [order[index * BATCH : (index + 1) * BATCH] for index in range(per_epoch)]
    return out[:steps]


def shifted(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each image moved by up to ``most`` pixels both ways, zeros moving in.

    Args:
        images: [n, C, H, W].

    Returns:
        the same shape.
    """
    count, channels, height, width = images.shape
    moves = torch.randint(0, 2 * most + 1, (2, count, 1, 1, 1), generator=generator)
    rows, columns = moves[0] + torch.arange(height).view(1, 1, -1, 1), moves[1] + torch.arange(width)
    padded = nn.functional.pad(images, (most,) * 4)
    return padded[torch.arange(count).view(-1, 1, 1, 1), torch.arange(channels).view(1, -1, 1, 1), rows, columns]


def train(
    network: nn.Module,
    data: Dataset,
    steps: int,
    learning_rate: float,
    seed: int,
    shift_pixels: int = 0,
    on_step: Callable[[], None] = lambda: None,
) -> None:
    """Train in place with AdamW, a short warm-up, cosine decay and cross entropy.

    Betas below the usual ones follow the loss faster: of the settings tried, these learn most in 100 steps.

    Args:
        network: images to logits.
        steps: batches of ``BATCH`` images.
        shift_pixels: images are moved by up to so many pixels, anew in each batch; long training gains from it.
        on_step: called after each step, for a progress bar.
    """
    images, labels = tensors(data, "train")
    images = images.contiguous(memory_format=torch.channels_last)  # depthwise convolutions run half as long again else
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # missing from the stubs
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, betas=(0.8, 0.95), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps + 1, pct_start=0.15, cycle_momentum=False
    )
    network.train()
    moves = torch.Generator().manual_seed(derive_seed(seed, "shifts"))
    for index in batches(data, steps, seed):
        batch = shifted(images[index], shift_pixels, moves) if shift_pixels else images[index]
        loss = nn.functional.cross_entropy(network(batch), labels[index])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        on_step()
    network.eval()


def recalibrate(network: nn.Module, data: Dataset, images: int = 512) -> None:
    """Set the statistics of batch normalisation to those of the first ``images`` training images."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # plain average over what follows
    network.train()
    with torch.no_grad():
        network(tensors(data, "train")[0][:images])
    network.eval()


def score(network: nn.Module, data: Dataset, part: str) -> float:
    """Share of the part's images that the network names rightly."""
    images, labels = tensors(data, part)
    network.eval()
    with torch.no_grad():
        right = (network(images).argmax(dim=1) == labels).sum()
    return int(right) / len(labels)
