"""Lowering of pooling and of means over places."""

from __future__ import annotations

from dataclasses import replace

from codesign.trace.builder import Builder, Value
from codesign.trace.ops_mac import image, pair, tight
from codesign.trace.table import lowers, result_sizes
from codesign.trace.views import AXES, View
from mappings.layer import Op


def _pool(
    builder: Builder,
    op: Op,
    x: View,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    before: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
    divisor: int = 0,
) -> View:
    """A pooling layer over an image view; ``before`` is the padding above and to the left."""
    x = builder.unscaled(x) if x.factor != 1.0 else x
    x = image(builder, x)
    top, left = before[0] + x.pad[0], before[1] + x.pad[1]
    x = replace(x, pad=(0, 0, 0, 0))
    n, c, h, w = builder.extents(x)
    sizes = result_sizes(builder)
    p, q = sizes[-2:]
    reach = [(kernel[i] - 1) * dilation[i] + 1 for i in (0, 1)]
    view = builder.emit(
        op,
        lambda name: View.whole(name, (n, c, p, q), AXES),
        [builder.operand(x)],
        N=n,
        groups=c,
        P=p,
        Q=q,
        R=kernel[0],
        S=kernel[1],
        stride=stride if (p, q) != (1, 1) else (1, 1),
        dilation=dilation,
        padding=(top, left, tight(h, top, stride[0], reach[0], p), tight(w, left, stride[1], reach[1], q)),
        divisor=divisor,
    )
    if len(sizes) == 3:
        view = replace(view, dims=view.dims[1:], sizes=view.sizes[1:])
        builder.layers[view.tensor].view = view
    return view


@lowers("max_pool2d", "max_pool2d_with_indices")
def max_pool2d(
    builder: Builder,
    x: View,
    kernel_size: Value,
    stride: Value = (),
    padding: Value = 0,
    dilation: Value = 1,
    ceil_mode: bool = False,
) -> Value:
    """Maximum of a window. Zeros padded before it are absorbed where no input is negative."""
    if any(x.pad) and not builder.never_negative(x):
        x = builder.flushed(x)
    kernel = pair(kernel_size)
    steps = kernel if not isinstance(stride, int) and not list(stride) else pair(stride)
    view = _pool(builder, Op.MAXPOOL, x, kernel, steps, pair(padding), pair(dilation))
    several = isinstance(builder.node.meta["val"], (tuple, list))
    return (view, None) if several else view


@lowers("avg_pool2d")
def avg_pool2d(
    builder: Builder,
    x: View,
    kernel_size: Value,
    stride: Value = (),
    padding: Value = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> View:
    """Mean of a window, with one divisor for all places."""
    kernel, before = pair(kernel_size), pair(padding)
    steps = kernel if not isinstance(stride, int) and not list(stride) else pair(stride)
    h, w = x.sizes[-2] + x.pad[0] + x.pad[2], x.sizes[-1] + x.pad[1] + x.pad[3]
    if any(before) and not count_include_pad and not divisor_override:
        raise builder.fail("with padding and count_include_pad=False", "padding 0, or count_include_pad=True")
    p, q = result_sizes(builder)[-2:]
    if not any(before) and not any(x.pad) and not divisor_override:  # one window may reach out: it is cut, uncounted
        kernel = (min(kernel[0], h) if p == 1 else kernel[0], min(kernel[1], w) if q == 1 else kernel[1])
    over_rows = (p - 1) * steps[0] + kernel[0] > h + 2 * before[0]
    over_columns = (q - 1) * steps[1] + kernel[1] > w + 2 * before[1]
    if ceil_mode and (over_rows or over_columns) and not divisor_override:
        raise builder.fail("with ceil_mode and windows beyond the padding", "ceil_mode=False")
    divisor = divisor_override or kernel[0] * kernel[1]
    return _pool(builder, Op.AVGPOOL, x, kernel, steps, before, divisor=divisor)


def _adaptive(builder: Builder, op: Op, x: View, output_size: Value) -> View:
    x = builder.flushed(x)
    h, w = x.sizes[-2:]
    given = [output_size] if isinstance(output_size, int) else list(output_size)
    p, q = (given[0] or h, given[-1] or w)
    if h % p or w % q:
        raise builder.fail(
            f"from {h} x {w} to {p} x {q} has windows of different sizes", "an output that divides the input"
        )
    kernel = (h // p, w // q)
    if kernel == (1, 1):
        return x
    return _pool(builder, op, x, kernel, kernel, (0, 0), divisor=kernel[0] * kernel[1] if op is Op.AVGPOOL else 0)


@lowers("adaptive_avg_pool2d", "_adaptive_avg_pool2d")
def adaptive_avg_pool2d(builder: Builder, x: View, output_size: Value) -> View:
    """Average pool to a given size that divides the input's."""
    return _adaptive(builder, Op.AVGPOOL, x, output_size)


@lowers("adaptive_max_pool2d")
def adaptive_max_pool2d(builder: Builder, x: View, output_size: Value) -> Value:
    """Max pool to a given size that divides the input's."""
    view = _adaptive(builder, Op.MAXPOOL, x, output_size)
    return (view, None) if isinstance(builder.node.meta["val"], (tuple, list)) else view


@lowers("max_pool1d", "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d")
def pool1d(builder: Builder, x: View, size: Value, stride: Value = (), padding: Value = 0, *rest: Value) -> Value:
    """Pools of ``[N, C, L]``: one row of columns."""
    name = str(builder.node.target)
    adaptive = "adaptive" in name
    if (rest and any(v not in (1, True, False, [1]) for v in rest)) or (adaptive and (stride or padding)):
        raise builder.fail("with these options", "kernel, stride, padding")
    x = builder.flushed(x)
    n, c, length = x.sizes
    line = x.reshaped((n, c, 1, length))
    assert line is not None
    q = result_sizes(builder)[-1]
    width = pair(size)[1]
    step = width if not isinstance(stride, int) and not list(stride) else pair(stride)[1]
    if adaptive:
        if length % q:
            raise builder.fail(f"from {length} to {q} has windows of different sizes", "a divisor")
        width = step = length // q
    before = pair(padding)[1]
    if "avg" in name and not adaptive and (q - 1) * step + width > length + 2 * before:
        raise builder.fail("with ceil_mode and windows beyond the padding", "ceil_mode=False")
    op = Op.AVGPOOL if "avg" in name else Op.MAXPOOL
    line = builder.arranged(builder.unscaled(line), "NCHW")
    view = builder.emit(
        op,
        lambda tensor: View.whole(tensor, (n, c, 1, q), "NCW"),
        [builder.operand(line)],
        N=n,
        groups=c,
        Q=q,
        S=width,
        stride=(1, step),
        padding=(0, before, 0, tight(length, before, step, width, q)),
        divisor=width if op is Op.AVGPOOL else 0,
    )
    return (view, None) if isinstance(builder.node.meta["val"], (tuple, list)) else view
