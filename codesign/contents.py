"""The user's files that a recipe names, by what they hold: one that moved is the same, one that changed is another."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mappings.yamlio import digest

#: How the names of files end that a recipe may hold; any other text is a name.
_ENDINGS = (".yaml", ".yml", ".npz", ".csv", ".gz", ".json", ".py")


def by_content(plain: Any) -> Any:
    """Plain values, in which a text that names a file is replaced by the digest of that file.

    Of ``my_space.py:MySpace`` and, from the root of a project, ``pkg.net:MyNet`` the module's own file is taken, not
    what it imports; of a folder of images the names and sizes.
    """
    if isinstance(plain, Mapping):
        return {
            key: folder_content(value) if key == "dataset" and _is_folder(value) else by_content(value)
            for key, value in plain.items()
        }
    if isinstance(plain, list | tuple):
        return [by_content(item) for item in plain]
    return _of_text(plain) if isinstance(plain, str) else plain


def _of_text(text: str) -> Any:
    path, colon, name = text.rpartition(":")
    if not colon:
        path, name = name, ""
    elif not path.endswith(".py"):
        path = path.replace(".", "/") + ".py"
    if not path.endswith(_ENDINGS) or "\0" in path or not Path(path).is_file():
        return text
    with Path(path).open("rb") as file:
        return {"file": hashlib.file_digest(file, "sha256").hexdigest(), "name": name}


def _is_folder(value: Any) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value and Path(value).is_dir()


def folder_content(folder: str) -> Any:
    """Digest of the names and sizes of a folder's files: pictures of a large data set are not all read for it."""
    files = sorted(Path(at, name) for at, _, names in os.walk(folder) for name in names)
    return {"folder": digest([[str(file.relative_to(folder)), file.lstat().st_size] for file in files])}


def named_files(plain: Any) -> list[str]:
    """The files and folders that plain values name, each once, as they are named."""
    if isinstance(plain, Mapping):
        return list(dict.fromkeys(name for value in plain.values() for name in named_files(value)))
    if isinstance(plain, list | tuple):
        return list(dict.fromkeys(name for item in plain for name in named_files(item)))
    return (
        [plain]
        if isinstance(plain, str) and (_of_text(plain) != plain or (os.sep in plain and _is_folder(plain)))
        else []
    )


def missing_files(plain: Any) -> list[str]:
    """The modules and files that plain values name and that are not there."""
    if isinstance(plain, Mapping):
        return list(dict.fromkeys(name for value in plain.values() for name in missing_files(value)))
    if isinstance(plain, list | tuple):
        return list(dict.fromkeys(name for item in plain for name in missing_files(item)))
    if not isinstance(plain, str) or "\n" in plain or " " in plain:
        return []
    path, colon, _ = plain.rpartition(":")
    path = path if colon else plain
    return [path] if path.endswith(_ENDINGS) and not Path(path).exists() else []


__all__ = ["by_content", "missing_files", "named_files"]
