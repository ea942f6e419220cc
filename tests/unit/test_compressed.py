"""Channels that are taken out of a network, what is left of trained weights, an agent that goes through layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from accel_models.template.cost import mapped_design, template_cost
from codesign.accuracy.data import load_dataset
from codesign.accuracy.training import tensors
from codesign.accuracy.tuned import load_base, train_base
from codesign.controllers.ddpg import Agent, AgentOptions, Transition
from codesign.drivers.base import DriverContext
from codesign.drivers.registry import DRIVERS
from codesign.gradient.shrinking import ShrinkOptions, gains, shrink, without_dead
from codesign.networks.pruned import importance, inherited
from codesign.objectives import Goal, Limit, Outcome
from codesign.quantization.deploy import deploy
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.qat import QatNetwork
from codesign.quantization.quantize import quantize_input
from codesign.recipe import Part, Recipe
from codesign.spaces.compression.layer_bits import LayerBits, with_bits
from codesign.spaces.compression.layer_channels import LayerChannels, widths, with_channels
from codesign.spaces.network.layers import LayerList
from mappings.errors import SpecError
from mappings.workload import Workload
from tests.unit.test_drivers import Memory


def residual() -> Workload:
    """A stem, a bottleneck with a depthwise convolution whose output is added to the stem's, a classifier."""
    net = LayerList(1, 8)
    stem = net.conv("stem", net.image, 8, 3, relu=True)
    wide = net.conv("expand", stem, 12, 1, relu=True)
    deep = net.conv("deep", wide, 12, 3, groups=12, relu=True)
    value = net.add("sum", net.conv("project", deep, 8, 1), stem)
    net.linear("fc", net.pool("pool", value), 10)
    return net.workload("residual")


def trained(workload: Workload) -> QatNetwork:
    """With statistics and gains that differ from channel to channel."""
    torch.manual_seed(1)
    network = QatNetwork(workload)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
    network(torch.rand(64, 1, 8, 8))
    return network.eval()


def test_channels_that_go_together() -> None:
    found = widths(residual())
    assert [width.count for width in found] == [8, 12]
    assert found[0].writers == ("stem", "project") and set(found[0].tensors) == {"stem", "project", "sum", "pool"}
    assert found[1].writers == ("expand",) and found[1].tensors == ("expand", "deep")
    small = with_channels(residual(), dict.fromkeys(found[0].tensors, 5) | dict.fromkeys(found[1].tensors, 3))
    shapes = {layer.name: (layer.groups, layer.K, layer.C) for layer in small.layers}
    assert shapes == {
        "stem": (1, 5, 1), "expand": (1, 3, 5), "deep": (3, 1, 1), "project": (1, 5, 3), "sum": (5, 1, 1),
        "pool": (5, 1, 1), "fc": (1, 10, 5),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["layerwise", "residual", "cells", "chain"])
def test_every_network_is_narrowed_where_it_can_be(name: str) -> None:
    network = Recipe(network=Part(name)).space.network
    point = {decision.name: decision.choices[-1] for decision in network.decisions}  # type: ignore[union-attr]
    workload = network.network_at(point).workload
    assert workload is not None
    space = LayerChannels(slots=20)
    small = space.compressed(workload, {d.name: 0.5 for d in space.decisions})
    assert [layer.name for layer in small.layers] == [layer.name for layer in workload.layers]
    assert (small.inputs, small.layers[-1].channels_out) == (workload.inputs, workload.layers[-1].channels_out)
    assert small.macs < 0.5 * workload.macs and QatNetwork(small)(torch.rand(2, workload.inputs[0].C, 28, 28)).shape


def test_of_trained_weights_the_largest_channels_stay_and_compute_what_they_did() -> None:
    base = trained(residual())
    stem, wide = widths(base.workload)
    with torch.no_grad():  # what reads these channels is 0: without them nothing changes
        for name in ("expand", "fc"):
            weight = base.steps[name].weight
            assert isinstance(weight, torch.Tensor)
            weight[:, [1, 4]] = 0.0
        weight = base.steps["project"].weight
        assert isinstance(weight, torch.Tensor)
        weight[:, [0, 2, 7]] = 0.0
    assert importance(base, stem)[[1, 4]].eq(0).all() and importance(base, wide)[[0, 2, 7]].eq(0).all()
    counts = dict.fromkeys(stem.tensors, 6) | dict.fromkeys(wide.tensors, 9)
    small = inherited(base, with_channels(base.workload, counts)).eval()
    images = torch.rand(16, 1, 8, 8)
    base.use_integers(False)
    small.use_integers(False)
    torch.testing.assert_close(small(images), base(images))
    one_less = inherited(base, with_channels(base.workload, counts | dict.fromkeys(stem.tensors, 5))).eval()
    one_less.use_integers(False)
    assert not torch.allclose(one_less(images), base(images), atol=1e-3)
    with pytest.raises(SpecError, match="other layers"):
        inherited(base, replace(base.workload, layers=base.workload.layers[:-1]))


def test_other_bits_keep_weights_and_ranges() -> None:
    base = trained(residual())
    small = inherited(base, with_bits(base.workload, {"expand": 2}, {"stem": 4}, 8)).eval()
    for name in ("stem", "expand"):
        one, other = base.steps[name], small.steps[name]
        assert torch.equal(one.weight, other.weight)  # type: ignore[arg-type]
        reach = [step.quantizer.high * float(step.quantizer.scale.detach()) for step in (one, other)]  # type: ignore[union-attr,operator]
        assert reach[0] == pytest.approx(reach[1])


def test_what_is_left_runs_in_integers_and_in_fewer_cycles(tmp_path: Path) -> None:
    data, workload, file = load_dataset("digits"), residual(), tmp_path / "base.npz"
    train_base(workload, data, (20, 0.02, 0), 3, {"why": "test"}, file)
    base, told = load_base(file)
    assert told == {"why": "test"} and base.workload == workload
    space = LayerChannels((0.5, 1.0), slots=2)
    small = deploy(inherited(base, space.compressed(workload, {"kept_0": 0.5, "kept_1": 0.5})).eval())
    weight = small.layers["project"].weight
    assert weight is not None and weight.shape == (4, 6, 1, 1)
    images = tensors(data, "held_out")[0][:4]
    logits = run_integer(small, quantize_input(small, images))["fc"]
    assert logits.shape[:2] == (4, 10)
    template = Recipe(hardware=Part("fixed", (("hardware", "weight_stationary"),)), mapping=Part("default")).space
    hardware = template.hardware.hardware_at({}, None)
    cycles = []
    for network in (small.workload, workload):
        design = mapped_design(network, hardware, "zynq7020", 64, 64)
        cycles.append(template_cost(design).latency_cycles)  # type: ignore[arg-type,union-attr]
    assert 0 < cycles[0] < cycles[1]


def test_a_file_that_is_no_trained_network_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", head=np.array('{"kind": "supernet", "format": 1}'))
    with pytest.raises(SpecError, match="supernet, version 1"):
        load_base(tmp_path / "other.npz")


def test_bits_say_which_layers_they_are_about() -> None:
    space = LayerBits((2, 4, 8), (4, 8), slots=6)
    assert space.subjects(residual()) == {
        "weight_bits_0": ("stem",), "act_bits_0": ("stem",), "weight_bits_1": ("expand",), "act_bits_1": ("expand",),
        "weight_bits_2": ("deep",), "act_bits_2": ("deep",), "weight_bits_3": ("project",),
        "act_bits_3": ("project",), "weight_bits_4": ("fc",),
    }  # fmt: skip


def test_an_agent_learns_which_way_each_state_wants() -> None:
    """Two steps: the first is worth its action, the second what is missing of it to 1."""
    agent = Agent(2, AgentOptions(warmup=20, noise_decay=0.95, actor_rate=3e-3, critic_rate=3e-3), 5)
    first, second = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    for _ in range(100):
        up, down = agent.action(first), agent.action(second)
        reward = up + 1.0 - down
        agent.learn([Transition(first, up, reward, second), Transition(second, down, reward, None)])
    assert agent.action(first, explore=False) > 0.85 and agent.action(second, explore=False) < 0.15
    assert agent.noise < 0.01


class Weighed:
    """The cost is the channels that are kept, the accuracy their share in each layer by the layer's worth."""

    def __init__(self, recipe: Recipe, bound: float) -> None:
        self.space, self.goal = recipe.space.decisions, Goal(("accuracy",), (Limit("macs", bound),))

    def _outcome(self, point: dict[str, object], *, dear: bool) -> Outcome:
        kept = [float(point[f"kept_{place}"]) for place in range(2)]  # type: ignore[arg-type]
        metrics = {"macs": 100 * sum(kept)}
        broken = self.goal.broken(metrics)
        return Outcome(metrics | ({"accuracy": 0.1 * kept[0] + 0.9 * kept[1]} if dear else {}), broken)

    def measure(
        self, points: Sequence[dict[str, object]], *, fidelity: float = 1.0, gated: bool = True
    ) -> list[Outcome]:
        """Everything."""
        return [self._outcome(point, dear=True) for point in points]

    hardware_fronts = None

    def price(self, network: dict[str, object], rows: Sequence[dict[str, object]]) -> list[Outcome]:
        """The cost alone."""
        return [self._outcome(network, dear=False) for _ in rows]


def _episodes(bound: float, budget: int, **given: object) -> Memory:
    recipe = Recipe(
        network=Part("chain", (("layers", 2), ("filters", (16,)), ("kernels", (3,)))),
        compression=Part("layer_channels", (("slots", 3),)),
        hardware=Part("fixed", (("hardware", "weight_stationary"),)),
        mapping=Part("default"),
    )
    entry, journal, problem = DRIVERS.get("layer_agent"), Memory(), Weighed(recipe, bound)
    options = entry.checked(given, "driver")
    context = DriverContext(
        problem,
        lambda *_: pytest.fail("asks nobody"),
        journal,
        budget,
        4,
        1,
        options=options,
        search_space=recipe.space,
    )  # type: ignore[arg-type]
    entry.load()().run(context)
    return journal


@pytest.mark.parametrize("limit", ["lowered", "bounded"])
def test_every_episode_is_within_the_limit_and_late_ones_know_what_to_keep(limit: str) -> None:
    told = [trial.told for trial in _episodes(125.0, 80, limit=limit, actor_rate=3e-3, critic_rate=3e-3)]
    assert len(told) == 80 and all(item.outcome.feasible for item in told)
    assert all(item.point["kept_2"] == 1.0 for item in told)  # about no layer
    early, late = (np.mean([item.outcome.metrics["accuracy"] for item in part]) for part in (told[:20], told[-20:]))
    assert late > early + 0.03
    if limit == "bounded":
        assert late > 0.85  # 0.25 and 1: 0.925


def test_a_limit_that_nothing_meets_is_told() -> None:
    with pytest.raises(SpecError, match=r"limits\.macs: is 50 with the smallest choice"):
        _episodes(40.0, 4)


def test_a_network_shrinks_while_it_trains_until_it_is_within_its_limit() -> None:
    data, workload = load_dataset("digits"), residual()
    options = ShrinkOptions(steps=40, interval=3, penalty=0.01, growth=1.2, learning_rate=0.1)
    found = shrink(workload, data, lambda w: float(w.macs), 0.6 * workload.macs, options, 1)
    assert found.costs[0] == workload.macs and list(found.costs) == sorted(found.costs, reverse=True)
    assert found.network.workload.macs <= 0.6 * workload.macs and len(set(found.costs)) > 2
    assert found.counts == {w.tensors[0]: w.count for w in widths(found.network.workload)}
    late = shrink(workload, data, lambda w: float(w.macs), 0.3 * workload.macs, replace(options, penalty=0.0), 1)
    assert late.costs[-1] <= 0.3 * workload.macs and len(set(late.costs)) == 2  # nothing pays: cut once, late
    loose = shrink(workload, data, lambda w: float(w.macs), 2.0 * workload.macs, replace(options, steps=2), 1)
    assert loose.costs == (float(workload.macs),) and loose.network.workload == workload


def test_dead_channels_are_taken_out_and_nothing_else_changes() -> None:
    network = trained(residual())
    width = widths(network.workload)[1]
    (gain,) = gains(network, width)
    expand = network.steps["expand"]
    with torch.no_grad():
        gain[[0, 5]] = 0.0
        expand.norm.bias[[0, 5]] = -1.0  # type: ignore[union-attr,index] # nothing passes the ReLU
    assert without_dead(trained(residual())).workload == residual()
    deep = network.steps["deep"]
    with torch.no_grad():
        deep.norm.bias[[0, 5]] = -9.0  # type: ignore[union-attr,index]
    small, images = without_dead(network).eval(), torch.rand(8, 1, 8, 8)
    assert small.workload.by_name["deep"].groups == 10
    network.use_integers(False)
    small.use_integers(False)
    torch.testing.assert_close(small(images), network(images))
