"""Formulas of one dim and its chain of cuts: how many pieces, and which of them stay. See ``reuse.formulas``."""

from __future__ import annotations

from typing import Any

#: Most iterations of the walks where a sum has no closed form; beyond it they raise ``OverflowError``.
MAX_WALK = 2**21


def fold(extent: Any, chain: Any, cuts: int, c: int, u: int, excess: int, work: Any) -> Any:
    """Sum over the pieces that the first ``cuts`` cuts of a chain make of ``extent`` elements.

    Cuts in time of levels below ``c`` and over units of levels below ``u`` keep every piece; the others keep the first
    piece only (the sequencer's first trip; one unit for all).

    Args:
        extent: elements along the dim.
        chain: sizes, see the module.
        cuts: how many cuts, 0 to ``3 L``.
        c, u: levels whose cuts in time, over units keep every piece.
        excess: -1 counts the pieces; otherwise the sum of ``max(0, piece - excess)``.
        work: scratch, at least ``cuts + 1`` long.
    """
    for k in range(cuts, -1, -1):  # work[k]: the sum over a whole piece of cut k - 1, from the innermost outwards
        rest = extent if k == 0 else chain[k - 1]
        total = rest - rest
        for cut in range(k, cuts):
            size = chain[cut]
            if rest >= size:
                every = cut // 3 < c if cut % 3 == 0 else cut // 3 < u
                if every:
                    total += rest // size * work[cut + 1]
                    rest = rest % size
                else:
                    total += work[cut + 1]
                    rest = rest - rest
                if rest == 0:
                    break
        if rest > 0:
            if excess < 0:
                total += 1
            elif rest > excess:
                total += rest - excess
        work[k] = total
    return work[0]


def stays(extent: Any, chain: Any, c: int, m: int, at: Any) -> bool:
    """Whether the loops at levels ``c .. m - 1`` take one trip in the steps that element ``at`` takes part in."""
    rest = at
    size = extent  # the first unit's block: the sequencer's trips are the first unit's
    for level in range(m):
        step = chain[3 * level]
        if level >= c and size > step:
            return False
        trip = rest // step
        rest = (rest - trip * step) % chain[3 * level + 1] % chain[3 * level + 2]
        size = min(size - trip * step, step, chain[3 * level + 2])
    return True


def single(extent: Any, chain: Any, c: int, m: int) -> Any:
    """Elements along a dim whose tile stays over its loops at levels ``c .. m - 1``, since these take one trip.

    Either all of ``extent``; or, where those loops cut, only ragged tiles, small enough for one trip. With one level in
    time above, that is the last tile of all, which belongs to the first unit alone: its size is the volume, at the end
    of the extent. -1 where more tiles than the last may be ragged: ask :func:`stays` for each element.
    """
    first, last = -1, -1
    for level in range(c, m):
        above = extent if level == 0 else chain[3 * level - 1]
        if chain[3 * level] < above:
            if first < 0:
                first = level
            last = level
    if first < 0:
        return extent
    rest = extent
    for level in range(first):
        if level > 0 and chain[3 * level - 1] % chain[3 * level] != 0:
            return extent - extent - 1
        rest = (rest - 1) % chain[3 * level] + 1
        rest = min(rest, chain[3 * level + 2])
    return rest if rest <= chain[3 * last] else rest - rest


def staying(extent: Any, chain: Any, c: int, m: int) -> Any:
    """:func:`single`, by :func:`stays` where it has no closed form."""
    part = single(extent, chain, c, m)
    if part < 0:
        if extent > MAX_WALK:
            raise OverflowError("ragged tiles beyond what the model walks")
        part = extent - extent
        for at in range(extent):
            if stays(extent, chain, c, m, at):
                part += 1
    return part


def union_cuts(extent: Any, chain: Any, q: int, m: int) -> int:
    """Cuts of a chain whose pieces are what the units between memory ``q`` and level ``m`` take *together* in a step.

    -1 where the units' shares do not lie side by side (a cut in time below a cut over units, both real).
    """
    cuts = 3 * m
    spread = False
    for cut in range(3 * q, 3 * m):
        above = extent if cut == 0 else chain[cut - 1]
        if chain[cut] < above:
            if cut % 3 != 0:
                if not spread:
                    cuts = cut
                spread = True
            elif spread:
                return -1
    return cuts


def piece(extent: Any, chain: Any, cuts: int, at: Any) -> tuple[Any, Any]:
    """Start and size of the piece, after ``cuts`` cuts, that element ``at`` lies in."""
    base = at - at
    size = extent
    for cut in range(cuts):
        index = (at - base) // chain[cut]
        base += index * chain[cut]
        size = min(chain[cut], size - index * chain[cut])
    return base, size


def group(chain: Any, u: int, m: int, at: Any) -> Any:
    """Name of the set of elements asked for together with element ``at``: shares below level ``u`` told apart."""
    base = at - at
    rest = at
    for cut in range(3 * m):
        index = rest // chain[cut]
        rest -= index * chain[cut]
        if cut % 3 == 0 or cut // 3 < u:
            base += index * chain[cut]
    return base


def spread(chain: Any, m: int) -> bool:
    """Whether units share the dim in the levels above ``m``."""
    units = 1
    for level in range(m):
        units *= chain[3 * level] - chain[3 * level + 2] + 1
    return bool(units > 1)
