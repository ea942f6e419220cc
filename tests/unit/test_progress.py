"""Progress: bars on a terminal, lines elsewhere, silence when asked."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from codesign import progress
from codesign.progress import Bars, Glance, Silent


def test_a_terminal_gets_a_bar_with_the_remaining_time() -> None:
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=True, width=120))
    with bars.task("search", 3) as advance:
        for _ in range(3):
            advance()
    with bars.task("compile", None) as advance:
        advance()
    said = out.getvalue()
    assert "search" in said and "3/3" in said and "left" in said and "compile" in said


def test_a_pipe_gets_a_line_for_what_took_long(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=False, width=120))
    with bars.task("quick", 3):
        pass
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with bars.task("search", 1200):
        clock[0] = 90.0
    bars.say("[bold] is text")
    assert out.getvalue() == "search: 1,200 done in 90 s\n[bold] is text\n"


def test_a_pipe_is_told_that_a_long_part_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    out, said = io.StringIO(), threading.Event()
    bars = Bars(Console(file=out, force_terminal=False, width=120))
    say = bars.say
    monkeypatch.setattr(bars, "say", lambda text: (say(text), said.set()))
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05)
    with bars.task("quantising", None):
        assert said.wait(30)
    assert out.getvalue().startswith("quantising: at work for 0 s\n")
    said.clear()
    with bars.search("search", 8, lambda: Glance(2, "all is well")):
        assert said.wait(30)
    assert "search: 2 of 8 in 0 s; all is well\n" in out.getvalue()


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with Silent().task("search", 3) as advance:
        advance()
    Silent().say("nothing")
    assert capsys.readouterr() == ("", "")
