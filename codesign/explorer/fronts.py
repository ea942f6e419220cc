"""Fronts over the whole hardware space: each proved once, by the first of a run's workers that claims its network."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from codesign.decisions import Point
from codesign.explorer.measured import SharedFile

#: How often a worker looks for what others were proving.
_POLL_S = 0.05


class SharedFronts:
    """Networks to the accelerators of their fronts.

    Args:
        prove: the front of one network.
        file: where fronts are kept and shared; None: this process is alone.
    """

    def __init__(self, prove: Callable[[Point], list[Point]], file: SharedFile | None) -> None:
        self._prove, self._file = prove, file
        self._known: dict[str, list[Point]] = {}

    def __call__(self, networks: Sequence[Point]) -> list[list[Point]]:
        """Of each network, in order."""
        if self._file is None:
            return [self._prove(network) for network in networks]
        keys = [json.dumps(network) for network in networks]
        left = dict(zip(keys, networks, strict=True))
        while left := self._unknown(left):
            proved = [key for key, network in left.items() if self._proved(self._file, key, network)]
            if not proved:
                time.sleep(_POLL_S)
        return [self._known[key] for key in keys]

    def _unknown(self, networks: dict[str, Point]) -> dict[str, Point]:
        """Those of the networks that nobody has proved by now."""
        if self._file is not None and any(key not in self._known for key in networks):
            self._known.update(self._file.lines())
        return {key: network for key, network in networks.items() if key not in self._known}

    def _proved(self, file: SharedFile, key: str, network: Point) -> bool:
        """Whether this process proved a network's front; not where another is at it."""
        if not file.claim(key):
            return False
        try:
            if self._unknown({key: network}):  # it may have been proved just before it was claimed
                file.write([key, self._prove(network)])
            return True
        finally:
            file.release(key)
