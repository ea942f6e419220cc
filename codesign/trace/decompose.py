"""Operators that are rewritten as others before lowering, so that each part has a value of its own.

A rewrite returns ``NotImplemented`` where the operator can stay as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._decomp import get_decompositions

from codesign.trace.decompose_norm import NORMS
from codesign.trace.decompose_recurrent import RECURRENT
from codesign.trace.decompose_window import WINDOWS
from mappings.errors import Fault, SpecError

aten: Any = torch.ops.aten


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Scaled dot-product attention as its two matmuls and a softmax, so that each has a value of its own."""
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = torch.matmul(query, key.transpose(-2, -1)) * factor
    if is_causal:
        attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            attn_mask = torch.zeros(attn_mask.shape, device=attn_mask.device).masked_fill(
                attn_mask.logical_not(), float("-inf")
            )
        scores = scores + attn_mask
    return torch.matmul(torch.softmax(scores, -1), value)


def _einsum(equation: str, operands: Sequence[Tensor], path: Sequence[int] | None = None) -> Tensor:
    """A contraction of one or two operands: sums, and one batched matrix product between permutations.

    Raises:
        SpecError: more operands, an ellipsis, a repeated letter.
    """
    left, arrow, out = equation.replace(" ", "").partition("->")
    letters = left.split(",")
    if not arrow:
        out = "".join(sorted(i for i in set(left) - {","} if left.count(i) == 1))
    alone = [any(len(set(t)) != len(t) for t in (*letters, out)), "." in equation, not set(out) <= set(left)]
    if len(letters) > 2 or any(alone):
        raise SpecError(Fault(f"einsum {equation}", "can not be lowered", "one or two operands, each letter once"))
    terms = []
    for term, other, operand in zip(letters, letters[::-1] if len(letters) == 2 else [""], operands, strict=True):
        gone = [place for place, i in enumerate(term) if i not in out and i not in other]
        terms.append(("".join(i for i in term if i in out or i in other), operand.sum(gone) if gone else operand))
    if len(terms) == 1:
        return terms[0][1].permute([terms[0][0].index(i) for i in out])
    (a, first), (b, second) = terms
    batch = [i for i in a if i in b and i in out]
    inner = [i for i in a if i in b and i not in out]
    rows, columns = [i for i in a if i not in b], [i for i in b if i not in a]
    size = dict(zip(a, first.shape, strict=True)) | dict(zip(b, second.shape, strict=True))
    lead = [size[i] for i in batch] if len(batch) <= 2 else [math.prod(size[i] for i in batch)]

    def matrix(operand: Tensor, order: str, before: list[str], last: list[str]) -> Tensor:
        moved = operand.permute([order.index(i) for i in (*batch, *before, *last)])
        return moved.reshape(lead + [math.prod(size[i] for i in group) for group in (before, last)])

    product = torch.matmul(matrix(first, a, rows, inner), matrix(second, b, inner, columns))
    order = [*batch, *rows, *columns]
    return product.reshape([size[i] for i in order]).permute([order.index(i) for i in out])


def _glu(x: Tensor, dim: int = -1) -> Tensor:
    """Half of the channels times the sigmoid of the other half."""
    first, second = x.chunk(2, dim)
    return first * torch.sigmoid(second)


def _addcmul(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    return x + (a * b if value == 1 else a * b * value)


def _addcdiv(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    return x + (a / b if value == 1 else a / b * value)


def _stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    return torch.cat([t.unsqueeze(dim) for t in tensors], dim)


def _baddbmm(x: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    product = torch.bmm(a, b) * alpha
    return product if beta == 0 else product + x * beta


def _prelu(x: Tensor, weight: Tensor) -> Any:
    """One slope for each channel: what is above zero, and the slopes times what is below."""
    if weight.numel() == 1:
        return NotImplemented
    slopes = weight.reshape([1, -1] + [1] * (x.dim() - 2)) if x.dim() > 1 else weight
    return torch.relu(x) - torch.relu(-x) * slopes


def _maximum(a: Tensor, b: Tensor) -> Tensor:
    return b + torch.relu(a - b)


def _minimum(a: Tensor, b: Tensor) -> Tensor:
    return b - torch.relu(b - a)


def _amin(x: Tensor, dim: Sequence[int] = (), keepdim: bool = False) -> Tensor:
    return -torch.amax(-x, list(dim), keepdim)


def _pad(x: Tensor, widths: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Zeros at the edges, and a constant that is the value there."""
    if mode != "constant" or not value or not math.isfinite(value):
        return NotImplemented
    inside = torch.nn.functional.pad(torch.ones(x.shape, device=x.device), list(widths))
    return torch.nn.functional.pad(x, list(widths)) + (1 - inside) * value


def _nan_to_num(x: Tensor, *_: Any, **__: Any) -> Tensor:
    """Values are finite: what is not can not be in integers."""
    return x.clone()


_OWN: dict[Any, Callable[..., Any]] = {
    aten.scaled_dot_product_attention.default: _attention,
    aten.einsum.default: _einsum,
    aten.glu.default: _glu,
    aten.addcmul.default: _addcmul,
    aten.addcdiv.default: _addcdiv,
    aten.stack.default: _stack,
    aten.baddbmm.default: _baddbmm,
    aten.prelu.default: _prelu,
    aten.maximum.default: _maximum,
    aten.max.other: _maximum,
    aten.minimum.default: _minimum,
    aten.min.other: _minimum,
    aten.amin.default: _amin,
    aten.pad.default: _pad,
    aten.constant_pad_nd.default: lambda x, widths, value=0: _pad(x, widths, value=value),
    aten.nan_to_num.default: _nan_to_num,
}
#: Those that torch itself has as gathers at constant places, products and sums.
_TORCH: dict[Any, Callable[..., Any]] = dict(
    get_decompositions(
        [
            aten.upsample_bilinear2d.vec,
            aten.upsample_bilinear2d.default,
            aten.upsample_bicubic2d.vec,
            aten.upsample_bicubic2d.default,
            aten.upsample_linear1d.vec,
            aten.upsample_linear1d.default,
            aten.upsample_trilinear3d.vec,
            aten.grid_sampler_2d.default,
        ]
    )
)
DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {**_TORCH, **NORMS, **WINDOWS, **RECURRENT, **_OWN}
