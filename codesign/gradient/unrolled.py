"""The second-order gradient of logits (Liu 2019, DARTS, eq. 7): what logits do to the weights is seen one step ahead.

Logits are to suit the weights that they lead to. Those are taken to be one plain step on: ``w' = w - rate dL(w)/dw`` on
the images of the weights, and the gradient of the other images' loss at ``w'`` passes that step. The mixed second
derivative is exact, by differentiating twice, where the paper takes a difference of two passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn


def unrolled_gradient(
    network: nn.Module,
    logits: Sequence[nn.Parameter],
    inner: Callable[[], Tensor],
    outer: Callable[[Mapping[str, Tensor]], Tensor],
    rate: float,
) -> list[Tensor]:
    """Gradient in the logits.

    Args:
        inner: loss on the images of the weights.
        outer: loss on the others with weights, by name, in place of the network's.
        rate: of the step that is seen ahead.
    """
    choosing = {id(value) for value in logits}
    weights = {name: value for name, value in network.named_parameters() if id(value) not in choosing}
    found = torch.autograd.grad(inner(), list(weights.values()), create_graph=True, allow_unused=True)
    slopes = {name: slope for name, slope in zip(weights, found, strict=True) if slope is not None}
    moved = {name: (weights[name] - rate * slope).detach().requires_grad_() for name, slope in slopes.items()}
    ends = torch.autograd.grad(outer(moved), [*logits, *moved.values()], allow_unused=True)
    direct, pulls = ends[: len(logits)], ends[len(logits) :]
    passed = [(slope, -rate * pull) for slope, pull in zip(slopes.values(), pulls, strict=True) if pull is not None]
    implicit = torch.autograd.grad(
        [slope for slope, _ in passed], list(logits), [pull for _, pull in passed], allow_unused=True
    )
    nothing = [torch.zeros_like(value) for value in logits]
    return [
        (zero if one is None else one) + (zero if other is None else other)
        for zero, one, other in zip(nothing, direct, implicit, strict=True)
    ]
