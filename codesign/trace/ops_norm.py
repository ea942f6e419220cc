"""Lowering of softmax and layer norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.trace.builder import RANK_AXES, Builder, Value
from codesign.trace.table import lowers, source_of
from codesign.trace.views import Atom, View
from mappings.layer import Op


def _last_is_channels(builder: Builder, x: View, whole: bool) -> View:
    """The view with its last dim along channels (all of them, if ``whole``), moved if need be."""
    x = builder.flushed(x)
    span = x.channels(builder.shapes[x.tensor])
    size = x.sizes[-1]
    ready = span is not None and (size == 1 or x.dims[-1] == (Atom("C", size, 1),))
    if ready and (not whole or (span is not None and span[1] == size)):
        return x
    if len(x.sizes) > 4:
        return builder.stored(builder.indices(x), x)
    axes = RANK_AXES[len(x.sizes)] if len(x.sizes) < 4 else "NHWC"
    return builder.gathered(x, builder.indices(x), axes)


def _mask_of(builder: Builder, keep: Tensor, x: View, n: int, groups: int, places: int) -> NDArray[np.int64]:
    """``[P, C]`` of a mask that broadcasts to the torch shape of ``x``, the same for all samples and groups."""
    full = torch.broadcast_to(keep, x.sizes).reshape(-1, places, x.sizes[-1]).to(torch.int64)
    if full.shape[0] != n * groups or not bool((full == full[0]).all()):
        raise builder.fail("with a mask that differs between samples or heads", "one mask [queries, keys] for all")
    return full[0].numpy()


@lowers("softmax", "_softmax", "_safe_softmax")
def softmax(builder: Builder, x: View, dim: int, *_: Value) -> View:
    """Softmax over one dim; heads are groups of channels."""
    keep = builder.masks.pop(source_of(builder), None)
    rank = len(x.sizes)
    order = [i for i in range(rank) if i != dim % rank] + [dim % rank]
    if x.factor < 0:
        x = builder.unscaled(x)
    x = _last_is_channels(builder, x.permuted(order), whole=False)
    n, channels, h, w = builder.extents(x)
    c = x.sizes[-1]
    groups = channels // c
    mask = None
    if keep is not None:
        full = torch.broadcast_to(keep, [x.sizes[order.index(i)] for i in range(rank)])
        mask = _mask_of(builder, full.permute(order), x, n, groups, h * w)
    view = builder.emit(
        Op.SOFTMAX,
        lambda name: builder.renamed(x, name),
        [builder.operand(x)],
        "softmax",
        N=n,
        K=c,
        C=c,
        P=h,
        Q=w,
        groups=groups,
        masked=mask is not None,
        mask=mask,
    )
    view = view.permuted([order.index(i) for i in range(rank)])
    builder.layers[view.tensor].view = view
    return view


@lowers("layer_norm", "native_layer_norm")
def layer_norm(
    builder: Builder,
    x: View,
    normalized_shape: Sequence[int],
    weight: Value = None,
    bias: Value = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Value:
    """Layer norm over the last dim."""
    if len(normalized_shape) != 1:
        raise builder.fail(f"over {len(normalized_shape)} dims", "the last dim alone")
    x = _last_is_channels(builder, builder.unscaled(x), whole=True)
    n, c, h, w = builder.extents(x)
    view = builder.emit(
        Op.LAYERNORM,
        lambda name: builder.renamed(x, name),
        [builder.operand(x)],
        "layernorm",
        N=n,
        K=c,
        C=c,
        P=h,
        Q=w,
        weight=torch.ones(c, dtype=torch.float64) if weight is None else weight.double(),
        bias=torch.zeros(c, dtype=torch.float64) if bias is None else bias.double(),
        epsilon=float(eps),
    )
    several = isinstance(builder.node.meta["val"], (tuple, list))
    return (view, None, None) if several else replace(view)
