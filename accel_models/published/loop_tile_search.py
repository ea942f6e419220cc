"""The fastest loop-tile accelerator for a network on a board, proved: every integer size is considered.

What is left out cannot be better. All of cycles' factors but the numbers of tiles grow with each size, so of the sizes
that give every layer the same numbers of tiles the least is the best and the smallest; those are the ``ceil(n / j)``
of the layers' extents. More words a port are never slower, so all bits of the interface are dealt out. A pair of ``Tm,
Tn``, and a tile, is passed over where its multipliers alone take longer than the best design found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_models.columns.compiled import compile_module
from accel_models.jit import compiled, entry
from accel_models.published import loop_tile_formulas as _plain
from accel_models.published.loop_tile import DSP_OF_BITS, Board, Extent, LoopTile, shapes_of
from accel_models.report import Bound, Infeasible, broken_bounds
from mappings.layer import Layer

Ints = NDArray[np.int64]
_NONE = 2**62

formulas = compile_module(_plain)


@dataclass(frozen=True)
class Fastest:
    """An answer.

    Attributes:
        machine: the accelerator.
        cycles: of the network.
        tiles, deals: accelerators without ports, and with ports, that were timed.
    """

    machine: LoopTile
    cycles: int
    tiles: int
    deals: int


def steps(extents: list[int]) -> Ints:
    """Least sizes for every number of pieces that some extent can be cut into."""
    return np.array(sorted({-(-n // j) for n in extents for j in range(1, n + 1)}), np.int64)


def fastest(
    layers: Sequence[Layer], board: Board, bits: int = 16, extent: Extent = Extent.INPUT, bounded: bool = True
) -> Fastest | Infeasible:
    """The fastest accelerator.

    Args:
        layers: dense convolutions and linear layers; other operators ride along.
        bounded: whether the memory blocks bind; False: as in the released code.

    Returns:
        The answer, or the bound that the smallest accelerator breaks.

    Raises:
        SpecError: a depthwise layer.
    """
    counted = shapes_of(layers, extent)
    shapes = np.array([[*shape, count] for shape, count in counted], np.int64)
    taps = int((shapes[:, 5] * shapes[:, 6]).max())
    words = board.port_bits // bits
    macs = min(board.dsp // DSP_OF_BITS[bits], board.lut // (2 * bits))
    blocks = board.bram18 if bounded else _NONE
    smallest = _plain.bram18(1, 1, 1, 1, taps, bits)
    remedy = "a larger board"
    broken = broken_bounds(
        (
            Bound("DSP or LUT", 1, macs, "multipliers", remedy),
            Bound("port", 3 * bits, board.port_bits, "bits", remedy),
            Bound("BRAM18", smallest, blocks, "blocks", remedy),
        )
    )
    if broken:
        return broken[0]
    pairs, tiles = _pairs(shapes, macs, blocks, taps, bits), _tiles(shapes)
    best, tally = np.full(8, _NONE, np.int64), np.zeros(2, np.int64)
    _search(shapes, pairs, tiles, np.array([words, blocks, taps, bits], np.int64), best, tally)
    tm, tn, tr, tc, weights, inputs, outputs = (int(value) for value in best[1:])
    machine = LoopTile(tm, tn, tr, tc, weights, inputs, outputs, bits=bits, extent=extent)
    return Fastest(machine, int(best[0]), int(tally[0]), int(tally[1]))


def _pairs(shapes: Ints, macs: int, blocks: int, taps: int, bits: int) -> Ints:
    """(cycles of perfect multipliers, Tm, Tn), those with the least first."""
    rows = []
    channels = steps([int(n) for n in shapes[:, 2]])
    work = shapes[:, 0] * shapes[:, 5] * shapes[:, 6] * shapes[:, 9]
    work = work * -(-shapes[:, 3] // shapes[:, 7]) * -(-shapes[:, 4] // shapes[:, 8])
    for tm in steps([int(n) for n in shapes[:, 1]]):
        for tn in channels:
            if tm * tn <= macs and _plain.bram18(int(tm), int(tn), 1, 1, taps, bits) <= blocks:
                passes = -(-shapes[:, 1] // tm) * -(-shapes[:, 2] // tn)
                rows.append((int((work * passes).sum()), int(tm), int(tn)))
    return np.array(sorted(rows), np.int64)


def _tiles(shapes: Ints) -> Ints:
    """(Tr, Tc); of two that are each other's mirror both where some layer is not square."""
    square = bool((shapes[:, 3] == shapes[:, 4]).all() and (shapes[:, 7] == shapes[:, 8]).all())
    rows, cols = (steps([int(n) for n in shapes[:, axis]]) for axis in (3, 4))
    return np.array([(r, c) for r in rows[::-1] for c in cols[::-1] if not square or r >= c], np.int64)


@compiled
def _network_cycles(shapes: Ints, tm: int, tn: int, tr: int, tc: int, w: int, i: int, o: int, most: int) -> int:
    """Cycles of all shapes; any number of ``most`` or more where they reach it."""
    total = 0
    for row in range(len(shapes)):
        s = shapes[row]
        total += s[9] * formulas.layer_cycles(
            tm, tn, tr, tc, w, i, o, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8]
        )
        if total >= most:
            break
    return total


@entry
def _search(shapes: Ints, pairs: Ints, tiles: Ints, bounds: Ints, best: Ints, tally: Ints) -> None:
    words, blocks, taps, bits = bounds[0], bounds[1], bounds[2], bounds[3]
    for a in range(len(pairs)):
        if pairs[a, 0] >= best[0]:
            break
        tm, tn = pairs[a, 1], pairs[a, 2]
        for b in range(len(tiles)):
            tr, tc = tiles[b, 0], tiles[b, 1]
            if formulas.bram18(tm, tn, tr, tc, taps, bits) > blocks:
                continue
            tally[0] += 1
            if _network_cycles(shapes, tm, tn, tr, tc, _NONE, _NONE, _NONE, best[0]) >= best[0]:
                continue
            for weights in range(1, words - 1):
                if _network_cycles(shapes, tm, tn, tr, tc, weights, words, words, best[0]) >= best[0]:
                    continue
                for inputs in range(1, words - weights):
                    outputs = words - weights - inputs
                    tally[1] += 1
                    cycles = _network_cycles(shapes, tm, tn, tr, tc, weights, inputs, outputs, best[0])
                    if cycles < best[0]:
                        found = (cycles, tm, tn, tr, tc, weights, inputs, outputs)
                        for place in range(8):
                            best[place] = found[place]
