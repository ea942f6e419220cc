"""Training by an update rule (Bello 2017)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from codesign.accuracy.update_rule import Rule

#: Decay of the mean of gradients and of the mean of their squares.
_FIRST, _SECOND = 0.9, 0.99
#: What a parameter is held within, so that a rule that diverges gives a poor network, not none.
_LARGEST = 50.0


class RuleOptimizer(torch.optim.Optimizer):
    """Follows a rule, with decoupled weight decay.

    Args:
        params: parameters, or groups of them.
        rule: what is followed.
        lr, weight_decay: of every group.
    """

    def __init__(self, params: Iterable[Any], rule: Rule, lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self._rule = rule

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override] # no closure is evaluated
        """One update of every parameter that has a gradient."""
        del closure
        for group in self.param_groups:
            for part in group["params"]:
                if part.grad is None:
                    continue
                state = self.state[part]
                if not state:
                    state["step"], state["mean"] = torch.tensor(0.0), torch.zeros_like(part)
                    state["squares"] = torch.zeros_like(part)
                state["step"] += 1
                count = float(state["step"])
                state["mean"].mul_(_FIRST).add_(part.grad, alpha=1 - _FIRST)
                state["squares"].mul_(_SECOND).addcmul_(part.grad, part.grad, value=1 - _SECOND)
                mean, squares = state["mean"] / (1 - _FIRST**count), state["squares"] / (1 - _SECOND**count)
                part.mul_(1 - group["lr"] * group["weight_decay"])
                part.sub_(group["lr"] * self._rule.update(part.grad, mean, squares))
                part.nan_to_num_(0.0, _LARGEST, -_LARGEST).clamp_(-_LARGEST, _LARGEST)
