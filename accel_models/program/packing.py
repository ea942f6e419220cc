"""Weights in the order in which each PE array reads them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from accel_models.template.array_formulas import ROW_STATIONARY_TAPS
from accel_models.template.spec import ArrayKind
from accel_models.template.weight_form import HEADER_TAPS
from mappings.errors import Fault, SpecError

IntArray: TypeAlias = NDArray[np.int64]


def pack_weights(kind: ArrayKind, rows: int, cols: int, weight: IntArray, kept: int = 0) -> IntArray:
    """One tile's weights as the words of the weight buffer.

    Args:
        kind: dataflow of the array.
        rows, cols: PEs.
        weight: integers ``[K, C, R, S]``.
        kept: filter taps of each block of ``rows`` x ``cols`` channels that a header and their weights are stored of
            (arrays of adder trees); 0: all, without headers.

    Returns:
        ``[words, cols]``: lane ``j`` of a word belongs to output channel ``j`` of its group. Channels beyond ``K`` and
        ``C`` are zeros.

    Raises:
        SpecError: ``weight`` has not four axes, no array of that kind is known, or a block has weights under more taps.
    """
    if weight.ndim != 4 or 0 in weight.shape:
        raise SpecError(Fault("weight", f"has shape {weight.shape}", "[K, C, R, S], none of them 0"))
    if kind not in _PACKERS:
        raise SpecError(Fault("kind", f"no packing for {kind}", ", ".join(_PACKERS)))
    if kept:
        return _by_kept_tap(rows, cols, weight.astype(np.int64), kept)
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


def _by_kept_tap(rows: int, cols: int, weight: IntArray, kept: int) -> IntArray:
    """Output groups, input groups, taps that are kept; of each, a header and the words of its input channels."""
    R, S = weight.shape[2:]
    if max(R, S) > HEADER_TAPS:
        raise SpecError(Fault("weight", f"has filters of {R} x {S} taps", f"up to {HEADER_TAPS} x {HEADER_TAPS}"))
    blocks = _by_pass(rows, cols, weight).reshape(-1, R * S, rows, cols)
    used = blocks.any(axis=(2, 3))
    if (most := int(used.sum(axis=1).max())) > kept:
        raise SpecError(Fault("weight", f"has a block of {cols} x {rows} channels with {most} taps", f"{kept} taps"))
    taps = np.sort(np.argsort(~used, axis=1, kind="stable")[:, :kept], axis=1)  # unused ones fill up
    words = np.zeros((len(blocks), kept, 1 + rows, cols), dtype=np.int64)
    # Two bits each, as the weights of the fewest bits have: 2 is -2 there.
    words[:, :, 0, 0], words[:, :, 0, 1] = _two_bits(taps % S), _two_bits(taps // S)
    words[:, :, 1:] = np.take_along_axis(blocks, taps[:, :, None, None], axis=1)
    return words.reshape(-1, cols)


def _two_bits(value: IntArray) -> IntArray:
    """0 to 3 as signed numbers of two bits."""
    return np.asarray((value + 2) % 4 - 2, dtype=np.int64)


def _by_channel(rows: int, cols: int, weight: IntArray) -> IntArray:
    """Output groups, blocks of input channels, filter rows, filter columns; of each, one word a channel."""
    lanes = max(rows, cols)
    full = _padded(weight, 0, cols)
    K, C, R, S = full.shape
    groups = full.reshape(K // cols, cols, C, R, S)
    blocks = [group[:, at : at + lanes] for group in groups for at in range(0, C, lanes)]
    return np.concatenate([block.transpose(2, 3, 1, 0).reshape(-1, cols) for block in blocks])


def _by_row(rows: int, cols: int, weight: IntArray) -> IntArray:
    """Output groups, chunks of filter columns, blocks of input channels, passes, PE rows, filter columns.

    A pass takes the next ``rows`` of a block's (channel, filter row) pairs.
    """
    lanes = max(rows, cols)
    full = _padded(weight, 0, cols)
    K, C, R, S = full.shape
    words = []
    for group in full.reshape(K // cols, cols, C, R, S):
        for column in range(0, S, ROW_STATIONARY_TAPS):
            for block in range(0, C, lanes):
                part = group[:, block : block + lanes, :, column : column + ROW_STATIONARY_TAPS]
                pairs = _padded(part.reshape(cols, -1, part.shape[3]), 1, rows)
                words.append(pairs.transpose(1, 2, 0).reshape(-1, cols))
    return np.concatenate(words)


_PACKERS = {
    ArrayKind.ROW_STATIONARY: _by_row,
    ArrayKind.OUTPUT_STATIONARY: _by_channel,
    ArrayKind.WEIGHT_STATIONARY: _by_pass,
    ArrayKind.LOOP_TILE: _by_pass,
    ArrayKind.CHANNEL_PARALLEL: _by_pass,
}
