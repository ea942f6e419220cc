"""The data-centric directives (Kwon 2019): the one language in which every dataflow is written.

``TemporalMap(size, offset) dim`` hands the level below tiles of ``size`` along ``dim``, one after another,
``offset`` apart; ``SpatialMap`` hands neighbouring tiles to neighbouring sub-units at the same time;
``Cluster(n)`` closes a level: below it, one sub-unit is a group of ``n``. The order of the maps in a level
is its loop order, outermost first.
"""

from __future__ import annotations

from dataclasses import dataclass

from mappings.errors import Fault, SpecError


@dataclass(frozen=True)
class _Map:
    """``size`` elements of ``dim`` a step, steps ``offset`` apart (``offset`` = ``size`` unless given)."""

    dim: str
    size: int
    offset: int = 0

    def __post_init__(self) -> None:
        if self.offset == 0:
            object.__setattr__(self, "offset", self.size)
        if self.size < 1 or self.offset < 1:
            raise SpecError(Fault(str(self), "size and offset", "integers of 1 or more"))

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.size},{self.offset}) {self.dim}"


class TemporalMap(_Map):
    """Tiles one after another in time."""


class SpatialMap(_Map):
    """Tiles side by side over the sub-units, then in time where they do not suffice."""


@dataclass(frozen=True)
class Cluster:
    """Closes a level; the level below has ``size`` sub-units."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise SpecError(Fault(f"Cluster({self.size})", "size", "an integer of 1 or more"))

    def __str__(self) -> str:
        return f"Cluster({self.size})"


Map = TemporalMap | SpatialMap
Directive = TemporalMap | SpatialMap | Cluster


def split_levels(directives: tuple[Directive, ...]) -> tuple[tuple[Map, ...], ...]:
    """The maps of each level, outermost first: ``k`` Clusters make ``k + 1`` levels."""
    levels: list[list[Map]] = [[]]
    for directive in directives:
        if isinstance(directive, Cluster):
            levels.append([])
        else:
            levels[-1].append(directive)
    return tuple(tuple(level) for level in levels)
