"""Folders of things that are dear to make: trusted only where they are ours, believed only where they are whole.

An entry is a file and beside it ``NAME.sha256``, its digest, which is written last. What has none or another is made
anew, and one line says so. Work goes on in a folder of a random name that its maker holds locked; what a killed maker
left is found by the lock that nobody holds.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mappings.durable import sync_file, write_durably
from mappings.errors import Fault, SpecError

_LOCK = "maker.lock"
#: A folder this young may be between its making and its locking.
_YOUNG_S = 60.0


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
    except FileNotFoundError:
        pass
    tell(f"{path} is damaged and is made again")
    path.unlink(missing_ok=True)
    _seal(path).unlink(missing_ok=True)
    return False


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
    with (folder / ".lock").open("a") as lock:
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
