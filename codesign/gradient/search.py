"""One differentiable search: weights and logits in turn on two halves of the training images, cost in the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from codesign.accuracy.data import Dataset
from codesign.accuracy.losses import loss_of
from codesign.accuracy.training import BATCH, tensors
from codesign.gradient.derive import CostTable
from codesign.gradient.network import MixedNetwork
from codesign.gradient.rules import (
    DROPPED,
    Stable,
    alike,
    dropped,
    exponentiated_step,
    keep_largest,
    keep_only,
    keep_others,
    wipe_out,
)
from codesign.gradient.unrolled import unrolled_gradient
from codesign.seeds import derive_seed

#: Of the running mean of errors with which that of a drawn network is compared.
_DECAY = 0.9


@dataclass(frozen=True)
class GradientOptions:
    """How logits learn.

    Attributes:
        steps: updates of the weights; after a third of them the logits learn too, once for each update of weights.
        learning_rate, arch_learning_rate: of weights and logits (AdamW, Adam).
        temperature, last_temperature: of the Gumbel-softmax, falling geometrically.
        bilevel: logits learn from images that weights never see (DARTS); else from the same batch (SNAS).
        unrolled: the gradient of logits sees weights one step ahead (DARTS' second order); else as they are.
        cost_weight: of the cost in the loss, against its value at the start, where no limit holds.
        multiplier_rate: how fast the Lagrange multiplier of a limit grows while the expected cost is over it.
        rule: of the logits, "adam" or "exponentiated".
        wipe: "exponentiated" drops arms that can not catch up.
        stages: after each stage but the last the least likely arms of every cell are dropped; 1: none are.
        patience: an end as soon as the order of arms has not changed for so many of their steps; 0: never.
        weight_decay: of the weights.
        extremes: weight of a loss that draws each arm's own weight to 0 or 1 (relaxation "sigmoid").
        identity_dropout: share of what an arm without layers gives that is left out at the start of the last stage; of
            earlier stages less, of the first nothing; it falls to 0 within each (P-DARTS).
        alike: correlation of what arms find similar from which on they are a group (StacNAS): groups compete by one
            arm each first, then the arms of the best group; 0: all compete at once.
    """

    steps: int = 200
    learning_rate: float = 0.01
    arch_learning_rate: float = 0.05
    temperature: float = 5.0
    last_temperature: float = 0.5
    bilevel: bool = True
    unrolled: bool = False
    cost_weight: float = 0.0
    multiplier_rate: float = 0.2
    rule: str = "adam"
    wipe: bool = True
    stages: int = 1
    patience: int = 0
    weight_decay: float = 1e-4
    extremes: float = 0.0
    identity_dropout: float = 0.0
    alike: float = 0.0


@dataclass(frozen=True)
class Searched:
    """What a search ended with.

    Attributes:
        shares: of each cell's arms.
        expected: cost that they expect, by metric.
        multipliers: of the limits at the end.
        steps: that were taken.
        dropped: arms that were dropped on the way.
        left: arms of all cells that were still in, after each step of the logits.
    """

    shares: tuple[NDArray[np.float64], ...]
    expected: Mapping[str, float]
    multipliers: Mapping[str, float]
    steps: int = 0
    dropped: int = 0
    left: tuple[int, ...] = ()


def expected_cost(shares: Sequence[Tensor], table: CostTable) -> Tensor:
    """Sum of each arm's cost times its share: differentiable in the shares."""
    total = torch.tensor(table.base)
    for share, arms in zip(shares, table.differences, strict=True):
        total = total + (share * torch.tensor(arms, dtype=share.dtype)).sum()
    return total


class GradientSearch:
    """A relaxed network with what it costs.

    Args:
        network: the relaxed network.
        data: its training part is seen, in two halves.
        tables: by metric, what arms cost.
        limits: by metric, the bound of the expected cost.
        options: how.
        seed: of batches and draws.
    """

    def __init__(
        self,
        network: MixedNetwork,
        data: Dataset,
        tables: Mapping[str, CostTable],
        limits: Mapping[str, float],
        options: GradientOptions,
        seed: int,
    ) -> None:
        self._network, self._tables, self._limits, self._options = network, dict(tables), dict(limits), options
        self._images, self._labels = tensors(data, "train")
        self._error_of = loss_of(data.task, (self._images.shape[2], self._images.shape[3]))
        self._generator = torch.Generator().manual_seed(derive_seed(seed, "gradient"))
        self.multipliers = dict.fromkeys(limits, 0.0)
        self._dropped, self._left = 0, list[int]()
        self._usual: float | None = None
        #: Groups of each cell's arms, where arms are grouped.
        self.groups: list[tuple[tuple[int, ...], ...]] = []

    def begin(self) -> None:
        """Before the first step: optimisers, and which images weights and logits see."""
        options, network = self._options, self._network
        count = len(self._labels)
        order = torch.randperm(count, generator=self._generator)
        self._halves = (order[: count // 2], order[count // 2 :]) if options.bilevel else (order, order)
        self._of_weights = torch.optim.AdamW(
            network.weights(), lr=options.learning_rate, betas=(0.8, 0.95), weight_decay=options.weight_decay
        )
        # Momentum would go on moving arms that a step has not seen.
        momentum = 0.0 if network.relaxation == "two_path" else 0.5
        self._of_logits = torch.optim.Adam(network.choosing(), lr=options.arch_learning_rate, betas=(momentum, 0.999))
        self._stable = Stable(options.patience)
        network.train()

    def take(self, step: int) -> bool:
        """One step; whether the search ends with it."""
        options, network, logits = self._options, self._network, self._of_logits
        done = step / max(1, options.steps - 1)
        temperature = options.temperature * (options.last_temperature / options.temperature) ** done
        index = self._batch(self._halves[0])
        for group in self._of_weights.param_groups:
            group["lr"] = options.learning_rate * 0.5 * (1 + np.cos(np.pi * done))
        learns = step >= options.steps // 3
        network.leave_out(self._left_out(step))
        together = learns and not options.bilevel
        loss = self._loss(index, temperature, logits_learn=together)
        if together:
            loss = loss + self._cost()
        self._of_weights.zero_grad()
        logits.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._of_weights.step()
        if learns and options.bilevel:
            logits.zero_grad()
            other = self._batch(self._halves[1])
            if options.unrolled:
                self._see_ahead(index, other, temperature, self._of_weights.param_groups[0]["lr"])
            else:
                loss = self._loss(other, temperature, logits_learn=True) + self._cost()
                loss.backward()  # type: ignore[no-untyped-call]
        if options.alike and step == options.steps // 3:
            self._grouped(index)
        if learns:
            self._move(logits, step)
            self._raise_multipliers()
        return learns and self._stable.reached(network.choosing())

    def searched(self, steps: int) -> Searched:
        """What so many steps have led to."""
        with torch.no_grad():
            shares = self._network.shares()
            expected = {name: float(expected_cost(shares, table)) for name, table in self._tables.items()}
        arms = tuple(share.double().numpy() for share in shares)
        return Searched(arms, expected, dict(self.multipliers), steps, self._dropped, tuple(self._left))

    def run(self, advance: Callable[[], None] = lambda: None) -> Searched:
        """All steps."""
        torch.set_num_threads(1)
        self.begin()
        step = 0
        for step in range(self._options.steps):
            ends = self.take(step)
            advance()
            if ends:
                break
        return self.searched(step + 1)

    def _grouped(self, index: Tensor) -> None:
        """Arms by what they give for a batch, and one arm of each group to begin with."""
        found: dict[int, Tensor] = {}
        lists = [arms for arms in self._network.arms.values() if isinstance(arms, nn.ModuleList)]
        hooks = [
            arm.register_forward_hook(lambda arm, _, out: found.__setitem__(id(arm), out))
            for arms in lists
            for arm in arms
        ]
        with torch.no_grad():
            self._network(self._images[index], 1.0, self._generator)
        for hook in hooks:
            hook.remove()
        self.groups = [alike([found[id(arm)] for arm in arms], self._options.alike) for arms in lists]
        for value, groups in zip(self._network.logits, self.groups, strict=True):
            self._dropped += keep_only(value, [group[0] for group in groups])

    def _move(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """One step of the logits, and what is dropped after it."""
        options, logits = self._options, self._network.choosing()
        out = [dropped(value) for value in logits]
        if options.rule == "exponentiated":
            exponentiated_step(logits, options.arch_learning_rate)
            if options.wipe:
                self._dropped += wipe_out(logits, options.arch_learning_rate, options.steps - 1 - step)
        else:
            before = [value.detach().clone() for value in logits]
            optimizer.step()
            for value, old, pair in zip(logits, before, self._network.pairs, strict=False):
                keep_others(value, old, pair)
        with torch.no_grad():
            for value, gone in zip(logits, out, strict=True):
                value[gone] = DROPPED  # momentum moves them still
        first, ends = options.steps // 3, self._stage_ends()
        if self.groups and step == (first + options.steps) // 2:
            for value, groups in zip(logits, self.groups, strict=True):
                best = int(value.detach().argmax())
                self._dropped += keep_only(value, next(group for group in groups if best in group))
        if step in ends:
            self._dropped += keep_largest(logits, 1.0 - (ends.index(step) + 1) / options.stages)
        self._left.append(sum(int((~dropped(value)).sum()) for value in logits))

    def _stage_ends(self) -> list[int]:
        """Steps after which arms are dropped."""
        first, stages = self._options.steps // 3, self._options.stages
        return [first + (self._options.steps - first) * stage // stages for stage in range(1, stages)]

    def _left_out(self, step: int) -> float:
        """Share of what identities give that is left out in a step."""
        bounds = [-1, *self._stage_ends(), self._options.steps - 1]
        stage = next(place for place, end in enumerate(bounds[1:]) if step <= end)
        gone = (step - bounds[stage] - 1) / max(1, bounds[stage + 1] - bounds[stage])
        most = self._options.identity_dropout * stage / max(1, self._options.stages - 1)
        return most * (1.0 - gone)

    def _batch(self, part: Tensor) -> Tensor:
        places = torch.randint(0, len(part), (min(BATCH, len(part)),), generator=self._generator)
        return part[places]

    def _loss(self, index: Tensor, temperature: float, *, logits_learn: bool) -> Tensor:
        out = self._network(self._images[index], temperature, self._generator, logits_learn=logits_learn)
        error: Tensor = self._error_of(out, self._labels[index])
        if not (logits_learn and self._network.relaxation == "reinforced"):
            return error
        told = float(error.detach())
        usual = told if self._usual is None else self._usual
        self._usual = _DECAY * usual + (1 - _DECAY) * told
        return (error if not self._options.bilevel else 0.0) + (told - usual) * self._network.log_chance

    def _see_ahead(self, seen: Tensor, other: Tensor, temperature: float, rate: float) -> None:
        """Gradients of the logits at weights one step on."""
        given, network = (self._images[other], temperature, self._generator), self._network

        def ahead(weights: Mapping[str, Tensor]) -> Tensor:
            out = functional_call(network, dict(weights), given, {"logits_learn": True})
            return self._error_of(out, self._labels[other]) + self._cost()

        found = unrolled_gradient(
            network, network.choosing(), lambda: self._loss(seen, temperature, logits_learn=True), ahead, rate
        )
        for value, slope in zip(network.choosing(), found, strict=True):
            value.grad = slope

    def _cost(self) -> Tensor:
        """What the loss says of cost: each limit with its multiplier, and the weighed cost of what has no limit."""
        shares, total = self._network.shares(), torch.zeros(())
        if self._options.extremes:
            own = torch.cat([torch.sigmoid(logits) for logits in self._network.logits])
            total = total - self._options.extremes * (own - 0.5).square().mean()
        for name, table in self._tables.items():
            cost = expected_cost(shares, table)
            if name in self._limits:
                total = total + self.multipliers[name] * (cost / self._limits[name] - 1.0)
            else:
                total = total + self._options.cost_weight * torch.log(cost.clamp_min(1e-9))
        return total

    def _raise_multipliers(self) -> None:
        """Dual ascent: a multiplier grows while its limit is broken, and falls to 0 where there is room."""
        with torch.no_grad():
            shares = self._network.shares()
            for name, limit in self._limits.items():
                over = float(expected_cost(shares, self._tables[name])) / limit - 1.0
                self.multipliers[name] = max(0.0, self.multipliers[name] + self._options.multiplier_rate * over)
