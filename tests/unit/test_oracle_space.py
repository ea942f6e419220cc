"""Batched costs equal those of single designs, sums by layer are sums, and the race's front and volume are right."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from accel_models.pricing.layers import LayerTable, alone
from accel_models.pricing.price import Pricer
from accel_models.report import Infeasible
from benchmarks.oracle_space import Memory, Oracle, OracleProblem, Truth, front_of, hypervolume
from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.registry import make_controller
from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.registry import DRIVERS
from codesign.explorer.problem import SearchProblem, Step
from codesign.objectives import Goal
from codesign.objectives.front import nondominated
from codesign.providers.base import ProviderContext
from codesign.providers.registry import PROVIDERS, make_provider
from codesign.recipe import load_recipe
from codesign.recipe_parts import Part, make_space
from codesign.spaces.network.nasbench201 import NasBench201
from codesign.spaces.search_space import SearchSpace

OBJECTIVES = ("accuracy", "latency_ms", "energy_uj")


def test_a_batch_equals_designs_one_by_one() -> None:
    space, rng = load_recipe("default").space, np.random.default_rng(3)
    points = [space.decisions.draw(rng) for _ in range(24)]
    provider = make_provider("schedule", ProviderContext(0, "zynq7020", space, Path()))
    lazy, made = space.decode(points, designs=False), space.decode(points)
    priced = provider.price(lazy)  # type: ignore[attr-defined]
    for fast, slow, one, batch in zip(provider.measure(lazy), priced, made, lazy, strict=True):
        (alone_,) = provider.measure([one]) if one.design is not None else (None,)
        broken = one.broken + (alone_.broken if alone_ is not None else ())
        assert batch.broken + fast.broken == broken
        assert bool(slow.broken) == bool(fast.broken)
        if alone_ is not None and not alone_.broken:
            assert fast.metrics == alone_.metrics
    # The compiled path itself, whatever the provider chose.
    provider._compiled = True  # type: ignore[attr-defined]
    for first, again in zip(provider.measure(lazy), priced, strict=True):
        assert first.broken or first.metrics == again.metrics


def test_layer_sums_are_sums_of_programs_of_one_layer() -> None:
    space = make_space(
        {
            "network": Part("nasbench201", (("channels", 4), ("cells", 1))),
            "compression": Part("none"),
            "hardware": Part("templates"),
            "mapping": Part("tile_caps"),
        },
        "zcu102",
        {},
        "test",
    )
    rng = np.random.default_rng(0)
    points = [space.decisions.draw(rng) for _ in range(6)]
    candidates = space.decode(points, designs=False)
    found = make_provider("layer_sum", ProviderContext(0, "zcu102", space, Path())).measure(candidates)
    pricer, compared = Pricer("zcu102", bounded=False), 0
    for candidate, measurement in zip(candidates, found, strict=True):
        assert candidate.workload is not None and candidate.caps is not None
        layers = [single for layer in candidate.workload.layers if (single := alone(candidate.workload, layer))]
        assert len(layers) >= 15
        priced = pricer.price(layers, [candidate.hardware] * len(layers), *candidate.caps)
        if priced.code.any():
            assert measurement.broken
            continue
        compared += 1
        assert measurement.metrics["latency_cycles"] == priced.cycles.sum()
        assert measurement.metrics["energy_uj"] == pytest.approx(priced.energy_pj.sum() / 1e6, rel=1e-12)
    assert compared


def test_front_and_volume_equal_plain_ones() -> None:
    rng = np.random.default_rng(1)
    costs = rng.integers(0, 12, (80, 3)).astype(float)
    assert front_of(costs) == nondominated(costs)
    bound = np.array([10.0, 9.0, 11.0])
    cells = np.zeros((10, 9, 11), dtype=bool)
    for x, y, z in costs.astype(int):
        cells[x:, y:, z:] = True
    assert hypervolume(costs, bound) == pytest.approx(float(cells.sum()))
    assert hypervolume(bound[None] + 1, bound) == 0.0


def _small_oracle() -> Oracle:
    """Made-up figures: 7 kinds of networks on 6 accelerators, of which the device has no room for one."""
    rng = np.random.default_rng(5)
    space: SearchSpace = make_space(
        {
            "network": Part("nasbench201"),
            "compression": Part("none"),
            "hardware": Part("templates"),
            "mapping": Part("default"),
        },
        "zynq7020",
        {
            "array": ("weight_stationary",), "rows": (8,), "cols": (8,), "input_buffer_kib": (4,),
            "weight_buffer_kib": (4,), "acc_buffer_kib": (8,), "output_buffer_kib": (1,), "axi_bits": (32, 64),
            "clock_mhz": (25, 50, 100),
        },
        "test",
    )  # fmt: skip
    hardware = [
        {**{d.name: d.choices[0] for d in space.decisions.choices[6:]}, "axi_bits": bits, "clock_mhz": clock}
        for bits in (32, 64)
        for clock in (25, 50, 100)
    ]
    kind = rng.integers(0, 7, 15_625)
    broken: list[tuple[Infeasible, ...]] = [()] * 6
    broken[5] = (Infeasible("DSP", 300, 220, "blocks", "fewer"),)
    latency, energy = rng.random((7, 6)) + 0.1, rng.random((7, 6)) + 0.1
    latency[2, 1] = energy[2, 1] = np.nan
    chip = np.ones((7, 6))
    return Oracle(space, rng.random(7)[kind], kind, kind, latency, energy, chip, hardware, broken, None)


def test_the_true_front_is_that_of_all_pairs_and_nested_comes_to_it() -> None:
    oracle = _small_oracle()
    fronts = oracle.fronts()
    truth = Truth(oracle, fronts)
    good = oracle.feasible()[oracle.kind]
    networks, columns = np.nonzero(good)
    kinds = oracle.kind[networks]
    everything = Truth.costs(
        oracle.accuracy[networks], oracle.latency_ms[kinds, columns], oracle.energy_uj[kinds, columns]
    )
    plain = everything[front_of(everything)]
    assert {tuple(row) for row in plain} == {tuple(row) for row in truth.front}
    problem = OracleProblem(oracle, Goal(OBJECTIVES), fronts)

    def maker(part: str, space: DecisionSpace, goal: Goal) -> Controller:
        return make_controller("random", ControllerContext(1, space, goal, 50))

    journal, entry = Memory(), DRIVERS.get("nested")
    options = entry.checked({}, "driver")
    entry.load()().run(DriverContext(problem, maker, journal, 400, 50, 0, options=options))
    outcomes = [trial.told.outcome for trial in journal]
    assert all(outcome.feasible for outcome in outcomes) and truth.share(outcomes) == pytest.approx(1.0)
    assert truth.without_luck(oracle, fronts) == pytest.approx(1.0)
    assert truth.share(outcomes[:3]) < 1.0
    # Each network's designs are its front over every accelerator, and the prices tell no accuracy.
    one = journal[0].told.point
    priced = problem.price({n: one[n] for n in list(one)[:6]}, oracle.hardware)
    assert all("accuracy" not in outcome.metrics for outcome in priced)
    figures = [(o.metrics["latency_ms"], o.metrics["energy_uj"]) for o in priced if o.feasible]
    best = {f for f in figures if not any(g != f and g[0] <= f[0] and g[1] <= f[1] for g in figures)}
    first = [t.told.outcome.metrics for t in journal if t.phase == "network 0"]
    assert {(item["latency_ms"], item["energy_uj"]) for item in first} == best


def test_equal_layers_are_counted_once() -> None:
    table, space = LayerTable(), NasBench201(cells=2)
    counts = table.counts(space.workload(["avg_pool_3x3"] * 6))
    assert sum(counts.values()) == sum(layer.op != "constant" for layer in space.workload(["avg_pool_3x3"] * 6).layers)
    assert len(counts) == len(table.layers) < 30


def test_nested_keeps_the_front_of_plain_enumeration() -> None:
    choices = {
        "array": ["weight_stationary", "loop_tile"],
        "rows": [8, 16],
        "cols": [8],
        "input_buffer_kib": [2, 8],
        "weight_buffer_kib": [4],
        "acc_buffer_kib": [4],
        "output_buffer_kib": [1],
        "axi_bits": [32, 64],
        "clock_mhz": [50, 100],
        "tile_rows": [2, 14],
        "tile_channels": [16],
    }
    changes = {"choices": choices, "providers": ["schedule"], "objectives": ["latency_ms", "energy_uj"]}
    recipe = load_recipe("default", changes)
    provider = make_provider("schedule", ProviderContext(0, recipe.device, recipe.space, Path()))
    problem = SearchProblem(recipe.space, recipe.goal, [Step("schedule", PROVIDERS.get("schedule"), provider)])
    network = recipe.space.decisions.of_groups("network", "compression").draw(np.random.default_rng(2))

    class _One:
        def ask(self, count: int) -> list[Point]:
            return [network] * count

        def tell(self, told: Sequence[Told]) -> None:
            """Nothing to learn."""

    journal, entry = Memory(), DRIVERS.get("nested")
    options = entry.checked({}, "driver")
    entry.load()().run(DriverContext(problem, lambda *_: _One(), journal, 1, 1, 0, options=options))
    names = [d.name for d in recipe.space.decisions.choices if d.group in ("hardware", "mapping")]
    values = [d.choices for d in recipe.space.decisions.choices if d.name in names]
    points = [{**network, **dict(zip(names, row, strict=True))} for row in product(*values)]
    assert len(points) == 64
    outcomes = problem.measure(points)
    good = [place for place, outcome in enumerate(outcomes) if outcome.feasible]
    front = [good[row] for row in nondominated(recipe.goal.costs([outcomes[place] for place in good]))]
    assert [trial.told.point for trial in journal] == [points[place] for place in front]
    assert [trial.told.outcome for trial in journal] == [outcomes[place] for place in front]
