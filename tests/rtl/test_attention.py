"""Softmax, layer norm, GELU and matrix products of activations: bit-exact in the predicted cycles."""

from __future__ import annotations

import numpy as np
import pytest

from accel_models.report import Infeasible
from accel_models.schedule import schedule_network
from accel_models.template.spec import Template
from benchmarks.rtl_cases import design, inputs, reference
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork
from mappings.workload import TensorShape, Workload
from rtl_templates.simulate import Job, simulate_jobs

pytestmark = pytest.mark.rtl

TEMPLATE = Template(
    rows=4,
    cols=4,
    nonlinear_lanes=2,
    input_buffer_bytes=1024,
    weight_buffer_bytes=1024,
    acc_buffer_bytes=2048,
    output_buffer_bytes=256,
    param_buffer_bytes=1024,
    axi_bits=64,
    dram_bytes_per_cycle=8,
)
WIDE = Template(
    rows=8,
    cols=4,
    nonlinear_lanes=8,
    input_buffer_bytes=2048,
    weight_buffer_bytes=1024,
    acc_buffer_bytes=4096,
    output_buffer_bytes=512,
    param_buffer_bytes=1024,
    axi_bits=32,
    dram_bytes_per_cycle=3,
    dram_latency_cycles=9,
)


def array(*values: int) -> IntArray:
    return np.array(values, dtype=np.int64)


def job(template: Template, layer: Layer, numbers: QuantizedLayer, given: tuple[TensorShape, ...], seed: int) -> Job:
    workload = Workload(layer.name, given, (layer,))
    schedule = schedule_network(design(workload, template))
    assert not isinstance(schedule, Infeasible)
    network = QuantizedNetwork(workload, {layer.name: numbers}, {tensor.name: 1.0 for tensor in given})
    return Job(schedule, network, inputs(workload, seed), stall=0)


def cases(template: Template) -> list[Job]:
    rng = np.random.default_rng(3)
    jobs = []
    for channels, rows in ((16, 9), (50, 5), (3, 1)):
        x = (TensorShape("x", 1, channels, rows, 1),)
        gain, bias = rng.integers(-9000, 9000, channels), rng.integers(-(2**25), 2**25, channels)
        norm = {"gain": gain, "bias": bias, "epsilon": array(77)}
        layer = Layer("norm", Op.LAYERNORM, K=channels, C=channels, P=rows, inputs=("x",))
        jobs.append(job(template, layer, QuantizedLayer(-128, 127, 1.0, shift=array(22), constants=norm), x, rows))
        soft = {"arg_mult": array(662229), "arg_shift": array(8)}
        layer = Layer("softmax", Op.SOFTMAX, K=channels, C=channels, P=rows, inputs=("x",))
        jobs.append(job(template, layer, QuantizedLayer(0, 127, 1.0, shift=array(39), constants=soft), x, rows))
        gelu = {"arg_mult": array(53965), "arg_shift": array(7)}
        numbers = QuantizedLayer(-128, 127, 1.0, mult=array(1230484848), shift=array(45), constants=gelu)
        layer = Layer("gelu", Op.ACT, groups=channels, P=rows, activation="gelu", inputs=("x",))
        jobs.append(job(template, layer, numbers, x, rows))
    head = template.word_lanes
    for transposed, tokens in ((True, 21), (False, 21), (True, 8), (False, 13)):
        k, c = (tokens, head) if transposed else (2 * head, tokens)
        a = TensorShape("a", 1, 2 * c if transposed else c, 7, 1)
        groups = 2 if transposed else 1
        b = TensorShape("b", 1, groups * (c if transposed else k), k if transposed else c, 1)
        layer = Layer(
            "matmul", Op.MATMUL, groups=groups, C=c, K=k, P=7, transpose_b=transposed, inputs=("a", "b")
        )  # fmt: skip
        numbers = QuantizedLayer(-128, 127, 1.0, mult=array(2**30), shift=array(38))
        jobs.append(job(template, layer, numbers, (a, b), tokens))
    return jobs


@pytest.mark.parametrize("template", [TEMPLATE, WIDE], ids=["4x4", "8x4"])
def test_operators(template: Template) -> None:
    jobs = cases(template)
    for item, report in zip(jobs, simulate_jobs(jobs), strict=True):
        (layer,) = item.schedule.workload.layers
        expected = reference(item.network, item.inputs)[layer.name]
        assert np.array_equal(report.outputs[layer.name], expected), layer
        assert report.exact, f"{layer}: {report.cycles} cycles, predicted {report.predicted_cycles}"
        assert len(np.unique(expected)) > 1


def test_without_the_unit_it_is_refused() -> None:
    layer = Layer("norm", Op.LAYERNORM, K=8, C=8, P=2, inputs=("x",))
    workload = Workload("norm", (TensorShape("x", 1, 8, 2, 1),), (layer,))
    with pytest.raises(SpecError, match="needs the non-linear unit"):
        schedule_network(design(workload, Template()))


def test_heads_that_share_a_word_are_refused() -> None:
    """Whoever has weights can lay heads out in words of their own; a layer norm can not."""
    norm = Layer("norm", Op.LAYERNORM, K=10, C=10, P=3, inputs=("a",))
    layer = Layer("product", Op.MATMUL, groups=2, C=5, K=4, P=3, transpose_b=True, inputs=("norm", "b"))
    workload = Workload("product", (TensorShape("a", 1, 10, 3, 1), TensorShape("b", 1, 10, 4, 1)), (norm, layer))
    with pytest.raises(SpecError, match="do not fill channel words"):
        schedule_network(design(workload, TEMPLATE))
