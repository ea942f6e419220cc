"""What a run has finished: a record of it, written last, with the digest of every file that it claims."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mappings.cache_folder import file_digest, tell
from mappings.durable import sync_file, write_durably


def write_record(path: Path, value: Any, files: Iterable[Path]) -> None:
    """Record a value and that ``files``, which lie beside the record, are whole; they are on the disk before it is."""
    digests = {}
    for file in files:
        sync_file(file)
        digests[file.name] = file_digest(file)
    write_durably(path, json.dumps({"value": value, "sha256": digests}, allow_nan=False))


def read_record(path: Path) -> Any | None:
    """The value of a record whose files are whole, or None: it is to be done (again, which one line says)."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        digests = found["sha256"]
        damaged = [
            name for name in digests if Path(name).name != name or file_digest(path.parent / name) != digests[name]
        ]
        value = found["value"]
    except FileNotFoundError as error:
        if error.filename == str(path):
            return None
        damaged = [Path(error.filename).name]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        damaged = [path.name]
    if damaged:
        tell(f"{path.parent / damaged[0]} is damaged or missing; it is made again")
        return None
    return value
