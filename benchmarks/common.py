"""What every benchmark shares: the reference data's place, and how figures are shown and judged."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

REFERENCE_VARIABLE = "CODESIGN_REFERENCE_DIR"


def reference_dir() -> Path:
    """Folder of others' measurements and results: ``CODESIGN_REFERENCE_DIR``, or ``../shared/reference``."""
    given = os.environ.get(REFERENCE_VARIABLE)
    return Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "reference"


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
