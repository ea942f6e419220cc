"""One distribution over choices for each decision, apart from one another, moved by how the draws from it rank.

* ``natural_gradient``: steps along the natural gradient, shorter where they contradict each other (ASNG, Akimoto 2019).
* ``agents``: an adversarial bandit for each decision, all of which see the same loss (MANAS, Carlucci 2019).
* ``pruned``: after each stage every decision loses its least likely choice (DDPNAS, Zheng 2019).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.proposals import Seen
from codesign.controllers.scalar import Archive
from codesign.decisions import Decision, Point

FloatArray = NDArray[np.float64]


class _Distributions(ABC):
    """What the three share: draws, and the rank of each told trial among all, 0 to 1 (1 the best)."""

    def __init__(self, context: ControllerContext, purpose: str) -> None:
        self._context, self._rng, self._seen = context, context.rng(purpose), Seen()
        self._archive = Archive(context.goal)
        self._decisions: tuple[Decision, ...] = context.space.choices
        self.shares: dict[str, FloatArray] = {
            decision.name: np.full(len(decision.choices), 1.0 / len(decision.choices)) for decision in self._decisions
        }

    def certainty(self) -> float:
        """How far the distributions are from even: 0 at the start, 1 where one choice is certain everywhere."""
        entropy = sum(float(-(share * np.log(np.maximum(share, 1e-12))).sum()) for share in self.shares.values())
        even = sum(float(np.log(len(share))) for share in self.shares.values())
        return 1.0 - entropy / even if even else 1.0

    def ask(self, count: int) -> list[Point]:
        """Draws; points that were proposed before are left out while others are found."""
        return [self._seen.fresh(self._drawn, lambda: self._context.space.draw(self._rng)) for _ in range(count)]

    def _drawn(self) -> Point:
        values = {
            d.name: d.choices[int(self._rng.choice(len(d.choices), p=self.shares[d.name]))] for d in self._decisions
        }
        return self._context.space.canonical(values)

    def tell(self, told: Sequence[Told]) -> None:
        """One update."""
        first = len(self._archive)
        self._archive.extend(told)
        for item in told:
            self._seen.add(item.point)
        scores = self._archive.scores(self._archive.draw_weights(self._rng))
        fresh = scores[first:]
        below = (scores[None, :] < fresh[:, None]).mean(axis=1) + 0.5 * (scores[None, :] == fresh[:, None]).mean(axis=1)
        self._update([item.point for item in told], below)

    @abstractmethod
    def _update(self, points: Sequence[Point], ranks: FloatArray) -> None:
        """Move the shares by told points and their ranks [n], 0 worst, 1 best."""

    def _taken(self, points: Sequence[Point], decision: Decision) -> NDArray[np.int64]:
        """Places of the choices [n], -1 where the decision is not active."""
        return np.array([decision.choices.index(p[decision.name]) if decision.name in p else -1 for p in points])


class NaturalGradient(_Distributions):
    """Adaptive stochastic natural gradient. Of each batch the best quarter pulls, the worst quarter pushes.

    The length of a step, by the Fisher metric, follows the signal to noise ratio: it grows while steps go on in one
    direction and falls where they only differ.
    """

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context, "natural gradient")
        self._path, self._gamma = np.zeros(sum(len(share) for share in self.shares.values())), 0.0
        #: Length of the next step.
        self.step = float(context.options["step"])

    def _update(self, points: Sequence[Point], ranks: FloatArray) -> None:
        quarter = max(1, len(points) // 4)
        order = np.argsort(ranks, kind="stable")
        pull = np.zeros(len(points))
        pull[order[-quarter:]] += 1.0
        pull[order[:quarter]] -= 1.0
        gradients = dict[str, FloatArray]()
        for decision in self._decisions:
            share, taken = self.shares[decision.name], self._taken(points, decision)
            active = taken >= 0
            chosen = np.eye(len(share))[taken[active]]
            gradients[decision.name] = (pull[active, None] * (chosen - share)).sum(axis=0) / len(points)
        flat = np.concatenate([gradients[name] / np.sqrt(share) for name, share in self.shares.items()])
        norm = float(np.linalg.norm(flat)) + 1e-12
        for decision in self._decisions:
            # No choice dies out: each keeps a share that the others can not take.
            share = self.shares[decision.name] + self.step * gradients[decision.name] / norm
            least = 1.0 / (len(self._decisions) * max(1, len(share) - 1))
            share = np.maximum(share, min(least, 1.0 / len(share)))
            self.shares[decision.name] = share / share.sum()
        if self._context.options["adaptive"]:
            rate = min(1.0, self.step / np.sqrt(len(flat)))
            self._path = (1 - rate) * self._path + np.sqrt(rate * (2 - rate)) * flat / norm
            self._gamma = (1 - rate) ** 2 * self._gamma + rate * (2 - rate)
            self.step *= float(np.exp(rate * (self._path @ self._path / 1.5 - self._gamma)))
            self.step = float(np.clip(self.step, 1e-3, 1.0))


class Agents(_Distributions):
    """EXP3 for each decision: the loss of a choice is what was told over how likely it was."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context, "agents")
        self._losses = {name: np.zeros(len(share)) for name, share in self.shares.items()}

    def _update(self, points: Sequence[Point], ranks: FloatArray) -> None:
        rate, explored = float(self._context.options["learning_rate"]), float(self._context.options["explored"])
        for decision in self._decisions:
            share, losses = self.shares[decision.name], self._losses[decision.name]
            for place, rank in zip(self._taken(points, decision), ranks, strict=True):
                if place >= 0:
                    losses[place] += (1.0 - rank) / share[place]
            weights = np.exp(-rate * (losses - losses.min()))
            self.shares[decision.name] = (1 - explored) * weights / weights.sum() + explored / len(share)


class Pruned(_Distributions):
    """Shares go with the mean rank of what had each choice; the least of a decision is cut at the end of a stage."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context, "pruned")
        self._points: list[Point] = []
        self._ranks: list[float] = []
        #: Choices that were cut, by decision, in order.
        self.cut: dict[str, list[int]] = {name: [] for name in self.shares}

    def _update(self, points: Sequence[Point], ranks: FloatArray) -> None:
        self._points += points
        self._ranks += ranks.tolist()
        widest = max(len(share) for share in self.shares.values())
        length = int(self._context.options["stage_trials"]) or max(8, self._context.budget // max(1, widest - 1))
        if len(self._points) < length:
            return
        told = np.array(self._ranks)
        for decision in self._decisions:
            share, taken = self.shares[decision.name], self._taken(self._points, decision)
            means = np.array(
                [told[taken == place].mean() if (taken == place).any() else 0.5 for place in range(len(share))]
            )
            alive = share > 0
            weights = np.where(alive, share * np.exp(float(self._context.options["sharpness"]) * means), 0.0)
            if alive.sum() > 1:
                worst = int(np.argmin(np.where(alive, weights, np.inf)))
                weights[worst] = 0.0
                self.cut[decision.name].append(worst)
            self.shares[decision.name] = weights / weights.sum()
        self._points, self._ranks = [], []
