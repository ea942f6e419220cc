"""Where studies are kept: SQLite, a journal file, Redis, PostgreSQL, or whatever else SQLAlchemy has a driver for.

Whatever a storage does wrong is told in one line in which no password stands.
"""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalRedisBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from codesign.explorer.redact import redacted, without_secrets
from mappings.errors import Fault, SpecError

FORMS = "sqlite:///FILE, journal:///FILE, redis://HOST, postgresql://USER:PASSWORD@HOST/NAME"
#: How long a statement waits for another process that writes to the same file.
WAIT_S = 60.0
#: Class of SQLite's connections; a test counts commits with another.
Connection: type[sqlite3.Connection] = sqlite3.Connection

optuna.logging.set_verbosity(optuna.logging.ERROR)


def open_storage(url: str) -> BaseStorage:
    """The storage at a URL.

    Raises:
        SpecError: it cannot be opened, or would keep nothing.
    """
    with storage_faults(url, "cannot be opened", FORMS):
        scheme = url.partition(":")[0].partition("+")[0]
        if scheme == "journal":
            return open_journal_file(_file_of(url))
        if scheme in ("redis", "rediss"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return JournalStorage(JournalRedisBackend(url))
        if scheme == "sqlite":
            parsed = make_url(url)
            if parsed.database in (None, "", ":memory:") or parsed.query:
                what = "names no file of its own: nothing would be kept"
                raise SpecError(Fault(f"--storage {redacted(url)}", what, FORMS))
            return open_sqlite(Path(str(parsed.database)))
        if scheme == "postgresql" and "+" not in url.partition(":")[0]:
            url = url.replace("postgresql:", "postgresql+psycopg:", 1)
        # Optuna reads braces in a URL as a template. A connection that the server closed is opened anew.
        return RDBStorage(url.replace("{", "{{").replace("}", "}}"), engine_kwargs={"pool_pre_ping": True})


def _file_of(url: str) -> Path:
    path = url.partition(":")[2]
    if not path.startswith("///") or len(path) == 3:
        raise SpecError(Fault(f"--storage {redacted(url)}", "names no file", FORMS))
    return Path(path[3:])


def _make_private(path: Path) -> None:
    """A file that nobody else reads from its first byte on; a file that is there stays as it is."""
    if path.is_symlink() and not path.exists():
        raise SpecError(Fault(str(path), "is a link to nothing", "a file"))
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise SpecError(Fault(str(path), f"cannot be opened: {error.strerror}", "a file of your own")) from None


def open_sqlite(path: Path) -> BaseStorage:
    """A SQLite file, by its path: no character of it has a meaning, as some have in a URL.

    It writes ahead, and each commit is on the disk when it returns.
    """
    _make_private(path)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=WAIT_S, check_same_thread=False, factory=Connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    return RDBStorage("sqlite://", engine_kwargs={"creator": connect, "poolclass": QueuePool})


def open_journal_file(path: Path) -> BaseStorage:
    """Optuna's journal in one file."""
    _make_private(path)
    return JournalStorage(JournalFileBackend(str(path)))


def close_storage(storage: BaseStorage) -> None:
    """Let go of a storage's connections; SQLite's last one brings all that was written ahead into its file."""
    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


#: What SQLite says of a file that no later attempt will read.
_DAMAGED = ("database disk image is malformed", "file is not a database")


@contextmanager
def storage_faults(url: str, what: str, allowed: str) -> Iterator[None]:
    """Whatever a storage raises inside becomes one line.

    Args:
        url: of the storage, or the path of its file.
        what: does not work, e.g. "cannot be opened".
        allowed: how to go on.

    Raises:
        SpecError: in place of what the storage raised.
    """
    try:
        yield
    except SpecError:
        raise
    except Exception as error:
        if not _is_of_storage(error):
            raise
        reason = without_secrets(_reason(error), url)
        if any(words in reason for words in _DAMAGED):
            allowed = "a copy of the file that is whole, or a new run"
        raise SpecError(Fault(f"storage {redacted(url)}", f"{what}: {reason}", allowed)) from None


def _is_of_storage(error: BaseException) -> bool:
    if isinstance(error, SQLAlchemyError | StorageInternalError | sqlite3.Error):
        return True
    if type(error).__module__.partition(".")[0] in ("redis", "psycopg", "optuna"):
        return True
    # What opening raises: no driver, no such scheme, no permission. Elsewhere these are not the storage's.
    trace: Any = error.__traceback__
    modules = []
    while trace is not None:
        modules.append(str(trace.tb_frame.f_globals.get("__name__", "")))
        trace = trace.tb_next
    return isinstance(error, ImportError | ValueError | RuntimeError | OSError) and any(
        name.startswith(("optuna.storages", "sqlalchemy")) for name in modules
    )


def _reason(error: BaseException) -> str:
    """The innermost words of a chain of exceptions, on one line."""
    while True:
        inner = getattr(error, "orig", None) or error.__cause__
        if inner is None:
            break
        error = inner
    text = " ".join(str(error).split())[:300] or type(error).__name__
    if "locked" in text:
        return f"{text} (another process has held it for {WAIT_S:.0f} s)"
    return text
