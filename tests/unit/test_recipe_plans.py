"""What drivers ask of the recipe around them is told when it is read, before a run's folder is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from codesign.explorer.run import ExploreOptions, explore
from codesign.recipe import Part, load_recipe, parse_recipe
from mappings.errors import SpecError
from tests import toy

HARDWARE = """name: mine
device: zynq7020
template: {array: output_stationary, rows: 8, cols: 8, axi_bits: 64, dram_bytes_per_cycle: 8}
"""


@pytest.mark.parametrize(
    ("driver", "changes", "told"),
    [
        ({"name": "alternate"}, {}, r"phase_trials: is 48 of 20 trials, which leaves none for the other part"),
        ({"name": "carried", "first_trials": 20}, {}, r"first_trials: is 20 of 20 trials"),
        (
            {"name": "carried", "first_trials": 4},
            {"controllers": {"source": "nsga2", "target": "encoder"}},
            "are nsga2 and encoder, of different kinds",
        ),
        ({"name": "forecast", "first": 12, "full": 8}, {}, "measures 20 of 20 trials"),
        ({"name": "forecast", "first": 4, "full": 5}, {}, "full: is 5, above first"),
        ({"name": "budgeted", "samples": 4, "fidelities": [0.1, 0.2], "keep": 8}, {}, "may measure 20 of 20"),
        ({"name": "transferred", "whole": 10, "compressed": 10}, {}, "measures 20 of 20 trials"),
        (
            {"name": "search_then_cut", "search_trials": 20},
            {"limits": {"latency_ms": 0.1}},
            "search_trials: is 20 of 20 trials, which leaves none to cut with",
        ),
        ({"name": "search_then_cut", "search_trials": 4}, {}, "cuts down to a limit, and none is"),
        ({"name": "sequential"}, {"limits": {"accuracy": 0.1}}, "cuts down to a limit, and none is"),
        (
            {"name": "sequential", "decisions": ["_wdith"]},
            {"limits": {"latency_ms": 0.1}},
            'has "_wdith", with which no decision that has an order ends',
        ),
        (
            {"name": "sequential", "hardware": {"rows": 5}},
            {"limits": {"latency_ms": 0.1}},
            r"driver.hardware.rows: is 5 \(allowed: 4",
        ),
        (
            {"name": "staged", "hardware": {"rosw": 8}},
            {},
            r'driver.hardware.rosw: is no decision of the space, did you mean "rows"\?',
        ),
        (
            {"name": "sequential"},
            {"limits": {"latency_ms": 0.1}, "providers": ["schedule"], "objectives": ["latency_ms"]},
            "no provider of the recipe gives accuracy",
        ),
        (
            {"name": "compound"},
            {"providers": ["schedule"], "objectives": ["latency_ms"]},
            "no provider of the recipe gives accuracy",
        ),
        ({"name": "compound", "by": "accuracy"}, {}, r'driver.by: is "accuracy", which no provider before the dear'),
        ({"name": "pooled", "cost": "latency"}, {}, r'driver.cost: is "latency".*did you mean "latency_ms"'),
        (
            {"name": "pooled", "operators": ["_sort"]},
            {},
            r"driver.operators: is \['_sort'\], and no decision of the space",
        ),
        (
            {"name": "space_first", "space": ["resolutoin"], "by": "latency_ms"},
            {},
            'has "resolutoin", no list of choices',
        ),
        ({"name": "nested"}, {"hardware": "templates_full"}, "prices every accelerator, and the space has"),
        (
            {"name": "gradient"},
            {"network": "edge_cells", "hardware": "templates", "limits": {"throughput_per_s": 5.0}},
            "limits.throughput_per_s: grows with what is better",
        ),
        ({"name": "carried", "fidelities": [1.0]}, {}, r"fidelities: is \[1.0\] \(allowed"),
        ({"name": "budgeted", "least_correlation": 1.5}, {}, r"least_correlation: is 1.5 \(allowed"),
    ],
)
def test_what_a_driver_cannot_do_is_told_with_the_recipe(
    driver: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(SpecError, match=told):
        parse_recipe({"driver": driver, "trials": 20, **changes}, "mine")


def test_widths_of_one_accelerator_are_told_with_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(HARDWARE, encoding="utf-8")
    told = r"choices.weight_bits: has 4, and .* runs 8 bits \(allowed: weight_bits: \[8\]"
    with pytest.raises(SpecError, match=told):
        parse_recipe({"hardware": str(path)}, "mine")
    found = parse_recipe({"hardware": str(path), "choices": {"weight_bits": [8], "act_bits": [8]}}, "mine")
    assert found.space.hardware.template.rows == 8  # type: ignore[attr-defined]
    assert load_recipe("joint", {"hardware": str(path)}).space.decisions.size > 1


def test_other_hardware_on_the_command_line_takes_what_was_held_of_the_first(tmp_path: Path) -> None:
    path, recipe = tmp_path / "mine.yaml", tmp_path / "recipe.yaml"
    path.write_text(HARDWARE, encoding="utf-8")
    held = {"name": "staged", "hardware": {"rows": 8}}
    recipe.write_text(yaml.safe_dump({"extends": "joint", "driver": held}), encoding="utf-8")
    assert load_recipe(str(recipe)).driver.given["hardware"] == {"rows": 8}
    assert load_recipe(str(recipe), {"hardware": str(path)}).driver.given["hardware"] == {}


@pytest.mark.parametrize("reads", ["curve", "difficulty"])
def test_a_forecast_leaves_out_networks_that_do_not_run(tmp_path: Path, reads: str) -> None:
    recipe = toy.recipe(16, 4)
    driver = {"first": 6, "full": 6, "levels": [0.1], "reads": reads}
    choices = (*recipe.choices, ("weight_buffer_kib", (4, 16)))
    path = tmp_path / "toy.yaml"
    path.write_text(
        replace(
            recipe, driver=Part("forecast", tuple(driver.items())), controller=Part("random"), choices=choices
        ).dump(),
        encoding="utf-8",
    )
    result = explore(ExploreOptions(recipe=str(path), out=str(tmp_path / "run"), verify=(), jobs=0))
    assert any(name == "weight_buffer_bytes" for name in result.tally.bounds)  # some do not run at all
    assert result.tally.told == 16


@pytest.mark.parametrize("name", ["sequential", "search_then_cut"])
def test_cutting_for_an_accelerator_without_room_is_one_line(tmp_path: Path, name: str) -> None:
    recipe, limits = toy.recipe(6, 3), (("latency_ms", 0.05),)
    options: tuple[tuple[str, Any], ...] = (("hardware", {"rows": 32, "weight_buffer_kib": 1}),)
    if name == "search_then_cut":
        options += (("search_trials", 3),)
    recipe = replace(recipe, choices=(*recipe.choices, ("weight_buffer_kib", (1, 16))))
    path = tmp_path / "toy.yaml"
    path.write_text(replace(recipe, driver=Part(name, options), limits=limits).dump(), encoding="utf-8")
    with pytest.raises(SpecError, match=r"one of them does not run: .*weight_buffer_bytes needs"):
        explore(ExploreOptions(recipe=str(path), out=str(tmp_path / "run"), verify=(), jobs=0))
