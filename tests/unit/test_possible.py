"""Choices that a device rules out leave the space, and nothing that fits goes with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accel_models.hardware.devices import device
from accel_models.template.resources import fits
from accel_models.template.spec import Template
from codesign.decisions import Decision, DecisionSpace
from codesign.spaces.hardware.templates import FullTemplateSpace, TemplateSpace


@pytest.mark.parametrize("name", ["zynq7020", "ecp5_85k", "zcu104"])
@pytest.mark.parametrize("bits", [(4, 4), (8, 8)])
def test_nothing_that_fits_is_lost(name: str, bits: tuple[int, int]) -> None:
    space, part, rng = FullTemplateSpace(), device(name), np.random.default_rng(7)
    left = {item.name: item.choices for item in space.possible(space.decisions, part) if isinstance(item, Decision)}
    whole = DecisionSpace(space.decisions)
    found = 0
    for _ in range(1500):
        point = whole.draw(rng) | {"clock_mhz": int(rng.choice([25, 50, 100])), "axi_bits": 32, "ppu_lanes": 1}
        point |= {"nonlinear_lanes": 0} | ({"rows": 4, "cols": 4} if rng.random() < 0.5 else {})
        if not fits(space._template(point, *bits), part):
            found += 1
            assert all(point[key] in choices for key, choices in left.items())
    assert found > 20


def test_a_clock_that_no_routing_reaches_is_left_out() -> None:
    space = TemplateSpace()
    left = {item.name: item.choices for item in space.possible(space.decisions, device("zynq7020"))}
    assert left["clock_mhz"] == (25, 50, 75, 100)
    assert left["rows"] == (4, 8, 16, 32)


def test_a_decision_with_nothing_left_keeps_its_choices() -> None:
    decisions = tuple(
        Decision("clock_mhz", "hardware", (150, 200)) if item.name == "clock_mhz" else item
        for item in TemplateSpace().decisions
    )
    left = {item.name: item.choices for item in TemplateSpace().possible(decisions, device("zynq7020"))}
    assert left["clock_mhz"] == (150, 200)


@pytest.mark.parametrize(("name", "widths"), [("zynq7020", (32, 64)), ("zcu104", (32, 64, 128))])
def test_a_bus_that_the_memory_port_does_not_have_is_left_out(name: str, widths: tuple[int, ...]) -> None:
    space = TemplateSpace()
    left = {item.name: item.choices for item in space.possible(space.decisions, device(name))}
    assert left["axi_bits"] == widths


def test_bursts_and_buses_beyond_the_port_are_named() -> None:
    part, template = device("zynq7020"), Template(rows=4, cols=4, clock_hz=50_000_000, dram_bytes_per_cycle=8)
    wide = {item.resource for item in fits(replace(template, axi_bits=128), part)}
    long = {item.resource for item in fits(replace(template, axi_bits=64, axi_burst_beats=32), part)}
    assert wide == {"memory port"}
    assert long == {"burst length"}
