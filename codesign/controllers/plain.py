"""Random and local search, and coordinate descent: the baselines, which are hard to beat on small spaces."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.proposals import Key, Seen, key_of, neighbours, step
from codesign.controllers.scalar import Archive
from codesign.decisions import Point
from codesign.objectives.front import FloatArray


class RandomSearch:
    """Every active decision drawn evenly; no point twice where ``distinct`` is set and the space has others."""

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("random"), Seen()

    def ask(self, count: int) -> list[Point]:
        """Even draws."""

        def draw() -> Point:
            return self._context.space.draw(self._rng)

        if not self._context.options["distinct"]:
            return [draw() for _ in range(count)]
        return [self._seen.fresh(draw, draw) for _ in range(count)]

    def tell(self, told: Sequence[Told]) -> None:
        """Nothing is learned; points that others proposed are not proposed again."""
        for item in told:
            self._seen.add(item.point)


class LocalSearch:
    """Hill climbing over one-decision neighbours (White 2021).

    A climb begins at the best of ``start_points`` draws and goes on from the first better neighbour; where none is
    better the next climb begins, with draws of its own. With several objectives and no reward it is Pareto local search
    (Paquete 2004): the neighbours of every point of the front so far are looked at, the newest front point first; when
    all have been, it goes on from a random point.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("local"), Seen()
        self._archive = Archive(context.goal)
        self._several = context.goal.reward is None and len(context.goal.objectives) > 1
        self._queue: deque[Point] = deque()
        self._expanded: set[int] = set()
        self._rows: dict[Key, int] = {}
        self._drawn: set[Key] = set()
        self._starts: list[int] = []
        self._at: int | None = None
        #: Climbs that ended, each at the row (in the order in which trials were told) of an optimum.
        self.optima: list[int] = []

    def _scores(self) -> FloatArray:
        return self._archive.scores(np.ones(len(self._archive.goal.objectives)))

    def _next_of_front(self) -> None:
        """Neighbours of the newest point of the front that was not expanded."""
        if len(self._archive) >= int(self._context.options["start_points"]):
            left = [int(row) for row in self._archive.front()[::-1] if row not in self._expanded]
            if left:
                self._expand(left[0])

    def _climb(self) -> None:
        """Neighbours of where the climb stands; where there is nothing better, the next climb."""
        if self._at is None and len(self._starts) >= int(self._context.options["start_points"]):
            scores = self._scores()
            self._at = max(self._starts, key=lambda row: scores[row])
            self._starts.clear()
        while self._at is not None and not self._queue:
            if self._at in self._expanded:  # an optimum, or where an earlier climb has been
                self.optima.append(self._at)
                self._at = None
                return
            known, scores = self._expand(self._at), self._scores()
            best = max(known, key=lambda row: scores[row], default=self._at)
            if scores[best] > scores[self._at]:
                self._at = best
                self._queue.clear()

    def _expand(self, row: int) -> list[int]:
        """Queue the neighbours of a told point; the rows of those that were told before."""
        self._expanded.add(row)
        around = neighbours(self._context.space, self._archive.told[row].point, self._rng)
        self._queue.extend(point for point in around if point not in self._seen)
        return [self._rows[key_of(point)] for point in around if key_of(point) in self._rows]

    def _draw(self) -> Point:
        return self._context.space.draw(self._rng)

    def ask(self, count: int) -> list[Point]:
        """Neighbours first; random points to begin with and where no neighbour is left."""
        if not self._queue and not self._several:
            self._climb()  # not within a batch: what is still asked for may be better
        out: list[Point] = []
        while len(out) < count:
            if not self._queue and self._several:
                self._next_of_front()
            if self._queue:
                point = self._queue.popleft()
                self._seen.add(point)
            else:
                point = self._seen.fresh(self._draw, self._draw)
                self._drawn.add(key_of(point))
            out.append(point)
        return out

    def tell(self, told: Sequence[Told]) -> None:
        """Learn; a better point drops what is left of the old one's neighbours (first improvement)."""
        first = len(self._archive)
        self._archive.extend(told)
        for row, item in enumerate(told, first):
            self._seen.add(item.point)
            self._rows[key_of(item.point)] = row
            if key_of(item.point) in self._drawn:
                self._starts.append(row)
        if self._several:
            if (self._archive.front() >= first).any():
                self._queue.clear()
        elif self._at is not None and told:
            scores = self._scores()
            best = first + int(np.argmax(scores[first:]))
            if scores[best] > scores[self._at]:
                self._at = best
                self._queue.clear()


class CoordinateDescent:
    """Stochastic coordinate descent (Hao 2019, FPGA/DNN): one decision a step, kept where it is no worse.

    Several walks side by side, each with a preference of its own (or the goal's reward). A walk that no coordinate
    improves for a round of all of them begins anew at a random point.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("coordinate"), Seen()
        self._archive = Archive(context.goal)
        walks = int(context.options["walks"])
        self._weights: list[FloatArray | None] = [self._archive.draw_weights(self._rng) for _ in range(walks)]
        self._at: list[int | None] = [None] * walks
        self._failures = [0] * walks
        self._asked: deque[tuple[int, Any]] = deque()
        self._turn = 0
        #: Steps that were tried and those that were kept, by decision.
        self.tried: dict[str, int] = {}
        self.kept: dict[str, int] = {}

    def ask(self, count: int) -> list[Point]:
        """The next step of each walk in turn."""
        space, out = self._context.space, list[Point]()
        for _ in range(count):
            walk = self._turn % len(self._at)
            self._turn += 1
            at = self._at[walk]
            if at is None:
                point = self._seen.fresh(lambda: space.draw(self._rng), lambda: space.draw(self._rng))
            else:
                change = partial(step, space, self._archive.told[at].point, self._rng, 0.0)
                point = self._seen.fresh(change, lambda: space.draw(self._rng))
            self._asked.append((walk, point))
            out.append(point)
        return out

    def tell(self, told: Sequence[Told]) -> None:
        """A walk moves where its step is no worse by its own preference."""
        first = len(self._archive)
        self._archive.extend(told)
        for row, item in enumerate(told, first):
            self._seen.add(item.point)
            if not self._asked or self._asked[0][1] != item.point:
                continue  # proposed by another
            walk, _ = self._asked.popleft()
            at = self._at[walk]
            if at is None:
                self._at[walk] = row
                continue
            old, new = self._archive.scores(self._weights[walk], np.array([at, row]))
            changed = _changed(self._archive.told[at].point, item.point)
            self.tried[changed] = self.tried.get(changed, 0) + 1
            if new >= old:
                self.kept[changed] = self.kept.get(changed, 0) + 1
                self._at[walk], self._failures[walk] = row, 0
            else:
                self._failures[walk] += 1
                if self._failures[walk] > 2 * len(self._context.space.decisions):
                    self._at[walk], self._failures[walk] = None, 0
                    self._weights[walk] = self._archive.draw_weights(self._rng)


def _changed(old: Point, new: Point) -> str:
    """The decision in which two points differ; "" where that is more than one (a walk was put back into the space)."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return names[0] if len(names) == 1 else ""
