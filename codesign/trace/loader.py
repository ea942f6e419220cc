"""A module of the user's own from ``my_module.py:MyNet`` or ``pkg.net:MyNet``."""

from __future__ import annotations

import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from codesign.trace.imports import import_file, import_name
from mappings.errors import Fault, SpecError, nearest

#: What code of the user's may raise: it may also leave, which must not pass for an end of ours.
RAISED_BY_USERS = (Exception, SystemExit)


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def load_module(reference: str, seed: int = 0) -> nn.Module:
    """Import ``path.py:Name`` or ``pkg.net:Name`` and build the module: of a class without required arguments, a
    function, or an instance.

    The file is executed, as any import is: load only what you trust.

    Args:
        reference: path of a Python file or name of a module of the working folder, a colon, and a name in it.
        seed: of torch's generator while the module is built.

    Raises:
        SpecError: no such file, module or name, the file fails, the constructor needs arguments or fails, or the result
            is no ``nn.Module``.
    """
    return built(load_object(reference, nn.Module), reference, seed)


def load_object(reference: str, kind: type = object) -> Any:
    """Import ``path.py:Name`` or ``pkg.net:Name``; the file is executed.

    Args:
        kind: classes of the file that derive from it are named where there is no such name.

    Raises:
        SpecError: no such file, module or name, or the file fails.
    """
    place, colon, name = reference.rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise SpecError(
            Fault(reference, "is not a reference to a module", "path/to/file.py:ClassName, package.module:ClassName")
        )
    path = Path(place)
    if path.suffix != ".py" and _is_dotted(place) and not path.is_file():
        module = _execute(place, None)
    else:
        if not path.is_file():
            known = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
            what = "is no regular file" if path.exists() else f"no such file{nearest(path.name, known)}"
            raise SpecError(Fault(place, what, "a Python file"))
        if path.suffix != ".py":
            raise SpecError(Fault(place, "is not a Python file", "a file that ends in .py"))
        module = _execute(place, path)
    namespace = vars(module)
    if name not in namespace:
        own = [key for key, value in namespace.items() if _may_be_meant(value, kind, namespace["__name__"])]
        raise SpecError(Fault(place, f'has no "{name}"{nearest(name, own)}', ", ".join(own) or "a class in it"))
    return namespace[name]


def _may_be_meant(value: object, kind: type, module: str) -> bool:
    """A class of the kind, an instance of one, or a function, that the module itself makes."""
    if inspect.isclass(value):
        return issubclass(value, kind) and value.__module__ == module
    if inspect.isfunction(value):
        return value.__module__ == module
    return isinstance(value, kind) and kind is not object


def _execute(place: str, path: Path | None) -> ModuleType:
    """Import a file, or a module by name.

    Raises:
        SpecError: there is none, or it fails; where in the file, if its text is at fault.
    """
    try:
        return import_name(place) if path is None else import_file(path)
    except RAISED_BY_USERS as error:
        if path is None and isinstance(error, ModuleNotFoundError) and _is_part_of(error.name, place):
            known = [found.name for found in pkgutil.iter_modules([str(Path.cwd())])]
            what = f'no module "{error.name}"{nearest(str(error.name), known)}'
            raise SpecError(Fault(place, what, "a module of the working folder, or path/to/file.py")) from error
        line = ""
        if isinstance(error, SyntaxError) and error.lineno:
            line = f":{error.lineno}"
        raise SpecError(Fault(f"{place}{line}", f"fails when imported: {type(error).__name__}: {error}")) from error


def _is_part_of(missing: str | None, place: str) -> bool:
    return missing is not None and (place == missing or place.startswith(f"{missing}."))


def built(value: object, where: str, seed: int = 0) -> nn.Module:
    """The module that a class without required arguments or a function makes, or the instance itself.

    Raises:
        SpecError: it needs arguments, fails, or makes something else.
    """
    torch.manual_seed(seed)
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
        made = value()
    except RAISED_BY_USERS as error:
        raise SpecError(Fault(where, f"can not be built: {type(error).__name__}: {error}")) from error
    if not isinstance(made, nn.Module):
        raise SpecError(Fault(where, f"gives {type(made).__name__}", "a torch.nn.Module"))
    return made
