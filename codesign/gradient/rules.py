"""How logits move beyond a plain optimiser: exponentiated gradients, arms that are dropped on the way, an early stop.

A dropped arm has a logit of :data:`DROPPED`: its share is exactly 0, it is not computed, and no gradient reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.accuracy.likeness import similarities

#: Logit of an arm that is out; its share is exactly 0.
DROPPED = -1e4
#: Bound of a reward in exponentiated gradients.
_REWARD = 1.0


def dropped(logits: Tensor) -> Tensor:
    """Which arms are out."""
    return logits.detach() <= DROPPED / 2


@torch.no_grad()
def exponentiated_step(logits: Sequence[Tensor], rate: float) -> None:
    """Shares are multiplied by the exponential of each arm's reward (XNAS, Nayman 2019).

    The reward is the loss's gradient in the share, negated, about its mean over shares and clipped to 1: what an arm at
    a small share is worth counts in full, where a gradient in logits would be shrunk by that share.
    """
    for value in logits:
        if value.grad is None:
            continue
        alive = ~dropped(value)
        share = torch.softmax(value, dim=0).clamp_min(1e-8)
        reward = (-value.grad / share).clamp(-_REWARD, _REWARD)
        value[alive] += rate * reward[alive]


@torch.no_grad()
def wipe_out(logits: Sequence[Tensor], rate: float, steps_left: int) -> int:
    """Drop arms that could not become the largest even if every reward that is left were in their favour.

    Returns:
        how many were dropped.
    """
    count = 0
    for value in logits:
        hopeless = ~dropped(value) & (value + 2 * rate * _REWARD * steps_left < value.max())
        value[hopeless] = DROPPED
        count += int(hopeless.sum())
    return count


@torch.no_grad()
def keep_largest(logits: Sequence[Tensor], share: float) -> int:
    """Drop all but the likeliest arms of each cell, at least one of them (P-DARTS, Chen 2019).

    Args:
        share: of a cell's arms that stay, of those that it had at first.

    Returns:
        how many were dropped.
    """
    count = 0
    for value in logits:
        most = max(1, ceil(share * len(value) - 1e-9))
        out = torch.ones(len(value), dtype=torch.bool)
        out[torch.topk(value, most).indices] = False
        count += int((out & ~dropped(value)).sum())
        value[out] = DROPPED
    return count


@torch.no_grad()
def keep_others(value: Tensor, before: Tensor, pair: Tensor) -> None:
    """Move two logits alike so that they have the chance together that they had: a step that saw nothing but these two
    says nothing of the others' chances (Cai 2019).

    Args:
        value: logits of a cell [arms], after a step.
        before: the same before it.
        pair: the two arms.
    """
    value[pair] += torch.logsumexp(before[pair], dim=0) - torch.logsumexp(value[pair], dim=0)


def alike(outputs: Sequence[Tensor], least: float) -> tuple[tuple[int, ...], ...]:
    """Groups of arms to which images look alike, each group's most typical arm first (StacNAS, Li 2019).

    Two arms are compared by what similarities of images they see, since their channels stand in no order. Two groups
    are one where any pair of their arms correlates so; an arm that gives a constant is a group of its own.

    Args:
        outputs: of each arm, for the same images; equal shapes.
        least: correlation of a pair.
    """
    seen = torch.stack([similarities(out.detach().flatten(1)) for out in outputs])
    found = torch.corrcoef(seen).nan_to_num(0.0)
    left, groups = list(range(len(outputs))), []
    while left:
        group, waiting = list[int](), [left.pop(0)]
        while waiting:
            group.append(waiting.pop())
            near = [other for other in left if float(found[group[-1], other]) >= least]
            waiting += near
            left = [other for other in left if other not in near]
        typical = found[group][:, group].sum(dim=1)
        groups.append(tuple(group[int(place)] for place in torch.argsort(typical, descending=True, stable=True)))
    return tuple(groups)


@torch.no_grad()
def keep_only(value: Tensor, arms: Sequence[int]) -> int:
    """Drop all other arms of a cell and begin anew with these, alike; says how many were dropped."""
    before = dropped(value)
    value.fill_(DROPPED)
    value[list(arms)] = 0.0
    return int((dropped(value) & ~before).sum())


def fewer_identities(
    shares: Sequence[NDArray[np.float64]], identities: Sequence[int | None], most: int
) -> tuple[NDArray[np.float64], ...]:
    """Shares of which at most so many cells have their arm without layers as the largest (P-DARTS, Chen 2019).

    Of cells that have it, the most certain keep it; to the others it is lost.
    """
    out = [share.copy() for share in shares]
    chosen = [
        (float(share[place]), cell)
        for cell, (share, place) in enumerate(zip(shares, identities, strict=True))
        if place is not None and int(share.argmax()) == place
    ]
    for _, cell in sorted(chosen, reverse=True)[most:]:
        place = identities[cell]
        assert place is not None
        out[cell][place] = 0.0
        out[cell] /= out[cell].sum()
    return tuple(out)


class Stable:
    """Whether the order of arms has been the same for some steps (DARTS+, Liang 2019).

    Args:
        patience: steps; 0: never.
    """

    def __init__(self, patience: int) -> None:
        self._patience, self._since = patience, 0
        self._order: list[list[int]] = []

    def reached(self, logits: Sequence[Tensor]) -> bool:
        """Told after each step."""
        order = [torch.argsort(value.detach(), descending=True, stable=True).tolist() for value in logits]
        self._since = self._since + 1 if order == self._order else 0
        self._order = order
        return 0 < self._patience <= self._since
