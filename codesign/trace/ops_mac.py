"""Lowering of convolutions, linear layers and matrix products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.trace.builder import Builder, Value
from codesign.trace.network import Operand
from codesign.trace.table import lowers, result_sizes
from codesign.trace.views import AXES, Atom, View
from mappings.layer import Op


def pair(value: int | Sequence[int], default: int = 1) -> tuple[int, int]:
    """ATen's int or one- or two-element list as (rows, columns); a missing one is ``default``."""
    items = [value] if isinstance(value, int) else list(value)
    if not items:
        return default, default
    return int(items[0]), int(items[-1])


def tight(size: int, before: int, stride: int, reach: int, outputs: int) -> int:
    """Padding after the end that windows really touch: ``outputs`` windows of ``reach``, the first ``before`` early."""
    return max(0, (outputs - 1) * stride + reach - before - size)


def image(builder: Builder, view: View) -> View:
    """A convolution's input ``[N, C, H, W]``; unbatched ones get N = 1. Pending zeros stay pending."""
    pad, view = view.pad, replace(view, pad=(0, 0, 0, 0))
    if len(view.sizes) == 3:
        view = view.reshaped((1, *view.sizes)) or view
    return replace(builder.arranged(view, "NCHW"), pad=pad)


def _conv(
    builder: Builder,
    x: Value,
    weight: Value,
    bias: Value,
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    groups: int,
) -> View:
    if not isinstance(weight, Tensor):
        raise builder.fail("with weights that the network computes", "weights that are parameters")
    x = image(builder, x)
    n, _, h, w = builder.extents(replace(x, pad=(0, 0, 0, 0)))
    top, left = padding[0] + x.pad[0], padding[1] + x.pad[1]
    k, c, r, s = weight.shape
    sizes = result_sizes(builder)
    p, q = sizes[-2:]
    bottom = tight(h, top, stride[0], (r - 1) * dilation[0] + 1, p)
    right = tight(w, left, stride[1], (s - 1) * dilation[1] + 1, q)
    unpadded = replace(x, pad=(0, 0, 0, 0))
    view = builder.emit(
        Op.CONV,
        lambda name: View.whole(name, (n, k, p, q), AXES),
        [builder.operand(unpadded)],
        N=n,
        K=k // groups,
        C=c,
        P=p,
        Q=q,
        R=r,
        S=s,
        groups=groups,
        stride=stride,
        dilation=dilation,
        padding=(top, left, bottom, right),
        weight=weight.double(),
        bias=None if bias is None else bias.double(),
    )
    if len(sizes) == 3:
        view = replace(view, dims=view.dims[1:], sizes=view.sizes[1:])
        builder.layers[view.tensor].view = view
    return view


@lowers("conv2d")
def conv2d(
    builder: Builder,
    x: Value,
    weight: Value,
    bias: Value = None,
    stride: Value = 1,
    padding: Value = 0,
    dilation: Value = 1,
    groups: int = 1,
) -> View:
    """2-d convolution; ``padding`` may be "same" or "valid"."""
    dilation = pair(dilation)
    if padding == "same":
        spans = [d * (int(size) - 1) for d, size in zip(dilation, weight.shape[-2:], strict=True)]
        low = [span // 2 for span in spans]
        edges = (low[0], low[1], spans[0] - low[0], spans[1] - low[1])
    else:
        rows, columns = (0, 0) if padding == "valid" else pair(padding)
        edges = (rows, columns, rows, columns)
    return _conv(builder, x, weight, bias, pair(stride), edges, dilation, groups)


@lowers("conv1d")
def conv1d(
    builder: Builder,
    x: View,
    weight: Tensor,
    bias: Value = None,
    stride: Value = 1,
    padding: Value = 0,
    dilation: Value = 1,
    groups: int = 1,
) -> View:
    """1-d convolution: a 2-d one over columns, of one row."""
    s, d = pair(stride)[1], pair(dilation)[1]
    span = d * (weight.shape[-1] - 1)
    low = span // 2 if padding == "same" else 0 if padding == "valid" else pair(padding)[1]
    x = builder.flushed(x)
    n, c, length = x.sizes
    line = x.reshaped((n, c, 1, length))
    assert line is not None
    line = builder.arranged(line, "NCHW")
    k, width = weight.shape[0], weight.shape[-1]
    q = result_sizes(builder)[-1]
    return builder.emit(
        Op.CONV,
        lambda name: View.whole(name, (n, k, 1, q), "NCW"),
        [builder.operand(line)],
        N=n,
        K=k // groups,
        C=weight.shape[1],
        Q=q,
        S=width,
        groups=groups,
        stride=(1, s),
        dilation=(1, d),
        padding=(0, low, 0, tight(length, low, s, span + 1, q)),
        weight=weight.double().unsqueeze(2),
        bias=None if bias is None else bias.double(),
    )


@lowers("conv_transpose2d")
def conv_transpose2d(
    builder: Builder,
    x: View,
    weight: Tensor,
    bias: Value = None,
    stride: Value = 1,
    padding: Value = 0,
    output_padding: Value = 0,
    groups: int = 1,
    dilation: Value = 1,
) -> View:
    """Transposed convolution; torch's weights ``[C, K/groups, R, S]`` become ``[K, C/groups, R, S]``."""
    x = image(builder, builder.flushed(x))
    n, c, _, _ = builder.extents(x)
    per_group, r, s = weight.shape[1:]
    grouped = weight.double().reshape(groups, c // groups, per_group, r, s).transpose(1, 2)
    k = groups * per_group
    p, q = result_sizes(builder)[-2:]
    (top, left), (more_rows, more_columns) = pair(padding), pair(output_padding)
    if more_rows - top >= pair(stride)[0] or more_columns - left >= pair(stride)[1]:
        raise builder.fail(f"with output_padding {(more_rows, more_columns)}", "output_padding below stride + padding")
    return builder.emit(
        Op.TRCONV,
        lambda name: View.whole(name, (n, k, p, q), AXES),
        [builder.operand(x)],
        N=n,
        K=per_group,
        C=c // groups,
        P=p,
        Q=q,
        R=r,
        S=s,
        groups=groups,
        stride=pair(stride),
        dilation=pair(dilation),
        padding=(top, left, max(0, top - more_rows), max(0, left - more_columns)),
        weight=grouped.reshape(k, c // groups, r, s),
        bias=None if bias is None else bias.double(),
    )


def _flat_axes(builder: Builder, x: View) -> str | None:
    """Axes of a last dim that is a whole flattened image, e.g. "CHW"; None if it is not."""
    shape = builder.shapes[x.tensor]
    extent = dict(zip(AXES, shape, strict=True))
    last = x.dims[-1]
    axes = "".join(atom.axis for atom in last)
    whole = all(atom == Atom(atom.axis, extent[atom.axis], 1) for atom in last)
    rest = {a for a in "CHW" if extent[a] > 1}
    if any(x.start) or not whole or set(axes) != rest or len(axes) != len(rest) or not ({"H", "W"} & rest):
        return None
    return axes


@lowers("linear")
def linear(builder: Builder, x: Value, weight: Value, bias: Value = None) -> View:
    """Linear layer over the last dim, any leading dims.

    Features that are channels give a ``linear`` (a 1 x 1 convolution where places have columns too); an image
    flattened into features gives the convolution with a kernel as large as the image, so that nothing moves.
    """
    if not isinstance(weight, Tensor):
        raise builder.fail("with weights that the network computes", "weights that are parameters; matmul")
    x = builder.flushed(x)
    k, features = int(weight.shape[0]), int(weight.shape[1])
    matrix = weight.double()
    side = {"bias": None if bias is None else bias.double()}
    axes = _flat_axes(builder, x)
    if axes is not None and len(x.sizes) <= 2:
        n, c, h, w = builder.shapes[x.tensor]
        extent = {"C": c, "H": h, "W": w}
        kernel = matrix.reshape(k, *(extent[a] for a in axes))
        kernel = kernel.permute(0, *(1 + axes.index(a) for a in "CHW" if a in axes)).reshape(k, c, h, w)
        return builder.emit(
            Op.CONV,
            lambda name: View.whole(name, (n, k, 1, 1), "NC"[2 - len(x.sizes) :]),
            [Operand(x.tensor, 0, c, x.factor)],
            "linear",
            N=n,
            K=k,
            C=c,
            R=h,
            S=w,
            weight=kernel,
            **side,
        )
    if not _features_are_channels(builder, x):
        x = _tokens(builder, x)
    n, _, h, w = builder.extents(x)
    view = replace(
        builder.renamed(x, ""), dims=(*x.dims[:-1], View.whole("", (1, k, 1, 1), "C").dims[0]), sizes=(*x.sizes[:-1], k)
    )
    return builder.emit(
        Op.LINEAR if w == 1 else Op.CONV,
        lambda name: replace(view, tensor=name),
        [builder.operand(x)],
        "linear",
        N=n,
        K=k,
        C=features,
        P=h,
        Q=w,
        weight=matrix.reshape(k, features, 1, 1),
        **side,
    )


def _features_are_channels(builder: Builder, x: View) -> bool:
    span = x.channels(builder.shapes[x.tensor])
    size = x.sizes[-1]
    return span is not None and span[1] == size and (size == 1 or x.dims[-1] == (Atom("C", size, 1),))


def _tokens(builder: Builder, x: View) -> View:
    """Moved so that the last dim is channels and the others are places."""
    sizes = x.sizes
    index = builder.indices(x)
    if len(sizes) > 4:
        index = index.reshape(sizes[0], -1, sizes[-1])
    axes = {1: "C", 2: "NC", 3: "NHC", 4: "NHWC"}[index.ndim]
    moved = builder.gathered(x, index, axes)
    reshaped = moved.reshaped(sizes)
    assert reshaped is not None
    return reshaped


@lowers("addmm")
def addmm(builder: Builder, bias: Value, x: Value, weight: Value, beta: float = 1, alpha: float = 1) -> Value:
    """``bias + x @ weight`` with constant weights."""
    if not isinstance(weight, Tensor) or not isinstance(bias, Tensor) or beta != 1 or alpha != 1:
        raise builder.fail("with computed weights or with alpha, beta", "x @ constant + constant")
    return linear(builder, x, weight.t(), bias)


@lowers("matmul", "bmm", "mm")
def matmul(builder: Builder, a: Value, b: Value) -> Value:
    """Matrix product: of a value and a constant it is a linear layer, of two values a batched ``matmul``."""
    if isinstance(b, Tensor) and b.dim() == 2:
        return linear(builder, a, b.t())
    if isinstance(a, Tensor) and a.dim() == 2 and isinstance(b, View) and len(b.sizes) >= 2:
        swap = [*range(len(b.sizes) - 2), len(b.sizes) - 1, len(b.sizes) - 2]
        view = linear(builder, b.permuted(swap), a).permuted(swap)
        builder.layers[view.tensor].view = view
        return view
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        a, b = (_constant_matrices(builder, v) if isinstance(v, Tensor) else v for v in (a, b))
    a, b = builder.flushed(a), builder.flushed(b)
    if len(a.sizes) < 2 or len(b.sizes) < 2:
        raise builder.fail(f"of {list(a.sizes)} and {list(b.sizes)}", "operands of 2 dims or more")
    leading = np.broadcast_shapes(a.sizes[:-2], b.sizes[:-2])
    a, b = (_broadcast(builder, v, (*leading, *v.sizes[-2:])) for v in (a, b))
    lead = _matrix_lead(builder, a, False)
    if lead is None or lead not in (_matrix_lead(builder, b, True), _matrix_lead(builder, b, False)):
        a, b = _as_matrices(builder, a), _second_as_matrices(builder, b)
        lead = _matrix_lead(builder, a, False)
    transpose_b = _matrix_lead(builder, b, True) == lead
    p, c = a.sizes[-2:]
    k = b.sizes[-1]
    n, channels, _, _ = builder.extents(a)
    groups = channels // c
    dims = [tuple(Atom(x.axis, x.size, x.stride // c * k if x.axis == "C" else x.stride) for x in d) for d in a.dims]
    whole = View.whole("", (n, k, p, 1), "NHC")
    view = replace(builder.renamed(a, ""), dims=(*dims[:-2], *whole.dims[1:]), sizes=(*a.sizes[:-1], k))
    if a.factor < 0 or b.factor < 0:
        a, b = (builder.unscaled(v) if v.factor < 0 else v for v in (a, b))
    return builder.emit(
        Op.MATMUL,
        lambda name: replace(view, tensor=name),
        [builder.operand(a), builder.operand(b)],
        "matmul",
        N=n,
        K=k,
        C=c,
        P=p,
        groups=groups,
        transpose_b=transpose_b,
    )


def _by_rows(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """``[N, heads, rows, columns]`` as rows of all heads' columns."""
    n, heads, rows, columns = index.shape
    return np.ascontiguousarray(index.transpose(0, 2, 1, 3).reshape(n, rows, heads * columns))


def _broadcast(builder: Builder, x: View, sizes: tuple[int, ...]) -> View:
    if x.sizes == sizes:
        return x
    full = builder.reshaped(x, (1,) * (len(sizes) - len(x.sizes)) + x.sizes)
    if full.sizes == sizes:
        return full
    return builder.stored(np.ascontiguousarray(np.broadcast_to(builder.indices(full), sizes)), full)


def _constant_matrices(builder: Builder, value: Tensor) -> View:
    """Constant matrices as a stored tensor: rows, and the heads' columns as channels."""
    heads = value.reshape(1, -1, *value.shape[-2:]) if value.dim() != 4 else value
    n, h, rows, columns = heads.shape
    stored = heads.permute(0, 1, 3, 2).reshape(n, h * columns, rows, 1)
    view = builder.reshaped(replace(builder.constant(stored), tensor="x"), (n, h, columns, rows))
    name = list(builder.layers)[-1]
    return builder.reshaped(replace(view.permuted((0, 1, 3, 2)), tensor=name), tuple(value.shape))


def _matrix_lead(builder: Builder, x: View, transposed: bool) -> tuple[tuple[str, int, int], ...] | None:
    """Axes, sizes, order of the leading dims if rows are stored rows, columns channels (or the reverse); else None."""
    shape = builder.shapes[x.tensor]
    if x.channels(shape) is None or shape[3] != 1:
        return None
    rows, columns = (x.dims[-1], x.dims[-2]) if transposed else (x.dims[-2], x.dims[-1])
    row_size, column_size = (x.sizes[-1], x.sizes[-2]) if transposed else (x.sizes[-2], x.sizes[-1])
    if row_size != shape[2] or (row_size > 1 and rows != (Atom("H", row_size, 1),)):
        return None
    if column_size > 1 and columns != (Atom("C", column_size, 1),):
        return None
    lead = [atom for dim in x.dims[:-2] for atom in dim]
    if any(atom.axis not in "NC" or (atom.axis == "C" and atom.stride < column_size) for atom in lead):
        return None
    return tuple((a.axis, a.size, a.stride // column_size if a.axis == "C" else a.stride) for a in lead)


def _second_as_matrices(builder: Builder, x: View) -> View:
    """The second operand moved; if its rows are channels already, it is moved as its transpose."""
    if not any(atom.axis == "C" for atom in x.dims[-2]) or any(atom.axis == "C" for atom in x.dims[-1]):
        return _as_matrices(builder, x)
    swap = [*range(len(x.sizes) - 2), len(x.sizes) - 1, len(x.sizes) - 2]
    return _as_matrices(builder, x.permuted(swap)).permuted(swap)


def _as_matrices(builder: Builder, x: View) -> View:
    """Moved so that rows are stored rows, columns channels, and the leading dims samples (then heads)."""
    sizes = x.sizes
    if len(sizes) > 4:  # all leading dims but the first together
        folded = (sizes[0], math.prod(sizes[1:-2]), *sizes[-2:])
        flat = builder.gathered(x, _by_rows(builder.indices(x).reshape(folded)), "NHC")
        split = builder.reshaped(flat, (folded[0], folded[2], *sizes[1:-2], folded[3]))
        last = len(sizes) - 1
        return split.permuted((0, *range(2, last), 1, last))
    index = torch.from_numpy(builder.indices(x))
    if len(sizes) == 4:
        index = index.transpose(1, 2).reshape(sizes[0], sizes[2], sizes[1] * sizes[3])
    elif len(sizes) == 2:
        index = index.unsqueeze(0)
    moved = builder.gathered(x, index.contiguous().numpy(), "NHC")
    if len(sizes) == 4:
        return builder.reshaped(moved, (sizes[0], sizes[2], sizes[1], sizes[3])).permuted((0, 2, 1, 3))
    if len(sizes) == 2:
        return replace(moved, dims=moved.dims[1:], sizes=moved.sizes[1:])
    return moved
