"""What branch and bound lists, as columns: candidates of both sides of the nest, and what they are judged by."""

from __future__ import annotations

from typing import Any, NamedTuple


class Known(NamedTuple):
    """What all candidates share.

    Attributes:
        tiles: (n, 8) all vectors of divisors.
        narrow: bits an element of I, W, O, partial sums.
        read_pj, write_pj: energy an element by level and those, 0 where not modelled.
        whole: elements of each tensor.
    """

    tiles: Any
    narrow: Any
    read_pj: Any
    write_pj: Any
    whole: Any


class Outer(NamedTuple):
    """Candidates of DRAM and buffer.

    Attributes:
        energy, cycles: least energy, and cycles of the ports, between the two.
        tile, order: place in ``Known.tiles``; the tensor that DRAM's order reuses.
        fill, drain: bits written to and read from the buffer.
        ranked: their places, the best first.
    """

    energy: Any
    cycles: Any
    tile: Any
    order: Any
    fill: Any
    drain: Any
    ranked: Any


class Least(NamedTuple):
    """Least figures of all outer candidates."""

    energy: float
    cycles: float


class Spreads(NamedTuple):
    """Nodes: a spread of dims over the array, and the tensors that its PEs store.

    Attributes:
        energy, steps: least energy of the array itself, and its cycles.
        value, tie: bound of what it leads to.
        carried: (2, n) bits read from and written to the buffer for PEs that do not store the tensor.
    """

    energy: Any
    steps: Any
    value: Any
    tie: Any
    carried: Any


class Node(NamedTuple):
    """One of them.

    Attributes:
        mask1, mask2: tensors that the buffer and the PEs store.
        units, along: (8,) units of the array over which a dim is spread, and along its first axis.
        array_pj, steps, down, up: as :class:`Spreads` has them.
    """

    mask1: int
    mask2: int
    units: Any
    along: Any
    array_pj: float
    steps: float
    down: float
    up: float


class Leaves(NamedTuple):
    """Shares of the array, their bounds, and their places, the best first."""

    shares: Any
    energy: Any
    ranked: Any


class Aim(NamedTuple):
    """Exponents of energy and cycles, and ties; ``[value, tie-break]`` of the best so far; counters."""

    objective: Any
    best: Any
    tally: Any


class Found(NamedTuple):
    """Mappings to be evaluated, and their bounds."""

    columns: Any
    energy: Any
    cycles: Any
