"""Evolution: NSGA-II, ageing evolution, and both with learned help.

All share one way to breed (uniform crossover of active decisions, steps that know an order of choices) and never
propose a point twice while the space has others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.proposals import Seen, step
from codesign.controllers.scalar import Archive, crowding_by_front, ranks, survivors
from codesign.decisions import Point


class Nsga2:
    """NSGA-II (Deb 2002) under constrained domination.

    The parents are the ``population`` best of everything told (mu + lambda), mated by binary tournaments on front and
    crowding.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("nsga2"), Seen()
        self._archive = Archive(context.goal)
        self._parents: NDArray[np.int64] = np.zeros(0, np.int64)
        self._given: list[Point] = []

    @property
    def population(self) -> int:
        """Parents of a generation."""
        return int(self._context.options["population"]) or max(self._context.batch, 4)

    def ask(self, count: int) -> list[Point]:
        """Random points until there are parents (inherited ones first), then offspring."""
        draw = self._draw
        if len(self._parents) < 2 or len(self._archive) < self.population:
            return [self._seen.fresh(draw, draw) for _ in range(count)]
        costs, violations = self._archive.costs[self._parents], self._archive.violations[self._parents]
        front = ranks(costs, violations)
        crowd = crowding_by_front(costs, front)
        return [self._seen.fresh(lambda: self._child(front, crowd), draw) for _ in range(count)]

    def _draw(self) -> Point:
        return self._given.pop(0) if self._given else self._context.space.draw(self._rng)

    def inherit(self, other: Controller) -> None:
        """The parents of the other search are the first to be asked for."""
        assert isinstance(other, Nsga2), "of the same class"
        self._given = [dict(other._archive.told[row].point) for row in other._parents]

    def _tournament(self, front: NDArray[np.int64], crowd: NDArray[np.float64]) -> Point:
        first, second = self._rng.integers(len(self._parents), size=2)
        better = (front[first], -crowd[first]) <= (front[second], -crowd[second])
        return self._archive.told[int(self._parents[first if better else second])].point

    def _child(self, front: NDArray[np.int64], crowd: NDArray[np.float64]) -> Point:
        options, space = self._context.options, self._context.space
        child = self._tournament(front, crowd)
        if self._rng.random() < options["crossover_probability"]:
            child = space.crossover(child, self._tournament(front, crowd), self._rng)
        probability = float(options["mutation_probability"]) or 1.0 / max(len(child), 1)
        if self._rng.random() < options["mutated_share"] or child in self._seen:
            child = step(space, child, self._rng, probability)
        return child

    def tell(self, told: Sequence[Told]) -> None:
        """The best of old and new become the parents."""
        first = len(self._archive)
        self._archive.extend(told)
        for item in told:
            self._seen.add(item.point)
        pool = np.concatenate([self._parents, np.arange(first, len(self._archive))])
        keep = survivors(self._archive.costs[pool], self._archive.violations[pool], self.population)
        self._parents = pool[keep]


class RegularizedEvolution:
    """Ageing evolution (Real 2019): the oldest dies, the best of a sample has a child that differs in one decision.

    Each tournament climbs the goal's reward, or a preference drawn for it.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("ageing"), Seen()
        self._archive = Archive(context.goal)
        self._alive: deque[int] = deque()
        self._given: list[Point] = []

    @property
    def ages(self) -> tuple[int, ...]:
        """How many trials ago each living member was told, oldest first."""
        return tuple(len(self._archive) - row for row in self._alive)

    def ask(self, count: int) -> list[Point]:
        """Random points (inherited ones first) until the population is full, then children."""
        return [self._seen.fresh(self._child, self._draw) for _ in range(count)]

    def _draw(self) -> Point:
        return self._given.pop(0) if self._given else self._context.space.draw(self._rng)

    def inherit(self, other: Controller) -> None:
        """Those alive at the end of the other search are the first to be asked for."""
        assert isinstance(other, RegularizedEvolution), "of the same class"
        self._given = [dict(other._archive.told[row].point) for row in other._alive]

    def _child(self) -> Point:
        options = self._context.options
        if len(self._alive) < min(int(options["population"]), max(self._context.batch, 10)):
            return self._draw()
        size = min(int(options["sample"]), len(self._alive))
        rows = np.array([self._alive[place] for place in self._rng.choice(len(self._alive), size, replace=False)])
        scores = self._archive.scores(self._archive.draw_weights(self._rng), rows)
        parent = self._archive.told[int(rows[int(np.argmax(scores))])].point
        return step(self._context.space, parent, self._rng, 0.0)

    def tell(self, told: Sequence[Told]) -> None:
        """New ones are born, the oldest die."""
        first = len(self._archive)
        self._archive.extend(told)
        for row, item in enumerate(told, first):
            self._seen.add(item.point)
            self._alive.append(row)
        while len(self._alive) > int(self._context.options["population"]):
            self._alive.popleft()
