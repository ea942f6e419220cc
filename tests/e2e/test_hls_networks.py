"""From an ``nn.Module`` to the emitted engine: every layer and the logits equal PyTorch's integer reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import hls
from accel_models.schedule.fusing import absorbed, chains
from accel_models.template.spec import ArrayKind, Template
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.quantize import quantize, quantize_input


class Cnn(nn.Module):
    """Residual, depthwise, pooling, concatenation, ReLU6, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 12, 5, 2, 2, bias=False), nn.BatchNorm2d(12), nn.ReLU())
        self.expand = nn.Conv2d(12, 40, 1)
        self.depthwise = nn.Conv2d(40, 40, 3, padding=1, groups=40)
        self.project = nn.Conv2d(40, 12, 1)
        self.grouped = nn.Conv2d(24, 24, 3, padding=2, dilation=2, groups=4)
        self.head = nn.Linear(24 * 4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.stem(x), 3, 2, 1)
        y = functional.relu6(self.depthwise(functional.relu6(self.expand(x))))
        x = torch.relu(x + self.project(y))
        x = torch.cat([x, functional.avg_pool2d(x, 3, 1, 1)], 1)
        x = functional.adaptive_avg_pool2d(self.grouped(x), 2)
        return self.head(x.flatten(1))


class Encoder(nn.Module):
    """One transformer layer over 10 tokens, and a classifier of its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(1, 10, 24))
        self.norm_1, self.norm_2 = nn.LayerNorm(24), nn.LayerNorm(24)
        self.attention = nn.MultiheadAttention(24, 3, batch_first=True)
        self.wide, self.narrow, self.head = nn.Linear(24, 96), nn.Linear(96, 24), nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.position
        y = self.norm_1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.narrow(functional.gelu(self.wide(self.norm_2(x))))
        return self.head(x.mean(1))


def check(module: nn.Module, inputs: Tensor, template: Template, out_dir: Path) -> None:
    """Quantise, emit, run, compare."""
    bits = {"weight_bits": template.weight_bits, "act_bits": template.act_bits, "acc_bits": template.acc_bits}
    network = quantize(module.eval(), inputs, **bits)
    integers = quantize_input(network, inputs)
    expected = run_integer(network, integers)
    report = hls.csim(hls.emit(template, network, out_dir), {n: v.numpy() for n, v in integers.items()})
    assert set(report.outputs) == set(expected) - absorbed(chains(network.workload, template))
    for name, value in report.outputs.items():
        np.testing.assert_array_equal(value, expected[name].numpy(), err_msg=name)
    logits = expected[network.workload.layers[-1].name].numpy()
    np.testing.assert_array_equal(report.logits, logits.reshape(len(logits), -1))
    assert len(np.unique(report.logits)) > 4
    assert report.total_cycles * template.rows * template.cols > network.workload.macs > 0


@pytest.mark.parametrize("array", list(ArrayKind))
def test_cnn_on_every_array(array: ArrayKind, tmp_path: Path) -> None:
    torch.manual_seed(0)
    check(Cnn(), torch.randn(4, 3, 40, 32), Template(array=array, rows=8, cols=8), tmp_path)


@pytest.mark.parametrize(("act_bits", "weight_bits", "acc_bits"), [(4, 4, 32), (16, 8, 48), (8, 4, 32)])
def test_cnn_at_other_widths(act_bits: int, weight_bits: int, acc_bits: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    template = Template(rows=4, cols=16, act_bits=act_bits, weight_bits=weight_bits, acc_bits=acc_bits)
    check(Cnn(), torch.randn(3, 3, 32, 40), template, tmp_path)


def test_transformer(tmp_path: Path) -> None:
    torch.manual_seed(2)
    check(Encoder(), torch.randn(4, 10, 24), Template(rows=8, cols=8, nonlinear_lanes=4), tmp_path)
