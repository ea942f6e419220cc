"""Differentiable search: relaxations of a choice, expected cost, what is derived under a limit, the driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.gradient import METHODS, latencies, relaxed_as, searched, with_limit
from codesign.drivers.base import DriverContext, Trial
from codesign.drivers.gradient import Gradient
from codesign.drivers.registry import DRIVERS
from codesign.explorer.problem import SearchProblem
from codesign.gradient.cells import cells_of, with_arms
from codesign.gradient.derive import CostTable, derived, likeliest
from codesign.gradient.mixing import mixed, one_of
from codesign.gradient.network import MixedNetwork, PartialChannels
from codesign.gradient.search import expected_cost
from codesign.gradient.several_limits import within_all
from codesign.recipe import Part, Recipe, load_recipe, parse_recipe
from codesign.spaces.search_space import NETWORK_GROUPS
from mappings.errors import SpecError
from tests import toy
from tests.unit.test_drivers import Memory

ONE_PATH = ("gumbel_hard", "two_path")
RELAXATIONS = ("softmax", "gumbel_soft", *ONE_PATH)
LEARNING = ("sharp", "scheduled", *RELAXATIONS)
GRADIENT_RECIPES = ("darts", "pc_darts", "snas", "gdas", "fbnet", "proxylessnas", "single_path")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def times(factor: float) -> Callable[[Tensor], Tensor]:
    return lambda x: factor * x


@pytest.mark.parametrize("relaxation", RELAXATIONS)
def test_a_cell_gives_what_its_arms_give(relaxation: str) -> None:
    arms, x = [times(2.0), times(-3.0), times(7.0)], torch.ones(4)
    generator = torch.Generator().manual_seed(0)
    for learn in (False, True):
        logits = torch.tensor([0.3, -0.2, 0.1], requires_grad=True)
        out = mixed(relaxation, arms, logits, x, 1.0, generator, logits_learn=learn)
        value = float(out.detach()[0])
        if relaxation in ONE_PATH:
            assert min(abs(value - factor) for factor in (2.0, -3.0, 7.0)) < 1e-5
        else:
            assert -3.0 < value < 7.0
        if learn or relaxation != "two_path":
            out.sum().backward()
            assert logits.grad is not None and float(logits.grad.abs().sum()) > 0
            assert abs(float(logits.grad.sum())) < 1e-4 * 40  # a softmax does not change when all logits move alike
    if relaxation == "softmax":
        shares = torch.softmax(torch.tensor([0.3, -0.2, 0.1]), 0)
        assert value == pytest.approx(float(shares @ torch.tensor([2.0, -3.0, 7.0])), rel=1e-5)


def test_the_two_path_gradient_lies_between_the_two() -> None:
    """Cai 2019, eq. 4 over the two paths: d loss / d logit_i = sum_j g_j p_j (delta_ij - p_i)."""
    arms, x = [times(2.0), times(-3.0)], torch.ones(1)
    logits = torch.tensor([0.4, -0.1], requires_grad=True)
    mixed("two_path", arms, logits, x, 1.0, torch.Generator().manual_seed(0), logits_learn=True).sum().backward()
    p = torch.softmax(logits.detach(), 0)
    wanted = p[0] * p[1] * (2.0 - -3.0)
    assert logits.grad is not None and torch.allclose(logits.grad, torch.stack((wanted, -wanted)))


def test_a_drawn_arm_has_the_gradient_of_its_chance() -> None:
    logits, generator = torch.tensor([0.4, -0.1, 1.0], requires_grad=True), torch.Generator().manual_seed(0)
    shares, drawn = torch.softmax(logits.detach(), 0), list[int]()
    for _ in range(600):
        place, log_chance = one_of(logits, generator)
        drawn.append(place)
        logits.grad = None
        log_chance.backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        assert torch.allclose(logits.grad, torch.nn.functional.one_hot(torch.tensor(place), 3) - shares, atol=1e-6)
    assert torch.allclose(torch.bincount(torch.tensor(drawn)) / 600, shares, atol=0.06)


def test_reinforce_finds_the_better_arm() -> None:
    """What the search adds to the loss: how much worse than usual, times the logarithm of the chance."""
    logits, generator = torch.zeros(3, requires_grad=True), torch.Generator().manual_seed(1)
    optimizer, usual = torch.optim.Adam([logits], lr=0.1), 0.6
    for _ in range(150):
        place, log_chance = one_of(logits, generator)
        error = (0.6, 0.9, 0.3)[place]
        optimizer.zero_grad()
        ((error - usual) * log_chance).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        usual = 0.9 * usual + 0.1 * error
    assert int(logits.argmax()) == 2


@pytest.mark.parametrize("relaxation", LEARNING)
def test_logits_find_the_better_arm(relaxation: str) -> None:
    arms, logits = [times(0.2), times(-1.0), times(2.5)], torch.zeros(3, requires_grad=True)
    optimizer, generator = torch.optim.Adam([logits], lr=0.1), torch.Generator().manual_seed(1)
    for _ in range(100):
        x = torch.randn(16, generator=generator)
        optimizer.zero_grad()
        out = mixed(relaxation, arms, logits, x, 0.7, generator, logits_learn=True)
        (-out * x).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert int(logits.argmax()) == 2


def test_expected_cost_is_the_mean_over_all_networks() -> None:
    table = CostTable(10.0, ((0.0, 2.0), (1.0, 0.0, -4.0)))
    shares = [torch.tensor([0.25, 0.75], requires_grad=True), torch.tensor([0.5, 0.2, 0.3], requires_grad=True)]
    mean = sum(float((shares[0][a] * shares[1][b]).detach()) * table.of((a, b)) for a, b in product(range(2), range(3)))
    cost = expected_cost(shares, table)
    assert float(cost.detach()) == pytest.approx(mean)
    cost.backward()  # type: ignore[no-untyped-call]
    assert shares[1].grad is not None and shares[1].grad.tolist() == [1.0, 0.0, -4.0]
    assert (table.least, table.most) == (6.0, 13.0)


def test_the_likeliest_arms_in_a_window_are_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts = rng.integers(2, 5, size=5)
        table = CostTable(100.0, tuple(tuple(float(v) for v in rng.integers(-20, 21, count)) for count in counts))
        shares = [rng.dirichlet(np.ones(count)) for count in counts]
        high = float(rng.uniform(table.least + 10, table.most))
        low = high - 12.0
        inside = [places for places in product(*(range(count) for count in counts)) if low <= table.of(places) <= high]
        found = likeliest(shares, table, low, high)

        def score(places: tuple[int, ...], shares: Any = shares) -> float:
            return float(sum(np.log(max(s[p], 1e-12)) for s, p in zip(shares, places, strict=True)))

        if not inside:
            assert found is None
        else:
            assert found is not None and found in inside
            assert score(found) == pytest.approx(max(map(score, inside)))


@pytest.mark.parametrize("limit", [95.0, 105.0, 120.0, 140.0])
def test_what_is_derived_is_under_its_limit_by_the_exact_model(limit: float) -> None:
    rng = np.random.default_rng(3)
    table = CostTable(100.0, tuple(tuple(sorted(rng.uniform(-10, 10, 5))) for _ in range(8)))
    shares = [rng.dirichlet(np.ones(5)) for _ in range(8)]

    def exact(places: tuple[int, ...]) -> float:
        # What a sum over cells does not know: neighbours that are alike save, every network pays.
        alike = sum(a == b for a, b in pairwise(places))
        return table.of(places) * 1.06 - 1.5 * alike

    places, cost = derived(shares, table, exact, limit, 0.95)
    assert cost == exact(places) and 0.95 * limit <= cost <= limit


def test_a_limit_below_everything_gives_the_cheapest() -> None:
    table = CostTable(10.0, ((0.0, -1.0), (0.0, -2.0)))
    places, cost = derived([np.array([0.9, 0.1])] * 2, table, table.of, 5.0, 0.95)
    assert places == (1, 1) and cost == 7.0


def test_limits_that_pull_apart_hold_wherever_a_network_meets_them() -> None:
    """Time, and power, which falls with what makes a network slow; neither is quite the sum of its table."""
    rng = np.random.default_rng(4)
    arms = [tuple(float(v) for v in rng.uniform(-6, 6, 4)) for _ in range(5)]
    tables = {
        "time": CostTable(100.0, tuple(arms)),
        "power": CostTable(100.0, tuple(tuple(-v + float(rng.uniform(-3, 3)) for v in row) for row in arms)),
    }
    every = list(product(range(4), repeat=5))

    def exact(places: tuple[int, ...]) -> dict[str, float]:
        alike = sum(a == b for a, b in pairwise(places))
        return {"time": tables["time"].of(places) * 1.03 - alike, "power": tables["power"].of(places) * 0.98 + alike}

    known = {places: exact(places) for places in every}
    for _ in range(12):
        meets = known[every[int(rng.integers(len(every)))]]
        limits = {name: 1.001 * value for name, value in meets.items()}
        found = within_all([rng.dirichlet(np.ones(4)) for _ in arms], tables, exact, limits, 0.95)
        assert all(known[found][name] <= limit for name, limit in limits.items()), (limits, known[found])
    nearest = within_all([np.full(4, 0.25)] * 5, tables, exact, {"time": 50.0, "power": 50.0}, 0.95)
    least = min(sum(cost.values()) for cost in known.values())
    assert sum(known[nearest].values()) < 1.03 * least


@pytest.mark.parametrize("network", ["elastic_mnist", "layerwise"])
def test_an_arm_changes_the_layers_of_its_cell_alone(network: str) -> None:
    space = Recipe(network=Part(network)).space
    networks = space.decisions.of_groups(*NETWORK_GROUPS)
    base = networks.canonical({d.name: d.choices[-1] for d in networks.choices})
    cells = cells_of(space.network, networks, base)
    last = tuple(len(cell.arms) - 1 for cell in cells)
    assert with_arms(networks, base, cells, last) == base

    def others(point: Any, prefix: str) -> list[Any]:
        found = space.network_at(point).workload
        assert found is not None
        layers = [layer for layer in found.layers if not layer.name.startswith(prefix)]
        return [replace(layer, inputs=()) for layer in layers]

    for number, cell in enumerate(cells):
        for arm in range(len(cell.arms)):
            point = with_arms(networks, base, cells, (*last[:number], arm, *last[number + 1 :]))
            networks.check(point)
            assert others(point, cell.prefix) == others(base, cell.prefix)


def test_partial_channels_keep_shape_and_halve_what_goes_by() -> None:
    part, x = PartialChannels(4, 8, 16), torch.randn(2, 8, 6, 6)
    out = part(x, lambda value: torch.zeros(2, 4, 3, 3) + value.mean())
    assert part.inner == (2, 4) and out.shape == (2, 16, 3, 3)


def small(name: str, **options: Any) -> Recipe:
    toy.register()
    recipe = load_recipe(name)
    choices = dict(recipe.choices)
    if recipe.network.name == "edge_cells":
        choices |= {f"s1e{a}{b}": ("k1",) for a, b in ((0, 1), (0, 2), (1, 2))}
    elif recipe.driver.given["relaxation"] != "shared":
        choices |= {"s1b2_block": ("skip",), "s2b2_block": ("skip", "keep"), "s3b2_block": ("skip",)}
    driver = dict(recipe.driver.options) | {"steps": 3, "hardware_draws": 16} | options
    if driver.get("stages", 1) > 1:
        driver["steps"] = 6
    return replace(
        recipe,
        choices=tuple(choices.items()),
        providers=(Part("schedule"), Part(toy.NAME)),
        driver=Part("gradient", tuple(driver.items())),
        trials=1,
    )


def run(recipe: Recipe, journal: Memory, tmp_path: Any) -> list[Trial]:
    problem = SearchProblem(recipe.space, recipe.goal, toy.steps_of(recipe, tmp_path))
    options = DRIVERS.get("gradient").checked(recipe.driver.given, "driver")

    def maker(*_: Any) -> Any:
        raise AssertionError("a gradient asks no controller")

    trials, space = recipe.trials, recipe.space
    Gradient().run(DriverContext(problem, maker, journal, trials, 1, 0, options=options, search_space=space))
    return list(journal)


@pytest.mark.parametrize(
    "name", ["pc_darts", "p_darts", "gdas", "fbnet", "proxylessnas", "proxylessnas:reinforce", "single_path"]
)
def test_each_recipe_derives_a_network_within_its_limit(name: str, tmp_path: Any) -> None:
    recipe = small(name)
    if recipe.limits:
        free = run(replace(recipe, limits=(), driver=small(name, cost_weight=0.0).driver), Memory(), tmp_path)
        most = max(trial.told.outcome.metrics["latency_ms"] for trial in free)
        recipe = replace(recipe, limits=(("latency_ms", 0.9 * most),))
    (trial,) = run(recipe, Memory(), tmp_path)
    recipe.space.decisions.check(trial.told.point)
    assert trial.told.outcome.feasible and "accuracy" in trial.told.outcome.metrics
    for metric, bound in recipe.limits:
        assert 0.6 * bound <= trial.told.outcome.metrics[metric] <= bound


def test_the_accelerator_that_is_held_is_within_the_limits(tmp_path: Any) -> None:
    """No network makes an array smaller: of those that are drawn the fastest within the limit is taken."""
    recipe = small("gdas", hardware_draws=24)
    (free,) = run(recipe, Memory(), tmp_path)
    bound = 0.9 * free.told.outcome.metrics["lut"]
    (trial,) = run(replace(recipe, limits=(("lut", bound),)), Memory(), tmp_path)
    assert trial.told.outcome.feasible and trial.told.outcome.metrics["lut"] <= bound


def test_a_killed_search_goes_on_with_the_next(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(small("gdas"), trials=2)
    whole = run(recipe, Memory(), tmp_path)
    assert [trial.phase for trial in whole] == ["search 0", "search 1"]
    half = Memory(whole[:1])
    assert run(recipe, half, tmp_path) == whole
    monkeypatch.setattr("codesign.drivers.gradient.MixedNetwork", None)
    assert run(recipe, half, tmp_path) == whole  # all is in the journal: nothing is searched


def test_each_relaxation_is_that_of_its_paper() -> None:
    told = {name: dict(load_recipe(name).driver.options) for name in GRADIENT_RECIPES}
    assert [told[name]["relaxation"] for name in GRADIENT_RECIPES] == [
        "softmax", "softmax", "gumbel_soft", "gumbel_hard", "gumbel_soft", "two_path", "shared",
    ]  # fmt: skip
    assert told["pc_darts"]["partial"] == 4 and told["snas"]["bilevel"] is False
    assert {name for name in told if "cost_weight" in told[name]} == {"fbnet", "proxylessnas", "single_path"}


def test_what_no_gradient_reaches_is_refused_in_one_line() -> None:
    table = {"network": "resnet18", "compression": "none", "driver": "gradient", "providers": ["schedule"]}
    with pytest.raises(SpecError) as caught:
        parse_recipe({**table, "objectives": ["latency_ms"], "hardware": "templates_full"}, "mine")
    said = str(caught.value)
    assert 'mine.driver: "gradient" needs "cells"' in said and "network layerwise" in said
    assert len(said.splitlines()) == 1


def test_a_superkernel_holds_kernels_and_expansions_alone(tmp_path: Any) -> None:
    recipe = load_recipe("fednas")
    driver = Part("gradient", (("relaxation", "shared"), ("steps", 1)))
    toy.register()
    recipe = replace(recipe, driver=driver, providers=(Part("schedule"), Part(toy.NAME)), trials=1)
    with pytest.raises(SpecError, match="which no one kernel holds"):
        run(recipe, Memory(), tmp_path)


def test_the_superkernel_weighs_every_arm() -> None:
    recipe = load_recipe("single_path")
    networks = recipe.space.decisions.of_groups(*NETWORK_GROUPS)
    base = networks.canonical({d.name: d.choices[-1] for d in networks.choices})
    cells = cells_of(recipe.space.network, networks, base)
    last = [len(cell.arms) - 1 for cell in cells]
    points = [
        [with_arms(networks, base, cells, (*last[:n], arm, *last[n + 1 :])) for arm in range(len(cell.arms))]
        for n, cell in enumerate(cells)
    ]
    torch.manual_seed(0)
    network = MixedNetwork(lambda p: recipe.space.network_at(p).workload, points, cells, "shared")  # type: ignore[arg-type, return-value]
    for share in network.shares():
        assert share.shape == (4,) and float(share.sum()) == pytest.approx(1.0) and float(share.min()) > 0
    out = network(torch.rand(8, 1, 28, 28), 1.0, torch.Generator().manual_seed(0))
    torch.nn.functional.cross_entropy(out, torch.arange(8)).backward()
    assert [part.numel() for part in network.choosing()] == [1] * 12
    silent = [n for n, part in enumerate(network.choosing()) if part.grad is None or float(part.grad.abs().sum()) == 0]
    assert silent == [10]  # of 2 x 2 places the outer taps of the last cell's kernels meet padding alone


@pytest.mark.parametrize("method", METHODS)
def test_the_benchmark_of_limits_relaxes_one_space_as_each_method_does(method: str) -> None:
    base = load_recipe("fbnet")
    recipe = with_limit(relaxed_as(method, base), 0.2, 1, 0)
    assert recipe.network == base.network
    assert dict(recipe.driver.options)["relaxation"] == dict(load_recipe(method).driver.options)["relaxation"]
    point = searched(recipe).told.point
    assert latencies(recipe, [point])[0] <= 0.2
