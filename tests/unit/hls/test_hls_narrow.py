"""Narrow weights and skipped taps as HLS C++: packed in memory, two products a multiplication, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hls
from accel_models.template.spec import ArrayKind, Template
from benchmarks.rtl_cases import quantized
from mappings.integer_run import run_network
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload
from tests.integer_networks import Builder
from tests.unit.hls.test_hls_arrays import Folders, schedule_of

PLAIN = Template(
    ArrayKind.LOOP_TILE, 8, 4, input_buffer_bytes=2048, weight_buffer_bytes=2048, acc_buffer_bytes=4096,
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


@pytest.mark.parametrize("array", [ArrayKind.LOOP_TILE, ArrayKind.CHANNEL_PARALLEL])
@pytest.mark.parametrize("weight_bits", [2, 4, 8])
def test_pairs_are_exact_and_take_half_the_passes(array: ArrayKind, weight_bits: int, engine_folder: Folders) -> None:
    net = network(weight_bits)
    integers, inputs = net.network(), net.images(2)
    expected = run_network(integers, {net.input.name: inputs})
    compute, loaded = {}, {}
    plain = replace(PLAIN, array=array)
    for name, template in (("plain", plain), ("pairs", replace(plain, dual_rate=True))):
        report = hls.csim(hls.emit(template, integers, engine_folder(template)), inputs)
        for layer, value in expected.items():
            assert len(np.unique(value)) > 2, f"{layer} hardly varies: the check is void"
            np.testing.assert_array_equal(report.outputs[layer], value, err_msg=f"{name} {layer}")
        compute[name] = {item.layer: item.compute for item in report.cycles}
        loaded[name] = sum(item.load for item in report.cycles)
    times = 2 if weight_bits <= 4 else 1
    for layer in ("even", "ragged"):  # ragged: 4 blocks, 2 pairs
        assert compute["plain"][layer] == times * compute["pairs"][layer]
    unpacked = replace(plain, weight_packing=1)
    whole = hls.csim(hls.emit(unpacked, integers, engine_folder(unpacked)), inputs)
    assert (sum(item.load for item in whole.cycles) > loaded["plain"]) == (weight_bits < 8)


@pytest.mark.parametrize("array", [ArrayKind.LOOP_TILE, ArrayKind.CHANNEL_PARALLEL])
@pytest.mark.parametrize("weight_bits", [8, 4])
def test_taps_that_are_not_kept_take_no_cycle(array: ArrayKind, weight_bits: int, engine_folder: Folders) -> None:
    template = replace(PLAIN, array=array, dual_rate=True, tap_skipping=True)
    layer = Layer(
        "c", Op.CONV, K=32, C=16, P=8, Q=8, R=3, S=3, padding=(1,) * 4, kept_taps=4, tap_block=(16, 8), inputs=("x",),
        bits=Bits(W=weight_bits),
    )  # fmt: skip
    compute = {}
    for kept in (4, 0):
        tried = replace(layer, kept_taps=kept, tap_block=(16, 8) if kept else (0, 0))
        workload = Workload("kept", (TensorShape("x", C=16, H=8, W=8),), (tried,))
        integers = quantized(workload, 3)
        inputs = np.random.default_rng(1).integers(-128, 128, (2, 16, 8, 8))
        assert schedule_of(template, workload).plans[0].shape.kept == kept
        report = hls.csim(hls.emit(template, integers, engine_folder(template)), inputs)
        np.testing.assert_array_equal(report.outputs["c"], run_network(integers, {"x": inputs})["c"])
        assert len(np.unique(report.outputs["c"])) > 20
        compute[kept] = report.cycles[0].compute
    assert compute[4] < 0.5 * compute[0]
