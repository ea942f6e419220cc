"""Tensors and parameters as the engine's memory holds them: blocks of channels, elements packed by their bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mappings.quantized import IntArray

ALIGN_BYTES = 64


@dataclass(frozen=True)
class TensorPlace:
    """A tensor in memory: ``[ceil(channels / lanes)][rows][cols][lanes]``, of one image.

    Attributes:
        offset: bytes from the start of memory.
        bits: 4, 8 or 16 an element.
    """

    offset: int
    bits: int
    channels: int
    rows: int
    cols: int
    lanes: int

    @property
    def size_bytes(self) -> int:
        """Bytes that it takes."""
        blocks = -(-self.channels // self.lanes)
        return -(-blocks * self.rows * self.cols * self.lanes * self.bits // 8)

    def pack(self, value: IntArray) -> bytes:
        """``[channels, rows, cols]`` as bytes."""
        blocks = -(-self.channels // self.lanes)
        padded = np.zeros((blocks * self.lanes, self.rows, self.cols), dtype=np.int64)
        padded[: self.channels] = value
        split = padded.reshape(blocks, self.lanes, self.rows, self.cols).transpose(0, 2, 3, 1)
        return pack_elements(split.reshape(-1), self.bits)

    def unpack(self, memory: NDArray[np.uint8]) -> IntArray:
        """``[channels, rows, cols]`` out of the whole memory's bytes."""
        blocks = -(-self.channels // self.lanes)
        flat = unpack_elements(memory[self.offset : self.offset + self.size_bytes], self.bits)
        split = flat.reshape(blocks, self.rows, self.cols, self.lanes).transpose(0, 3, 1, 2)
        return split.reshape(blocks * self.lanes, self.rows, self.cols)[: self.channels]


def storage_bits(bits: int) -> int:
    """Bits that an element takes in memory: 4, 8 or 16."""
    return 4 if bits <= 4 else 8 if bits <= 8 else 16


def weight_storage_bits(bits: int) -> int:
    """Bits that a weight takes in memory: 2, 4, 8 or 16."""
    return 2 if bits <= 2 else storage_bits(bits)


def pack_elements(values: IntArray, bits: int) -> bytes:
    """Signed elements as bytes: of 2 or 4 bits several to a byte, the lowest bits first; 16 bits low byte first."""
    if bits < 8:
        full = np.append(values, np.zeros(-values.size % (8 // bits), dtype=np.int64)) & ((1 << bits) - 1)
        shifts = np.arange(0, 8, bits, dtype=np.int64)
        packed: NDArray[np.int64] = np.bitwise_or.reduce(full.reshape(-1, 8 // bits) << shifts, axis=1)
        return packed.astype(np.uint8).tobytes()
    return values.astype("<i1" if bits == 8 else "<i2").tobytes()


def unpack_elements(memory: NDArray[np.uint8], bits: int) -> IntArray:
    """The reverse of :func:`pack_elements` (an odd last nibble comes back as an element)."""
    if bits == 4:
        both = np.stack([memory & 15, memory >> 4], axis=1).reshape(-1).astype(np.int64)
        return np.asarray(np.where(both >= 8, both - 16, both), dtype=np.int64)
    raw = np.frombuffer(memory.tobytes(), dtype="<i1" if bits == 8 else "<i2")
    return raw.astype(np.int64)


class ImageBuilder:
    """Bytes behind the tensors: weights, parameters, tables, stored tensors."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> int:
        """Append, aligned; returns the offset from the start of memory."""
        offset = self._start + self._size
        padding = -len(data) % ALIGN_BYTES
        self._chunks.append(data + bytes(padding))
        self._size += len(data) + padding
        return offset

    def data(self) -> bytes:
        """Everything added."""
        return b"".join(self._chunks)
