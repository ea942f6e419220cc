"""The legal tiles of a layer on one of our templates: the mapspace of its program, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from accel_models.pricing.machine import Ints
from accel_models.schedule.tiling import PARTS, Shape, Tiling, demand, group_span, shape_of
from accel_models.template.array_timing import ceil_div
from accel_models.template.spec import Template
from mappings.layer import Layer

#: Ways to list the sizes of a dim: all; the least one of each number of tiles; even cuts; halves of halves.
EVERY, BY_TILES, EVEN, HALVES = range(4)
_CODES = {"K": 0, "P": 1, "Q": 2}
#: Each tile of outputs is drained and stored; a layer begins with a setting, a program ends with a command.
OUTPUT_COMMANDS, FIXED_COMMANDS = 2, 2


def row_of(t: Tiling) -> tuple[int, int, int, int, int, int]:
    """A tiling as a row of `accel_models.pricing.tiles`."""
    first, second, third = (_CODES[dim] for dim in t.order)
    return t.k, t.c, t.p, t.q, first * 9 + second * 3 + third, t.r


def tiling_of_row(row: Sequence[int] | Ints) -> Tiling:
    """The reverse of :func:`row_of`."""
    k, c, p, q, code, r = (int(value) for value in row)
    return Tiling(k, c, p, q, "".join("KPQ"[place] for place in (code // 9, code // 3 % 3, code % 3)), r)


@dataclass(frozen=True, eq=False)
class TileSpace:
    """Tilings that the buffers hold.

    Attributes:
        rows: ``[n, TILING_COLUMNS]``, those with the fewest commands first.
        commands: ``[n]``, a program has at least so many.
        whole: whether every legal tiling is there, orders that make the same program once.
    """

    rows: Ints
    commands: Ints
    whole: bool


def tile_space(layer: Layer, template: Template, most: int) -> TileSpace:
    """The legal tilings of a layer; a part of them where there are more than ``most``.

    Args:
        layer: of the array or the other units; of a transposed convolution, one phase.
        template: the accelerator.
        most: sizes are thinned until so many are left, or the thinnest lists are reached.
    """
    shape = shape_of(layer, template)
    for thin in (EVERY, BY_TILES, EVEN, HALVES):
        sizes = _sizes(layer, shape, template, thin)
        total = 1
        for column in sizes:
            total *= len(column)
        if total <= most or thin == HALVES:
            break
    rows, least = _listed(layer, shape, template, sizes)
    fewest = np.argsort(least, kind="stable")
    return TileSpace(rows[fewest], least[fewest], thin == EVERY)


def neighbours(layer: Layer, template: Template, row: Ints) -> Ints:
    """Tilings that the buffers hold and that differ from one in one size, or in the order."""
    shape = shape_of(layer, template)
    every, t = _sizes(layer, shape, template, BY_TILES), tiling_of_row(row.tolist())
    here = ([t.k], [t.c], [t.p], [t.q], [t.r])
    parts = [_listed(layer, shape, template, (*here[:i], every[i], *here[i + 1 :]))[0] for i in range(len(here))]
    return np.unique(np.concatenate(parts), axis=0)


def _listed(layer: Layer, shape: Shape, template: Template, sizes: tuple[list[int], ...]) -> tuple[Ints, Ints]:
    """Tilings of such sizes that the buffers hold, in every order, and the fewest commands of each."""
    found: list[tuple[int, ...]] = []
    commands: list[int] = []
    for k, p, q, r in product(sizes[0], sizes[2], sizes[3], sizes[4]):
        for c in (group_span(layer, k, template.word_lanes),) if shape.groups > 1 else sizes[1]:
            tiling = Tiling(k, c, p, q, "KPQ", r)
            if any(need > bound for need, bound in demand(shape, tiling, template).values()):
                continue
            trips = {"K": shape.k // shape.unit_k * ceil_div(shape.unit_k, k)}
            trips |= {"P": ceil_div(layer.P, p), "Q": ceil_div(layer.Q, q)}
            if shape.row_k:
                trips["K"] = shape.k // shape.row_k
            outputs = layer.N * trips["K"] * trips["P"] * trips["Q"]
            sums = 1 if shape.vector or shape.groups > 1 else ceil_div(shape.c, c)
            sums *= ceil_div(shape.r, r or shape.r)
            for order in _orders(trips):
                found.append(row_of(tiling._replace(order=order)))
                commands.append(FIXED_COMMANDS + outputs * (OUTPUT_COMMANDS + sums))
    return np.array(found, dtype=np.int64).reshape(-1, 6), np.array(commands, dtype=np.int64)


def _orders(trips: dict[str, int]) -> list[str]:
    """Loop orders that make different programs: loops of one trip stand in front."""
    still = "".join(dim for dim in "KPQ" if trips[dim] == 1)
    moving = [dim for dim in "KPQ" if trips[dim] > 1]
    return [still + "".join(order) for order in permutations(moving)]


def _sizes(layer: Layer, shape: Shape, template: Template, thin: int) -> tuple[list[int], ...]:
    """Sizes of K, C, P, Q and rows of the filter (0: all)."""
    lanes = template.word_lanes
    if shape.row_k:
        ks = [shape.row_k]
    else:
        ks = [size for size in _cuts(shape.unit_k, lanes, thin) if _readable(layer, shape, size, lanes)]
    free = not shape.vector and shape.groups == 1 and not layer.op.spec.is_product
    cs = _cuts(shape.c, lanes, thin) if free else [shape.c]
    held = [0, *(size for size in _cuts(shape.r, 1, thin) if size < shape.r)]
    return ks, cs, _cuts(layer.P, 1, thin), _cuts(layer.Q, 1, thin), held


def _readable(layer: Layer, shape: Shape, k: int, lanes: int) -> bool:
    """Whether a mapping can say so many channels: of a grouped convolution whole groups, or a part of one."""
    if shape.groups == 1 or k < layer.K:
        return True
    return ceil_div(min(k // layer.K, layer.groups) * layer.K, lanes) * lanes == k


def _cuts(total: int, step: int, thin: int) -> list[int]:
    """Sizes of the tiles into which ``total`` may be cut, multiples of ``step``, largest first."""
    parts = ceil_div(total, step)
    if thin == EVERY:
        found = set(range(1, parts + 1))
    elif thin == BY_TILES:
        found = {ceil_div(parts, count) for count in range(1, parts + 1)}
    elif thin == EVEN:
        found = {ceil_div(parts, part) for part in PARTS} | {1}
    else:
        found = {ceil_div(parts, 1 << halved) for halved in range(parts.bit_length() + 1)}
    return sorted((min(size * step, total) for size in found), reverse=True)
