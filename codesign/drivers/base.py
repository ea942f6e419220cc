"""What a driver is: it decides who is asked, what is measured, and when; the journal remembers.

A driver runs a :class:`Problem`. It asks controllers, has the problem measure what they propose, tells them, and
records it. Everything that it does is a function of the problem, its options and what the journal already holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from codesign.controllers.controller import Controller, Told
from codesign.decisions import DecisionSpace, Point
from codesign.objectives import Goal, Outcome


@dataclass(frozen=True)
class Trial:
    """One trial of the journal.

    Attributes:
        told: the point and what became of it.
        phase: of the driver, "" where it has none.
        fidelity: share of the full measurement, 1: full. Only full ones may stand on a front.
    """

    told: Told
    phase: str = ""
    fidelity: float = 1.0


class Journal(Protocol):
    """Told trials, in order; whatever is in it survives the process."""

    def __len__(self) -> int:
        """Trials so far."""
        ...

    def __iter__(self) -> Iterator[Trial]:
        """Every trial, in order."""
        ...

    def since(self, start: int) -> Sequence[Trial]:
        """Trials from a number on; what other workers of the run have told by now is among them."""
        ...

    def append(self, trials: Sequence[Trial], start: int) -> None:
        """A batch of trials, durable when it returns; all or none of it.

        Args:
            start: number of the first; what another worker has told under a number is not told again.
        """
        ...


#: Networks, each to the hardware and mapping of every design of it that no other dominates at what is known before the
#: dear providers, and perhaps some more; where none is within the bounds, of those that are nearest; none: nothing runs
#: it.
HardwareFronts = Callable[[Sequence[Point]], list[list[Point]]]


class Problem(Protocol):
    """What is searched."""

    space: DecisionSpace
    goal: Goal

    def measure(self, points: Sequence[Point], *, fidelity: float = 1.0, gated: bool = True) -> list[Outcome]:
        """Outcomes in order: every provider in turn, gates between them, equal work done once.

        Args:
            fidelity: share of the full measurement, for providers that know less than a full one.
            gated: dear providers see only designs that break no bound so far.
        """
        ...

    def price(self, network: Point, rows: Sequence[Point]) -> list[Outcome]:
        """What a network costs on each of many accelerators, in order: the providers that are not dear, alone."""
        ...

    @property
    def hardware_fronts(self) -> HardwareFronts | None:
        """How networks' fronts over the whole hardware space are proved; None: nobody can, they are priced."""
        ...


#: Makes the controller named by a recipe for a part of the space: (name of the part, its decisions, its goal).
ControllerMaker = Callable[[str, DecisionSpace, Goal], Controller]


@dataclass(frozen=True)
class DriverContext:
    """What a driver is made from.

    Attributes:
        problem: what is searched.
        make_controller: the recipe's controllers.
        journal: the study.
        budget: trials in all (networks, where a driver says so).
        batch: trials of a generation.
        seed: of the run.
        advance: called for each trial that is told, for progress.
        options: all options of the driver, by name.
        search_space: of the problem, for drivers that need more of it than its decisions.
    """

    problem: Problem
    make_controller: ControllerMaker
    journal: Journal
    budget: int
    batch: int
    seed: int
    advance: Callable[[], None] = lambda: None
    options: Mapping[str, Any] = field(default_factory=dict)
    search_space: Any = None


class Driver(Protocol):
    """How a search proceeds."""

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials."""
        ...
