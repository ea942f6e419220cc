"""The user's YAML files that a run is made with (device, hardware, network), kept in its folder.

A run is its folder: it goes on where these files are not, and what is done to them later is no matter to it.
Modules and data sets stay where they are; the digest of the recipe knows whether they have changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from codesign.recipe import Recipe, parse_recipe
from mappings.durable import write_durably
from mappings.errors import Fault, SpecError
from mappings.files import read_bytes
from mappings.yamlio import MAX_BYTES

#: Their folder in a run; what is in it is never replaced by other content.
INPUTS = "inputs"
_KEYS = ("network", "hardware", "device", "providers")


def keep_inputs(recipe: Recipe, folder: Path) -> Recipe:
    """Copy them into a new run's folder; the recipe that names the copies."""
    copies: dict[str, str] = {}

    def copied(text: str) -> str:
        if text not in copies and Path(text).is_file():
            copies[text] = str(_copy(Path(text), folder / INPUTS))
        return copies.get(text, text)

    plain = _mapped(recipe.to_dict(), copied)
    return parse_recipe(plain, f"recipe {recipe.name}") if copies else recipe


def _copy(path: Path, into: Path) -> Path:
    content = read_bytes(path, MAX_BYTES)
    place, number = into / path.name, 1
    while place.exists() and place.read_bytes() != content:
        number += 1
        place = into / str(number) / path.name
    place.parent.mkdir(parents=True, exist_ok=True)
    write_durably(place, content)
    return place


def inside(plain: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A recipe as ``run.yaml`` holds it: copies are named from the folder on."""
    start = f"{folder / INPUTS}/"
    return _mapped(plain, lambda text: f"{INPUTS}/{text.removeprefix(start)}" if text.startswith(start) else text)


def outside(plain: Any, folder: Path) -> Any:
    """The same as commands use it: by paths of the copies."""

    def located(text: str) -> str:
        parts = PurePosixPath(text).parts
        if parts[:1] != (INPUTS,) or ".." in parts:
            return text
        place = folder / text
        if place.is_symlink() or place.parent.is_symlink():
            raise SpecError(Fault(str(place), "is a link", "a run's own files and folders"))
        return str(place)

    return _mapped(plain, located) if isinstance(plain, dict) else plain


def _mapped(plain: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """A recipe's values with the names of YAML files changed."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [walk(item) for item in value]
        return change(value) if isinstance(value, str) and value.endswith((".yaml", ".yml")) else value

    return {key: walk(value) if key in _KEYS else value for key, value in plain.items()}
