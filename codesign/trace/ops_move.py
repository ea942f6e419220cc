"""Lowering of what only rearranges: views cost nothing, the rest is a gather."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from codesign.trace.builder import RANK_AXES, Builder, Value
from codesign.trace.heads import entries_of, repeated, taken
from codesign.trace.table import TABLE, aten_name, lowers, result_sizes
from codesign.trace.views import AXES, View
from mappings.layer import Op

#: Operators that move elements and change none: lowered by running them on the elements' positions.
MOVES = (
    "repeat",
    "repeat_interleave",
    "tile",
    "roll",
    "flip",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
    "upsample_nearest2d",
    "upsample_nearest1d",
    "index_select",
    "index",
    "_unsafe_index",
    "im2col",
    "gather",
    "rot90",
    "unfold",
    "reflection_pad2d",
    "replication_pad2d",
    "tril",
    "triu",
)
_LOSES_ELEMENTS = {"tril", "triu", "im2col"}
#: Operators that broadcast their operands themselves.
_BROADCASTS = frozenset({"add", "sub", "rsub", "mul", "div"})


@lowers("dropout", "clone", "contiguous", "detach", "alias", "to", "_to_copy", "lift_fresh_copy", "feature_dropout")
def identity(builder: Builder, x: Value, *_: Any, **__: Any) -> Value:
    """Nothing, in evaluation."""
    return x


@lowers("_assert_tensor_metadata", "_assert_async", "_assert_scalar")
def nothing(builder: Builder, *_: Any, **__: Any) -> None:
    """Checks that exporting puts in; shapes are constant here."""


@lowers("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as")
def reshape(builder: Builder, x: View, *_: Any) -> View:
    """Another shape of the same elements in the same order."""
    x = builder.flushed(x)
    sizes = result_sizes(builder)
    view = x.reshaped(sizes)
    if view is None:
        index = builder.indices(x).reshape(sizes)
        return _moved(builder, x, index)
    return _tokens(builder, view)


def _tokens(builder: Builder, view: View) -> View:
    """Rows and columns merged into one dim become stored rows, at once: what follows works on tokens."""
    _, _, h, w = builder.shapes[view.tensor]
    if h == 1 or w == 1 or len(view.sizes) != 3:
        return view
    axes = ["".join(atom.axis for atom in dim) for dim in view.dims]
    if "HW" not in axes or "HW" in axes[0]:
        return view
    return builder.arranged(view, "NHC" if axes[1] == "HW" else "NCH")


def _moved(builder: Builder, x: View, index: np.ndarray[Any, np.dtype[np.int64]]) -> View:
    """A reshape layer for a torch-shaped array of positions; more than 4 dims are stored as 4 or fewer."""
    return builder.stored(index, x)


@lowers("permute", "transpose", "t", "movedim", "swapaxes", "numpy_T")
def permute(builder: Builder, x: View, *arguments: Any) -> View:
    """Dims in another order."""
    x = builder.flushed(x)
    target: Any = builder.node.target
    probe = torch.empty(tuple(range(2, 2 + len(x.sizes))), device="meta")  # sizes that tell the dims apart
    moved = target(probe, *arguments)
    return _tokens(builder, x.permuted([int(size) - 2 for size in moved.shape]))


def _part(builder: Builder, x: View, dim: int, start: int, length: int, step: int = 1) -> View:
    x = builder.flushed(x)
    dim %= len(x.sizes)
    part = x.narrowed(dim, start, length, step)
    if part is not None:
        return part
    cut = [slice(None)] * len(x.sizes)
    cut[dim] = slice(start, start + (length - 1) * step + 1, step)
    return _moved(builder, x, builder.indices(x)[tuple(cut)])


@lowers("slice")
def slice_(
    builder: Builder, x: View, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> View:
    """``x[start:end:step]`` along a dim."""
    begin, stop, step = slice(start, end, step).indices(x.sizes[dim])
    return _part(builder, x, dim, begin, len(range(begin, stop, step)), step)


@lowers("narrow")
def narrow(builder: Builder, x: View, dim: int, start: int, length: int) -> View:
    """``length`` entries from ``start``."""
    return _part(builder, x, dim, start % x.sizes[dim], length)


def _without(view: View, dim: int) -> View:
    dim %= len(view.sizes)
    return replace(view, dims=view.dims[:dim] + view.dims[dim + 1 :], sizes=view.sizes[:dim] + view.sizes[dim + 1 :])


@lowers("select")
def select(builder: Builder, x: View, dim: int, index: int) -> View:
    """One entry of a dim."""
    return _without(_part(builder, x, dim, index % x.sizes[dim], 1), dim)


@lowers("unbind")
def unbind(builder: Builder, x: View, dim: int = 0) -> tuple[View, ...]:
    """Each entry of a dim."""
    return tuple(_without(_part(builder, x, dim, i, 1), dim) for i in range(x.sizes[dim]))


@lowers("split", "split_with_sizes", "chunk", "tensor_split")
def split(builder: Builder, x: View, _: Any, dim: int = 0) -> tuple[View, ...]:
    """Consecutive parts of a dim."""
    out, start = [], 0
    for value in builder.node.meta["val"]:
        length = int(value.shape[dim])
        out.append(_part(builder, x, dim, start, length))
        start += length
    return tuple(out)


@lowers("pad", "constant_pad_nd")
def pad(builder: Builder, x: View, widths: Sequence[int], mode: str = "constant", value: float | None = None) -> View:
    """Padding: zeros around rows and columns are left to the operator that follows."""
    edges = list(widths) + [0] * (2 * len(x.sizes) - len(widths))
    if mode == "constant" and not value and not any(edges[4:]) and len(x.sizes) == 4 and min(edges) >= 0:
        left, right, top, bottom = edges[:4]
        old = x.pad
        sizes = x.sizes
        return replace(x, sizes=sizes, pad=(old[0] + top, old[1] + left, old[2] + bottom, old[3] + right))
    if mode == "constant" and value:
        raise builder.fail(f"with value {value}", "0")
    index = torch.from_numpy(builder.indices(x)).double()
    fill = {"value": -1.0} if mode == "constant" else {}
    padded = torch.nn.functional.pad(index, list(widths), mode=mode, **fill)
    return _moved(builder, replace(x, pad=(0, 0, 0, 0)), padded.long().numpy())


def move(builder: Builder, x: View, *arguments: Any, **options: Any) -> View:
    """Any operator of :data:`MOVES`, run on positions in place of values."""
    places = [item for value in arguments for item in (value if isinstance(value, list) else [value])]
    if not isinstance(x, View) or any(isinstance(item, View) for item in places):
        raise builder.fail("of several values, or at computed places", "one value, constant places")
    x = builder.flushed(x)
    target: Any = builder.node.target
    index = torch.from_numpy(np.ascontiguousarray(builder.indices(x)))
    name = str(target).split(".")[1]
    if name in _LOSES_ELEMENTS:
        index = target((index + 1).double(), *arguments, **options).round().long() - 1
    else:
        index = target(index.double(), *arguments, **options).round().long()
    if tuple(index.shape) == x.sizes and torch.equal(index, torch.from_numpy(builder.indices(x))):
        return x
    found = index.contiguous().numpy()
    chosen = entries_of(builder.indices(x), found)
    heads = None if chosen is None else taken(builder, x, *chosen)
    return _moved(builder, x, found) if heads is None else heads


for _name in MOVES:
    TABLE[_name] = move


@lowers("expand", "expand_as", "broadcast_to")
def expand(builder: Builder, x: View, *_: Any, **__: Any) -> View:
    """Repeated along dims of one element; free where only operators that broadcast by themselves follow."""
    sizes = result_sizes(builder)
    x = builder.flushed(x)
    full = builder.reshaped(x, (1,) * (len(sizes) - len(x.sizes)) + x.sizes)
    if sizes == full.sizes or all(aten_name(user) in _BROADCASTS for user in builder.node.users):
        return full
    grown = [i for i, size in enumerate(sizes) if size != full.sizes[i]]
    heads = repeated(builder, full, grown[0], sizes[grown[0]]) if len(grown) == 1 else None
    if heads is not None:
        return heads
    return _moved(builder, full, np.ascontiguousarray(np.broadcast_to(builder.indices(full), sizes)))


@lowers("cat", "concat")
def cat(builder: Builder, values: Sequence[Value], dim: int = 0) -> View:
    """Concatenation along channels, rows or columns (class tokens are rows)."""
    views = [builder.flushed(v) if isinstance(v, View) else v for v in values if not _empty(v)]
    if len(views) == 1:
        return views[0]
    rank = len(views[0].sizes if isinstance(views[0], View) else views[0].shape)
    dim %= rank
    axes = _common_axes(builder, [v for v in views if isinstance(v, View)], rank) if rank in RANK_AXES else ""
    axis = axes[dim] if axes else "N"
    if axis == "N":
        return _cat_rows(builder, views, dim)
    placed = []
    for value in views:
        if isinstance(value, Tensor):
            order = [axes.index(a) for a in AXES if a in axes]
            sizes = dict(zip(axes, value.shape, strict=True))
            stored = value.double().permute(order).reshape([sizes.get(a, 1) for a in AXES])
            value = replace(View.whole("", stored.shape, axes), tensor=builder.constant(stored).tensor)  # type: ignore[arg-type]
        placed.append(builder.arranged(builder.unscaled(value), axes))
    shapes = [builder.extents(v) for v in placed]
    position = AXES.index(axis)
    out = list(shapes[0])
    out[position] = sum(shape[position] for shape in shapes)
    n, c, h, w = out
    return builder.emit(
        Op.CONCAT,
        lambda name: View.whole(name, (n, c, h, w), axes),
        [builder.operand(v) for v in placed],
        "cat",
        N=n,
        groups=c,
        P=h,
        Q=w,
        axis={"C": "", "H": "P", "W": "Q"}[axis],
    )


def _cat_rows(builder: Builder, values: Sequence[Value], dim: int) -> View:
    """Concatenation along any dim of any rank: that dim is stored as rows, all others are channels."""
    placed = []
    for value in values:
        if isinstance(value, Tensor):
            moved = value.double().movedim(dim, 0)
            rows = moved.reshape(moved.shape[0], -1).t()
            placed.append(builder.constant(rows.reshape(1, *rows.shape, 1)))
            continue
        source = builder.unscaled(value)
        index = np.moveaxis(builder.indices(source), dim, 0)
        placed.append(builder.gathered(source, np.ascontiguousarray(index.reshape(len(index), -1)), "HC"))
    channels = builder.extents(placed[0])[1]
    total = sum(builder.extents(v)[2] for v in placed)
    sizes = result_sizes(builder)
    order = [sizes[dim], *(size for i, size in enumerate(sizes) if i != dim)]
    back = [i + 1 if i < dim else 0 if i == dim else i for i in range(len(sizes))]

    def view_of(name: str) -> View:
        return builder.reshaped(View.whole(name, (1, channels, total, 1), "HC"), order).permuted(back)

    operands = [builder.operand(v) for v in placed]
    return builder.emit(Op.CONCAT, view_of, operands, "cat", groups=channels, P=total, axis="P")


def _empty(value: Value) -> bool:
    return isinstance(value, Tensor) and value.numel() == 0


def _common_axes(builder: Builder, views: Sequence[View], rank: int) -> str:
    """Stored axes of the torch dims that most operands have already."""
    candidates = {1: ["C"], 2: ["NC", "HC"], 3: ["NHC", "NCH", "NCW", "CHW"], 4: ["NCHW", "NHWC"]}[rank]
    shapes = builder.shapes
    return max(candidates, key=lambda axes: sum(v.is_axes(axes, shapes[v.tensor]) for v in views))
