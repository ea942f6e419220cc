"""Files read whole, but never more of them than is sensible: a wrong path may name a device, a pipe or a data set."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import zlib
from pathlib import Path
from typing import Any

from mappings.errors import Fault, SpecError, printable


def read_bytes(path: str | Path, most_bytes: int) -> bytes:
    """The bytes of a regular file.

    Args:
        path: the file.
        most_bytes: what it may hold.

    Raises:
        SpecError: it cannot be read, holds more, or is no regular file (a pipe is waited for, a device never ends).
    """
    data = _first_bytes(path, most_bytes + 1)
    if len(data) > most_bytes:
        raise SpecError(Fault(str(path), "is too large", f"at most {most_bytes:,} bytes"))
    return data


def read_head(path: str | Path) -> bytes:
    """The first bytes of a regular file, whatever its size: enough to tell what it is.

    Raises:
        SpecError: as :func:`read_bytes`, but for the size.
    """
    return _first_bytes(path, 64)


def _first_bytes(path: str | Path, count: int) -> bytes:
    try:
        # Without O_NONBLOCK the opening of a pipe that nobody writes waits for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            raise SpecError(Fault(str(path), f"is {_kind(mode)}", "a regular file"))
        with os.fdopen(descriptor, "rb") as file:
            return file.read(count)
    except OSError as error:
        raise SpecError(Fault(str(path), f"cannot be read: {error.strerror}")) from None
    except ValueError as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(Fault(printable(str(path)), f"cannot be read: {error}")) from None  # a NUL in the name


def check_regular(path: str | Path) -> None:
    """Refuse what a library would wait for or never see the end of.

    Raises:
        SpecError: no regular file, or none there.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SpecError(Fault(printable(str(path)), f"cannot be read: {why}")) from None
    if not stat.S_ISREG(mode):
        raise SpecError(Fault(str(path), f"is {_kind(mode)}", "a regular file"))


def gunzipped(data: bytes, where: str, most_bytes: int) -> bytes:
    """What gzip packed, or the bytes as they are where it did not.

    Raises:
        SpecError: damaged, or it unpacks to more.
    """
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            out = file.read(most_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SpecError(Fault(where, f"cannot be read: {error}", "a gzip file that is whole")) from None
    if len(out) > most_bytes:
        raise SpecError(Fault(where, "is too large unpacked", f"at most {most_bytes:,} bytes"))
    return out


def read_text(path: str | Path, most_bytes: int) -> str:
    """The text of a regular file in UTF-8.

    Raises:
        SpecError: as :func:`read_bytes`, or it is no UTF-8.
    """
    try:
        return read_bytes(path, most_bytes).decode("utf-8")
    except UnicodeDecodeError:
        raise SpecError(Fault(str(path), "not UTF-8 text")) from None


def read_json(path: str | Path, most_bytes: int) -> Any:
    """The plain values of a JSON file.

    Raises:
        SpecError: as :func:`read_text`, or it is not whole, not JSON, has a number that is none, or nests too deeply.
    """
    text = read_text(path, most_bytes)
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        what = "is not whole" if error.pos >= len(text.rstrip()) else "is not JSON"
        raise SpecError(Fault(f"{path}:{error.lineno}:{error.colno}", f"{what}: {error.msg}")) from None
    except (ValueError, RecursionError) as error:
        raise SpecError(Fault(str(path), f"is not JSON of this kind: {error}")) from None


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "no regular file"
