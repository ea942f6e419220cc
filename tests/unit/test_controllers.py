"""Controllers: what all must do, and what each is for."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.controllers.conformance import ControllerConformance
from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.evolution import RegularizedEvolution
from codesign.controllers.plain import LocalSearch
from codesign.controllers.registry import CONTROLLERS, make_controller
from codesign.controllers.scalar import Archive, ranks
from codesign.controllers.strategy import Encoding, nth_order
from codesign.controllers.surrogate import SurrogateEvolution
from codesign.decisions import Decision, DecisionSpace, Permutation, Point
from codesign.objectives import Goal, Outcome
from codesign.options import as_option
from mappings.errors import SpecError

#: A start short enough that the tests reach what each learns.
SHORT = {
    "tpe": {"startup_trials": 10},
    "gp": {"startup_trials": 60},
    "surrogate_evolution": {"startup_trials": 16, "trees": 10, "offspring": 60},
    "progressive": {"startup_trials": 16, "trees": 10, "offspring": 60},
    "graph_bayes": {"startup_trials": 16, "offspring": 40},
    "wl_bayes": {"startup_trials": 16, "pool": 300},
    "encoder": {"startup_trials": 16, "steps": 20, "refit_every": 16},
}


@pytest.mark.parametrize("name", CONTROLLERS.names())
class TestEvery(ControllerConformance):
    @pytest.fixture(autouse=True)
    def named(self, name: str) -> None:
        self.controller = name
        self.options = SHORT.get(name, {})


#: Wide enough that drawing evenly finds little: two aims that agree in some decisions and not in others.
WIDE = DecisionSpace(tuple(Decision(f"d{index:02d}", "hardware", (0, 1, 2, 3, 4)) for index in range(14)))
_AIMS = np.array([[0, 4, 1, 3, 2, 0, 4, 1, 3, 2, 0, 4, 1, 3], [0, 4, 1, 3, 2, 0, 4, 3, 1, 4, 2, 1, 4, 0]])
FRONT = Goal(("accuracy", "latency_ms"))


def measured(point: Point) -> Outcome:
    """Accuracy falls with the distance from one aim, latency grows with that from the other; both 1 at their aim."""
    values = np.array([point[name] for name in WIDE.names])
    far = np.abs(_AIMS - values).mean(axis=1) / 4.0
    return Outcome({"accuracy": 1.0 - float(far[0]), "latency_ms": float(np.exp(far[1]))})


def searched(name: str, seed: int, batches: int = 24) -> list[Told]:
    """Everything told in a run."""
    made = make_controller(name, ControllerContext(seed, WIDE, FRONT, 8, 8 * batches, SHORT.get(name, {})))
    told: list[Told] = []
    for _ in range(batches):
        batch = [Told(point, measured(point)) for point in made.ask(8)]
        made.tell(batch)
        told += batch
    return told


def covered(told: list[Told]) -> float:
    """Area over the front of (1 - accuracy, log latency) inside the corner (1, 1)."""
    rows = sorted((1 - t.outcome.metrics["accuracy"], np.log(t.outcome.metrics["latency_ms"])) for t in told)
    best, area = 1.0, 0.0
    for error, latency in rows:
        if latency < best:
            area += (1.0 - error) * (best - latency)
            best = float(latency)
    return area


@pytest.mark.parametrize("name", [name for name in CONTROLLERS.names() if name not in ("random", "gp")])
def test_each_is_better_than_random(name: str) -> None:
    mine = np.median([covered(searched(name, seed)) for seed in range(3)])
    others = np.median([covered(searched("random", seed)) for seed in range(3)])
    assert mine > others


def test_unknown_and_mistyped_options_are_told_at_once() -> None:
    context = ControllerContext(0, WIDE, Goal(), 8, 0, {"populaton": 3, "crossover_probability": "high"})
    with pytest.raises(SpecError) as error:
        make_controller("nsga2", context)
    assert 'did you mean "population"' in str(error.value)
    assert "crossover_probability" in str(error.value)


@pytest.mark.parametrize("name", CONTROLLERS.names())
def test_numbers_have_bounds(name: str) -> None:
    """A share above 1, a size below 0: told in a recipe, not by what fails on them after hours."""
    for key, option in CONTROLLERS.get(name).options.items():
        default = as_option(option).default
        if isinstance(default, int | float) and not isinstance(default, bool):
            with pytest.raises(ValueError):
                as_option(option).read(type(default)(-1))
        if key.endswith(("share", "probability")):
            with pytest.raises(ValueError):
                as_option(option).read(1.01)


def _run(made: Controller, batches: int) -> None:
    for _ in range(batches):
        made.tell([Told(point, measured(point)) for point in made.ask(8)])


def test_the_oldest_die() -> None:
    context = ControllerContext(0, WIDE, FRONT, 8, 0, {"population": 20, "sample": 5})
    made = make_controller("regularized_evolution", context)
    assert isinstance(made, RegularizedEvolution)
    _run(made, 5)
    assert made.ages == tuple(range(20, 0, -1))


def test_every_climb_ends_at_an_optimum_also_below_the_best() -> None:
    space = DecisionSpace(tuple(Decision(f"d{index}", "hardware", (0, 1, 2, 3)) for index in range(5)))
    worth = np.random.default_rng(3).random((4,) * 5)  # rugged, so that there are many optima
    made = make_controller("local_search", ControllerContext(1, space, Goal(("accuracy",)), 8, 0, {"start_points": 6}))
    assert isinstance(made, LocalSearch)
    told = dict[tuple[int, ...], float]()
    for _ in range(40):
        batch = [(point, float(worth[tuple(point.values())])) for point in made.ask(8)]
        made.tell([Told(point, Outcome({"accuracy": value})) for point, value in batch])
        told |= {tuple(point.values()): value for point, value in batch}
    found = [list(told)[row] for row in made.optima]
    assert len(told) == 320  # nothing twice
    assert len(set(found)) > 3
    for point in found:
        around = [(*point[:at], choice, *point[at + 1 :]) for at in range(5) for choice in range(4)]
        assert max(told[other] for other in around) == told[point]
    assert any(told[point] < max(list(told.values())[: row + 1]) for row, point in zip(made.optima, found, strict=True))


def test_the_surrogate_ranks_what_it_has_not_seen() -> None:
    context = ControllerContext(0, WIDE, FRONT, 8, 0, SHORT["surrogate_evolution"])
    made = make_controller("surrogate_evolution", context)
    assert isinstance(made, SurrogateEvolution)
    _run(made, 12)
    assert np.median(made.correlations) > 0.5


def test_ranks_by_hand() -> None:
    costs = np.array([[1.0, 4.0], [2.0, 2.0], [2.0, 5.0], [3.0, 3.0], [np.inf, np.inf], [np.inf, np.inf]])
    over = np.array([0, 0, 0, 0, 2.0, 1.0])
    assert ranks(costs, over).tolist() == [0, 0, 1, 1, 3, 2]


def test_the_archive_scales_ratios_by_their_logarithm() -> None:
    archive = Archive(Goal(("latency_ms", "accuracy")))
    archive.extend(
        [Told({}, Outcome({"latency_ms": ms, "accuracy": a})) for ms, a in ((1, 0.5), (10, 0.7), (100, 0.9))]
    )
    assert archive.scaled() == pytest.approx(np.array([[0, 1], [0.5, 0.5], [1, 0]]))
    assert archive.front().tolist() == [0, 1, 2]
    assert int(np.argmax(archive.scores(np.array([1.0, 0.0])))) == 0


def test_orders_by_index_are_all_of_them() -> None:
    assert {nth_order(("K", "C", "P"), index) for index in range(6)} == {
        ("K", "C", "P"), ("K", "P", "C"), ("C", "K", "P"), ("C", "P", "K"), ("P", "K", "C"), ("P", "C", "K"),
    }  # fmt: skip


def test_an_order_is_read_from_importances() -> None:
    encoding = Encoding(DecisionSpace((Permutation("order", "mapping", ("K", "C", "P")),)), importance=True)
    assert encoding.decode(np.array([0.2, 0.9, 0.5])) == {"order": ("C", "P", "K")}


def test_given_points_and_their_neighbours_are_asked_for_first_in_every_controller() -> None:
    first = WIDE.draw(np.random.default_rng(5))
    given = dict(list(first.items())[:1])
    for name in CONTROLLERS.names():
        if CONTROLLERS.get(name).discrete:
            continue
        context = ControllerContext(0, WIDE, Goal(), 4, 8, SHORT.get(name, {}), start=(first, given))
        made = make_controller(name, context)
        asked = made.ask(4)
        assert len(asked) == 4 and asked[0] == first, name
        assert given.items() <= asked[1].items(), name
        for point in asked:
            WIDE.check(point)
        assert sum(asked[2].get(key) != value for key, value in first.items()) >= 1, name
        made.tell([Told(point, Outcome({"accuracy": 0.5, "latency_ms": 1.0, "energy_uj": 1.0})) for point in asked])
        assert len(made.ask(4)) == 4


@pytest.mark.parametrize("importance", [True, False])
def test_a_written_point_is_read_as_itself(importance: bool) -> None:
    space = ControllerConformance.mixed
    encoding, rng = Encoding(space, importance=importance), np.random.default_rng(3)
    for _ in range(50):
        point = space.draw(rng)
        found = encoding.decode(encoding.encode(point))
        assert list(found) == list(point)
        for name, value in point.items():
            assert found[name] == (pytest.approx(value) if isinstance(value, float) else value), name


@pytest.mark.parametrize("name", ["tpe", "nsga3", "gp"])
def test_samplers_know_the_broken_bounds_of_what_others_proposed(name: str) -> None:
    case = ControllerConformance()
    case.controller, case.options = "random", {}
    told = case.run(case.make(2), 3)
    made = make_controller(name, ControllerContext(3, case.space, Goal(), 8, 64, {}))
    made.tell(told)
    known = [trial.constraints for trial in made._study.trials]
    assert known == [{"bounds": item.outcome.violation} for item in told] and any(i.outcome.violation for i in told)
