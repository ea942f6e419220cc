"""The one error for malformed input: where, what, what is allowed, and the nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


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
        return f"{text} (allowed: {self.allowed})" if self.allowed else text


class SpecError(ValueError):
    """Wrong input; carries every fault found at once."""

    def __init__(self, faults: Fault | Sequence[Fault]) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))


def nearest(name: str, known: Iterable[str]) -> str:
    """``', did you mean "x"?'`` for the known name closest to ``name``, or ``""``."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f', did you mean "{match[0]}"?' if match else ""


def unknown_name(where: str, kind: str, name: str, known: Iterable[str]) -> SpecError:
    """The error for a name that is not registered, with what is and the nearest one."""
    names = sorted(known)
    shown = name if len(name) <= 60 else name[:57] + "..."
    return SpecError(Fault(where, f'unknown {kind} "{shown}"{nearest(name, names)}', ", ".join(names)))
