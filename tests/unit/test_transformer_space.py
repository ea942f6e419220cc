"""The space of transformers: a point lowers, trains with its quantisation, has its part of a supernet, and runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from accel_models.template.spec import Template
from codesign.accuracy.data import digits
from codesign.accuracy.training import Training, recalibrate, train
from codesign.decisions import DecisionSpace
from codesign.quantization.deploy import deploy
from codesign.quantization.integer_reference import run_integer_layer
from codesign.quantization.qat import QatLayer, QatNetwork
from codesign.quantization.quantize import quantize_input
from codesign.recipe import parse_recipe
from codesign.spaces.compression.bits import UniformBits
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network.transformer import TransformerSpace
from codesign.supernet.corners import Corners
from codesign.supernet.training import Trainer, TrainingOptions, measured, new_network
from mappings.errors import SpecError
from mappings.layer import Op
from mappings.workload import Workload
from tests.spaces import assert_runs

SPACE, BITS = TransformerSpace(extent=8, patch=2, dataset="digits", depths=(1, 2)), UniformBits((4, 8), (8,))
DECISIONS = DecisionSpace((*SPACE.decisions, *BITS.decisions))
#: An array that holds attention, with few cells.
HARDWARE = Template(
    rows=4,
    cols=8,
    nonlinear_lanes=2,
    input_buffer_bytes=2048,
    weight_buffer_bytes=2048,
    acc_buffer_bytes=4096,
    output_buffer_bytes=1024,
    param_buffer_bytes=1024,
    axi_bits=64,
    dram_bytes_per_cycle=8,
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def at(point: dict[str, object]) -> Workload:
    return BITS.compressed(SPACE.workload(point), point)


def draw(seed: int, **fixed: object) -> Workload:
    return at(DECISIONS.completed(fixed, np.random.default_rng(seed)))


class TestTransformer(NetworkSpaceConformance):
    name, options = "transformer", {"extent": 8, "patch": 2}


def test_it_is_what_tracing_such_a_module_gives() -> None:
    workload = draw(0, width=24, depth=2)
    by = {layer.name: layer for layer in workload.layers}
    assert (by["tokens"].P, by["tokens"].channels_out, by["tokens"].moves) == (16, 24, "")
    scores, mixed = by["l1_scores"], by["l1_mixed"]
    assert scores.C * scores.groups == mixed.K * mixed.groups == 32 and scores.transpose_b and not mixed.transpose_b
    assert scores.K == mixed.C == 16 and by["l2_softmax"].inputs == ("l2_scores",)
    assert workload.layers[-1].op is Op.LINEAR and workload.outputs == ("fc",)


@pytest.mark.parametrize("seed", range(3))
def test_a_point_trains_with_its_quantisation(seed: int) -> None:
    network = QatNetwork(draw(seed))
    network(torch.rand(32, 1, 8, 8)).square().sum().backward()
    silent = {name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)}
    assert not silent


@pytest.mark.parametrize("weight_bits", [4, 8])
def test_each_layer_of_integers_equals_the_trained_module(weight_bits: int) -> None:
    workload = draw(4, depth=2, weight_bits=weight_bits)
    network, data = QatNetwork(workload), digits()
    train(network, data, Training(20, 0.01), 0)
    recalibrate(network, data, 64)
    images = torch.from_numpy(data.images["train"][:24])
    with torch.no_grad():
        integers = deploy(network)
        values = {"image": torch.round(images / network.image_scale) * network.image_scale}
        units = {"image": quantize_input(integers, images)["image"]}
        for layer in workload.layers:
            step, numbers = network.steps[layer.name], integers.layers[layer.name]
            assert isinstance(step, QatLayer)
            value = values[layer.name] = step(*(values[name] for name in layer.inputs))
            result = run_integer_layer(layer, numbers, [units[name] for name in layer.inputs], len(images))
            units[layer.name] = torch.round(value / numbers.scale).long().reshape(len(value), *result.shape[1:])
            units[layer.name] = units[layer.name].expand_as(result)
            steps = (units[layer.name] - result).abs()
            # Polynomials stand for the softmax's exponential, a rounded root for the norm's.
            assert int(steps.max()) <= 1 and float(steps.double().mean()) < 0.06, layer.name
            assert len(units[layer.name].unique()) > 4, layer.name


def test_a_network_taken_out_computes_what_it_did_within() -> None:
    corners = Corners.of(DECISIONS, at)
    network, rng = new_network(corners, TrainingOptions()), np.random.default_rng(1)
    with torch.no_grad():
        for part in network.parts.values():
            part.add_(0.05 * torch.randn(part.shape))
        for _ in range(6):
            workload = at(DECISIONS.draw(rng))
            assert torch.equal(
                network.extract(workload).train()(images := torch.rand(4, 1, 8, 8)), network(images, workload)
            )
    assert corners.workload_at(corners.largest).macs > 2 * corners.workload_at(corners.smallest).macs


def test_its_supernet_learns() -> None:
    corners = Corners.of(DECISIONS, at)
    trainer = Trainer(corners, digits(), TrainingOptions("uniform", steps=60, learning_rate=0.01))
    trainer.run()
    assert measured(trainer.network, at(corners.largest), digits(), "held_out", 256) > 0.3  # chance is 0.1


def test_its_options_are_checked() -> None:
    with pytest.raises(SpecError) as caught:
        parse_recipe({"network": {"name": "transformer", "extent": 28, "patch": 5, "heads": [3]}}, "mine")
    assert "transformer.patch: is 5" in str(caught.value) and "transformer.heads: are [3]" in str(caught.value)


@pytest.mark.rtl
@pytest.mark.parametrize("seed", range(2))
def test_a_point_runs_on_hardware(seed: int, tmp_path: Path) -> None:
    assert_runs(draw(seed, depth=1), HARDWARE, tmp_path, rate=0.01)
