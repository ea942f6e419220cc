"""Normalisations as layer norms or as squares, means, roots and products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

aten: Any = torch.ops.aten


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Gain and bias by channel."""
    shape = [1, -1] + [1] * (x.dim() - 2)
    if weight is not None:
        x = x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def _grouped(x: Tensor, groups: int, eps: float) -> Tensor:
    """A group's channels and places together as the row of a layer norm."""
    rows = x.reshape(x.shape[0], groups, -1)
    return torch.layer_norm(rows, [rows.shape[-1]], eps=eps).reshape(x.shape)


def _group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    return _affine(_grouped(x, num_groups, eps), weight, bias)


def _instance_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    if not use_input_stats:
        return torch.batch_norm(x, weight, bias, running_mean, running_var, False, momentum, eps, cudnn_enabled)
    return _affine(_grouped(x, x.shape[1], eps), weight, bias)


def _rms_norm(
    x: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    dims = list(range(-len(normalized_shape), 0))
    floor = torch.finfo(x.dtype).eps if eps is None else eps
    y = x * torch.rsqrt(torch.square(x).mean(dims, keepdim=True) + floor)
    return y if weight is None else y * weight


def _layer_norm(
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    """Over several dims: these as one row."""
    if len(normalized_shape) == 1:
        return NotImplemented
    lead = list(x.shape[: x.dim() - len(normalized_shape)])
    rows = x.reshape([*lead, -1])
    flat = [None if value is None else value.reshape(-1) for value in (weight, bias)]
    return torch.layer_norm(rows, [rows.shape[-1]], flat[0], flat[1], eps).reshape(x.shape)


def _vector_norm(
    x: Tensor,
    ord: float = 2,  # noqa: A002 - the operator's name for it
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Any:
    """Sums of squares or of magnitudes."""
    dims = list(range(x.dim())) if dim is None else list(dim)
    if ord == 2:
        return torch.sqrt(torch.square(x).sum(dims, keepdim=keepdim))
    if ord == 1:
        return torch.abs(x).sum(dims, keepdim=keepdim)
    if ord == float("inf"):
        return torch.amax(torch.abs(x), dims, keepdim=keepdim)
    return NotImplemented


def _var(
    x: Tensor, dim: Sequence[int] | None = None, *, correction: float | None = None, keepdim: bool = False
) -> Tensor:
    """Mean square distance from the mean."""
    dims = list(range(x.dim())) if dim is None else list(dim)
    count = 1
    for d in dims:
        count *= x.shape[d]
    spread = torch.square(x - x.mean(dims, keepdim=True)).mean(dims, keepdim=keepdim)
    return spread * (count / (count - (1 if correction is None else correction)))


def _std(
    x: Tensor, dim: Sequence[int] | None = None, *, correction: float | None = None, keepdim: bool = False
) -> Tensor:
    return torch.sqrt(_var(x, dim, correction=correction, keepdim=keepdim))


def _batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """Volumes: rows of all depths one below another."""
    if x.dim() != 5:
        return NotImplemented
    n, c, d, h, w = x.shape
    flat = torch.batch_norm(x.reshape(n, c, d * h, w), weight, bias, mean, var, training, momentum, eps, cudnn_enabled)
    return flat.reshape(x.shape)


def _var_dim(x: Tensor, dim: Sequence[int] | None = None, unbiased: bool = True, keepdim: bool = False) -> Tensor:
    return _var(x, dim, correction=float(unbiased), keepdim=keepdim)


def _std_dim(x: Tensor, dim: Sequence[int] | None = None, unbiased: bool = True, keepdim: bool = False) -> Tensor:
    return torch.sqrt(_var_dim(x, dim, unbiased, keepdim))


NORMS: dict[Any, Callable[..., Any]] = {
    aten.group_norm.default: _group_norm,
    aten.instance_norm.default: _instance_norm,
    aten.rms_norm.default: _rms_norm,
    aten.layer_norm.default: _layer_norm,
    aten.linalg_vector_norm.default: _vector_norm,
    aten.var.correction: _var,
    aten.std.correction: _std,
    aten.var.dim: _var_dim,
    aten.std.dim: _std_dim,
    aten.batch_norm.default: _batch_norm,
}
