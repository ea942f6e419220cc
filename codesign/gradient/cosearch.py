"""One search over choices of network, bits and accelerator at once: weights and logits in turn, cost in the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from codesign.accuracy.data import Dataset
from codesign.accuracy.training import BATCH, tensors
from codesign.decisions import Point
from codesign.gradient.choices import Choices, Draw
from codesign.gradient.nested import NestedNetwork
from codesign.gradient.priced import OVER
from codesign.gradient.terms import LimitTerm, certain
from codesign.seeds import derive_seed

#: A draw to logarithms of the metrics.
CostOf = Callable[[Draw], dict[str, Tensor]]
#: The same of one design, exactly; None: it cannot be priced.
ExactOf = Callable[[Point], dict[str, float] | None]


@dataclass(frozen=True)
class RelaxedOptions:
    """How choices learn.

    Attributes:
        steps: updates of the weights; after a third of them the logits learn too, once for each update of weights.
        learning_rate, arch_learning_rate: of weights and logits (AdamW, Adam); that of the weights falls to 0.
        weights_draw, choices_draw: how a pass draws where weights, and where logits, learn; see :mod:`.choices`.
        hardware_draw: how it draws the accelerator where logits learn; "": as the network.
        temperature, last_temperature: of the Gumbel-softmax, falling geometrically.
        bilevel: logits learn from images that weights never see; else from the same batch.
        cost_weight: of the logarithm of the cost in the loss.
        loss: ``sum``, or ``product``: the error times the cost against that of the start (EDD).
        certain: weight of the Prob-1 regulariser, growing from 0 to it.
        limit_on: costs that limits are about are those of the ``draw``, or expected under the ``shares``.
        over_weight: of bounds of the device that are broken, in bounds.
        templates: networks that are drawn at the end, of which the one that does best with the shared weights is taken
            (Dong 2019, SETN); 0: the likeliest is.
    """

    steps: int = 200
    learning_rate: float = 0.01
    arch_learning_rate: float = 0.05
    weights_draw: str = "gumbel_soft"
    choices_draw: str = "gumbel_soft"
    hardware_draw: str = ""
    temperature: float = 5.0
    last_temperature: float = 0.5
    bilevel: bool = True
    cost_weight: float = 0.1
    loss: str = "sum"
    certain: float = 0.0
    limit_on: str = "draw"
    over_weight: float = 1.0
    templates: int = 0


class CoSearch:
    """A nested network and the cost of its choices.

    Args:
        network: the largest, with a weight on each part.
        choices: of network, bits and accelerator.
        cost: of a draw.
        exact: of a design.
        exponents: by metric, how it counts in the cost.
        limits: by metric.
        data: its training part is seen, in two halves.
        options: how.
        seed: of batches and draws.
    """

    def __init__(
        self,
        network: NestedNetwork,
        choices: Choices,
        cost: CostOf,
        exact: ExactOf,
        exponents: Mapping[str, float],
        limits: Mapping[str, LimitTerm],
        data: Dataset,
        options: RelaxedOptions,
        seed: int,
    ) -> None:
        self._network, self._choices, self._cost, self._exact = network, choices, cost, exact
        self._exponents, self._limits, self._options = dict(exponents), dict(limits), options
        self._images, self._labels = tensors(data, "train")
        self._generator = torch.Generator().manual_seed(derive_seed(seed, "relaxed"))
        self._first: float | None = None
        self._unseen = torch.arange(len(self._labels))

    def run(self) -> None:
        """All steps; the choices hold what was learned."""
        torch.set_num_threads(1)
        options, count = self._options, len(self._labels)
        order = torch.randperm(count, generator=self._generator)
        halves = (order[: count // 2], order[count // 2 :]) if options.bilevel else (order, order)
        self._unseen = halves[1]
        weights = torch.optim.AdamW(
            self._network.parameters(), lr=options.learning_rate, betas=(0.8, 0.95), weight_decay=1e-4
        )
        logits = torch.optim.Adam(self._choices.parameters(), lr=options.arch_learning_rate, betas=(0.5, 0.999))
        self._network.train()
        for step in range(options.steps):
            done = step / max(1, options.steps - 1)
            temperature = options.temperature * (options.last_temperature / options.temperature) ** done
            for group in weights.param_groups:
                group["lr"] = options.learning_rate * 0.5 * (1 + np.cos(np.pi * done))
            index = self._batch(halves[0])
            draw = self._choices.drawn(options.weights_draw, temperature, self._generator)
            loss = self._error(index, {name: value.detach() for name, value in draw.items()})
            weights.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            weights.step()
            if step < options.steps // 3:
                continue
            draw = self._choices.drawn(options.choices_draw, temperature, self._generator, options.hardware_draw)
            loss = self._loss(self._batch(halves[1]) if options.bilevel else index, draw, done)
            logits.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            logits.step()

    def best_template(self) -> Point:
        """Of some drawn networks the one that names most images that the weights did not see, with those weights."""
        places = self._unseen[: 8 * BATCH]
        scores = []
        points = self._choices.templates(self._options.templates, self._generator)
        for point in points:
            with torch.no_grad():
                guess = self._network(self._images[places], self._choices.one_hot(point)).argmax(dim=1)
            scores.append(float((guess == self._labels[places]).float().mean()))
        return points[int(np.argmax(scores))]

    def _batch(self, part: Tensor) -> Tensor:
        places = torch.randint(0, len(part), (min(BATCH, len(part)),), generator=self._generator)
        return part[places]

    def _placed(self) -> dict[str, float]:
        """Logarithms of the metrics of the likeliest design, where a limit asks for them; nothing without a price."""
        asked = any(term.kind == "window" for term in self._limits.values())
        return (self._exact(self._choices.likeliest()[0]) or {}) if asked else {}

    def _error(self, index: Tensor, draw: Draw) -> Tensor:
        return nn.functional.cross_entropy(self._network(self._images[index], draw), self._labels[index])

    def _loss(self, index: Tensor, draw: Draw, done: float) -> Tensor:
        """The error with what the cost, limits and regularisers add to it."""
        options, error, logs = self._options, self._error(index, draw), self._cost(draw)
        zero = torch.zeros(())
        cost = sum((exponent * logs[name] for name, exponent in self._exponents.items()), zero)
        if options.loss == "product":
            if self._first is None:
                self._first = float(cost.detach())
            loss = error * torch.exp(options.cost_weight * (cost - self._first))
        else:
            loss = error + options.cost_weight * cost
        bound = self._cost(self._choices.shares()) if self._limits and options.limit_on == "shares" else logs
        placed = self._placed()
        for name, term in self._limits.items():
            now = float(bound[name].detach())
            loss = loss + term(bound[name], placed.get(name, now))
            term.after(now)
        if OVER in logs:
            loss = loss + options.over_weight * logs[OVER].clamp_min(0.0)
        if options.certain:
            loss = loss + done * options.certain * certain(self._choices.shares())
        return loss
