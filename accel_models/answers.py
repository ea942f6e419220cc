"""Answers that were dear to find, on disk by a digest of the question: safe for any number of processes.

One JSON file a question, kept with its digest (:mod:`mappings.cache_folder`): a damaged one is told and found anew. Two
writers of the same answer do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accel_models.jit import kept_folder
from mappings.cache_folder import keep_values, kept_values
from mappings.errors import SpecError


@dataclass(frozen=True)
class Answers:
    """One kind of answer. Without a folder that is ours to write each process finds its own.

    Attributes:
        folder: in the cache.
        what: for people, where they are not kept: "mappings are".
    """

    folder: str
    what: str

    def load(self, key: str) -> dict[str, Any] | None:
        """What was stored for a question, or None.

        Args:
            key: hex digest of the question and of all that its answer depends on.
        """
        path = self._path(key)
        try:
            return None if path is None else kept_values(path)
        except SpecError:  # a damaged one that cannot be taken away
            return None

    def store(self, key: str, value: dict[str, Any]) -> None:
        """Store plain values; a folder that cannot be written costs time later, not the answer now."""
        path = self._path(key)
        if path is None:
            return
        try:
            keep_values(path, value)
        except OSError:
            return

    def _path(self, key: str) -> Path | None:
        folder = kept_folder(self.folder, self.what)
        return None if folder is None else folder / key[:2] / f"{key}.json"
