"""A network that shrinks while it trains (Mei 2020, AtomNAS): its channels are atoms, and each pays for what it costs.

An L1 penalty on the gain of a channel's batch normalisation, weighed by what the channel costs, takes gains to 0; a
channel whose gains are 0 is taken out of the network there and then, and training goes on with what is left. A gain
that a step would take across 0 stays there, so that gains are 0 and not merely small. What is over the limit when three
quarters of the training are done loses the channels of the smallest gains for what they cost, and trains on without.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from codesign.accuracy.data import Dataset
from codesign.accuracy.training import batches, tensors
from codesign.networks.pruned import inherited
from codesign.quantization.qat import QatLayer, QatNetwork
from codesign.spaces.compression.layer_channels import Width, widths, with_channels
from mappings.workload import Workload


@dataclass(frozen=True)
class ShrinkOptions:
    """How it shrinks.

    Attributes:
        steps: batches in all.
        learning_rate: the highest; falls on a cosine.
        interval: batches from one shrinking to the next.
        penalty: of a gain that costs the mean of all, at first.
        growth: factor of the penalty at each shrinking while the limit is broken; once it holds there is none.
        weighed: a channel pays for what it costs; else all pay alike.
    """

    steps: int = 300
    learning_rate: float = 0.02
    interval: int = 4
    penalty: float = 0.004
    growth: float = 1.15
    weighed: bool = True


@dataclass(frozen=True)
class Shrunk:
    """What is left.

    Attributes:
        network: with its weights.
        counts: channels by the first tensor of each width.
        costs: at each shrinking.
    """

    network: QatNetwork
    counts: Mapping[str, int]
    costs: tuple[float, ...]


def shrink(
    workload: Workload,
    data: Dataset,
    cost_of: Callable[[Workload], float],
    limit: float,
    options: ShrinkOptions,
    seed: int,
) -> Shrunk:
    """Train the network and take channels out of it until it is within its limit.

    Args:
        workload: the largest network.
        data: its training part is seen.
        cost_of: exact.
        limit: of the cost.
        seed: of weights and batches.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network = QatNetwork(workload)
    images, labels = tensors(data, "train")
    order = batches(data, options.steps, seed)
    penalty, price, costs = options.penalty, _prices(workload, cost_of, options), [cost_of(workload)]
    optimizer = _optimizer(network)
    network.train()
    for step, index in enumerate(order):
        rate = options.learning_rate * min(1.0, (step + 1) / max(1, options.steps // 10))
        rate *= 0.5 * (1 + math.cos(math.pi * step / options.steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = functional.cross_entropy(network(images[index]), labels[index])
        pays = costs[-1] > limit
        if pays:
            loss = loss + penalty * _paid(network, price)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        before = [gain.detach().clone() for width in widths(network.workload) for gain in gains(network, width)]
        optimizer.step()
        if not pays:
            continue
        _stay_dead(network, before)
        last = step + 1 == options.steps - options.steps // 4
        if last or (step + 1) % options.interval == 0:
            smaller = without_dead(network)
            if last:
                smaller = without_weakest(smaller, price, cost_of, limit)
            if smaller is not network:
                network = smaller.train()
                price, optimizer = _prices(network.workload, cost_of, options), _optimizer(network)
            penalty *= options.growth
            costs.append(cost_of(network.workload))
    counts = {width.tensors[0]: width.count for width in widths(network.workload)}
    return Shrunk(network.eval(), counts, tuple(costs))


def _optimizer(network: QatNetwork) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), lr=1e-3, betas=(0.8, 0.95), weight_decay=1e-4)


def gains(network: QatNetwork, width: Width) -> list[Tensor]:
    """Gains of the batch normalisations that write a width's channels, each [count]."""
    found = list[Tensor]()
    for name in width.writers:
        step = network.steps[name]
        assert isinstance(step, QatLayer)
        if step.norm is not None:
            found.append(step.norm.weight)
    return found


def _prices(workload: Workload, cost_of: Callable[[Workload], float], options: ShrinkOptions) -> dict[str, float]:
    """What a channel of each width saves, against the mean of all channels, by the width's first tensor."""
    found, whole, saved = widths(workload), cost_of(workload), dict[str, float]()
    for width in found:
        # Programs change by steps: half of the channels tell more than one.
        left = max(1, width.count // 2)
        less = with_channels(workload, dict.fromkeys(width.tensors, left))
        saved[width.tensors[0]] = max(whole - cost_of(less), 0.0) / (width.count - left)
    count = sum(width.count for width in found)
    mean = sum(saved[width.tensors[0]] * width.count for width in found) / max(count, 1)
    if not options.weighed or mean <= 0:
        return dict.fromkeys(saved, 1.0)
    return {name: value / mean for name, value in saved.items()}


def _paid(network: QatNetwork, price: Mapping[str, float]) -> Tensor:
    """What all gains pay."""
    total = torch.zeros(())
    for width in widths(network.workload):
        for gain in gains(network, width):
            total = total + price[width.tensors[0]] * gain.abs().sum()
    return total


@torch.no_grad()
def _stay_dead(network: QatNetwork, before: Sequence[Tensor]) -> None:
    """Gains that were 0, or that a step took across 0, are 0."""
    after = [gain for width in widths(network.workload) for gain in gains(network, width)]
    for old, gain in zip(before, after, strict=True):
        gain[old * gain <= 0] = 0.0


def _sizes(network: QatNetwork) -> dict[Width, Tensor]:
    """Magnitudes of the gains of each width's channels, summed over its writers; of widths that have gains."""
    found = {width: gains(network, width) for width in widths(network.workload)}
    return {width: torch.stack([g.detach().abs() for g in parts]).sum(dim=0) for width, parts in found.items() if parts}


def _cut(network: QatNetwork, sizes: Mapping[Width, Tensor], counts: Mapping[Width, int]) -> QatNetwork:
    """The network with so many channels of each width, those of the largest gains; itself where that is all."""
    kept: dict[str, Tensor] = {}
    channels: dict[str, int] = {}
    for width, count in counts.items():
        if count < width.count:
            order = torch.argsort(sizes[width], descending=True, stable=True)
            kept.update(dict.fromkeys(width.tensors, torch.sort(order[:count]).values))
            channels.update(dict.fromkeys(width.tensors, count))
    return inherited(network, with_channels(network.workload, channels), kept) if kept else network


def without_dead(network: QatNetwork) -> QatNetwork:
    """The network without channels all of whose gains are 0; itself where there are none. One of a width stays."""
    sizes = _sizes(network)
    return _cut(network, sizes, {width: max(int((size > 0).sum()), 1) for width, size in sizes.items()})


def without_weakest(
    network: QatNetwork, price: Mapping[str, float], cost_of: Callable[[Workload], float], limit: float
) -> QatNetwork:
    """The network within its limit, as far as one channel of each width allows it.

    Channel after channel goes that has the smallest gain for its price.
    """
    sizes = _sizes(network)
    counts = {width: width.count for width in sizes}
    ranked = {width: torch.sort(size, descending=True).values.tolist() for width, size in sizes.items()}

    def workload() -> Workload:
        return with_channels(network.workload, {name: n for width, n in counts.items() for name in width.tensors})

    while cost_of(workload()) > limit and any(count > 1 for count in counts.values()):
        worth = {w: ranked[w][n - 1] / max(price[w.tensors[0]], 1e-9) for w, n in counts.items() if n > 1}
        counts[min(worth, key=lambda width: worth[width])] -= 1
    return _cut(network, sizes, counts)
