"""Python files of the user's own, imported as Python itself would from the folder one works in.

``pkg/net.py`` is the module ``pkg.net`` of the working folder, so that relative imports and imports from the project's
root find their packages. Folders are on ``sys.path`` while a file is imported; what it imports later, in ``forward``,
is found by a finder that comes after all others, so that ``sys.path`` is as it was and nothing installed is shadowed.
Where a project has a package by the name of one of ours, of the standard library's or of one that is loaded, its code
gets its own while it is imported, and everybody else the other.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import keyword
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

_FOLDERS: list[str] = []
#: Modules that came from those folders, by name: another project may have others of the same name.
_OWN: set[str] = set()
#: What we import ourselves, some of it later.
_OURS = ("mappings", "accel_models", "rtl_templates", "hls")


class _Finder:
    """Finds top-level modules in the folders that files were loaded from, newest first."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if path is not None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, _FOLDERS, target)
        if spec is not None:
            _OWN.add(name)
        return spec


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _package_root(folder: Path) -> Path:
    """The folder that holds the outermost package around a folder, or the folder itself."""
    while (folder / "__init__.py").is_file() and _is_name(folder.name):
        folder = folder.parent
    return folder


def _dotted(path: Path, here: Path, root: Path) -> str | None:
    """Name of a file as a module: from the folder one works in, or from where its outermost package lies.

    Inside a package, or above the folder that holds it, only the package's own name lets its files find each other.
    """
    package = (path.parent / "__init__.py").is_file() and (path.parent == here or root.is_relative_to(here))
    for top in (root, here) if package else (here, root):
        if path.is_relative_to(top):
            parts = path.relative_to(top).with_suffix("").parts
            if all(_is_name(part) for part in parts):
                return ".".join(parts)
    return None


def _inside(module: ModuleType, folders: Sequence[str]) -> bool:
    """Whether a module comes from the first of the folders that has its name."""
    spec = importlib.machinery.PathFinder.find_spec(module.__name__, list(folders))
    if spec is None:
        return False
    if spec.origin is not None:
        return spec.origin == getattr(module, "__file__", None)
    return sorted(spec.submodule_search_locations or ()) == sorted(getattr(module, "__path__", ()))


def _with_parts(name: str) -> list[str]:
    """A loaded module's name and those of what is in it."""
    return [key for key in sys.modules if key == name or key.startswith(f"{name}.")]


@contextmanager
def _lent(wanted: str | None, folders: Sequence[str]) -> Iterator[None]:
    """Top-level names that others hold too are the project's for a while.

    Args:
        wanted: name of the module that is imported, if it is in a package.
        folders: of the project; one with a copy of this program lends nothing of it.
    """
    names = set[str]()
    if not any((Path(folder) / "codesign" / "__init__.py").is_file() for folder in folders):
        names |= set(_OURS)
    if wanted is not None and "." in wanted:
        top = wanted.partition(".")[0]
        if top in sys.stdlib_module_names or (top in sys.modules and top not in _OWN):
            names.add(top)
    path_finder = importlib.machinery.PathFinder
    names = {name for name in names if path_finder.find_spec(name, list(folders)) is not None}
    names = {name for name in names if name not in sys.modules or not _inside(sys.modules[name], folders)}
    aside = {key: sys.modules.pop(key) for name in names for key in _with_parts(name)}
    try:
        yield
    finally:
        for name in names:
            for key in _with_parts(name):
                del sys.modules[key]
            # Who has the name now is not the project's, and must stay when another project comes.
            _OWN.difference_update([key for key in _OWN if key == name or key.startswith(f"{name}.")])
        sys.modules.update(aside)


@contextmanager
def _searched(folders: Sequence[str]) -> Iterator[None]:
    """The folders before all others, and names that another project's modules have taken free again."""
    sys.path[:0] = folders
    importlib.invalidate_caches()
    before = set(sys.modules)
    for name in [name for name in _OWN if "." not in name and name in sys.modules]:
        if not _inside(sys.modules[name], folders):
            for other in _with_parts(name):
                del sys.modules[other]
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(folder)
            if folder in _FOLDERS:
                _FOLDERS.remove(folder)
        _FOLDERS[:0] = folders
        if _Finder not in sys.meta_path:
            sys.meta_path.append(_Finder)
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None) or next(
                iter(getattr(sys.modules[name], "__path__", [])), ""
            )
            if any(Path(file).is_relative_to(folder) for folder in folders) and "site-packages" not in file:
                _OWN.add(name)


def import_file(path: Path) -> ModuleType:
    """Import a file anew, as a module of the working folder, of its package, or alone.

    Raises:
        BaseException: whatever the file raises.
    """
    path, here = path.resolve(), Path.cwd().resolve()
    root = _package_root(path.parent)
    folders = list(dict.fromkeys(str(folder) for folder in (here, root, path.parent)))
    if not path.is_relative_to(here):
        folders = folders[1:] + folders[:1]
    name = _dotted(path, here, root)
    with _searched(folders), _lent(name, folders):
        if name is None or (name in sys.modules and name not in _OWN) or not _packages_are(name, path):
            name = f"_codesign_user_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        _OWN.add(name)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)
    return module


def _packages_are(name: str, path: Path) -> bool:
    """Import the packages around a module; whether its file is where they look."""
    parent = name.rpartition(".")[0]
    if not parent:
        return True
    package = importlib.import_module(parent)
    return str(path.parent) in [str(Path(place).resolve()) for place in getattr(package, "__path__", ())]


def import_name(name: str) -> ModuleType:
    """Import ``pkg.net`` as ``python -c "import pkg.net"`` does from the working folder.

    Raises:
        BaseException: no such module, or whatever it raises.
    """
    here = Path.cwd().resolve()
    alone = here / f"{name}.py"
    if name in sys.modules and name not in _OWN and alone.is_file():  # in a file, so that the other one stays
        return import_file(alone)
    with _searched([str(here)]), _lent(name, [str(here)]):
        return importlib.import_module(name)
