"""Bayesian optimisation over subtrees: features, processes, and a search that is told costs beforehand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.process import Process
from codesign.controllers.registry import make_controller
from codesign.controllers.subtrees import Features, subtrees
from codesign.controllers.wl_bayes import WlBayes
from codesign.decisions import Decision, DecisionSpace, Point
from codesign.objectives import Goal, Limit, Outcome
from codesign.spaces.network.distance import OperatorGraph
from codesign.spaces.network.nasbench201 import NasBench201, edge_name


def _cell(**operations: str) -> Point:
    edges = ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")
    return {f"edge_{edge}": operations.get(f"e{edge}", "none") for edge in edges}


def test_subtrees_by_hand() -> None:
    chain = subtrees(OperatorGraph(("conv", "pool"), ((0, 1),)))
    assert chain == Counter({"conv": 1, "pool": 1, "conv(in)": 1, "pool(conv)out": 1})


def test_cells_that_compute_the_same_have_the_same_features_and_others_do_not() -> None:
    space = NasBench201()
    one = _cell(e0_3="nor_conv_3x3")
    same = _cell(e0_3="nor_conv_3x3", e0_1="avg_pool_3x3")  # what node 1 holds, nothing reads
    other = _cell(e0_1="nor_conv_3x3", e1_3="nor_conv_3x3")
    rows = Features(DecisionSpace(space.decisions), space.graph).rows([one, same, other])
    assert np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])
    assert edge_name((0, 3)) in one


def test_a_process_finds_the_scatter_of_equal_points_and_their_mean() -> None:
    rng = np.random.default_rng(0)
    places = np.repeat(np.arange(12.0)[:, None] * 4, 40, axis=0)
    level = np.sin(places[:, 0])
    process = Process(places, level + rng.normal(0, 0.1, len(places)))
    mean, spread, _ = process.posterior(places[::40])
    assert process.scatter == pytest.approx(0.1, rel=0.5)
    assert np.abs(mean - level[::40]).max() < 0.08
    assert spread.max() < 0.1


def test_a_posterior_is_that_of_the_textbook() -> None:
    rows, values = np.array([[0.0], [1.0], [3.0]]), np.array([1.0, 2.0, 0.0])
    process = Process(rows, values, (2.0, 0.1))
    kernel = np.exp(-((rows - rows.T) ** 2) / 2.0)
    standard = (values - values.mean()) / values.std()
    at = np.array([[2.0]])
    cross = np.exp(-((at - rows.T) ** 2) / 2.0)
    inverse = np.linalg.inv(kernel + 0.1 * np.eye(3))
    mean, spread, half = process.posterior(at)
    assert mean[0] == pytest.approx(values.mean() + values.std() * (cross @ inverse @ standard)[0])
    amplitude = standard @ inverse @ standard / 3
    variance = values.var() * amplitude * (1 - cross @ inverse @ cross.T)
    assert spread[0] ** 2 == pytest.approx(variance[0, 0])
    assert process.covariance(at, half)[0, 0] == pytest.approx(variance[0, 0])


SPACE = DecisionSpace(tuple(Decision(f"d{index}", "network", (0, 1, 2, 3)) for index in range(6)))
#: The most accurate point costs 18.1, twice the bound.
GOAL = Goal(("accuracy",), (Limit("latency_ms", 9.0),))


def _priced(point: Point) -> Outcome:
    metrics = {"latency_ms": 0.1 + sum(point.values())}
    return Outcome(metrics, GOAL.broken(metrics))


def _measured(point: Point) -> Outcome:
    known = _priced(point)
    value = sum(weight * point[f"d{place}"] for place, weight in enumerate((1, 2, 3, 4, 5, 6))) / 64
    return known if known.broken else Outcome({**known.metrics, "accuracy": value}, ())


def test_what_is_priced_beforehand_is_within_the_limit_and_the_best_is_found() -> None:
    asked: list[Point] = []
    context = ControllerContext(0, SPACE, GOAL, 8, 64, {"startup_trials": 8, "pool": 400, "priced": 60})
    made = make_controller("wl_bayes", context)
    assert isinstance(made, WlBayes)
    calls: list[Point] = []

    def price(point: Point) -> Outcome:
        calls.append(point)
        return _priced(point)

    made.foresees(price)
    for _ in range(8):
        batch = made.ask(8)
        made.tell([Told(point, _measured(point)) for point in batch])
        asked += batch
    assert all(_priced(point).feasible for point in asked)
    assert len(calls) <= 8 * 60
    best = max(_measured(point).metrics["accuracy"] for point in asked)
    assert best == (6 * 3 + 5 * 3 + 4 * 2) / 64  # all that a cost of 8 buys


def test_without_prices_limits_are_learned_from_what_was_told() -> None:
    context = ControllerContext(0, SPACE, GOAL, 8, 120, {"startup_trials": 16, "pool": 400})
    made = make_controller("wl_bayes", context)
    told: list[Told] = []
    for _ in range(12):
        batch = [Told(point, _measured(point)) for point in made.ask(8)]
        made.tell(batch)
        told += batch
    best = max(item.outcome.metrics["accuracy"] for item in told if item.outcome.feasible)
    assert best == (6 * 3 + 5 * 3 + 4 * 2) / 64
