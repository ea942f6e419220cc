"""docs/recipes.md from the recipe files: what runs each published system, what is the same, what differs.

    python -m codesign.reports.recipes_page [FIGURES.json] > docs/recipes.md

``FIGURES.json`` is what ``python -m benchmarks.recipes --record`` wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codesign.recipe import Recipe, load_recipe, recipe_names, variant_names
from mappings.yamlio import load_yaml

SYSTEMS = Path(__file__).parents[1] / "systems.yaml"
MISSING = Path(__file__).parents[1] / "systems_missing.yaml"
FIGURES = Path(__file__).parents[2] / "benchmarks" / "data" / "recipes.json"
_HEAD = """# Recipes of published methods

Made by `python -m codesign.reports.recipes_page` from the recipe files; a test holds it current. A recipe is run by
`codesign explore --recipe NAME` or `NAME:VARIANT`; those with a variant `reduced` run in a minute or so, and
`python -m benchmarks.recipes` says of each, beside random search at the same budget, whether its own mechanism worked.
What is measured below are such reduced forms: mechanisms, never the published figures themselves.
A headline that no text read here confirms is "not checked"; of a recipe without a measured line the mechanism has not
been measured.
"""


def systems() -> dict[str, dict[str, str]]:
    """Sources of the published systems, by group and name."""
    raw = load_yaml(SYSTEMS)
    return {str(group): {str(name): str(source) for name, source in found.items()} for group, found in raw.items()}


def missing() -> dict[str, str]:
    """What each system that no recipe runs still needs."""
    return {str(name): str(need) for name, need in load_yaml(MISSING).items()}


def runners() -> dict[str, Recipe]:
    """The recipe or variant of each system that one names."""
    out: dict[str, Recipe] = {}
    for name in recipe_names():
        for reference in (name, *(f"{name}:{variant}" for variant in variant_names(name))):
            found = load_recipe(reference)
            for system in found.systems:
                out.setdefault(system, found)
    return out


def page(figures: Mapping[str, Any]) -> str:
    """The page.

    Args:
        figures: lines of ``benchmarks.recipes``, by recipe.
    """
    ran, known, needs = runners(), systems(), missing()
    parts, left = [_HEAD], list[str]()
    for group, names in known.items():
        mine = {name: source for name, source in names.items() if name in ran}
        left += [f"{name} ({source}): {needs[name]}" for name, source in names.items() if name not in ran]
        if not mine:
            continue
        parts.append(f"\n## {group}\n")
        for name, source in mine.items():
            parts.append(_entry(name, source, ran[name], figures))
    total = sum(len(names) for names in known.values())
    parts.append(
        f"\n## Not run\n\n{total - len(left)} of {total} systems have a recipe. These have none, for want of:\n"
    )
    parts.append("\n".join(f"* {name}" for name in left) + "\n" if left else "none\n")
    return "\n".join(parts)


def _entry(name: str, source: str, recipe: Recipe, figures: Mapping[str, Any]) -> str:
    line = figures.get(recipe.name)
    lines = [
        f"**{name}** ({source}): `{recipe.name}`, {recipe.summary}",
        f"* same: {recipe.same}",
        f"* differs: {recipe.differs}",
        f"* published: {recipe.headline or 'no figure in the texts read'}",
    ]
    if line is not None:
        outcome = "" if line["met"] else " (missed)"
        lines.append(
            f"* measured, reduced: {line['mechanism']}; best {line['best']:.4g}, random {line['random_best']:.4g}; "
            f"late proposals ahead of random with chance {line['ahead']:.2f}{outcome}"
        )
    return lines[0] + "\n\n" + "\n".join(lines[1:]) + "\n"


def read_figures(path: Path) -> dict[str, Any]:
    """Recorded lines by recipe; none where nothing was recorded."""
    if not path.exists():
        return {}
    return dict(json.loads(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    sys.stdout.write(page(read_figures(Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURES)))
