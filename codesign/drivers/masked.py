"""Masks over edges, operations and weights of one trained network are learned, and what they leave is the network
(Yan 2019, HM-NAS)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from codesign.accuracy.data import Dataset, check_fits, load_dataset
from codesign.accuracy.training import BATCH, tensors
from codesign.decisions import Point
from codesign.drivers.base import DriverContext
from codesign.drivers.parts import joined, options_of
from codesign.drivers.searches import whole_searches
from codesign.gradient.masks import MaskedNetwork, Open
from codesign.objectives import METRICS, Outcome
from codesign.quantization.qat import QatNetwork
from codesign.seeds import derive_seed
from codesign.spaces.network.masked_cells import MaskedSpace
from codesign.spaces.search_space import HARDWARE_GROUPS, SearchSpace
from mappings.errors import Fault, SpecError


@dataclass(frozen=True)
class MaskOptions:
    """How masks learn.

    Attributes:
        steps: updates of the weights of the whole network, before masks learn.
        mask_steps: updates of the masks, weights held; 0: masks stay as the weights' magnitudes begin them.
        learning_rate, mask_rate: of weights (AdamW) and masks (Adam).
        threshold: of masks, which are 1 in the mean at first.
        multiplier_rate: how fast the price of a broken limit grows.
    """

    steps: int = 300
    mask_steps: int = 200
    learning_rate: float = 0.02
    mask_rate: float = 0.05
    threshold: float = 0.5
    multiplier_rate: float = 0.02


@dataclass(frozen=True)
class Left:
    """What a search ended with.

    Attributes:
        network: what is left, with its weights; its batch statistics are best set anew.
        learned: hidden channels of each operation that the masks left.
        kept: those that the point keeps.
    """

    network: QatNetwork
    learned: Mapping[str, int]
    kept: Mapping[str, int]


class Masked:
    """Each trial is a whole search with a seed of its own; the budget counts them.

    Channels that masks leave are filled up to the next number that the space has, those of the largest masks first.
    What is over a limit then loses, one number of one operation after another, what counts least for what it costs.

    Options: those of :class:`MaskOptions`; ``held`` (decisions of the hardware; else they are drawn).
    """

    def __init__(self) -> None:
        #: What became of each search that was run.
        self.found: list[Left] = []

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: a limit that the cheap providers do not know.
        """
        whole_searches(context, _Search, self._search)

    def _search(self, shared: _Search, number: int) -> Point:
        found, point = shared.derived(number)
        self.found.append(found)
        return point


class _Search:
    """What all searches of a run share: the space, the accelerator, what operations cost."""

    def __init__(self, context: DriverContext) -> None:
        self._context, self._options = context, options_of(MaskOptions, context)
        space = context.search_space
        assert isinstance(space, SearchSpace), "a driver that needs masks is given the space that has them"
        network: Any = space.network  # offers masks
        self._space: MaskedSpace = network
        rng = np.random.default_rng(derive_seed(context.seed, "masked", "hardware"))
        hardware = context.problem.space.of_groups(*HARDWARE_GROUPS)
        self._hardware = hardware.completed(dict(context.options["held"]), rng)
        self._limits = {i.metric: i.bound for i in context.problem.goal.limits if i.metric != "accuracy"}
        self._items = {item.name: item for stage in self._space.operations for item in stage}
        self._choices = {d.name: tuple(int(choice) for choice in d.choices) for d in self._space.decisions}
        self._whole: Point = {name: choices[-1] for name, choices in self._choices.items()}
        self._costs = {name: self._cost_of(name) for name in self._limits}

    def _price(self, network: Point) -> Outcome:
        return self._context.problem.price(network, [self._hardware])[0]

    def _cost_of(self, metric: str) -> tuple[float, dict[str, float]]:
        """The whole network's, and what leaving out each operation saves."""
        whole = self._price(self._whole)
        if METRICS.get(metric).maximize or metric not in whole.metrics:
            what = f"limits {metric}, which is no cost that is known before the dear providers"
            raise SpecError(Fault("driver masked", what, ", ".join(whole.metrics) or "a cost provider"))
        saved = {
            name: whole.metrics[metric] - self._price({**self._whole, name: 0}).metrics[metric] for name in self._items
        }
        return whole.metrics[metric], saved

    def _expected(self, metric: str, masked: Open) -> Tensor:
        """Of what masks leave, by what each operation saves: differentiable in them."""
        whole, saved = self._costs[metric]
        total = torch.tensor(whole)
        for name, save in saved.items():
            share = masked.channels[name].mean() if name in masked.channels else torch.ones(())
            total = total - save * (1.0 - masked.operations[name] * share)
        return total

    def derived(self, number: int) -> tuple[Left, Point]:
        """One search from a seed of its own."""
        seed = derive_seed(self._context.seed, "masked", number)
        torch.manual_seed(seed)
        network = MaskedNetwork(self._space, self._options.threshold)
        data = load_dataset(self._context.search_space.network.dataset)
        check_fits(data, network.workload)
        learn(network, data, self._options, seed, self._penalty())
        learned = network.kept()
        kept = self._within(network, self._filled(network, learned))
        point = {name: len(places) for name, places in kept.items()}
        left = network.left(point, kept)
        found = Left(left, {name: len(places) for name, places in learned.items()}, point)
        return found, joined(self._context, point, self._hardware)

    def _penalty(self) -> Callable[[Open], Tensor]:
        """What masks pay for limits that are broken: the more, the longer; nothing while they hold."""
        price = dict.fromkeys(self._limits, 0.0)

        def added(masked: Open) -> Tensor:
            total = torch.zeros(())
            for name, bound in self._limits.items():
                over = (self._expected(name, masked) / bound - 1.0).clamp_min(0.0)
                total = total + price[name] * over
                price[name] += self._options.multiplier_rate * float(over.detach())
            return total

        return added

    def _filled(self, network: MaskedNetwork, learned: Mapping[str, list[int]]) -> dict[str, list[int]]:
        """As many channels as some choice of the space has."""
        out = {}
        for name, places in learned.items():
            count = next(choice for choice in self._choices[name] if choice >= len(places))
            order = sorted(
                range(self._choices[name][-1]), key=lambda place: -network.strength(self._items[name], place)
            )
            rest = [place for place in order if place not in places]
            out[name] = [*places, *rest][:count]
        return out

    def _within(self, network: MaskedNetwork, kept: dict[str, list[int]]) -> dict[str, list[int]]:
        """Until every limit holds, by the exact model."""
        point = {name: len(places) for name, places in kept.items()}
        outcome = self._price(point)
        while not outcome.feasible:
            moves = []
            for name, places in kept.items():
                below = [choice for choice in self._choices[name] if choice < len(places)]
                if not below:
                    continue
                lost = sum(network.strength(self._items[name], place) for place in places[below[-1] :])
                cheaper = self._price({**point, name: below[-1]})
                gain = outcome.violation - cheaper.violation
                moves.append((gain <= 0, lost / max(gain, 1e-9), name, below[-1], cheaper))
            if not moves:
                break
            _, _, name, count, outcome = min(moves, key=lambda move: move[:3])
            kept = {**kept, name: kept[name][:count]}
            point[name] = count
        return kept


def learn(
    network: MaskedNetwork, data: Dataset, options: MaskOptions, seed: int, added: Callable[[Open], Tensor]
) -> None:
    """Weights first, with all that there is; then masks, with the weights as they are.

    Args:
        added: to the loss, of what masks leave.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "batches"))
    images, labels = tensors(data, "train")
    weights = torch.optim.AdamW(network.weights(), lr=options.learning_rate, betas=(0.8, 0.95), weight_decay=1e-4)
    masks = torch.optim.Adam(network.masks(), lr=options.mask_rate, betas=(0.5, 0.999))

    def error(masked: Open | None) -> Tensor:
        index = torch.randint(0, len(labels), (min(BATCH, len(labels)),), generator=generator)
        return nn.functional.cross_entropy(network(images[index], masked), labels[index])

    network.train()
    for step in range(options.steps):
        for group in weights.param_groups:
            group["lr"] = options.learning_rate * 0.5 * (1 + np.cos(np.pi * step / options.steps))
        weights.zero_grad()
        error(None).backward()  # type: ignore[no-untyped-call]
        weights.step()
    network.begin()
    for parameter in network.weights():
        parameter.requires_grad_(False)
    for _ in range(options.mask_steps):
        masked = network.open()
        loss = error(masked) + added(masked)
        masks.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        masks.step()
