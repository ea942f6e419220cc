"""What moves, for one nest: the formulas run on Python integers, with every intermediate to look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from accel_models.reuse import formulas
from accel_models.reuse.nest import Nest, relevance, tensors_of, windows_of
from mappings.errors import Fault, SpecError

Table = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Counts:
    """Element counts; rows are memory levels (DRAM first), columns I, W, O.

    Attributes:
        steps: stall-free compute cycles.
        macs: steps of work of all units together: MACs, window operations or elementwise operations.
        reads, writes: ``L`` rows.
        arrivals, returns: ``L + 1`` rows (the last: the MACs): what came down into, what went up out of, the level.
        peaks: ``L`` rows, elements of the largest tile in one memory (0 where the level does not store it).
        units: memories of each level that have work.
    """

    steps: int
    macs: int
    reads: Table
    writes: Table
    arrivals: Table
    returns: Table
    peaks: Table
    units: tuple[int, ...]


@lru_cache(maxsize=4096)
def _profile(extent: int, chain: tuple[int, ...], levels: int) -> tuple[int, ...]:
    """``formulas.profile`` of one dim; the same few chains come again and again."""
    row = [0] * formulas.profile_length(levels)
    formulas.profile(extent, chain, levels, row, [0] * (3 * levels + 1))
    return tuple(row)


def profiles_of(nest: Nest) -> list[tuple[int, ...]]:
    """``formulas.profile`` of each dim."""
    return [_profile(extent, chain, nest.levels) for extent, chain in zip(nest.bounds, nest.chains, strict=True)]


def count(nest: Nest) -> Counts:
    """Evaluate the formulas on one nest (of a transposed convolution: on each of ``parts.nests_of``).

    Raises:
        SpecError: very ragged windows beyond ``formulas.MAX_WALK`` iterations.
    """
    levels = nest.levels
    profiles = profiles_of(nest)
    reads, writes = ([[0] * 3 for _ in range(levels)] for _ in range(2))
    arrivals, returns = ([[0] * 3 for _ in range(levels + 1)] for _ in range(2))
    try:
        _fill(nest, profiles, reads, writes, arrivals, returns)
        peaks = _peaks(nest)
    except OverflowError as error:
        raise SpecError(Fault(f"layer {nest.layer.name}", str(error), f"{formulas.MAX_WALK:,} iterations")) from None
    scans = nest.layer.op.spec.scans
    macs = scans
    for extent in nest.bounds:
        macs *= extent
    return Counts(
        steps=formulas.steps(levels, profiles) * scans,
        macs=macs,
        reads=table(reads),
        writes=table(writes),
        arrivals=table(arrivals),
        returns=table(returns),
        peaks=table(peaks),
        units=tuple(formulas.units(m, profiles, levels) for m in range(levels)),
    )


def _fill(
    nest: Nest,
    profiles: list[tuple[int, ...]],
    reads: list[list[int]],
    writes: list[list[int]],
    arrivals: list[list[int]],
    returns: list[list[int]],
) -> None:
    levels, bounds = nest.levels, nest.bounds
    exists, relevant, windows = tensors_of(nest.layer.op), relevance(nest.layer.op), windows_of(nest.layer)
    formulas.count(
        levels,
        nest.layer.op.spec.scans,
        bounds,
        nest.chains,
        nest.orders,
        relevant,
        exists,
        windows,
        nest.keeps,
        nest.multicast,
        nest.reduction,
        profiles,
        reads,
        writes,
        arrivals,
        returns,
        [0] * (3 * levels + 1),
    )


def _peaks(nest: Nest) -> list[list[int]]:
    exists, relevant, windows = tensors_of(nest.layer.op), relevance(nest.layer.op), windows_of(nest.layer)
    return [
        [
            formulas.tile_elements(x, m, nest.bounds, nest.chains, relevant, windows) if keeps[x] and exists[x] else 0
            for x in range(3)
        ]
        for m, keeps in enumerate(nest.keeps)
    ]


def table(rows: list[list[int]]) -> Table:
    """Rows of I, W, O as tuples."""
    return tuple((row[0], row[1], row[2]) for row in rows)
