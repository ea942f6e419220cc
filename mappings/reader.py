"""Reads plain values (from YAML or JSON) into typed fields, and gathers every fault before it raises."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from mappings.errors import MAX_SHOWN_FAULTS, Fault, SpecError, cut, nearest

T = TypeVar("T")


class Reader:
    """The keys of one mapping, taken one at a time.

    Args:
        value: what was read; must be a mapping with text keys.
        where: its path, for the messages.
        known: every key that is allowed.

    Each ``take`` of a missing key returns its default, or notes a fault where it has none. :meth:`done` comes last.
    """

    def __init__(self, value: Any, where: str, known: Iterable[str]) -> None:
        self.where = where
        self.faults: list[Fault] = []
        names = list(known)
        self._known = names
        if not isinstance(value, dict):
            self._data: dict[Any, Any] = {}
            self.faults.append(Fault(where, f"is {kind_of(value)}", "a mapping of " + ", ".join(names)))
            return
        self._data = value
        self.faults += unknown_keys(value, names, where)

    def has(self, key: str) -> bool:
        """Whether the key is given (null counts as given)."""
        return key in self._data

    def raw(self, key: str) -> Any:
        """The value as it is, None where the key is missing."""
        return self._data.get(key)

    def fault(self, key: str, what: str, allowed: str = "") -> None:
        """Note a fault at a key."""
        self.faults.append(Fault(f"{self.where}.{key}", what, allowed))

    def take(self, key: str, check: Callable[[Any], T], allowed: str, default: Any = ...) -> Any:
        """A value that ``check`` turns into what is stored (it raises ValueError or TypeError where it can not).

        With a default of None, null is allowed too.
        """
        if key not in self._data:
            if default is ...:
                if not self.faults or self._data:
                    self.fault(key, "is missing", allowed)
                return None
            return default
        value = self._data[key]
        if value is None and default is None:
            return None
        try:
            return check(value)
        except SpecError as error:
            self.faults.extend(error.faults)
        except (ValueError, TypeError):
            self.fault(key, f"is {shown(value)}", allowed)
        return None if default is ... else default

    def integer(self, key: str, low: int, high: int, default: Any = ...) -> Any:
        """An integer from ``low`` to ``high`` (a float or a truth value is none)."""
        return self.take(key, lambda v: whole(v, low, high), f"an integer from {low} to {high}", default)

    def number(self, key: str, low: float, high: float, default: Any = ..., above: bool = False) -> Any:
        """A finite number from ``low`` (``above``: greater than it) to ``high``."""

        def check(value: Any) -> float:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError
            if not low <= value <= high or (above and value <= low):
                raise ValueError
            return float(value)

        return self.take(key, check, f"a number {'above' if above else 'from'} {low:g} to {high:g}", default)

    def text(self, key: str, default: Any = ...) -> Any:
        """Text of at most 1,000 characters."""

        def check(value: Any) -> str:
            if not isinstance(value, str) or len(value) > 1000:
                raise ValueError
            return value

        return self.take(key, check, "text", default)

    def truth(self, key: str, default: Any = ...) -> Any:
        """true or false."""

        def check(value: Any) -> bool:
            if not isinstance(value, bool):
                raise ValueError
            return value

        return self.take(key, check, "true or false", default)

    def choice(self, key: str, kind: Callable[[Any], T], names: Iterable[str], default: Any = ...) -> Any:
        """One of the names, as ``kind`` makes it."""
        allowed = list(names)
        if key in self._data and self._data[key] not in allowed:
            given = str(self._data[key])
            self.fault(key, f'unknown "{given[:60]}"{nearest(given, allowed)}', ", ".join(allowed))
            return None
        return self.take(key, kind, ", ".join(allowed), default)

    def items(self, key: str, each: Callable[[Any, str], T], allowed: str, default: Any = ...) -> Any:
        """A list, each entry read by ``each(value, where)``; returned as a tuple."""

        def check(value: Any) -> tuple[T, ...]:
            if not isinstance(value, (list, tuple)):
                raise ValueError
            out: list[T] = []
            faults: list[Fault] = []
            for index, item in enumerate(value):
                try:
                    out.append(each(item, f"{self.where}.{key}[{index}]"))
                except SpecError as error:
                    faults.extend(error.faults)
                except (ValueError, TypeError):
                    faults.append(Fault(f"{self.where}.{key}[{index}]", f"is {shown(item)}", allowed))
            if faults:
                raise SpecError(faults)
            return tuple(out)

        return self.take(key, check, f"a list: {allowed}", default)

    def done(self) -> None:
        """Raise what was noted.

        Raises:
            SpecError: with every fault.
        """
        if self.faults:
            raise SpecError(self.faults)


def unknown_keys(given: Iterable[Any], known: Iterable[str], where: str) -> list[Fault]:
    """A fault for each of the first ten keys that are not known, and one that counts the rest."""
    names = list(known)
    unknown = [str(key) for key in given if key not in names]
    allowed = ", ".join(names)
    faults = [
        Fault(where, f'unknown key "{cut(key)}"{nearest(key, names)}', allowed) for key in unknown[:MAX_SHOWN_FAULTS]
    ]
    if len(unknown) > MAX_SHOWN_FAULTS:
        faults.append(Fault(where, f"{len(unknown) - MAX_SHOWN_FAULTS} unknown keys more", allowed))
    return faults


def whole(value: Any, low: int, high: int) -> int:
    """An integer within bounds; ValueError otherwise."""
    if type(value) is not int or not low <= value <= high:
        raise ValueError(value)
    return value


def kind_of(value: Any) -> str:
    """A value's type as a user calls it."""
    return {"NoneType": "empty", "list": "a list", "tuple": "a list", "str": "text", "dict": "a mapping"}.get(
        type(value).__name__, repr(value)[:60]
    )


def shown(value: Any) -> str:
    """A value in a message, cut short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
