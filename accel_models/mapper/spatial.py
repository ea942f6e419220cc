"""Which dims spread over which axis of the array: every vector of divisors that fits side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from accel_models.jit import entry
from accel_models.reuse.formulas import DIM_COUNT

_NONE = 1 << 40


@entry
def spread_choices(factors: Any, counts: Any, axes: Any, allowed: Any, room: int) -> Any:
    """Vectors of units a dim, one factor each, whose products along two axes fit.

    Walks the dims depth first; ``least[depth, a]`` is the smallest load of axis 1 among the splits of the dims so far
    that load axis 0 with ``a``. A prefix with no split left is dropped with all that follows it: loads never shrink.

    Args:
        factors: (8, most) the units that a dim may spread over.
        counts: (8,) how many of them.
        axes: (2,) units along each axis.
        allowed: (8, 2) 1 where the dim may use the axis.
        room: most vectors returned.

    Returns:
        (n, 8); n = ``room`` means that some may be missing.
    """
    out = np.empty((room, DIM_COUNT), np.int64)
    n, d = 0, 0
    index = np.full(DIM_COUNT, -1, np.int64)
    least = np.full((DIM_COUNT + 1, axes[0] + 1), _NONE, np.int64)
    least[0, 1] = 1
    chosen = np.ones(DIM_COUNT, np.int64)
    while d >= 0:
        index[d] += 1
        if index[d] >= counts[d]:
            index[d] = -1
            d -= 1
            continue
        f = factors[d, index[d]]
        fits = False
        least[d + 1, :] = _NONE
        for along in range(1, min(f, axes[0]) + 1):
            if f % along or (along > 1 and allowed[d, 0] == 0) or (f // along > 1 and allowed[d, 1] == 0):
                continue
            for a in range(1, axes[0] // along + 1):
                load = least[d, a] * (f // along)
                if load <= axes[1]:
                    fits = True
                    least[d + 1, a * along] = min(least[d + 1, a * along], load)
        if not fits:
            continue
        chosen[d] = f
        if d < DIM_COUNT - 1:
            d += 1
            continue
        if n == room:
            return out
        out[n] = chosen
        n += 1
    return out[:n]


@entry
def split_axes(units: Any, axes: Any, allowed: Any, along: Any) -> bool:
    """``along[d]``: the part of ``units[d]`` on axis 0, the first split found that fits; False where there is none."""
    d = 0
    along[:] = 0
    loads = np.ones((DIM_COUNT + 1, 2), np.int64)
    while 0 <= d < DIM_COUNT:
        along[d] += 1
        if along[d] > min(units[d], axes[0]):
            along[d] = 0
            d -= 1
            continue
        a, b = along[d], units[d] // along[d]
        if units[d] % a or (a > 1 and allowed[d, 0] == 0) or (b > 1 and allowed[d, 1] == 0):
            continue
        loads[d + 1, 0] = loads[d, 0] * a
        loads[d + 1, 1] = loads[d, 1] * b
        if loads[d + 1, 0] <= axes[0] and loads[d + 1, 1] <= axes[1]:
            d += 1
    return d == DIM_COUNT
