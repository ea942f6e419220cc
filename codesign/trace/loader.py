"""A module of the user's own from ``my_module.py:MyNet``."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from mappings.errors import Fault, SpecError, nearest


def load_module(reference: str, seed: int = 0) -> nn.Module:
    """Import ``path.py:Name`` and build the module: a class without required arguments, a function, or an instance.

    The file is executed, as any import is: load only what you trust.

    Args:
        reference: path of a Python file, a colon, and a name in it.
        seed: of torch's generator while the module is built.

    Raises:
        SpecError: no such file or name, the file fails, the constructor needs arguments or fails, or the result is
            no ``nn.Module``.
    """
    value = load_object(reference, nn.Module)
    torch.manual_seed(seed)
    return _build(value, reference)


def load_object(reference: str, kind: type = object) -> Any:
    """Import ``path.py:Name``; the file is executed.

    Args:
        kind: classes of the file that derive from it are named where there is no such name.

    Raises:
        SpecError: no such file or name, or the file fails.
    """
    path_text, colon, name = reference.rpartition(":")
    if not colon or not path_text or not name.isidentifier():
        raise SpecError(Fault(reference, "is not a reference to a module", "path/to/file.py:ClassName"))
    path = Path(path_text)
    if not path.is_file():
        known = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise SpecError(Fault(path_text, f"no such file{nearest(path.name, known)}", "a Python file"))
    if path.suffix != ".py":
        raise SpecError(Fault(path_text, "is not a Python file", "a file that ends in .py"))
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)
    try:
        namespace = vars(_execute(path))
    finally:
        sys.path.remove(folder)
    if name not in namespace:
        own = [
            key
            for key, value in namespace.items()
            if inspect.isclass(value) and issubclass(value, kind) and value.__module__ == namespace["__name__"]
        ]
        raise SpecError(Fault(path_text, f'has no "{name}"{nearest(name, own)}', ", ".join(own) or "a class in it"))
    return namespace[name]


def _execute(path: Path) -> ModuleType:
    module_name = f"_codesign_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        line = ""
        if isinstance(error, SyntaxError) and error.lineno:
            line = f":{error.lineno}"
        raise SpecError(Fault(f"{path}{line}", f"fails when imported: {type(error).__name__}: {error}")) from error
    return module


def _build(value: object, where: str) -> nn.Module:
    if isinstance(value, nn.Module):
        return value
    if not callable(value):
        raise SpecError(Fault(where, f"is {type(value).__name__}", "a subclass of torch.nn.Module, or a function"))
    required = [
        parameter.name
        for parameter in inspect.signature(value).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if required:
        raise SpecError(
            Fault(where, f"needs arguments: {', '.join(required)}", "defaults for all, or a function that builds it")
        )
    try:
        built = value()
    except Exception as error:
        raise SpecError(Fault(where, f"can not be built: {type(error).__name__}: {error}")) from error
    if not isinstance(built, nn.Module):
        raise SpecError(Fault(where, f"gives {type(built).__name__}", "a torch.nn.Module"))
    return built
