"""Files that are whole or absent: written beside their place under a name of their own, then put there.

The temporary file is made exclusively, under a random name: neither a link that waits there nor another process, in
whichever container, is written over. Data and name reach the disk before the call returns.
"""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

#: What a disk without room says.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: BaseException) -> bool:
    """Whether an error says that the disk (or what one may have of it) is full."""
    return isinstance(error, OSError) and error.errno in _FULL


def partial_path(path: Path) -> Path:
    """A name beside ``path`` that no other process has, in this container or another."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")


def write_durably(path: Path, data: str | bytes, *, private: bool = False) -> None:
    """Write a file, whole or not at all; a link at its place is replaced, not followed.

    Args:
        data: text is written as UTF-8.
        private: nobody else may read it, from its first byte on.

    Raises:
        OSError: it can not be written; of a full disk with the file's own name.
    """
    content = data.encode() if isinstance(data, str) else data
    partial = partial_path(path)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(partial, flags, 0o600 if private else 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
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
