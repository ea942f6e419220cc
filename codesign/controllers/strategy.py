"""Evolution strategies over vectors of numbers: a normal distribution that moves and stretches (CMA-ES, NAAS).

A point is a vector in [0, 1]: an ordered choice or a real is one number, an order of items is one importance each and
is read by sorting (NAAS: Lin 2021; ``encoding: importance``) or is one number that counts the orders through
(``encoding: index``), an unordered choice is one number or one importance a choice alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.proposals import Key, Seen, key_of, step
from codesign.controllers.scalar import Archive
from codesign.decisions import Decision, DecisionSpace, Permutation, Point, Real
from codesign.objectives.front import FloatArray

#: Of a distribution, before what it samples is taken as settled.
_SAMPLES = 10


class Encoding:
    """Points as vectors in [0, 1].

    Args:
        space: the decisions.
        importance: orders and unordered choices by importance of their items, else by one index.
    """

    def __init__(self, space: DecisionSpace, *, importance: bool) -> None:
        self._space = space
        self._widths = []
        for decision in space.decisions:
            if isinstance(decision, Permutation):
                self._widths.append(len(decision.items) if importance else 1)
            elif isinstance(decision, Decision) and not decision.ordered:
                self._widths.append(len(decision.choices) if importance else 1)
            else:
                self._widths.append(1)
        self.width = sum(self._widths)

    def decode(self, vector: FloatArray) -> Point:
        """The point of a vector; numbers of inactive decisions are ignored."""
        point: Point = {}
        place = 0
        for decision, width in zip(self._space.decisions, self._widths, strict=True):
            part = vector[place : place + width]
            place += width
            if not all(condition.holds(point) for condition in decision.when):
                continue
            point[decision.name] = _read(decision, part)
        return point

    def encode(self, point: Mapping[str, Any]) -> FloatArray:
        """A vector of a point, in the middle of those that are read as it."""
        parts = [
            _written(decision, point[decision.name], width) if decision.name in point else np.full(width, 0.5)
            for decision, width in zip(self._space.decisions, self._widths, strict=True)
        ]
        return np.concatenate(parts) if parts else np.empty(0)


def _written(decision: Decision | Real | Permutation, value: Any, width: int) -> FloatArray:
    if isinstance(decision, Real):
        low, high = (math.log(x) if decision.log else x for x in (decision.low, decision.high))
        return np.array([((math.log(value) if decision.log else value) - low) / (high - low or 1.0)])
    if isinstance(decision, Decision):
        place, count = decision.choices.index(value), len(decision.choices)
        return np.where(np.arange(width) == place, 0.75, 0.25) if width > 1 else np.array([(place + 0.5) / count])
    if width > 1:
        return 1.0 - (np.array([value.index(item) for item in decision.items]) + 0.5) / len(decision.items)
    return np.array([(order_number(decision.items, value) + 0.5) / math.factorial(len(decision.items))])


def _read(decision: Decision | Real | Permutation, part: FloatArray) -> object:
    number = float(np.clip(part[0], 0.0, 1.0))
    if isinstance(decision, Real):
        if decision.log:
            value = math.exp(math.log(decision.low) + number * (math.log(decision.high) - math.log(decision.low)))
        else:
            value = decision.low + number * (decision.high - decision.low)
        return min(max(value, decision.low), decision.high)
    if isinstance(decision, Decision):
        count = len(decision.choices)
        place = int(np.argmax(part)) if len(part) > 1 else min(int(number * count), count - 1)
        return decision.choices[place]
    if len(part) > 1:
        return tuple(decision.items[place] for place in np.argsort(-part, kind="stable"))
    return nth_order(decision.items, min(int(number * math.factorial(len(decision.items))), int(decision.size) - 1))


def nth_order(items: tuple[str, ...], index: int) -> tuple[str, ...]:
    """The order of that number, counted in the items' own order."""
    left, out = list(items), []
    for count in range(len(left), 0, -1):
        block = math.factorial(count - 1)
        out.append(left.pop(index // block))
        index %= block
    return tuple(out)


def order_number(items: tuple[str, ...], order: Sequence[str]) -> int:
    """The number of an order: the inverse of :func:`nth_order`."""
    left, out = list(items), 0
    for item in order:
        place = left.index(item)
        out += place * math.factorial(len(left) - 1)
        left.pop(place)
    return out


class EvolutionStrategy:
    """CMA-ES over the vectors; several distributions, each with a preference of its own, take turns.

    A distribution starts in the middle, or around the best of what others proposed before it was first asked.

    What breaks a bound ranks after all that does not, by how far it is over (NAAS rejects such samples unseen; here
    each was looked at, so it is counted).
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("es"), Seen()
        self._archive = Archive(context.goal)
        self._encoding = Encoding(context.space, importance=context.options["encoding"] == "importance")
        count = 1 if context.goal.reward is not None else int(context.options["preferences"])
        self._weights = [self._archive.draw_weights(self._rng) for _ in range(count)]
        if context.goal.reward is None:
            self._weights = _spread(count, len(context.goal.objectives), self._rng)
        self._width, self._restarts = max(self._encoding.width, 2), 0
        self._searches: list[CMA] = []
        self._open: dict[Key, list[tuple[int, NDArray[np.float64]]]] = {}
        self._waiting: list[list[tuple[NDArray[np.float64], int]]] = [[] for _ in self._weights]
        self._turn = 0

    def _fresh(self, index: int) -> CMA:
        options = self._context.options
        seed = int(self._context.rng("es", index, len(self._archive)).integers(2**31))
        bounds = np.tile([0.0, 1.0], (self._width, 1))
        return CMA(
            mean=self._middle(index),
            sigma=float(options["sigma"]),
            bounds=bounds,
            seed=seed,
            population_size=int(options["population"]) or None,
        )

    def _middle(self, index: int) -> FloatArray:
        """Where a distribution starts."""
        middle = np.full(self._width, 0.5)
        if not self._restarts and len(self._archive):
            scores = self._archive.scores(self._weights[index], np.arange(len(self._archive)))
            vector = self._encoding.encode(self._archive.told[int(np.argmax(scores))].point)
            middle[: len(vector)] = vector
        return middle

    def ask(self, count: int) -> list[Point]:
        """Samples of the distributions in turn; where one has narrowed to what is known, steps from its samples."""
        out, space = [], self._context.space
        self._searches = self._searches or [self._fresh(index) for index in range(len(self._weights))]
        for _ in range(count):
            index = self._turn % len(self._searches)
            self._turn += 1
            for _ in range(_SAMPLES):
                vector = np.asarray(self._searches[index].ask())
                point = self._encoding.decode(vector)
                if point not in self._seen:
                    self._seen.add(point)
                    break
            else:
                near = lambda point=point: step(space, point, self._rng, 0.0)  # noqa: E731
                point = self._seen.fresh(near, lambda: space.draw(self._rng))
                vector = np.resize(self._encoding.encode(point), self._width)
            self._open.setdefault(key_of(point), []).append((index, vector))
            out.append(point)
        return out

    def tell(self, told: Sequence[Told]) -> None:
        """A distribution is updated whenever a population of its samples is told."""
        first = len(self._archive)
        self._archive.extend(told)
        for row, item in enumerate(told, first):
            self._seen.add(item.point)
            waiting = self._open.get(key_of(item.point))
            if waiting:
                index, vector = waiting.pop(0)
                self._waiting[index].append((vector, row))
        for index, samples in enumerate(self._waiting):
            if not samples:
                continue
            search = self._searches[index]
            while len(samples) >= search.population_size:
                batch, samples = samples[: search.population_size], samples[search.population_size :]
                scores = self._archive.scores(self._weights[index], np.array([row for _, row in batch]))
                search.tell([(vector, -float(score)) for (vector, _), score in zip(batch, scores, strict=True)])
                if search.should_stop():
                    self._restarts += 1
                    search = self._searches[index] = self._fresh(index)
            self._waiting[index] = samples


def _spread(count: int, objectives: int, rng: np.random.Generator) -> list[FloatArray | None]:
    """Preferences spread over the simplex: its corners' neighbourhood, its middle, then draws."""
    out: list[FloatArray | None] = [np.full(objectives, 1.0 / objectives)]
    for corner in range(objectives):
        weights = np.full(objectives, 0.2 / max(objectives - 1, 1))
        weights[corner] = 0.8
        out.append(weights)
    while len(out) < count:
        out.append(rng.dirichlet(np.ones(objectives)))
    return out[:count]
