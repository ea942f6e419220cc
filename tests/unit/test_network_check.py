"""Every bound that the integer definitions promise is checked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.network_check import check_network
from mappings.quantized import QuantizedLayer, QuantizedNetwork
from mappings.workload import TensorShape, Workload

ONE = np.array([1])
ARGUMENT = {"arg_mult": np.array([100]), "arg_shift": ONE}
#: operator: (layer fields, sound integers)
SOUND: dict[str, tuple[Layer, QuantizedLayer]] = {
    "conv": (
        Layer("y", Op.CONV, K=2, C=4, P=3, Q=1, inputs=("x",)),
        QuantizedLayer(
            -128, 127, 0.5, np.ones((2, 4, 1, 1), np.int64), np.zeros(2, np.int64), np.array([5, 6]), np.array([0, 62])
        ),
    ),
    "matmul": (
        Layer("y", Op.MATMUL, K=3, C=4, P=3, transpose_b=True, inputs=("x", "x")),
        QuantizedLayer(-128, 127, 0.5, mult=ONE, shift=ONE),
    ),
    "add": (
        Layer("y", Op.ADD, groups=4, P=3, inputs=("x", "x")),
        QuantizedLayer(-128, 127, 0.5, shift=ONE, add_mult=(1, 2**22)),
    ),
    "moved": (
        Layer("y", Op.RESHAPE, groups=2, moves="box", origin=(1, 2, 0), inputs=("x",)),
        QuantizedLayer(-128, 127, 0.25, constants={"index": np.array([5, 8]).reshape(1, 2, 1, 1)}),
    ),
    "reshape": (
        Layer("y", Op.RESHAPE, groups=2, P=1, moves="list", inputs=("x",)),
        QuantizedLayer(-128, 127, 0.25, constants={"index": np.array([-1, 11]).reshape(1, 2, 1, 1)}),
    ),
    "constant": (
        Layer("y", Op.CONSTANT, groups=2),
        QuantizedLayer(-128, 127, 0.5, constants={"value": np.array([-128, 127]).reshape(1, 2, 1, 1)}),
    ),
    "softmax": (
        Layer("y", Op.SOFTMAX, K=4, C=4, P=3, inputs=("x",)),
        QuantizedLayer(0, 127, 2**-7, shift=np.array([39]), constants=ARGUMENT),
    ),
    "layernorm": (
        Layer("y", Op.LAYERNORM, K=4, C=4, P=3, inputs=("x",)),
        QuantizedLayer(
            -128,
            127,
            0.5,
            shift=ONE,
            constants={"gain": np.ones(4, np.int64), "bias": np.ones(4, np.int64), "epsilon": ONE},
        ),
    ),
    "gelu": (
        Layer("y", Op.ACT, groups=4, P=3, activation="gelu", inputs=("x",)),
        QuantizedLayer(-128, 127, 0.5, mult=ONE, shift=ONE, constants=ARGUMENT),
    ),
    "table": (
        Layer("y", Op.ACT, groups=4, P=3, activation="tanh", inputs=("x",)),
        QuantizedLayer(-128, 127, 0.5, constants={"table": np.zeros(257, np.int64)}),
    ),
    "maxpool": (Layer("y", Op.MAXPOOL, groups=4, P=3, inputs=("x",)), QuantizedLayer(-128, 127, 0.25)),
}


def network(layer: Layer, parameters: QuantizedLayer) -> QuantizedNetwork:
    """One layer on an input of four channels and three rows, scale 0.25."""
    return QuantizedNetwork(Workload("net", (TensorShape("x", C=4, H=3),), (layer,)), {"y": parameters}, {"x": 0.25})


@pytest.mark.parametrize("kind", SOUND)
def test_sound(kind: str) -> None:
    check_network(network(*SOUND[kind]))


BROKEN = [
    ("conv", {"high": 128}, "clamps to"),
    ("conv", {"scale": 0.0}, "has scale 0.0"),
    ("conv", {"weight": np.full((2, 4, 1, 1), -128)}, "has weight from -128"),
    ("conv", {"weight": np.ones((2, 4, 1), np.int64)}, "has weight of shape"),
    ("conv", {"bias": None}, "has no bias"),
    ("conv", {"bias": np.array([2**31 - 1, 0])}, "could reach 2147484159"),
    ("conv", {"mult": np.array([0, 1])}, "has mult from 0 to 1"),
    ("conv", {"shift": np.array([63, 1])}, "has shift from 1 to 63"),
    ("matmul", {"mult": np.array([1, 1])}, "has mult of shape"),
    ("add", {"add_mult": (0, 1)}, "not within 1 and 2\\^24"),
    ("add", {"add_mult": (2**23, 2**23)}, "could exceed 32 bits"),
    ("reshape", {"constants": {"index": np.array([0, 12]).reshape(1, 2, 1, 1)}}, "has index from 0 to 12"),
    ("moved", {"constants": {"index": np.array([6, 7]).reshape(1, 2, 1, 1)}}, "other elements than its fields tell"),
    ("moved", {"constants": {}}, "has no index"),
    ("reshape", {"scale": 0.5}, "does not have the scale of its operands"),
    ("maxpool", {"scale": 0.5}, "does not have the scale of its operands"),
    ("constant", {"constants": {}}, "has no value"),
    ("softmax", {"shift": np.array([47])}, "has shift from 47"),
    ("softmax", {"constants": {**ARGUMENT, "mask": np.full((3, 4), 1)}}, "has a mask and is not masked"),
    ("softmax", {"constants": {**ARGUMENT, "mask": np.full((3, 4), 2)}}, "has mask from 2"),
    ("layernorm", {"constants": {"gain": np.full(4, 2**24)}}, "has gain from"),
    ("gelu", {"constants": {**ARGUMENT, "arg_mult": np.array([2**16])}}, "has arg_mult"),
    ("table", {"constants": {"table": np.zeros(256, np.int64)}}, "has table of shape"),
]


@pytest.mark.parametrize(("kind", "change", "message"), BROKEN)
def test_broken(kind: str, change: dict[str, object], message: str) -> None:
    layer, parameters = SOUND[kind]
    with pytest.raises(SpecError, match=message):
        check_network(network(layer, replace(parameters, **change)))  # type: ignore[arg-type]


def test_narrow_multipliers_and_sums_of_wide_accumulators() -> None:
    layer, parameters = SOUND["conv"]
    wide = replace(layer, bits=Bits(16, 16, 16, 48))
    check_network(network(wide, parameters))
    with pytest.raises(SpecError, match="not within 1 and 32767"):
        check_network(network(wide, replace(parameters, mult=np.array([1 << 15, 1]))))
    with pytest.raises(SpecError, match="a partial sum could overflow 32 bits"):
        check_network(network(replace(SOUND["matmul"][0], bits=Bits(16, 16, 16)), SOUND["matmul"][1]))


def test_missing_layers() -> None:
    sound = network(*SOUND["conv"])
    with pytest.raises(SpecError, match="y: has no integers"):
        check_network(replace(sound, layers={}))
