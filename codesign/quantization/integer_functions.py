"""The integer definitions of :mod:`mappings.integer_ops` in PyTorch, written apart from the numpy ones."""

from __future__ import annotations

import torch
from torch import Tensor

from mappings import integer_ops as spec


def rescale(value: Tensor, mult: Tensor, shift: Tensor) -> Tensor:
    """``value * mult / 2^shift`` rounded half away from zero; all int64, broadcast."""
    product = value * mult
    half = torch.where(shift > 0, torch.ones_like(shift) << (shift - 1).clamp(min=0), torch.zeros_like(shift))
    return torch.sign(product) * ((product.abs() + half) >> shift)


def clamp_rescaled(value: Tensor, mult: Tensor, shift: Tensor, low: int, high: int) -> Tensor:
    """:func:`rescale`, then a clamp."""
    return rescale(value, mult, shift).clamp(low, high)


def integer_sqrt(value: Tensor) -> Tensor:
    """``floor(sqrt(value))`` of int64 below 2^62, bit by bit from the top."""
    root = torch.zeros_like(value)
    for bit in range(30, -1, -1):
        trial = root + (1 << bit)
        root = torch.where(trial * trial <= value, trial, root)
    return root


def exp2_negative(t: Tensor) -> Tensor:
    """``2^-(t / 2^15)`` with 16 fraction bits, for int64 ``t >= 0``."""
    fraction = torch.remainder(t, 1 << spec.EXP_FRACTION_BITS)
    whole = torch.div(t, 1 << spec.EXP_FRACTION_BITS, rounding_mode="floor")
    square = (spec.EXP_B - fraction).square()
    polynomial = torch.div(square * spec.EXP_A, 1 << 2 * spec.EXP_FRACTION_BITS, rounding_mode="floor") + spec.EXP_C
    shifted: Tensor = polynomial >> whole.clamp(max=spec.EXP_ZERO_FROM)
    return shifted * (whole < spec.EXP_ZERO_FROM)


def softmax(x: Tensor, arg_mult: int, arg_shift: int, shift: int, keep: Tensor | None) -> Tensor:
    """Softmax over the last dim, before the clamp; see :func:`mappings.integer_ops.softmax`."""
    keep = torch.ones_like(x, dtype=torch.bool) if keep is None else keep.expand_as(x)
    top = x.masked_fill(~keep, -(2**31)).amax(-1, keepdim=True)
    t = (((top - x).clamp(min=0) * arg_mult) >> arg_shift).clamp(max=2**31 - 1)
    e = exp2_negative(t).masked_fill(~keep, 0)
    total = e.sum(-1, keepdim=True)
    one = torch.full_like(total, 1 << spec.SOFTMAX_RECIPROCAL_BITS)
    reciprocal = torch.div(one, total.clamp(min=1), rounding_mode="floor").masked_fill(total == 0, 0)
    return rescale(e * reciprocal, torch.tensor(1), torch.tensor(shift))


def layer_norm(x: Tensor, epsilon: int) -> Tensor:
    """The normalised value with 14 fraction bits; see :func:`mappings.integer_ops.layer_norm`."""
    channels = x.shape[-1]
    total = x.sum(-1, keepdim=True)
    variance = channels * x.square().sum(-1, keepdim=True) - total.square() + epsilon
    length = torch.zeros_like(variance)
    for bit in range(62):
        length = torch.where(variance >> bit > 0, bit + 1, length)
    k = torch.div(62 - length, 2, rounding_mode="floor")
    root = integer_sqrt(variance << (2 * k)).clamp(min=1)
    reciprocal = torch.div(torch.full_like(root, 1 << 61), root, rounding_mode="floor")
    reciprocal = reciprocal.masked_fill(variance == 0, 0)
    return rescale((channels * x - total) * reciprocal, torch.tensor(1), 61 - spec.NORM_FRACTION_BITS - k)


def gelu(x: Tensor, arg_mult: int, arg_shift: int) -> Tensor:
    """``x (1 + erf)`` times 2^14, before rescaling; see :func:`mappings.integer_ops.gelu`."""
    u = ((x.abs() * arg_mult) >> arg_shift).clamp(max=spec.ERF_B)
    erf = spec.ERF_ONE - (((spec.ERF_B - u).square() * spec.ERF_A) >> (2 * spec.ERF_FRACTION_BITS))
    return x * (spec.ERF_ONE + torch.where(x < 0, -erf, erf))


def table_lookup(x: Tensor, table: Tensor, input_bits: int) -> Tensor:
    """A table with linear interpolation, before the clamp; see :func:`mappings.integer_ops.table_lookup`."""
    fraction = spec.table_step_bits(input_bits)
    offset = x + 2 ** (input_bits - 1)
    index, rest = offset >> fraction, offset & (2**fraction - 1)
    mixed = table[index] * (2**fraction - rest) + table[index + 1] * rest
    return rescale(mixed, torch.tensor(1), torch.tensor(fraction))
