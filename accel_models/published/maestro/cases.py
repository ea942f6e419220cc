"""Iteration cases: each directive is in one of a few states, and a case is one state of each (MODEL 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from accel_models.published.maestro.levels import Level, quotient
from mappings.directives import Map, SpatialMap
from mappings.errors import Fault, SpecError

MAX_CASES_PER_LEVEL = 20_000
"""Nine directives with three states each; beyond it a mapping file is refused instead of running for minutes."""

_INT32_SPAN = 1 << 32


class Position(Enum):
    """Where a directive's iteration stands."""

    INIT = "first tile"
    STEADY = "middle tiles"
    EDGE = "last, ragged tile"


@dataclass(frozen=True, slots=True)
class State:
    """One state of one directive.

    Attributes:
        position: where the iteration stands.
        occurrences: how often the state occurs.
        unrolled: the first tile is the only one.
        at_edge: the tile is ragged: the last one, or a first one that its dim does not fill.
        ragged_unit: of a SpatialMap at its edge: the last active unit holds a smaller tile than the others.
    """

    position: Position
    occurrences: int
    unrolled: bool = False
    at_edge: bool = False
    ragged_unit: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One combination of states.

    Attributes:
        states: one of each directive.
        occurrences: product of the states' occurrences, wrapped to 32 bits as MAESTRO does (Q12).
        wrapped: whether the product did not fit.
        changed: index of the innermost directive that is past its first tile; -1 for none.
    """

    states: tuple[State, ...]
    occurrences: int
    wrapped: bool
    changed: int


def directive_states(item: Map, size: int, units: int) -> tuple[State, ...]:
    """The states of one directive over a dim of ``size`` elements (the tile really handed down)."""
    if isinstance(item, SpatialMap):
        return _spatial_states(item, size, units)
    states = [State(Position.INIT, 1, unrolled=size <= item.size, at_edge=size < item.size)]
    if item.size <= size:
        steps = (size - item.size) // item.offset
        if steps > 0:
            states.append(State(Position.STEADY, steps))
        if steps * item.offset + item.size < size:
            states.append(State(Position.EDGE, 1, at_edge=True))
    return tuple(states)


def _spatial_states(item: SpatialMap, size: int, units: int) -> tuple[State, ...]:
    covered = item.size + item.offset * (units - 1)
    states = [State(Position.INIT, 1, unrolled=size <= covered, at_edge=size < covered, ragged_unit=size < covered)]
    if size > covered:
        folds = quotient((size - item.size) // item.offset + 1, units) - 1
        if folds > 0:
            states.append(State(Position.STEADY, folds))
        step = item.offset * units
        if (folds + 1) * step + covered > size and folds * step + covered != size:
            left = size - (folds + 1) * step
            active = 1 if left < item.size else (left - item.size) // item.offset + 1
            ragged = (active - 1) * item.offset + item.size < left
            states.append(State(Position.EDGE, 1, at_edge=True, ragged_unit=ragged))
    return tuple(states)


def enumerate_cases(level: Level, dims: dict[str, int]) -> Iterator[Case]:
    """All cases of a level in MAESTRO's order, which the figures of the first and the last case depend on (Q15).

    Args:
        level: the level.
        dims: sizes of the tile that it really receives.

    Raises:
        SpecError: too many cases, or a count that MAESTRO's 32-bit assertion rejects.
    """
    choices = [directive_states(item, dims[item.dim], level.units) for item in level.maps]
    total = 1
    for states in choices:
        total *= len(states)
    if total > MAX_CASES_PER_LEVEL:
        raise SpecError(Fault(level.place, f"{total} iteration cases", f"at most {MAX_CASES_PER_LEVEL}"))
    strides: list[int] = []
    inner = 1
    for states in reversed(choices):
        strides.append(inner)
        inner *= len(states)
    strides.reverse()
    for number in range(total):
        picked = tuple(
            states[-(-number // stride) % len(states)] for states, stride in zip(choices, strides, strict=True)
        )
        yield _case(picked, level.place)


def _case(states: tuple[State, ...], place: str) -> Case:
    true_occurrences = 1
    changed = -1
    for index, state in enumerate(states):
        true_occurrences *= state.occurrences
        if state.position is not Position.INIT:
            changed = index
    occurrences = true_occurrences % _INT32_SPAN
    if occurrences >= _INT32_SPAN // 2:
        occurrences -= _INT32_SPAN
    if occurrences <= 0:
        raise SpecError(
            Fault(
                place,
                f"one iteration case occurs {true_occurrences} times: MAESTRO's 32-bit counter overflows",
                "larger tiles",
            )
        )
    return Case(states, occurrences, occurrences != true_occurrences, changed)
