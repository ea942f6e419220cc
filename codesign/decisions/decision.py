"""Decisions: the named choices of which a search space is an ordered list.

Three kinds: one of some choices (:class:`Decision`, ordered or not), a real number (:class:`Real`), an order of items
(:class:`Permutation`). Any may be active only where an earlier decision took certain values (:class:`When`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from mappings.errors import Fault, SpecError, nearest

Choice: TypeAlias = int | float | str
Value: TypeAlias = int | float | str | tuple[str, ...]
#: Values by name; which of them a value is, its decision says.
Point: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class When:
    """A condition: an earlier decision has one of some values.

    Attributes:
        name: of a decision that stands before.
        values: those under which the decision is active.
    """

    name: str
    values: tuple[Choice, ...]

    def holds(self, point: Mapping[str, Any]) -> bool:
        """Whether it holds at a point; an inactive parent holds for none."""
        return point.get(self.name) in self.values


@dataclass(frozen=True)
class Decision:
    """One of some choices.

    Attributes:
        name: unique in its space.
        group: what it belongs to: "network", "compression", "hardware" or "mapping".
        choices: what may be chosen; no value twice.
        ordered: the order of the choices means something (sizes, depths): neighbours are alike.
        when: all must hold, else the decision is inactive and has no value.
    """

    name: str
    group: str
    choices: tuple[Choice, ...]
    ordered: bool = True
    when: tuple[When, ...] = ()

    def __post_init__(self) -> None:
        if not self.choices or len(set(self.choices)) != len(self.choices):
            raise SpecError(Fault(f"decision {self.name}", f"choices are {list(self.choices)}", "distinct values"))

    @property
    def allowed(self) -> str:
        """What may be chosen, for messages."""
        return ", ".join(map(str, self.choices))

    @property
    def size(self) -> float:
        """How many values."""
        return len(self.choices)

    def contains(self, value: Value) -> bool:
        """Whether it may be chosen."""
        return value in self.choices

    def draw(self, rng: np.random.Generator) -> Value:
        """An even draw."""
        return self.choices[int(rng.integers(len(self.choices)))]


@dataclass(frozen=True)
class Real:
    """A real number.

    Attributes:
        name, group, when: as in :class:`Decision`.
        low, high: bounds, both included.
        log: drawn evenly over its logarithm.
    """

    name: str
    group: str
    low: float
    high: float
    log: bool = False
    when: tuple[When, ...] = ()

    def __post_init__(self) -> None:
        finite = math.isfinite(self.low) and math.isfinite(self.high)
        if not finite or self.low >= self.high or (self.log and self.low <= 0):
            where, what = f"decision {self.name}", f"goes from {self.low} to {self.high}"
            raise SpecError(Fault(where, what, "finite bounds, low below high, above 0 where it is logarithmic"))

    @property
    def allowed(self) -> str:
        """What may be chosen, for messages."""
        return f"a number from {self.low} to {self.high}"

    @property
    def size(self) -> float:
        """Infinitely many values."""
        return math.inf

    def contains(self, value: Value) -> bool:
        """Whether it may be chosen."""
        return isinstance(value, (int, float)) and not isinstance(value, bool) and self.low <= value <= self.high

    def draw(self, rng: np.random.Generator) -> Value:
        """An even draw."""
        if self.log:
            drawn = float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
            return min(max(drawn, self.low), self.high)
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Permutation:
    """An order of items, e.g. of loops.

    Attributes:
        name, group, when: as in :class:`Decision`.
        items: no item twice; a value is a tuple of all of them.
    """

    name: str
    group: str
    items: tuple[str, ...]
    when: tuple[When, ...] = ()

    def __post_init__(self) -> None:
        if len(self.items) < 2 or len(set(self.items)) != len(self.items):
            raise SpecError(Fault(f"decision {self.name}", f"orders {list(self.items)}", "two or more distinct items"))

    @property
    def allowed(self) -> str:
        """What may be chosen, for messages."""
        return "an order of " + ", ".join(self.items)

    @property
    def size(self) -> float:
        """How many orders."""
        return math.factorial(len(self.items))

    def contains(self, value: Value) -> bool:
        """Whether it may be chosen."""
        return isinstance(value, tuple) and sorted(value) == sorted(self.items)

    def draw(self, rng: np.random.Generator) -> Value:
        """An even draw."""
        return tuple(self.items[place] for place in rng.permutation(len(self.items)))


Variable: TypeAlias = Decision | Real | Permutation


def count_points(decisions: Iterable[Variable]) -> int:
    """How many points a list of decisions spans, conditions ignored.

    Raises:
        SpecError: a decision is a real number.
    """
    sizes = [(decision.name, decision.size) for decision in decisions]
    for name, size in sizes:
        if math.isinf(size):
            raise SpecError(Fault(f"decision {name}", "has infinitely many values", "a space of choices"))
    return math.prod(int(size) for _, size in sizes)


def check_point(decisions: tuple[Variable, ...], point: Mapping[str, Any], where: str) -> None:
    """Refuse a point that misses an active decision, names an unknown or inactive one, or takes a value not allowed.

    Raises:
        SpecError: all faults at once.
    """
    known = [decision.name for decision in decisions]
    faults = [
        Fault(where, f'unknown decision "{name}"{nearest(name, known)}', ", ".join(known))
        for name in point
        if name not in known
    ]
    for decision in decisions:
        if not all(condition.holds(point) for condition in decision.when):
            if decision.name in point:
                conditions = " and ".join(f"{c.name} in {list(c.values)}" for c in decision.when)
                faults.append(Fault(f"{where}.{decision.name}", "is given where it is inactive", f"when {conditions}"))
        elif decision.name not in point:
            faults.append(Fault(f"{where}.{decision.name}", "is missing", decision.allowed))
        elif not decision.contains(point[decision.name]):
            faults.append(Fault(f"{where}.{decision.name}", f"is {point[decision.name]!r}", decision.allowed))
    if faults:
        raise SpecError(faults)
