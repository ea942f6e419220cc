"""How far two networks are apart: what it costs to move the layers of one onto those of the other (Kandasamy 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

#: A layer: its operator and its depth, the most layers between it and the network's input.
Mass: TypeAlias = tuple[str, int]
#: What a level of depth costs, and another size of the same operator, where another operator costs 1.
_DEPTH, _SIZE = 0.3, 0.3
#: Digits and what stands between them: "nor_conv_3x3" and "nor_conv_1x1" are one operator in two sizes.
_SIZES = "0123456789x_"


@dataclass(frozen=True)
class OperatorGraph:
    """A network as its operators and what flows between them: what the hook "graph" gives for a point.

    Attributes:
        labels: operator of each node.
        edges: (from, to), places of nodes.
    """

    labels: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]


def transport(one: Sequence[Mass], other: Sequence[Mass]) -> float:
    """Least cost of moving one network's layers onto the other's; 0: alike.

    A layer without a partner costs 1; a move costs at most 2, so that deleting a layer and making another is never
    dearer.
    """
    most, least = max(len(one), len(other)), min(len(one), len(other))
    if not least:
        return float(most)
    kinds = np.array([[_kinds(a[0], b[0]) for b in other] for a in one])
    depths = np.abs(np.array([a[1] for a in one])[:, None] - np.array([b[1] for b in other])[None, :])
    cost = np.minimum(kinds + _DEPTH * depths, 2.0)
    # Imported where it is used: reading a recipe registers the spaces, and half its time would go here.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].sum() + most - least)


def _kinds(one: str, other: str) -> float:
    if one == other:
        return 0.0
    return _SIZE if one.rstrip(_SIZES) == other.rstrip(_SIZES) else 1.0
