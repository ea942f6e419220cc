"""Results on disk, by digest: safe for any number of processes, and never older than the code.

One JSON file a question. It is written under another name in the same folder and renamed, so that a reader sees a whole
file or none; two writers of the same answer do no harm. A file that does not read is a miss.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from accel_models.jit import cache_dir, code_version
from mappings.errors import SpecError
from mappings.yamlio import digest


def key_of(layer: str, accelerator: str, dataflow: str, objective: str, tiles: str) -> str:
    """Key of a question: digests of layer and accelerator, dataflow (digest or "any"), objective, kind of tiles."""
    return digest([layer, accelerator, dataflow, objective, tiles, code_version()])


def load(key: str) -> dict[str, Any] | None:
    """What was stored, or None."""
    try:
        value = json.loads(_path(key).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def store(key: str, value: dict[str, Any]) -> None:
    """Store plain values; a folder that cannot be written costs time later, not the answer now."""
    try:
        path = _path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(value, file)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except (OSError, SpecError):  # SpecError: there is no cache folder
        return


def _path(key: str) -> Path:
    return cache_dir() / "mappings" / key[:2] / f"{key}.json"
