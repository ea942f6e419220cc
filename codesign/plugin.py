"""What a registry of the search holds: a function that is imported when its name is first used, and its options."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from codesign.options import check_options

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
        options: what a recipe may set, by name: an :class:`codesign.options.Option`, or a plain default.
        source: whose method it is (Lastname YEAR).
        offers: capabilities that others may need of it, e.g. "workload", "design", "weights", "gradient".
        needs: capabilities that it needs of the others in a recipe.
        tasks: the tasks (:mod:`codesign.accuracy.task`) whose labels it understands; (): it reads no labels.
    """

    summary: str
    target: T | str
    options: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    offers: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()

    def load(self) -> T:
        """The function itself."""
        return cast(T, load_target(self.target)) if isinstance(self.target, str) else self.target

    def checked(self, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        """All options, the given ones over the defaults.

        Raises:
            SpecError: unknown options, values that are not allowed; all at once.
        """
        return check_options(self.options, given, where)
