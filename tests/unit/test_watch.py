"""How a search at work is told: what is measured at less than full fidelity is no front, and no broken bound."""

from __future__ import annotations

from typing import cast

from codesign.controllers.controller import Told
from codesign.drivers.base import Journal, Trial
from codesign.explorer.watch import Watch
from codesign.objectives import Outcome
from codesign.recipe import Recipe


def _trial(fidelity: float) -> Trial:
    return Trial(Told({}, Outcome({"accuracy": 0.5, "latency_ms": 1.0, "energy_uj": 2.0})), "", fidelity)


def test_a_part_measured_is_told_as_that() -> None:
    journal = [_trial(0.5), _trial(0.5)]
    watch = Watch(Recipe(), cast(Journal, journal))
    assert watch.glance().line == "0 networks trained, 2 of 2 designs feasible, none measured in full yet"
    journal.append(_trial(1.0))
    assert watch.glance().line.startswith("3 of 3 designs feasible, 1 measured in full, 1 on the front; best ")
    journal[:2] = []
    assert watch.glance().line.startswith("1 of 1 design feasible, 1 on the front; best ")
