"""Lowering of sums, means and largest values over any dims: a window as large as what is reduced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from codesign.trace.builder import Builder, Value
from codesign.trace.table import aten_name, lowers
from codesign.trace.views import Atom, View
from mappings.layer import Op

#: Rows and columns of a window that hardware's descriptors can tell.
_LARGEST_WINDOW = 255


def _window(count: int) -> tuple[int, int]:
    """Rows and columns of a window over ``count`` elements, rows alone where these do."""
    if count <= _LARGEST_WINDOW:
        return count, 1
    fits = [rows for rows in range(2, _LARGEST_WINDOW + 1) if count % rows == 0 and count // rows <= _LARGEST_WINDOW]
    return (fits[-1], count // fits[-1]) if fits else (count, 1)


def _over_places(builder: Builder, x: View, gone: set[int]) -> View | None:
    """The view where the dims that go are all stored places, and nothing else; None where data must move first."""
    n, c, h, w = builder.shapes[x.tensor]
    reduced = sorted((a for i in gone for a in x.dims[i]), key=lambda a: a.axis)
    wanted = [Atom(a, size) for a, size in (("H", h), ("W", w)) if size > 1]
    if reduced == wanted and x.channels((n, c, h, w)) is not None:
        return x
    if len(x.sizes) == 4 and gone == {2, 3}:
        return builder.arranged(x, "NCHW")
    return builder.arranged(x, "NHC") if len(x.sizes) == 3 and gone == {1} else None


def _reduce(builder: Builder, x: View, gone: set[int], keepdim: bool, op: Op, divisor: int) -> View:
    x = builder.flushed(builder.unscaled(x))
    rank = len(x.sizes)
    keep = [i for i in range(rank) if i not in gone or keepdim]
    sizes = tuple(1 if i in gone else x.sizes[i] for i in keep)
    suffix = aten_name(builder.node)
    ready = _over_places(builder, x, gone)
    if ready is not None:
        x, (n, _, h, w) = ready, builder.shapes[ready.tensor]
        dims = tuple(() if i in gone else x.dims[i] for i in keep)
        operand = builder.operand(x)
        return builder.emit(
            op,
            lambda name: replace(builder.renamed(x, name), dims=dims, sizes=sizes),
            [operand],
            suffix,
            N=n,
            groups=operand.count,
            R=h,
            S=w,
            divisor=divisor,
        )
    stay = [i for i in range(rank) if i not in gone]
    samples = x.sizes[0] if 0 in stay and x.sizes[0] == builder.shapes[x.tensor][0] else 1
    count = math.prod(x.sizes[i] for i in gone)
    channels = math.prod(x.sizes[i] for i in stay) // samples
    index = builder.indices(x).transpose([*stay, *sorted(gone)])
    r, s = _window(count)
    moved = builder.gathered(x, np.ascontiguousarray(index.reshape(samples, channels, r, s)), "NCHW")
    return builder.emit(
        op,
        lambda name: _shaped(name, (samples, channels, 1, 1), sizes),
        [builder.operand(moved)],
        suffix,
        N=samples,
        groups=channels,
        R=r,
        S=s,
        divisor=divisor,
    )


def _shaped(name: str, shape: tuple[int, int, int, int], sizes: Sequence[int]) -> View:
    view = View.whole(name, shape, "NC").reshaped(sizes)
    assert view is not None
    return view


def _dims(x: View, dim: Sequence[int] | int | None) -> set[int]:
    if dim is None or (not isinstance(dim, int) and not list(dim)):
        return set(range(len(x.sizes)))
    return {d % len(x.sizes) for d in ([dim] if isinstance(dim, int) else dim)}


@lowers("mean", "sum")
def mean(builder: Builder, x: View, dim: Sequence[int] | int | None = None, keepdim: bool = False, **_: Value) -> View:
    """Mean or sum: an average pool, whose divisor is one for a sum."""
    gone = _dims(x, dim)
    count = math.prod(x.sizes[d] for d in gone)
    if count == 1:
        return _without(x, gone, keepdim)
    return _reduce(builder, x, gone, keepdim, Op.AVGPOOL, count if aten_name(builder.node) == "mean" else 1)


@lowers("amax", "amin")
def amax(builder: Builder, x: View, dim: Sequence[int] | int = (), keepdim: bool = False) -> View:
    """Largest value: a max pool; the smallest one is the largest of the negated values."""
    gone = _dims(x, dim)
    if math.prod(x.sizes[d] for d in gone) == 1:
        return _without(x, gone, keepdim)
    if aten_name(builder.node) == "amin":
        raise builder.fail("is not lowered", "-amax(-x)")
    return _reduce(builder, x, gone, keepdim, Op.MAXPOOL, 0)


@lowers("max")
def largest(builder: Builder, x: View, dim: Value = None, keepdim: bool = False) -> Value:
    """Largest value, and along a dim its place, which nothing may use."""
    if isinstance(dim, (View, Tensor)):
        raise builder.fail("of two values", "maximum")
    view = amax(builder, x, () if dim is None else dim, keepdim)
    return view if dim is None else (view, None)


def _without(x: View, gone: set[int], keepdim: bool) -> View:
    """Dims of one element left out."""
    if keepdim:
        return x
    keep = [i for i in range(len(x.sizes)) if i not in gone]
    return replace(x, dims=tuple(x.dims[i] for i in keep), sizes=tuple(x.sizes[i] for i in keep))
