"""What every controller must do, as a test class that a plug-in's tests inherit.

class TestMine(ControllerConformance):
    controller = "mine"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accel_models.report import Infeasible
from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.registry import CONTROLLERS, make_controller
from codesign.decisions import Decision, DecisionSpace, Permutation, Point, Real, When
from codesign.objectives import Goal, Outcome
from codesign.objectives.rewards import SoftConstraint


class ControllerConformance:
    """Inherit, and name the controller.

    Attributes:
        controller: registered name.
        options: those that the tests set, such as a start short enough to learn within them.
    """

    controller: str
    options: Mapping[str, Any] = {}
    space = DecisionSpace(
        (
            Decision("depth", "network", (1, 2, 3, 4)),
            Decision("kind", "hardware", ("a", "b", "c"), ordered=False),
            Decision("only", "hardware", (7,)),
            Decision("taps", "hardware", (1, 3, 5), when=(When("kind", ("b", "c")),)),
            *(Decision(f"width{index}", "network", (8, 16, 24, 32)) for index in range(4)),
        )
    )
    mixed = DecisionSpace(
        (
            *space.decisions,
            Real("ratio", "mapping", 0.1, 10.0, log=True),
            Permutation("order", "mapping", ("K", "C", "P")),
        )
    )
    batch = 8

    def evaluate(self, point: Point) -> Outcome:
        """Accuracy, latency, energy; every decision matters, and a third of the space is over its budget."""
        widths = [int(point[f"width{index}"]) for index in range(4)]
        size = int(point["depth"]) * sum(widths)
        slow = {"a": 1.0, "b": 1.5, "c": 3.0}[str(point["kind"])] / (1.0 + 0.2 * point.get("taps", 1))
        slow *= 1.0 + abs(float(point.get("ratio", 1.0)) - 1.0)
        slow *= 1.0 + 0.1 * point.get("order", ("K",)).index("K")
        figures = {"accuracy": 1.0 - 1.0 / (1 + size / 40), "latency_ms": slow * size / 100, "energy_uj": size / 50}
        broken = (Infeasible("size", size, 300, "channels", "fewer"),) if size > 300 else ()
        return Outcome(figures, broken)

    def make(self, seed: int, space: DecisionSpace | None = None, goal: Goal | None = None) -> Controller:
        """A controller of that seed."""
        context = ControllerContext(seed, space or self.space, goal or Goal(), self.batch, 64, self.options)
        return make_controller(self.controller, context)

    def run(self, controller: Controller, batches: int) -> list[Told]:
        """Everything told in that many batches."""
        told: list[Told] = []
        for _ in range(batches):
            batch = [Told(point, self.evaluate(point)) for point in controller.ask(self.batch)]
            controller.tell(batch)
            told += batch
        return told

    @staticmethod
    def points(told: Sequence[Told]) -> list[Point]:
        """Of trials."""
        return [item.point for item in told]

    def test_registered_with_a_summary_and_a_source(self) -> None:
        """It is found by name, and says in a line what it is and whose."""
        entry = CONTROLLERS.get(self.controller)
        assert entry.summary
        assert entry.source

    def test_proposes_points_of_the_space(self) -> None:
        """Every proposal has every active decision, with one of its choices, and no other."""
        for point in self.points(self.run(self.make(3), 8)):
            self.space.check(point)

    def test_takes_reals_and_orders_or_refuses_them(self) -> None:
        """A space with numbers and orders is searched, or refused when the controller is made."""
        if CONTROLLERS.get(self.controller).discrete:
            try:
                self.make(3, self.mixed)
            except ValueError as error:
                assert "lists of choices" in str(error)
            else:
                raise AssertionError("a space that it cannot search was taken")
            return
        for point in self.points(self.run(self.make(3, self.mixed), 8)):
            self.mixed.check(point)

    def test_equal_seeds_propose_equally(self) -> None:
        """A seed fixes the run; another seed is another run."""
        first, second, other = (self.run(self.make(seed), batches) for seed, batches in ((5, 8), (5, 8), (6, 1)))
        assert self.points(first) == self.points(second)
        assert self.points(first)[: self.batch] != self.points(other)

    def test_explores(self) -> None:
        """Proposals of one batch differ."""
        points = self.points(self.run(self.make(1), 1))
        assert len({tuple(sorted(point.items())) for point in points}) > self.batch // 2

    def test_proposes_nothing_twice(self) -> None:
        """While the space has others: a known point costs a trial and tells nothing."""
        small = DecisionSpace(tuple(Decision(f"width{index}", "network", (8, 16, 24, 32, 40)) for index in range(3)))
        controller, told = self.make(3, small), list[Told]()
        for _ in range(8):
            batch = [
                Told(point, self.evaluate({"depth": 2, "kind": "a", "width3": 8, **point}))
                for point in controller.ask(8)
            ]
            controller.tell(batch)
            told += batch
        assert len({tuple(point.items()) for point in self.points(told)}) == 64

    def test_told_again_it_goes_on_as_before(self) -> None:
        """Asked and told what a journal holds, a new one proposes what the old one would have."""
        old = self.make(9)
        history = self.run(old, 7)
        new = self.make(9)
        for first in range(0, len(history), self.batch):
            assert new.ask(self.batch) == self.points(history[first : first + self.batch])
            new.tell(history[first : first + self.batch])
        assert new.ask(self.batch) == old.ask(self.batch)

    def test_learns_from_points_that_others_proposed(self) -> None:
        """Trials that it never asked for are told like its own."""
        history = self.run(self.make(2), 6)
        controller = self.make(4)
        controller.tell(history)
        for point in controller.ask(self.batch):
            self.space.check(point)

    def test_climbs_a_reward(self) -> None:
        """With a reward instead of a front it proposes points as well."""
        goal = Goal(reward=SoftConstraint(target=1.0))
        for point in self.points(self.run(self.make(3, goal=goal), 8)):
            self.space.check(point)

    def test_a_space_where_nothing_fits(self) -> None:
        """Only infeasible trials: it goes on proposing."""
        controller = self.make(3)
        for _ in range(4):
            batch = [Told(point, Outcome({}, (Infeasible("x", 2, 1, "", ""),))) for point in controller.ask(self.batch)]
            controller.tell(batch)
        assert len(controller.ask(5)) == 5
