"""Each operator as a loop nest: its bounds, which dims index which tensor, how windows slide."""

from __future__ import annotations

from functools import lru_cache

from mappings.layer import DIMS, Layer, Op
from mappings.operators import SecondOperand
from mappings.phases import envelope

#: The operators that run as a loop nest; the others only change the layout or the addresses.
LOOP_OPS = frozenset(op for op in Op if op.spec.has_loops)

Window = tuple[int, int, int, int, int]


def tensors_of(op: Op) -> tuple[int, int, int]:
    """1 for each of I, W, O that the operator has; W is the second operand of an elementwise operator."""
    first, second, output = (int(bool(dims)) for dims in op.spec.indexes)
    return first, second, output


@lru_cache(maxsize=len(Op))
def relevance(op: Op) -> tuple[tuple[int, ...], ...]:
    """For each of I, W, O, 1 for each dim that indexes it."""
    return tuple(tuple(int(dim in dims) for dim in DIMS) for dims in op.spec.indexes)


def bounds_of(layer: Layer) -> tuple[int, ...]:
    """Extents of the 8 loops, one step an element; an operator over rows (K = C) has its channels as C.

    A transposed convolution has those of its largest phase (:mod:`mappings.phases`); it runs one nest for each.
    """
    bounds = dict(envelope(layer).bounds if layer.op.spec.transposed else layer.bounds)
    if layer.op.spec.over_rows:
        bounds["K"] = 1
    if layer.op.spec.second is SecondOperand.TABLE:
        bounds["C"] = 1  # one row of the table, whichever
    return tuple(bounds.values())


def windows_of(layer: Layer) -> tuple[Window, Window]:
    """Rows' and columns' window (see ``formulas.STRIDE``)."""
    if layer.op.spec.transposed:
        layer = envelope(layer)
    top, left, bottom, right = layer.padding
    return (
        (layer.stride[0], layer.dilation[0], top, bottom, layer.H),
        (layer.stride[1], layer.dilation[1], left, right, layer.W_in),
    )
