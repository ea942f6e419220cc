"""MAESTRO's CSV file, byte for byte: its number format, its header and its uneven spaces."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from accel_models.published.maestro.columns import COLUMNS, FIRST_SPACED_CELL, HEADER_JOINED
from accel_models.published.maestro.figures import MaestroRow, figures_of


def header_line() -> str:
    """The header."""
    line = COLUMNS[0][0]
    for index, (name, _) in enumerate(COLUMNS[1:], start=1):
        line += ("," if index in HEADER_JOINED else ", ") + name
    return line


def cell(value: str | int | float) -> str:
    """One figure as C++ streams print it: integers whole, others to six significant digits, NaN with its sign bit."""
    if isinstance(value, float):
        return "-nan" if math.isnan(value) else f"{value:g}"
    return str(value)


def row_line(row: MaestroRow) -> str:
    """One layer."""
    cells = [cell(value) for value in figures_of(row)]
    return ",".join(cells[:FIRST_SPACED_CELL]) + "".join(f", {text}" for text in cells[FIRST_SPACED_CELL:])


def csv_text(rows: Iterable[MaestroRow]) -> str:
    """The whole file."""
    return "".join(f"{line}\n" for line in (header_line(), *(row_line(row) for row in rows)))


def write_csv(rows: Iterable[MaestroRow], path: Path) -> None:
    """Writes MAESTRO's CSV file; unlike MAESTRO, which appends, it replaces what was there.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        path.write_text(csv_text(rows), encoding="utf-8", errors="surrogateescape", newline="\n")
    except OSError as error:  # a full disk does not say which file has no room
        raise OSError(error.errno, error.strerror, str(path)) from None
