"""Random layers on random hardware under random back-pressure: the benchmark in small."""

from __future__ import annotations

import pytest

from benchmarks.rtl_random import Tally, run_hardware

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize("number", [3, 12, 21])
def test_random_layers(number: int) -> None:
    tally = Tally()
    run_hardware(number, seed=20, cases=20, tally=tally)
    assert tally.cases == 20
    assert tally.timed >= 3
    assert len(tally.operators) >= 4
    assert not tally.failed
    assert not tally.wrong
    assert not tally.inexact
