"""Every array as HLS C++, bit for bit: convolutions of all kinds, widths 4, 8 and 16, tiles that do not divide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hls
from accel_models.design import Design
from accel_models.schedule.mapped import mapping_of
from accel_models.schedule.tiling import Tiling as ScheduleTiling
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import ArrayKind, Template
from mappings.errors import SpecError
from mappings.integer_run import run_network
from mappings.layer import Op
from mappings.workload import TensorShape
from tests.integer_networks import Builder

SMALL = Template(
    rows=8,
    cols=16,
    input_buffer_bytes=2048,
    weight_buffer_bytes=1024,
    acc_buffer_bytes=2048,
    output_buffer_bytes=256,
)


def convolutions(act_bits: int = 8, weight_bits: int = 8, acc_bits: int = 32) -> Builder:
    """Ragged channels, strides, dilation, uneven padding, depthwise, grouped, transposed, linear."""
    shape = TensorShape("x", C=5, H=17, W=13, bits=act_bits)
    net = Builder(np.random.default_rng(act_bits), shape, act_bits, weight_bits, acc_bits)
    net.conv("same", "x", 24, padding=(1, 1, 1, 1), relu=True)
    net.conv("odd", "same", 36, (5, 3), (2, 1), (1, 2), (2, 1, 2, 3))
    net.conv("depthwise", "odd", 36, stride=(1, 2), padding=(1, 1, 1, 1), groups=36)
    net.conv("grouped", "depthwise", 12, (1, 1), groups=3)
    net.conv("transposed", "grouped", 10, (3, 4), (2, 3), padding=(1, 0, 0, 1), op=Op.TRCONV)
    _, rows, cols = net.shape("transposed")
    net.conv("whole", "transposed", 7, (rows, cols))
    net.conv("linear", "whole", 11, (1, 1), op=Op.LINEAR)
    return net


def check(template: Template, net: Builder, out_dir: Path, images: int = 2) -> hls.HlsReport:
    """Run both; every layer equal; the comparison is of values that vary."""
    network, inputs = net.network(), net.images(images)
    report = hls.csim(hls.emit(template, network, out_dir), inputs)
    expected = run_network(network, {net.input.name: inputs})
    assert set(report.outputs) == set(expected)
    for name, value in expected.items():
        assert value.size < 4 or len(np.unique(value)) > 2, f"{name} hardly varies: the check is void"
        np.testing.assert_array_equal(report.outputs[name], value, err_msg=name)
    return report


@pytest.mark.parametrize("array", list(ArrayKind))
def test_int8(array: ArrayKind, tmp_path: Path) -> None:
    net = convolutions()
    report = check(replace(SMALL, array=array), net, tmp_path)
    pes = SMALL.rows * SMALL.cols
    macs = {layer.name: layer.macs for layer in net.layers}
    for item in report.cycles:
        assert item.compute * pes >= macs[item.layer] > 0
        assert max(item.load, item.compute) <= item.total <= item.load + item.compute + item.store


@pytest.mark.parametrize("array", list(ArrayKind))
def test_int16_with_more_rows_than_columns(array: ArrayKind, tmp_path: Path) -> None:
    wide = replace(SMALL, array=array, rows=16, cols=8, act_bits=16, acc_bits=48, acc_buffer_bytes=4096)
    check(wide, convolutions(16, 8, 48), tmp_path, images=1)


@pytest.mark.parametrize("array", [ArrayKind.WEIGHT_STATIONARY, ArrayKind.ROW_STATIONARY])
def test_int4_packed_two_to_a_byte(array: ArrayKind, tmp_path: Path) -> None:
    check(replace(SMALL, array=array, rows=4, cols=4, act_bits=4, weight_bits=4), convolutions(4, 4), tmp_path)


@pytest.mark.parametrize(("act_bits", "weight_bits"), [(8, 4), (4, 8)])
def test_narrower_tensors_on_an_int8_array(act_bits: int, weight_bits: int, tmp_path: Path) -> None:
    check(SMALL, convolutions(act_bits, weight_bits), tmp_path, images=1)


def test_given_tiles_change_the_cycles_but_not_the_values(tmp_path: Path) -> None:
    net = Builder(np.random.default_rng(3), TensorShape("x", C=40, H=9, W=9))
    net.conv("c", "x", 40, padding=(1, 1, 1, 1))
    network, inputs = net.network(), net.images(1)
    template = replace(SMALL, weight_buffer_bytes=8192, acc_buffer_bytes=16384, input_buffer_bytes=8192)
    whole = hls.csim(hls.emit(template, network, tmp_path / "a"), inputs)
    tiles = {"c": hls.Tiling(k=16, c=16, p=4, q=5, r=2)}
    cut = hls.csim(hls.emit(template, network, tmp_path / "b", tiles), inputs)
    np.testing.assert_array_equal(whole.logits, cut.logits)
    assert cut.total_cycles > whole.total_cycles


def test_a_design_gives_its_own_tiles(tmp_path: Path) -> None:
    net = convolutions()
    network = net.network()
    template = replace(SMALL, input_buffer_bytes=8192, weight_buffer_bytes=8192, acc_buffer_bytes=8192)
    tiling = ScheduleTiling(k=16, c=16, p=4, q=5, order="KPQ")
    mappings = tuple((layer.name, mapping_of(layer, tiling, template)) for layer in net.layers if layer.name == "odd")
    design = Design(network.workload, template_accelerator(template), mappings)
    emitted = hls.emit(design, network, tmp_path)
    steps = {net.layers[step.id].name: step for step in emitted.program.steps}
    odd = steps["odd"]
    assert (odd.tile_k, odd.tile_c, odd.tile_p, odd.tile_q, odd.tile_r) == (16, 16, 4, 5, 5)
    inputs = net.images(1)
    expected = run_network(network, {"x": inputs})
    np.testing.assert_array_equal(hls.csim(emitted, inputs).outputs["linear"], expected["linear"])
    bare = replace(design, accelerator=replace(design.accelerator, template=None))
    with pytest.raises(SpecError, match="has no template"):
        hls.emit(bare, network, tmp_path)
