"""Files that are whole or absent: written beside their place under a name of their own, then put there.

The temporary file is made exclusively, under a random name: neither a link that waits there nor another process, in
whichever container, is written over. Data and name reach the disk before the call returns. Its writer holds it locked,
so that what a killed one left is known by the lock that nobody holds; the next writer of the file removes it.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

#: Names that :func:`partial_path` gives.
_PARTIAL = re.compile(r"\..+\.[0-9a-f]{16}\.partial", re.DOTALL)
#: What a disk without room says.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: BaseException) -> bool:
    """Whether an error says that the disk (or what one may have of it) is full."""
    return isinstance(error, OSError) and error.errno in _FULL


def partial_path(path: Path) -> Path:
    """A name beside ``path`` that no other process has, in this container or another."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")


def is_partial(path: Path) -> bool:
    """Whether a name is that of a temporary file of ours."""
    return _PARTIAL.fullmatch(path.name) is not None


def _collect_partials(path: Path) -> None:
    """Remove what killed writers of ``path`` left beside it; what is being written stays, links too."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        if not is_partial(left):
            continue
        with suppress(OSError):  # its writer is at work or has just finished, or the file is not ours to touch
            handle = os.open(left, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(handle)


def _open_partial(path: Path, mode: int) -> tuple[Path, int]:
    """A new temporary file for ``path``, locked, and its descriptor."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        partial = partial_path(path)
        handle = os.open(partial, flags, mode)
        with suppress(OSError):  # a file system without locks: what a kill leaves there stays
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return partial, handle
        os.close(handle)  # collected between its making and its locking


def write_durably(path: Path, data: str | bytes, *, private: bool = False) -> None:
    """Write a file, whole or not at all; a link at its place is replaced, not followed.

    Args:
        data: text is written as UTF-8.
        private: nobody else may read it, from its first byte on.

    Raises:
        OSError: it can not be written; of a full disk with the file's own name.
    """
    content = data.encode() if isinstance(data, str) else data
    partial: Path | None = None
    _collect_partials(path)
    try:
        partial, handle = _open_partial(path, 0o600 if private else 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            partial.replace(path)  # while it is locked
    except BaseException as error:
        if partial is not None:
            partial.unlink(missing_ok=True)
        if is_full(error):
            assert isinstance(error, OSError)
            raise OSError(error.errno, error.strerror, str(path)) from None  # not the temporary name
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Bring a file that a library wrote to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
