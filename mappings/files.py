"""Files read whole, but never more of them than is sensible: a wrong path may name a device, a pipe or a data set."""

from __future__ import annotations

import json
import os
import stat
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
    try:
        # Without O_NONBLOCK the opening of a pipe that nobody writes waits for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            raise SpecError(Fault(str(path), f"is {_kind(mode)}", "a regular file"))
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise SpecError(Fault(str(path), f"cannot be read: {error.strerror}")) from None
    except ValueError as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(Fault(printable(str(path)), f"cannot be read: {error}")) from None  # a NUL in the name
    if len(data) > most_bytes:
        raise SpecError(Fault(str(path), "is too large", f"at most {most_bytes:,} bytes"))
    return data


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
