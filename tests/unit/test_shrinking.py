"""Drivers that cut a network down, or choose a space, on a problem that costs nothing; distributions that narrow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.distributions import Agents, NaturalGradient, Pruned
from codesign.controllers.registry import make_controller
from codesign.decisions import Decision, DecisionSpace, Point
from codesign.drivers.base import DriverContext, Trial
from codesign.drivers.registry import DRIVERS
from codesign.drivers.space_first import SpaceFirst
from codesign.objectives import Goal, Limit, Outcome
from mappings.errors import SpecError
from tests.unit.test_drivers import Memory

LAYERS = tuple(f"l{place}.filters" for place in range(1, 5))
SPACE = DecisionSpace(tuple(Decision(name, "network", (2, 4, 6, 8)) for name in LAYERS))
#: What a layer's filters are worth: the last ones most.
WORTH = dict(zip(LAYERS, (0.1, 0.2, 0.3, 0.4), strict=True))


class Layers:
    """Cost is the sum of filters, accuracy their weighed sum."""

    def __init__(self, bound: float) -> None:
        self.space, self.goal = SPACE, Goal(("accuracy",), (Limit("macs", bound),))
        self.measured = 0

    def _outcome(self, point: Point, *, dear: bool) -> Outcome:
        metrics = {"macs": float(sum(point.values()))}
        broken = self.goal.broken(metrics)
        if dear:
            self.measured += 1
            metrics["accuracy"] = sum(WORTH[name] * value for name, value in point.items()) / 8
        return Outcome(metrics, broken, ())

    def measure(self, points: Sequence[Point], *, fidelity: float = 1.0, gated: bool = True) -> list[Outcome]:
        """Everything."""
        return [self._outcome(point, dear=True) for point in points]

    hardware_fronts = None

    def price(self, network: Point, rows: Sequence[Point]) -> list[Outcome]:
        """The cost alone."""
        return [self._outcome(network, dear=False) for _ in rows]


def _ran(name: str, problem: Layers, given: dict[str, object], budget: int) -> list[Trial]:
    def make(part: str, space: DecisionSpace, goal: Goal) -> Controller:
        return make_controller("random", ControllerContext(0, space, goal, 8, budget))

    entry, journal = DRIVERS.get(name), Memory()
    options = entry.checked(given, "driver")
    entry.load()().run(DriverContext(problem, make, journal, budget, 8, 0, options=options))
    return list(journal)


def test_each_step_goes_on_with_the_most_accurate_proposal_until_the_limit_holds() -> None:
    trials = _ran("sequential", Layers(20), {"step_share": 0.25}, 60)
    first = [trial for trial in trials if trial.phase.endswith("of 0.25")]
    steps = [[t.told for t in first if t.phase == phase] for phase in dict.fromkeys(t.phase for t in first)]
    # From 32 to 20 in steps of 3: a cut of 4 at least each. The layers that are worth least go first.
    kept = [max(step, key=lambda told: told.outcome.metrics["accuracy"]).point for step in steps]
    assert [list(point.values()) for point in kept] == [[4, 8, 8, 8], [4, 4, 8, 8], [4, 4, 4, 8]]
    assert [len(step) for step in steps] == [4, 3, 2]
    assert trials[len(first) - 1].told.outcome.feasible


def test_a_network_that_fits_is_measured_and_nothing_is_cut() -> None:
    trials = _ran("sequential", Layers(32), {}, 60)
    assert [trial.phase for trial in trials] == ["start"]


def test_steps_are_as_fine_as_the_budget_allows_and_never_beyond_it() -> None:
    assert len(_ran("sequential", Layers(20), {"step_share": 0.5}, 17)) == 17


def test_the_space_in_which_what_fits_is_largest_is_chosen_without_a_measurement() -> None:
    problem = Layers(24)
    options = DRIVERS.get("space_first").checked({"space": [LAYERS[0], LAYERS[1]], "samples": 60}, "driver")
    driver = SpaceFirst()
    context = DriverContext(problem, lambda *_: pytest.fail("asks nobody"), Memory(), 10, 8, 0, options=options)
    held = driver.chosen(context)
    assert problem.measured == 0 and len(driver.worth) == 16
    assert driver.worth[tuple(held.values())] == max(driver.worth.values()) > driver.worth[2, 2]


def test_decisions_that_are_tied_are_held_at_one_place_of_their_lists() -> None:
    options = {"space": [LAYERS[0]], "tied": list(LAYERS[1:3]), "samples": 20}
    trials = _ran("space_first", Layers(24), options, 30)
    held = {(trial.told.point[LAYERS[1]], trial.told.point[LAYERS[2]]) for trial in trials}
    assert len(held) == 1 and all(one == other for one, other in held)
    with pytest.raises(SpecError, match=r"names l1\.filters twice"):
        _ran("space_first", Layers(24), {"space": [LAYERS[0]], "tied": [LAYERS[0]]}, 30)
    unequal = DecisionSpace((*SPACE.decisions[:1], Decision("depth", "network", (1, 2))))
    with pytest.raises(SpecError, match=r"unequal choices: l1\.filters 4, depth 2"):
        SpaceFirst._spaces(unequal, (), (LAYERS[0], "depth"))


def test_nothing_leaves_the_chosen_space() -> None:
    trials = _ran("space_first", Layers(24), {"space": [LAYERS[3]]}, 30)
    assert len(trials) == 30 and len({trial.told.point[LAYERS[3]] for trial in trials}) == 1
    with pytest.raises(SpecError, match="none of 4 smaller spaces"):
        _ran("space_first", Layers(1), {"space": [LAYERS[3]]}, 30)
    with pytest.raises(SpecError, match="names depth"):
        _ran("space_first", Layers(24), {"space": ["depth"]}, 30)


@pytest.mark.parametrize("kind", [NaturalGradient, Agents, Pruned])
def test_distributions_go_to_what_is_better(kind: type[NaturalGradient | Agents | Pruned]) -> None:
    name = {NaturalGradient: "natural_gradient", Agents: "agents", Pruned: "pruned"}[kind]
    wide = DecisionSpace(tuple(Decision(f"d{place}", "network", (0, 1, 2)) for place in range(8)))
    controller = make_controller(name, ControllerContext(1, wide, Goal(("accuracy",)), 12, 240))
    assert isinstance(controller, kind) and controller.certainty() == pytest.approx(0)
    means = []
    for _ in range(20):
        points = controller.ask(12)
        worth = [float(sum(point.values())) for point in points]
        means.append(np.mean(worth))
        controller.tell([Told(p, Outcome({"accuracy": w}, (), ())) for p, w in zip(points, worth, strict=True)])
    assert controller.certainty() > 0.03 and np.mean(means[-5:]) > 9.0  # evenly: 8
    assert all(share.sum() == pytest.approx(1) and (share >= 0).all() for share in controller.shares.values())
