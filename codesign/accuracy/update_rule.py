"""Update rules as a space: two operands, a function of each, and what joins them (Bello 2017). Loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_SMALL = 1e-8

#: Of the gradient g, its running mean m and its running mean of squares v, both without the bias of their start.
OPERANDS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "one": lambda g, m, v: g.new_ones(g.shape),
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
    "sign": lambda x: x.sign(),
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
