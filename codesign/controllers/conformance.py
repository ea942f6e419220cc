"""What every controller must do, as a test class that a plug-in's tests inherit.

class TestMine(ControllerConformance):
    controller = "mine"
"""

from __future__ import annotations

import optuna

from codesign.controllers.base import CONTROLLERS, ControllerContext, make_sampler
from codesign.controllers.samplers import distributions
from codesign.decisions import Choice, Decision, Point


class ControllerConformance:
    """Inherit, and name the controller.

    Attributes:
        controller: registered name.
    """

    controller: str
    decisions = (
        Decision("depth", "network", (1, 2, 3, 4)),
        Decision("kind", "hardware", ("a", "b", "c")),
        Decision("only", "hardware", (7,)),
        *(Decision(f"width{index}", "network", (8, 16, 24, 32)) for index in range(4)),
    )
    batch = 8

    def _evaluate(self, point: Point) -> tuple[float, float, float, float]:
        """Accuracy, latency, energy and how far over the budget: all decisions matter."""
        widths = [int(point[f"width{index}"]) for index in range(4)]
        size = int(point["depth"]) * sum(widths)
        slow = {"a": 1.0, "b": 1.5, "c": 3.0}[str(point["kind"])]
        return 1.0 - 1.0 / (1 + size / 40), slow * size / 100, size / 50, (size - 300) / 300

    def _tell(self, study: optuna.Study, trial: optuna.Trial) -> None:
        accuracy, latency, energy, excess = self._evaluate(dict(trial.params))
        trial.set_constraint("budget", max(excess, 0.0))
        worst = (0.0, float("inf"), float("inf"))
        study.tell(trial, worst if excess > 0 else (accuracy, latency, energy))

    def _run(self, seed: int, batches: int, storage: optuna.storages.BaseStorage | None = None) -> optuna.Study:
        sampler = make_sampler(self.controller, ControllerContext(seed, self.decisions, self.batch))
        study = optuna.create_study(
            storage=storage,
            study_name="conformance",
            load_if_exists=True,
            sampler=sampler,
            directions=["maximize", "minimize", "minimize"],
        )
        done = len(study.trials)
        for _ in range(done // self.batch, batches):
            trials = [study.ask(distributions(self.decisions)) for _ in range(self.batch)]
            for trial in trials:
                self._tell(study, trial)
        return study

    @staticmethod
    def _points(study: optuna.Study) -> list[dict[str, Choice]]:
        return [trial.params for trial in study.trials]

    def test_registered_with_a_summary(self) -> None:
        """It is found by name, and says in a line what it is."""
        assert self.controller in CONTROLLERS.names()
        assert CONTROLLERS.get(self.controller).summary

    def test_proposes_choices_of_the_space(self) -> None:
        """Every proposal has every decision, with one of its choices."""
        for point in self._points(self._run(3, 3)):
            assert set(point) == {decision.name for decision in self.decisions}
            assert all(point[decision.name] in decision.choices for decision in self.decisions)

    def test_equal_seeds_propose_equally(self) -> None:
        """A seed fixes the run; another seed is another run."""
        first, second, other = self._run(5, 4), self._run(5, 4), self._run(6, 1)
        assert self._points(first) == self._points(second)
        assert self._points(first)[: self.batch] != self._points(other)

    def test_explores(self) -> None:
        """Proposals of one batch differ."""
        points = self._points(self._run(1, 1))
        assert len({tuple(sorted(point.items())) for point in points}) > self.batch // 2

    def test_a_new_process_goes_on_as_the_old_one(self) -> None:
        """Whatever it learned is in the storage: a sampler made anew proposes what the old one would have."""
        storage = optuna.storages.InMemoryStorage()
        self._run(9, 2, storage)
        resumed = self._run(9, 4, storage)
        assert self._points(resumed) == self._points(self._run(9, 4))
