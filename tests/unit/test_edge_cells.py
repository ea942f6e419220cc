"""Cells of edges: a point lowers, trains and runs; a gradient chooses among the operators of each edge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from accel_models.template.spec import Template
from codesign.accuracy.data import digits
from codesign.decisions import DecisionSpace, Point
from codesign.gradient.cells import cells_of, with_arms
from codesign.gradient.network import ArmLayers, MixedNetwork
from codesign.gradient.rules import DROPPED
from codesign.gradient.search import GradientOptions, GradientSearch
from codesign.gradient.unrolled import unrolled_gradient
from codesign.quantization.qat import QatLayer
from codesign.recipe import parse_recipe
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network.edge_cells import EdgeSpace
from mappings.errors import SpecError
from mappings.workload import Workload
from tests.spaces import assert_runs, assert_trains

SPACE = EdgeSpace(widths=(4, 6), nodes=2, operators=("k1", "same", "k3", "d3"), extent=8, dataset="digits")
DECISIONS = DecisionSpace(SPACE.decisions)
HARDWARE = Template(rows=4, cols=4, input_buffer_bytes=2048, weight_buffer_bytes=2048, output_buffer_bytes=1024)
LAST: Point = {decision.name: decision.choices[-1] for decision in SPACE.decisions}


class TestEdgeCells(NetworkSpaceConformance):
    name, options = "edge_cells", {"extent": 8}


def at(seed: int) -> Workload:
    return SPACE.workload(DECISIONS.draw(np.random.default_rng(seed)))


def relaxed() -> MixedNetwork:
    cells = cells_of(SPACE, DECISIONS, LAST)
    last = [len(cell.arms) - 1 for cell in cells]
    points = [
        [with_arms(DECISIONS, LAST, cells, (*last[:n], arm, *last[n + 1 :])) for arm in range(len(cell.arms))]
        for n, cell in enumerate(cells)
    ]
    torch.manual_seed(0)
    return MixedNetwork(SPACE.workload, points, cells, "softmax")


def test_every_edge_is_there_with_its_operator() -> None:
    kinds = {"s1e01": "k3", "s1e02": "same", "s1e12": "d3", "s2e01": "same", "s2e02": "same", "s2e12": "k1"}
    layers = {layer.name: layer for layer in SPACE.workload(kinds).layers}
    assert list(layers) == [
        "stem", "s1e01_conv", "s1e12_deep", "s1e12_conv", "s1n2_add1", "reduce2", "s2e12_conv", "s2n2_add1",
        "pool", "fc",
    ]  # fmt: skip
    assert layers["s1n2_add1"].inputs == ("stem", "s1e12_conv") and layers["s1e12_deep"].inputs == ("s1e01_conv",)
    assert layers["s2n2_add1"].inputs == ("reduce2", "s2e12_conv") and layers["s2e12_conv"].inputs == ("reduce2",)
    assert layers["s1e12_deep"].is_depthwise and layers["s2e12_conv"].R == 1
    assert [decision.choices[0] for decision in SPACE.decisions] == ["same"] * 6  # the last has layers


def test_a_relaxed_cell_with_one_arm_an_edge_computes_what_its_network_does() -> None:
    network = relaxed()
    assert network.identities == (0,) * 6
    images, places = torch.rand(16, 1, 8, 8), (1, 0, 2, 3, 0, 2)
    with torch.no_grad():
        for logits, place in zip(network.logits, places, strict=True):
            logits.fill_(DROPPED)
            logits[place] = 0.0
        found = network(images, 1.0, torch.Generator())
        point = with_arms(DECISIONS, LAST, network.cells, places)
        values = {"image": torch.round(images * 127) / 127}
        steps = dict(network.outside.items())
        for cell, place in zip(network.cells, places, strict=True):
            arm = network.arms[cell.prefix][place]  # type: ignore[index]
            assert isinstance(arm, ArmLayers)
            steps.update(arm.steps.items())
        for layer in SPACE.workload(point).layers:
            values[layer.name] = steps[layer.name](*(values[name] for name in layer.inputs))
    assert torch.allclose(found, values["fc"], atol=1e-6)


def test_identities_leave_out_what_they_are_told_to() -> None:
    network = relaxed()
    arm = network.arms["s1e02_"][0]  # type: ignore[index]
    x = torch.ones(4, 3, 20, 20)
    network.leave_out(0.5)
    assert float((arm(x) == 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert float(arm(x).max()) == 2.0 and torch.equal(arm.eval()(x), x)
    network.train().leave_out(0.0)
    assert torch.equal(arm(x), x)


@pytest.mark.parametrize("seed", range(3))
def test_a_point_trains_with_its_quantisation(seed: int) -> None:
    assert_trains(at(seed), 100)


@pytest.mark.rtl
@pytest.mark.parametrize("point", [{}, {name: "same" for name in LAST if name != "s2e12"}])
def test_a_point_runs_on_hardware(point: Point, tmp_path: Path) -> None:
    assert_runs(SPACE.workload(LAST | point) if point else at(0), HARDWARE, tmp_path)


def test_its_options_are_checked() -> None:
    with pytest.raises(SpecError, match="operators: are same: nothing that learns"):
        parse_recipe({"network": {"name": "edge_cells", "operators": ["same"]}}, "mine")


def test_the_second_order_gradient_is_that_of_the_loss_one_step_on() -> None:
    """By differences of the whole: in each logit, weights moved by one step of that logit's own."""
    network = relaxed().double().train()
    for part in network.modules():
        if isinstance(part, QatLayer):
            part.exact_weight = part.quantizer.exact = False  # rounding has no differences
    images = torch.rand(2, 12, 1, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    labels, generator, rate = torch.arange(12) % 10, torch.Generator(), 0.5

    def loss(place: int, weights: Mapping[str, Tensor]) -> Tensor:
        out = functional_call(network, dict(weights), (images[place], 1.0, generator), {"logits_learn": True})
        return torch.nn.functional.cross_entropy(out, labels)

    def ahead() -> float:
        weights = {name: value for name, value in network.named_parameters() if "logits" not in name}
        slopes = torch.autograd.grad(loss(0, {}), list(weights.values()), allow_unused=True)
        moved = {
            name: value if slope is None else value - rate * slope
            for (name, value), slope in zip(weights.items(), slopes, strict=True)
        }
        return float(loss(1, moved).detach())

    found = unrolled_gradient(network, network.choosing(), lambda: loss(0, {}), lambda moved: loss(1, moved), rate)
    first_order = torch.autograd.grad(loss(1, {}), network.choosing())
    for cell in (0, 4):
        logits, slope, plain = network.logits[cell], found[cell], first_order[cell]
        for place in range(len(logits)):
            ends = []
            for sign in (1, -1):
                with torch.no_grad():
                    logits[place] += sign * 1e-5
                ends.append(ahead())
                with torch.no_grad():
                    logits[place] -= sign * 1e-5
            assert float(slope[place]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-7)
        assert not torch.allclose(slope, plain, rtol=0.05, atol=1e-6)


def test_stages_drop_arms_and_leave_out_more_of_identities_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    options = GradientOptions(steps=12, stages=3, identity_dropout=0.6)
    search = GradientSearch(relaxed(), digits(), {}, {}, options, 0)
    told, plain = list[float](), MixedNetwork.leave_out

    def leave_out(self: MixedNetwork, share: float) -> None:
        told.append(share)
        plain(self, share)

    monkeypatch.setattr(MixedNetwork, "leave_out", leave_out)
    found = search.run()
    # Logits learn from step 4 on; stages end with steps 6 and 9.
    assert told == pytest.approx([0.0] * 7 + [0.3, 0.2, 0.1] + [0.6, 0.3])
    assert found.left == (24, 24, 18, 18, 18, 12, 12, 12) and found.dropped == 12
    assert [int((share > 0).sum()) for share in found.shares] == [2] * 6
