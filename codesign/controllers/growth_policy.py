"""A learned policy transforms the best networks known, where others write each from nothing (Cai 2018, EAS)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.proposals import Key, Seen, key_of, step
from codesign.controllers.scalar import Archive
from codesign.controllers.surrogate import survivors_of
from codesign.controllers.threads import one_thread
from codesign.decisions import Decision, Point


class GrowthPolicy:
    """Actions on a network: an ordered choice becomes the next larger, an unordered one another; REINFORCE picks.

    Each proposal is ``moves`` actions from a base network; the policy reads the network as it then is. Bases are the
    smallest network at first, then the best known ones, so that networks grow from round to round. What an action is
    rewarded with is by how much the proposal ranks above its base among all that is known.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("growth"), Seen()
        self._archive = Archive(context.goal)
        space = context.space
        self._choices = [d for d in space.decisions if isinstance(d, Decision) and d.size > 1]
        widths = [len(d.choices) for d in self._choices]
        self._first = np.concatenate([[0], np.cumsum(widths)])
        # An action is a choice to go to: of an ordered decision only the next.
        self._actions = [(place, at) for place, d in enumerate(self._choices) for at in range(len(d.choices))]
        hidden = int(context.options["hidden"])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(context.rng("growth", "torch").integers(2**31)))
            self._policy = nn.Sequential(
                nn.Linear(int(self._first[-1]), hidden), nn.ReLU(), nn.Linear(hidden, len(self._actions))
            )
        rate = float(context.options["learning_rate"])
        self._optimizer = torch.optim.Adam(self._policy.parameters(), lr=rate)
        self._paths: dict[Key, tuple[Point, list[tuple[Point, int]]]] = {}

    def _row(self, point: Point) -> np.ndarray:
        row = np.zeros(int(self._first[-1]), np.float32)
        for place, decision in enumerate(self._choices):
            if decision.name in point:
                row[int(self._first[place]) + decision.choices.index(point[decision.name])] = 1.0
        return row

    def _open(self, point: Point) -> np.ndarray:
        """Which actions a network allows."""
        out = np.zeros(len(self._actions), bool)
        for number, (place, at) in enumerate(self._actions):
            decision = self._choices[place]
            if decision.name in point:
                now = decision.choices.index(point[decision.name])
                out[number] = at == now + 1 if decision.ordered else at != now
        return out

    def _logs(self, points: Sequence[Point]) -> torch.Tensor:
        rows = torch.from_numpy(np.stack([self._row(point) for point in points]))
        masks = torch.from_numpy(np.stack([self._open(point) for point in points]))
        return nn.functional.log_softmax(self._policy(rows).masked_fill(~masks, -1e9), dim=1)

    def certainty(self, point: Point) -> float:
        """How far the policy is from even draws of what a network allows: 0 at the start, 1 where it is certain."""
        count = int(self._open(point).sum())
        if count < 2:
            return 0.0
        with torch.no_grad():
            logs = self._logs([point])[0]
        return 1.0 - float(-(logs.exp() * logs.clamp(min=-50)).sum()) / float(np.log(count))

    def _base(self) -> Point:
        space = self._context.space
        if not len(self._archive):
            return space.completed({d.name: d.choices[0] for d in self._choices if d.ordered}, self._rng)
        best = survivors_of(self._archive, int(self._context.options["bases"]))
        return self._archive.told[int(self._rng.choice(best))].point

    def _grown(self) -> Point:
        base = point = self._base()
        path: list[tuple[Point, int]] = []
        for _ in range(1 + int(self._rng.integers(int(self._context.options["moves"])))):
            if not self._open(point).any():
                break
            with torch.no_grad():
                odds = self._logs([point])[0].exp().double().numpy()
            action = int(self._rng.choice(len(odds), p=odds / odds.sum()))
            place, at = self._actions[action]
            path.append((point, action))
            decision = self._choices[place]
            point = self._context.space.completed({**point, decision.name: decision.choices[at]}, self._rng)
        self._paths.setdefault(key_of(point), (base, path))
        return point

    @one_thread
    def ask(self, count: int) -> list[Point]:
        """Networks grown by the policy; where it only comes to known ones, steps from a base, then draws."""
        space = self._context.space
        near, drawn = (lambda: step(space, self._base(), self._rng, 0.0)), (lambda: space.draw(self._rng))
        return [self._seen.fresh(self._grown, near, drawn) for _ in range(count)]

    @one_thread
    def tell(self, told: Sequence[Told]) -> None:
        """One update: actions are rewarded with what the networks that they led to are above their bases."""
        first = len(self._archive)
        self._archive.extend(told)
        rows = {key_of(item.point): row for row, item in enumerate(self._archive.told)}
        weights = self._archive.draw_weights(self._rng)
        scores = self._archive.scores(weights)
        ranks = scores.argsort().argsort() / max(len(scores) - 1, 1)
        points, actions, gains = list[Point](), list[int](), list[float]()
        for row, item in enumerate(told, first):
            self._seen.add(item.point)
            base, path = self._paths.pop(key_of(item.point), ({}, []))
            if key_of(base) in rows:
                gain = float(ranks[row] - ranks[rows[key_of(base)]])
                for point, action in path:
                    points.append(point)
                    actions.append(action)
                    gains.append(gain)
        if len(points) < 2:
            return
        advantage = torch.tensor(gains) - float(np.mean(gains))
        advantage = advantage / (advantage.std() + 1e-6)
        logs = self._logs(points)
        entropy = -(logs.exp() * logs.clamp(min=-50)).sum(dim=1).mean()
        chosen = logs[torch.arange(len(actions)), torch.tensor(actions)]
        loss = -(chosen * advantage).mean() - float(self._context.options["entropy_weight"]) * entropy
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        self._optimizer.step()
