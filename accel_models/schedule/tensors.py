"""Where a tensor lies in memory: channel-blocked, ``[images][channel words][rows][columns][lanes]``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from accel_models.schedule.commands import Buffer, Dma

Places: TypeAlias = NDArray[np.int64]
REGION_ALIGN = 64  #: bytes; every region begins at a multiple
Span: TypeAlias = tuple[int, int]  #: first, count


@dataclass(frozen=True, eq=False)
class TensorLayout:
    """One tensor's place, or that of a part of a tensor.

    Attributes:
        name: the layer or workload input that produces it.
        addr: first byte.
        places: ``[C]``; channel ``c`` is lane ``places[c] % lanes`` of channel word ``places[c] // lanes``. Lanes that
            no channel names hold zeros or junk: whoever reads them has zero weights there.
        blocks: channel words.
        images, rows, cols: N, H, W.
        lanes, word_bytes: of a channel word.
        image_stride: bytes from one image to the next.
        plane_words, row_words, col_words: from one channel word, row, column to the next; a whole tensor has
            ``rows * cols``, ``cols`` and 1.
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
    plane_words: int
    row_words: int
    col_words: int = 1

    @property
    def channels(self) -> int:
        """Channels that carry data."""
        return len(self.places)

    @property
    def plane_bytes(self) -> int:
        """Bytes from one channel word's image to the next."""
        return self.plane_words * self.word_bytes

    def word_addr(self, image: int, block: int, row: int, col: int) -> int:
        """Byte address of one word."""
        word = block * self.plane_words + row * self.row_words + col * self.col_words
        return self.addr + image * self.image_stride + word * self.word_bytes

    def words(self) -> NDArray[np.int64]:
        """Byte address of every word of the first image, ``[blocks, rows, cols]``."""
        block, row, col = np.ogrid[: self.blocks, : self.rows, : self.cols]
        index = block * self.plane_words + row * self.row_words + col * self.col_words
        return np.asarray(self.addr + index * self.word_bytes, dtype=np.int64)

    def part(self, rows: Span, cols: Span, row_step: int = 1, col_step: int = 1) -> TensorLayout:
        """Every ``row_step``-th of the rows from the first on, so many of them; columns likewise."""
        return replace(
            self,
            addr=self.word_addr(0, 0, rows[0], cols[0]),
            rows=rows[1],
            cols=cols[1],
            row_words=self.row_words * row_step,
            col_words=self.col_words * col_step,
        )

    def box(self, buffer: Buffer, image: int, blocks: Span, rows: Span, cols: Span) -> list[Dma]:
        """Transfers of a box of the tensor: channel words, rows, columns; neighbouring runs are joined.

        The on-chip side, from word 0 on, holds the box without gaps, whatever it takes in memory.
        """
        run = 1
        steps: list[tuple[int, int]] = []
        for count, stride in (
            (cols[1], self.col_words),
            (rows[1], self.row_words),
            (blocks[1], self.plane_words),
        ):
            if not steps and (count == 1 or stride == run):
                run *= count
            elif count > 1:
                steps.append((count, stride * self.word_bytes))
        addr = self.word_addr(image, blocks[0], rows[0], cols[0])
        outer, outer_stride = steps.pop() if len(steps) == 3 else (1, 0)
        steps += [(1, 0)] * (2 - len(steps))
        (count1, stride1), (count2, stride2) = steps
        size = run * count1 * count2
        return [
            Dma(buffer, addr + i * outer_stride, i * size, run, count1, count2, stride1, stride2) for i in range(outer)
        ]

    @property
    def image_bytes(self) -> int:
        """Bytes from the first word of an image to the end of its last."""
        last = self.word_addr(0, self.blocks - 1, self.rows - 1, self.cols - 1)
        return last + self.word_bytes - self.addr

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
