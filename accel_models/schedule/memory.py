"""Hands out regions of memory."""

from __future__ import annotations

import numpy as np

from accel_models.schedule.tensors import REGION_ALIGN, align


class Memory:
    """Hands out regions, one after another.

    Args:
        scatter: seed; regions then lie at random distances, aligned no better than the hardware needs. None: each
            begins at a multiple of 64 bytes.
    """

    def __init__(self, scatter: int | None = None) -> None:
        self.end = 0
        self.random = None if scatter is None else np.random.default_rng(scatter)

    def take(self, size: int, granule: int) -> int:
        """First byte of a region of ``size`` bytes.

        Args:
            granule: bytes; the address is a multiple.
        """
        gap = 0 if self.random is None else int(self.random.integers(0, 4096))
        addr = align(self.end + gap, REGION_ALIGN if self.random is None else granule)
        self.end = addr + size
        return addr
