"""What a reshape that moves data does, where a few numbers can tell it: a box of its input, spread or repeated."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from mappings.layer import Layer
from mappings.quantized import IntArray

Shape = tuple[int, int, int, int]


class Moves(TypedDict):
    """Fields of a :class:`~mappings.layer.Layer`."""

    moves: str
    origin: tuple[int, int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]


def _axis(line: IntArray) -> tuple[int, int, int] | None:
    """(first, step, repeats) of positions that go up in even steps or are each repeated; None: neither."""
    first, count = int(line[0]), len(line)
    steps = np.arange(count)
    step = int(line[1]) - first if count > 1 else 1
    if step >= 1:
        return (first, step, 1) if np.array_equal(line, first + steps * step) else None
    repeats = int(np.count_nonzero(line == first))
    return (first, 1, repeats) if np.array_equal(line, first + steps // repeats) else None


def moves_of(index: IntArray, source: Shape) -> Moves:
    """The fields that tell where the elements of a reshape come from.

    Args:
        index: ``[N, channels, rows, columns]``, flat positions in the source; -1: a zero.
        source: shape of the source.

    Returns:
        ``moves`` "" where the order is kept, "box" where ``origin``, ``stride`` and ``dilation`` say all, else "list".
    """
    plain = Moves(moves="list", origin=(0, 0, 0), stride=(1, 1), dilation=(1, 1))
    if index.size == int(np.prod(source)) and np.array_equal(index.reshape(-1), np.arange(index.size)):
        return Moves(moves="", origin=(0, 0, 0), stride=(1, 1), dilation=(1, 1))
    if index.shape[0] != source[0] or int(index.min()) < 0:
        return plain
    _, channel, row, col = np.unravel_index(index[0], source)
    first = int(channel[0, 0, 0])
    rows, cols = _axis(row[0, :, 0].astype(np.int64)), _axis(col[0, 0, :].astype(np.int64))
    if rows is None or cols is None:
        return plain
    found = Moves(moves="box", origin=(first, rows[0], cols[0]), stride=(rows[1], cols[1]), dilation=(rows[2], cols[2]))
    shape = (index.shape[0], index.shape[1], index.shape[2], index.shape[3])
    return found if np.array_equal(index, box_index(found, shape, source)) else plain


def box_index(fields: Moves, shape: Shape, source: Shape) -> IntArray:
    """The positions that :func:`moves_of` has described, of an output of that shape."""
    image, channel, row, col = np.ogrid[: shape[0], : shape[1], : shape[2], : shape[3]]
    at_channel = fields["origin"][0] + channel
    at_row = fields["origin"][1] + row * fields["stride"][0] // fields["dilation"][0]
    at_col = fields["origin"][2] + col * fields["stride"][1] // fields["dilation"][1]
    index = ((image * source[1] + at_channel) * source[2] + at_row) * source[3] + at_col
    return np.asarray(index, dtype=np.int64)


def layer_index(layer: Layer, source: Shape) -> IntArray | None:
    """Positions of a reshape that keeps the order or takes a box; None: its list alone tells.

    A box that reaches beyond the source gives None as well.
    """
    shape = (layer.N, layer.channels_out, layer.P, layer.Q)
    if layer.moves == "":
        return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    if layer.moves == "list":
        return None
    fields = Moves(moves="box", origin=layer.origin, stride=layer.stride, dilation=layer.dilation)
    last = [layer.origin[0] + shape[1], layer.origin[1], layer.origin[2]]
    for axis in (0, 1):
        last[axis + 1] += (shape[axis + 2] - 1) * layer.stride[axis] // layer.dilation[axis] + 1
    if any(end > size for end, size in zip(last, source[1:], strict=True)) or shape[0] != source[0]:
        return None
    return box_index(fields, shape, source)
