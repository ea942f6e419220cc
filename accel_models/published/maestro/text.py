"""The words of MAESTRO's mapping and hardware files, each with its place.

MAESTRO separates words by white space and by any of ``, - > ( ) : ;``, so that ``K: 64,C 3`` and
``TemporalMap(Sz(R),1) Y`` need no grammar of brackets, and ``Conv2d-1`` is two words. A word that starts with ``//``
begins a comment; within a word the strokes are part of it. Braces are words, and must stand alone. A number is read up
to its first character that is no digit. Beyond MAESTRO, lines may end in CR LF, a byte order mark may come first, and a
comment may touch the brace before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

from mappings.errors import Fault, SpecError, cut, printable
from mappings.files import read_bytes

INT32_MAX = 2**31 - 1
"""MAESTRO keeps sizes in 32-bit integers."""

MAX_TEXT_BYTES = 8_000_000
"""Far above any real mapping file; keeps a wrong path (a data set, a weight file) from being read whole."""

_WORD = re.compile(r"[^ \t\r\f\v,\->():;]+")
_SIGNED = re.compile(r"(?:^|[ \t,>():;])-[0-9]")
_NUMBER = re.compile(r"\+?([0-9]+)(.*)", re.DOTALL)
_ENCODING = {"encoding": "utf-8", "errors": "surrogateescape"}
"""Bytes that are no UTF-8 come back as they were where a name is written out again."""


class Word(NamedTuple):
    """One word of an input file.

    Attributes:
        text: the word.
        line, column: where it starts, from 1.
        signed: whether it is a number with a minus sign before it, which MAESTRO takes for a separator.
    """

    text: str
    line: int
    column: int
    signed: bool = False


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
    return f'"{printable(cut(text, 40))}"'


def read_source(given: Path | str, default_name: str) -> Source:
    """Splits a file (a ``Path``) or a text (a ``str``) into words.

    Raises:
        SpecError: an unreadable or far too large file.
    """
    name = default_name
    if isinstance(given, Path):
        name = given.name
        text = read_bytes(given, MAX_TEXT_BYTES).decode(**_ENCODING)
    else:
        text = given
    words: list[Word] = []
    lines = text.removeprefix("\ufeff").split("\n")
    for number, line in enumerate(lines, start=1):
        signed = {match.end() - 1 for match in _SIGNED.finditer(line)} if "-" in line else ()
        for match in _WORD.finditer(line):
            word, column = match.group(), match.start() + 1
            if word.startswith(("{//", "}//")):
                words.append(Word(word[0], number, column))
                break
            if word.startswith("//"):
                break
            words.append(Word(word, number, column, match.start() in signed))
    return Source(name, tuple(words), Word("", len(lines), len(lines[-1]) + 1))


class Number(NamedTuple):
    """A number as MAESTRO reads it.

    Attributes:
        value: of its leading digits.
        doubt: what a reader would take otherwise, or "".
    """

    value: int
    doubt: str


def read_number(word: Word) -> Number | None:
    """The number that a word begins with; None where it begins with none."""
    match = _NUMBER.fullmatch(word.text) if word.text.isascii() else _NUMBER.match(word.text)
    if match is None:
        return None
    digits, rest = match.groups()
    value = int(digits.lstrip("0")[:19] or "0")
    if word.signed:
        return Number(value, f"-{cut(digits, 20)} is read as {value}: a minus sign separates words")
    exact = not rest or (rest[0] == "." and not rest[1:].strip("0"))
    return Number(value, "" if exact else f"{shown(word.text)} is read as {value}, as MAESTRO does")
