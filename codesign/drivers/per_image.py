"""A small network looks at each image and picks which of several networks names it (Cheng 2020, InstaNAS)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.accuracy.data import load_dataset
from codesign.accuracy.splits import Dataset
from codesign.accuracy.training import recalibrate, tensors
from codesign.decisions import Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined
from codesign.objectives.front import nondominated
from codesign.providers.accuracy.supernet import corners_of
from codesign.providers.base import Candidate, ProviderContext
from codesign.providers.registry import make_provider
from codesign.quantization.qat import QatNetwork
from codesign.seeds import derive_seed
from codesign.spaces.network.layers import LayerList
from codesign.spaces.search_space import HARDWARE_GROUPS, NETWORK_GROUPS, SearchSpace
from codesign.supernet.training import Trainer, TrainingOptions
from mappings.errors import Fault, SpecError
from mappings.workload import Workload

_COST = "latency_ms"
#: Convolutions of the network that looks, both of stride 2.
_FILTERS = (8, 12)


@dataclass(frozen=True)
class Mixture:
    """What a trained policy does with held-out images.

    Attributes:
        price: of a network's latency, as a share of the dearest one's, in correct names.
        accuracy: of the networks that it picks.
        latency_ms: mean of those and of the policy itself.
        shares: of the images, that each network gets.
    """

    price: float
    accuracy: float
    latency_ms: float
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Single:
    """One network alone.

    Attributes:
        accuracy: of held-out images.
        latency_ms: of it.
        known: accuracy of the images that policies learn from.
    """

    accuracy: float
    latency_ms: float
    known: float


class PerImage:
    """The budget is how many networks there are to pick from: those are the trials.

    One set of weights is trained on a part of the training images (all networks evenly). Of ``drawn`` networks and
    the smallest and largest one those are kept that no other beats in latency and in naming the images left out
    (``policy_share``), evenly spread over the latencies. On these same images a policy learns, for each of the
    ``prices``, by the gradient of its expected reward: 1 for a right name, less the price of the latency.

    Options: as named; ``steps``, ``learning_rate``, ``kernel`` of the shared weights; ``policy_steps``,
    ``policy_rate``, ``policy_extent`` (to which the policy's images are resized); ``held`` (hardware).
    """

    def __init__(self) -> None:
        #: By price; with held-out images, which neither weights nor policies have seen.
        self.mixtures: list[Mixture] = []
        #: What looking at an image takes, ms.
        self.own_ms = 0.0
        #: Every network on its own; the kept ones first.
        self.single: list[Single] = []

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: fewer networks than the budget are worth picking.
        """
        ledger = Ledger(context)
        if len(context.journal) >= context.budget:
            ledger.held("picked from")
            return
        torch.set_num_threads(1)  # equal results whatever the machine
        ledger.measure(self._found(context), "picked from")

    def _found(self, context: DriverContext) -> list[Point]:
        options, look = context.options, _Weights(context)
        named, costs = look.right("kept apart"), look.costs
        table = np.stack([costs, -named.mean(axis=1)], axis=1)
        front = sorted(nondominated(table), key=lambda row: costs[row])
        if len(front) < context.budget:
            what = f"{len(front)} networks are worth picking from, and {context.budget} are asked for"
            raise SpecError(Fault("driver per_image", what, f"trials: {len(front)} or fewer, more drawn"))
        places = np.linspace(0, len(front) - 1, context.budget).round().astype(int)
        kept = [front[place] for place in places]
        held_out = look.right("held_out")
        order = [*kept, *(row for row in range(len(costs)) if row not in kept)]
        self.single = [Single(float(held_out[row].mean()), float(costs[row]), -float(table[row, 1])) for row in order]
        for price in options["prices"]:
            self.mixtures.append(look.mixture(float(price), named[kept], held_out[kept], costs[kept]))
            last = self.mixtures[-1]
            self.own_ms = last.latency_ms - float(np.dot(last.shares, costs[kept]))
        return [joined(context, look.points[row], look.hardware) for row in kept]


class _Weights:
    """Shared weights, the networks drawn of them, and what each classifies correctly."""

    def __init__(self, context: DriverContext) -> None:
        self._context, options = context, context.options
        space = context.search_space
        assert isinstance(space, SearchSpace), "a driver that needs workloads is given the space that has them"
        self._space = space
        rng = np.random.default_rng(derive_seed(context.seed, "per image"))
        self.hardware = context.problem.space.of_groups(*HARDWARE_GROUPS).completed(dict(options["held"]), rng)
        whole, corners = load_dataset(space.network.dataset), corners_of(space)
        cut = round(len(whole.labels["train"]) * (1 - float(options["policy_share"])))
        self._whole, self._cut, self._seen = whole, cut, _first(whole, cut)
        how = TrainingOptions(
            "uniform", str(options["kernel"]), int(options["steps"]), float(options["learning_rate"]), seed=context.seed
        )
        self._trainer = Trainer(corners, self._seen, how)
        self._trainer.run()
        networks = context.problem.space.of_groups(*NETWORK_GROUPS)
        drawn = [networks.draw(rng) for _ in range(int(options["drawn"]))]
        #: Of networks.
        self.points: list[Point] = [corners.smallest, corners.largest, *drawn]
        self._networks = [self._taken(corners.workload_at(point)) for point in self.points]
        #: Of them, ms.
        self.costs = np.array(self._latencies([network.workload for network in self._networks]))

    def _taken(self, workload: Workload) -> QatNetwork:
        network = self._trainer.network.extract(workload)
        recalibrate(network, self._seen)
        return network

    def _latencies(self, workloads: Sequence[Workload]) -> list[float]:
        """Of the exact program, ms."""
        space, out = self._space, list[Candidate]()
        for workload in workloads:
            hardware = space.hardware.hardware_at(self.hardware, workload)
            design, broken = space.mapping.design_at(self.hardware, workload, hardware, space.device)
            out.append(Candidate({}, workload.digest, workload, None, hardware, design, broken))
        with tempfile.TemporaryDirectory() as folder:
            context = ProviderContext(self._context.seed, space.device, space, Path(folder))
            return [item.metrics[_COST] for item in make_provider("schedule", context).measure(out)]

    def _images(self, part: str) -> tuple[Tensor, Tensor]:
        if part != "kept apart":
            return tensors(self._whole, part)
        images, labels = tensors(self._whole, "train")
        return images[self._cut :], labels[self._cut :]

    def right(self, part: str) -> NDArray[np.float64]:
        """Whether each network classifies each image of a part correctly: [networks, images] of 0 and 1."""
        images, labels = self._images(part)
        with torch.no_grad():
            found = [(network(images).argmax(dim=1) == labels).double().numpy() for network in self._networks]
        return np.stack(found)

    def mixture(
        self, price: float, named: NDArray[np.float64], held_out: NDArray[np.float64], costs: NDArray[np.float64]
    ) -> Mixture:
        """A policy, trained on the images kept apart and tried on held-out ones.

        Args:
            named, held_out: what each kept network classifies correctly.
            costs: of each, ms.
        """
        options, seed = self._context.options, derive_seed(self._context.seed, "policy", str(price))
        torch.manual_seed(seed)
        policy = QatNetwork(self._policy(len(costs)))
        rewards = torch.from_numpy(named.T - price * costs / costs.max()).float()
        images, steps = self._images("kept apart")[0], int(options["policy_steps"])
        optimizer = torch.optim.AdamW(policy.parameters(), lr=float(options["policy_rate"]), weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        generator = torch.Generator().manual_seed(seed)
        policy.train()
        for _ in range(steps):
            index = torch.randperm(len(images), generator=generator)[:128]
            expected = (policy(images[index]).softmax(dim=1) * rewards[index]).sum(dim=1).mean()
            optimizer.zero_grad()
            (-expected).backward()
            optimizer.step()
            schedule.step()
        recalibrate(policy, self._seen)
        with torch.no_grad():
            picked = policy(self._images("held_out")[0]).argmax(dim=1).numpy()
        own = self._latencies([policy.workload])[0]
        shares = np.bincount(picked, minlength=len(costs)) / len(picked)
        accuracy = float(held_out[picked, np.arange(len(picked))].mean())
        return Mixture(price, accuracy, float(costs[picked].mean()) + own, tuple(map(float, shares)))

    def _policy(self, networks: int) -> Workload:
        extent = int(self._context.options["policy_extent"])
        net = LayerList(self._whole.channels, extent)
        value = net.image
        for place, filters in enumerate(_FILTERS):
            value = net.conv(f"look{place + 1}", value, filters, 3, stride=2, relu=True)
        net.linear("pick", net.pool("pool", value), networks)
        return net.workload("policy")


def _first(data: Dataset, count: int) -> Dataset:
    """The data with the first training images alone."""
    return replace(
        data,
        images={**data.images, "train": data.images["train"][:count]},
        labels={**data.labels, "train": data.labels["train"][:count]},
    )
