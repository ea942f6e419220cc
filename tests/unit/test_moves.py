"""Reshapes told by a few numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.moves import layer_index, moves_of

SOURCE = (2, 6, 8, 5)
ALL = np.arange(np.prod(SOURCE)).reshape(SOURCE)

CASES: list[tuple[Any, str]] = [
    (ALL, ""),
    (ALL.reshape(2, 48, 1, 5), ""),
    (ALL[:, :, :1], "box"),
    (ALL[:, 2:5, 1::3, ::2], "box"),
    (np.repeat(np.repeat(ALL, 2, axis=2), 3, axis=3), "box"),
    (np.repeat(ALL, 3, axis=2)[:, 1:2, :7], "box"),
    (np.roll(ALL, 1, axis=2), "list"),
    (ALL[:, ::-1], "list"),
    (ALL[:, ::2], "list"),
    (ALL.transpose(0, 1, 3, 2), "list"),
    (np.repeat(ALL, 2, axis=2)[:, :, 1:], "list"),
    (ALL[:1], "list"),
    (np.pad(ALL, ((0, 0), (0, 0), (1, 0), (0, 0)), constant_values=-1), "list"),
]


@pytest.mark.parametrize(("index", "kind"), CASES)
def test_what_is_told_is_what_moves(index: Any, kind: str) -> None:
    fields = moves_of(index, SOURCE)
    assert fields["moves"] == kind
    n, c, h, w = index.shape
    layer = Layer("r", Op.RESHAPE, N=n, groups=c, P=h, Q=w, inputs=("x",), **fields)
    told = layer_index(layer, SOURCE)
    if kind == "list":
        assert told is None
    else:
        np.testing.assert_array_equal(told, index)
    assert Layer.from_dict(layer.to_dict()) == layer


def test_boxes_beyond_the_source() -> None:
    layer = Layer("r", Op.RESHAPE, N=2, groups=3, P=4, moves="box", origin=(4, 0, 0), inputs=("x",))
    assert layer_index(layer, SOURCE) is None
    with pytest.raises(SpecError, match="moves"):
        Layer("r", Op.RESHAPE, moves="bxo")
