"""Random corruptions of valid inputs: a reader may accept or refuse them, never crash, hang or lie."""

from __future__ import annotations

import random
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from mappings.errors import SpecError

HANG_SECONDS = 20.0
_TOKEN = re.compile(rb"[A-Za-z_']+|[0-9]+|[^\sA-Za-z0-9_']")
_NUMBER = re.compile(rb"[0-9]+")
_NUMBERS = (
    b"0",
    b"-1",
    b"1",
    b"2",
    b"3",
    b"7",
    b"64",
    b"1e9",
    b"2.5",
    b"nan",
    b"2147483647",
    b"2147483648",
    b"4294967297",
    b"9223372036854775807",
    b"9223372036854775808",
    b"9" * 40,
)


@dataclass(frozen=True)
class InputKind:
    """One kind of input that users write.

    Attributes:
        name: for the table.
        seeds: valid inputs, small enough to be read some thousand times a second.
        consume: reads one input and uses it; "" where the result is sound, else what is wrong with it.
            Refuses by ``SpecError``.
        sealed: it holds a digest of itself, so that hardly a corruption leaves it valid.
    """

    name: str
    seeds: tuple[bytes, ...]
    consume: Callable[[bytes], str]
    sealed: bool = False


@dataclass
class Outcome:
    """Counts of one kind; ``examples`` are failures in words."""

    accepted: int = 0
    refused: int = 0
    tracebacks: int = 0
    hangs: int = 0
    unsound: int = 0
    seconds: float = 0.0
    slowest_seconds: float = 0.0
    examples: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """All inputs tried."""
        return self.accepted + self.refused + self.failures

    @property
    def failures(self) -> int:
        """Inputs on which the reader misbehaved."""
        return self.tracebacks + self.hangs + self.unsound


class _HangError(Exception):
    """The time for one input is over."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(signal_number: int, frame: FrameType | None) -> None:
        raise _HangError

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _span(data: bytes, rng: random.Random, longest: int) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.randint(1, longest))


def _token(data: bytes, rng: random.Random, pattern: re.Pattern[bytes] = _TOKEN) -> tuple[int, int]:
    spans = [match.span() for match in pattern.finditer(data)]
    return rng.choice(spans) if spans else (0, 0)


def _change(data: bytes, rng: random.Random) -> bytes:
    """One random corruption."""
    choice = rng.randrange(10)
    if choice == 0:  # other bytes
        start, end = _span(data, rng, 3)
        return data[:start] + rng.randbytes(end - start) + data[end:]
    if choice == 1:  # cut out
        start, end = _span(data, rng, 40)
        return data[:start] + data[end:]
    if choice == 2:  # twice
        start, end = _span(data, rng, 60)
        return data[:end] + data[start:end] + data[end:]
    if choice == 3:  # the end is missing
        return data[: rng.randrange(len(data) + 1)]
    if choice == 4:  # printable noise
        at = rng.randrange(len(data) + 1)
        return (
            data[:at]
            + bytes(rng.choices(b" \n\t,;:-(){}[]'\"/0123456789KCXYRSP#&*!|>", k=rng.randint(1, 3)))
            + data[at:]
        )
    start, end = _token(data, rng)
    if choice == 5:  # a word is missing
        return data[:start] + data[end:]
    if choice == 6:  # a word twice
        return data[:end] + b" " + data[start:end] + data[end:]
    if choice == 7:  # a word in another one's place
        other, other_end = _token(data, rng)
        return data[:start] + data[other:other_end] + data[end:]
    start, end = _token(data, rng, _NUMBER)  # twice as likely: another number
    return data[:start] + (rng.choice(_NUMBERS) if rng.random() < 0.7 else b"%d" % rng.randrange(1, 300)) + data[end:]


def corrupt(seed_input: bytes, rng: random.Random) -> bytes:
    """A valid input with one to four corruptions."""
    data = seed_input
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        data = _change(data, rng)
    return data


def fuzz(kinds: Sequence[InputKind], cases: int, seed: int) -> dict[str, Outcome]:
    """Tries ``cases`` corrupted inputs, the kinds in turn; the same seed gives the same inputs."""
    outcomes = {kind.name: Outcome() for kind in kinds}
    for number in range(cases):
        kind = kinds[number % len(kinds)]
        rng = random.Random(f"{seed}/{number}")
        data = corrupt(rng.choice(kind.seeds), rng)
        outcome = outcomes[kind.name]
        start = time.perf_counter()
        try:
            with _time_limit(HANG_SECONDS):
                complaint = kind.consume(data)
        except SpecError:
            outcome.refused += 1
        except _HangError:
            outcome.hangs += 1
            outcome.examples.append(f"{kind.name} case {number}: still running after {HANG_SECONDS} s: {data!r}")
        except Exception as error:  # any other exception is the failure that is looked for
            outcome.tracebacks += 1
            outcome.examples.append(f"{kind.name} case {number}: {type(error).__name__}: {error}: {data!r}")
        else:
            if complaint:
                outcome.unsound += 1
                outcome.examples.append(f"{kind.name} case {number}: {complaint}: {data!r}")
            else:
                outcome.accepted += 1
        took = time.perf_counter() - start
        outcome.seconds += took
        outcome.slowest_seconds = max(outcome.slowest_seconds, took)
    return outcomes
