"""Boolean functions of the pins of a standard cell, as liberty files write them, and as tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mappings.errors import Fault, SpecError

#: Most inputs of a function, as bits of a table's index.
MOST_INPUTS = 6


@dataclass(frozen=True)
class Function:
    """A function of some pins: bit ``sum(pin_i << i)`` of the table is its value."""

    pins: tuple[str, ...]
    table: int


def value(function: Function, values: Mapping[str, int]) -> int:
    """Of a function at levels of its pins."""
    index = sum(values[pin] << place for place, pin in enumerate(function.pins))
    return function.table >> index & 1


def function_of(text: str) -> Function:
    """A boolean expression of a liberty: ``!`` or ``'``, ``*`` or ``&`` or nothing, ``^``, ``+`` or ``|``.

    Raises:
        SpecError: it is no such expression, or of more than :data:`MOST_INPUTS` pins.
    """
    tokens = re.findall(r"[A-Za-z_]\w*|[01!'*&^+|()]", text)
    pins = tuple(dict.fromkeys(token for token in tokens if token[0].isalpha() or token[0] == "_"))
    if len(pins) > MOST_INPUTS:
        raise SpecError(Fault(f'liberty function "{text}"', f"has {len(pins)} inputs", f"at most {MOST_INPUTS}"))
    rows = 1 << len(pins)
    whole = (1 << rows) - 1
    known = {pin: sum(1 << row for row in range(rows) if row >> place & 1) for place, pin in enumerate(pins)}
    parser = _Expression(tokens, {**known, "0": 0, "1": whole}, whole)
    table = parser.either()
    if parser.place != len(tokens):
        raise SpecError(Fault(f'liberty function "{text}"', f'ends at "{tokens[parser.place]}"'))
    return Function(pins, table)


class _Expression:
    """Recursive descent over tokens; each part is the table of its values."""

    def __init__(self, tokens: Sequence[str], known: Mapping[str, int], whole: int) -> None:
        self._tokens, self._known, self._whole, self.place = tokens, known, whole, 0

    def _next(self) -> str:
        return self._tokens[self.place] if self.place < len(self._tokens) else ""

    def either(self) -> int:
        """Terms joined by ``+``."""
        found = self._both()
        while self._next() in ("+", "|"):
            self.place += 1
            found |= self._both()
        return found

    def _both(self) -> int:
        found = self._differs()
        while (token := self._next()) and token not in ("+", "|", ")"):
            if token in ("*", "&"):
                self.place += 1
            found &= self._differs()
        return found

    def _differs(self) -> int:
        found = self._one()
        while self._next() == "^":
            self.place += 1
            found ^= self._one()
        return found

    def _one(self) -> int:
        token = self._next()
        self.place += 1
        if token == "!":
            return self._whole ^ self._one()
        if token == "(":
            found = self.either()
            if self._next() != ")":
                raise SpecError(Fault("liberty function", "lacks a parenthesis"))
            self.place += 1
        elif token in self._known:
            found = self._known[token]
        else:
            raise SpecError(Fault("liberty function", f'has "{token}" in the place of a pin'))
        while self._next() == "'":
            self.place += 1
            found ^= self._whole
        return found
