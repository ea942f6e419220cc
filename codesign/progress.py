"""Progress bars with the remaining time, or silence: what long steps report to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[], None]


class Reporter(Protocol):
    """Where steps report to."""

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """A step of ``total`` parts (None: unknown); the value advances it by one."""
        ...

    def say(self, text: str) -> None:
        """One line."""
        ...


class Silent:
    """Reports nothing."""

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """Nothing to see."""
        yield lambda: None

    def say(self, text: str) -> None:
        """Nothing."""


class Bars:
    """A bar for each step on a terminal; elsewhere a line when a step of more than a second is done.

    Args:
        console: where to draw.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """A bar that stays when it is full."""
        started = time.monotonic()
        if not self._console.is_terminal:
            yield lambda: None
            seconds = time.monotonic() - started
            if seconds > 1.0:
                self.say(f"{title}: {'done' if total is None else f'{total:,} done'} in {seconds:.0f} s")
            return
        columns = (
            TextColumn("[bold]{task.description:<26}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            bar = progress.add_task(title, total=total)
            yield lambda: progress.advance(bar)
            if total is None:
                progress.update(bar, total=1, completed=1)

    def say(self, text: str) -> None:
        """One line, not interpreted as markup."""
        self._console.print(text, markup=False, highlight=False)
