"""Windows of other kinds as the plain ones: volumes slice by slice, windows of unequal sizes side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

aten: Any = torch.ops.aten


def _all(value: int | Sequence[int], count: int) -> list[int]:
    items = [value] if isinstance(value, int) else list(value)
    return items * count if len(items) == 1 else items


def _constant(values: Sequence[float]) -> Tensor:
    """A constant line, made by operators: a rewrite may not bring tensors of its own."""
    runs: list[tuple[float, int]] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1] = value, runs[-1][1] + 1
        else:
            runs.append((value, 1))
    kind = torch.int64 if all(type(value) is int for value in values) else torch.float32
    return torch.cat([torch.full((count,), value, dtype=kind) for value, count in runs])


# --- average pools whose windows have different divisors ---------------------------------------------------------


def _counts(outputs: int, kernel: int, step: int, edge: int, size: int, with_padding: bool) -> list[int]:
    """Elements that torch's mean counts in each window."""
    counts = []
    for o in range(outputs):
        first = o * step - edge
        end = min(first + kernel, size + edge)
        counts.append(end - first if with_padding else min(end, size) - max(first, 0))
    return counts


def _avg_pool(
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Means of zero-padded windows, times what each window has more than it counts."""
    kernel, edges = _all(kernel_size, 2), _all(padding, 2)
    steps = _all(stride, 2) if stride else kernel
    sizes, outputs, past = list(x.shape[-2:]), [], []
    for size, k, step, edge in zip(sizes, kernel, steps, edges, strict=True):
        span = size + 2 * edge - k
        count = (-(-span // step) if ceil_mode else span // step) + 1
        if ceil_mode and (count - 1) * step >= size + edge:  # a window may not begin beyond the padding
            count -= 1
        outputs.append(count)
        past.append(max(0, (count - 1) * step + k - size - edge))
    if not any(edges) and not divisor_override and all(p == 0 or o == 1 for p, o in zip(past, outputs, strict=True)):
        return NotImplemented  # a single window that reaches out is cut
    counted = [
        _counts(o, k, step, edge, size, count_include_pad)
        for o, k, step, edge, size in zip(outputs, kernel, steps, edges, sizes, strict=True)
    ]
    if divisor_override or all(set(c) == {k} for c, k in zip(counted, kernel, strict=True)):
        if all(p <= e for p, e in zip(past, edges, strict=True)) and not ceil_mode:
            return NotImplemented
        counted = [[k] * o for k, o in zip(kernel, outputs, strict=True)]
    y = functional.pad(x, (edges[1], past[1], edges[0], past[0])) if any(edges) or any(past) else x
    y = aten.avg_pool2d.default(y, kernel, steps, [0, 0], False, True, divisor_override)
    if all(set(c) == {k} for c, k in zip(counted, kernel, strict=True)):
        return y
    rows, columns = ([k / n for n in c] for c, k in zip(counted, kernel, strict=True))
    return y * (_constant(rows).reshape(-1, 1) * _constant(columns))


def _avg_pool1d(
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    k, e = _all(kernel_size, 1)[0], _all(padding, 1)[0]
    if not ceil_mode and (count_include_pad or not e):
        return NotImplemented
    step = _all(stride, 1)[0] if stride else k
    y = aten.avg_pool2d.default(x.unsqueeze(-2), [1, k], [1, step], [0, e], ceil_mode, count_include_pad)
    return y.squeeze(-2)


# --- adaptive pools ----------------------------------------------------------------------------------------------


def _spans(size: int, outputs: int) -> list[tuple[int, int]]:
    """First and end of each window."""
    return [(i * size // outputs, -(-(i + 1) * size // outputs)) for i in range(outputs)]


def _places(size: int, outputs: int) -> tuple[list[int], list[float], int]:
    """Inputs of equal windows, the last repeated where one is smaller; which of them count; the windows' size."""
    spans = _spans(size, outputs)
    width = max(end - first for first, end in spans)
    at, counts = [], []
    for first, end in spans:
        at += [min(first + i, end - 1) for i in range(width)]
        counts += [float(first + i < end) / (end - first) for i in range(width)]
    return at, counts, width


def _adaptive(x: Tensor, output_size: Sequence[int], average: bool) -> Any:
    """Windows of different sizes side by side, then a pool that does not overlap."""
    h, w = x.shape[-2:]
    p, q = _all(output_size, 2)
    if h % p == 0 and w % q == 0:
        return NotImplemented
    rows, row_counts, r = _places(h, p)
    columns, column_counts, s = _places(w, q)
    y = x
    if rows != list(range(h)):
        y = y.index_select(-2, _constant(rows))
    if columns != list(range(w)):
        y = y.index_select(-1, _constant(columns))
    if not average:
        return functional.max_pool2d(y, (r, s))
    if len({*row_counts}) > 1 or len({*column_counts}) > 1:
        rows_by, columns_by = [a * r for a in row_counts], [b * s for b in column_counts]
        y = y * (_constant(rows_by).reshape(-1, 1) * _constant(columns_by))
    return aten.avg_pool2d.default(y, [r, s], [r, s])


def _adaptive_avg_pool2d(x: Tensor, output_size: Sequence[int]) -> Any:
    return _adaptive(x, output_size, True)


def _adaptive_max_pool2d(x: Tensor, output_size: Sequence[int]) -> Any:
    found = _adaptive(x, output_size, False)
    return found if found is NotImplemented else (found, torch.zeros(found.shape, dtype=torch.int64))


def _adaptive_avg_pool1d(x: Tensor, output_size: Sequence[int]) -> Any:
    size = _all(output_size, 1)[0]
    if x.shape[-1] % size == 0:
        return NotImplemented
    return _adaptive(x.unsqueeze(-2), [1, size], True).squeeze(-2)


def _adaptive_avg_pool3d(x: Tensor, output_size: Sequence[int]) -> Tensor:
    d, *rest = _all(output_size, 3)
    n, c, depth, h, w = x.shape
    flat = functional.adaptive_avg_pool2d(x.reshape(n, c * depth, h, w), (rest[0], rest[1]))
    deep = flat.reshape(n, c, depth, rest[0] * rest[1])
    return functional.adaptive_avg_pool2d(deep, (d, rest[0] * rest[1])).reshape(n, c, d, *rest)


# --- volumes -----------------------------------------------------------------------------------------------------


def _depths(x: Tensor, taps: int, stride: int, padding: int, dilation: int, fill: float = 0.0) -> Tensor:
    """``[N, C, D, H, W]`` to ``[N, D', C, taps, H, W]``: the slices under each output's window."""
    if padding:
        x = functional.pad(x, (0, 0, 0, 0, padding, padding), value=fill)
    outputs = (x.shape[2] - (taps - 1) * dilation - 1) // stride + 1
    at = [o * stride + t * dilation for o in range(outputs) for t in range(taps)]
    n, c, _, h, w = x.shape
    return x.index_select(2, _constant(at)).reshape(n, c, outputs, taps, h, w).permute(0, 2, 1, 3, 4, 5)


def _conv3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """A 2-d convolution of every output's slices, the taps of depth as channels."""
    steps, edges, apart = (_all(value, 3) for value in (stride, padding, dilation))
    k, c, taps, r, s = weight.shape
    slices = _depths(x, taps, steps[0], edges[0], apart[0])
    n, outputs, _, _, h, w = slices.shape
    flat = torch.conv2d(
        slices.reshape(n * outputs, -1, h, w),
        weight.reshape(k, c * taps, r, s),
        bias,
        steps[1:],
        edges[1:],
        apart[1:],
        groups,
    )
    return flat.reshape(n, outputs, k, *flat.shape[-2:]).permute(0, 2, 1, 3, 4)


def _conv3d_padding(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str = "valid",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Any:
    apart = _all(dilation, 3)
    spans = [d * (int(t) - 1) for d, t in zip(apart, weight.shape[-3:], strict=True)]
    if padding == "same" and any(span % 2 for span in spans):
        return NotImplemented
    edges = [span // 2 for span in spans] if padding == "same" else [0, 0, 0]
    return _conv3d(x, weight, bias, stride, edges, apart, groups)


def _pool3d(x: Tensor, kernel: Sequence[int], stride: Sequence[int], edges: Sequence[int], average: bool) -> Tensor:
    """Over each slice, then over depth."""
    n, c, d, h, w = x.shape
    pool: Any = functional.avg_pool2d if average else functional.max_pool2d
    flat = pool(x.reshape(n, c * d, h, w), tuple(kernel[1:]), tuple(stride[1:]), tuple(edges[1:]))
    p, q = flat.shape[-2:]
    deep = pool(flat.reshape(n, c, d, p * q), (kernel[0], 1), (stride[0], 1), (edges[0], 0))
    return deep.reshape(n, c, -1, p, q)  # type: ignore[no-any-return]


def _max_pool3d(
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> Any:
    if ceil_mode or any(d != 1 for d in _all(dilation, 3)):
        return NotImplemented
    kernel = _all(kernel_size, 3)
    return _pool3d(x, kernel, _all(stride, 3) if stride else kernel, _all(padding, 3), False)


def _avg_pool3d(
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    edges = _all(padding, 3)
    if ceil_mode or divisor_override or (any(edges) and not count_include_pad):
        return NotImplemented
    kernel = _all(kernel_size, 3)
    return _pool3d(x, kernel, _all(stride, 3) if stride else kernel, edges, True)


# --- transposed convolutions of lines ----------------------------------------------------------------------------


def _conv_transpose1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """A transposed convolution of one row."""
    s, p, o, d = (_all(value, 1)[0] for value in (stride, padding, output_padding, dilation))
    y = aten.conv_transpose2d.input(x.unsqueeze(-2), weight.unsqueeze(-2), bias, [1, s], [0, p], [0, o], groups, [1, d])
    return y.squeeze(-2)  # type: ignore[no-any-return]


WINDOWS: dict[Any, Callable[..., Any]] = {
    aten.avg_pool2d.default: _avg_pool,
    aten.avg_pool1d.default: _avg_pool1d,
    aten.adaptive_avg_pool2d.default: _adaptive_avg_pool2d,
    aten._adaptive_avg_pool2d.default: _adaptive_avg_pool2d,
    aten.adaptive_max_pool2d.default: _adaptive_max_pool2d,
    aten.adaptive_avg_pool1d.default: _adaptive_avg_pool1d,
    aten.adaptive_avg_pool3d.default: _adaptive_avg_pool3d,
    aten._adaptive_avg_pool3d.default: _adaptive_avg_pool3d,
    aten.conv3d.default: _conv3d,
    aten.conv3d.padding: _conv3d_padding,
    aten.max_pool3d.default: _max_pool3d,
    aten.avg_pool3d.default: _avg_pool3d,
    aten.conv_transpose1d.default: _conv_transpose1d,
}
