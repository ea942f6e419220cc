"""Cost of a distribution over designs, by the exact model: what a gradient is told without a model of its own.

Logarithms of the metrics are linear in the weights of a draw around one design: the exact cost of that design, and of
each design that differs from it in one choice. Or the one design's cost alone, and the gradient of its probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from codesign.decisions import Point
from codesign.gradient.choices import Choices, Draw
from codesign.objectives import Outcome
from mappings.errors import Fault, SpecError

#: A design that nobody can price counts as this many times the one beside it, in each metric.
_UNKNOWN = 4.0
#: The metric under which bounds of the device are told: how far over them a design is, in bounds.
OVER = "over"
#: Points to outcomes, in order, without the dear providers.
Pricer = Callable[[Sequence[Point]], list[Outcome]]


class Exact:
    """Logarithms of metrics by the exact model, each design once.

    Args:
        price: of whole points.
        metrics: that are wanted.
        limits: metrics whose limits are no bounds of the device: whoever searches holds those.
    """

    def __init__(self, price: Pricer, metrics: Sequence[str], limits: Sequence[str]) -> None:
        self._price, self.metrics, self._limits = price, tuple(metrics), frozenset(limits)
        self._kept: dict[tuple[object, ...], dict[str, float] | None] = {}

    def logs(self, points: Sequence[Point]) -> list[dict[str, float] | None]:
        """Of each point; None: it cannot be priced. :data:`OVER` is no logarithm."""
        missing = {key: point for point in points if (key := tuple(point.items())) not in self._kept}
        for key, outcome in zip(missing, self._price(list(missing.values())), strict=True):
            self._kept[key] = self._told(outcome)
        return [self._kept[tuple(point.items())] for point in points]

    def _told(self, outcome: Outcome) -> dict[str, float] | None:
        if any(name not in outcome.metrics for name in self.metrics):
            return None
        bounds = tuple(item for item in outcome.broken if item.resource not in self._limits)
        logs = {name: math.log(max(outcome.metrics[name], 1e-300)) for name in self.metrics}
        return {**logs, OVER: Outcome(broken=bounds).violation}


@dataclass(frozen=True)
class Around:
    """Costs around one design.

    Attributes:
        logs: of the design itself.
        changes: by metric and decision, what each choice in place of the design's adds [choices].
    """

    logs: Mapping[str, float]
    changes: Mapping[str, Mapping[str, Tensor]]

    def expected(self, draw: Draw) -> dict[str, Tensor]:
        """Logarithms of the metrics under the weights of a draw."""
        return {
            name: self.logs[name] + torch.stack([(draw[d] * row).sum() for d, row in rows.items()]).sum()
            for name, rows in self.changes.items()
        }

    def summed(self, draw: Draw) -> dict[str, Tensor]:
        """Logarithms of the metrics under the weights of a draw, where changes add up in the metric itself.

        Exact, whatever the design in the middle, for a cost that is a sum of one part for each decision (bytes of the
        weights). Where changes are parts of one another what is left is at least a hundredth.
        """
        out = {}
        for name, rows in self.changes.items():
            if name == OVER:
                out[name] = self.expected(draw)[name]
                continue
            added = torch.stack([(draw[d] * torch.expm1(row)).sum() for d, row in rows.items()]).sum()
            out[name] = self.logs[name] + torch.log((1.0 + added).clamp_min(0.01))
        return out


class Conditional:
    """Costs of single changes of a design drawn from the distribution, renewed every few steps.

    Each choice is judged by what it costs beside the others as they are drawn: the gradient of the expected cost, one
    decision at a time (local expectation gradients, Titsias 2015).

    Args:
        whole: a point of the choices to one of the space.
        exact: prices.
        refresh: draws that one table serves.
        added: changes add up in the metrics (:meth:`Around.summed`); else in their logarithms.
    """

    def __init__(
        self, choices: Choices, whole: Callable[[Point], Point], exact: Exact, refresh: int, *, added: bool = False
    ) -> None:
        self._choices, self._whole, self._exact, self._refresh = choices, whole, exact, refresh
        self._asked, self._added = 0, added
        self._around: Around | None = None

    def __call__(self, draw: Draw) -> dict[str, Tensor]:
        """Expected logarithms of the metrics."""
        if self._around is None or self._asked % self._refresh == 0:
            found = self.around(self._choices.point(draw))
            self._around = found or self._around
        self._asked += 1
        if self._around is None:
            self._around = self.around(self._priceable())
        assert self._around is not None, "made around a design that has a price"
        return self._around.summed(draw) if self._added else self._around.expected(draw)

    def _priceable(self) -> Point:
        rng = np.random.default_rng(0)
        for _ in range(1000):
            point = {d.name: d.draw(rng) for d in self._choices.decisions}
            if self._exact.logs([self._whole(point)])[0] is not None:
                return point
        raise SpecError(Fault("driver relaxed", "none of 1,000 designs can be priced", "larger buffers"))

    def around(self, point: Point) -> Around | None:
        """What every single change costs; None: the design itself cannot be priced."""
        rows = [self._whole({**point, d.name: choice}) for d in self._choices.decisions for choice in d.choices]
        base, *found = self._exact.logs([self._whole(point), *rows])
        if base is None:
            return None
        changes: dict[str, dict[str, Tensor]] = {name: {} for name in base}
        place = 0
        for decision in self._choices.decisions:
            told = found[place : place + len(decision.choices)]
            place += len(decision.choices)
            for name, value in base.items():
                lost = 1.0 if name == OVER else math.log(_UNKNOWN)
                row = [lost if item is None else item[name] - value for item in told]
                changes[name][decision.name] = torch.tensor(row)
        return Around(base, changes)


class Sampled:
    """The cost of the one design that was drawn, with the gradient of its weights: what is cheaper than usual becomes
    likelier (DNA, Zhang 2020: the cost times the gate of the accelerator that was sampled).

    Args:
        decay: of the running mean to which a cost is compared.
    """

    def __init__(self, choices: Choices, whole: Callable[[Point], Point], exact: Exact, decay: float = 0.9) -> None:
        self._choices, self._whole, self._exact, self._decay = choices, whole, exact, decay
        self._usual: dict[str, float] = {}

    def __call__(self, draw: Draw) -> dict[str, Tensor]:
        """Logarithms of the metrics of the design of the largest weights."""
        point = self._choices.point(draw)
        found = self._exact.logs([self._whole(point)])[0]
        if found is None:
            known = self._usual or dict.fromkeys(self._exact.metrics, 0.0)
            found = {name: value + math.log(_UNKNOWN) for name, value in known.items() if name != OVER} | {OVER: 1.0}
        out = {}
        weights = [draw[d.name].max() for d in self._choices.decisions]
        gate = torch.stack([weight - weight.detach() for weight in weights]).sum()
        for name, value in found.items():
            usual = self._usual.get(name, value)
            self._usual[name] = self._decay * usual + (1 - self._decay) * value
            out[name] = value + (value - usual) * gate
        return out
