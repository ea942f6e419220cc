"""What the workers of a run share: lines in a file, each on the disk before anybody counts on it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accel_models.report import Infeasible
from codesign.explorer.claims import Claims
from codesign.providers.base import Measurement


class SharedFile:
    """Values that are found once, by whoever claims their name first, and read by all.

    Args:
        path: of the file, one line of JSON a value.
        claims: of the run's workers.
    """

    def __init__(self, path: Path, claims: Claims) -> None:
        self.path, self.claims = path, claims
        self._read = 0

    def lines(self) -> Iterator[Any]:
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
                yield json.loads(line)
            except ValueError:
                continue

    def write(self, value: Any) -> None:
        """Keep one value; it is on the disk when this returns."""
        line = json.dumps(value)
        self.path.parent.mkdir(exist_ok=True)
        with self.claims.alone(str(self.path.name)), self.path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a kill cut the last line off
                    line = "\n" + line
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def claim(self, name: Any) -> bool:
        """Whether this process is the one to find what has a name."""
        return self.claims.take(self._full(name))

    def release(self, name: Any) -> None:
        """Leave a name to others."""
        self.claims.release(self._full(name))

    def _full(self, name: Any) -> str:
        return json.dumps([self.path.name, name])


class MeasuredFile:
    """Results of a dear provider by key and fidelity.

    Args:
        path: of the file.
        claims: of the run's workers.
    """

    def __init__(self, path: Path, claims: Claims) -> None:
        self.path, self._file = path, SharedFile(path, claims)

    def fresh(self) -> Iterator[tuple[Any, float, Measurement]]:
        """What was added since the last call."""
        for key, fidelity, metrics, broken in self._file.lines():
            yield _hashable(key), fidelity, Measurement(metrics, tuple(Infeasible.from_dict(item) for item in broken))

    def add(self, key: Any, fidelity: float, found: Measurement) -> None:
        """Keep one result."""
        self._file.write([key, fidelity, dict(found.metrics), [item.to_dict() for item in found.broken]])

    def claim(self, key: Any, fidelity: float) -> bool:
        """Whether this process is the one to measure a key."""
        return self._file.claim([key, fidelity])

    def release(self, key: Any, fidelity: float) -> None:
        """Leave a key to others."""
        self._file.release([key, fidelity])


def _hashable(key: Any) -> Any:
    return tuple(map(_hashable, key)) if isinstance(key, list) else key
