"""Making new points: never the same twice while the space has others, and steps that know an order of choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from codesign.decisions import Decision, DecisionSpace, Permutation, Point, Real

Key = tuple[Any, ...]


def key_of(point: Mapping[str, Any]) -> Key:
    """A hashable name of a point."""
    return tuple(sorted(point.items()))


#: Proposals that are drawn before a repeat is let through: a small space runs out.
TRIES = 40


class Seen:
    """Points that were proposed or told."""

    def __init__(self) -> None:
        self._keys: set[Key] = set()

    def add(self, point: Mapping[str, Any]) -> None:
        """Remember a point."""
        self._keys.add(key_of(point))

    def __contains__(self, point: Mapping[str, Any]) -> bool:
        return key_of(point) in self._keys

    def fresh(self, *sources: Callable[[], Point]) -> Point:
        """A point not seen before from the first source that has one, else a repeat; it is remembered."""
        for source in sources:
            for _ in range(TRIES):
                point = source()
                if point not in self:
                    self.add(point)
                    return point
        return sources[0]()


def step(space: DecisionSpace, point: Mapping[str, Any], rng: np.random.Generator, probability: float) -> Point:
    """Each active decision changes with ``probability``, at least one does.

    An ordered choice moves by one place in half of the cases (sizes are alike near by), else to any other; a real moves
    by a normal step of a tenth of its range; an order swaps two items.
    """
    movable = [decision for decision in space.decisions if decision.name in point and decision.size > 1]
    if not movable:
        return space.canonical(point)
    chosen = rng.random(len(movable)) < probability
    if not chosen.any():
        chosen[int(rng.integers(len(movable)))] = True
    changed = dict(point)
    for decision, change in zip(movable, chosen, strict=True):
        if change:
            changed[decision.name] = moved(decision, point[decision.name], rng)
    return space.completed(changed, rng)


def moved(decision: Decision | Real | Permutation, value: Any, rng: np.random.Generator) -> Any:
    """Another value of one decision."""
    if isinstance(decision, Decision):
        place, count = decision.choices.index(value), len(decision.choices)
        if decision.ordered and rng.random() < 0.5:
            target = place + (1 if rng.random() < 0.5 else -1)
            if not 0 <= target < count:
                target = 2 * place - target
        else:
            target = int(rng.integers(count - 1))
            target += target >= place
        return decision.choices[target]
    if isinstance(decision, Real):
        low, high = (np.log(decision.low), np.log(decision.high)) if decision.log else (decision.low, decision.high)
        start = np.log(value) if decision.log else value
        moved_to = float(np.clip(start + rng.normal(0.0, 0.1 * (high - low)), low, high))
        return float(np.clip(np.exp(moved_to) if decision.log else moved_to, decision.low, decision.high))
    order = list(value)
    first, second = rng.choice(len(order), size=2, replace=False)
    order[first], order[second] = order[second], order[first]
    return tuple(order)


def neighbours(space: DecisionSpace, point: Mapping[str, Any], rng: np.random.Generator) -> list[Point]:
    """Every point that differs in one active choice (one drawn value of a real, every swap of an order), shuffled."""
    out: list[Point] = []
    for decision in space.decisions:
        if decision.name not in point:
            continue
        value = point[decision.name]
        if isinstance(decision, Decision):
            others: list[Any] = [choice for choice in decision.choices if choice != value]
        elif isinstance(decision, Real):
            others = [moved(decision, value, rng)]
        else:
            pairs = [(i, j) for i in range(len(value)) for j in range(i)]
            others = [_swapped(value, i, j) for i, j in pairs]
        out += [space.completed({**point, decision.name: other}, rng) for other in others]
    return [out[place] for place in rng.permutation(len(out))]


def _swapped(order: tuple[str, ...], first: int, second: int) -> tuple[str, ...]:
    items = list(order)
    items[first], items[second] = items[second], items[first]
    return tuple(items)
