"""Progress bars with the remaining time, or silence: what long steps report to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich import box
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

Advance = Callable[[], None]
#: Seconds between two lines where there is no terminal, and between two looks at the front where there is one.
LINE_SECONDS, LOOK_SECONDS = 5.0, 1.0
#: Where there is no terminal, a step whose parts take longer says after so many seconds that it is at work.
QUIET_SECONDS = 20.0


@dataclass(frozen=True)
class Glance:
    """How a search stands.

    Attributes:
        done: trials.
        line: in a few words.
        columns, rows: the front as a table.
    """

    done: int
    line: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


class Reporter(Protocol):
    """Where steps report to."""

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """A step of ``total`` parts (None: unknown); the value advances it by one."""
        ...

    @contextmanager
    def search(self, title: str, total: int, look: Callable[[], Glance]) -> Iterator[Advance]:
        """A search of ``total`` trials; ``look`` tells how it stands whenever that is shown."""
        ...

    def say(self, text: str) -> None:
        """One line."""
        ...


class _Pulse:
    """Says that a step is still at work whenever nothing has been said of it for a while.

    Args:
        say: one line.
        text: the line; called in a thread of its own.
    """

    def __init__(self, say: Callable[[str], None], text: Callable[[], str]) -> None:
        self._say, self._text, self._ended = say, text, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.shown = time.monotonic()

    def __enter__(self) -> _Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(max(self.shown + QUIET_SECONDS - time.monotonic(), 0.0)):
            if time.monotonic() - self.shown >= QUIET_SECONDS:
                self.shown = time.monotonic()
                self._say(self._text())


class Silent:
    """Reports nothing."""

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """Nothing to see."""
        yield lambda: None

    @contextmanager
    def search(self, title: str, total: int, look: Callable[[], Glance]) -> Iterator[Advance]:
        """Nothing to see."""
        yield lambda: None

    def say(self, text: str) -> None:
        """Nothing."""


class Bars:
    """A bar for each step on a terminal; elsewhere a line every few seconds and at the end of long steps.

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
            done = 0

            def text() -> str:
                of = "" if total is None else f" of {total:,}"
                part = "at work for" if total is None and not done else f"{done:,}{of} in"
                return f"{title}: {part} {_clock(time.monotonic() - started)}"

            with _Pulse(self.say, text) as pulse:

                def line() -> None:
                    nonlocal done
                    done += 1
                    if time.monotonic() - pulse.shown >= LINE_SECONDS:
                        pulse.shown = time.monotonic()
                        self.say(text())

                yield line
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

    @contextmanager
    def search(self, title: str, total: int, look: Callable[[], Glance]) -> Iterator[Advance]:
        """The front as it grows, with the time that is left; elsewhere than on a terminal a line every few seconds."""
        started = shown = time.monotonic()
        latest = look()
        first = latest.done  # what an earlier process did says nothing of the pace

        def passed(glance: Glance) -> str:
            seconds = time.monotonic() - started
            left = seconds / (glance.done - first) * (total - glance.done) if glance.done > first else None
            pace = "" if left is None else f", {_clock(left)} left"
            return f"{title}: {glance.done:,} of {total:,} in {_clock(seconds)}{pace}; {glance.line}"

        if not self._console.is_terminal:
            # The thread shows what was seen last: the journal belongs to the thread that writes it.
            with _Pulse(self.say, lambda: passed(latest)) as pulse:

                def line() -> None:
                    nonlocal latest
                    if time.monotonic() - pulse.shown >= LINE_SECONDS:
                        pulse.shown, latest = time.monotonic(), look()
                        self.say(passed(latest))

                yield line
            return

        def picture() -> Table:
            glance = look()
            table = Table(title=Text(passed(glance)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
            for column in glance.columns:
                table.add_column(Text(column), justify="right")
            for row in glance.rows:
                table.add_row(*(Text(cell) for cell in row))
            return table

        with Live(picture(), console=self._console, refresh_per_second=2, transient=True) as live:

            def draw() -> None:
                nonlocal shown
                if time.monotonic() - shown >= LOOK_SECONDS:
                    shown = time.monotonic()
                    live.update(picture())

            yield draw

    def say(self, text: str) -> None:
        """One line, not interpreted as markup."""
        self._console.print(text, markup=False, highlight=False)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
