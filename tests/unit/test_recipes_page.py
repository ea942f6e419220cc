"""docs/recipes.md is what the recipe files say; every system has a place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.recipes_mechanisms import MECHANISMS
from codesign.recipe import load_recipe, parse_recipe, recipe_names, variant_names
from codesign.reports.recipes_page import FIGURES, missing, page, read_figures, runners, systems

DOC = Path(__file__).parents[2] / "docs" / "recipes.md"
BASES = {"cifar10", "default", "hardware", "joint", "networks", "random", "reinforce", "systolic", "tpe"}
METHODS = [name for name in recipe_names() if name not in BASES]


def test_the_page_is_current() -> None:
    assert DOC.read_text(encoding="utf-8") == page(read_figures(FIGURES))


def test_every_system_that_a_recipe_names_is_known_and_named_once() -> None:
    known = [name for names in systems().values() for name in names]
    assert len(known) == len(set(known))
    named = [
        system
        for name in recipe_names()
        for reference in (name, *(f"{name}:{variant}" for variant in variant_names(name)))
        for system in load_recipe(reference).systems
    ]
    assert set(named) <= set(known) and len(named) == len(set(named)) and set(runners()) == set(named)


def test_what_no_recipe_runs_says_what_it_needs() -> None:
    assert set(missing()) == {name for names in systems().values() for name in names} - set(runners())


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_is(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.source and recipe.headline and recipe.systems and recipe.same and recipe.differs


def test_no_two_methods_are_composed_alike() -> None:
    composed: dict[str, str] = {}
    for name in METHODS:
        plain = load_recipe(name).to_dict()
        about = {"name", "summary", "source", "headline", "systems", "same", "differs", "trials", "batch"}
        what = str({key: value for key, value in plain.items() if key not in about})
        assert what not in composed, f"{name} is {composed.get(what)}"
        composed[what] = name


def test_nothing_of_a_publication_comes_from_the_recipe_that_is_extended(tmp_path: Path) -> None:
    mine = parse_recipe({"name": "mine", "extends": "fnas"}, "mine.yaml")
    assert mine.limits == load_recipe("fnas").limits
    assert (mine.source, mine.headline, mine.systems, mine.same, mine.differs) == ("", "", (), "", "")
    assert load_recipe("fnas:reduced").systems == () and load_recipe("fnas:reduced").headline


def test_the_page_of_parts_is_what_is_registered() -> None:
    """Written by a process of its own: other tests register parts of theirs."""
    written = (DOC.parent / "parts.md").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "codesign.reports.parts_page"]
    done = subprocess.run(command, cwd=DOC.parents[1], capture_output=True, text=True, check=True)
    assert written == done.stdout, "python -m codesign.reports.parts_page > docs/parts.md"
    assert written.count("| `nsga2` |") == written.count("| `pooled` |") == written.count("| `power_mw` |") == 1


SHARED = ("bignas", "cnas", "cream", "fairnas", "greedynas", "ofa", "one_shot", "slimmable", "spos")


@pytest.mark.parametrize("name", SHARED)
def test_each_way_of_sharing_weights_has_a_mechanism_to_show(name: str) -> None:
    assert name in MECHANISMS and "reduced" in variant_names(name)
    loaded = load_recipe(f"{name}:reduced").check("recipe")
    (part,) = [part for part in loaded.providers if part.name == "supernet"]
    (whole,) = [part for part in load_recipe(name).providers if part.name == "supernet"]
    assert [part.given[key] for key in ("strategy", "kernel")] == [whole.given[key] for key in ("strategy", "kernel")]
