"""Lowering of batch norm, activations and elementwise arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from codesign.trace.builder import RANK_AXES, Builder, Value
from codesign.trace.table import TABLE, aten_name, lowers, source_of
from codesign.trace.views import Atom, View
from mappings.layer import Op

#: Functions of one value that a table of outputs can stand for.
TABLE_FUNCTIONS = (
    "hardswish",
    "silu",
    "sigmoid",
    "tanh",
    "hardsigmoid",
    "hardtanh",
    "clamp",
    "elu",
    "selu",
    "celu",
    "leaky_relu",
    "mish",
    "softplus",
    "softsign",
    "abs",
    "exp",
    "square",
    "sqrt",
    "rsqrt",
    "log1p",
    "erf",
    "sin",
    "cos",
    "logsigmoid",
    "relu6",
    "clamp_min",
    "clamp_max",
    "pow",
    "reciprocal",
)


# --- batch norm --------------------------------------------------------------------------------------------------


def _channel_dim(builder: Builder, x: View, dim: int) -> bool:
    span = x.channels(builder.shapes[x.tensor])
    size = x.sizes[dim]
    return span is not None and span[1] == size and (size == 1 or x.dims[dim] == (Atom("C", size, 1),))


def _with_channels(builder: Builder, x: View, dim: int) -> View:
    """The view with torch dim ``dim`` stored as channels, moved if need be."""
    x = builder.flushed(x)
    if _channel_dim(builder, x, dim):
        return x
    rank = len(x.sizes)
    axes = RANK_AXES.get(rank, "") if dim == rank - 1 and rank < 4 else {2: "NC", 3: "NCH", 4: "NCHW"}.get(rank, "")
    if not axes or axes[dim] != "C":
        raise builder.fail(f"on a value of {list(x.sizes)}", "channels in dim 1")
    return builder.gathered(x, builder.indices(x), axes)


@lowers("batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit", "native_batch_norm")
def batch_norm(builder: Builder, x: View, weight: Value, bias: Value, mean: Value, var: Value, *rest: Any) -> Value:
    """Batch norm in evaluation: an affine map along channels, folded where weights come before it."""
    if mean is None or var is None:
        raise builder.fail("without running statistics", "track_running_stats=True")
    epsilon = next(v for v in reversed(rest) if isinstance(v, float))
    x = _with_channels(builder, x, 1)
    scale = torch.rsqrt(var.double() + epsilon)
    scale = scale if weight is None else scale * weight.double()
    shift = -mean.double() * scale
    shift = shift if bias is None else shift + bias.double()
    view = builder.affine(x, source_of(builder), scale, shift)
    return (view, None, None) if isinstance(builder.node.meta["val"], (tuple, list)) else view


# --- activations -------------------------------------------------------------------------------------------------


def _activation(builder: Builder, x: View, name: str, function: Callable[[Tensor], Tensor]) -> View:
    """Fused into the layer before it where it is a clamp, else alone."""
    x = builder.flushed(x)
    if name in ("relu", "relu6"):
        fused = builder.fuse(x, source_of(builder), name)
        if fused is not None:
            return fused
    x = builder.placed(builder.unscaled(x))
    return builder.unary(x, name, function)


@lowers("relu")
def relu(builder: Builder, x: View) -> View:
    """ReLU: a clamp."""
    return _activation(builder, x, "relu", torch.relu)


@lowers("gelu")
def gelu(builder: Builder, x: View, approximate: str = "none") -> View:
    """GELU; the tanh form is within 5e-4 of it."""
    return _activation(builder, x, "gelu", torch.nn.functional.gelu)


def table_function(builder: Builder, x: View, *arguments: Any, **options: Any) -> View:
    """Any function of one value in :data:`TABLE_FUNCTIONS`."""
    if not isinstance(x, View) or any(isinstance(a, (View, Tensor)) for a in arguments):
        raise builder.fail("with a tensor as parameter", "numbers as parameters")
    target: Any = builder.node.target
    name = aten_name(builder.node)
    bounds = {"clamp": (*arguments, None, None)[:2], "hardtanh": (*arguments, -1.0, 1.0)[:2] if not arguments else None}
    low, high = bounds.get(name) or (arguments if name == "hardtanh" else (None, None))
    low, high = options.get("min", low), options.get("max", high)
    if name == "relu6" or (name in ("clamp", "hardtanh") and (low, high) == (0, 6)):
        return _activation(builder, x, "relu6", torch.nn.functional.relu6)
    if name in ("clamp", "clamp_min") and (low if name == "clamp" else arguments[0]) == 0 and high is None:
        return _activation(builder, x, "relu", torch.relu)
    return _activation(builder, x, name, lambda value: target(value, *arguments, **options))


@lowers("prelu")
def prelu(builder: Builder, x: View, weight: Value) -> View:
    """PReLU with one slope for all channels: a table."""
    slope = _number(weight)
    if slope is None:
        raise builder.fail("with a slope for each channel", "one slope: num_parameters=1")
    x = builder.placed(builder.unscaled(builder.flushed(x)))
    return builder.unary(x, "prelu", lambda value: torch.where(value > 0, value, slope * value))


for _name in TABLE_FUNCTIONS:
    TABLE[_name] = table_function


# --- arithmetic --------------------------------------------------------------------------------------------------


def _number(value: Value) -> float | None:
    """A Python number or a one-element constant as a float."""
    if isinstance(value, (bool, int, float)):
        return float(value)
    return float(value) if isinstance(value, Tensor) and value.numel() == 1 else None


def _along_channels(builder: Builder, x: View, value: Tensor) -> Tensor | None:
    """``[C]`` of a constant that differs only along the channels of ``x``; None if it does not."""
    dims = [i for i in range(len(x.sizes)) if x.sizes[i] > 1 and any(a.axis == "C" for a in x.dims[i])]
    shape = [1] * (len(x.sizes) - value.dim()) + list(value.shape)
    span = x.channels(builder.shapes[x.tensor])
    if value.dim() > len(x.sizes) or span is None or len(dims) != 1 or x.dims[dims[0]] != (Atom("C", span[1], 1),):
        return None
    if any(size > 1 for i, size in enumerate(shape) if i != dims[0]):
        return None
    return value.double().reshape(-1).expand(span[1])


def _scaled(builder: Builder, x: View, factor: float) -> View:
    if factor == 0 or not math.isfinite(factor):
        raise builder.fail(f"by {factor}", "finite factors other than 0")
    return replace(x, factor=x.factor * factor)


def _constant_sum(builder: Builder, x: View, value: Tensor) -> View:
    x = builder.placed(builder.flushed(x))
    if value.numel() == 1:
        value = value.reshape(())
        span = x.channels(builder.shapes[x.tensor])
        assert span is not None
        shift: Tensor | None = value.double().expand(span[1])
    else:
        shift = _along_channels(builder, x, value)
    sizes = np.broadcast_shapes(x.sizes, value.shape)
    if shift is not None:
        return builder.affine(x, source_of(builder, _position(builder)), torch.ones_like(shift), shift)
    if tuple(sizes) != x.sizes:
        x = builder.stored(np.ascontiguousarray(np.broadcast_to(builder.indices(x), sizes)), x)
    return _sum(builder, x, builder.like(value, x))


def _position(builder: Builder) -> int:
    """Which argument of the node is the value (the other one is a constant)."""
    first = builder.node.args[0]
    return 0 if isinstance(builder.values.get(first), View) else 1  # type: ignore[arg-type]


def _sum(builder: Builder, x: View, y: View) -> View:
    x, y = (builder.unscaled(v) if v.factor < 0 else v for v in (x, y))
    n, c, h, w = builder.extents(x)
    return builder.emit(
        Op.ADD,
        lambda name: builder.renamed(x, name),
        [builder.operand(x), builder.operand(y)],
        "add",
        N=n,
        groups=c,
        P=h,
        Q=w,
    )


def _model(builder: Builder, a: View, b: View) -> tuple[View, View]:
    """Two views, each arranged as the first that has the result's shape."""
    a, b = builder.flushed(a), builder.flushed(b)
    sizes = tuple(np.broadcast_shapes(a.sizes, b.sizes))
    if a.sizes == sizes:
        a = builder.placed(a)
        return a, builder.like(b, a)
    if b.sizes == sizes:
        b = builder.placed(b)
        return builder.like(a, b), b
    a = builder.stored(np.ascontiguousarray(np.broadcast_to(builder.indices(a), sizes)), a)
    return a, builder.like(b, a)


def _masks_out(value: Value) -> bool:
    return (
        isinstance(value, Tensor)
        and not value.is_meta
        and value.numel() > 1
        and bool(((value == 0) | (value <= -1e4)).all())
    )


@lowers("add")
def add(builder: Builder, a: Value, b: Value, alpha: float = 1) -> View:
    """Sum of two values, or of a value and a constant (a bias where it differs along channels only)."""
    if not isinstance(a, View):
        return _constant_sum(builder, b if alpha == 1 else _scaled(builder, b, alpha), torch.as_tensor(a))
    if not isinstance(b, View):
        value = torch.as_tensor(b) * alpha
        if _number(value) == 0:
            return a
        if _masks_out(value) and bool((value < 0).any()):
            return builder.masked(a, value == 0)
        return _constant_sum(builder, a, value)
    if alpha != 1:
        b = _scaled(builder, b, alpha)
    return _sum(builder, *_model(builder, a, b))


@lowers("sub", "rsub")
def sub(builder: Builder, a: Value, b: Value, alpha: float = 1) -> Value:
    """Difference; of two values, the one subtracted is negated by an activation of its own."""
    if "rsub" in str(builder.node.target):
        a, b = b, a
    if isinstance(b, View):
        b = _scaled(builder, b, -alpha)
        return add(builder, a, b)
    return add(builder, a, torch.as_tensor(b) * -alpha)


@lowers("mul")
def mul(builder: Builder, a: Value, b: Value) -> Value:
    """Product: a number scales for free, a constant along channels folds, two values give a ``mul``."""
    if not isinstance(a, View):
        a, b = b, a
    if isinstance(b, View):
        return _product(builder, builder.unscaled(a), builder.unscaled(b))
    number = _number(b)
    if number is not None:
        return _scaled(builder, a, number)
    x = builder.placed(builder.flushed(a))
    scale = _along_channels(builder, x, b)
    if scale is not None:
        return builder.affine(x, source_of(builder, _position(builder)), scale, torch.zeros_like(scale))
    sizes = tuple(np.broadcast_shapes(x.sizes, b.shape))
    x = builder.unscaled(x)
    if sizes != x.sizes:
        x = builder.stored(np.ascontiguousarray(np.broadcast_to(builder.indices(x), sizes)), x)
    return _emit_product(builder, x, builder.like(b, x))


def _product(builder: Builder, a: View, b: View) -> View:
    a, b = builder.flushed(a), builder.flushed(b)
    sizes = tuple(np.broadcast_shapes(a.sizes, b.sizes))
    if a.sizes != sizes:
        a, b = b, a
    shape = builder.shapes[b.tensor]
    if len(a.sizes) == 4 and b.sizes[2:] == (1, 1) and a.sizes[:2] == b.sizes[:2] and shape[2:] == (1, 1):
        a, b = builder.arranged(a, "NCHW"), builder.arranged(b, "NCHW")
        return _emit_product(builder, a, b)
    return _emit_product(builder, *_model(builder, a, b))


def _emit_product(builder: Builder, a: View, b: View) -> View:
    n, c, h, w = builder.extents(a)
    return builder.emit(
        Op.MUL,
        lambda name: builder.renamed(a, name),
        [builder.operand(a), builder.operand(b)],
        "mul",
        N=n,
        groups=c,
        P=h,
        Q=w,
    )


@lowers("div")
def div(builder: Builder, a: Value, b: Value, rounding_mode: str | None = None) -> Value:
    """Division by a constant; by a value, the product with its reciprocal, which is a table."""
    if rounding_mode:
        raise builder.fail(f"with rounding_mode {rounding_mode}", "rounding_mode=None")
    if isinstance(b, View):
        below = builder.placed(builder.unscaled(builder.flushed(b)))
        inverse = builder.inserted(builder.unary(below, "reciprocal", torch.reciprocal))
        return mul(builder, inverse, a)
    number = _number(b)
    return _scaled(builder, a, 1.0 / number) if number else mul(builder, a, torch.as_tensor(b).reciprocal())


@lowers("neg")
def neg(builder: Builder, a: View) -> View:
    """Sign change: a factor."""
    return _scaled(builder, a, -1.0)


@lowers("masked_fill")
def masked_fill(builder: Builder, x: View, mask: Value, value: Value) -> View:
    """Places masked out of a softmax by a constant mask."""
    number = _number(value)
    if not isinstance(mask, Tensor) or number is None or number > -1e4:
        raise builder.fail("other than of a softmax's mask", "a constant mask and -inf, before a softmax")
    return builder.masked(x, mask.logical_not())
