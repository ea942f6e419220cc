"""What a registry of the search holds: a function that is imported when its name is first used, and its options."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from mappings.errors import Fault, SpecError, nearest

T = TypeVar("T")


def load_target(target: str) -> Any:
    """What ``module:attribute`` names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


@dataclass(frozen=True)
class Plugin(Generic[T]):
    """One entry.

    Attributes:
        summary: one line for ``codesign list``.
        target: the function, or ``module:attribute`` so that listing loads nothing heavy.
        options: numbers that a recipe may set, with their defaults.
    """

    summary: str
    target: T | str
    options: Mapping[str, float] = field(default_factory=dict)

    def load(self) -> T:
        """The function itself."""
        return cast(T, load_target(self.target)) if isinstance(self.target, str) else self.target

    def with_defaults(self, given: Mapping[str, float], where: str) -> dict[str, float]:
        """All options, the given ones over the defaults.

        Raises:
            SpecError: an unknown option.
        """
        allowed = ", ".join(self.options) or "none"
        faults = [
            Fault(where, f'unknown option "{name}"{nearest(name, self.options)}', allowed)
            for name in given
            if name not in self.options
        ]
        if faults:
            raise SpecError(faults)
        return {**self.options, **given}
