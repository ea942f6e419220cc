"""Which layers ride along: their conditions, and that what runs as one comes after all it needs."""

from __future__ import annotations

import pytest

from accel_models.schedule.fusing import absorbed, chains
from accel_models.template.spec import Template
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload

PLAIN, TABLES = Template(rows=8, cols=8), Template(rows=8, cols=8, activation_tables=1)


def conv(name: str, source: str, activation: str = "") -> Layer:
    return Layer(name, Op.CONV, K=8, C=8, P=4, Q=4, activation=activation, inputs=(source,))


def same(name: str, op: Op, *sources: str, activation: str = "") -> Layer:
    return Layer(name, op, P=4, Q=4, groups=8, activation=activation, inputs=sources)


def names(template: Template, *layers: Layer, fuse: bool = True) -> list[tuple[str, ...]]:
    found = chains(Workload("w", (TensorShape("x", C=8, H=4, W=4),), layers), template, fuse)
    return [tuple(layer.name for layer in chain) for chain in found.values()]


RESIDUAL = (
    conv("a", "x", "relu"),
    conv("b", "a"),
    same("sum", Op.ADD, "b", "x"),
    same("bent", Op.ACT, "sum", activation="hardswish"),
)


def test_a_sum_and_its_activation_ride_along() -> None:
    assert names(TABLES, *RESIDUAL) == [("a",), ("b", "sum", "bent")]
    assert names(PLAIN, *RESIDUAL) == [("a",), ("b", "sum"), ("bent",)]
    assert names(TABLES, *RESIDUAL, fuse=False) == [("a",), ("b",), ("sum",), ("bent",)]


def test_the_later_of_two_operands_takes_the_sum() -> None:
    """The shortcut's convolution comes last, so the main path's result is there when it runs."""
    layers = (conv("main", "x"), conv("side", "x"), same("sum", Op.ADD, "main", "side"))
    assert names(PLAIN, *layers) == [("main",), ("side", "sum")]
    between = (layers[0], conv("side", "x"), same("bent", Op.ACT, "side", activation="silu"), layers[2])
    swapped = (*between[:3], same("sum", Op.ADD, "bent", "main"))
    # Behind a table nothing is added any more; and "main" runs before "bent" is there.
    assert names(TABLES, *swapped) == [("main",), ("side", "bent"), ("sum",)]


def test_what_others_read_is_kept() -> None:
    twice = (conv("a", "x"), same("sum", Op.ADD, "a", "x"), conv("b", "a"))
    assert names(PLAIN, *twice) == [("a",), ("sum",), ("b",)]
    assert names(PLAIN, conv("a", "x"), same("sum", Op.ADD, "a", "a")) == [("a",), ("sum",)]


def test_products_and_second_sums_are_passes_of_their_own() -> None:
    layers = (
        conv("a", "x"),
        conv("b", "x"),
        same("gated", Op.MUL, "a", "b"),
        same("sum", Op.ADD, "gated", "x"),
        same("bent", Op.ACT, "sum", activation="tanh"),
    )
    assert names(TABLES, *layers) == [("a",), ("b",), ("gated",), ("sum", "bent")]
    assert absorbed(chains(Workload("w", (TensorShape("x", C=8, H=4, W=4),), layers), TABLES)) == {"sum"}


def test_tables_need_narrow_activations() -> None:
    with pytest.raises(SpecError, match=r"activation_tables.*needs act_bits of 8 or less"):
        Template(act_bits=16, weight_bits=16, acc_bits=48, activation_tables=1)
