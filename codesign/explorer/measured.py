"""What a dear provider found, one line a result, kept as soon as it is known and shared by all workers of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accel_models.report import Infeasible
from codesign.explorer.claims import Claims
from codesign.providers.base import Measurement


class MeasuredFile:
    """Results by key and fidelity.

    Args:
        path: of the file.
        claims: of the run's workers.
    """

    def __init__(self, path: Path, claims: Claims) -> None:
        self.path, self.claims = path, claims
        self._read = 0

    def fresh(self) -> Iterator[tuple[Any, float, Measurement]]:
        """What was added since the last call, by this process and others; lines that a kill cut off are passed over."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                key, fidelity, metrics, broken = json.loads(line)
            except ValueError:
                continue
            yield _hashable(key), fidelity, Measurement(metrics, tuple(Infeasible.from_dict(item) for item in broken))

    def add(self, key: Any, fidelity: float, found: Measurement) -> None:
        """Keep one result; it is on the disk when this returns."""
        line = json.dumps([key, fidelity, dict(found.metrics), [item.to_dict() for item in found.broken]])
        with self.claims.alone(str(self.path.name)), self.path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a kill cut the last line off
                    line = "\n" + line
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def claim(self, key: Any, fidelity: float) -> bool:
        """Whether this process is the one to measure a key."""
        return self.claims.take(self._name(key, fidelity))

    def release(self, key: Any, fidelity: float) -> None:
        """Leave a key to others."""
        self.claims.release(self._name(key, fidelity))

    def _name(self, key: Any, fidelity: float) -> str:
        return json.dumps([self.path.name, key, fidelity])


def _hashable(key: Any) -> Any:
    return tuple(map(_hashable, key)) if isinstance(key, list) else key
