"""What the mapper searches for one layer on one accelerator: sizes, spreads and what each memory may store."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from accel_models.columns.tables import Ints, LayerTable, MachineTable, layer_table, machine_table
from accel_models.hardware.accelerator import Accelerator
from accel_models.mapper.spatial import spread_choices
from accel_models.reuse.formulas import DIM_COUNT, I, P
from mappings.dataflow import ROLES, Dataflow
from mappings.layer import DIMS, TENSORS, Layer
from mappings.mapspace import ALL_TENSORS, divisors, order_code

#: Most vectors of divisors, and of spreads, that the exact search lists.
MAX_TILES = 400_000
MAX_SPREADS = 200_000
NO_TENSOR = 3


class Limits(NamedTuple):
    """What a dataflow allows.

    Attributes:
        axes: (L, 8, 2) 1 where a dim may spread over an axis of the fan-out below a level.
        stores: (L, 3) 1 where a level may store a tensor; a level that may must not always.
    """

    axes: Ints
    stores: Ints


class Space(NamedTuple):
    """One layer on one accelerator.

    Attributes:
        layer, machine: tables of the batch model.
        limits: see :class:`Limits`.
        sizes, counts: (8, most) divisors of each dim, and how many.
        kind: (8,) the tensor that a dim is missing from, ``NO_TENSOR`` where none is; -1: more than one.
        codes: (n,) loop orders worth trying: with the dims that a tensor is missing innermost; where a memory slides,
            also with each dim of a window as the innermost that moves the input.
        code_start: (4,) where those of I, of W, of O begin in ``codes``, and the end.
    """

    layer: LayerTable
    machine: MachineTable
    limits: Limits
    sizes: Ints
    counts: Ints
    kind: Ints
    codes: Ints
    code_start: Ints


def prime_factors(n: int) -> list[int]:
    """Prime factors of ``n`` with repetition."""
    out, p = [], 2
    while p * p <= n:
        while n % p == 0:
            out.append(p)
            n //= p
        p += 1
    return out + [n] * (n > 1)


def free_limits(layer: Layer, accelerator: Accelerator) -> Limits:
    """No limits but the machine's."""
    machine = machine_table(layer, accelerator)
    return Limits(np.ones((len(machine.holds), DIM_COUNT, 2), np.int64), machine.holds.copy())


def dataflow_limits(layer: Layer, accelerator: Accelerator, dataflow: Dataflow) -> Limits:
    """What a named dataflow fixes: the dims along each axis of the array, and the tensors that its memories skip.

    The first axis of the hierarchy takes the dims of role "rows", the second those of "cols", any further those of
    both; an array of one axis takes both. Tile sizes and loop orders stay free.
    """
    machine = machine_table(layer, accelerator)
    spread = [{step.dim for step in role if step.spatial} for role in dataflow.roles]
    rows, cols = spread[ROLES.index("rows")], spread[ROLES.index("cols")]
    real = [(m, a) for m in range(len(machine.fanout)) for a in range(2) if machine.fanout[m, a] > 1]
    axes = np.zeros((len(machine.fanout), DIM_COUNT, 2), np.int64)
    for place, (m, a) in enumerate(real):
        wanted = rows | cols if len(real) == 1 or place > 1 else (rows, cols)[place]
        for d, dim in enumerate(DIMS):
            axes[m, d, a] = int(dim in wanted)
    stores = machine.holds.copy()
    for role, tensor in dataflow.bypass:
        stores[_level_of(role, real, len(machine.fanout)), TENSORS.index(tensor)] = 0
    return Limits(axes, stores)


def _level_of(role: str, real: list[tuple[int, int]], levels: int) -> int:
    """The memory that feeds the rows, feeds the columns, or is in the PE."""
    if role == "pe" or not real:
        return levels - 1
    return max(1, real[min(ROLES.index(role) - 1, len(real) - 1)][0])


def space_of(layer: Layer, accelerator: Accelerator, limits: Limits) -> Space:
    """The space of one layer on one accelerator."""
    table, machine = layer_table(layer), machine_table(layer, accelerator)
    choices = [divisors(int(bound)) for bound in table.bounds]
    sizes = np.ones((DIM_COUNT, max(map(len, choices))), np.int64)
    for d, values in enumerate(choices):
        sizes[d, : len(values)] = values
    kind = np.full(DIM_COUNT, NO_TENSOR, np.int64)
    for d in range(DIM_COUNT):
        missing = [x for x in range(3) if table.exists[x] and not table.relevant[x, d]]
        if table.bounds[d] > 1 and missing:
            kind[d] = missing[0] if len(missing) == 1 else -1
    codes, starts = [], [0]
    for x in range(3):
        codes += _orders(x, kind, table, bool(machine.slides.any()))
        starts.append(len(codes))
    counts = np.array([len(values) for values in choices])
    return Space(table, machine, limits, sizes, counts, kind, np.array(codes, np.int64), np.array(starts, np.int64))


def _orders(x: int, kind: Ints, layer: LayerTable, slides: bool) -> list[int]:
    """Orders with the dims that tensor ``x`` is missing innermost; each dim that may slide comes last in turn."""
    windows = [d for d in range(P, DIM_COUNT) if slides and layer.bounds[d] > 1 and (x == I or kind[d] == x)]
    return [
        order_code(tuple(sorted(range(DIM_COUNT), key=lambda d, w=w: (kind[d] == x, d == w, d))))  # type: ignore[misc]
        for w in windows or [-1]
    ]


def exact_applies(space: Space) -> bool:
    """Whether the branch and bound covers this space: DRAM, a buffer with the array below it, one memory a PE."""
    fanout = space.machine.fanout.prod(axis=1)
    return (
        len(fanout) == 3
        and fanout[0] == 1
        and fanout[2] == 1
        and bool((space.kind >= 0).all())
        and space.layer.closed
        and int(np.prod(space.counts)) <= MAX_TILES
    )


def all_tiles(space: Space) -> Ints:
    """(n, 8): every vector of divisors."""
    grids = np.meshgrid(*[space.sizes[d, : space.counts[d]] for d in range(DIM_COUNT)], indexing="ij")
    return np.stack([grid.ravel() for grid in grids], axis=1)


def all_spreads(space: Space, level: int) -> Ints:
    """(n, 8): every vector of units over the array below a level; ``MAX_SPREADS`` long where some are missing."""
    fanout = space.machine.fanout[level]
    factors, counts = np.ones_like(space.sizes), np.ones(DIM_COUNT, np.int64)
    for d in range(DIM_COUNT):
        values = [v for v in space.sizes[d, : space.counts[d]] if v <= fanout.prod()]
        factors[d, : len(values)] = values
        counts[d] = len(values)
    out: Ints = spread_choices(factors, counts, fanout, space.limits.axes[level], MAX_SPREADS)
    return out


def masks(space: Space, level: int) -> Ints:
    """Every choice of tensors that a level stores, most first; tensors that the layer lacks are left out."""
    may = [
        range(2) if space.limits.stores[level, x] and space.machine.holds[level, x] and space.layer.exists[x] else (0,)
        for x in range(3)
    ]
    found = [sum(bit << x for x, bit in enumerate(bits)) for bits in product(*may)]
    return np.array(sorted(found, key=lambda mask: -mask.bit_count()), np.int64)


def store_choices(space: Space) -> tuple[Ints, Ints]:
    """(L, 8) masks that each level may store, and (L,) how many; DRAM stores all."""
    levels = len(space.machine.fanout)
    choices, count = np.full((levels, 1 << len(TENSORS)), ALL_TENSORS, np.int64), np.ones(levels, np.int64)
    for level in range(1, levels):
        legal = masks(space, level)
        choices[level, : len(legal)], count[level] = legal, len(legal)
    return choices, count
