"""One network's front over every accelerator of a template space, found by proofs (`accel_models.pricing.whole`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from accel_models.hardware.devices import Device
from accel_models.hardware.technology import technology
from accel_models.pricing.best_first import FIGURES
from accel_models.pricing.families import BUFFERS, Family, family_of
from accel_models.pricing.whole import Account, WholeSpace
from codesign.decisions import Choice, Decision, Point
from codesign.objectives import Goal
from codesign.recipe_plans import MOST_PROVED
from codesign.spaces.hardware.templates import TemplateSpace, data_bits
from codesign.spaces.search_space import SearchSpace
from mappings.workload import Workload

#: More families (accelerators that differ in more than buffers and clock) than these are not looked at one by one.
_MOST_FAMILIES, _MOST_DESIGNS = 4_000, MOST_PROVED
_KIB, _MHZ = 1024, 1_000_000
_CLOCK = "clock_mhz"
_BUFFER_OF = {name.replace("_bytes", "_kib"): name for name in BUFFERS}


class WholeHardware:
    """All accelerators and caps of a space.

    Args:
        space: of templates, with the templates' own tiles under caps; every decision a plain choice.
        part: the device.
        goal: its objectives and limits on :data:`FIGURES` count; what else it names does not depend on the hardware.
    """

    def __init__(self, space: SearchSpace, part: Device, goal: Goal, known: Sequence[str]) -> None:
        self._space, self._part = space, part
        self._objectives = [name for name in goal.objectives if name in known]
        self._limits = {limit.metric: limit.bound for limit in goal.limits if limit.metric in known}
        hardware = [item for item in space.decisions.decisions if item.group == "hardware"]
        mapping = [item for item in space.decisions.decisions if item.group == "mapping"]
        self._choices = {item.name: item.choices for item in hardware if isinstance(item, Decision)}
        shared = [name for name in self._choices if name not in _BUFFER_OF and name != _CLOCK]
        self._shapes: list[Point] = _points(shared, [self._choices[name] for name in shared])
        self._caps: list[Point] = _points(
            [item.name for item in mapping], [item.choices for item in mapping if isinstance(item, Decision)]
        )
        self._by_bits: dict[tuple[int, int], tuple[list[Point], list[Family], WholeSpace]] = {}
        #: Of the latest network: how its front was found.
        self.account = Account(0, 0, 0)

    @staticmethod
    def covers(space: SearchSpace, goal: Goal, known: Sequence[str]) -> bool:
        """Whether the space is one of templates whose buffers and clock are plain choices, and not too large."""
        names = (*goal.objectives, *(limit.metric for limit in goal.limits))
        parts = [item for item in space.decisions.decisions if item.group in ("hardware", "mapping")]
        plain = all(isinstance(item, Decision) and not item.when for item in parts)
        if not isinstance(space.hardware, TemplateSpace) or not hasattr(space.mapping, "caps") or not plain:
            return False
        sizes = {item.name: len(item.choices) for item in parts if isinstance(item, Decision)}
        if not {*_BUFFER_OF, _CLOCK} <= set(sizes) or not space.accelerators <= _MOST_DESIGNS:
            return False
        families = 1
        for item in parts:
            if item.group == "hardware" and item.name not in _BUFFER_OF and item.name != _CLOCK:
                families *= sizes[item.name]
        return families <= _MOST_FAMILIES and all(name in FIGURES for name in names if name in known)

    def _made(self, workload: Workload) -> tuple[list[Point], list[Family], WholeSpace]:
        bits = data_bits(workload)
        found = self._by_bits.get(bits)
        if found is None:
            tech = technology(self._part.technology)
            sizes = {BUFFERS[at]: [_KIB * int(c) for c in self._choices[n]] for at, n in enumerate(_BUFFER_OF)}
            start = {name: max(self._choices[name], key=int) for name in (*_BUFFER_OF, _CLOCK)}
            shapes, families = list[Point](), list[Family]()
            for shape in self._shapes:
                base = self._space.hardware.hardware_at({**shape, **start}, workload)
                family = family_of(base, sizes, self._part, tech)
                if family is not None:
                    shapes.append(shape)
                    families.append(family)
            clocks = [int(choice) * _MHZ for choice in self._choices[_CLOCK]]
            caps = [self._space.mapping.caps(point) for point in self._caps]  # type: ignore[attr-defined]
            found = self._by_bits[bits] = shapes, families, WholeSpace(self._part, families, clocks, caps)
        return found

    def front(self, workload: Workload) -> list[Point]:
        """Hardware and mapping decisions of the front, and of what differs from it in last digits alone.

        Where no accelerator meets the limits, those that are nearest; where none with room runs the network, the
        largest of each family.
        """
        shapes, families, whole = self._made(workload)
        picked, self.account = whole.front(workload, self._objectives, self._limits)
        if not picked:
            largest = {name: max(self._choices[name], key=int) for name in _BUFFER_OF}
            slowest = min(self._choices[_CLOCK], key=int)
            return [{**shape, **largest, _CLOCK: slowest, **self._caps[0]} for shape in self._shapes]
        out = []
        for item in picked:
            family = families[item.family]
            point: dict[str, Choice] = dict(shapes[item.family])
            for at, name in enumerate(_BUFFER_OF):
                point[name] = _choice(self._choices[name], family.sizes[at][family.combos[item.combo, at]] // _KIB)
            point[_CLOCK] = _choice(self._choices[_CLOCK], item.clock_hz // _MHZ)
            out.append({**point, **self._caps[item.cap]})
        return out


def _choice(choices: tuple[Choice, ...], value: int) -> Choice:
    return next(choice for choice in choices if int(choice) == value)


def _points(names: Sequence[str], choices: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(zip(names, values, strict=True)) for values in product(*choices)]
