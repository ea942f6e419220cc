"""Quantisation: the integer network is near the float one, and its two runners are equal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.quantization.calibrate import Range
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.quantize import quantize, quantize_input, signal_to_noise_db
from codesign.trace import trace_network
from mappings.errors import SpecError
from mappings.integer_run import run_network
from mappings.layer import Op
from mappings.quantized import QuantizedNetwork


class Residual(nn.Module):
    """Convolution, depthwise, linear, add and pools."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 5, padding=4, dilation=2, groups=8)
        self.point = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = functional.max_pool2d(x, 3, 2, 1)
        y = functional.relu6(self.depthwise(x))
        x = torch.relu(x + self.point(y))
        x = functional.avg_pool2d(x, 2)
        return self.head(x.mean((2, 3)))


def both(network: QuantizedNetwork, x: Tensor) -> dict[str, Tensor]:
    """Integer outputs of the PyTorch reference, checked against numpy's on every layer."""
    integers = quantize_input(network, x)
    outputs = run_integer(network, integers)
    twin = run_network(network, {name: value.numpy() for name, value in integers.items()})
    assert list(twin) == list(outputs)
    for name, value in outputs.items():
        assert np.array_equal(value.numpy(), twin[name]), name
    return outputs


def test_residual_network_is_near_float_and_both_runners_agree() -> None:
    torch.manual_seed(0)
    model = Residual()
    for _ in range(3):
        model(torch.randn(16, 3, 33, 33))
    x = torch.randn(6, 3, 33, 33)
    ops = [layer.op for layer in quantize(model, x).workload.layers]
    assert ops == [Op.CONV, Op.MAXPOOL, Op.CONV, Op.CONV, Op.ADD, Op.AVGPOOL, Op.AVGPOOL, Op.LINEAR]
    reached = {}
    for bits, accumulator in ((4, 32), (8, 32), (16, 48)):
        network = quantize(model, x, weight_bits=bits, act_bits=bits, acc_bits=accumulator)
        outputs = both(network, x[:2])
        real = trace_network(model, x[:1]).run_float(x[:1])
        for value in outputs.values():
            limit = 2 ** (bits - 1)
            assert -limit <= int(value.min()) and int(value.max()) < limit
        last = network.workload.layers[-1].name
        reached[bits] = signal_to_noise_db(real[last], outputs[last][:1], network.layers[last].scale)
    assert reached[8] > 25
    assert reached[16] > 65
    assert reached[4] < reached[8] < reached[16]


def test_accumulator_overflow_is_refused() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    x = torch.randn(4, 1, 8, 8)
    with pytest.raises(SpecError, match=r"layer 1: a partial sum can reach .* beyond 32 bits"):
        quantize(model, x, weight_bits=16, act_bits=16)
    assert quantize(model, x, weight_bits=16, act_bits=16, acc_bits=48).layers["1"].mult is not None


def test_given_scales_are_used_and_checked() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.MaxPool2d(2))
    x = torch.rand(2, 1, 4, 4)
    network = quantize(model, x, scales={"0": 0.25, "input": 0.5}, weight_scales={"0": [0.5, 0.125]})
    assert network.layers["0"].scale == network.layers["1"].scale == 0.25
    assert network.input_scales == {"input": 0.5}
    weight = network.layers["0"].weight
    assert weight is not None and weight[0, 0, 0, 0] == round(model[0].weight[0, 0, 0, 0].item() / 0.5)
    with pytest.raises(SpecError, match=r'unknown tensor "O" .allowed: 0, 1, input'):
        quantize(model, x, scales={"O": 1.0})
    with pytest.raises(SpecError, match="differ"):
        quantize(model, x, scales={"0": 0.25, "1": 0.5})


@pytest.mark.parametrize("method", ["percentile", "mse"])
def test_clipping_methods_cut_outliers(method: str) -> None:
    values = Range()
    values.add(torch.cat([torch.linspace(-1, 1, 20_001), torch.tensor([50.0])]))
    assert values.amplitude("max", 127, 99.9) == 50.0
    assert 0.9 < values.amplitude(method, 7, 99.9) < 20.0


def test_wrong_inputs_are_refused() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1))
    x = torch.rand(2, 1, 4, 4)
    for options in ({"weight_bits": 3}, {"method": "maximum"}, {"acc_bits": 24}, {"percentile": 0.0}):
        with pytest.raises(SpecError, match="allowed: "):
            quantize(model, x, **options)  # type: ignore[arg-type]
    network = quantize(model, x)
    with pytest.raises(SpecError, match=r"has shape \[2, 1, 3, 4\]"):
        run_integer(network, torch.zeros(2, 1, 3, 4, dtype=torch.int64))
    with pytest.raises(SpecError, match="8-bit integers"):
        run_integer(network, torch.full((2, 1, 4, 4), 128))
    with pytest.raises(SpecError, match="not finite"):
        quantize(model, x / 0)


class TwoInputs(nn.Module):
    """An image and a vector in, two results out."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Conv2d(1, 4, 3)
        self.vector = nn.Linear(6, 4)

    def forward(self, image: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
        a = torch.relu(self.image(image)).amax((2, 3))
        b = torch.tanh(self.vector(vector))
        return a + b, a * b


def test_two_inputs_and_two_results() -> None:
    torch.manual_seed(0)
    model = TwoInputs()
    image, vector = torch.randn(40, 1, 5, 5), torch.randn(40, 6)
    network = quantize(model, [image, vector])
    assert [(t.name, t.C, t.H, t.W) for t in network.workload.inputs] == [("image", 1, 5, 5), ("vector", 6, 1, 1)]
    assert set(network.workload.outputs) == {"add", "mul"}
    outputs = run_integer(network, quantize_input(network, {"image": image, "vector": vector}))
    with torch.no_grad():
        results = model.eval()(image, vector)
    for name, real in zip(("add", "mul"), results, strict=True):
        assert signal_to_noise_db(real, outputs[name].reshape(real.shape), network.layers[name].scale) > 28
    with pytest.raises(SpecError, match="missing"):
        quantize_input(network, {"image": image})
    with pytest.raises(SpecError, match="not as many"):
        quantize(model, [image, vector[:3]])
