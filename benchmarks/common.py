"""What every benchmark shares: the reference data's place, and how figures are shown and judged."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mappings.errors import Fault, SpecError, unknown_name

REFERENCE_VARIABLE = "CODESIGN_REFERENCE_DIR"


def reference_dir() -> Path:
    """Folder of others' measurements and results: ``CODESIGN_REFERENCE_DIR``, or ``../shared/reference``."""
    given = os.environ.get(REFERENCE_VARIABLE)
    return Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "reference"


def read_names(text: str, where: str, what: str, known: Collection[str]) -> list[str]:
    """Names with commas between.

    Args:
        where: the option.
        what: each of them is: "array".

    Raises:
        SpecError: one that nobody knows.
    """
    names = text.split(",")
    for name in names:
        if name not in known:
            raise unknown_name(where, what, name, known)
    return names


def read_numbers(text: str, where: str) -> list[int]:
    """Whole numbers of 0 or more, with commas between.

    Args:
        where: the option.

    Raises:
        SpecError: something else.
    """
    parts = [part.strip() for part in text.split(",")]
    wrong = [part for part in parts if not (part.isascii() and part.isdigit())]
    if wrong:
        raise SpecError(Fault(where, f'has "{wrong[0]}"', "whole numbers of 0 or more, with commas between"))
    return [int(part) for part in parts]


def read_rows(path: Path, columns: Collection[str], what: str) -> list[dict[str, str]]:
    """A CSV file with a header.

    Args:
        columns: that it has to have.
        what: it is, for the message.

    Raises:
        SpecError: it can not be read, lacks a column, or has no rows.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SpecError(Fault(str(path), f"can not be read ({error})", what)) from None
    if not rows:
        raise SpecError(Fault(str(path), "has no rows", what))
    lacking = sorted(set(columns) - {name for name, value in rows[0].items() if name and value is not None})
    if lacking:
        raise SpecError(Fault(str(path), f"has no column {', '.join(lacking)}", what))
    return rows


@dataclass(frozen=True)
class Figure:
    """One line of a benchmark.

    Attributes:
        name: what is measured, with its unit.
        value: the measurement.
        target: what it should be, in words; "" for none.
        met: whether it is; None where there is no target.
        peer: the figure of another tool, in words.
    """

    name: str
    value: float | int | str
    target: str = ""
    met: bool | None = None
    peer: str = ""


def table_console() -> Console:
    """The terminal; where there is none, a page wide enough for every table."""
    console = Console(emoji=False)
    return console if console.is_terminal else Console(width=180, emoji=False)


def show(title: str, figures: Sequence[Figure], as_json: bool) -> int:
    """Prints the figures as a table or as JSON.

    Returns:
        The exit status: 1 where a target is missed.
    """
    missed = any(figure.met is False for figure in figures)
    if as_json:
        print(json.dumps({"benchmark": title, "met": not missed, "figures": [asdict(figure) for figure in figures]}))
        return int(missed)
    table = Table("figure", "value", "target", "", "peer", title=title)
    for figure in figures:
        value = f"{figure.value:,.4g}" if isinstance(figure.value, float) else f"{figure.value}"
        if isinstance(figure.value, int):
            value = f"{figure.value:,}"
        mark = {True: "met", False: "MISSED", None: ""}[figure.met]
        table.add_row(figure.name, value, figure.target, mark, figure.peer)
    table_console().print(table)
    return int(missed)
