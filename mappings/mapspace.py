"""Many mappings at once, as columns: the form that the batch model evaluates and that the mapper generates.

A mapping of one layer on ``L`` memory levels is a *chain* of sizes for each dim, a loop order for each level, and the
tensors that each level stores. The chain of a dim cuts its bound ``3 L`` times, level by level, DRAM first: in time,
then over the units below along axis 0, then along axis 1. Sizes never grow, and the last is 1: a MAC takes one element.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mappings.errors import Fault, SpecError
from mappings.layer import DIMS, TENSORS

DIM_COUNT = len(DIMS)
RANK_BITS = 4
ALL_TENSORS = (1 << len(TENSORS)) - 1


def order_code(order: tuple[int, ...]) -> int:
    """A loop order, dims outermost first, as one integer: four bits a dim hold its distance from the innermost loop."""
    return sum((DIM_COUNT - 1 - place) << (RANK_BITS * dim) for place, dim in enumerate(order))


def order_of(code: int) -> tuple[int, ...]:
    """The reverse of :func:`order_code`."""
    return tuple(sorted(range(DIM_COUNT), key=lambda dim: -((code >> (RANK_BITS * dim)) & (2**RANK_BITS - 1))))


#: Outermost first: G N K C P Q R S.
DEFAULT_ORDER = order_code(tuple(range(DIM_COUNT)))


@dataclass(frozen=True)
class MappingColumns:
    """``n`` mappings of some layers on some accelerators with ``L`` memory levels each.

    Attributes:
        chains: int32 (8, 3 L, n): sizes after each cut, by dim; see the module.
        orders: int32 (L, n): loop order of each level, see :func:`order_code`.
        keeps: uint8 (L, n): bit 0, 1, 2 set where the level stores I, W, O; level 0 stores all.
        layer: int32 (n,): index into the list of layers.
        accelerator: int32 (n,): index into the list of accelerators.
    """

    chains: NDArray[np.int32]
    orders: NDArray[np.int32]
    keeps: NDArray[np.uint8]
    layer: NDArray[np.int32]
    accelerator: NDArray[np.int32]

    def __post_init__(self) -> None:
        levels, n = self.orders.shape if self.orders.ndim == 2 else (0, 0)
        wanted: dict[str, tuple[tuple[int, ...], type]] = {
            "chains": ((DIM_COUNT, 3 * levels, n), np.int32),
            "orders": ((levels, n), np.int32),
            "keeps": ((levels, n), np.uint8),
            "layer": ((n,), np.int32),
            "accelerator": ((n,), np.int32),
        }
        faults = [
            Fault(f"columns.{name}", f"is {value.dtype} {value.shape}", f"{np.dtype(kind).name} {shape}")
            for name, (shape, kind) in wanted.items()
            if (value := getattr(self, name)).shape != shape or value.dtype != kind
        ]
        if faults:
            raise SpecError(faults)

    def __len__(self) -> int:
        return int(self.orders.shape[1])

    @property
    def levels(self) -> int:
        """Memory levels, DRAM included."""
        return int(self.orders.shape[0])

    def rows(self, index: slice | NDArray[np.int64] | NDArray[np.bool_]) -> MappingColumns:
        """Some of the mappings."""
        return MappingColumns(
            np.ascontiguousarray(self.chains[..., index]),
            np.ascontiguousarray(self.orders[..., index]),
            np.ascontiguousarray(self.keeps[..., index]),
            self.layer[index],
            self.accelerator[index],
        )

    @classmethod
    def empty(cls, levels: int, n: int) -> MappingColumns:
        """Room for ``n`` mappings: chains of ones, the default order, everything stored everywhere."""
        return cls(
            np.ones((DIM_COUNT, 3 * levels, n), np.int32),
            np.full((levels, n), DEFAULT_ORDER, np.int32),
            np.full((levels, n), ALL_TENSORS, np.uint8),
            np.zeros(n, np.int32),
            np.zeros(n, np.int32),
        )

    @classmethod
    def join(cls, parts: list[MappingColumns]) -> MappingColumns:
        """One after another; all with the same number of levels."""
        return cls(
            np.concatenate([part.chains for part in parts], axis=-1),
            np.concatenate([part.orders for part in parts], axis=-1),
            np.concatenate([part.keeps for part in parts], axis=-1),
            np.concatenate([part.layer for part in parts]),
            np.concatenate([part.accelerator for part in parts]),
        )


def divisors(n: int) -> list[int]:
    """Divisors of ``n``, ascending."""
    low = [k for k in range(1, math.isqrt(n) + 1) if n % k == 0]
    return low + [n // k for k in reversed(low) if k * k != n]
