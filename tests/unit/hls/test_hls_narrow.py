"""Narrow weights as HLS C++: two and four bits in memory, two products a multiplication, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hls
from accel_models.template.spec import ArrayKind, Template
from mappings.integer_run import run_network
from mappings.workload import TensorShape
from tests.integer_networks import Builder

PLAIN = Template(
    ArrayKind.LOOP_TILE, 8, 4, input_buffer_bytes=2048, weight_buffer_bytes=1024, acc_buffer_bytes=2048,
    output_buffer_bytes=256, weight_packing=4,
)  # fmt: skip


def network(weight_bits: int) -> Builder:
    """Whole and ragged blocks of output channels, groups, a depthwise layer."""
    net = Builder(np.random.default_rng(weight_bits), TensorShape("x", C=5, H=9, W=7, bits=8), 8, weight_bits, 32)
    net.conv("even", "x", 16, padding=(1, 1, 1, 1), relu=True)
    net.conv("depthwise", "even", 16, padding=(1, 1, 1, 1), groups=16)
    net.conv("ragged", "depthwise", 13, (3, 2), (2, 1))
    net.conv("grouped", "ragged", 26, (1, 1), groups=13)
    return net


@pytest.mark.parametrize("weight_bits", [2, 4, 8])
def test_pairs_are_exact_and_take_half_the_cycles(weight_bits: int, tmp_path: Path) -> None:
    net = network(weight_bits)
    integers, inputs = net.network(), net.images(2)
    expected = run_network(integers, {net.input.name: inputs})
    compute = {}
    for name, template in (("plain", PLAIN), ("pairs", replace(PLAIN, dual_rate=True))):
        report = hls.csim(hls.emit(template, integers, tmp_path / name), inputs)
        for layer, value in expected.items():
            assert len(np.unique(value)) > 2, f"{layer} hardly varies: the check is void"
            np.testing.assert_array_equal(report.outputs[layer], value, err_msg=f"{name} {layer}")
        compute[name] = {item.layer: item.compute for item in report.cycles}
    assert compute["plain"]["even"] == (2 if weight_bits <= 4 else 1) * compute["pairs"]["even"]
    assert (
        compute["plain"]["ragged"] == (2 if weight_bits <= 4 else 1) * compute["pairs"]["ragged"]
    )  # 4 blocks: 2 pairs
