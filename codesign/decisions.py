"""Decisions: the named choices of which a search space is an ordered list."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mappings.errors import Fault, SpecError, nearest

Choice: TypeAlias = int | str
Point: TypeAlias = dict[str, Choice]


@dataclass(frozen=True)
class Decision:
    """One named choice.

    Attributes:
        name: unique in its space.
        group: what it belongs to: "network", "compression" or "hardware".
        choices: what may be chosen, in a meaningful order; no value twice.
    """

    name: str
    group: str
    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        if not self.choices or len(set(self.choices)) != len(self.choices):
            raise SpecError(Fault(f"decision {self.name}", f"choices are {list(self.choices)}", "distinct values"))


def count_points(decisions: Iterable[Decision]) -> int:
    """How many points a list of decisions spans."""
    return math.prod(len(decision.choices) for decision in decisions)


def check_point(decisions: tuple[Decision, ...], point: Mapping[str, Choice], where: str) -> None:
    """Refuse a point that misses a decision, names an unknown one, or takes a value that is no choice.

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
        allowed = ", ".join(map(str, decision.choices))
        if decision.name not in point:
            faults.append(Fault(f"{where}.{decision.name}", "is missing", allowed))
        elif point[decision.name] not in decision.choices:
            faults.append(Fault(f"{where}.{decision.name}", f"is {point[decision.name]!r}", allowed))
    if faults:
        raise SpecError(faults)
