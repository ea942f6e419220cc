"""Operators beside the convolutions, attention included, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accel_models.template.spec import Template
from mappings.layer import Bits, Layer, Op
from mappings.quantized import multiplier
from mappings.workload import TensorShape
from tests.integer_networks import Builder, limits
from tests.unit.hls.test_hls_arrays import SMALL, check


def pair(real: float) -> dict[str, np.ndarray]:
    """``mult`` and ``shift`` of length 1."""
    mult, shift = multiplier(real)
    return {"mult": np.asarray([mult]), "shift": np.asarray([shift])}


def test_pooling_elementwise_and_layout(tmp_path: Path) -> None:
    net = Builder(np.random.default_rng(5), TensorShape("x", C=21, H=11, W=10))
    net.conv("a", "x", 21, padding=(1, 1, 1, 1))
    window = {"R": 3, "S": 2, "stride": (2, 2), "padding": (1, 0, 1, 0)}
    net.simple(Layer("max", Op.MAXPOOL, P=6, Q=5, groups=21, inputs=("a",), **window))  # type: ignore[arg-type]
    net.simple(Layer("avg", Op.AVGPOOL, P=6, Q=5, groups=21, inputs=("x",), **window), **pair(1 / 6))  # type: ignore[arg-type]
    add = {"add_mult": (1_000_003, 400_009), "shift": np.asarray([20])}
    net.simple(Layer("add", Op.ADD, P=6, Q=5, groups=21, inputs=("max", "avg")), **add)
    net.simple(Layer("all", Op.AVGPOOL, R=6, S=5, groups=21, inputs=("add",)), **pair(1 / 30))
    net.simple(Layer("mul", Op.MUL, P=6, Q=5, groups=21, inputs=("add", "all")), **pair(1 / 9))
    for axis, extents in (("K", (42, 6, 5)), ("P", (21, 12, 5)), ("Q", (21, 6, 10))):
        groups, rows, cols = extents
        net.simple(Layer(f"cat{axis}", Op.CONCAT, P=rows, Q=cols, groups=groups, axis=axis, inputs=("mul", "max")))
    net.simple(Layer("flat", Op.RESHAPE, groups=42 * 30, inputs=("catK",)))
    index = np.random.default_rng(6).permutation(21 * 60).reshape(1, 60, 21, 1)
    net.simple(Layer("turn", Op.RESHAPE, P=21, groups=60, moves="list", inputs=("catP",)), constants={"index": index})
    net.simple(Layer("relu", Op.ACT, P=21, groups=60, activation="relu", inputs=("turn",)))
    net.parameters["relu"] = replace(net.parameters["relu"], low=0)
    table = np.random.default_rng(7).integers(-128, 128, 257)
    net.simple(Layer("table", Op.ACT, P=21, groups=60, activation="tanh", inputs=("turn",)), constants={"table": table})
    check(SMALL, net, tmp_path)


@pytest.mark.parametrize("bits", [8, 16])
def test_transformer_block(bits: int, tmp_path: Path) -> None:
    """Position embedding, layer norm, two heads of attention with a mask, GELU."""
    tokens, width, heads = 19, 24, 2
    rng = np.random.default_rng(bits)
    net = Builder(rng, TensorShape("x", C=width, H=tokens, W=1, bits=bits), bits, 8, 32 if bits == 8 else 48)
    low, high = limits(bits)
    kind = Bits(I=bits, W=8, O=bits, acc=net.acc_bits)
    rows = {"P": tokens, "bits": kind}
    value = rng.integers(low, high + 1, (1, width, tokens, 1))
    net.simple(Layer("position", Op.CONSTANT, groups=width, **rows), constants={"value": value})  # type: ignore[arg-type]
    halves = {"add_mult": (1 << 10, 1 << 10), "shift": np.asarray([11])}
    net.simple(Layer("embedded", Op.ADD, groups=width, inputs=("x", "position"), **rows), **halves)  # type: ignore[arg-type]
    norm = {
        "gain": rng.integers(-(1 << 22), 1 << 22, width),
        "bias": rng.integers(-(1 << 28), 1 << 28, width),
        "epsilon": np.asarray([width * width]),
    }
    layer = Layer("norm", Op.LAYERNORM, K=width, C=width, inputs=("embedded",), **rows)  # type: ignore[arg-type]
    net.simple(layer, constants=norm, shift=np.asarray([30 if bits == 8 else 22]))
    for name in ("query", "key", "value"):
        net.conv(name, "norm", width, (1, 1), op=Op.LINEAR)
    net.matmul("scores", "query", "key", heads, transpose_b=True)
    mask = np.tril(np.ones((tokens, tokens), dtype=np.int64))
    argument = {"arg_mult": np.asarray([40_000]), "arg_shift": np.asarray([4 if bits == 8 else 12]), "mask": mask}
    attend = Layer("attend", Op.SOFTMAX, K=tokens, C=tokens, groups=heads, masked=True, inputs=("scores",), **rows)  # type: ignore[arg-type]
    net.simple(attend, constants=argument, shift=np.asarray([47 - bits]))
    net.matmul("mixed", "attend", "value", heads, transpose_b=False)
    net.conv("wide", "mixed", 4 * width, (1, 1), op=Op.LINEAR)
    gelu = Layer("gelu", Op.ACT, groups=4 * width, activation="gelu", inputs=("wide",), **rows)  # type: ignore[arg-type]
    constants = {"arg_mult": np.asarray([30_000]), "arg_shift": np.asarray([bits])}
    net.simple(gelu, constants=constants, **pair(2**-15))
    net.conv("narrow", "gelu", width, (1, 1), op=Op.LINEAR)
    net.simple(Layer("out", Op.ADD, groups=width, inputs=("narrow", "embedded"), **rows), **halves)  # type: ignore[arg-type]
    template = Template(rows=8, cols=8, act_bits=bits, weight_bits=bits, acc_bits=net.acc_bits)
    report = check(template, net, tmp_path)
    assert np.abs(report.outputs["attend"]).max() > high // 4


def test_a_table_is_interpolated_for_sixteen_bits(tmp_path: Path) -> None:
    net = Builder(np.random.default_rng(1), TensorShape("x", C=9, H=6, W=6, bits=16), 16, 8, 48)
    table = np.random.default_rng(2).integers(-32768, 32768, 257)
    bits = Bits(I=16, O=16)
    net.simple(
        Layer("table", Op.ACT, P=6, Q=6, groups=9, activation="tanh", bits=bits, inputs=("x",)),
        constants={"table": table},
    )
    check(SMALL, net, tmp_path)
