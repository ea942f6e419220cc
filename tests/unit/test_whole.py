"""The front of one network over a whole hardware space equals what pricing every accelerator finds."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accel_models.hardware.devices import device
from accel_models.hardware.technology import technology
from accel_models.pricing import best_first
from accel_models.pricing.best_first import beaten, optimistic
from accel_models.pricing.families import BUFFERS, family_of, same_demand
from accel_models.template.energy import Prices
from accel_models.template.resources import fits
from accel_models.template.spec import ArrayKind, Template
from codesign.decisions import Point
from codesign.explorer.problem import SearchProblem, Step
from codesign.objectives import Goal, Limit, Outcome
from codesign.objectives.front import nondominated
from codesign.providers.base import ProviderContext
from codesign.providers.registry import PROVIDERS, make_provider
from codesign.recipe import load_recipe
from codesign.recipe_parts import Part, make_space

#: Few enough to price them all: every array, and two of the rest.
SMALL: dict[str, tuple[Any, ...]] = {
    "rows": (4, 8),
    "cols": (8,),
    "input_buffer_kib": (1, 8),
    "weight_buffer_kib": (1, 4),
    "acc_buffer_kib": (2, 8),
    "output_buffer_kib": (1, 4),
    "clock_mhz": (50, 100),
    "tile_rows": (1, 7),
    "tile_channels": (8, 32),
}


def problem(where: str, goal: Goal, choices: Mapping[str, tuple[Any, ...]]) -> SearchProblem:
    parts = {
        "network": Part("elastic_mnist"),
        "compression": Part("uniform_bits"),
        "hardware": Part("templates"),
        "mapping": Part("tile_caps"),
    }
    space = make_space(parts, where, dict(choices), "test")
    provider = make_provider("schedule", ProviderContext(0, where, space, Path()))
    return SearchProblem(space, goal, [Step("schedule", PROVIDERS.get("schedule"), provider)])


def every_point(made: SearchProblem) -> list[Point]:
    decisions = made.space.of_groups("hardware", "mapping").decisions
    choices = [item.choices for item in decisions]  # type: ignore[union-attr]
    return [dict(zip([item.name for item in decisions], values, strict=True)) for values in product(*choices)]


def figures(goal: Goal, outcomes: list[Outcome], names: tuple[str, ...]) -> list[tuple[float, ...]]:
    """Of the front, or the least violation where nothing is feasible."""
    good = [outcome for outcome in outcomes if outcome.feasible]
    rows = np.array([[outcome.metrics[name] for name in names] for outcome in good])
    return sorted(tuple(rows[i]) for i in nondominated(rows))


@pytest.mark.parametrize(
    ("where", "names", "share"),
    [
        ("zynq7020", ("latency_ms", "energy_uj"), None),
        ("zynq7020", ("latency_ms", "energy_uj", "lut"), 0.5),
        ("edge_28nm", ("power_mw", "latency_ms"), None),
        ("zynq7020", ("edp_uj_ms",), 0.3),
    ],
)
def test_front_equals_enumeration(where: str, names: tuple[str, ...], share: float | None) -> None:
    free = problem(where, Goal(("accuracy", *names)), SMALL)
    network = free.space.of_groups("network", "compression").draw(np.random.default_rng(5))
    rows = every_point(free)
    if share is not None:
        seen = [o.metrics["latency_ms"] for o in free.price(network, rows) if o.feasible]
        free = problem(
            where, Goal(("accuracy", *names), (Limit("latency_ms", float(np.quantile(seen, share))),)), SMALL
        )
    assert free.hardware_fronts is not None
    points = free.hardware_fronts([network])[0]
    assert len(points) < len(rows) / 4
    mine, theirs = free.price(network, points), free.price(network, rows)
    assert figures(free.goal, mine, names) == figures(free.goal, theirs, names) != []


def test_front_where_the_memory_waits_and_the_chip_may_not_burn(tmp_path: Path) -> None:
    """Energy has what the memory takes over time; the limit of the chip has not."""
    path = tmp_path / "waits.yaml"
    plain = problem("edge_28nm", Goal(("accuracy", "latency_ms", "energy_uj")), SMALL)
    network = plain.space.of_groups("network", "compression").draw(np.random.default_rng(5))
    seen = [o.metrics["power_mw"] for o in plain.price(network, every_point(plain)) if o.feasible]
    bound = 0.5 * float(np.median(seen))  # a good part of it is the memory's
    figures_text = f"area_mm2: [4, x], power_mw: [{bound}, x], dram_bytes_per_s: [6400000000, x]"
    path.write_text(f"kind: asic\ntechnology: asic_28nm\ndram: ddr4\nfigures: {{{figures_text}}}\n")
    made = problem(str(path), plain.goal, SMALL)
    assert made.hardware_fronts is not None
    mine, theirs = (made.price(network, rows) for rows in (made.hardware_fronts([network])[0], every_point(made)))
    names = ("latency_ms", "energy_uj")
    assert figures(made.goal, mine, names) == figures(made.goal, theirs, names) != []
    hot = sum("power" in {b.resource for b in outcome.broken} for outcome in theirs)
    assert 0 < hot < len(theirs)


def test_what_nothing_meets_gives_the_nearest_with_room() -> None:
    goal = Goal(("accuracy", "energy_uj"), (Limit("latency_ms", 1e-3),))
    made = problem("zynq7020", goal, SMALL)
    network = made.space.of_groups("network", "compression").draw(np.random.default_rng(6))
    assert made.hardware_fronts is not None
    mine = made.price(network, made.hardware_fronts([network])[0])
    room = [o for o in made.price(network, every_point(made)) if {b.resource for b in o.broken} == {"latency_ms"}]
    assert min(o.violation for o in mine) == min(o.violation for o in room) > 0
    assert {b.resource for b in mine[0].broken} == {"latency_ms"}


def test_no_design_of_the_default_space_dominates_its_front() -> None:
    recipe = load_recipe("default")
    goal = Goal(("accuracy", "latency_ms", "energy_uj"))
    made = problem("zynq7020", goal, {"rows": (8,), "axi_bits": (64,)})
    rng = np.random.default_rng(7)
    hardware = made.space.of_groups("hardware", "mapping")
    network = made.space.of_groups("network", "compression").draw(rng)
    assert recipe.space.accelerators > 1e6 and made.hardware_fronts is not None
    names = ("latency_ms", "energy_uj")
    front = np.array(figures(goal, made.price(network, made.hardware_fronts([network])[0]), names))
    drawn = [o for o in made.price(network, [hardware.draw(rng) for _ in range(600)]) if o.feasible]
    for outcome in drawn:
        cost = np.array([outcome.metrics[name] for name in names])
        assert ((front <= cost).all(axis=1)).any()


def test_bounds_are_below_exact_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, Any]] = []
    plain = best_first.BestFirst._tell

    def watched(self: Any, programs: Any) -> None:
        before = self._cycles[programs].copy(), self._ended[programs].copy()
        plain(self, programs)
        runs = self._runs[programs]
        seen.append((before[0][runs] / self._cycles[programs][runs], before[1][runs] / self._ended[programs][runs]))

    monkeypatch.setattr(best_first.BestFirst, "_tell", watched)
    # Three objectives that pull apart, so that many programs are timed.
    goal = Goal(("accuracy", "latency_ms", "energy_uj", "lut", "bram36"))
    for seed in range(2):
        made = problem("zynq7020", goal, {**SMALL, "axi_bits": (32, 64)})
        network = made.space.of_groups("network", "compression").draw(np.random.default_rng(seed))
        assert made.hardware_fronts is not None and made.hardware_fronts([network])[0]
    ratios = np.concatenate([np.concatenate(pair) for pair in seen])
    assert len(ratios) > 100 and ratios.max() <= 1.0 and np.median(ratios) > 0.6


@pytest.mark.parametrize("where", ["zynq7020", "edge_28nm"])
def test_families_add_up(where: str) -> None:
    part = device(where)
    tech = technology(part.technology)
    sizes = dict.fromkeys(BUFFERS, (1024, 4096, 16384))
    for array in ArrayKind:
        base = Template(array=array, rows=8, cols=8, axi_bits=64, dram_bytes_per_cycle=8)
        family = family_of(base, sizes, part, tech)
        assert family is not None
        told = {tuple(combo) for combo in family.bytes_of().tolist()}
        for picked in product(*sizes.values()):
            template = Template(**{**vars(base), **dict(zip(BUFFERS, picked, strict=True))})
            assert (picked in told) == (not fits(template, part))
        for combo in range(0, len(family.combos), 7):
            template = family.template(combo, 100_000_000)
            assert same_demand(template, family.taken[combo])
            prices = Prices.of(template, tech, part)
            assert prices is not None
            assert family.cycle_pj[combo] == pytest.approx(prices.figures[-3], rel=1e-12)
            assert family.static_pj[combo] / 1e8 == pytest.approx(sum(prices.figures[-2:]), rel=1e-12)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_fronts_of_columns(columns: int) -> None:
    costs = np.random.default_rng(columns).integers(0, 6, size=(200, columns)).astype(float)
    dominated = np.array([((costs <= row).all(axis=1) & (costs < row).any(axis=1)).any() for row in costs])
    assert optimistic(costs).tolist() == np.flatnonzero(~dominated).tolist()
    assert beaten(costs, costs[~dominated]).tolist() == dominated.tolist()
