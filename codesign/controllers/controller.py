"""What a controller is: it is asked for points and told what became of them. Loads neither torch nor optuna.

A controller's state is a function of its context and of what it was asked and told, in order. So a run that was cut
off is gone on with by asking and telling again what the journal holds; nothing of a controller is ever saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from codesign.decisions import DecisionSpace, Point
from codesign.objectives import Goal, Outcome
from codesign.seeds import derive_seed


@dataclass(frozen=True)
class Told:
    """A point and what became of it."""

    point: Point
    outcome: Outcome


@dataclass(frozen=True)
class ControllerContext:
    """What a controller is made from.

    Attributes:
        seed: equal contexts and equal histories make equal proposals.
        space: the decisions.
        goal: objectives, limits, reward.
        batch: points that are asked for before any of them is told: a generation.
        budget: points that will be asked for in all, where it is known; else 0.
        options: all options of the controller, by name.
        hooks: what a space offers beyond its decisions, by name, e.g. "graph" (point to its `OperatorGraph`),
            "morphisms" (point to larger points that keep the function).
        start: what is known of points that are asked for first, by decision; see :class:`Started`.
    """

    seed: int
    space: DecisionSpace
    goal: Goal
    batch: int
    budget: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    hooks: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    start: tuple[Mapping[str, Any], ...] = ()

    def rng(self, *parts: int | str) -> np.random.Generator:
        """A generator for one purpose."""
        return np.random.default_rng(derive_seed(self.seed, *parts))


class Controller(Protocol):
    """Proposes points."""

    def ask(self, count: int) -> list[Point]:
        """The next ``count`` points, complete and allowed (``context.space.check`` accepts each); never fewer."""
        ...

    def tell(self, told: Sequence[Told]) -> None:
        """What became of points, in the order in which they were asked for; also points that others proposed."""
        ...


class Carrying(Controller, Protocol):
    """A controller that can begin with what another of its kind has learned of the same decisions ("carries")."""

    def inherit(self, other: Controller) -> None:
        """Take over what ``other`` has learned, before anything is asked. Its outcomes are of another task.

        Args:
            other: of the same class, over the same decisions.
        """
        ...


@runtime_checkable
class Foreseeing(Protocol):
    """A controller that makes use of what points cost before they are measured."""

    def foresees(self, price: Callable[[Point], Outcome]) -> None:
        """From now on, what is known of a point before the dear providers can be asked of ``price``; it may be slow."""
        ...


#: A context to a controller.
ControllerFactory: TypeAlias = Callable[[ControllerContext], Controller]


class Started:
    """A controller that is told of given points, and of neighbours of theirs, before it proposes any of its own.

    Args:
        inner: it.
        context: with ``start``; decisions that a start leaves open are drawn, those of other parts left out.
    """

    def __init__(self, inner: Controller, context: ControllerContext) -> None:
        self._inner, self._space, self._rng = inner, context.space, context.rng("start")
        self._first: list[Point] = []
        for given in context.start:
            if set(given) & set(context.space.names):
                point = context.space.completed(given, self._rng)
                self._first += [point] if point not in self._first else []

    def ask(self, count: int) -> list[Point]:
        """The given points until all are asked for, the last of them with neighbours; then the controller's own."""
        if not self._first:
            return self._inner.ask(count)
        out, self._first = self._first[:count], self._first[count:]
        return out + [self._space.mutate(out[place % len(out)], self._rng) for place in range(count - len(out))]

    def tell(self, told: Sequence[Told]) -> None:
        """As the controller is told."""
        self._inner.tell(told)

    def inherit(self, other: Controller) -> None:
        """As the controller inherits; only where it can."""
        assert isinstance(other, Started), "made from the same recipe"
        self._inner.inherit(other._inner)  # type: ignore[attr-defined]

    def foresees(self, price: Callable[[Point], Outcome]) -> None:
        """As the controller makes use of it."""
        if isinstance(self._inner, Foreseeing):
            self._inner.foresees(price)
