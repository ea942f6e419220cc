"""Choices of network, bits and accelerator relaxed together: nested network, prices, terms, evaluator, driver."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from accel_models.report import Infeasible
from codesign.decisions import Decision, Point
from codesign.drivers.base import DriverContext, Trial
from codesign.drivers.registry import DRIVERS
from codesign.drivers.relaxed import Relaxed, _Search
from codesign.explorer.problem import SearchProblem
from codesign.gradient.choices import Choices, drawn
from codesign.gradient.evaluator import Evaluated, fitted_evaluator, priced
from codesign.gradient.names import DRAWS
from codesign.gradient.nested import NestedNetwork, effects_of, interpolated
from codesign.gradient.priced import OVER, Conditional, Exact, Sampled
from codesign.gradient.terms import LimitTerm, barrier, certain
from codesign.objectives import Outcome
from codesign.quantization.qat import QatLayer, QatNetwork
from codesign.recipe import Recipe, parse_recipe
from codesign.spaces.search_space import NETWORK_GROUPS
from mappings.errors import SpecError
from mappings.workload import Workload
from tests import toy
from tests.unit.test_drivers import Memory

CHAIN = {
    "name": "chain",
    "layers": 3,
    "kernels": [1, 3],
    "filters": [4, 8],
    "halved": [2],
    "extent": 8,
    "dataset": "digits",
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def _recipe(**changes: Any) -> Recipe:
    toy.register()
    raw = {
        "name": "mine",
        "extends": "networks",
        "network": CHAIN,
        "compression": {"name": "layer_bits", "slots": 4},
        "providers": ["size", toy.NAME],
        "driver": {"name": "relaxed", "steps": 6},
        "trials": 1,
    }
    return parse_recipe({**raw, **changes}, "mine")


def _nested(recipe: Recipe) -> tuple[NestedNetwork, Choices, Any]:
    decisions = recipe.space.decisions.of_groups(*NETWORK_GROUPS).choices
    base = {d.name: d.choices[-1] for d in recipe.space.decisions.choices}

    def workload_at(point: Point) -> Workload:
        found = recipe.space.network_at({**base, **point}).workload
        assert found is not None
        return found

    effects = effects_of(workload_at, base, decisions)
    return NestedNetwork(workload_at({}), effects), Choices(decisions), workload_at


def _cut(source: QatLayer, target: QatLayer, inputs: int) -> None:
    """The part of the largest layer's weights that a smaller one has."""
    assert source.weight is not None and target.weight is not None
    rows = target.weight.shape[0]
    weight = source.weight[:rows, :inputs]
    if weight.dim() == 4:
        edge = (weight.shape[2] - target.layer.R) // 2
        weight = weight[:, :, edge : edge + target.layer.R, edge : edge + target.layer.R]
    target.weight.copy_(weight)
    if target.bias is not None and source.bias is not None:
        target.bias.copy_(source.bias)
    target.quantizer.log_scale.copy_(source.quantizer.log_scale)


@torch.no_grad()
def test_one_choice_each_is_that_network() -> None:
    """Masks and roundings of one choice a decision: what the small network gives with its part of the weights."""
    recipe = _recipe(compression={"name": "layer_bits", "slots": 4, "weight_bits": [4, 8]})
    network, choices, workload_at = _nested(recipe)
    # In double precision: sums of other lengths, in another order, must not turn a rounding over.
    network.double()
    images, rng = torch.rand(16, 1, 8, 8, dtype=torch.float64), np.random.default_rng(0)
    for _ in range(6):
        point = {d.name: d.draw(rng) for d in choices.decisions}
        small = QatNetwork(workload_at(point)).double()
        for layer in small.workload.layers:
            source, target = network.steps[layer.name], small.steps[layer.name]
            assert isinstance(source, QatLayer) and isinstance(target, QatLayer)
            if target.weight is not None:
                # Scales of channels are those of the whole filter, so the small one's must be alike.
                for_all = source.weight
                assert for_all is not None
                largest = for_all.abs().amax() * 1.01
                edge = (for_all.shape[-1] - 1) // 2
                centre = for_all[..., edge, edge] if for_all.dim() == 4 else for_all
                centre[:, 0] = largest
                _cut(source, target, layer.C)
        draw = choices.one_hot(point)
        assert torch.allclose(network(images, draw), small(images), atol=1e-5)
    free = choices.drawn("softmax", 1.0, torch.Generator())
    assert not torch.allclose(network(images, free), small(images), atol=1e-2)


def test_every_choice_has_a_gradient() -> None:
    network, choices, _ = _nested(_recipe(compression={"name": "layer_bits", "slots": 4, "act_bits": [4, 8]}))
    names = set(choices.logits)
    assert {"l1.kernel", "l3.filters", "weight_bits_3", "act_bits_0"} <= names
    for how in (how for how in DRAWS if how != "even"):
        for logits in choices.parameters():
            logits.grad = None
        draw = choices.drawn(how, 1.0, torch.Generator().manual_seed(1))
        out = network(torch.rand(8, 1, 8, 8), draw)
        torch.nn.functional.cross_entropy(out, torch.arange(8)).backward()
        silent = {n for n, v in choices.logits.items() if v.grad is None or not float(v.grad.abs().sum()) > 0}
        # A decision that is about no layer (the fourth slot's output are the logits, which stay wide).
        assert silent == {"act_bits_3"}, how


def test_a_draw_is_a_distribution_and_hard_ones_are_one_choice() -> None:
    logits = torch.tensor([0.5, 1.5, -0.5, 0.0], requires_grad=True)
    generator = torch.Generator().manual_seed(0)
    counts = dict.fromkeys(DRAWS, 0)
    for how, _ in product(DRAWS, range(300)):
        weights = drawn(how, logits, 0.5, generator)
        assert float(weights.sum().detach()) == pytest.approx(1.0, abs=1e-5)
        some = int((weights.detach() > 0).sum())
        assert some == {"gumbel_hard": 1, "even": 1, "gumbel_two": 2}.get(how, 4)
        counts[how] += int(weights.argmax()) == 1
    share = float(torch.softmax(logits.detach(), 0)[1])
    assert counts["gumbel_hard"] / 300 == pytest.approx(share, abs=0.1)
    assert counts["even"] / 300 == pytest.approx(0.25, abs=0.1)


def test_of_the_templates_that_are_drawn_the_best_is_taken(tmp_path: Any) -> None:
    driver = {"name": "relaxed", "steps": 3, "templates": 4, "weights_draw": "even", "choices_draw": "gumbel_hard"}
    found, (trial,) = _run(_recipe(driver=driver), Memory(), tmp_path)
    likeliest = {name: int(share.argmax()) for name, share in found.found[0].shares.items()}
    choices = {d.name: d.choices for d in _recipe().space.decisions.choices}
    # After three steps shares are nearly even: what was drawn is hardly ever the likeliest in all eleven.
    assert any(trial.told.point[name] != choices[name][place] for name, place in likeliest.items())


def test_widths_are_aligned_by_interpolation() -> None:
    value = torch.arange(8.0).view(1, 8, 1, 1)
    one = torch.tensor([0.0, 0.25, 0.75])
    out = interpolated(value, (2, 4, 8), one).flatten()
    # The first four channels stretched to eight, and the eight themselves.
    by_hand = 0.25 * torch.tensor([0.0, 0, 1, 1, 2, 2, 3, 3]) + 0.75 * torch.arange(8.0)
    assert torch.allclose(out, by_hand)
    narrow = interpolated(value, (2, 4, 8), torch.tensor([0.5, 0.5, 0.0])).flatten()
    assert torch.allclose(narrow[:4], 0.5 * torch.tensor([0.0, 0, 1, 1]) + 0.5 * torch.arange(4.0))
    assert float(narrow[4:].abs().sum()) == 0


DECISIONS = (
    Decision("a", "network", (0, 1, 2)),
    Decision("b", "hardware", (0, 1)),
    Decision("c", "hardware", (0, 1, 2)),
)


def _table_price(points: Sequence[Point]) -> list[Outcome]:
    """A product of the parts, with a pair that does better than its parts tell; one choice cannot be priced."""
    out = []
    for point in points:
        a, b, c = (int(point[name]) for name in "abc")
        cost = (1.0 + a) * (2.0 - b) * (1.0 + (c - a) ** 2)
        out.append(Outcome({} if (b, c) == (1, 0) else {"latency_ms": cost}))
    return out


def test_the_expected_cost_is_exact_for_every_single_change() -> None:
    choices, exact = Choices(DECISIONS), Exact(_table_price, ("latency_ms",), ())
    around = Conditional(choices, dict, exact, 1).around({"a": 1, "b": 0, "c": 1})
    assert around is not None
    for name, choice in (("a", 0), ("a", 2), ("b", 1), ("c", 2), ("c", 1)):
        point = {"a": 1, "b": 0, "c": 1, name: choice}
        found = around.expected(choices.one_hot(point))
        assert float(found["latency_ms"]) == pytest.approx(math.log(_table_price([point])[0].metrics["latency_ms"]))
        assert float(found[OVER]) == 0
    blocked = Conditional(choices, dict, exact, 1).around({"a": 0, "b": 1, "c": 1})
    assert blocked is not None and float(blocked.expected(choices.one_hot({"a": 0, "b": 1, "c": 0}))[OVER]) == 1.0


def test_a_sum_of_parts_is_expected_exactly_whatever_is_in_the_middle() -> None:
    def price(points: Sequence[Point]) -> list[Outcome]:
        return [Outcome({"latency_ms": 1.0 + p["a"] + 5.0 * p["b"] + 2.0 * p["c"]}) for p in points]

    shares = {d.name: torch.linspace(1.0, 2.0, len(d.choices)) for d in DECISIONS}
    shares = {name: share / share.sum() for name, share in shares.items()}
    means = {d.name: float((shares[d.name] * torch.tensor(d.choices).float()).sum()) for d in DECISIONS}
    exact = math.log(1.0 + means["a"] + 5.0 * means["b"] + 2.0 * means["c"])
    told = []
    for middle in ({"a": 0, "b": 0, "c": 0}, {"a": 2, "b": 1, "c": 2}):
        around = Conditional(Choices(DECISIONS), dict, Exact(price, ("latency_ms",), ()), 1).around(middle)
        assert around is not None
        assert float(around.summed(shares)["latency_ms"]) == pytest.approx(exact, rel=1e-5)
        told.append(float(around.expected(shares)["latency_ms"]))
    assert max(told) - min(told) > 0.3  # multiplied, the same shares cost what the design in the middle makes of them


@pytest.mark.parametrize("kind", ["conditional", "sampled"])
def test_logits_find_the_cheapest_design(kind: str) -> None:
    choices, exact = Choices(DECISIONS), Exact(_table_price, ("latency_ms",), ())
    cost: Any = Conditional(choices, dict, exact, 5) if kind == "conditional" else Sampled(choices, dict, exact)
    optimizer, generator = torch.optim.Adam(choices.parameters(), lr=0.1), torch.Generator().manual_seed(0)
    for _ in range(150):
        optimizer.zero_grad()
        total: Tensor = cost(choices.drawn("gumbel_hard", 1.0, generator))["latency_ms"]
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    costs = {
        (a, b, c): _table_price([{"a": a, "b": b, "c": c}])[0].metrics.get("latency_ms", 1e9)
        for a, b, c in product(range(3), range(2), range(3))
    }
    found = choices.likeliest()[0]
    assert costs[found["a"], found["b"], found["c"]] <= sorted(costs.values())[1]  # type: ignore[index]


def test_a_barrier_is_little_inside_and_steep_at_the_limit() -> None:
    ratio = torch.tensor([0.2, 0.5, 0.9, 0.98, 1.0, 1.2], requires_grad=True)
    value = barrier(ratio)
    value.sum().backward()  # type: ignore[no-untyped-call]
    assert ratio.grad is not None
    slopes = ratio.grad.tolist()
    assert slopes == sorted(slopes) and slopes[0] < 1 and slopes[-1] > 50
    assert float(value[0].detach()) == pytest.approx(-math.log(math.log(81.0)), rel=1e-5)
    assert slopes[-1] == pytest.approx(100 / (2 * math.log(2)), rel=1e-5)


def test_terms_of_a_limit() -> None:
    log_bound = math.log(10.0)

    def slope(kind: str, cost: float, likeliest: float = 9.5) -> float:
        log_cost = torch.tensor(math.log(cost), requires_grad=True)
        term = LimitTerm(kind, log_bound, 1.0)
        out = term(log_cost, math.log(likeliest))
        if not out.requires_grad:
            return 0.0
        out.backward()  # type: ignore[no-untyped-call]
        assert log_cost.grad is not None
        return float(log_cost.grad)

    # The likeliest design says on which side; what is expected is moved, wherever it is.
    assert [slope("window", 5.0, likeliest) for likeliest in (5.0, 9.5, 20.0)] == [-1.0, 0.0, 1.0]
    assert [slope("window", cost, 9.5) for cost in (5.0, 20.0)] == [0.0, 0.0]
    assert slope("exponential", 5.0) < 0.3 < 4.6 == pytest.approx(slope("exponential", 10.0), rel=0.01)
    # Far beyond the limit it is as steep as at it: a step there must not be what Adam scales all others by.
    assert slope("exponential", 30.0) == pytest.approx(3.0 * slope("exponential", 10.0), rel=1e-5)
    multiplier = LimitTerm("multiplier", log_bound, 0.5)
    for _ in range(3):
        multiplier.after(math.log(20.0))
    assert multiplier.multiplier == pytest.approx(1.5)
    for _ in range(9):
        multiplier.after(math.log(5.0))
    assert multiplier.multiplier == 0.0


def test_certainty_is_told_by_products() -> None:
    sure, unsure = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.5, 0.3, 0.2])
    assert float(certain({"a": sure})) == 0.0
    assert float(certain({"a": sure, "b": unsure})) == pytest.approx(0.5 * 0.7 * 0.8)


def test_an_evaluator_tells_its_error_and_picks_what_suits() -> None:
    networks = [Decision(f"n{place}", "network", (1, 2, 4)) for place in range(4)]
    hardware = [Decision("rows", "hardware", (1, 2, 4, 8)), Decision("bus", "hardware", (1, 4))]

    def price(points: Sequence[Point]) -> list[Outcome]:
        out = []
        for point in points:
            work = sum(int(point[f"n{place}"]) for place in range(4))
            out.append(
                Outcome(
                    {
                        "latency_ms": work / int(point["rows"]) + 8.0 / int(point["bus"]),
                        "area_mm2": 1.0 + int(point["rows"]),
                    }
                )
            )
        return out

    exact = Exact(price, ("latency_ms", "area_mm2"), ())
    rng = np.random.default_rng(0)
    drawn_networks = [{d.name: d.draw(rng) for d in networks} for _ in range(40)]
    machines = [{"rows": rows, "bus": bus} for rows in (1, 2, 4, 8) for bus in (1, 4)]
    known = priced(networks, hardware, (drawn_networks, machines), exact)
    evaluator, error = fitted_evaluator(networks, hardware, {"latency_ms": 1.0, "area_mm2": 1.0}, known, 0, steps=400)
    assert error.networks == 8 and error.mape["latency_ms"] < 0.1 and error.mape["area_mm2"] < 0.05
    assert error.excess < 0.25 * error.usual
    choices = Choices(networks)
    found = Evaluated(evaluator, 0.1, torch.Generator().manual_seed(0))(
        choices.drawn("gumbel_hard", 1.0, torch.Generator())
    )
    found["latency_ms"].backward()  # type: ignore[no-untyped-call]
    assert all(logits.grad is not None for logits in choices.parameters())


def _run(recipe: Recipe, journal: Memory, tmp_path: Any) -> tuple[Relaxed, list[Trial]]:
    problem = SearchProblem(recipe.space, recipe.goal, toy.steps_of(recipe, tmp_path))
    told, driver = DRIVERS.get("relaxed").checked(recipe.driver.given, "driver"), Relaxed()

    def maker(*_: Any) -> Any:
        raise AssertionError("relaxed choices ask no controller")

    context = DriverContext(
        problem, maker, journal, recipe.trials, 1, recipe.seed, options=told, search_space=recipe.space
    )
    driver.run(context)
    return driver, list(journal)


@pytest.mark.parametrize("limit", ["multiplier", "barrier", "window", "exponential"])
def test_what_is_derived_is_within_its_limit(limit: str, tmp_path: Any) -> None:
    recipe = _recipe(limits={"weight_bytes": 900}, driver={"name": "relaxed", "steps": 6, "limit": limit})
    driver, (trial,) = _run(recipe, Memory(), tmp_path)
    assert trial.told.outcome.feasible and trial.told.outcome.metrics["weight_bytes"] <= 900
    assert driver.found[0].point == trial.told.point


def test_what_no_single_change_mends_two_do() -> None:
    """Two limits that pull apart: either change alone breaks one of them more than it helps the other."""
    excess = {("low", "low"): 0.2, ("high", "low"): 0.9, ("low", "high"): 0.9, ("high", "high"): 0.0}

    class Search(_Search):
        def __init__(self) -> None:
            self._hardware = []

        def _whole(self, point: Point) -> Point:
            return point

        def _priced(self, points: Sequence[Point]) -> list[Outcome]:
            over = [excess[str(point["a"]), str(point["b"])] for point in points]
            return [
                Outcome(broken=(Infeasible("power_mw", 1.0 + item, 1.0, "mW", ""),) if item else ()) for item in over
            ]

    decisions = [Decision(name, "network", ("low", "high")) for name in "ab"]
    shares = {name: np.array([0.9, 0.1]) for name in "ab"}
    assert Search()._mended({"a": "low", "b": "low"}, shares, decisions) == {"a": "high", "b": "high"}


def test_a_killed_search_goes_on_with_the_next(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = _recipe(trials=2)
    _, whole = _run(recipe, Memory(), tmp_path)
    assert [trial.phase for trial in whole] == ["search 0", "search 1"]
    assert _run(recipe, Memory(whole[:1]), tmp_path)[1] == whole
    monkeypatch.setattr("codesign.drivers.relaxed.NestedNetwork", None)
    assert _run(recipe, Memory(whole), tmp_path)[1] == whole


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"limits": {"throughput_per_s": 10.0}, "providers": ["schedule", toy.NAME]},
            "bounds nothing (allowed: latency_ms",
        ),
        ({"driver": {"name": "relaxed", "cost": "evaluator"}}, "no hardware is left to choose"),
        ({"driver": {"name": "relaxed", "loss": "product"}}, "multiplies by a cost"),
        ({"network": {**CHAIN, "skips": True}}, "which layers there are"),
        (
            {"compression": {"name": "layer_channels", "slots": 3}, "network": CHAIN},
            "which l1.filters changes, too",
        ),
    ],
)
def test_what_cannot_be_relaxed_is_refused_in_one_line(changes: dict[str, Any], said: str, tmp_path: Any) -> None:
    with pytest.raises(SpecError) as caught:
        _run(_recipe(**changes), Memory(), tmp_path)
    assert said in str(caught.value) and len(str(caught.value).splitlines()) == 1
