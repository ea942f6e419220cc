"""The layer-wise space: every point lowers, trains with its quantisation, deploys, and has its part of a supernet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from accel_models.design import Design
from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import mnist5k
from codesign.accuracy.evaluator import integer_accuracy
from codesign.accuracy.pool import make_evaluator
from codesign.decisions import DecisionSpace
from codesign.explorer.verify import verify
from codesign.images import sample_images
from codesign.quantization.deploy import deploy
from codesign.quantization.integer_reference import run_integer_layer
from codesign.quantization.qat import QatLayer, QatNetwork, fitted, gates_of
from codesign.quantization.quantize import quantize_input
from codesign.recipe import Part, Recipe, parse_recipe
from codesign.spaces.compression.bits import UniformBits
from codesign.spaces.network.layerwise import LayerwiseSpace
from codesign.spaces.search_space import restricted
from codesign.supernet.corners import Corners
from codesign.supernet.training import Trainer, TrainingOptions, measured, new_network
from mappings.errors import SpecError
from mappings.layer import Op
from mappings.network_io import load_network
from mappings.workload import Workload

SPACE, BITS = LayerwiseSpace(), UniformBits()
DECISIONS = DecisionSpace((*SPACE.decisions, *BITS.decisions))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def at(point: dict[str, object]) -> Workload:
    return BITS.compressed(SPACE.workload(point), point)


def draw(seed: int, **fixed: object) -> Workload:
    return at(DECISIONS.completed(fixed, np.random.default_rng(seed)))


@pytest.fixture(scope="module")
def corners() -> Corners:
    return Corners.of(DECISIONS, at)


def test_points_lower_with_chained_shapes() -> None:
    kinds: set[Op] = set()
    for seed in range(60):
        workload = draw(seed)
        shapes = {"image": (1, workload.inputs[0].H)}
        for layer in workload.layers:
            first, *others = layer.inputs
            assert shapes[first] == (layer.channels_in, layer.H), f"{layer.name} of seed {seed}"
            for name in others:
                assert shapes[name] in ((layer.channels_in, layer.H), (layer.channels_in, 1))
            shapes[layer.name] = (layer.channels_out, layer.P)
            kinds.add(layer.op)
    assert kinds == {Op.CONV, Op.LINEAR, Op.ADD, Op.MUL, Op.AVGPOOL}


def test_each_decision_changes_the_network(corners: Corners) -> None:
    base = corners.largest | {"s2b2_gate": "none"}
    for decision in DECISIONS.choices:
        digests = {at(DECISIONS.canonical(base | {decision.name: value})).digest for value in decision.choices}
        assert len(digests) == len(decision.choices), decision.name
    assert at(corners.largest).macs > 50 * at(corners.smallest).macs


@pytest.mark.parametrize("seed", range(3))
def test_a_point_trains_with_its_quantisation(seed: int) -> None:
    workload = draw(seed, s1b1_gate="gate")
    torch.manual_seed(seed)
    network = QatNetwork(workload)
    network(torch.rand(32, 1, 28, 28)).square().sum().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert not silent


def test_a_gate_begins_as_a_hard_sigmoid() -> None:
    workload = draw(0, s1b1_gate="gate", act_bits=8)
    gate = QatNetwork(workload).steps[gates_of(workload)[0]]
    assert isinstance(gate, QatLayer)
    x = torch.linspace(-5, 5, 101)
    assert gate.norm is not None
    found = gate.quantizer(x * gate.norm.weight[0] + gate.norm.bias[0])
    assert (found - torch.nn.functional.hardsigmoid(x)).abs().max() < 0.5 / 127 + 1e-6


def test_each_layer_of_integers_equals_the_trained_module() -> None:
    workload = draw(4, s1b1_gate="gate", s2b1_gate="gate", act_bits=8, weight_bits=8, resolution=22, s2_depth=2)
    torch.manual_seed(1)
    network = QatNetwork(workload)
    images = fitted(torch.from_numpy(mnist5k().images["train"][:32]), workload)
    assert images.shape == (32, 1, 22, 22) and 0 <= float(images.min()) < float(images.max()) <= 1
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("log_scale"):  # as training leaves them: no two in a ratio that makes ties
                parameter.add_(0.2 * torch.randn(()))
        for _ in range(8):
            network(images)
        network.eval()
        integers = deploy(network)
        values = {"image": torch.round(images / network.image_scale) * network.image_scale}
        units = {"image": quantize_input(integers, images)["image"]}
        for layer in workload.layers:
            values[layer.name] = network.steps[layer.name](*(values[name] for name in layer.inputs))
            # The integer layer gets the module's own inputs: differences do not add up along the network.
            result = run_integer_layer(layer, integers.layers[layer.name], [units[name] for name in layer.inputs])
            step = network.steps[layer.name]
            assert isinstance(step, QatLayer)
            units[layer.name] = torch.round(values[layer.name] / step.quantizer.scale).long().reshape(result.shape)
            steps = (units[layer.name] - result).abs()
            assert int(steps.max()) <= 1 and float(steps.double().mean()) < 0.06, layer.name
            assert layer.op is not Op.MUL or len(units[layer.name].unique()) > 8


@pytest.mark.parametrize("kernel", ["crop", "own", "transform"])
def test_it_has_a_supernet_too(kernel: str, corners: Corners) -> None:
    network = new_network(corners, TrainingOptions(kernel=kernel))
    images, rng = torch.rand(8, 1, 28, 28), np.random.default_rng(3)
    with torch.no_grad():
        for _ in range(12):
            workload = at(DECISIONS.draw(rng))
            assert torch.equal(network.extract(workload).train()(images), network(images, workload))
        workload = at(corners.largest | {"s1b1_gate": "gate"})
        outputs = []
        for _ in range(2):
            # In real numbers: with integers a sum in another order may round across a step.
            alone = network.extract(workload).train()
            alone.use_integers(False)
            outputs.append(alone(images))
            network.sort_channels()
        assert torch.allclose(outputs[1], outputs[0], rtol=0, atol=1e-4 * float(outputs[0].abs().max()))


def test_a_shared_gate_begins_as_a_hard_sigmoid_too(corners: Corners) -> None:
    parts, workload = new_network(corners, TrainingOptions()).parts, draw(0, s1b1_gate="gate")
    (name, *_) = gates_of(workload)
    assert torch.equal(parts[f"{name}/gain"], torch.full_like(parts[f"{name}/gain"], 1 / 6))
    assert torch.equal(parts[f"{name}/bias"], torch.full_like(parts[f"{name}/bias"], 1 / 2))
    assert parts[f"{name}/scale8"].exp().item() == pytest.approx(1 / 127)


def test_its_supernet_learns() -> None:
    one = {
        "resolution": (16,),
        "weight_bits": (8,),
        "act_bits": (8,),
        **{f"s{stage}_depth": (1,) for stage in (1, 2, 3)},
    }
    small = Corners.of(DecisionSpace(restricted(DECISIONS.decisions, one, "small")), at)
    trainer = Trainer(small, mnist5k(), TrainingOptions("sandwich", steps=30, learning_rate=0.03, subnets=1))
    trainer.run()
    assert (
        measured(trainer.network, at(small.largest | {"s1b1_gate": "gate"}), mnist5k(), "held_out", 256) > 0.3
    )  # chance is 0.1


def test_restricted_depths_take_what_is_never_active_with_them() -> None:
    cut = restricted(DECISIONS.decisions, {"s1_depth": (1,), "s2_depth": (1, 2), "s3b2_block": ("skip",)}, "cut")
    names = DecisionSpace(cut).names
    assert "s1b1_kernel" in names and not any(name.startswith(("s1b2", "s1b3", "s2b3", "s3b2_k")) for name in names)
    assert {"s2b2_kernel", "s3b3_kernel", "s3b2_block"} <= set(names)


def test_its_options_are_checked() -> None:
    wrong = {"name": "layerwise", "kernels": [3, 4], "widths": [[8]]}
    with pytest.raises(SpecError) as caught:
        parse_recipe({"network": wrong}, "mine")
    assert "layerwise.kernels: are [3, 4] (allowed: odd numbers)" in str(caught.value)
    assert "layerwise.widths: are of 1 stages" in str(caught.value)
    assert parse_recipe({"network": "layerwise"}, "mine").space.networks > 1e12


@pytest.mark.rtl
def test_a_gated_point_runs_on_hardware(tmp_path: Path) -> None:
    fixed = {d.name: d.choices[0] for d in DECISIONS.choices} | {
        "s1b1_gate": "gate",
        "s2_depth": 2,
        "s2b2_block": "keep",
    }
    workload = at(DECISIONS.canonical(fixed | {"weight_bits": 8, "act_bits": 8}))
    options = {"deploy_steps": 60, "deploy_learning_rate": 0.03, "deploy_shift_pixels": 0}
    evaluator = make_evaluator("train", AccuracyContext(0, "mnist5k", tmp_path, options))
    evaluator.finish(workload)
    network = load_network(tmp_path / workload.digest[:16])
    assert integer_accuracy(network, "test", mnist5k()) > 0.3
    recipe = Recipe(network=Part("layerwise"))
    hardware = {"array": "weight_stationary", "rows": 8, "cols": 8, "axi_bits": 64}
    point = recipe.space.decisions.completed(
        {**fixed, "weight_bits": 8, "act_bits": 8, **hardware}, np.random.default_rng(5)
    )
    (candidate,) = recipe.space.decode([point])
    assert isinstance(candidate.design, Design) and candidate.workload == workload
    pixels, labels = sample_images("mnist5k", 2, workload)
    integers = {name: value.numpy() for name, value in quantize_input(network, pixels).items()}
    found = verify("gated", candidate.design, network, integers, labels, tmp_path / "hardware")
    assert found.passed and found.exact_images == 2 and found.simulated_cycles == found.predicted_cycles > 0
