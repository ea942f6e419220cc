"""NAS-Bench-101's own file: TFRecords, each one training of one cell, read without TensorFlow.

A record is JSON: the cell's name, epochs, adjacency matrix row by row, operations, and a protocol buffer in base64 with
what was measured before, half-way through and after the training.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from codesign.spaces.network import nasbench101
from mappings.errors import Fault, SpecError

#: Parts of a record: its length, a checksum of that, what it holds, a checksum of it (Castagnoli's, not looked at: a
#: network's name is a checksum of the network, and what was measured has its range).
_HEADER, _FOOTER = struct.Struct("<QI"), 4
_DOUBLE = struct.Struct("<d")
_MOST_BYTES = 1 << 20
#: Names are worked out anew of the first cells and of every so many.
_FIRST, _EVERY = 100, 1000
#: Fields of the protocol buffer: evaluations in the whole; validation and test accuracy in an evaluation.
_EVALUATIONS, _VALIDATION, _TEST = 1, 4, 5
_AFTER = 2
_ADVICE = "nasbench_only108.tfrecord or nasbench_full.tfrecord, whole"


def begins_so(head: bytes) -> bool:
    """Whether a file's first bytes are those of such records."""
    start = _HEADER.size
    return len(head) > start and _HEADER.unpack_from(head)[0] <= _MOST_BYTES and head[start : start + 2] == b'["'


def read(path: str) -> dict[tuple[str, int], dict[str, float]]:
    """Accuracies, the mean of a cell's trainings, by part ("val", "test") and epochs, then by the cell's name.

    Raises:
        SpecError: damaged, cut off, or not of all cells; one line.
    """
    rows = dict[str, int]()
    sums: dict[int, np.ndarray] = defaultdict(lambda: np.zeros((3, nasbench101.COUNT)))
    for number, record in enumerate(_records(path)):
        try:
            name, epochs, matrix, operations, packed = json.loads(record)
            new, row = name not in rows, rows.setdefault(name, len(rows))
            if new and (row < _FIRST or row % _EVERY == 0) and _named(matrix, operations) != name:
                raise ValueError(f"{name} is not its cell's name")
            found = _accuracies(base64.b64decode(packed, validate=True))
            if not all(0 <= value <= 1 for value in found):
                raise ValueError(f"accuracies {found}")
            sums[int(epochs)][:, row] += (*found, 1.0)
        except (ValueError, TypeError, KeyError, IndexError, struct.error, binascii.Error) as error:
            raise SpecError(Fault(path, f"is damaged: record {number:,}: {error!s:.80}", _ADVICE)) from None
    counts = [column[2] for column in sums.values()]
    if len(rows) != nasbench101.COUNT or any(count.min() != count.max() for count in counts):
        what = f"is damaged: {len(rows):,} of {nasbench101.COUNT:,} cells, or not each as often"
        raise SpecError(Fault(path, what, _ADVICE))
    names = list(rows)
    return {
        (part, epochs): dict(zip(names, (column[place] / column[2]).tolist(), strict=True))
        for epochs, column in sums.items()
        for place, part in enumerate(("val", "test"))
    }


def _records(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        place = 0
        while header := file.read(_HEADER.size):
            length = _HEADER.unpack(header)[0] if len(header) == _HEADER.size else 0
            data = file.read(length + _FOOTER) if 0 < length <= _MOST_BYTES else b""
            if len(data) != length + _FOOTER:
                raise SpecError(Fault(path, f"is damaged: no whole record at byte {place:,}", _ADVICE))
            place += _HEADER.size + len(data)
            yield data[:length]


def _named(matrix: str, operations: str) -> str:
    """The name of a cell as a record has it."""
    inner, size = operations.split(",")[1:-1], math.isqrt(len(matrix))
    edges = [divmod(place, size) for place, value in enumerate(matrix) if value == "1"]
    return nasbench101.cell_of(inner, edges).name


def _accuracies(data: bytes) -> tuple[float, float]:
    """In validation and in test after the training."""
    evaluations = [(first, behind) for field, first, behind in _fields(data) if field == _EVALUATIONS]
    first, behind = evaluations[_AFTER]
    evaluation = data[first:behind]
    starts = {field: start for field, start, _ in _fields(evaluation)}
    return _DOUBLE.unpack_from(evaluation, starts[_VALIDATION])[0], _DOUBLE.unpack_from(evaluation, starts[_TEST])[0]


def _fields(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Number of each field of a protocol buffer, and where its value begins and ends."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind, first = tag & 7, place
        if kind == 0:
            _, place = _varint(data, place)
        elif kind == 2:
            length, first = _varint(data, place)
            place = first + length
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if place > len(data):
            raise ValueError("a field that is cut off")
        yield tag >> 3, first, place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the low ones first, and where it ends."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
