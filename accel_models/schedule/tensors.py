"""Where a tensor lies in memory: channel-blocked, ``[images][channel words][rows][columns][lanes]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Places: TypeAlias = NDArray[np.int64]
REGION_ALIGN = 64  #: bytes; every region begins at a multiple


@dataclass(frozen=True, eq=False)
class TensorLayout:
    """One tensor's place.

    Attributes:
        name: the layer or workload input that produces it.
        addr: first byte.
        places: ``[C]``; channel ``c`` is lane ``places[c] % lanes`` of channel word ``places[c] // lanes``. Lanes that
            no channel names hold zeros or junk: whoever reads them has zero weights there.
        blocks: channel words.
        images, rows, cols: N, H, W.
        lanes, word_bytes: of a channel word.
        image_stride: bytes from one image to the next.
    """

    name: str
    addr: int
    places: Places
    blocks: int
    images: int
    rows: int
    cols: int
    lanes: int
    word_bytes: int
    image_stride: int

    @property
    def channels(self) -> int:
        """Channels that carry data."""
        return len(self.places)

    @property
    def plane_bytes(self) -> int:
        """Bytes of one channel word's image."""
        return self.rows * self.cols * self.word_bytes

    @property
    def image_bytes(self) -> int:
        """Bytes of one image."""
        return self.blocks * self.plane_bytes

    def word_addr(self, image: int, block: int, row: int, col: int) -> int:
        """Byte address of one word."""
        word = (block * self.rows + row) * self.cols + col
        return self.addr + image * self.image_stride + word * self.word_bytes

    @property
    def is_dense(self) -> bool:
        """Channel ``c`` is at place ``c``."""
        return bool(np.array_equal(self.places, np.arange(self.channels)))


def dense_places(channels: int) -> Places:
    """Channels one after another."""
    return np.arange(channels, dtype=np.int64)


def align(addr: int, to: int = REGION_ALIGN) -> int:
    """The next multiple of ``to``."""
    return -(-addr // to) * to
