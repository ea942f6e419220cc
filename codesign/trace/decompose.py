"""Operators that are rewritten as others before lowering, so that each part has a value of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from mappings.errors import Fault, SpecError


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
    """A contraction of two operands as one batched matrix product between permutations.

    Raises:
        SpecError: not two operands, an ellipsis, a repeated or summed-out letter.
    """
    left, arrow, out = equation.replace(" ", "").partition("->")
    letters = left.split(",")
    fault = Fault(f"einsum {equation}", "can not be lowered", "two operands, each letter once, none summed on its own")
    if not arrow or len(letters) != 2 or "." in equation or any(len(set(t)) != len(t) for t in (*letters, out)):
        raise SpecError(fault)
    a, b = letters
    batch = [i for i in a if i in b and i in out]
    inner = [i for i in a if i in b and i not in out]
    rows, columns = [i for i in a if i not in b], [i for i in b if i not in a]
    if any(i not in out for i in (*rows, *columns)) or set(out) != {*batch, *rows, *columns}:
        raise SpecError(fault)
    size = dict(zip(a, operands[0].shape, strict=True)) | dict(zip(b, operands[1].shape, strict=True))

    def matrix(operand: Tensor, order: str, first: list[str], last: list[str]) -> Tensor:
        moved = operand.permute([order.index(i) for i in (*batch, *first, *last)])
        shape = [size[i] for i in batch] + [math.prod(size[i] for i in group) for group in (first, last)]
        return moved.reshape(shape)

    product = torch.matmul(matrix(operands[0], a, rows, inner), matrix(operands[1], b, inner, columns))
    order = [*batch, *rows, *columns]
    return product.reshape([size[i] for i in order]).permute([order.index(i) for i in out])


DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.scaled_dot_product_attention.default: _attention,
    torch.ops.aten.einsum.default: _einsum,
}
