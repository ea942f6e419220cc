"""Relaxations of one choice: what a cell computes of its arms, so that a gradient reaches the logits.

* ``softmax``: all arms, weighed (DARTS, Liu 2019).
* ``sigmoid``: all arms, each weighed by a sigmoid of its own, so that they do not compete (FairDARTS, Chu 2020).
* ``sharp``: all arms, each weighed by its share plus what the largest share lacks to 1, so that the largest arm passes
  in full (the max-w weighting of sharpDARTS, Hundt 2019).
* ``scheduled``: all arms, weighed by a softmax of falling temperature, so that a mixture becomes a choice while it is
  trained (scheduled DAS, Qiu 2019).
* ``gumbel_soft``: all arms, weighed by a Gumbel-softmax of falling temperature (SNAS, Xie 2019; FBNet, Wu 2019).
* ``gumbel_hard``: one arm, drawn; the gradient is that of the soft weight (GDAS, Dong 2019).
* ``two_path``: of two drawn arms one runs; both are computed where logits learn, and the gradient is that between the
  two (ProxylessNAS, Cai 2019).
* ``reinforced``: one arm, drawn by its share; the gradient is that of the logarithm of its chance, times how much worse
  than usual the network is (REINFORCE; the other gradient of ProxylessNAS). What is drawn is the whole network's.
* ``shared``: one path; the arms are nested parts of one kernel: what a larger arm adds is in while its norm is over a
  learned threshold, with the gradient of a sigmoid (Single-Path NAS, Stamoulis 2019). See
  :mod:`codesign.gradient.superkernel`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

Arm = Callable[[Tensor], Tensor]


def gumbel(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """A sample of the Gumbel-softmax: weights [arms] that sum to 1."""
    uniform = torch.rand(logits.shape, generator=generator).clamp(1e-9, 1 - 1e-7)
    return functional.softmax((logits - torch.log(-torch.log(uniform))) / temperature, dim=0)


def one_of(logits: Tensor, generator: torch.Generator) -> tuple[int, Tensor]:
    """An arm, drawn by its share, and the logarithm of its chance, which a gradient passes."""
    logs = functional.log_softmax(logits, dim=0)
    place = int(torch.multinomial(logs.detach().exp(), 1, generator=generator))
    return place, logs[place]


def two_of(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Two arms [2], drawn by their shares without replacement."""
    return torch.multinomial(functional.softmax(logits.detach(), dim=0), 2, generator=generator)


def mixed(
    relaxation: str,
    arms: Sequence[Arm],
    logits: Tensor,
    x: Tensor,
    temperature: float,
    generator: torch.Generator,
    *,
    logits_learn: bool,
    pair: Tensor | None = None,
) -> Tensor:
    """What a cell gives for its input.

    Args:
        relaxation: one of :data:`codesign.gradient.names.RELAXATIONS`.
        logits: [arms].
        logits_learn: this pass is for the gradient of the logits (else of the arms' weights).
        pair: the two arms of "two_path" (:func:`two_of`); None: they are drawn.
    """
    if relaxation == "softmax":
        return _weighed(arms, functional.softmax(logits, dim=0), x)
    if relaxation == "scheduled":
        return _weighed(arms, functional.softmax(logits / temperature, dim=0), x)
    if relaxation == "sigmoid":
        return _weighed(arms, torch.sigmoid(logits), x)
    if relaxation == "sharp":
        shares = functional.softmax(logits, dim=0)
        return _weighed(arms, torch.where(shares > 0, 1.0 - shares.max() + shares, 0.0), x)
    if relaxation == "gumbel_soft":
        return _weighed(arms, gumbel(logits, temperature, generator), x)
    if relaxation == "gumbel_hard":
        soft = gumbel(logits, temperature, generator)
        place = int(soft.argmax())
        return arms[place](x) * (1.0 + soft[place] - soft[place].detach())
    assert relaxation == "two_path", relaxation
    drawn = two_of(logits, generator) if pair is None else pair
    if not logits_learn:
        return arms[int(drawn[0])](x)
    between = functional.softmax(logits[drawn], dim=0)
    active = int(torch.multinomial(between.detach(), 1, generator=generator))
    outputs = [arms[int(place)](x) for place in drawn]
    soft_sum = between[0] * outputs[0].detach() + between[1] * outputs[1].detach()
    return outputs[active] + soft_sum - soft_sum.detach()


def _weighed(arms: Sequence[Arm], weights: Tensor, x: Tensor) -> Tensor:
    # An arm that was dropped has a weight of exactly 0, and is not computed.
    parts = [weight * arm(x) for weight, arm in zip(weights, arms, strict=True) if float(weight.detach()) != 0.0]
    total: Tensor = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
