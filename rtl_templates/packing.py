"""Weights in the order in which each PE array reads them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from accel_models.template import ArrayKind
from mappings.errors import Fault, SpecError

IntArray: TypeAlias = NDArray[np.int64]


def pack_weights(kind: ArrayKind, rows: int, cols: int, weight: IntArray) -> IntArray:
    """One tile's weights as the words of the weight buffer.

    Args:
        kind: dataflow of the array.
        rows, cols: PEs.
        weight: integers ``[K, C, R, S]``.

    Returns:
        ``[words, cols]``: lane ``j`` of a word belongs to output channel ``j`` of its group. Channels beyond ``K`` and
        ``C`` are zeros.

    Raises:
        SpecError: ``weight`` has not four axes, or no array of that kind is known.
    """
    if weight.ndim != 4 or 0 in weight.shape:
        raise SpecError(Fault("weight", f"has shape {weight.shape}", "[K, C, R, S], none of them 0"))
    if kind not in _PACKERS:
        raise SpecError(Fault("kind", f"no packing for {kind}", ", ".join(_PACKERS)))
    return _PACKERS[kind](rows, cols, weight.astype(np.int64))


def _padded(weight: IntArray, axis: int, multiple: int) -> IntArray:
    """``weight`` with zeros appended along ``axis`` up to a multiple."""
    pad = [(0, 0)] * weight.ndim
    pad[axis] = (0, -weight.shape[axis] % multiple)
    return np.pad(weight, pad)


def _by_pass(rows: int, cols: int, weight: IntArray) -> IntArray:
    """Output groups, input groups, filter rows, filter columns; of each, the words of input channels 0 to rows - 1."""
    full = _padded(_padded(weight, 0, cols), 1, rows)
    K, C, R, S = full.shape
    split = full.reshape(K // cols, cols, C // rows, rows, R, S)
    return split.transpose(0, 2, 4, 5, 3, 1).reshape(-1, cols)


def _by_channel(rows: int, cols: int, weight: IntArray) -> IntArray:
    """Output groups, blocks of input channels, filter rows, filter columns; of each, one word a channel."""
    lanes = max(rows, cols)
    full = _padded(weight, 0, cols)
    K, C, R, S = full.shape
    groups = full.reshape(K // cols, cols, C, R, S)
    blocks = [group[:, at : at + lanes] for group in groups for at in range(0, C, lanes)]
    return np.concatenate([block.transpose(2, 3, 1, 0).reshape(-1, cols) for block in blocks])


_PACKERS = {
    ArrayKind.OUTPUT_STATIONARY: _by_channel,
    ArrayKind.LOOP_TILE: _by_pass,
    ArrayKind.CHANNEL_PARALLEL: _by_pass,
}
