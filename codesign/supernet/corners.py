"""The corners of a network space: its largest and smallest network, and networks that show every shared layer.

A space need not say which way its decisions grow: the multiply-accumulates of what it builds do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from codesign.decisions import Decision, DecisionSpace, Point
from mappings.workload import Workload

WorkloadAt = Callable[[Point], Workload]

#: Kinds of decisions, by how their names end; what ends otherwise is a choice of structure.
KINDS = ("kernel", "depth", "width", "expansion", "resolution", "bits")

#: Networks drawn evenly beside those that are constructed.
DRAWS = 500


def kind_of(name: str) -> str:
    """ "kernel", "depth", "width", "expansion", "resolution", "bits", or "choice"."""
    last = name.rpartition("_")[2]
    return last if last in KINDS else "choice"


def _extent(workload: Workload) -> tuple[float, ...]:
    weights = [layer.channels_out * layer.C * layer.R * layer.S * layer.bits.W for layer in workload.layers]
    return float(workload.macs), float(sum(weights)), float(workload.layers[0].bits.O)


@dataclass(frozen=True)
class Corners:
    """Extremes of a space.

    Attributes:
        space: its decisions; all are lists of choices.
        workload_at: the network at a point.
        largest, smallest: points with the most and fewest multiply-accumulates that changing one decision at a time
            leads to.
        parts: prefixes of the names of layers that networks leave out together, or not at all.
    """

    space: DecisionSpace
    workload_at: WorkloadAt
    largest: Point
    smallest: Point
    parts: tuple[str, ...] = ()

    @classmethod
    def of(cls, space: DecisionSpace, workload_at: WorkloadAt, parts: tuple[str, ...] = ()) -> Corners:
        """Find them.

        Raises:
            SpecError: a decision is no list of choices.
        """
        return cls(space, workload_at, _climb(space, workload_at, 1), _climb(space, workload_at, -1), parts)

    def covering(self, *, kernels: bool = False) -> Iterator[Workload]:
        """Networks that together show every layer at its largest: the largest one with each decision changed.

        Args:
            kernels: each layer at each kernel size as well: choices of structure are combined with those of kernels.
        """
        for decision in self.space.choices:
            for value in decision.choices:
                yield self.workload_at(self._changed(self.largest, decision, value))
        kinds = {kind: [d for d in self.space.choices if kind_of(d.name) == kind] for kind in ("choice", "kernel")}
        for first, second in product(kinds["choice"], kinds["kernel"]) if kernels else ():
            for value, size in product(first.choices, second.choices):
                yield self.workload_at(self._changed(self._changed(self.largest, first, value), second, size))
        rng = np.random.default_rng(0)  # layers that some coincidence brings (a shortcut where two widths are equal)
        for _ in range(DRAWS):
            yield self.workload_at(self.space.draw(rng))

    def _changed(self, base: Point, decision: Decision, value: object) -> Point:
        return _completed(self.space, {**base, decision.name: value})


def _completed(space: DecisionSpace, values: Point) -> Point:
    """A point; decisions that become active without a value take their last choice."""
    filled = {d.name: d.choices[-1] for d in space.choices} | values
    return space.canonical(filled)


def _climb(space: DecisionSpace, workload_at: WorkloadAt, sign: int) -> Point:
    """One decision after another takes the choice that makes the network largest (-1: smallest); twice round."""
    choices = space.choices
    point = _completed(space, {d.name: d.choices[-1 if sign > 0 else 0] for d in choices})
    for _ in range(2):
        for decision in choices:
            if decision.name not in point:
                continue
            found = [_completed(space, {**point, decision.name: value}) for value in decision.choices]
            extents = [tuple(sign * part for part in _extent(workload_at(item))) for item in found]
            point = found[int(max(range(len(found)), key=lambda place: (extents[place], place * sign)))]
    return point
