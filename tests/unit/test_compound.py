"""Compound scaling on costs and accuracies that can be said beforehand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from codesign.decisions import Decision, DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.compound import Coefficients, Compound
from codesign.drivers.registry import DRIVERS
from codesign.objectives import Goal, Limit, Outcome
from mappings.errors import SpecError
from tests.unit.test_drivers import Memory

LADDER = tuple(range(10, 101))
SPACE = DecisionSpace(
    (
        Decision("s1_depth", "network", LADDER),
        Decision("s1_width", "network", LADDER),
        Decision("resolution", "network", LADDER),
        Decision("kernel", "network", (3, 5)),
        Decision("rows", "hardware", (4, 8)),
    )
)
#: The accuracy is the higher, the nearer the network is to the base times these, to the power of one coefficient.
TRUE = Coefficients(2**0.5, 2**0.25, 1.0)


class Ideal:
    """Cost is depth x width^2 x resolution^2; accuracy is lost by what leads away from the ideal proportions."""

    space, goal, hardware_fronts = SPACE, Goal(("accuracy",), (Limit("macs", 3e6),)), None

    def _outcome(self, point: Point, *, dear: bool) -> Outcome:
        macs = float(point["s1_depth"] * point["s1_width"] ** 2 * point["resolution"] ** 2)
        metrics = {"macs": macs}
        if dear:
            gap = abs(point["s1_depth"] / 10 - (point["s1_width"] / 10) ** 2) + abs(point["resolution"] / 10 - 1)
            metrics["accuracy"] = 1.0 - 1e4 / macs - 0.1 * gap
        return Outcome(metrics, self.goal.broken(metrics))

    def measure(self, points: Sequence[Point], *, fidelity: float = 1.0, gated: bool = True) -> list[Outcome]:
        return [self._outcome(point, dear=True) for point in points]

    def price(self, network: Point, rows: Sequence[Point]) -> list[Outcome]:
        return [self._outcome(SPACE.canonical({**network, **row}), dear=False) for row in rows]


def ran(journal: Memory, budget: int = 200, **options: object) -> Compound:
    given = DRIVERS.get("compound").checked({"grid": 4, "tolerance": 0.1, **options}, "driver")
    driver = Compound()
    driver.run(DriverContext(Ideal(), None, journal, budget, 8, 0, options=given))  # type: ignore[arg-type]
    return driver


def test_the_grid_finds_the_proportions_and_one_coefficient_keeps_them() -> None:
    journal = Memory()
    assert ran(journal).found == TRUE
    grid = [trial.told for trial in journal if trial.phase == "grid"]
    costs = [told.outcome.metrics["macs"] for told in grid]
    assert len(grid) > 5 and all(abs(cost / 1e5 - 2) <= 0.2 for cost in costs)  # 10 x 10^2 x 10^2, doubled
    scaled = [trial.told for trial in journal if trial.phase == "scaled"]
    for number, told in enumerate(scaled, 1):
        depth, width = 10 * 2 ** (number / 4), 10 * 2 ** (number / 8)
        assert abs(told.point["s1_depth"] - depth) <= 0.5 and abs(told.point["s1_width"] - width) <= 0.5
        assert told.point["resolution"] == 10 and told.point["kernel"] == 3 and told.outcome.feasible
    # It ends where the next coefficient would break the limit.
    assert 3e6 / 2**0.5 * 0.85 < scaled[-1].outcome.metrics["macs"] <= 3e6


def test_one_dimension_alone_ends_with_its_ladder() -> None:
    journal = Memory()
    driver = ran(journal, dimensions=["depth"], tolerance=0.01)
    assert driver.found == Coefficients(2.0, 1.0, 1.0)
    assert [trial.told.point["s1_depth"] for trial in journal][-1] == 100
    assert {trial.told.point["s1_width"] for trial in journal} == {10}


def test_a_killed_run_goes_on_as_it_would_have() -> None:
    whole = Memory()
    ran(whole)
    for cut in (3, len(whole) - 2):
        part = Memory(whole.trials[:cut])
        ran(part)
        assert [trial.told.point for trial in part] == [trial.told.point for trial in whole]


def test_held_decisions_do_not_scale_and_nothing_to_scale_is_told() -> None:
    journal = Memory()
    ran(journal, held={"s1_depth": 20, "kernel": 5})
    assert {(trial.told.point["s1_depth"], trial.told.point["kernel"]) for trial in journal} == {(20, 5)}
    with pytest.raises(SpecError, match="nothing that scales"):
        ran(Memory(), held={"s1_depth": 10, "s1_width": 10, "resolution": 10})
    with pytest.raises(SpecError, match="leads none of"):
        ran(Memory(), growth=50.0, dimensions=["depth"])
