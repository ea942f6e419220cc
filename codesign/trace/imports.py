"""Python files of the user's own, imported as Python itself would from the folder one works in.

``pkg/net.py`` is the module ``pkg.net`` of the working folder, so that relative imports and imports from the project's
root find their packages. Folders are on ``sys.path`` while a file is imported; what it imports later, in ``forward``,
is found by a finder that comes after all others, so that ``sys.path`` is as it was and nothing installed is shadowed.
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


def _dotted(path: Path, roots: Sequence[Path]) -> str | None:
    """Name of a file as a module of the first root that has one for it."""
    for root in roots:
        if path.is_relative_to(root):
            parts = path.relative_to(root).with_suffix("").parts
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


@contextmanager
def _searched(folders: Sequence[str]) -> Iterator[None]:
    """The folders before all others, and names that another project's modules have taken free again."""
    sys.path[:0] = folders
    importlib.invalidate_caches()
    before = set(sys.modules)
    for name in [name for name in _OWN if "." not in name and name in sys.modules]:
        if not _inside(sys.modules[name], folders):
            for other in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
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
    name = _dotted(path, (here, root))
    with _searched(folders):
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
    with _searched([str(Path.cwd().resolve())]):
        return importlib.import_module(name)
