"""numba, typed and cached on disk so that a change of any source is never answered with old machine code.

numba's own cache looks at the file of the function alone, while machine code holds all that it calls. So the cache has
a folder for each state of the sources, under the user's cache folder (``CODESIGN_CACHE_DIR`` names another).
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import platformdirs
from numba import config, njit
from numba.core.caching import IndexDataCacheFile

from mappings.cache_folder import own_folder, remove, tell
from mappings.errors import Fault, SpecError

CACHE_VARIABLE = "CODESIGN_CACHE_DIR"
_ROOT = Path(__file__).resolve().parents[1]
#: What an answer of the model depends on, and what machine code is made of.
SOURCES = ("accel_models/**/*.py", "accel_models/**/data/**/*", "mappings/*.py")
COMPILED_SOURCES = (
    "accel_models/jit.py",
    "accel_models/reuse/*.py",
    "accel_models/columns/*.py",
    "accel_models/template/*.py",
    "accel_models/pricing/*.py",
    "accel_models/mapper/*.py",
    "accel_models/published/loop_tile*.py",
    "accel_models/schedule/*.py",
    "mappings/mapspace.py",
    "rtl_templates/synth/gates.py",
)
_Function = TypeVar("_Function", bound=Callable[..., Any])


def cache_dir() -> Path:
    """``CODESIGN_CACHE_DIR``, or the user's cache folder.

    Raises:
        SpecError: the user has no home folder (HOME is unset and the user's number is unknown).
    """
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    try:
        path = platformdirs.user_cache_path("codesign")
    except RuntimeError:
        path = Path()
    if not path.is_absolute():  # older releases leave the "~": a folder of that name would be made here
        raise SpecError(Fault("cache folder", "the user has no home folder", f"name a folder in {CACHE_VARIABLE}"))
    return path


@lru_cache(maxsize=2)
def code_version(sources: tuple[str, ...] = SOURCES) -> str:
    """Digest of source files, by default those of the cost model and the mapper."""
    total = hashlib.sha256()
    for pattern in sources:
        for path in sorted(_ROOT.glob(pattern)):
            if path.is_file():
                total.update(path.relative_to(_ROOT).as_posix().encode())
                total.update(path.read_bytes())
    return total.hexdigest()


def kept_folder(name: str, what: str) -> Path | None:
    """A folder of the cache that can be written, or None, which is told once: nothing is kept then.

    Args:
        name: of the folder, below :func:`cache_dir`.
        what: is not kept, for people: "mappings are".
    """
    try:
        return _kept_folder(cache_dir(), name, what)
    except SpecError as error:
        return _refused(what, str(error))


@lru_cache(maxsize=16)
def _kept_folder(cache: Path, name: str, what: str) -> Path | None:
    try:
        path = own_folder(own_folder(cache) / name)
    except SpecError as error:
        return _refused(what, str(error))
    return path if os.access(path, os.W_OK) else None


@lru_cache(maxsize=16)
def _refused(what: str, error: str) -> None:
    if multiprocessing.parent_process() is None:  # workers would say it again
        tell(f"{what} not kept: {error}")


def _machine_code_dir() -> Path | None:
    """A folder that can be written, or None: then each process compiles for itself."""
    return kept_folder(f"compiled/{code_version(COMPILED_SOURCES)[:16]}", "machine code is")


class _Checked(IndexDataCacheFile):  # type: ignore[misc]
    """numba's files with their digest behind them: a damaged one is told, removed and compiled again.

    Unpickling reads no further than its pickle, so numba's own readers take the files as they are.
    """

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        yield content
        data = content.getvalue()
        with super()._open_for_write(filepath) as file:
            file.write(data + hashlib.sha256(data).digest())

    def _load_index(self) -> Any:
        return super()._load_index() if _is_whole(Path(self._index_path)) else {}

    def _load_data(self, name: str) -> Any:
        path = Path(self._data_path(name))
        if not _is_whole(path):
            raise FileNotFoundError(path)  # numba compiles what is not there
        return super()._load_data(name)


def _is_whole(path: Path) -> bool:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        data = b""
    if data and hashlib.sha256(data[:-32]).digest() == data[-32:]:
        return True
    tell(f"{path} is damaged and is compiled again")
    remove(path)
    return False


def compiled(function: _Function) -> _Function:
    """``numba.njit`` with numpy's division and without the interpreter's lock, for what other compiled code calls.

    Python must not: the wrappers that it would need are a good part of the time to compile, and are left out.
    """
    part: _Function = njit(error_model="numpy", nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    return part


def uncounted(function: _Function) -> _Function:
    """The same for functions that make no arrays, and so need not count who refers to which.

    Counting costs more than the short loops of ``accel_models.columns.kernel`` themselves.
    """
    part: _Function = njit(error_model="numpy", nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)(
        function
    )
    return part


def entry(function: _Function) -> _Function:
    """The same as :func:`compiled` for what Python calls: its machine code, with all that it calls, is kept on disk."""
    return _kept_on_disk(function, nrt=True)


def uncounted_entry(function: _Function) -> _Function:
    """The same as :func:`uncounted` for what Python calls."""
    return _kept_on_disk(function, nrt=False)


def _kept_on_disk(function: _Function, nrt: bool) -> _Function:
    folder = _machine_code_dir()
    before = config.CACHE_DIR
    if folder is not None:
        config.CACHE_DIR = str(folder)  # read when the decorator runs, and only then
    try:
        kept: _Function = njit(cache=folder is not None, error_model="numpy", nogil=True, _nrt=nrt)(function)
        if folder is not None:
            kept._cache._cache_file.__class__ = _Checked  # type: ignore[attr-defined]
        return kept
    finally:
        config.CACHE_DIR = before


def is_compiled(package: str) -> bool:
    """Whether machine code of a package of the cost model ("mapper", "columns") is kept on disk."""
    folder = _machine_code_dir()
    return folder is not None and next(folder.glob(f"{package}_*/*.nbi"), None) is not None
