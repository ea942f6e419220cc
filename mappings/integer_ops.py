"""Non-linear operators in integers: what PyTorch, the RTL's vector unit and the HLS compute, bit for bit.

After I-BERT (Kim 2021): exponential and error function are second-order polynomials, the square root and the
division are integer ones. Only adds, multiplications (32 x 32 bits, 64-bit products), shifts, comparisons and one
division or square root *a row* are needed; right shifts of values that are never negative are floors, and all
rounding is that of :func:`mappings.quantized.rescale` (half away from zero).

``constants`` of a :class:`~mappings.quantized.QuantizedLayer`, each an int64 array:

=============  =============================================================================================
``act`` gelu   ``arg_mult arg_shift`` [1]; the layer's ``mult shift`` rescale the product
``act`` other  ``table`` [257 or 2^b + 1]: outputs at evenly spaced inputs (:func:`table_lookup`)
``act`` relu   none: a clamp; no rescaling
``softmax``    ``arg_mult arg_shift`` [1]; ``mask`` [P, C] of 0 and 1 where places are masked out; the layer's
               ``shift`` [1] sets the output scale
``layernorm``  ``gain bias`` [C], ``epsilon`` [1]; the layer's ``shift`` [1] goes with gain and bias
=============  =============================================================================================
"""

from __future__ import annotations

import math

import numpy as np

from mappings.quantized import IntArray, rescale

# --- exponential: 2^-t for t >= 0 in fixed point -----------------------------------------------------------------
#: Fraction bits of the exponent t, and of the result.
EXP_FRACTION_BITS = 15
EXP_RESULT_BITS = 16
#: I-BERT's exp(p) = 0.3585 (p + 1.353)^2 + 0.344 on (-ln 2, 0], written for p = -t ln 2 with t in [0, 1).
EXP_A = round(0.3585 * math.log(2) ** 2 * 2**EXP_RESULT_BITS)  # 11,288: 14 bits
EXP_B = round(1.353 / math.log(2) * 2**EXP_FRACTION_BITS)  # 63,962: 16 bits
EXP_C = round(0.344 * 2**EXP_RESULT_BITS)  # 22,544: 15 bits
#: From here on the result is 0.
EXP_ZERO_FROM = 31

# --- error function: 1 - 0.2888 (1.769 - u)^2 for u = |x| / sqrt 2, clipped at 1.769 -----------------------------
ERF_FRACTION_BITS = 14
ERF_A = round(0.2888 * 2**ERF_FRACTION_BITS)  # 4,732: 13 bits
ERF_B = round(1.769 * 2**ERF_FRACTION_BITS)  # 28,983: 15 bits
ERF_ONE = 1 << ERF_FRACTION_BITS

#: 2^46 / sum is softmax's reciprocal: sum >= 2^16 - 1 keeps it within 31 bits.
SOFTMAX_RECIPROCAL_BITS = 46
#: Longest row: its sum keeps within 31 bits.
SOFTMAX_MAX_CHANNELS = 1 << 14
#: Fraction bits of the normalised value in a layer norm.
NORM_FRACTION_BITS = 14
#: Longest row of a layer norm: the sums keep within 62 bits at 16-bit inputs.
NORM_MAX_CHANNELS = 1 << 15


def exp2_negative(t: IntArray) -> IntArray:
    """``2^-(t / 2^15)`` with 16 fraction bits, for ``t >= 0`` (any shape).

    The polynomial of the fraction, then a floor shift by the integer part. The largest result, at ``t = 0``, is
    65,553; every intermediate but the last product (46 bits) is within 32 bits.
    """
    whole = t >> EXP_FRACTION_BITS
    u = EXP_B - (t & ((1 << EXP_FRACTION_BITS) - 1))
    polynomial = ((u * u * EXP_A) >> (2 * EXP_FRACTION_BITS)) + EXP_C
    return np.asarray(np.where(whole < EXP_ZERO_FROM, polynomial >> np.minimum(whole, EXP_ZERO_FROM), 0), np.int64)


#: Bits of ``arg_mult``. Where the real factor is larger still, the largest ``arg_mult`` with shift 0 does: one unit
#: of the input then takes softmax to 0, and GELU to 0 or x.
SOFTMAX_ARGUMENT_BITS = 20
GELU_ARGUMENT_BITS = 16


def softmax(
    x: IntArray, arg_mult: int, arg_shift: int, shift: int, high: int, mask: IntArray | None = None
) -> IntArray:
    """Softmax over the last axis; one output unit is ``2^-(46 - shift)``, a power of two near the largest value seen.

    ``d = max - x``; ``t = (d * arg_mult) >> arg_shift`` is ``d`` in units of ln 2, with 15 fraction bits; ``e =
    exp2_negative(t)``; ``r = floor(2^46 / sum(e))``, one division a row; ``y = min(rescale(e * r, 1,
    shift), high)``. Masked places take part in neither the maximum nor the sum and give 0; a row with no
    place left is 0.

    Args:
        x: int64 ``[..., C]``.
        arg_mult: below 2^20. ``d`` has at most 17 bits, so the product has 37; ``t`` is cut at 2^31 - 1.
        arg_shift: 0 to 62.
        shift: 16 to 45.
        high: largest output.
        mask: 0 or 1, broadcast against ``x``; 0 is masked out.
    """
    keep = np.ones_like(x) if mask is None else np.broadcast_to(mask, x.shape)
    top = np.where(keep != 0, x, np.iinfo(np.int32).min).max(axis=-1, keepdims=True)
    distance = np.maximum(top - x, 0)
    t = np.minimum((distance * arg_mult) >> arg_shift, 2**31 - 1)
    e = np.where(keep != 0, exp2_negative(t), 0)
    total = e.sum(axis=-1, keepdims=True)
    reciprocal = np.where(total > 0, (1 << SOFTMAX_RECIPROCAL_BITS) // np.maximum(total, 1), 0)
    return np.minimum(rescale(e * reciprocal, 1, shift), high)


def integer_sqrt(value: IntArray) -> IntArray:
    """``floor(sqrt(value))`` for ``0 <= value < 2^62``, exact."""
    root = np.sqrt(value.astype(np.float64)).astype(np.int64)
    root = root - (root * root > value)
    return np.asarray(root + ((root + 1) * (root + 1) <= value), dtype=np.int64)


def bit_length(value: IntArray) -> IntArray:
    """Position of the leading one, counted from 1 (0 for 0); for ``0 <= value < 2^62``."""
    length = np.zeros_like(value)
    rest = value.copy()
    for step in (32, 16, 8, 4, 2, 1):
        big = rest >= (np.int64(1) << step)
        length += np.where(big, step, 0)
        rest = np.where(big, rest >> step, rest)
    return np.asarray(length + (rest > 0), dtype=np.int64)


def layer_norm(x: IntArray, gain: IntArray, bias: IntArray, shift: int, epsilon: int, low: int, high: int) -> IntArray:
    """Layer normalisation over the last axis of ``C`` values.

    Everything but the root and the reciprocal is exact, because mean and variance are kept times ``C`` and ``C^2``:
    ``d = C x - sum(x)``; ``v = C sum(x^2) - sum(x)^2 + epsilon``. Then ``k = (62 - bit_length(v)) // 2``;
    ``s = isqrt(v << 2k)``, in [2^30, 2^31); ``r = floor(2^61 / s)``, in (2^30, 2^31]: one root and one division a
    row; ``n = (d * r) rescaled by 2^(47 - k)`` is the normalised value with 14 fraction bits (``|n| <= 2^14 sqrt
    C``); ``y = clamp(rescale(n * gain + bias, 1, shift))``. ``n = 0`` where ``v = 0``.

    Args:
        x: int64 ``[..., C]``, up to 16 bits; ``C`` at most 2^15.
        gain: ``[C]``, 24 signed bits; real gain over output scale, times ``2^(shift - 14)``.
        bias: ``[C]``, 32 signed bits; real bias over output scale, times ``2^shift``.
        shift: 0 to 45.
        epsilon: ``round(C^2 epsilon / input_scale^2)``, below 2^61.
        low, high: clamp of the output.
    """
    channels = x.shape[-1]
    total = x.sum(axis=-1, keepdims=True)
    deviation = channels * x - total
    variance = channels * (x * x).sum(axis=-1, keepdims=True) - total * total + epsilon
    k = (62 - bit_length(variance)) >> 1
    root = integer_sqrt(variance << (2 * k))
    reciprocal = np.where(variance > 0, (1 << 61) // np.maximum(root, 1), 0)
    normal = rescale(deviation * reciprocal, 1, 61 - NORM_FRACTION_BITS - k)
    normal = np.where(variance > 0, normal, 0)
    return np.clip(rescale(normal * gain + bias, 1, shift), low, high)


def gelu(x: IntArray, arg_mult: int, arg_shift: int, mult: int, shift: int, low: int, high: int) -> IntArray:
    """GELU: ``x (1 + erf(x / sqrt 2)) / 2`` with I-BERT's error function, elementwise.

    ``u = min((|x| * arg_mult) >> arg_shift, 28983)`` is ``|x| / sqrt 2`` with 14 fraction bits; ``e = 2^14 - ((28983 -
    u)^2 * 4732 >> 28)``; ``g = x * (2^14 + e)`` for positive, ``x * (2^14 - e)`` for negative ``x``; ``y =
    clamp(rescale(g, mult, shift))``, where ``mult / 2^shift`` is ``input_scale / (2^15 output_scale)``.

    Args:
        x: int64, up to 16 bits, so ``g`` has 32.
        arg_mult: below 2^16.
        arg_shift: 0 to 62.
        mult, shift: as for :func:`mappings.quantized.rescale`.
        low, high: clamp of the output.
    """
    u = np.minimum((np.abs(x) * arg_mult) >> arg_shift, ERF_B)
    v = ERF_B - u
    erf = ERF_ONE - ((v * v * ERF_A) >> (2 * ERF_FRACTION_BITS))
    product = np.where(x >= 0, x * (ERF_ONE + erf), x * (ERF_ONE - erf))
    return np.clip(rescale(product, mult, shift), low, high)


def table_step_bits(input_bits: int) -> int:
    """Bits of the input that interpolate between two entries of a table: 0 up to 8 bits, the excess over 8 beyond."""
    return max(input_bits - 8, 0)


def table_lookup(x: IntArray, table: IntArray, input_bits: int, low: int, high: int) -> IntArray:
    """Any function of one value: a table, with linear interpolation where the input has more than 8 bits.

    With ``f = max(input_bits - 8, 0)``, ``i = (x + 2^(input_bits - 1)) >> f`` and ``j`` the ``f`` bits below:
    ``y = clamp(rescale(table[i] * (2^f - j) + table[i + 1] * j, 1, f))``.

    Args:
        x: int64 of ``input_bits`` bits.
        table: ``[2^(input_bits - f) + 1]``, 17 signed bits; the last entry is only an end of the last interval.
    """
    fraction = table_step_bits(input_bits)
    offset = x + (1 << (input_bits - 1))
    index, rest = offset >> fraction, offset & ((1 << fraction) - 1)
    mixed = table[index] * ((1 << fraction) - rest) + table[index + 1] * rest
    return np.clip(rescale(mixed, 1, fraction), low, high)
