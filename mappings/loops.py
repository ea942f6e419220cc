"""Each operator as a loop nest: its bounds, which dims index which tensor, how windows slide."""

from __future__ import annotations

from functools import lru_cache

from mappings.layer import COUPLING, DIMS, MAC_OPS, WINDOW_OPS, Layer, Op
from mappings.phases import envelope

#: The operators that the array runs as a loop nest; the others only change the layout or the addresses.
LOOP_OPS = MAC_OPS | WINDOW_OPS | {Op.ADD, Op.MUL, Op.ACT, Op.SOFTMAX, Op.LAYERNORM, Op.EMBEDDING}
#: Operators over the channels of each place; K and C of the layer are the same channels.
ROW_OPS = frozenset({Op.SOFTMAX, Op.LAYERNORM})
#: How often such an operator goes through the channels of a place: for the largest, the sum of exponentials and the
#: quotients; for mean and variance together and the results. Other operators go once.
_SCANS = {Op.SOFTMAX: 3, Op.LAYERNORM: 2}
_TWO_OPERANDS = MAC_OPS | {Op.ADD, Op.MUL, Op.EMBEDDING}

Window = tuple[int, int, int, int, int]


def tensors_of(op: Op) -> tuple[int, int, int]:
    """1 for each of I, W, O that the operator has; W is the second operand of an elementwise operator."""
    return (1, int(op in _TWO_OPERANDS), 1)


def scans_of(op: Op) -> int:
    """How often an operator goes through its inputs; its outputs are written the last time."""
    return _SCANS.get(op, 1)


@lru_cache(maxsize=len(Op))
def relevance(op: Op) -> tuple[tuple[int, ...], ...]:
    """For each of I, W, O, 1 for each dim that indexes it."""
    weights = COUPLING["W"]
    if op is Op.MATMUL:
        weights |= {"N"}  # the second operand is an activation: one matrix for each of the batch
    if op in (Op.ADD, Op.MUL):
        weights = COUPLING["I"] - {"R", "S"}
    if op is Op.EMBEDDING:
        weights = COUPLING["O"]  # a row of the table for each place
    outputs = COUPLING["O"]
    if op in ROW_OPS:
        outputs = outputs - {"K"} | {"C"}
    return tuple(tuple(int(dim in dims) for dim in DIMS) for dims in (COUPLING["I"], weights, outputs))


def bounds_of(layer: Layer) -> tuple[int, ...]:
    """Extents of the 8 loops, one step an element; an operator over rows (K = C) has its channels as C.

    A transposed convolution has those of its largest phase (:mod:`mappings.phases`); it runs one nest for each.
    """
    bounds = dict(envelope(layer).bounds if layer.op is Op.TRCONV else layer.bounds)
    if layer.op in ROW_OPS:
        bounds["K"] = 1
    if layer.op is Op.EMBEDDING:
        bounds["C"] = 1  # one row of the table, whichever
    return tuple(bounds.values())


def windows_of(layer: Layer) -> tuple[Window, Window]:
    """Rows' and columns' window (see ``formulas.STRIDE``)."""
    if layer.op is Op.TRCONV:
        layer = envelope(layer)
    top, left, bottom, right = layer.padding
    return (
        (layer.stride[0], layer.dilation[0], top, bottom, layer.H),
        (layer.stride[1], layer.dilation[1], left, right, layer.W_in),
    )
