"""Parts of a space and of its points, for drivers that search them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.objectives import Limit
from codesign.seeds import derive_seed
from codesign.spaces.search_space import HARDWARE_GROUPS, PART_GROUPS, SearchSpace
from mappings.errors import Fault, SpecError
from mappings.workload import Workload

_Options = TypeVar("_Options")


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


def uncompressed(context: DriverContext, driver: str) -> tuple[Point, Workload, SearchSpace]:
    """The point that compresses nothing, each decision its last choice, its workload, and the space.

    Decisions of network and hardware are those of the option ``held``; else the last choice of the network's, and drawn
    ones of the hardware's.

    Args:
        driver: whose draws these are.
    """
    space, decisions = context.search_space, context.problem.space
    assert isinstance(space, SearchSpace), "a driver that needs subjects is given the space that has them"
    rng, given = np.random.default_rng(derive_seed(context.seed, driver, "held")), dict(context.options["held"])
    hardware, networks = decisions.of_groups(*HARDWARE_GROUPS).completed(given, rng), decisions.of_groups("network")
    network = networks.canonical({d.name: d.choices[-1] for d in networks.choices} | given)
    compression = {d.name: d.choices[-1] for d in decisions.of_groups("compression").choices}
    whole = joined(context, compression, network, hardware)
    workload = space.network.network_at(whole).workload
    assert workload is not None, "a space that is compressed has workloads"
    return whole, workload, space


def tightest_limit(context: DriverContext, point: Point) -> Limit | None:
    """Of the limits that the cheap providers know, the one that a point breaks most; None: they know none."""
    (outcome,) = context.problem.price(point, [{}])
    limits = [limit for limit in context.problem.goal.limits if limit.metric in outcome.metrics]
    return max(limits, key=lambda limit: limit.excess(outcome.metrics[limit.metric]), default=None)


def options_of(kind: type[_Options], context: DriverContext) -> _Options:
    """A driver's options that a dataclass has fields for, as one."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type] # a dataclass
    return kind(**{name: value for name, value in context.options.items() if name in names})
