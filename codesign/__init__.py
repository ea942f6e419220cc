"""The search: networks, accuracy, compression, spaces, controllers, explorer, recipes, report, command line.

Every command of ``codesign`` is one of the functions below. They are loaded when they are first used, so that
``import codesign`` loads neither torch nor optuna.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accel_models.design import Design
    from codesign.commands.cost import cost
    from codesign.commands.exploring import explore, join_run
    from codesign.commands.hardware import emit, simulate
    from codesign.commands.listing import list_names
    from codesign.commands.mapping import map_network as map  # noqa: A004 - the command's word
    from codesign.commands.reporting import report
    from codesign.commands.synth import synth
    from codesign.commands.tabling import table
    from codesign.design_file import DesignFile
    from codesign.explorer.loaded import LoadedRun, load_run
    from codesign.quantization.integer_reference import run_integer
    from codesign.quantization.quantize import quantize as quantize_module
    from codesign.recipe import Recipe, load_recipe
    from codesign.spaces.search_space import SearchSpace
    from codesign.trace import trace as trace_module
    from mappings.errors import SpecError

__version__ = "0.1.0"

#: Name to "module" or "module:attribute"; a function that shares its name with a module is offered as ..._module.
_PUBLIC = {
    "Design": "accel_models.design",
    "DesignFile": "codesign.design_file",
    "LoadedRun": "codesign.explorer.loaded",
    "Recipe": "codesign.recipe",
    "SearchSpace": "codesign.spaces.search_space",
    "SpecError": "mappings.errors",
    "cost": "codesign.commands.cost",
    "emit": "codesign.commands.hardware",
    "explore": "codesign.commands.exploring",
    "join_run": "codesign.commands.exploring",
    "list_names": "codesign.commands.listing",
    "load_recipe": "codesign.recipe",
    "load_run": "codesign.explorer.loaded",
    "map": "codesign.commands.mapping:map_network",
    "quantize_module": "codesign.quantization.quantize:quantize",
    "report": "codesign.commands.reporting",
    "run_integer": "codesign.quantization.integer_reference",
    "simulate": "codesign.commands.hardware",
    "synth": "codesign.commands.synth",
    "table": "codesign.commands.tabling",
    "trace_module": "codesign.trace:trace",
}

__all__ = [
    "Design",
    "DesignFile",
    "LoadedRun",
    "Recipe",
    "SearchSpace",
    "SpecError",
    "cost",
    "emit",
    "explore",
    "join_run",
    "list_names",
    "load_recipe",
    "load_run",
    "map",
    "quantize_module",
    "report",
    "run_integer",
    "simulate",
    "synth",
    "table",
    "trace_module",
]


def __getattr__(name: str) -> Any:
    """A public name, loaded on first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'codesign' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    value = getattr(importlib.import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
