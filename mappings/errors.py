"""The one error for malformed input: where, what, what is allowed, and the nearest name."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

MAX_SHOWN_FAULTS = 10
"""A message shows so many faults and counts the rest; :attr:`SpecError.faults` has them all."""
_MAX_NAMES = 10_000
_MAX_NAME_CHARACTERS = 60
_MAX_MESSAGE_CHARACTERS = 2_000


def printable(text: str) -> str:
    """Text with its control characters, line breaks and broken bytes escaped: a terminal shows it and obeys none."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def cut(text: str, characters: int = _MAX_NAME_CHARACTERS) -> str:
    """Text of at most so many characters, its end given by three dots where it is longer."""
    return text if len(text) <= characters else text[: characters - 3] + "..."


def counted(count: float, noun: str) -> str:
    """``1 input``, ``2 inputs``, ``1,200 inputs``; ``any number of inputs`` where it has no end."""
    if math.isinf(count):
        return f"any number of {noun}s"
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input.

    Attributes:
        where: path in the input, e.g. ``design.yaml: accelerator.levels[1].capacity_bytes`` or ``x.m:12:7``.
        what: what is wrong, in one clause.
        allowed: what would be accepted ("" when it says itself).
    """

    where: str
    what: str
    allowed: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        return printable(cut(f"{text} (allowed: {self.allowed})" if self.allowed else text, _MAX_MESSAGE_CHARACTERS))


class SpecError(ValueError):
    """Wrong input; carries every fault found at once. The message shows the first ten, and how many more there are."""

    def __init__(self, faults: Fault | Sequence[Fault]) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        lines = [str(fault) for fault in self.faults[:MAX_SHOWN_FAULTS]]
        if len(self.faults) > MAX_SHOWN_FAULTS:
            lines.append(f"and {counted(len(self.faults) - MAX_SHOWN_FAULTS, 'fault')} more")
        super().__init__("; ".join(lines))

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Fault, ...]]]:
        """Made anew from its faults: an exception's own pickle would take the message for them."""
        return type(self), (self.faults,)


def nearest(name: str, known: Iterable[str]) -> str:
    """``', did you mean "x"?'`` for the known name that ``name`` can be a slip of, or ``""``.

    Near is a case or a separator apart, or a quarter of the longer name's letters (one letter of a short name).
    """
    folded = _folded(name)
    if not folded or len(name) > _MAX_NAME_CHARACTERS:
        return ""
    candidates = {other: _folded(other) for other in islice(known, _MAX_NAMES)}
    for other, text in candidates.items():
        if text == folded:
            return f', did you mean "{printable(other)}"?'
    best, least = "", 1.0
    for other, text in candidates.items():
        longest = max(len(text), len(folded))
        allowed = max(1, longest // 4)
        # Letters that the other does not have are slips whatever the order: this rules most names out at a hundredth of
        # the time, and an input may have a hundred thousand.
        if min(len(text), len(folded)) < 2 or longest - _shared(text, folded) > allowed:
            continue
        slips = _slips(text, folded)
        if slips <= allowed and slips / longest < least:
            best, least = other, slips / longest
    return f', did you mean "{printable(best)}"?' if best else ""


def _shared(one: str, other: str) -> int:
    """Letters that two names have in common, in whatever order; no more than the shorter has."""
    if 4 * abs(len(one) - len(other)) > max(4, len(one), len(other)):
        return 0
    return sum(min(one.count(letter), other.count(letter)) for letter in set(one))


@lru_cache(maxsize=8192)
def _folded(name: str) -> str:
    return "".join(c for c in name.casefold() if c not in "_-. '\u2019")


def _slips(text: str, folded: str) -> int:
    """Letters that were changed, left out, put in, or swapped with their neighbour."""
    matcher = difflib.SequenceMatcher(None, text, folded, autojunk=False)
    return max(len(text), len(folded)) - sum(block.size for block in matcher.get_matching_blocks())


def unknown_name(where: str, kind: str, name: str, known: Iterable[str]) -> SpecError:
    """The error for a name that is not registered, with what is and the nearest one."""
    names = sorted(known)
    allowed = ", ".join(names) or "there is none"
    return SpecError(Fault(where, f'unknown {kind} "{cut(name)}"{nearest(name, names)}', allowed))
