"""How a limit stands in the loss of a relaxed search."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class LimitTerm:
    """One limit on an expected cost.

    * ``multiplier``: a Lagrange multiplier that grows while the limit is broken.
    * ``barrier``: next to nothing inside, without bound at the limit: ``-log log(1 + room)`` (Yu 2020, BP-NAS), where
      room is what is left in hundredths of the limit; from a hundredth of the limit on it goes on as a straight line.
    * ``window``: the logarithm of the expected cost is lowered while the likeliest design is above the limit, raised
      while that is below ``1 - tolerance`` of it, and left alone between (Dong 2019, TAS).
    * ``exponential``: ``base ^ (cost / limit - 1)`` (Li 2020, EDD); from the limit on it goes on as a straight line,
      since slopes of many powers of ten at the start would be what Adam scales all later steps by.

    Attributes:
        kind: one of :data:`codesign.gradient.names.LIMIT_TERMS`.
        log_bound: logarithm of the limit.
        weight: of the term; of a multiplier how fast it grows.
        tolerance: of the window.
        base: of the exponential.
        multiplier: now.
    """

    kind: str
    log_bound: float
    weight: float
    tolerance: float = 0.1
    base: float = 100.0
    multiplier: float = field(default=0.0)

    def __call__(self, log_cost: Tensor, likeliest: float) -> Tensor:
        """What it adds to the loss.

        Args:
            log_cost: of what is drawn or expected.
            likeliest: logarithm of the cost of the likeliest design, which places a window.
        """
        ratio = torch.exp((log_cost - self.log_bound).clamp(max=4.0))
        if self.kind == "multiplier":
            return self.multiplier * (ratio - 1.0)
        if self.kind == "window":
            used = math.exp(min(likeliest - self.log_bound, 4.0))
            if used > 1.0:
                return self.weight * log_cost
            return -self.weight * log_cost if used < 1.0 - self.tolerance else torch.zeros(())
        if self.kind == "exponential":
            steepness, over = math.log(self.base), ratio - 1.0
            inside = torch.exp(steepness * over.clamp(max=0.0))
            return self.weight * torch.where(over > 0, 1.0 + steepness * over, inside)
        return self.weight * barrier(ratio)

    def after(self, log_cost: float) -> None:
        """Told after each step of the logits."""
        if self.kind == "multiplier":
            over = math.exp(min(log_cost - self.log_bound, 4.0)) - 1.0
            self.multiplier = max(0.0, self.multiplier + self.weight * over)


def barrier(ratio: Tensor) -> Tensor:
    """``-log log(1 + room)`` with room = 100 (1 - ratio); below a room of 1 its tangent there."""
    room = 100.0 * (1.0 - ratio)
    inside = -torch.log(torch.log1p(room.clamp_min(1.0)))
    slope = -1.0 / (2.0 * math.log(2.0))  # of -log log(1 + room) where room is 1
    return inside + slope * torch.clamp(room - 1.0, max=0.0)


def certain(shares: Mapping[str, Tensor]) -> Tensor:
    """The Prob-1 regulariser (Yu 2020, BP-NAS): sum over decisions of the product of ``1 - share``; 0 where each
    decision has one choice of share 1."""
    return torch.stack([(1.0 - share).prod() for share in shares.values()]).sum()
