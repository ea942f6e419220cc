"""Things found by name: built-ins and plug-ins register through the same call."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from mappings.errors import Fault, SpecError, unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """Values by name. A plug-in's entry point names a callable that receives the registry.

    Args:
        kind: what one entry is called in messages, e.g. "device".
        builtins: registers what the project ships; called at the first look-up, as a plug-in's is.
    """

    def __init__(self, kind: str, builtins: Callable[[Registry[T]], None] | None = None) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}
        self._pending = [] if builtins is None else [builtins]
        self._scanned = False

    @property
    def group(self) -> str:
        """Entry point group of plug-ins, e.g. ``codesign.devices``."""
        plural = self.kind.replace(" ", "_")
        plural = f"{plural[:-1]}ies" if plural.endswith("y") else f"{plural}s"
        return f"codesign.{plural}"

    def register(self, name: str, value: T) -> None:
        """Add one entry.

        Raises:
            SpecError: the name is taken.
        """
        if name in self._entries:
            raise SpecError(Fault(f"{self.kind} {name}", "is registered already", "another name"))
        self._entries[name] = value

    def _load(self) -> None:
        while self._pending:
            self._pending.pop()(self)
        if not self._scanned:
            self._scanned = True
            for point in entry_points(group=self.group):
                point.load()(self)

    def names(self) -> tuple[str, ...]:
        """Every name, in the order of registration: built-ins first."""
        self._load()
        return tuple(self._entries)

    def get(self, name: str, where: str = "") -> T:
        """The entry of that name.

        Args:
            where: path of the input that names it, for the message.

        Raises:
            SpecError: not registered; says what is and the nearest name.
        """
        if name not in self._entries:
            self._load()
        if name not in self._entries:
            raise unknown_name(where or self.kind, self.kind, name, self._entries)
        return self._entries[name]
