"""Typed options of whatever a recipe names: what each one may be, its default, and a check that tells all faults."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from mappings.errors import Fault, SpecError, nearest


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        default: taken where it is left out.
        allowed: what may be given, for messages.
        read: a given value in its canonical form; raises ValueError or TypeError where it is none.
        required: it has no default and must be given.
        decisions: it holds a part of a point: the names and values are those of the recipe's space.
    """

    default: Any
    allowed: str
    read: Callable[[Any], Any]
    required: bool = False
    decisions: bool = False


def _whole(low: int, high: int) -> Callable[[Any], Any]:
    def read(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError
        return value

    return read


def integer(default: int, low: int = 0, high: int = 2**31 - 1) -> Option:
    """A whole number within bounds."""
    return Option(default, f"an integer from {low} to {high}", _whole(low, high))


def number(default: float, low: float = -math.inf, high: float = math.inf) -> Option:
    """A finite number within bounds."""

    def read(value: Any) -> float:
        if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
            raise ValueError
        return float(value)

    bounds = [f"of at least {low:g}"] if low > -math.inf else []
    bounds += [f"of at most {high:g}"] if high < math.inf else []
    return Option(
        default, " and ".join([f"a number{' ' if bounds else ''}{bounds[0] if bounds else ''}", *bounds[1:]]), read
    )


def flag(default: bool) -> Option:
    """True or false."""

    def read(value: Any) -> bool:
        if type(value) is not bool:
            raise ValueError
        return value

    return Option(default, "true or false", read)


def name(default: str, choices: tuple[str, ...]) -> Option:
    """One of some names."""

    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return Option(default, ", ".join(choices), read)


def text(default: str = "", *, what: str = "a text", required: bool = False) -> Option:
    """A text: a name of something, a path."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not value or len(value) > 4096 or "\0" in value:
            raise ValueError
        return value

    return Option(default, what, read, required)


def list_of(item: Option, default: tuple[Any, ...] = (), *, least: int = 0) -> Option:
    """A list of values of one kind."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or len(value) < least:
            raise ValueError
        return tuple(item.read(one) for one in value)

    return Option(default, f"a list of {item.allowed}", read)


def pairs(default: tuple[tuple[str, float], ...] = ()) -> Option:
    """A mapping of names to numbers, as (name, number) pairs."""

    def read(value: Any) -> tuple[tuple[str, float], ...]:
        items = value.items() if isinstance(value, Mapping) else value
        out = []
        for key, figure in items:
            if not isinstance(key, str) or type(figure) not in (int, float) or not math.isfinite(figure):
                raise ValueError
            out.append((key, float(figure)))
        return tuple(out)

    return Option(default, "a mapping of names to numbers", read)


def choices_of() -> Option:
    """A part of a point: a mapping of decisions to values, which a recipe checks against its space."""

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or any(not isinstance(key, str) for key in value):
            raise ValueError
        return dict(value)

    return Option({}, "a mapping of names to values", read, decisions=True)


def as_option(value: Any) -> Option:
    """An option from its default alone: the same type, unbounded."""
    if isinstance(value, Option):
        return value
    if isinstance(value, bool):
        return flag(value)
    if isinstance(value, int):
        return integer(value, -(2**31))
    if isinstance(value, float):
        return number(value)
    return text(str(value))


def shown(value: Any) -> str:
    """A given value as YAML has it, so that a message shows what was written."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str) else str(value)


Options: TypeAlias = Mapping[str, Any]


def check_options(options: Options, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All options in their canonical form, the given ones over the defaults.

    Args:
        options: by name; an :class:`Option`, or a plain default.

    Raises:
        SpecError: unknown or missing options, values that are not allowed; all at once.
    """
    faults: list[Fault] = []
    out: dict[str, Any] = {}
    for key in given:
        if key not in options:
            near = nearest(str(key), options)
            faults.append(Fault(where, f'unknown option "{str(key)[:60]}"{near}', ", ".join(options) or "none"))
    for key, item in options.items():
        option = as_option(item)
        if key in given:
            try:
                out[key] = option.read(given[key])
            except (ValueError, TypeError):
                faults.append(Fault(f"{where}.{key}", f"is {shown(given[key])[:60]}", option.allowed))
        elif option.required:
            faults.append(Fault(f"{where}.{key}", "is missing", option.allowed))
        else:
            out[key] = option.default
    if faults:
        raise SpecError(faults)
    return out
