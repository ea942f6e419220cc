"""Machine code that is kept is made anew when anything that went into it changes."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType

from numba.core.dispatcher import Dispatcher

import accel_models
from accel_models.jit import COMPILED_SOURCES

ROOT = Path(accel_models.__file__).resolve().parents[1]


def of_ours(module: ModuleType) -> Path | None:
    path = Path(getattr(module, "__file__", None) or "/")
    return path if path.is_relative_to(ROOT) and "site-packages" not in path.parts else None


@cache
def imported(path: Path) -> dict[str, tuple[str, str]]:
    """Names that a file has from elsewhere: module, and name there ("" where it is the module itself)."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for item in node.names:
                found[item.asname or item.name] = (node.module, item.name)
        elif isinstance(node, ast.Import):
            for item in node.names:
                found[item.asname or item.name.partition(".")[0]] = (item.name, "")
    return found


@cache
def assigned(path: Path) -> dict[str, frozenset[str]]:
    """What a file's own module-level values are made of: names that their expressions hold."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        held = frozenset(item.id for item in ast.walk(value) if isinstance(item, ast.Name)) if value else frozenset()
        for target in targets:
            for item in ast.walk(target) if target is not None else ():
                if isinstance(item, ast.Name):
                    found[item.id] = held
    return found


def origins(path: Path, name: str, seen: set[tuple[Path, str]]) -> Iterator[Path]:
    """Our files through which a global name of ``path`` gets its value."""
    if (path, name) in seen:
        return
    seen.add((path, name))
    yield path
    for part in assigned(path).get(name, ()):
        yield from origins(path, part, seen)
    if name in imported(path):
        module, there = imported(path)[name]
        source = of_ours(sys.modules.get(f"{module}.{there}") or sys.modules[module])
        if source is not None:
            yield from origins(source, there, seen)


def names(code: CodeType) -> set[str]:
    inner = (item for item in code.co_consts if isinstance(item, CodeType))
    return set(code.co_names).union(*map(names, inner))


def test_whatever_goes_into_machine_code_is_in_its_digest() -> None:
    for module in pkgutil.walk_packages(accel_models.__path__, "accel_models."):
        importlib.import_module(module.name)
    digested = {path for pattern in COMPILED_SOURCES for path in ROOT.glob(pattern)}
    functions = {
        value.py_func
        for module in list(sys.modules.values())
        if of_ours(module) and module.__name__.partition(".")[0] in ("accel_models", "mappings")
        for value in vars(module).values()
        if isinstance(value, Dispatcher) and Path(inspect.getsourcefile(value.py_func) or "").is_relative_to(ROOT)
    }
    assert len(functions) > 100
    outside = {
        (function.__name__, name, str(origin.relative_to(ROOT)))
        for function in functions
        for name in names(function.__code__) & set(function.__globals__)
        for origin in origins(Path(str(inspect.getsourcefile(function))), name, set())
        if origin not in digested
    }
    assert not outside
