"""Every array as HLS C++, bit for bit: convolutions of all kinds, widths 4, 8 and 16, tiles that do not divide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hls
from accel_models.design import Design
from accel_models.program.image import memory_image, write_tensor
from accel_models.schedule import Compute, Schedule, Tiling, schedule_network
from accel_models.schedule.fusing import absorbed, chains
from accel_models.schedule.mapped import mapping_of
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import ArrayKind, Template
from mappings.errors import SpecError
from mappings.integer_run import run_network
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from tests.integer_networks import Builder

Folders = Callable[[Template], Path]  #: of a template's C++, so that its engine is compiled once
SMALL = Template(
    rows=8,
    cols=16,
    input_buffer_bytes=2048,
    weight_buffer_bytes=6144,
    acc_buffer_bytes=2048,
    output_buffer_bytes=512,
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


def schedule_of(template: Template, workload: Workload) -> Schedule:
    """The program with default tiles."""
    found = schedule_network(Design(workload, template_accelerator(template), ()))
    assert isinstance(found, Schedule)
    return found


def check(template: Template, net: Builder, engine_folder: Folders, images: int = 2) -> hls.HlsReport:
    """Run both; every layer that is stored is equal; the comparison is of values that vary."""
    network, inputs = net.network(), net.images(images)
    report = hls.csim(hls.emit(template, network, engine_folder(template)), inputs)
    expected = run_network(network, {net.input.name: inputs})
    inner = absorbed(chains(network.workload, template))
    assert set(report.outputs) == set(expected) - inner
    for name, value in report.outputs.items():
        assert value.size < 4 or len(np.unique(value)) > 2, f"{name} hardly varies: the check is void"
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    return report


@pytest.mark.parametrize("array", list(ArrayKind))
def test_int8(array: ArrayKind, engine_folder: Folders) -> None:
    net = convolutions()
    report = check(replace(SMALL, array=array), net, engine_folder)
    schedule = schedule_of(replace(SMALL, array=array), net.network().workload)
    assert [item.layer for item in report.cycles] == [plan.name for plan in schedule.plans]
    for item, plan in zip(report.cycles, schedule.plans, strict=True):
        assert item.compute * SMALL.rows * SMALL.cols >= plan.useful_macs
        assert min(item.load, item.compute, item.drain, item.store) > 0


@pytest.mark.parametrize("array", list(ArrayKind))
def test_int16_with_more_rows_than_columns(array: ArrayKind, engine_folder: Folders) -> None:
    wide = replace(SMALL, array=array, rows=16, cols=8, act_bits=16, acc_bits=48, acc_buffer_bytes=4096)
    wide = replace(wide, input_buffer_bytes=4096, output_buffer_bytes=1024)
    check(wide, convolutions(16, 8, 48), engine_folder, images=1)


@pytest.mark.parametrize("array", [ArrayKind.WEIGHT_STATIONARY, ArrayKind.ROW_STATIONARY])
def test_int4_packed_two_to_a_byte(array: ArrayKind, engine_folder: Folders) -> None:
    check(replace(SMALL, array=array, rows=4, cols=4, act_bits=4, weight_bits=4), convolutions(4, 4), engine_folder)


@pytest.mark.parametrize(("act_bits", "weight_bits"), [(8, 4), (4, 8)])
def test_narrower_tensors_on_an_int8_array(act_bits: int, weight_bits: int, engine_folder: Folders) -> None:
    check(SMALL, convolutions(act_bits, weight_bits), engine_folder, images=1)


def test_a_design_runs_its_own_tiles(tmp_path: Path) -> None:
    """The program is the RTL's, command for command: searched tiles change what runs, and no value."""
    net = convolutions()
    network = net.network()
    template = replace(SMALL, input_buffer_bytes=8192, weight_buffer_bytes=8192, acc_buffer_bytes=8192)
    tiling = Tiling(k=16, c=16, p=4, q=5, order="KPQ")
    mappings = tuple((layer.name, mapping_of(layer, tiling, template)) for layer in net.layers if layer.name == "odd")
    design = Design(network.workload, template_accelerator(template), mappings)
    emitted = hls.emit(design, network, tmp_path)
    searched = schedule_network(design)
    assert isinstance(searched, Schedule)
    assert emitted.schedule.commands == searched.commands
    tag = [layer.name for layer in net.layers].index("odd")
    tiles = [item.body.tile for item in searched.commands if item.tag == tag and isinstance(item.body, Compute)]
    assert max(tile.p for tile in tiles) == 4 and max(tile.q for tile in tiles) == 5 and max(t.k for t in tiles) == 16
    inputs = net.images(1)
    expected = run_network(network, {"x": inputs})
    found, default = hls.csim(emitted, inputs), hls.csim(hls.emit(template, network, tmp_path / "default"), inputs)
    for name, value in expected.items():
        np.testing.assert_array_equal(found.outputs[name], value, err_msg=name)
    assert found.cycles[tag].load > default.cycles[tag].load
    bare = replace(design, accelerator=replace(design.accelerator, template=None))
    with pytest.raises(SpecError, match="has no template"):
        hls.emit(bare, network, tmp_path)


def test_all_of_the_memory_is_that_of_the_integers(engine_folder: Folders) -> None:
    """Byte for byte, where channels fill their words: inputs, every stored tensor, and nothing beside them."""
    net = Builder(np.random.default_rng(4), TensorShape("x", C=16, H=9, W=7))
    net.conv("a", "x", 32, padding=(1, 1, 1, 1), relu=True)
    net.conv("b", "a", 32, (3, 3), (2, 1), padding=(1, 1, 1, 1), groups=32)
    net.conv("c", "b", 16, (2, 3), op=Op.TRCONV)
    _, rows, cols = net.shape("c")
    net.simple(Layer("d", Op.MAXPOOL, P=rows - 1, Q=cols - 1, groups=16, R=2, S=2, inputs=("c",)))
    network, inputs = net.network(), net.images(2)
    schedule = schedule_of(SMALL, network.workload)
    report = hls.csim(hls.emit(schedule, network, engine_folder(SMALL)), inputs)
    for image in range(2):
        one = {"x": inputs[image : image + 1]}
        expected = memory_image(schedule, network, one)
        for name, value in run_network(network, one).items():
            write_tensor(expected, schedule.tensors[name], value, 8)
        changed = report.tensors.shape[1]
        np.testing.assert_array_equal(report.tensors[image], expected[:changed])
        assert np.array_equal(expected[changed:], memory_image(schedule, network, one)[changed:])  # which the run keeps
    assert len(np.unique(report.tensors)) > 200


def test_a_batch_runs_at_once(engine_folder: Folders) -> None:
    net = Builder(np.random.default_rng(5), TensorShape("x", C=5, H=9, W=7))
    net.conv("a", "x", 12, padding=(1, 1, 1, 1), relu=True)
    net.conv("b", "a", 12, groups=12)
    network = net.network()
    workload = Workload(
        "two", (replace(net.input, N=2),), tuple(replace(layer, N=2) for layer in network.workload.layers)
    )
    inputs = net.images(6)
    report = hls.csim(hls.emit(SMALL, replace(network, workload=workload), engine_folder(SMALL)), inputs)
    assert len(report.tensors) == 3
    for name, value in run_network(network, {"x": inputs}).items():
        np.testing.assert_array_equal(report.outputs[name], value, err_msg=name)
    with pytest.raises(SpecError, match="a multiple of the batch, 2"):
        hls.csim(hls.emit(SMALL, replace(network, workload=workload), engine_folder(SMALL)), inputs[:3])
