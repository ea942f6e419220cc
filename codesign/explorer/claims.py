"""Who works on what, where several processes go on with one run: record locks on one file of the run's folder.

A lock ends with its process, however that ends: what a worker that was killed had claimed is free at once, and nothing
has to beat or to be swept up. Over a network the folder's file system must know locks, as NFS 4 does.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mappings.errors import Fault, SpecError


class Claims:
    """Claims by name, each on one byte of a file that stays empty.

    The kernel drops all of a process's record locks on a file when it closes any descriptor of it, so that a process
    opens a run's claims once.

    Args:
        path: the file; made where it is missing.

    Raises:
        SpecError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpecError(Fault(str(path), f"cannot be written: {error.strerror}", "a folder of your own")) from None

    def take(self, name: str) -> bool:
        """Claim a name, unless another process has it."""
        try:
            self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB, name)
        except (BlockingIOError, PermissionError):  # POSIX leaves the choice of the two to the system
            return False
        return True

    def release(self, name: str) -> None:
        """Let go of a name."""
        self._lock(fcntl.LOCK_UN, name)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold a name; waits for whoever has it."""
        self._lock(fcntl.LOCK_EX, name)
        try:
            yield
        finally:
            self.release(name)

    def close(self) -> None:
        """Let go of everything."""
        os.close(self._file)

    def _lock(self, how: int, name: str) -> None:
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
        fcntl.lockf(self._file, how, 1, place)
