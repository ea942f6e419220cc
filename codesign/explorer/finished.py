"""What a run has finished: a record of it, written last, with the digest of every file that it claims."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mappings.cache_folder import file_digest, tell
from mappings.durable import sync_file, write_durably
from mappings.errors import SpecError
from mappings.files import read_json
from mappings.yamlio import digest

MAX_RECORD_BYTES = 100_000


def write_record(path: Path, value: Any, files: Iterable[Path]) -> None:
    """Record a value and that ``files``, which lie beside the record, are whole; they are on the disk before it is."""
    digests = {}
    for file in files:
        sync_file(file)
        digests[file.name] = file_digest(file)
    claim = {"value": value, "sha256": digests}
    write_durably(path, json.dumps({**claim, "record_sha256": digest(claim)}, allow_nan=False))


def read_record(path: Path) -> Any | None:
    """The value of a record that is whole and whose files are; None: it is to be done (again: one line says so)."""
    if not path.exists():
        return None
    damaged = _damaged(path)
    if damaged is not None:
        tell(f"{damaged} is damaged or missing; it is made again")
        return None
    return read_json(path, MAX_RECORD_BYTES)["value"]


def _damaged(path: Path) -> Path | None:
    """The record or the file of it that is not as it was written; names that leave the folder are not followed."""
    try:
        found = read_json(path, MAX_RECORD_BYTES)
        whole = found.pop("record_sha256") == digest(found)
    except (SpecError, AttributeError, KeyError, TypeError):
        return path
    if not whole or any(Path(name).name != name for name in found["sha256"]):
        return path
    for name, expected in found["sha256"].items():
        file: Path = path.parent / name
        try:
            if file_digest(file) != expected:
                return file
        except OSError:
            return file
    return None
