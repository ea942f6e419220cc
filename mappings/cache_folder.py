"""Folders of things that are dear to make: trusted only where they are ours, believed only where they are whole.

An entry is a file and beside it ``NAME.sha256``, its digest, which is written last. What has none or another is made
anew, and one line says so. Work goes on in a folder of a random name that its maker holds locked; what a killed maker
left is found by the lock that nobody holds.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mappings.durable import sync_file, write_durably
from mappings.errors import Fault, SpecError
from mappings.files import read_json
from mappings.yamlio import digest

_LOCK = "maker.lock"
#: A folder this young may be between its making and its locking.
_YOUNG_S = 60.0
_MOST_JSON_BYTES = 2**26


def tell(line: str) -> None:
    """Say one line beside the results."""
    print(f"note: {line}", file=sys.stderr, flush=True)


def own_folder(path: Path) -> Path:
    """Make a cache folder that nobody else may write, or check one.

    Machine code and indexes are run and unpickled: whoever writes them decides what runs here.

    Raises:
        SpecError: it cannot be made, or somebody else may write it or put another in its place.
    """
    allowed = f"chmod go-w {path}, or a folder of your own in CODESIGN_CACHE_DIR"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = path.resolve()
        found = place.stat()
        above = [item.stat() for item in place.parents]
    except OSError as error:
        raise SpecError(Fault(str(path), f"cannot be used as a cache: {error.strerror}", allowed)) from None
    if found.st_uid not in (os.geteuid(), 0):
        raise SpecError(Fault(str(path), "is a cache that belongs to another user", allowed))
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SpecError(Fault(str(path), "is a cache that others can write", allowed))
    if any(item.st_mode & stat.S_IWOTH and not item.st_mode & stat.S_ISVTX for item in above):
        raise SpecError(Fault(str(path), "is a cache below a folder that everybody can write", allowed))
    return path


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def is_whole(path: Path) -> bool:
    """Whether an entry is there with the digest that it was kept with; a damaged one is removed and told."""
    if not path.exists():
        return False
    with _locked(path.parent):
        return _checked(path)


def _checked(path: Path) -> bool:
    try:
        if _seal(path).read_text(encoding="ascii", errors="replace").strip() == file_digest(path):
            return True
    except OSError:  # no seal, or one of the two cannot be read
        pass
    tell(f"{path} is damaged and is made again")
    remove(path)
    remove(_seal(path))
    return False


def remove(path: Path) -> None:
    """Take away what lies at the place of an entry, be it a folder.

    Raises:
        SpecError: it stays.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(path, error) from None


def _unusable(path: Path, error: OSError) -> SpecError:
    what = f"cannot be used as a cache: {error.strerror}"
    return SpecError(Fault(str(path), what, "a folder of your own in CODESIGN_CACHE_DIR"))


def keep_values(path: Path, values: Mapping[str, Any]) -> None:
    """Keep plain values with their digest; of two writers the last stays.

    Raises:
        OSError: they cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, json.dumps({"sha256": digest(values), "values": values}))


def kept_values(path: Path) -> dict[str, Any] | None:
    """Values that are kept; None: there are none, or they are not as they were kept, which one line says."""
    if not path.exists():
        return None
    try:
        found = read_json(path, _MOST_JSON_BYTES)
        values: dict[str, Any] = found["values"]
        if digest(values) == found["sha256"]:
            return values
    except (SpecError, KeyError, TypeError):
        pass
    tell(f"{path} is damaged and is made again")
    remove(path)
    return None


def keep(made: Path, path: Path) -> None:
    """Put a finished file at its place in the cache, with its digest; of two makers' files the first stays."""
    sync_file(made)
    with _locked(path.parent):
        if path.exists() and _checked(path):
            return
        made.replace(path)
        write_durably(_seal(path), file_digest(path) + "\n")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """No other process looks at entries of the folder between a file and its digest."""
    try:
        lock = (folder / ".lock").open("a")
    except OSError as error:
        raise _unusable(folder, error) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def work_folder(cache: Path, name: str) -> Iterator[Path]:
    """A folder to make an entry in, gone afterwards; those of makers that were killed go first."""
    _collect(cache)
    work = cache / f".{name}.{secrets.token_hex(8)}.work"
    work.mkdir(mode=0o700)
    try:
        with (work / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _collect(cache: Path) -> None:
    for work in cache.glob(".*.work"):
        try:
            if time.time() - work.stat().st_mtime < _YOUNG_S:
                continue
            with (work / _LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(work, ignore_errors=True)
        except OSError:  # its maker is at work, or another process collects it
            continue
