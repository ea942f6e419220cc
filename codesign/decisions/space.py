"""An ordered list of decisions as one space: draws, counts, and points as rows of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.decisions.decision import Decision, Permutation, Point, Real, Variable, check_point
from mappings.errors import Fault, SpecError

#: In a matrix: the decision is inactive.
INACTIVE = -1


@dataclass(frozen=True)
class DecisionSpace:
    """Decisions in order; a condition looks back, never ahead.

    Attributes:
        decisions: names are unique.
    """

    decisions: tuple[Variable, ...]

    def __post_init__(self) -> None:
        seen: dict[str, Variable] = {}
        faults = []
        for decision in self.decisions:
            if decision.name in seen:
                faults.append(Fault(f"decision {decision.name}", "stands in the space twice", "a name of its own"))
            for condition in decision.when:
                parent = seen.get(condition.name)
                if parent is None:
                    what = f'depends on "{condition.name}", which does not stand before it'
                    faults.append(Fault(f"decision {decision.name}", what, ", ".join(seen)))
                elif not all(parent.contains(value) for value in condition.values):
                    what = f"depends on {condition.name} in {list(condition.values)}"
                    faults.append(Fault(f"decision {decision.name}", what, parent.allowed))
            seen[decision.name] = decision
        if faults:
            raise SpecError(faults)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the decisions, in order."""
        return tuple(decision.name for decision in self.decisions)

    @cached_property
    def discrete(self) -> bool:
        """Whether every decision is one of some choices."""
        return all(isinstance(decision, Decision) for decision in self.decisions)

    def of_groups(self, *groups: str) -> DecisionSpace:
        """The part of some groups; conditions must stay within it."""
        return DecisionSpace(tuple(decision for decision in self.decisions if decision.group in groups))

    @cached_property
    def size(self) -> float:
        """How many points, conditions counted; infinite with a real number among them.

        Counted by cases over the decisions on which others depend, so those should be few.
        """
        return _count(self.decisions, {})

    def enumerated(self) -> list[Point]:
        """Every point of a space of finite size, in the decisions' order."""
        out: list[Point] = [{}]
        for decision in self.decisions:
            grown = list[Point]()
            for point in out:
                active = all(condition.holds(point) for condition in decision.when)
                grown += [{**point, decision.name: value} for value in _values(decision)] if active else [point]
            out = grown
        return out

    def check(self, point: Mapping[str, Any], where: str = "point") -> None:
        """Refuse what is no point of the space.

        Raises:
            SpecError: all faults at once.
        """
        check_point(self.decisions, point, where)

    def canonical(self, point: Mapping[str, Any]) -> Point:
        """The point in the space's order, without values of inactive decisions."""
        out: Point = {}
        for decision in self.decisions:
            if all(condition.holds(out) for condition in decision.when):
                out[decision.name] = point[decision.name]
        return out

    def completed(self, values: Mapping[str, Any], rng: np.random.Generator) -> Point:
        """A point with the given values where they are active and allowed; what is missing is drawn."""
        out: Point = {}
        for decision in self.decisions:
            if all(condition.holds(out) for condition in decision.when):
                value = values.get(decision.name)
                fits = value is not None and decision.contains(value)
                out[decision.name] = value if fits and value is not None else decision.draw(rng)
        return out

    def draw(self, rng: np.random.Generator) -> Point:
        """One point; each active decision evenly."""
        return self.completed({}, rng)

    def mutate(self, point: Mapping[str, Any], rng: np.random.Generator) -> Point:
        """A point that differs in one active decision (none where none has another value)."""
        open_ones = [d for d in self.decisions if d.name in point and d.size > 1]
        if not open_ones:
            return self.canonical(point)
        (place,) = rng.choice(len(open_ones), size=1, replace=False)
        decision = open_ones[int(place)]
        value = decision.draw(rng)
        while value == point[decision.name]:
            value = decision.draw(rng)
        return self.completed({**point, decision.name: value}, rng)

    def crossover(self, first: Mapping[str, Any], second: Mapping[str, Any], rng: np.random.Generator) -> Point:
        """Each decision from either parent, evenly; what neither has is drawn."""
        side = rng.random(len(self.decisions)) < 0.5
        mixed: Point = {}
        for decision, from_first in zip(self.decisions, side, strict=True):
            pair = (first, second) if from_first else (second, first)
            for parent in pair:
                if decision.name in parent:
                    mixed[decision.name] = parent[decision.name]
                    break
        return self.completed(mixed, rng)

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of choices of each decision.

        Raises:
            SpecError: one has no list of choices.
        """
        return tuple(len(decision.choices) for decision in self.choices)

    @cached_property
    def choices(self) -> tuple[Decision, ...]:
        """The decisions of a discrete space.

        Raises:
            SpecError: one has no list of choices.
        """
        out = []
        for decision in self.decisions:
            if not isinstance(decision, Decision):
                raise SpecError(Fault(f"decision {decision.name}", "is no list of choices", "a discrete space"))
            out.append(decision)
        return tuple(out)

    @cached_property
    def _index(self) -> tuple[dict[Any, int], ...]:
        return tuple({value: place for place, value in enumerate(d.choices)} for d in self.choices)

    def matrix(self, points: Sequence[Mapping[str, Any]]) -> NDArray[np.int64]:
        """Points as indices of choices [n, decisions]; :data:`INACTIVE` where there is none."""
        rows = np.full((len(points), len(self.decisions)), INACTIVE, np.int64)
        for column, (name, index) in enumerate(zip(self.names, self._index, strict=True)):
            for row, point in enumerate(points):
                if name in point:
                    rows[row, column] = index[point[name]]
        return rows

    def points(self, rows: NDArray[np.int64]) -> list[Point]:
        """The reverse of :meth:`matrix`; indices of decisions that are inactive are ignored."""
        choices = self.choices
        out = []
        for row in rows.tolist():
            point: Point = {}
            for decision, place in zip(choices, row, strict=True):
                if all(condition.holds(point) for condition in decision.when):
                    point[decision.name] = decision.choices[max(place, 0)]
            out.append(point)
        return out

    def points_choice(self, place: int, choice: int) -> Point:
        """One decision with the choice of that index, as a part of a point."""
        decision = self.choices[place]
        return {decision.name: decision.choices[choice]}

    def features(self, points: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Points for a regression model [n, features]: ordered choices and reals as one number 0..1 (reals by their
        logarithm where they are drawn so), unordered choices one-hot, orders by the place of each item; all 0 where a
        decision is inactive, after one column that says whether it is active (only for decisions with a condition)."""
        columns = [column for decision in self.decisions for column in _feature_columns(decision, points)]
        return np.stack(columns, axis=1) if columns else np.zeros((len(points), 0))


def _count(decisions: tuple[Variable, ...], fixed: Point) -> float:
    parents = {condition.name for decision in decisions for condition in decision.when}
    total = 1.0 if any(np.isinf(decision.size) for decision in decisions) else 1
    point = dict(fixed)
    for place, decision in enumerate(decisions):
        if not all(condition.holds(point) for condition in decision.when):
            continue
        if decision.name in parents and decision.name not in fixed and isinstance(decision, Decision):
            rest = decisions[place + 1 :]
            return total * sum(_count(rest, {**point, decision.name: choice}) for choice in decision.choices)
        total *= decision.size
    return total


def _feature_columns(decision: Variable, points: Sequence[Mapping[str, Any]]) -> list[NDArray[np.float64]]:
    values = [point.get(decision.name) for point in points]
    active = np.array([value is not None for value in values], np.float64)
    columns = [active] if decision.when else []
    if isinstance(decision, Decision):
        place = {value: index for index, value in enumerate(decision.choices)}
        index = np.array([place[value] if value is not None else -1 for value in values])
        if decision.ordered:
            columns.append(np.where(index < 0, 0.0, index / max(len(decision.choices) - 1, 1)))
        else:
            columns += [(index == choice).astype(np.float64) for choice in range(len(decision.choices))]
    elif isinstance(decision, Real):
        scale = np.log if decision.log else np.asarray
        low, high = scale(decision.low), scale(decision.high)
        numbers = np.array([float(value) if isinstance(value, (int, float)) else decision.low for value in values])
        columns.append((scale(numbers) - low) / (high - low) * active)
    else:
        assert isinstance(decision, Permutation)
        last = len(decision.items) - 1
        for item in decision.items:
            places = [value.index(item) / last if isinstance(value, tuple) else 0.0 for value in values]
            columns.append(np.array(places))
    return columns


def _values(decision: Variable) -> Sequence[Any]:
    if isinstance(decision, Decision):
        return decision.choices
    assert isinstance(decision, Permutation), "a space of finite size has choices and orders"
    return list(permutations(decision.items))
