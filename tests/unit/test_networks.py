"""The elastic network: its workload, its trainable module, and the integers that it becomes."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

from codesign.decisions import Decision
from codesign.quantization.deploy import deploy
from codesign.quantization.integer_reference import run_integer_layer
from codesign.quantization.qat import QatNetwork, fake_quantize_weight
from codesign.quantization.quantize import quantize_input
from codesign.spaces.compression.bits import UniformBits
from codesign.spaces.network.elastic import ElasticSpace
from codesign.trace import trace
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload

SPACE, BITS = ElasticSpace(), UniformBits()


def test_widths_are_given_stage_by_stage() -> None:
    space = ElasticSpace(stem=(6,), widths=((5,), (7, 9), (11,)))
    point = {d.name: d.choices[-1] for d in space.decisions} | {f"s{stage}_block": "plain" for stage in (1, 2, 3)}
    found = {layer.name: layer.channels_out for layer in space.workload(point).layers}
    assert [found[name] for name in ("stem", "s1b1_conv", "s2b3_conv", "s3b1_conv")] == [6, 5, 9, 11]
    assert [d.name for d in space.decisions] == [d.name for d in SPACE.decisions]
    with pytest.raises(SpecError, match=r"widths: are of 2 stages \(allowed: 3 lists of channels, one a stage"):
        ElasticSpace(widths=((4,), (8,)))


def draw(seed: int, **fixed: int | str) -> Workload:
    rng = random.Random(seed)
    decisions = (*SPACE.decisions, *BITS.decisions)
    point = {d.name: rng.choice(d.choices) for d in decisions if isinstance(d, Decision)} | fixed
    return BITS.compressed(SPACE.workload(point), point)


class Float(nn.Module):
    """The layers of a workload as plain torch modules."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.workload = workload
        self.parts = nn.ModuleDict()
        for layer in workload.layers:
            if layer.op is Op.CONV:
                self.parts[layer.name] = nn.Conv2d(
                    layer.channels_in,
                    layer.channels_out,
                    layer.R,
                    layer.stride[0],
                    layer.padding[0],
                    groups=layer.groups,
                )
            elif layer.op is Op.LINEAR:
                self.parts[layer.name] = nn.Linear(layer.C, layer.K)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = {"image": x}
        for layer in self.workload.layers:
            inputs = [values[name] for name in layer.inputs]
            if layer.op is Op.ADD:
                value = inputs[0] + inputs[1]
            elif layer.op is Op.AVGPOOL:
                value = torch.nn.functional.avg_pool2d(inputs[0], layer.R).flatten(1)
            else:
                value = self.parts[layer.name](inputs[0])
            values[layer.name] = torch.relu(value) if layer.activation == "relu" else value
        return values["fc"]


@pytest.mark.parametrize("seed", range(6))
def test_the_workload_is_what_tracing_torch_gives(seed: int) -> None:
    mine = draw(seed)
    traced = trace(Float(mine).eval(), torch.zeros(1, 1, 28, 28))

    def loops(workload: Workload) -> list[tuple[object, ...]]:
        # Flattening moves nothing, and a single window has no stride.
        return [
            (layer.op, *layer.bounds.values(), layer.stride if layer.P > 1 else 1, layer.activation)
            for layer in workload.layers
            if layer.op is not Op.RESHAPE
        ]

    assert loops(traced) == loops(mine)
    assert traced.macs == mine.macs


def test_shapes_chain() -> None:
    for seed in range(40):
        workload = draw(seed)
        extents = {"image": (1, 28)}
        for layer in workload.layers:
            for name in layer.inputs:
                assert extents[name] == (layer.channels_in, layer.H), f"{layer.name} of seed {seed}"
            extents[layer.name] = (layer.channels_out, layer.P)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("block", ["plain", "bottleneck2"])
def test_each_layer_of_integers_equals_the_trained_module(bits: int, block: str) -> None:
    blocks = {f"s{stage}_block": block for stage in (1, 2, 3)}
    workload = draw(11, act_bits=bits, weight_bits=bits, s1_width=12, stem_width=12, downsample="s2", **blocks)
    assert block == "plain" or any(layer.op is Op.ADD for layer in workload.layers)
    torch.manual_seed(0)
    network = QatNetwork(workload)
    images = torch.rand(16, 1, 28, 28)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("log_scale"):  # as training leaves them: no two in a ratio that makes ties
                parameter.add_(0.2 * torch.randn(()))
        for _ in range(8):
            network(images)  # batch statistics settle
        network.eval()
        integers = deploy(network)
        values = {"image": torch.round(images / network.image_scale) * network.image_scale}
        units = {"image": quantize_input(integers, images)["image"]}
        for layer in workload.layers:
            values[layer.name] = network.steps[layer.name](*(values[name] for name in layer.inputs))
            # The integer layer gets the module's own inputs: differences do not add up along the network.
            result = run_integer_layer(layer, integers.layers[layer.name], [units[name] for name in layer.inputs])
            scale = float(network.steps[layer.name].quantizer.scale)
            units[layer.name] = torch.round(values[layer.name] / scale).long().reshape(result.shape)
            steps = (units[layer.name] - result).abs()
            # A float tie or a rounded bias may move a value by one unit, now and then.
            assert int(steps.max()) <= 1 and float(steps.double().mean()) < 0.06, layer.name
    assert len(units[workload.layers[0].name].unique()) > 2


def test_weights_keep_their_channel_scale() -> None:
    weight = torch.tensor([[[[1.0, -0.55, 0.26]]], [[[0.02, 0.011, 0.0]]]])
    quantized = fake_quantize_weight(weight, 4)
    assert torch.allclose(quantized[0].flatten() * 7, torch.tensor([7.0, -4.0, 2.0]))
    assert torch.allclose(quantized[1].flatten() * 7 / 0.02, torch.tensor([7.0, 4.0, 0.0]), atol=1e-5)


def test_gradients_reach_every_parameter() -> None:
    network = QatNetwork(draw(5))
    network(torch.rand(8, 1, 28, 28)).square().sum().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert not silent


def test_an_operator_that_cannot_be_trained_is_named() -> None:
    image = TensorShape("image", C=4, H=8, W=8)
    layer = Layer("spread", Op.TRCONV, C=4, inputs=("image",))
    with pytest.raises(SpecError, match="layer spread: cannot train operator trconv"):
        QatNetwork(Workload("odd", (image,), (layer,)))
