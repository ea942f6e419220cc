"""Update rules as a space: two operands, a function of each, and what joins them (Bello 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

#: Decay of the mean of gradients and of the mean of their squares.
_FIRST, _SECOND = 0.9, 0.99
_SMALL = 1e-8
#: What a parameter is held within, so that a rule that diverges gives a poor network, not none.
_LARGEST = 50.0

#: Of the gradient g, its running mean m and its running mean of squares v, both without the bias of their start.
OPERANDS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "one": lambda g, m, v: torch.ones_like(g),
    "gradient": lambda g, m, v: g,
    "mean": lambda g, m, v: m,
    "sign": lambda g, m, v: g.sign(),
    "mean_sign": lambda g, m, v: m.sign(),
    "agreement": lambda g, m, v: g.sign() * m.sign(),
    "scaled_gradient": lambda g, m, v: g / (v.sqrt() + _SMALL),
    "scaled_mean": lambda g, m, v: m / (v.sqrt() + _SMALL),
}
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "exp": lambda x: x.clamp(-5.0, 5.0).exp(),
    "root": lambda x: x.sign() * x.abs().sqrt(),
    "clip": lambda x: x.clamp(-0.1, 0.1),
    "sign": torch.sign,
}
JOINTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "left": lambda a, b: a,
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / (b.abs() + _SMALL) * b.sign(),
}


@dataclass(frozen=True)
class Rule:
    """``joint(left_function(left), right_function(right))``: what is subtracted from a weight, times the learning rate.

    Attributes:
        left, right: keys of :data:`OPERANDS`.
        left_function, right_function: keys of :data:`FUNCTIONS`.
        joint: key of :data:`JOINTS`.
    """

    left: str = "scaled_mean"
    left_function: str = "identity"
    right: str = "one"
    right_function: str = "identity"
    joint: str = "left"

    def update(self, g: Tensor, m: Tensor, v: Tensor) -> Tensor:
        """Of one parameter; shapes are equal."""
        one = FUNCTIONS[self.left_function](OPERANDS[self.left](g, m, v))
        other = FUNCTIONS[self.right_function](OPERANDS[self.right](g, m, v))
        return JOINTS[self.joint](one, other)


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
