"""Places of tensors: nothing overlaps, parts lie where the whole has them, transfers touch just their words."""

from __future__ import annotations

import numpy as np
import pytest

from accel_models.schedule.commands import Buffer
from accel_models.schedule.memory import Memory
from accel_models.schedule.placing import Placement, place_tensors
from accel_models.schedule.tensors import TensorLayout, dense_places
from accel_models.template.spec import Template
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload

TEMPLATE = Template(rows=8, cols=8)


def placed(inputs: tuple[TensorShape, ...], *layers: Layer) -> Placement:
    return place_tensors(Workload("w", inputs, layers), TEMPLATE, Memory())


def class_token() -> tuple[Layer, ...]:
    """Patches to tokens behind a stored one, positions, one block's linear layer, the first token."""
    return (
        Layer("patches", Op.CONV, K=16, C=3, P=4, Q=4, R=2, S=2, stride=(2, 2), inputs=("x",)),
        Layer("flat", Op.RESHAPE, groups=16, P=16, inputs=("patches",)),
        Layer("token", Op.CONSTANT, groups=16),
        Layer("all", Op.CONCAT, groups=16, P=17, axis="P", inputs=("token", "flat")),
        Layer("mixed", Op.LINEAR, K=16, C=16, P=17, inputs=("all",)),
        Layer("first", Op.RESHAPE, groups=16, moves="box", inputs=("mixed",)),
        Layer("fc", Op.LINEAR, K=4, C=16, inputs=("first",)),
    )


def test_a_class_token_costs_no_copy() -> None:
    placement = placed((TensorShape("x", C=3, H=8, W=8),), *class_token())
    t = placement.tensors
    assert not placement.copies
    assert t["token"].addr == t["all"].addr
    assert t["flat"].addr == t["patches"].addr == t["all"].addr + t["all"].word_bytes
    assert t["patches"].plane_words == 17
    np.testing.assert_array_equal(t["patches"].words().reshape(2, 16), t["all"].words()[:, 1:, 0])
    np.testing.assert_array_equal(t["first"].words()[:, 0, 0], t["mixed"].words()[:, 0, 0])


def test_an_operand_of_two_joins_is_copied_into_the_second() -> None:
    shape = {"P": 4, "Q": 4}
    layers = (
        Layer("a", Op.CONV, K=8, C=8, inputs=("x",), **shape),
        Layer("b", Op.CONV, K=8, C=8, inputs=("x",), **shape),
        Layer("one", Op.CONCAT, groups=16, inputs=("a", "b"), **shape),
        Layer("two", Op.CONCAT, groups=16, inputs=("b", "x"), **shape),
        Layer("three", Op.CONCAT, groups=24, inputs=("one", "a"), **shape),
    )
    placement = placed((TensorShape("x", C=8, H=4, W=4),), *layers)
    assert {name: len(found) for name, found in placement.copies.items()} == {"two": 1, "three": 1}
    t = placement.tensors
    assert t["one"].addr == t["three"].addr
    assert t["x"].addr == t["two"].addr + t["two"].plane_bytes
    copy = placement.copies["two"][0]
    assert (copy.source.addr, copy.target.addr) == (t["b"].addr, t["two"].addr)


def test_an_enlargement_is_one_copy_for_each_phase() -> None:
    up = Layer("up", Op.RESHAPE, groups=8, P=7, Q=4, dilation=(2, 1), moves="box", inputs=("x",))
    copies = placed((TensorShape("x", C=8, H=4, W=4),), up).copies["up"]
    assert [(copy.source.rows, copy.target.rows, copy.target.row_words) for copy in copies] == [(4, 4, 8), (3, 3, 8)]
    words = np.concatenate([copy.target.words().reshape(-1) for copy in copies])
    assert len(np.unique(words)) == len(words) == 28


def test_heads_of_any_width_begin_words_where_weights_put_them() -> None:
    layers = (
        Layer("q", Op.LINEAR, K=15, C=8, P=6, inputs=("x",)),
        Layer("k", Op.LINEAR, K=15, C=8, P=6, inputs=("x",)),
        Layer("scores", Op.MATMUL, groups=3, C=5, K=6, P=6, transpose_b=True, inputs=("q", "k")),
    )
    t = placed((TensorShape("x", C=8, H=6),), *layers).tensors
    assert t["q"].places.tolist() == [*range(5), *range(8, 13), *range(16, 21)]
    assert t["q"].blocks == 3
    assert t["scores"].places[6] == 8


def test_lanes_that_are_not_zero_before_a_product_are_refused() -> None:
    layers = (
        Layer("bent", Op.ACT, P=6, groups=5, activation="sigmoid", inputs=("x",)),
        Layer("y", Op.MATMUL, C=5, K=4, P=6, inputs=("bent", "z")),
    )
    with pytest.raises(SpecError, match="is not 0 at 0"):
        placed((TensorShape("x", C=5, H=6), TensorShape("z", C=4, H=5)), *layers)


def test_rows_of_channels_with_gaps_are_refused() -> None:
    layers = (
        Layer("a", Op.LINEAR, K=4, C=8, P=6, inputs=("x",)),
        Layer("b", Op.LINEAR, K=4, C=8, P=6, inputs=("x",)),
        Layer("ab", Op.CONCAT, groups=8, P=6, inputs=("a", "b")),
        Layer("norm", Op.LAYERNORM, K=8, C=8, P=6, inputs=("ab",)),
    )
    with pytest.raises(SpecError, match="do not fill channel words"):
        placed((TensorShape("x", C=8, H=6),), *layers)


@pytest.mark.parametrize("seed", range(20))
def test_transfers_cover_a_box_and_nothing_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocks, rows, cols = (int(v) for v in rng.integers(1, 6, 3))
    whole = TensorLayout("t", 64, dense_places(8 * blocks), blocks, 1, rows, cols, 8, 8, 0, rows * cols, cols)
    steps = [int(v) for v in rng.integers(1, 3, 2)]
    part = whole.part((0, -(-rows // steps[0])), (0, -(-cols // steps[1])), *steps)
    spans = []
    for size in (part.blocks, part.rows, part.cols):
        first = int(rng.integers(0, size))
        spans.append((first, int(rng.integers(1, size - first + 1))))
    wanted = part.words()[tuple(slice(first, first + count) for first, count in spans)].reshape(-1)
    found, base = [], 0
    for body in part.box(Buffer.INPUT, 0, *spans):
        assert body.base == base
        base += body.words
        for j, i, word in np.ndindex(body.count2, body.count1, body.count0):
            found.append(body.addr + j * body.stride2 + i * body.stride1 + word * 8)
    np.testing.assert_array_equal(found, wanted)
