"""The words of MAESTRO's mapping and hardware files, each with its place.

MAESTRO separates words by white space and by any of ``, - > ( ) : ;``, so that ``K: 64,C 3`` and
``TemporalMap(Sz(R),1) Y`` need no grammar of brackets; ``//`` starts a comment. Braces are words, and must stand alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

from mappings.errors import Fault, SpecError

INT32_MAX = 2**31 - 1
"""MAESTRO keeps sizes in 32-bit integers."""

MAX_TEXT_BYTES = 8_000_000
"""Far above any real mapping file; keeps a wrong path (a data set, a weight file) from being read whole."""

_WORD = re.compile(r"[^ \t\r\f\v,\->():;]+")
_NEGATIVE = re.compile(r"-[0-9]")
_DECIMAL = re.compile(r"[0-9]{1,19}")


class Word(NamedTuple):
    """One word of an input file.

    Attributes:
        text: the word.
        line, column: where it starts, from 1.
    """

    text: str
    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """The words of one text.

    Attributes:
        name: file name for messages.
        words: in reading order.
        end: an empty word at the end of the text, the place of "something is missing".
    """

    name: str
    words: tuple[Word, ...]
    end: Word

    def at(self, word: Word) -> str:
        """``name:line:column`` of a word."""
        return f"{self.name}:{word.line}:{word.column}"

    def fail(self, word: Word, what: str, allowed: str = "") -> NoReturn:
        """Raises the error for one wrong word.

        Raises:
            SpecError: always.
        """
        raise SpecError(Fault(self.at(word), what, allowed))


def shown(text: str) -> str:
    """A word as messages show it: quoted, shortened, unprintable characters escaped."""
    short = text if len(text) <= 40 else text[:37] + "..."
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in short) + '"'


def read_source(given: Path | str, default_name: str) -> Source:
    """Splits a file (a ``Path``) or a text (a ``str``) into words.

    Raises:
        SpecError: an unreadable or far too large file, a brace glued to a word, a minus sign before a number.
    """
    name, text = default_name, given
    if isinstance(given, Path):
        name = given.name
        try:
            with given.open("rb") as file:
                data = file.read(MAX_TEXT_BYTES + 1)
        except OSError as error:
            raise SpecError(Fault(str(given), f"cannot be read: {error.strerror}")) from error
        except ValueError as error:  # a NUL in the name
            raise SpecError(Fault(repr(str(given)), f"cannot be read: {error}")) from error
        if len(data) > MAX_TEXT_BYTES:
            raise SpecError(Fault(str(given), "is too large", f"at most {MAX_TEXT_BYTES} bytes"))
        text = data.decode("utf-8", errors="replace")
    assert isinstance(text, str)
    words: list[Word] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        code = line.split("//", 1)[0]
        negative = _NEGATIVE.search(code)
        if negative:
            raise SpecError(
                Fault(
                    f"{name}:{number}:{negative.start() + 1}",
                    "a minus sign before a number",
                    "plain integers, no arithmetic",
                )
            )
        for match in _WORD.finditer(code):
            word = Word(match.group(), number, match.start() + 1)
            if len(word.text) > 1 and ("{" in word.text or "}" in word.text):
                raise SpecError(
                    Fault(
                        f"{name}:{number}:{word.column}",
                        f"a brace glued to a word: {shown(word.text)}",
                        "white space around braces",
                    )
                )
            words.append(word)
    return Source(name, tuple(words), Word("", len(lines), len(lines[-1]) + 1))


def integer(source: Source, word: Word, least: int, what: str) -> int:
    """The value of a decimal word.

    Args:
        least: smallest legal value.
        what: what the number is, for the message.

    Raises:
        SpecError: not a decimal number, below ``least``, or beyond 32 bits.
    """
    if not _DECIMAL.fullmatch(word.text):
        source.fail(
            word, f"{what} is {shown(word.text) if word.text else 'missing'}", f"an integer from {least} to {INT32_MAX}"
        )
    value = int(word.text)
    if not least <= value <= INT32_MAX:
        source.fail(word, f"{what} is {value}", f"an integer from {least} to {INT32_MAX}")
    return value
