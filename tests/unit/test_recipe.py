"""Recipes: what ships is sound, what is wrong is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesign.recipe import Recipe, load_recipe, parse_recipe, recipe_names
from mappings.errors import SpecError
from mappings.yamlio import load_yaml_text


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_survive_a_round_trip(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name and recipe.summary
    assert parse_recipe(load_yaml_text(recipe.dump(), "again"), "again") == recipe
    assert recipe.space.designs > 10**9


def test_the_default_is_the_default_recipe() -> None:
    assert load_recipe().controller == "nsga2" and load_recipe().device == "zynq7020"
    assert {"default", "random", "tpe", "reinforce"} <= set(recipe_names())


def test_overrides_replace_and_are_checked() -> None:
    recipe = load_recipe("default", {"trials": 5, "seed": None, "device": "zcu102"})
    assert recipe.trials == 5 and recipe.seed == 0 and recipe.device == "zcu102"
    with pytest.raises(SpecError, match='unknown device "zyng7020", did you mean "zynq7020"'):
        load_recipe("default", {"device": "zyng7020"})
    with pytest.raises(SpecError, match="trials: is 0"):
        load_recipe("default", {"trials": 0})


def test_all_faults_at_once() -> None:
    raw = {"contoller": "nsga2", "trials": True, "network": 7, "choices": [1], "accuracy_options": {"a": "b"}}
    with pytest.raises(SpecError) as caught:
        parse_recipe(raw, "mine.yaml")
    text = str(caught.value)
    assert 'unknown key "contoller", did you mean "controller"' in text
    assert "mine.yaml.network" in text and "mine.yaml.choices" in text and "accuracy_options" in text
    with pytest.raises(SpecError) as names:
        Recipe(controller="nsga", accuracy="trian", cost="shedule", batch=1).check("r")
    assert all(word in str(names.value) for word in ('"nsga2"', '"train"', '"schedule"', "r.batch"))


def test_files_and_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ntrials: 3\ntrials: 4\n", encoding="utf-8")
    with pytest.raises(SpecError, match='duplicate key "trials"'):
        load_recipe(str(path))
    with pytest.raises(SpecError, match='unknown recipe "defualt", did you mean "default"'):
        load_recipe("defualt")
    with pytest.raises(SpecError, match="cannot be read"):
        load_recipe(str(tmp_path / "none.yaml"))
    with pytest.raises(SpecError, match="objectives"):
        parse_recipe({"objectives": ["accuracy"]}, "r")
    with pytest.raises(SpecError, match="unknown key"):
        parse_recipe({"reward": {"target": 1.0}}, "r")
    with pytest.raises(SpecError, match="is list"):
        parse_recipe([], "r")
