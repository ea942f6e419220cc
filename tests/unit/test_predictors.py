"""Learned predictors, and what drives searches with them: forecasts of full measurements, and what is carried over."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from codesign.controllers.controller import ControllerContext
from codesign.controllers.registry import CONTROLLERS, make_controller
from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.registry import DRIVERS
from codesign.objectives import Goal, Outcome
from codesign.predictors.base import PREDICTORS, PredictorContext, make_predictor
from codesign.providers.base import Candidate, ProviderContext
from codesign.providers.registry import make_provider
from codesign.recipe import parse_recipe
from codesign.spaces.network.cells import CellSpace
from codesign.spaces.network.nasbench201 import OPERATIONS, NasBench201, architecture
from mappings.errors import SpecError
from tests.unit.test_drivers import Memory

NET = NasBench201()
SPACE = DecisionSpace(NET.decisions)
WORTH = {"none": 0.0, "skip_connect": 0.3, "nor_conv_1x1": 0.7, "nor_conv_3x3": 1.0, "avg_pool_3x3": 0.2}


def _accuracy(point: Mapping[str, Any], hard: float = 0.0) -> float:
    """An even mean of what the edges are worth, the first edge twice; all of a harder task is lower."""
    values = [WORTH[str(value)] for value in point.values()]
    return (0.3 + 0.6 * (sum(values) + values[0]) / 7) * (1.0 - hard)


def _drawn(count: int, seed: int = 0) -> list[Point]:
    rng = np.random.default_rng(seed)
    return [SPACE.draw(rng) for _ in range(count)]


@pytest.mark.parametrize("kind", PREDICTORS)
def test_every_predictor_learns_from_a_hundred_networks(kind: str) -> None:
    known, others = _drawn(100), _drawn(100, 1)
    predictor = make_predictor(kind, PredictorContext(SPACE, 0, NET.hooks, unmeasured=100))
    targets = np.array([[_accuracy(point), -_accuracy(point)] for point in known])
    predictor.fit(known, targets)
    means, spreads = predictor.predict(others)
    assert means.shape == spreads.shape == (100, 2) and (spreads >= 0).all()
    truth = [_accuracy(point) for point in others]
    assert spearmanr(means[:, 0], truth).statistic > 0.4
    assert spearmanr(means[:, 1], truth).statistic < -0.4
    predictor.fit(known, targets)
    assert np.array_equal(predictor.predict(others)[0], means)  # equal seeds, equal data, equal predictions


@pytest.mark.parametrize("kind", [kind for kind in PREDICTORS if kind != "linear"])
def test_what_is_known_beside_the_decisions_is_read(kind: str) -> None:
    rng = np.random.default_rng(0)
    known, others = _drawn(120), _drawn(100, 1)
    secret, other = rng.random((120, 1)), rng.random((100, 1))  # says more than the decisions do
    predictor = make_predictor(kind, PredictorContext(SPACE, 0, NET.hooks, unmeasured=60))
    predictor.fit(known, secret + 0.01 * np.array([[_accuracy(point)] for point in known]), secret)
    means, _ = predictor.predict(others, other)
    assert spearmanr(means[:, 0], other[:, 0]).statistic > 0.6


def test_graphs_of_cells_are_what_computes() -> None:
    names = ("nor_conv_3x3", "none", "skip_connect", "none", "none", "nor_conv_1x1")
    point = dict(zip(SPACE.names, names, strict=True))
    graph = NET.graph(point)  # 0 -> 1 -> 2 -> 3
    assert graph.labels == ("nor_conv_3x3", "skip_connect", "nor_conv_1x1") and graph.edges == ((0, 1), (1, 2))
    assert NET.graph(dict.fromkeys(SPACE.names, "none")).labels == ("zero",)
    cells = CellSpace(blocks=2)
    chosen = {"b1.left": "in", "b1.left_op": "conv3", "b1.right": "before", "b1.right_op": "identity"}
    chosen |= {"b2.left": "b1", "b2.left_op": "conv1", "b2.right": "in", "b2.right_op": "conv5"}
    graph = cells.graph(chosen)
    assert graph.labels == ("conv3 of in", "identity of before", "conv1", "conv5 of in")
    assert graph.edges == ((0, 2), (1, 2))


def test_a_graph_network_needs_graphs() -> None:
    with pytest.raises(SpecError, match="needs a space that gives graphs"):
        make_predictor("graph", PredictorContext(SPACE, 0))


class _Problem:
    """Accuracy by fidelity: at 0.1 of an easy task, at 0.3 of a harder one, in full of the hardest."""

    space = SPACE
    goal = Goal(("accuracy",))
    hardware_fronts = None

    def __init__(self) -> None:
        self.asked: list[tuple[float, int]] = []

    def measure(self, points: Sequence[Point], *, fidelity: float = 1.0, gated: bool = True) -> list[Outcome]:
        self.asked.append((fidelity, len(points)))
        hard = {0.1: 0.0, 0.3: 0.3}.get(fidelity, 0.5)
        return [Outcome({"accuracy": _accuracy(point, hard)}) for point in points]

    def price(self, network: Point, rows: Sequence[Point]) -> list[Outcome]:
        return [Outcome({}) for _ in rows]


def _run(
    name: str, controller: str, budget: int, options: dict[str, Any], settings: dict[str, Any] | None = None
) -> tuple[Any, Memory, _Problem]:
    problem, journal = _Problem(), Memory()

    def maker(part: str, space: DecisionSpace, goal: Goal) -> Any:
        seed = 1 if part == "target" else 0
        return make_controller(controller, ControllerContext(seed, space, goal, 8, budget, settings or {}))

    class Hooked:
        hooks = NET.hooks

    entry = DRIVERS.get(name)
    driver = entry.load()()
    given = entry.checked(options, "driver")
    driver.run(DriverContext(problem, maker, journal, budget, 8, 0, options=given, search_space=Hooked()))
    return driver, journal, problem


CARRIES = [name for name in CONTROLLERS.names() if "carries" in CONTROLLERS.get(name).offers]


@pytest.mark.parametrize("controller", CARRIES)
def test_what_is_carried_over_begins_better(controller: str) -> None:
    settings = {
        "encoder": {"startup_trials": 16, "refit_every": 16},
        "regularized_evolution": {"population": 16, "sample": 6},
    }
    first = {}
    for carry in (True, False):
        options = {"first_trials": 160, "fidelities": [0.1], "carry": carry}
        _, journal, _ = _run("carried", controller, 200, options, settings.get(controller))
        phases = [trial.phase for trial in journal]
        assert phases == ["source"] * 160 + ["target"] * 40
        assert all((trial.fidelity < 1) == (trial.phase == "source") for trial in journal)
        first[carry] = np.mean([t.told.outcome.metrics["accuracy"] for t in journal.trials[160:176]])
    assert first[True] > first[False] + 0.02


def test_several_tasks_take_turns() -> None:
    _, journal, problem = _run("carried", "reinforce", 40, {"first_trials": 32, "fidelities": [0.1, 0.3]})
    assert [fidelity for fidelity, _ in problem.asked] == [0.1, 0.3, 0.1, 0.3, 1.0]
    assert len(journal) == 40


@pytest.mark.parametrize(
    ("base", "options", "said"),
    [
        ("eat_nas", {"name": "carried", "first_trials": 140}, "leaves none for the task itself"),
        ("srm", {"name": "forecast", "first": 60, "full": 20, "levels": [0.1, 0.3]}, "measures 140 of 140 trials"),
        ("srm", {"name": "forecast", "first": 60, "full": 61}, "is 61, above first"),
        ("proxy_budget", {"name": "budgeted", "samples": 25, "keep": 20}, "may measure 145 of 140 trials"),
    ],
)
def test_what_would_take_the_whole_budget_is_refused(base: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        parse_recipe({"name": "mine", "extends": base, "trials": 140, "driver": options}, "mine")


@pytest.mark.parametrize("reads", ["curve", "level", "difficulty"])
def test_forecasts_pick_what_is_measured_in_full(reads: str) -> None:
    options = {"first": 60, "full": 20, "levels": [0.1, 0.3], "reads": reads, "model": "trees"}
    driver, journal, _ = _run("forecast", "random", 240, options)
    kept = [trial.told.outcome.metrics["accuracy"] for trial in journal if trial.phase == "kept"]
    drawn = [_accuracy(point, 0.5) for point in _drawn(300, 5)]
    assert np.mean(kept) > np.mean(drawn) + 0.02
    full = sum(trial.fidelity == 1.0 for trial in journal)
    assert len(journal) == 240 and full == 20 + len(kept)
    if reads == "curve":  # every point that was offered was measured at both levels
        assert full < 240 - 120
    points = _drawn(50, 9)
    seen = np.array([[_accuracy(p, 0.0), _accuracy(p, 0.3)] for p in points]) if reads == "curve" else None
    assert spearmanr(driver.forecast(points, seen), [_accuracy(p) for p in points]).statistic > 0.5
    if reads == "difficulty":  # the scale of the new task, which no fitted row is of
        assert abs(np.mean(driver.forecast(points)) - np.mean([_accuracy(p, 0.5) for p in points])) < 0.05


def test_a_driver_that_carries_refuses_a_controller_that_cannot() -> None:
    raw = {"name": "mine", "extends": "eat_nas", "controller": "random"}
    with pytest.raises(SpecError, match='needs "carries"'):
        parse_recipe(raw, "mine")


def _table(path: Any, columns: dict[str, float]) -> str:
    with Path(path).open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["arch_str", *columns])
        for place, operations in enumerate(product(OPERATIONS, repeat=6)):
            out.writerow([architecture(operations), *(value + place % 7 for value in columns.values())])
    return str(path)


def test_less_than_full_fidelity_is_a_short_training_or_a_smaller_task(tmp_path: Any) -> None:
    columns = {"c10_test_200ep": 80.0, "c100_test_200ep": 60.0, "in16_test_200ep": 30.0, "m12_imagenet_test": 10.0}
    path = _table(tmp_path / "table.csv", columns)
    name = architecture(("none",) * 6)

    def measured(fidelity: float, **options: Any) -> float:
        class Space:
            network = NasBench201("imagenet16")

        provider: Any = make_provider(
            "table", ProviderContext(0, "zynq7020", Space(), tmp_path, options={"file": path, **options})
        )
        provider.prepare()
        ((_, found),) = provider.stream([Candidate({}, name)], fidelity)
        return float(found.metrics["accuracy"])

    assert measured(1.0) == 0.30 and measured(0.1) == 0.10
    smaller = {"smaller": ["cifar10", "cifar100"]}
    assert [measured(f, **smaller) for f in (0.1, 0.49, 0.5, 0.9, 1.0)] == [0.8, 0.8, 0.6, 0.6, 0.3]


def test_a_table_without_short_trainings_says_so(tmp_path: Any) -> None:
    path = _table(tmp_path / "table.csv", {"c10_test_200ep": 80.0})

    class Space:
        network = NET

    provider: Any = make_provider("table", ProviderContext(0, "zynq7020", Space(), tmp_path, options={"file": path}))
    provider.prepare()
    with pytest.raises(SpecError, match="asked for short trainings"):
        list(provider.stream([Candidate({}, architecture(("none",) * 6))], 0.5))


def test_the_least_budget_that_ranks_is_what_the_search_pays() -> None:
    class Noisy(_Problem):
        """At 0.1 hardly anything of the accuracy is seen, at 0.3 nearly all."""

        def measure(self, points: Sequence[Point], *, fidelity: float = 1.0, gated: bool = True) -> list[Outcome]:
            out = super().measure(points, fidelity=fidelity, gated=gated)
            if fidelity != 0.1:
                return out
            rng = np.random.default_rng(len(self.asked))
            return [Outcome({"accuracy": float(value)}) for value in rng.random(len(points))]

    problem, journal = Noisy(), Memory()

    def maker(part: str, space: DecisionSpace, goal: Goal) -> Any:
        return make_controller("regularized_evolution", ControllerContext(0, space, goal, 8, 200, {"population": 16}))

    entry = DRIVERS.get("budgeted")
    driver: Any = entry.load()()
    given = entry.checked({"fidelities": [0.3, 0.1], "samples": 20, "keep": 10}, "driver")
    driver.run(DriverContext(problem, maker, journal, 200, 8, 0, options=given))
    assert list(driver.correlations) == [0.1, 0.3] and driver.fidelity == 0.3
    phases = [trial.phase for trial in journal]
    assert phases.count("kept") == 10 and phases.count("search") == 200 - 10 - 60
    assert {trial.fidelity for trial in journal if trial.phase == "search"} == {0.3}
    kept = [t.told.outcome.metrics["accuracy"] for t in journal if t.phase == "kept"]
    drawn = [t.told.outcome.metrics["accuracy"] for t in journal if t.phase == "samples"]
    assert np.mean(kept) > np.max(drawn)
