"""Modern operators from a module to simulated hardware: every stored tensor bit-exact, every layer as predicted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from accel_models.report import Infeasible
from accel_models.schedule import schedule_network
from accel_models.template.spec import Template
from benchmarks.rtl_cases import design, quantized
from benchmarks.rtl_cases import inputs as random_inputs
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.quantize import quantize, quantize_input
from codesign.zoo.gated import GatedResidual, Stage
from codesign.zoo.plain import UNet
from codesign.zoo.transformer import Decoder, ViT
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload
from rtl_templates.simulate import Job, simulate_jobs

pytestmark = pytest.mark.rtl

TEMPLATE = Template(
    rows=8,
    cols=8,
    nonlinear_lanes=4,
    activation_tables=1,
    vector_taps=3,
    input_buffer_bytes=2048,
    weight_buffer_bytes=4096,
    acc_buffer_bytes=8192,
    output_buffer_bytes=1024,
    param_buffer_bytes=2048,
    ppu_lanes=4,
    axi_bits=64,
    dram_bytes_per_cycle=8,
)


class Generator(nn.Sequential):
    """Transposed convolutions to an image, tanh at the end; a nearest enlargement on the way."""

    def __init__(self) -> None:
        layers = [nn.ConvTranspose2d(20, 24, 4, 1), nn.ReLU(), nn.ConvTranspose2d(24, 12, 4, 2, 1), nn.ReLU()]
        up = nn.Upsample(scale_factor=2, mode="nearest")
        super().__init__(*layers, up, nn.ConvTranspose2d(12, 3, 3, 3, 1, 1), nn.Tanh())


class Biased(nn.Module):
    """Attention of two heads of 12 channels over 11 tokens with a bias by position, as a finite additive mask."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(24, 24) for _ in range(4))
        self.bias = nn.Parameter(torch.randn(2, 11, 11))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).reshape(-1, 11, 2, 12).transpose(1, 2) for part in (self.query, self.key, self.value))
        mixed = torch.softmax(q @ k.transpose(-1, -2) / 3 + self.bias, -1) @ v
        y: torch.Tensor = self.out(mixed.transpose(1, 2).reshape(-1, 11, 24))
        return y


class Grouped(nn.Module):
    """Attention of 4 heads of 6 channels over 11 tokens, whose keys and values are shared between some of them.

    They are repeated by torch's own option, or written out as transformers have it.
    """

    def __init__(self, shared: int, own: bool) -> None:
        super().__init__()
        self.shared, self.own = shared, own
        self.query, self.out = nn.Linear(24, 24), nn.Linear(24, 24)
        self.key, self.value = nn.Linear(24, 6 * shared), nn.Linear(24, 6 * shared)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q = self.query(x).reshape(-1, 11, 4, 6).transpose(1, 2)
        k, v = (part(x).reshape(-1, 11, self.shared, 6).transpose(1, 2) for part in (self.key, self.value))
        if self.own:
            times = 4 // self.shared
            k, v = (t[:, :, None].expand(-1, -1, times, -1, -1).reshape(-1, 4, 11, 6) for t in (k, v))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=not self.own)
        y: torch.Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return y


def gated() -> nn.Module:
    stage = Stage(24, 16, 3, 1, 8, nn.Hardswish)
    return nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.SiLU(), GatedResidual(16, stage, nn.Hardsigmoid, nn.ReLU))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "gates": (gated, (3, 40, 40)),
    "class_token": (lambda: ViT(24, 2, 1, image=16, patch=4), (3, 16, 16)),
    "causal": (lambda: Decoder(20, 2, 1, 30), (11, 20)),
    "biased": (Biased, (11, 24)),
    "grouped queries": (lambda: Grouped(2, own=False), (11, 24)),
    "grouped queries, repeated by hand": (lambda: Grouped(2, own=True), (11, 24)),
    "one key for all": (lambda: Grouped(1, own=True), (11, 24)),
    "segmentation": (lambda: UNet((8, 12)), (3, 12, 12)),
    "generator": (Generator, (20, 1, 1)),
}


def network_job(
    make: Callable[[], nn.Module], shape: tuple[int, ...], fuse: bool = True
) -> tuple[Job, dict[str, np.ndarray]]:
    torch.manual_seed(7)
    module = make().eval()
    with torch.no_grad():
        network = quantize(module, torch.randn(2, *shape))
        given = quantize_input(network, torch.randn(1, *shape))
        expected = {name: value.numpy() for name, value in run_integer(network, given).items()}
    schedule = schedule_network(design(network.workload, TEMPLATE), fuse=fuse)
    assert not isinstance(schedule, Infeasible), schedule
    return Job(schedule, network, {name: value.numpy() for name, value in given.items()}), expected


def test_networks() -> None:
    cases = {name: network_job(*item) for name, item in NETWORKS.items()}
    cases["gates, layer by layer"] = network_job(*NETWORKS["gates"], fuse=False)
    reports = dict(zip(cases, simulate_jobs([job for job, _ in cases.values()]), strict=True))
    for name, (job, expected) in cases.items():
        report = reports[name]
        wrong = [key for key, value in report.outputs.items() if not np.array_equal(expected[key], value)]
        assert not wrong, f"{name}: {wrong}"
        assert report.exact, [(layer.name, layer.cycles, layer.predicted_cycles) for layer in report.layers]
        inner = {part for layer in report.layers for part in layer.parts[:-1]}
        computed = {layer.name for layer in job.schedule.workload.layers}
        assert set(report.outputs) == computed - inner, "a layer that nothing accounts for"
        output = job.network.workload.outputs[-1]
        assert len(np.unique(report.outputs[output])) > 3, name
    assert {len(layer.parts) for layer in reports["gates"].layers} == {1, 2}
    assert reports["gates"].cycles < reports["gates, layer by layer"].cycles
    assert len(cases["gates, layer by layer"][1]) == len(reports["gates, layer by layer"].outputs)


def test_filters_and_windows_larger_than_the_buffers() -> None:
    """A filter whose weights fill the buffer several times, a mean over an image of more words than there are."""
    x = TensorShape("x", 1, 16, 40, 40)
    layers = (
        Layer("large", Op.CONV, K=10, C=16, P=3, Q=3, R=14, S=14, stride=(13, 13), inputs=("x",)),
        Layer("mean", Op.AVGPOOL, R=40, S=40, groups=16, inputs=("x",)),
        Layer("most", Op.MAXPOOL, R=40, S=40, groups=16, inputs=("x",)),
    )
    workload = Workload("large", (x,), layers)
    schedule = schedule_network(design(workload, TEMPLATE))
    assert not isinstance(schedule, Infeasible)
    assert all(0 < plan.tiling.r < plan.layer.R for plan in schedule.plans)
    network, given = quantized(workload, 3), random_inputs(workload, 4)
    (report,) = simulate_jobs([Job(schedule, network, given)])
    expected = run_integer(network, {name: torch.from_numpy(value) for name, value in given.items()})
    for name, value in expected.items():
        np.testing.assert_array_equal(report.outputs[name], value.numpy(), err_msg=name)
    assert report.exact


def test_filters_smaller_than_their_stride_and_a_single_input() -> None:
    """Phases without taps put out the bias alone; along an axis of one input each output is its own phase."""
    x = TensorShape("x", 1, 40, 1, 3)
    layers = (
        Layer("up", Op.TRCONV, K=20, C=40, P=3, Q=8, R=3, S=2, stride=(1, 3), activation="relu", inputs=("x",)),
        Layer("grouped", Op.TRCONV, groups=5, K=2, C=4, P=5, Q=15, stride=(2, 2), inputs=("up",)),
    )
    workload = Workload("sparse", (x,), layers)
    schedule = schedule_network(design(workload, TEMPLATE))
    assert not isinstance(schedule, Infeasible)
    empty = [plan for plan in schedule.plans if plan.taps is not None and not all(plan.taps)]
    assert {plan.layer.C for plan in empty if plan.layer.groups == 1} == {1}
    network, given = quantized(workload, 3), random_inputs(workload, 4)
    (report,) = simulate_jobs([Job(schedule, network, given)])
    expected = run_integer(network, {name: torch.from_numpy(value) for name, value in given.items()})
    for name, value in expected.items():
        np.testing.assert_array_equal(report.outputs[name], value.numpy(), err_msg=name)
    assert report.exact
    assert sum(layer.macs for layer in report.layers) == workload.macs == 40 * 20 * 3 * 6 + 5 * 4 * 2 * 3 * 8
