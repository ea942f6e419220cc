"""Distributions over the choices of decisions, and how a pass draws from them: one weight a choice, so that a gradient
reaches the logits.

* ``softmax``: the shares themselves.
* ``gumbel_soft``: a Gumbel-softmax of falling temperature.
* ``gumbel_hard``: one choice, drawn; the gradient is that of its soft weight.
* ``even``: one choice, drawn evenly whatever the shares (Dong 2019, SETN).
* ``gumbel_two``: two choices, drawn without replacement, weighed by a Gumbel-softmax over the two (Dong 2019, TAS).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from codesign.decisions import Decision, Point
from codesign.gradient.mixing import gumbel

#: Groups of decisions about the accelerator.
_MACHINE = ("hardware", "mapping")
#: Weights [choices] that sum to 1, by decision.
Draw: TypeAlias = Mapping[str, Tensor]


class Choices:
    """One logit a choice.

    Args:
        decisions: each with two choices or more.
    """

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self.decisions = tuple(decisions)
        self.logits = {d.name: nn.Parameter(1e-3 * torch.randn(len(d.choices))) for d in decisions}

    def parameters(self) -> list[nn.Parameter]:
        """All logits."""
        return list(self.logits.values())

    def shares(self) -> dict[str, Tensor]:
        """How much each choice is chosen."""
        return {name: functional.softmax(logits, dim=0) for name, logits in self.logits.items()}

    def drawn(self, how: str, temperature: float, generator: torch.Generator, hardware: str = "") -> dict[str, Tensor]:
        """Weights for one pass.

        Args:
            how: one of :data:`codesign.gradient.names.DRAWS`.
            hardware: of decisions about the accelerator; "": as the others.
        """
        return {
            d.name: drawn(
                (hardware or how) if d.group in _MACHINE else how, self.logits[d.name], temperature, generator
            )
            for d in self.decisions
        }

    def point(self, weights: Draw) -> Point:
        """The choice of the largest weight of each decision."""
        return {d.name: d.choices[int(weights[d.name].argmax())] for d in self.decisions}

    def likeliest(self) -> tuple[Point, dict[str, NDArray[np.float64]]]:
        """The point of the largest shares, and all shares."""
        with torch.no_grad():
            shares = self.shares()
        return self.point(shares), {name: share.double().numpy() for name, share in shares.items()}

    def templates(self, count: int, generator: torch.Generator) -> list[Point]:
        """Points drawn from the shares."""
        with torch.no_grad():
            return [self.point(self.drawn("gumbel_hard", 1.0, generator)) for _ in range(count)]

    def one_hot(self, point: Mapping[str, object]) -> dict[str, Tensor]:
        """A point as weights."""
        out = {}
        for decision in self.decisions:
            out[decision.name] = torch.zeros(len(decision.choices))
            out[decision.name][decision.choices.index(point[decision.name])] = 1.0
        return out


def drawn(how: str, logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Weights [choices] of one decision."""
    if how == "softmax":
        return functional.softmax(logits, dim=0)
    if how == "even":
        return functional.one_hot(torch.randint(len(logits), (), generator=generator), len(logits)).float()
    if how == "gumbel_two" and len(logits) > 2:
        two = torch.multinomial(functional.softmax(logits.detach(), dim=0), 2, generator=generator)
        return torch.zeros_like(logits).index_add(0, two, gumbel(logits[two], temperature, generator))
    soft = gumbel(logits, temperature, generator)
    if how != "gumbel_hard":
        return soft
    hard = torch.zeros_like(soft)
    hard[soft.argmax()] = 1.0
    return hard + soft - soft.detach()
