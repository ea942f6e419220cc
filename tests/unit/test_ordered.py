"""Searches that believe in an order of networks, one guided by an expert's, and one that cuts what it found."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.recipes_runs import run
from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.growth_policy import GrowthPolicy
from codesign.controllers.ordered import LazyGreedy, PartialOrder
from codesign.controllers.registry import make_controller
from codesign.decisions import Decision, DecisionSpace, Point
from codesign.objectives import Goal, Limit, Outcome
from codesign.objectives.front import nondominated, scaled_costs
from codesign.providers.base import ProviderContext
from codesign.providers.registry import make_provider
from codesign.recipe import load_recipe, parse_recipe
from mappings.errors import SpecError

#: What a step of each decision gains, first steps most, and what it costs.
GAIN = {"a": (0.0, 0.20, 0.30), "b": (0.0, 0.10, 0.15), "c": (0.0, 0.04, 0.05), "d": (0.0, 0.01, 0.012)}
COST = {"a": 40.0, "b": 10.0, "c": 10.0, "d": 10.0}
SPACE = DecisionSpace(tuple(Decision(name, "network", (0, 1, 2)) for name in GAIN))


def _outcome(point: Point, bound: float = np.inf) -> Outcome:
    accuracy = 0.3 + sum(GAIN[name][int(value)] for name, value in point.items())
    macs = 10.0 + sum(COST[name] * int(value) for name, value in point.items())
    limits = Goal(("accuracy",), (Limit("macs", bound),)) if np.isfinite(bound) else Goal(("accuracy",))
    metrics = {"accuracy": accuracy, "macs": macs}
    return Outcome(metrics, tuple(limits.broken(metrics)))


def _made(name: str, goal: Goal, batch: int = 4) -> Any:
    return make_controller(name, ControllerContext(0, SPACE, goal, batch, 60))


def test_partial_order_never_measures_what_the_order_rules_out() -> None:
    controller = _made("partial_order", Goal(("accuracy", "macs")))
    assert isinstance(controller, PartialOrder)
    every = [dict(zip(SPACE.names, values, strict=True)) for values in product((0, 1, 2), repeat=4)]
    costs = scaled_costs(controller._context.goal, [_outcome(point) for point in every])
    truth = [every[row] for row in nondominated(costs)]
    asked: list[Point] = []
    for _ in range(14):
        points = controller.ask(4)
        asked += points
        controller.tell([Told(point, _outcome(point)) for point in points])
    assert controller.ruled_out
    assert not [point for point in controller.ruled_out if point in truth]  # here the order is the truth
    assert sum(point in asked for point in truth) > 0.8 * len(truth)


def test_unordered_choices_say_nothing_of_each_other() -> None:
    space = DecisionSpace((Decision("kind", "network", ("x", "y"), ordered=False), Decision("n", "network", (1, 2))))
    controller = PartialOrder(ControllerContext(0, space, Goal(("accuracy", "macs")), 4, 8))
    told = {("x", 1): (0.5, 1.0), ("x", 2): (0.4, 2.0)}
    items = [
        Told({"kind": kind, "n": n}, Outcome({"accuracy": accuracy, "macs": macs}))
        for (kind, n), (accuracy, macs) in told.items()
    ]
    controller.tell(items)
    assert controller._allowed({"kind": "y", "n": 1}) and controller._allowed({"kind": "y", "n": 2})


def test_greedy_growth_takes_what_gains_most_for_its_cost() -> None:
    bound = 70.0
    goal = Goal(("accuracy",), (Limit("macs", bound),))
    controller = _made("lazy_greedy", goal, 1)
    assert isinstance(controller, LazyGreedy)
    best, now, path = 0.0, controller._now, list[Point]()
    for _ in range(40):
        (point,) = controller.ask(1)
        outcome = _outcome(point, bound)
        controller.tell([Told(point, outcome)])
        if outcome.feasible:
            best = max(best, outcome.metrics["accuracy"])
        if controller._now != now:
            now = controller._now
            path.append(now)
    # Gains for the cost: b 0.010, then a and b's second (0.005 each), c 0.004.
    assert path[0] == {"a": 0, "b": 1, "c": 0, "d": 0}
    every = [dict(zip(SPACE.names, values, strict=True)) for values in product((0, 1, 2), repeat=4)]
    fits = [o.metrics["accuracy"] for point in every if (o := _outcome(point, bound)).feasible]
    assert best == pytest.approx(max(fits))
    assert controller.measured < controller.candidates  # gains that were known bounded the others


def test_an_expert_is_whole_and_of_the_space(tmp_path: Path) -> None:
    raw = {"name": "mine", "extends": "networks", "network": "nasbench201", "objectives": ["latency_ms"]}
    space = parse_recipe({**raw, "providers": ["schedule"]}, "mine").space

    def made(expert: dict[str, str]) -> Any:
        return make_provider("likeness", ProviderContext(0, "zynq7020", space, tmp_path, options={"expert": expert}))

    expert = dict.fromkeys(space.decisions.of_groups("network").names, "none")
    point = space.decisions.completed(expert, np.random.default_rng(0))
    (same,) = made(expert).measure(space.decode([point]))
    (other,) = made({**expert, "edge_0_3": "nor_conv_3x3"}).measure(space.decode([point]))
    assert same.metrics["expert_distance"] == 0.0 < other.metrics["expert_distance"]
    with pytest.raises(SpecError, match="edge_0_1"):
        made({**expert, "edge_0_1": "conv"})
    with pytest.raises(SpecError, match="leaves edge_2_3 open"):
        made({name: choice for name, choice in expert.items() if name != "edge_2_3"})


def test_what_was_found_is_cut_to_the_limit() -> None:
    whole = run(load_recipe("mobilenet_v3:reduced").check("recipe"))
    cuts = [trial for trial in whole.trials if trial.phase != "search"]
    assert len(whole.trials) - len(cuts) == 120 and cuts
    macs = [trial.told.outcome.metrics["macs"] for trial in cuts]
    assert min(macs) <= 40_000


def test_a_policy_learns_which_transformations_pay() -> None:
    space = DecisionSpace(tuple(Decision(name, "network", tuple(range(12))) for name in "abcd"))
    controller = make_controller("growth_policy", ControllerContext(0, space, Goal(("accuracy",)), 8, 240))
    assert isinstance(controller, GrowthPolicy)
    for _ in range(30):
        points = controller.ask(8)
        told = [Outcome({"accuracy": 0.04 * p["a"] - 0.02 * (p["b"] + p["c"] + p["d"])}) for p in points]
        controller.tell([Told(point, outcome) for point, outcome in zip(points, told, strict=True)])
    smallest = dict.fromkeys(space.names, 0)
    odds = []
    for place in range(11):  # of four transformations the one that pays, from each of its choices
        with torch.no_grad():
            chances = controller._logs([{**smallest, "a": place}])[0].exp()
        odds.append(float(chances[controller._actions.index((0, place + 1))]))
    assert np.mean(odds) > 0.6 and controller.certainty(smallest) > 0.05
