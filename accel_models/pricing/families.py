"""Accelerators that differ in buffers alone as one family: what each takes and costs, by sums over its buffers.

Every on-chip memory depends on one buffer's size, so that blocks, look-up tables, area, energies of accesses and static
power are sums of a part that all of a family share and a part of each buffer. Hence a family is described by one
template for each size of each buffer, and not by one for each combination.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from accel_models.hardware.devices import Device, DeviceKind
from accel_models.hardware.technology import Technology
from accel_models.pricing.machine import Ints, template_rows
from accel_models.template.energy import Prices
from accel_models.template.families import XC7
from accel_models.template.families import Family as Fabric
from accel_models.template.families import family_of as fabric_of
from accel_models.template.resources import area_um2, demand, fpga_room, logic, memories
from accel_models.template.spec import Template
from mappings.errors import SpecError

Floats = NDArray[np.float64]
#: The buffers that a family varies; each holds one memory, or two of one kind.
BUFFERS = ("input_buffer_bytes", "weight_buffer_bytes", "acc_buffer_bytes", "output_buffer_bytes")
#: Columns of what an accelerator takes.
DSP, BRAM18, LUT, FF, AREA, SIZE, TAKEN = range(7)
#: Where the prices of each buffer's memories stand among the figures of `Prices`: a word read, a word written.
PRICED_AT = ((4, 5), (6, 7), (8, 9), (10, 11, 12, 13))
_CYCLE, _LEAKS, _WAITS = -3, -2, -1


@dataclass(frozen=True, eq=False)
class Family:
    """Templates that differ in their four buffers.

    Attributes:
        base: one of them.
        sizes: bytes of each buffer, those that the base can have.
        row: of the base as a machine.
        combos: ``[n, 4]``, places in ``sizes`` of each accelerator that has room on the device.
        taken: ``[n, TAKEN]``, what it takes; area is not a number where it is not modelled.
        shape, figures: of the base's prices; None: the technology does not say.
        buffers: of each buffer ``[sizes, figures]``, prices of its memories, the others' 0.
        cycle_pj, static_pj: ``[n]``, energy of each cycle: clock and control; what leaks and what external memory
            takes, at 1 Hz.
    """

    base: Template
    sizes: tuple[tuple[int, ...], ...]
    row: Ints
    combos: Ints
    taken: Floats
    shape: Ints | None
    figures: Floats | None
    buffers: tuple[Floats, ...]
    cycle_pj: Floats
    static_pj: Floats

    def bytes_of(self) -> Ints:
        """``[n, 4]``, bytes of each buffer."""
        columns = [np.array(sizes)[self.combos[:, place]] for place, sizes in enumerate(self.sizes)]
        return np.column_stack(columns).astype(np.int64)

    def template(self, combo: int, clock_hz: int) -> Template:
        """One of them."""
        chosen = {name: sizes[self.combos[combo, at]] for at, (name, sizes) in enumerate(_named(self.sizes))}
        return _sized(replace(self.base, clock_hz=clock_hz), chosen)


def family_of(base: Template, sizes: Mapping[str, Sequence[int]], part: Device, tech: Technology) -> Family | None:
    """The family of a template on a device, at a clock that says nothing yet; None: none of it has room.

    Args:
        base: any clock and buffers.
        sizes: bytes by buffer.
        part: whose room binds; its clock, port and bandwidth do not here.
        tech: of the energies.
    """
    found = _possible(base, sizes)
    if found is None:
        return None
    base, kept = found
    fabric = fabric_of(part)
    start = _taken(base, tech, fabric)
    steps = []
    for name, some in zip(BUFFERS, kept, strict=True):
        steps.append(np.array([_taken(_sized(base, {name: size}), tech, fabric) - start for size in some]))
    combos = np.array(list(product(*(range(len(some)) for some in kept))), dtype=np.int64)
    taken = start + sum(step[combos[:, place]] for place, step in enumerate(steps))
    room = _has_room(taken, part)
    combos, taken = combos[room], taken[room]
    if not len(combos):
        return None
    prices = [
        [Prices.of(_sized(replace(base, clock_hz=1), {n: s}), tech, part) for s in some] for n, some in _named(kept)
    ]
    first = Prices.of(replace(base, clock_hz=1), tech, part)
    cycle, static = np.full(len(combos), np.nan), np.full(len(combos), np.nan)
    shape = figures = None
    buffers: list[Floats] = []
    if first is not None:
        shape, figures = np.array(first.shape, dtype=np.int64), np.array(first.figures)
        cycle, static = np.full(len(combos), figures[_CYCLE]), np.full(len(combos), figures[_LEAKS] + figures[_WAITS])
        for place, priced in enumerate(prices):
            told = np.array([item.figures for item in priced if item is not None])
            cycle += (told[:, _CYCLE] - figures[_CYCLE])[combos[:, place]]
            static += (told[:, _LEAKS] - figures[_LEAKS])[combos[:, place]]
            alone = np.zeros_like(told)
            alone[:, PRICED_AT[place]] = told[:, PRICED_AT[place]]
            buffers.append(alone)
    row = template_rows([base])[0]
    return Family(base, kept, row, combos, taken, shape, figures, tuple(buffers), cycle, static)


def _sized(template: Template, sizes: Mapping[str, int]) -> Template:
    """With other buffers."""
    return Template(**{**vars(template), **sizes})


def _named(kept: tuple[tuple[int, ...], ...]) -> list[tuple[str, tuple[int, ...]]]:
    return list(zip(BUFFERS, kept, strict=True))


def _possible(
    base: Template, sizes: Mapping[str, Sequence[int]]
) -> tuple[Template, tuple[tuple[int, ...], ...]] | None:
    """A template of the family that can be, and the sizes that each buffer can have beside its others."""
    for picked in product(*(sizes[name] for name in BUFFERS)):
        try:
            base = _sized(base, dict(zip(BUFFERS, picked, strict=True)))
        except SpecError:
            continue
        break
    else:
        return None
    kept = []
    for name in BUFFERS:
        some = []
        for size in sizes[name]:
            try:
                _sized(base, {name: size})
            except SpecError:
                continue
            some.append(size)
        kept.append(tuple(some))
    return base, tuple(kept)


def _taken(template: Template, tech: Technology, fabric: Fabric) -> Floats:
    """What one takes, in figures that add up over its memories."""
    stored, around = memories(template, fabric), logic(template, fabric)
    area = area_um2(template, tech)
    out = np.zeros(TAKEN)
    out[DSP] = around.dsp
    out[FF] = around.ff + sum(memory.ff for memory in stored)
    out[BRAM18] = around.blocks + sum(memory.bram18 for memory in stored)
    out[LUT] = around.lut + sum(memory.lutram for memory in stored)
    out[AREA] = np.nan if area is None else area
    out[SIZE] = sum(memory.size_bytes for memory in stored)
    return out


def resources(taken: Floats, fabric: Fabric = XC7) -> Floats:
    """``[n, 4]``: DSP, BRAM36, LUT and FF, as `demand` gives them."""
    return np.column_stack([taken[:, DSP], np.ceil(taken[:, BRAM18] / fabric.blocks36), taken[:, LUT], taken[:, FF]])


def _has_room(taken: Floats, part: Device) -> NDArray[np.bool_]:
    if part.kind is DeviceKind.FPGA:
        good = np.ones(len(taken), dtype=bool)
        for needed, bound in zip(resources(taken, fabric_of(part)).T, fpga_room(part), strict=True):
            good &= bound is None or needed <= bound
        return good
    bound = part.area_mm2
    # Sums in another order than the exact one's: what is within a hair of the bound stays, and is judged exactly later.
    return np.ones(len(taken), dtype=bool) if bound is None else ~(taken[:, AREA] / 1e6 > bound * (1 + 1e-9))


def same_demand(template: Template, row: Floats, fabric: Fabric = XC7) -> bool:
    """The sums equal what :func:`demand` says."""
    return bool(np.array_equal(resources(row[None], fabric)[0], demand(template, fabric)))
