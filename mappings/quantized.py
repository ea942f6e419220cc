"""Networks in integers: the one statement of the arithmetic that PyTorch, the RTL and the HLS all obey.

Every tensor is signed and symmetric (zero point 0): ``real = scale * integer``, with ``b`` bits in
``[-2^(b-1), 2^(b-1) - 1]``; weights are symmetric in ``[-(2^(b-1) - 1), 2^(b-1) - 1]``, per output channel.

* MAC operators: ``acc = bias + sum(x * w)`` in 32 bits (padding contributes 0), then
  ``y = clamp(rescale(acc, mult[k], shift[k]), low, high)``. ReLU is ``low = 0``; ReLU6 also
  ``high = round(6 / scale)``. A matmul has no bias and one ``mult[0], shift[0]``.
* ``rescale(a, m, s)`` is ``a * m / 2^s`` rounded half away from zero, ``0 < m < 2^31``, ``0 <= s <= 62``, the
  product in 64 bits. Accumulators of 48 bits go with ``m < 2^15``.
* ``avgpool``: the window's sum, padding counted as zeros, rescaled by ``mult[0], shift[0]``, clamped.
* ``maxpool``: the maximum over the taps inside the input, then clamped; no rescaling.
* ``add``: ``clamp(rescale(a * add_mult[0] + b * add_mult[1], 1, shift[0]), low, high)``; each ``0 < add_mult < 2^24``,
  and small enough that the sum keeps within 32 bits where both operands have 8 or fewer.
* ``mul``: ``clamp(rescale(a * b, mult[0], shift[0]), low, high)``.
* ``concat``, ``reshape``, ``constant``: no arithmetic. All operands of a concat have its scale. A reshape without
  ``constants["index"]`` keeps the order of channels and of places (its output is its input under another shape); with
  one, ``y.flat[i] = x.flat[index.flat[i]]``, both in ``[N, channels, rows, columns]`` order. A constant's integers
  are ``constants["value"]`` ``[N, channels, rows, columns]``.
* ``act``, ``softmax``, ``layernorm``: see :mod:`mappings.integer_ops`, which names their ``constants``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mappings.workload import Workload

IntArray: TypeAlias = NDArray[np.int64]


def rescale(value: IntArray, mult: IntArray | int, shift: IntArray | int) -> IntArray:
    """``value * mult / 2^shift`` rounded half away from zero, elementwise in 64 bits.

    Args:
        value: int64, within 32 signed bits where ``mult`` may use 31.
        mult: positive multiplier below 2^31, broadcast against ``value``.
        shift: 0 to 62, broadcast against ``value``.
    """
    product = value.astype(np.int64) * np.asarray(mult, dtype=np.int64)
    shift_array = np.asarray(shift, dtype=np.int64)
    half = np.where(shift_array > 0, np.int64(1) << np.maximum(shift_array - 1, 0), 0)
    magnitude = (np.abs(product) + half) >> shift_array
    return np.asarray(np.where(product < 0, -magnitude, magnitude), dtype=np.int64)


def multiplier(real: float, bits: int = 31) -> tuple[int, int]:
    """The ``(mult, shift)`` nearest to a positive real scale: ``real ~ mult / 2^shift``, ``mult < 2^bits``.

    Raises:
        ValueError: ``real`` is not positive and finite, or too small or large for the format.
    """
    if not (np.isfinite(real) and real > 0):
        raise ValueError(f"scale {real} is not positive and finite")
    mantissa, exponent = np.frexp(real)
    mult, shift = round(float(mantissa) * 2**bits), bits - int(exponent)
    if mult == 2**bits:
        mult, shift = mult // 2, shift - 1
    while shift > 62:
        mult, shift = mult >> 1, shift - 1
    if shift < 0 or mult < 1:
        raise ValueError(f"scale {real} needs a shift outside 0..62")
    return mult, shift


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """Integer parameters of one layer; absent fields do not apply to its operator.

    Attributes:
        weight: int64 ``[G*K, C, R, S]`` (linear: R = S = 1; transposed convolution: not flipped).
        bias: int64 ``[G*K]``, in accumulator units.
        mult, shift: int64 ``[G*K]`` (matmul, pooling, add, mul: length 1).
        add_mult: multipliers of the two operands of an ``add``.
        low, high: clamp of the output.
        scale: real value of one output unit.
        constants: further integers by name, as the operator's definition tells.
    """

    low: int
    high: int
    scale: float
    weight: IntArray | None = None
    bias: IntArray | None = None
    mult: IntArray | None = None
    shift: IntArray | None = None
    add_mult: tuple[int, int] | None = None
    constants: dict[str, IntArray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """A workload with the integers to run it.

    Attributes:
        workload: the graph; ``bits`` of each layer say the widths.
        layers: parameters by layer name, one for every layer.
        input_scales: real value of one unit of each workload input.
    """

    workload: Workload
    layers: dict[str, QuantizedLayer]
    input_scales: dict[str, float]
