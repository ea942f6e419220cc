"""Lowering of what depends on shapes alone, comparisons, selections, and look-ups in tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from codesign.trace.builder import Builder, Value
from codesign.trace.ops_elementwise import add, mul, sub
from codesign.trace.table import TABLE, aten_name, lowers, result_sizes
from codesign.trace.views import View
from mappings.layer import Op

#: Operators whose value depends on the shape of their operand and on nothing else of it.
SHAPE_ONLY = (
    "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty", "sym_size",
)  # fmt: skip
COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne")


def of_shape(builder: Builder, x: View, *arguments: Any, **options: Any) -> Value:
    """A constant of the operand's shape, or of a given one."""
    target: Any = builder.node.target
    options.pop("device", None), options.pop("pin_memory", None), options.pop("layout", None)
    return target(torch.zeros(x.sizes), *arguments, **options)


for _name in SHAPE_ONLY:
    TABLE[_name] = of_shape


def compare(builder: Builder, a: Value, b: Value) -> View:
    """1 or 0 by the sign of a difference: a table."""
    name = aten_name(builder.node)
    if not isinstance(a, View) or isinstance(b, View):
        raise builder.fail("with two values or a value on the right", "value compared with a number or a constant")
    if isinstance(b, Tensor) and b.numel() > 1:
        raise builder.fail("with a constant of several elements", "a number")
    number = float(b)
    scalar: Any = getattr(torch, name)
    x = builder.placed(builder.unscaled(builder.flushed(a)))
    return builder.unary(x, name, lambda value: scalar(value, number).to(value.dtype))


for _name in COMPARISONS:
    TABLE[_name] = compare


@lowers("logical_not", "bitwise_not")
def logical_not(builder: Builder, x: View) -> View:
    """1 for 0, and 0 for 1."""
    x = builder.placed(builder.unscaled(builder.flushed(x)))
    return builder.unary(x, "not", lambda value: (value == 0).to(value.dtype))


@lowers("where")
def where(builder: Builder, condition: Value, a: Value, b: Value) -> Value:
    """A choice by a constant is two products and a sum; with -inf for what is left out it is a softmax's mask.

    A computed condition is 1 and 0: ``b + condition * (a - b)``.
    """
    for source in builder.node.all_input_nodes:
        builder.exclusive[source] = False  # used more than once here: nothing may be fused into it
    if isinstance(condition, View):
        if not isinstance(a, View) and not isinstance(b, View):
            span = mul(builder, condition, torch.as_tensor(a - b, dtype=torch.float32))
        else:
            apart = builder.inserted(sub(builder, a, b))
            span = mul(builder, condition, apart)
        return add(builder, _inserted(builder, span), b)
    keep = condition.bool()
    for value, other, kept in ((b, a, keep), (a, b, ~keep)):
        if isinstance(other, View) and not isinstance(value, View):
            constant = torch.as_tensor(value, dtype=torch.float32)
            if constant.numel() and bool((constant == constant.reshape(-1)[0]).all()):
                constant = constant.reshape(-1)[0]  # zeros_like(x): the mask alone tells what differs where
            shape = np.broadcast_shapes(kept.shape, constant.shape)
            kept, constant = kept.expand(shape), constant.expand(shape)
            if bool((~kept).any()) and bool((constant[~kept] <= -1e4).all()):
                return builder.masked(other, kept)
            rest = torch.where(kept, torch.zeros(()), constant)
            part = mul(builder, other, kept.float())
            return add(builder, _inserted(builder, part), rest) if bool((rest != 0).any()) else part
    if not isinstance(a, View):
        return torch.where(keep, a, b)
    first = _inserted(builder, mul(builder, a, keep.float()))
    return add(builder, first, _inserted(builder, mul(builder, b, (~keep).float())))


def _inserted(builder: Builder, view: View) -> View:
    """Marked as a layer without a node where it is one of this node."""
    item = builder.layers.get(view.tensor)
    return builder.inserted(view) if item is not None and item.node == builder.node.name else view


@lowers("embedding")
def embedding(builder: Builder, weight: Value, x: View, *_: Any, **__: Any) -> View:
    """Rows of a table by number."""
    if not isinstance(weight, Tensor) or not isinstance(x, View):
        raise builder.fail("in a table that the network computes", "a table that is a parameter")
    sizes = result_sizes(builder)
    if x.tensor in builder.layers:
        raise builder.fail("by computed numbers", "numbers that are an input of the module")
    n, h, w = (builder.shapes[x.tensor][axis] for axis in (0, 2, 3))
    rows, features = weight.shape
    view = builder.reshaped(View.whole("", (n, features, h, w), "NHWC"), sizes)
    return builder.emit(
        Op.EMBEDDING,
        lambda name: replace(view, tensor=name),
        [builder.operand(x)],
        "embedding",
        N=n,
        K=features,
        C=rows,
        P=h,
        Q=w,
        weight=weight.double(),
    )
