"""What a gradient can choose among: parts of a network whose alternatives take one tensor and give one of one shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from codesign.decisions import Choice, DecisionSpace, Point
from mappings.errors import Fault, SpecError


@dataclass(frozen=True)
class Cell:
    """One part.

    Attributes:
        prefix: its layers' names begin with it.
        arms: its alternatives: values of its decisions.
    """

    prefix: str
    arms: tuple[Mapping[str, Choice], ...]


def cells_of(network: Any, space: DecisionSpace, base: Point) -> tuple[Cell, ...]:
    """The cells of a network space that have something to choose, in order.

    Args:
        network: a network space that offers ``cells``: (prefix, names of decisions) pairs.
        space: its decisions as restricted.
        base: a point at which all other decisions are held.

    Raises:
        SpecError: nothing is left to choose.
    """
    known = {decision.name: decision for decision in space.choices}
    out = []
    for prefix, names in network.cells:
        free = [known[name] for name in names if name in known]
        arms: list[Mapping[str, Choice]] = []
        for values in product(*(decision.choices for decision in free)):
            point = space.canonical({**base, **dict(zip((d.name for d in free), values, strict=True))})
            arm = {name: point[name] for name in names if name in point}
            if arm not in arms:
                arms.append(arm)
        if len(arms) > 1:
            out.append(Cell(prefix, tuple(arms)))
    if not out:
        raise SpecError(
            Fault("driver gradient", "has nothing to choose: each cell has one alternative", "more choices")
        )
    return tuple(out)


def with_arms(space: DecisionSpace, base: Point, cells: tuple[Cell, ...], places: tuple[int, ...]) -> Point:
    """The point with an arm of each cell."""
    values = dict(base)
    for cell, place in zip(cells, places, strict=True):
        for name in {name for arm in cell.arms for name in arm}:
            values.pop(name, None)
        values.update(cell.arms[place])
    filled = {d.name: d.choices[-1] for d in space.choices} | values
    return space.canonical(filled)
