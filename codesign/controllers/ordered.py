"""Searches that believe in an order: more of anything makes a network dearer and no less accurate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.proposals import Key, Seen, key_of, step
from codesign.controllers.scalar import Archive
from codesign.controllers.surrogate import survivors_of
from codesign.decisions import Decision, Point


class PartialOrder:
    """Partial order pruning (Li 2019): what the order rules out is never measured.

    Of two points of which one has at least as much in every ordered decision, and the same in all others, the larger
    one is taken to be as dear and as accurate at least. So a point that was not measured is at best as accurate as each
    larger one that was, and as cheap as each smaller one; where a measured point dominates even that, it is ruled out.
    Points are bred from the front, and drawn.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("order"), Seen()
        self._archive = Archive(context.goal)
        #: Of each objective, whether growing makes it better.
        self._grows = np.array([metric.maximize for metric in context.goal.metrics])
        self._ordered = np.array([isinstance(d, Decision) and d.ordered for d in context.space.decisions])
        self._matrix = np.zeros((0, len(context.space.names)), np.int64)
        self._none_yet: set[Key] = set()
        #: Points that were bred or drawn and ruled out, in order.
        self.ruled_out: list[Point] = []

    def _best(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The least costs that the order leaves to points [n, objectives]."""
        costs = self._archive.costs
        # above[i, j]: of what was measured, j has as much as i or more; below: as little or less.
        ahead, same = self._matrix[None] - rows[:, None], ~self._ordered
        equal = (ahead[..., same] == 0).all(axis=2)
        above, below = (equal & (sign * ahead[..., self._ordered] >= 0).all(axis=2) for sign in (1, -1))
        out = np.full((len(rows), costs.shape[1]), -np.inf)
        for objective, grows in enumerate(self._grows):
            told = np.where(above if grows else below, costs[None, :, objective], -np.inf)
            out[:, objective] = np.where(np.isfinite(told), told, -np.inf).max(axis=1, initial=-np.inf)
        return out

    def _allowed(self, point: Point) -> bool:
        """Whether nothing that was measured dominates the best that the point can be."""
        if not len(self._archive):
            return True
        best = self._best(self._context.space.matrix([point]))[0]
        costs = self._archive.costs
        better = (costs <= best).all(axis=1) & (costs < best).any(axis=1)
        return not bool((better & (self._archive.violations <= 0)).any())

    def _bred(self) -> Point:
        """A point near the front, or drawn, that the order does not rule out; after many tries whichever."""
        parents = survivors_of(self._archive, 20) if len(self._archive) else np.zeros(0, np.int64)
        for _ in range(60):
            if not len(parents) or self._rng.random() < 0.3:
                point = self._context.space.draw(self._rng)
            else:
                parent = self._archive.told[int(self._rng.choice(parents))].point
                point = step(self._context.space, parent, self._rng, 1.5 / max(len(parent), 1))
            if point in self._seen:
                continue
            if self._allowed(point):
                return point
            if key_of(point) not in self._none_yet:
                self._none_yet.add(key_of(point))
                self.ruled_out.append(point)
        return point

    def ask(self, count: int) -> list[Point]:
        """Points that may still be better than what was measured."""
        return [self._seen.fresh(self._bred, lambda: self._context.space.draw(self._rng)) for _ in range(count)]

    def tell(self, told: Sequence[Told]) -> None:
        """The order says more."""
        if not told:
            return
        self._archive.extend(told)
        self._matrix = np.concatenate([self._matrix, self._context.space.matrix([item.point for item in told])])
        for item in told:
            self._seen.add(item.point)


class LazyGreedy:
    """Cost-effective greedy growth under limits, with lazy evaluation (Xiong 2019).

    From the smallest point on, the decision that gains most for what it costs takes its next choice, as long as the
    limits hold. Gains are taken to fall as the network grows (submodularity), so a gain that was measured before bounds
    today's: only those whose bound is the largest are measured again. A pass that can not go on is followed by one that
    does not count the cost (the better of the two is within a factor of the best), then by points near the best.

    The cost is the metric of the goal's first limit, else of its last objective; what is gained is the first objective.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("greedy"), Seen()
        goal = context.goal
        self._archive = Archive(goal)
        self._cost_of = goal.limits[0].metric if goal.limits else goal.objectives[-1]
        self._known: dict[Key, tuple[float, float] | None] = {}
        self._passes = [True, False]  # whether the cost counts
        #: Steps that were taken, candidates that there were at them, and how many of these were measured.
        self.steps, self.candidates, self.measured = 0, 0, 0
        self._begin()

    def _begin(self) -> None:
        """The smallest point, with nothing known of what a step gains."""
        space = self._context.space
        self._now: Point = space.canonical({d.name: d.choices[0] for d in space.choices})
        self._bounds: dict[str, float] = {}
        self._fresh: set[str] = set()

    def _moves(self) -> dict[str, Point]:
        """The point after each decision's next choice."""
        space, out = self._context.space, dict[str, Point]()
        for decision in space.choices:
            if decision.name not in self._now or not decision.ordered:
                continue
            place = decision.choices.index(self._now[decision.name])
            if place + 1 < len(decision.choices):
                filled = {d.name: d.choices[0] for d in space.choices} | self._now
                out[decision.name] = space.canonical({**filled, decision.name: decision.choices[place + 1]})
        return out

    def _wanted(self) -> Point | None:
        """What has to be measured next; None: there are no passes left."""
        while self._passes:
            if key_of(self._now) not in self._known:
                return self._now
            moves = {name: point for name, point in self._moves().items() if self._bounds.get(name, np.inf) > -np.inf}
            if not moves or self._known[key_of(self._now)] is None:
                self._passes.pop(0)
                self._begin()
                continue
            best = max(moves, key=lambda name: self._bounds.get(name, np.inf))
            if key_of(moves[best]) not in self._known:
                return moves[best]
            if best in self._fresh:
                self._now, self._fresh = moves[best], set()
                self.steps, self.candidates = self.steps + 1, self.candidates + len(moves)
            else:
                self._bounds[best] = self._gain(moves[best])
                self._fresh.add(best)
        return None

    def _gain(self, point: Point) -> float:
        """Of a measured point beside the one that is grown, by what it costs; minus infinity: it breaks a limit."""
        found, now = self._known[key_of(point)], self._known[key_of(self._now)]
        if found is None or now is None:
            return -np.inf
        gain = found[0] - now[0]
        return gain / max(found[1] - now[1], 1e-12) if self._passes[0] else gain

    def ask(self, count: int) -> list[Point]:
        """What the pass needs next, then candidates that it is likely to need, then neighbours of the best."""
        out: list[Point] = []
        wanted = self._wanted()
        if wanted is not None:
            out.append(wanted)
            for point in self._moves().values():  # a generation is measured at once
                if len(out) < count and key_of(point) not in self._known and point not in out:
                    out.append(point)
            self.measured += len(out)
        for point in out:
            self._seen.add(point)
        while len(out) < count:
            out.append(self._seen.fresh(self._near, lambda: self._context.space.draw(self._rng)))
        return out

    def _near(self) -> Point:
        if not len(self._archive):
            return self._context.space.draw(self._rng)
        parent = self._archive.told[int(self._rng.choice(survivors_of(self._archive, 5)))].point
        return step(self._context.space, parent, self._rng, 1.0 / max(len(parent), 1))

    def tell(self, told: Sequence[Told]) -> None:
        """What points gain and cost; one that breaks a limit is no candidate."""
        self._archive.extend(told)
        first = self._context.goal.metrics[0]
        for item in told:
            self._seen.add(item.point)
            metrics = item.outcome.metrics
            value = metrics.get(self._context.goal.objectives[0], np.nan) * (1.0 if first.maximize else -1.0)
            fine = item.outcome.feasible and np.isfinite(value) and self._cost_of in metrics
            self._known[key_of(item.point)] = (float(value), float(metrics[self._cost_of])) if fine else None
