"""Operators beside the convolutions, attention included, bit for bit; what the RTL does not run is refused as there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hls
from accel_models.template.spec import Template
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.quantized import QuantizedNetwork, multiplier
from mappings.workload import TensorShape
from tests.integer_networks import Builder, limits
from tests.unit.hls.test_hls_arrays import SMALL, Folders, check, schedule_of


def pair(real: float) -> dict[str, np.ndarray]:
    """``mult`` and ``shift`` of length 1."""
    mult, shift = multiplier(real)
    return {"mult": np.asarray([mult]), "shift": np.asarray([shift])}


@pytest.mark.parametrize("taps", [1, 3])
def test_pooling_elementwise_and_layout(taps: int, engine_folder: Folders) -> None:
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
    net.simple(Layer("relu", Op.ACT, P=12, Q=5, groups=21, activation="relu", inputs=("catP",)))
    net.parameters["relu"] = replace(net.parameters["relu"], low=0)
    table = np.random.default_rng(7).integers(-128, 128, 257)
    act = Layer("table", Op.ACT, P=6, Q=10, groups=21, activation="tanh", inputs=("catQ",))
    net.simple(act, constants={"table": table})
    net.conv("b", "catP", 24)
    behind = Layer("behind", Op.ACT, P=10, Q=3, groups=24, activation="silu", inputs=("b",))  # rides along
    net.simple(behind, constants={"table": table[::-1].copy()})
    check(replace(SMALL, vector_taps=taps, activation_tables=1), net, engine_folder)


def transformer(bits: int) -> Builder:
    """Position embedding, layer norm, two heads of attention with a mask, GELU."""
    tokens, width, heads = 19, 24, 2
    rng = np.random.default_rng(bits)
    net = Builder(rng, TensorShape("x", C=width, H=tokens, W=1, bits=bits), bits, bits, 32 if bits == 8 else 48)
    low, high = limits(bits)
    kind = Bits(I=bits, W=bits, O=bits, acc=net.acc_bits)
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
    return net


@pytest.mark.parametrize(("bits", "tables"), [(8, 0), (8, 1), (16, 0)])
def test_transformer_block(bits: int, tables: int, engine_folder: Folders) -> None:
    net = transformer(bits)
    template = Template(
        rows=8,
        cols=8,
        act_bits=bits,
        weight_bits=bits,
        acc_bits=net.acc_bits,
        nonlinear_lanes=4,
        activation_tables=tables,
    )
    report = check(template, net, engine_folder)
    assert np.abs(report.outputs["attend"]).max() > limits(bits)[1] // 4


def refused(template: Template, network: QuantizedNetwork, folder: Path) -> str:
    """The line with which a network is refused: the RTL's."""
    with pytest.raises(SpecError) as of_hls:
        hls.emit(template, network, folder)
    with pytest.raises(SpecError) as of_rtl:
        schedule_of(template, network.workload)
    assert str(of_hls.value) == str(of_rtl.value)
    assert not folder.exists()
    return str(of_hls.value)


def test_what_the_rtl_does_not_run_is_refused_with_its_line(tmp_path: Path) -> None:
    net = Builder(np.random.default_rng(1), TensorShape("x", C=9, H=6, W=6))
    index = np.random.default_rng(6).permutation(9 * 36).reshape(1, 36, 9, 1)
    turn = Layer("turn", Op.RESHAPE, P=9, groups=36, moves="list", inputs=("x",))
    net.simple(turn, constants={"index": index})
    assert "moves data" in refused(SMALL, net.network(), tmp_path / "moved")

    wide = Builder(np.random.default_rng(1), TensorShape("x", C=9, H=6, W=6, bits=16), 16, 8, 48)
    table = np.random.default_rng(2).integers(-32768, 32768, 257)
    act = Layer("t", Op.ACT, P=6, Q=6, groups=9, activation="tanh", bits=Bits(I=16, O=16), inputs=("x",))
    wide.simple(act, constants={"table": table})
    sixteen = replace(SMALL, act_bits=16, acc_bits=48)
    assert 'activation "tanh" needs a table' in refused(sixteen, wide.network(), tmp_path / "table")

    assert "needs the non-linear unit" in refused(SMALL, transformer(8).network(), tmp_path / "unit")
