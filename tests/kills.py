"""Counts what a run makes durable, and kills it behind any of these writes.

A write is durable when a commit of SQLite returns, or when a file is at its place. The process that is killed is a
fork, so that a kill costs no start of an interpreter; it ends as SIGKILL ends it, without any clean-up.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from codesign.explorer import storage
from mappings import durable


def durable_writes(action: Callable[[], Any], kill_at: int | None = None) -> tuple[int, bool]:
    """Run ``action`` in a fork.

    Args:
        action: what a process does.
        kill_at: it ends right behind this durable write, from 1; None: it ends by itself.

    Returns:
        durable writes that it made, and whether it was killed.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            with _counted(writer, kill_at):
                action()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        count = len(file.read())
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, "the process failed by itself"
    return count, killed


@contextmanager
def _counted(writer: int, kill_at: int | None) -> Iterator[None]:
    made = 0

    def durable_now() -> None:
        nonlocal made
        made += 1
        os.write(writer, b".")
        if made == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    class Connection(sqlite3.Connection):
        def commit(self) -> None:
            changed = self.in_transaction
            super().commit()
            if changed:
                durable_now()

    sync = durable.sync_folder

    def sync_folder(path: Any) -> None:
        sync(path)
        durable_now()

    with patch.object(storage, "Connection", Connection), patch.object(durable, "sync_folder", sync_folder):
        yield
