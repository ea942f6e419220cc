"""How many input positions a sliding window touches: exact, branch-free, and separable over tiles.

Output positions ``0..p-1`` and filter taps ``0..r-1`` touch the input positions ``i * stride + j * dilation``. With
``g = gcd(stride, dilation)``, ``s = stride / g`` and ``d = dilation / g`` coprime, two pairs touch the same position
exactly when ``i - i' = k * d`` and ``j' - j = k * s`` for an integer ``k``. So the positions are the pairs minus the
pairs that have such a neighbour at ``k = 1``:

    touched(p, r) = p * r - max(0, p - d) * max(0, r - s)

Positions that a stride jumps over are not counted: nothing reads them. Summed over every tile of ``p`` with every
tile of ``r`` the formula separates into sums over one dim each, ragged tiles included:

    sum touched(p_i, r_j) = (sum p_i)(sum r_j) - (sum max(0, p_i - d)) (sum max(0, r_j - s))
"""

from __future__ import annotations

from math import gcd


def coprime_steps(stride: int, dilation: int) -> tuple[int, int]:
    """``(s, d)``: stride and dilation without their common divisor."""
    common = gcd(stride, dilation)
    return stride // common, dilation // common


def touched(p: int, r: int, s: int, d: int) -> int:
    """Distinct input positions under ``p`` outputs and ``r`` taps; ``s`` and ``d`` from :func:`coprime_steps`."""
    return p * r - max(0, p - d) * max(0, r - s)
