"""Heads taken again: what shared keys and values of grouped queries are, as whole ranges of channels.

A gather of single elements is data that hardware must move at will; a choice of heads is a concatenation of parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.trace.builder import Builder
from codesign.trace.network import Operand
from codesign.trace.views import Atom, View
from mappings.layer import Op


def _digit(builder: Builder, x: View, dim: int) -> int | None:
    """Channels of one entry of a dim that is the outermost digit of the channels; None: it is not, or of one each."""
    span = x.channels(builder.shapes[x.tensor])
    if span is None:
        return None
    size = x.sizes[dim]
    step = span[1] // size
    if span[1] % size or step < 2 or (size > 1 and x.dims[dim] != (Atom("C", size, step),)):
        return None
    return step


def taken(builder: Builder, x: View, dim: int, entries: Sequence[int]) -> View | None:
    """Some entries of a dim of heads, each any number of times; None where the dim is not one of heads."""
    step = _digit(builder, x, dim)
    if step is None:
        return None
    dims = list(x.dims)
    dims[dim] = (Atom("C", len(entries), step),) if len(entries) > 1 else ()
    sizes = tuple(len(entries) if i == dim else size for i, size in enumerate(x.sizes))
    return _concatenated(builder, x, entries, step, tuple(dims), sizes)


def repeated(builder: Builder, x: View, dim: int, times: int) -> View | None:
    """A dim of one entry behind one of heads, ``times`` as large; None where there are no heads."""
    if x.sizes[dim] != 1 or dim == 0:
        return None
    heads = x.sizes[dim - 1]
    step = _digit(builder, x, dim - 1)
    if step is None:
        return None
    dims = list(x.dims)
    dims[dim - 1] = (Atom("C", heads, step * times),) if heads > 1 else ()
    dims[dim] = (Atom("C", times, step),)
    sizes = tuple(times if i == dim else size for i, size in enumerate(x.sizes))
    entries = [head for head in range(heads) for _ in range(times)]
    return _concatenated(builder, x, entries, step, tuple(dims), sizes)


def _concatenated(
    builder: Builder,
    x: View,
    entries: Sequence[int],
    step: int,
    dims: tuple[tuple[Atom, ...], ...],
    sizes: tuple[int, ...],
) -> View:
    x = builder.unscaled(x)
    span = x.channels(builder.shapes[x.tensor])
    assert span is not None
    n, _, h, w = builder.shapes[x.tensor]
    operands = [Operand(x.tensor, span[0] + entry * step, step) for entry in entries]
    view = builder.emit(
        Op.CONCAT,
        lambda name: replace(x, tensor=name, dims=dims, sizes=sizes, start=(0, 0, 0, 0)),
        operands,
        "heads",
        N=n,
        groups=len(entries) * step,
        P=h,
        Q=w,
    )
    assert math.prod(sizes) == n * len(entries) * step * h * w
    return view


def entries_of(before: NDArray[Any], after: NDArray[Any]) -> tuple[int, list[int]] | None:
    """(dim, entries) where ``after`` is ``before`` with entries of one dim taken; None where it is not."""
    if before.ndim != after.ndim:
        return None
    changed = [d for d in range(before.ndim) if before.shape[d] != after.shape[d]] or list(range(before.ndim))
    for dim in changed if len(changed) == 1 else ():
        at = tuple(slice(None) if d == dim else 0 for d in range(before.ndim))
        places = {int(value): place for place, value in enumerate(before[at])}
        if all(int(value) in places for value in after[at]):
            entries = [places[int(value)] for value in after[at]]
            if np.array_equal(np.take(before, entries, axis=dim), after):
                return dim, entries
    return None
