"""The fuzzer finds what it looks for, and the readers withstand a thousand corrupted inputs."""

from __future__ import annotations

import random
import time

import pytest

from benchmarks import fuzzing
from benchmarks.fuzz_inputs import KINDS, figures
from benchmarks.fuzzing import InputKind, corrupt, fuzz
from mappings.errors import Fault, SpecError


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_seeds_are_valid(kind: InputKind) -> None:
    assert [kind.consume(seed) for seed in kind.seeds] == [""] * len(kind.seeds)


def test_a_thousand_corrupted_inputs() -> None:
    outcomes = fuzz(KINDS, 1_000, seed=1)
    assert [example for outcome in outcomes.values() for example in outcome.examples] == []
    assert all(figure.met is not False for figure in figures(outcomes))


def test_same_seed_same_inputs() -> None:
    assert corrupt(b"a b 3 d", random.Random("1/2")) == corrupt(b"a b 3 d", random.Random("1/2"))


def test_failures_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "HANG_SECONDS", 0.02)

    def crash(data: bytes) -> str:
        raise ZeroDivisionError

    def refuse(data: bytes) -> str:
        raise SpecError(Fault("x", "wrong"))

    def sleep(data: bytes) -> str:
        time.sleep(5)
        return ""

    kinds = [
        InputKind("crash", (b"1",), crash),
        InputKind("refuse", (b"1",), refuse),
        InputKind("hang", (b"1",), sleep),
        InputKind("lie", (b"1",), lambda data: "NaN"),
        InputKind("good", (b"1",), lambda data: ""),
    ]
    outcomes = fuzz(kinds, 5, seed=0)
    assert [(o.tracebacks, o.refused, o.hangs, o.unsound, o.accepted) for o in outcomes.values()] == [
        (1, 0, 0, 0, 0),
        (0, 1, 0, 0, 0),
        (0, 0, 1, 0, 0),
        (0, 0, 0, 1, 0),
        (0, 0, 0, 0, 1),
    ]
    assert any(figure.met is False for figure in figures(outcomes))
