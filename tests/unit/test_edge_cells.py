"""Cells of edges: a point lowers, trains and runs; a gradient chooses among the operators of each edge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from accel_models.template.spec import Template
from codesign.decisions import DecisionSpace, Point
from codesign.gradient.cells import cells_of, with_arms
from codesign.gradient.network import ArmLayers, MixedNetwork
from codesign.gradient.rules import DROPPED
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
