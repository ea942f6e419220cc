"""Progress: bars on a terminal, lines elsewhere, silence when asked."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from codesign import progress
from codesign.progress import Bars, Silent


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
    clock = iter([0.0, 90.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with bars.task("search", 1200):
        pass
    bars.say("[bold] is text")
    assert out.getvalue() == "search: 1,200 done in 90 s\n[bold] is text\n"


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with Silent().task("search", 3) as advance:
        advance()
    Silent().say("nothing")
    assert capsys.readouterr() == ("", "")
