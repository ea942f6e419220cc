"""``formulas`` and ``array_formulas`` compiled: the same source, loaded again with each function under ``numba.njit``.

Importing this module imports numba (about half a second) but compiles nothing: each function is compiled at its first
call, or where another compiled function calls it, and kept in numba's cache beside the source.
"""

from __future__ import annotations

import importlib.util
import sys
from types import FunctionType, ModuleType

import numba

from accel_models import array_formulas as _plain_array
from accel_models import formulas as _plain


def _compile(name: str, plain: ModuleType) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, plain.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where numba looks for the globals of what it finds in its cache
    spec.loader.exec_module(module)
    for key, value in list(vars(module).items()):
        if isinstance(value, FunctionType):
            setattr(module, key, numba.njit(cache=True)(value))
    return module


#: Every function and constant of ``accel_models.formulas``, the functions compiled.
formulas = _compile("accel_models._compiled_formulas", _plain)
#: The same of ``accel_models.array_formulas``.
array_formulas = _compile("accel_models._compiled_array_formulas", _plain_array)
