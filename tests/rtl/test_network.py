"""Whole networks from one start: every layer bit-exact against PyTorch, every layer's cycles as predicted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accel_models.report import Infeasible
from accel_models.schedule import schedule_network
from accel_models.template.spec import Template
from benchmarks.rtl_cases import design, digits, inputs, quantized, reference
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload
from rtl_templates.simulate import Job, SimReport, simulate, simulate_jobs

pytestmark = pytest.mark.rtl

SMALL = Template(
    rows=8,
    cols=16,
    input_buffer_bytes=4096,
    weight_buffer_bytes=8192,
    acc_buffer_bytes=8192,
    output_buffer_bytes=1024,
    param_buffer_bytes=512,
    ppu_lanes=4,
    axi_bits=64,
    dram_bytes_per_cycle=8,
)
NIBBLES = Template(
    rows=8,
    cols=4,
    act_bits=4,
    weight_bits=4,
    input_buffer_bytes=2048,
    weight_buffer_bytes=1024,
    acc_buffer_bytes=4096,
    output_buffer_bytes=512,
    param_buffer_bytes=256,
    ppu_lanes=2,
    axi_bits=128,
    dram_bytes_per_cycle=6,
    dram_latency_cycles=17,
)
#: A beat holds two descriptors, and more than any other word.
WIDE = replace(SMALL, axi_bits=512, dram_bytes_per_cycle=64)


def check(report: SimReport, expected: dict[str, np.ndarray]) -> None:
    wrong = [name for name, value in report.outputs.items() if not np.array_equal(expected[name], value)]
    assert not wrong, f"not bit-exact: {wrong}"


@pytest.mark.parametrize("template", [SMALL, NIBBLES, WIDE], ids=["int8_8x16", "int4_8x4", "bus_of_512_bits"])
def test_network_is_bit_exact_in_the_predicted_cycles(template: Template) -> None:
    workload = digits(template.act_bits)
    network, given = quantized(workload, 1), inputs(workload, 2)
    report = simulate(design(workload, template), network, given)
    assert isinstance(report, SimReport)
    expected = reference(network, given)
    check(report, expected)
    assert all(len(np.unique(value)) > 2 for value in expected.values()), "a layer's outputs do not tell anything"
    assert report.cycles == report.predicted_cycles > 10_000
    for layer in report.layers:
        assert (layer.cycles, layer.read_bytes, layer.write_bytes) == (
            layer.predicted_cycles,
            layer.predicted_read_bytes,
            layer.predicted_write_bytes,
        ), layer.name
        assert layer.cycles >= layer.compute_cycles > 0


def test_back_to_back_runs_with_pauses_and_other_memories() -> None:
    """Runs without a reset between them; the memory's pauses change the cycles, never the values."""
    workload = digits(8)
    network = quantized(workload, 3)
    templates = [SMALL, replace(SMALL, dram_latency_cycles=1, dram_bytes_per_cycle=3), SMALL]
    jobs = []
    for seed, (template, stall) in enumerate(zip(templates, (0, 0, 90), strict=True)):
        schedule = schedule_network(design(workload, template))
        assert not isinstance(schedule, Infeasible)
        jobs.append(Job(schedule, network, inputs(workload, seed), stall, 77))
    plain, slow, paused = simulate_jobs(jobs)
    for job, report in zip(jobs, (plain, slow, paused), strict=True):
        check(report, reference(network, job.inputs))
    assert plain.exact
    assert slow.exact
    assert slow.cycles > plain.cycles
    assert paused.cycles > paused.predicted_cycles


def test_what_the_hardware_does_not_run_is_named() -> None:
    layers = (
        Layer("bent", Op.ACT, P=4, Q=4, activation="tanh", inputs=("x",)),
        Layer("fine", Op.CONV, inputs=("bent",), P=4, Q=4, bits=Bits(16, 16, 16)),
    )
    workload = Workload("odd", (TensorShape("x", H=4, W=4),), layers)
    with pytest.raises(SpecError) as caught:
        schedule_network(design(workload, SMALL))
    text = str(caught.value)
    assert 'layer bent: activation "tanh" needs a table' in text
    assert "layer fine.bits.W: is 16" in text


def test_a_layer_that_fits_no_buffer_is_infeasible() -> None:
    layer = Layer("big", Op.CONV, K=16, C=16, P=1, Q=1, S=255, dilation=(1, 2), inputs=("x",))
    workload = Workload("big", (TensorShape("x", C=16, H=1, W=509),), (layer,))
    found = schedule_network(design(workload, SMALL))
    assert isinstance(found, Infeasible)
    assert found.where == "big"
    assert found.demand > found.bound
