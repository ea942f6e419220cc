"""``formulas``, ``charges`` and ``array_formulas`` compiled: the same source, each function under ``numba.njit``.

Importing this module imports numba (about half a second) but compiles nothing: each function is compiled where
another compiled function calls it (and only so can be called).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from accel_models.jit import compiled
from accel_models.reuse import charges as _plain_charges
from accel_models.reuse import cuts as _plain_cuts
from accel_models.reuse import formulas as _plain
from accel_models.reuse import windows as _plain_windows
from accel_models.template import array_formulas as _plain_array

_compiled: dict[FunctionType, Callable[..., Any]] = {}


def compile_module(plain: ModuleType) -> ModuleType:
    """The module once more: its own functions compiled, those it imports replaced by what was compiled before."""
    name = f"{plain.__name__}_compiled"
    spec = importlib.util.spec_from_file_location(name, plain.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # machine code kept on disk names the modules that it comes from
    spec.loader.exec_module(module)
    for key, value in list(vars(module).items()):
        if isinstance(value, FunctionType):
            if value not in _compiled:
                _compiled[vars(plain)[key]] = compiled(value)
            setattr(module, key, _compiled[vars(plain)[key]])
    return module


compile_module(_plain_cuts)
compile_module(_plain_windows)
#: Every function and constant of ``accel_models.reuse.formulas``, the functions compiled.
formulas = compile_module(_plain)
#: The same of ``accel_models.reuse.charges``.
charges = compile_module(_plain_charges)
#: The same of ``accel_models.template.array_formulas``.
array_formulas = compile_module(_plain_array)
