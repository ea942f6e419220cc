"""Choices that a device rules out whatever else is chosen: they leave the space, so that no trial is spent on them.

A choice is ruled out where, with every other knob at its least and under each array and each number of rows and
columns, the accelerator breaks one of these bounds: clock, memory port and bandwidth, multipliers, memory blocks. Such
a demand only grows with the other knobs and with wider data, so nothing that fits is lost. Look-up tables are left out:
a shallow memory takes more of them than a deep one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from accel_models.hardware.devices import Device
from accel_models.template.resources import fits
from accel_models.template.spec import Template
from codesign.decisions import Choice, Decision, Variable
from mappings.errors import SpecError

#: Bounds whose demand grows with every knob.
_GROWING = {"clock", "memory port", "burst length", "memory bandwidth", "DSP", "BRAM36"}
_SHAPE = ("array", "rows", "cols")
_HARDWARE = "hardware"


def possible(
    decisions: tuple[Variable, ...], part: Device, template_at: Callable[[Mapping[str, Any]], Template]
) -> tuple[Variable, ...]:
    """Decisions without the hardware choices that the device rules out; one that would have none left keeps all.

    Args:
        decisions: of the whole space, as restricted.
        template_at: the accelerator with the narrowest data at a point of the hardware decisions.
    """
    own = [item for item in decisions if item.group == _HARDWARE and isinstance(item, Decision)]
    least = {item.name: item.choices[0] if item.name in _SHAPE else _smallest(item) for item in own}
    shapes = [item for item in own if item.name in _SHAPE]

    def ruled_out(item: Decision, choice: Choice) -> bool:
        free = [shape.choices for shape in shapes if shape is not item]
        names = [shape.name for shape in shapes if shape is not item]
        for picked in product(*free):
            point = {**least, **dict(zip(names, picked, strict=True)), item.name: choice}
            try:
                broken = {bound.resource for bound in fits(template_at(point), part)}
            except SpecError:
                return False  # no such accelerator at this corner: nothing is proved
            if not broken & _GROWING:
                return False
        return True

    out: list[Variable] = []
    for item in decisions:
        mine = isinstance(item, Decision) and item.group == _HARDWARE
        out.append(replace(item, choices=_left(item, ruled_out)) if mine and isinstance(item, Decision) else item)
    return tuple(out)


def _smallest(item: Decision) -> Choice:
    return min(choice for choice in item.choices if not isinstance(choice, str))


def _left(item: Decision, ruled_out: Callable[[Decision, Choice], bool]) -> tuple[Choice, ...]:
    kept = tuple(choice for choice in item.choices if not ruled_out(item, choice))
    return kept or item.choices
