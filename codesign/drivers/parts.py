"""Parts of a space and of its points, for drivers that search them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.spaces.search_space import HARDWARE_GROUPS, NETWORK_GROUPS
from mappings.errors import Fault, SpecError

#: What belongs to each part: the compression to the network, the mapping to the hardware.
PART_GROUPS = {"network": NETWORK_GROUPS, "hardware": HARDWARE_GROUPS}


def part_space(context: DriverContext, part: str) -> DecisionSpace:
    """The decisions of one part.

    Raises:
        SpecError: it has none: there is nothing to search apart.
    """
    space = context.problem.space.of_groups(*PART_GROUPS[part])
    if not space.decisions:
        what = f"the space decides nothing of the {part}, so there is nothing to search apart"
        raise SpecError(Fault("driver", what, "ask_tell"))
    return space


def part_of(space: DecisionSpace, point: Mapping[str, Any]) -> Point:
    """A point's values of one part."""
    return {name: point[name] for name in space.names if name in point}


def joined(context: DriverContext, *parts: Mapping[str, Any]) -> Point:
    """A whole point from parts, in the space's order."""
    values: Point = {}
    for part in parts:
        values.update(part)
    return context.problem.space.canonical(values)
