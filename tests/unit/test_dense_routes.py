"""Routes through densely connected blocks: a point lowers, trains and runs; costs are chained; the best route is."""

from __future__ import annotations

import math
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch

from accel_models.template.spec import Template
from codesign.decisions import DecisionSpace, Point
from codesign.gradient.best_route import cheapest_route, likeliest_route
from codesign.gradient.routes import Graph, PartCosts, RouteNetwork, Shares, chained, reach
from codesign.quantization.qat import QatNetwork
from codesign.recipe import parse_recipe
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network.dense_routes import DenseSpace
from codesign.spaces.network.routed import END, START
from mappings.errors import SpecError
from mappings.workload import Workload
from tests.spaces import assert_runs, assert_taken_out, assert_trains

SPACE = DenseSpace(widths=((4, 6), (6, 8)), layers=1, stem=4, stem_stride=1, kernels=(3, 5), extent=8, dataset="digits")
DECISIONS = DecisionSpace(SPACE.decisions)
GRAPH = Graph.of(SPACE, START, END)
HARDWARE = Template(rows=4, cols=4, input_buffer_bytes=2048, weight_buffer_bytes=2048, output_buffer_bytes=1024)


class TestDenseRoutes(NetworkSpaceConformance):
    name, options = "dense_routes", {"extent": 8}


def every_point() -> list[Point]:
    """Of the space."""
    out = []
    routes = [d.choices for d in SPACE.decisions if d.name.endswith("route")]
    for some in product(*routes):
        route = SPACE.route_at(dict(zip(("s1_route", "s2_route"), some, strict=True)))
        layers = [layer for block in route for layer in SPACE.layers_of(block)]
        picks = product(SPACE.operators, repeat=len(layers))
        out += [SPACE.point_at(route, dict(zip(layers, picked, strict=True))) for picked in picks]
    return out


def drawn_shares(seed: int) -> Shares:
    generator = torch.Generator().manual_seed(seed)

    def share(count: int) -> torch.Tensor:
        return torch.softmax(1.5 * torch.randn(count, generator=generator, dtype=torch.float64), dim=0)

    layers = [layer for names in GRAPH.layers.values() for layer in names]
    return Shares(
        {name: share(len(targets)) for name, targets in GRAPH.after.items()},
        {layer: share(len(GRAPH.operators)) for layer in layers},
    )


def drawn_costs(seed: int) -> PartCosts:
    rng = np.random.default_rng(seed)
    edges = {edge: float(rng.uniform(1, 5)) for edge in GRAPH.edges}
    return PartCosts(2.0, edges, {choice: float(rng.uniform(0, 5)) for choice in GRAPH.choices})


def chance(point: Point, shares: Shares) -> float:
    route = (START, *SPACE.route_at(point), END)
    out = 1.0
    for source, target in pairwise(route):
        out *= float(shares.edges[source][GRAPH.after[source].index(target)])
    for block in route:
        for layer in GRAPH.layers.get(block, ()):
            out *= float(shares.operators[layer][GRAPH.operators.index(str(point[layer]))])
    return out


def cost(point: Point, costs: PartCosts) -> float:
    route = (START, *SPACE.route_at(point), END)
    layers = [layer for block in route for layer in GRAPH.layers.get(block, ())]
    return costs.of(route, {layer: str(point[layer]) for layer in layers})


def test_a_route_is_the_blocks_that_it_passes() -> None:
    point = {"s1_route": "b2", "s2_route": "b1+b2", "s1b2l1": "skip", "s2b1l1": "k5", "s2b2l1": "skip"}
    assert SPACE.route_at(point) == ("s1b2", "s2b1", "s2b2")
    by = {layer.name: layer for layer in SPACE.workload(point).layers}
    assert list(by) == [
        "stem", "s1b2_from_stem", "s2b1_from_s1b2",
        "s2b1l1_k5_expand", "s2b1l1_k5_depthwise", "s2b1l1_k5_project", "s2b1l1_k5_add",
        "s2b2_from_s2b1", "pool_of_s2b2", "fc_of_s2b2",
    ]  # fmt: skip
    assert (by["s1b2_from_stem"].P, by["s2b1_from_s1b2"].P, by["s2b2_from_s2b1"].P) == (8, 4, 4)
    assert (by["s1b2_from_stem"].K, by["s2b1_from_s1b2"].K, by["fc_of_s2b2"].C) == (6, 6, 8)
    assert by["s2b1l1_k5_depthwise"].R == 5 and by["s2b1l1_k5_depthwise"].groups == 12


def test_points_are_as_many_as_networks() -> None:
    points = every_point()
    assert len({SPACE.workload(point).digest for point in points}) == len(points) == 15**2
    rng = np.random.default_rng(0)
    for _ in range(30):
        point = DECISIONS.draw(rng)
        route = SPACE.route_at(point)
        again = SPACE.point_at(route, {layer: str(point[layer]) for block in route for layer in GRAPH.layers[block]})
        assert again == point


def test_parts_of_the_space_are_the_layers_of_its_networks() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        point = DECISIONS.draw(rng)
        route, parts = (START, *SPACE.route_at(point), END), list(SPACE.stem_layers())
        for source, target in pairwise(route):
            parts += SPACE.edge_layers(source, target)
            for layer in GRAPH.layers.get(target, ()):
                parts += SPACE.operator_layers(layer, str(point[layer]))
        whole = {layer.name: layer for layer in SPACE.workload(point).layers}
        assert [layer.name for layer in parts] == list(whole)
        assert all(layer.macs == whole[layer.name].macs for layer in parts)


def test_chances_of_all_networks_sum_to_one_and_their_mean_cost_is_the_chained_one() -> None:
    shares, costs, points = drawn_shares(0), drawn_costs(0), every_point()
    chances = [chance(point, shares) for point in points]
    assert sum(chances) == pytest.approx(1.0, abs=1e-12)
    expected = sum(p * cost(point, costs) for p, point in zip(chances, points, strict=True))
    assert float(chained(GRAPH, shares, costs)) == pytest.approx(expected, rel=1e-6)
    passed = reach(GRAPH, shares)
    assert float(passed[END]) == pytest.approx(1.0)
    through = sum(p for p, point in zip(chances, points, strict=True) if "s1b1" in SPACE.route_at(point))
    assert float(passed["s1b1"]) == pytest.approx(through)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("least", "bound"), [(0.0, math.inf), (0.0, 30.0), (20.0, 22.0), (15.0, 16.0), (0.0, 5.0)])
def test_the_likeliest_route_within_costs_is_that_of_all(seed: int, least: float, bound: float) -> None:
    shares, costs = drawn_shares(seed), drawn_costs(seed)
    fits = [point for point in every_point() if least <= cost(point, costs) <= bound]
    edges = {name: share.numpy() for name, share in shares.edges.items()}
    operators = {name: share.numpy() for name, share in shares.operators.items()}
    found = likeliest_route(GRAPH, edges, operators, costs, bound, least)
    if not fits:
        assert found is None
        return
    assert found is not None
    best = max(fits, key=lambda point: chance(point, shares))
    assert SPACE.point_at(found.blocks, found.operators) == best
    assert found.cost == pytest.approx(cost(best, costs)) and found.cost <= bound
    assert math.exp(found.score) == pytest.approx(chance(best, shares))


def test_the_cheapest_route_is_that_of_all() -> None:
    costs = drawn_costs(5)
    assert cheapest_route(GRAPH, costs).cost == pytest.approx(min(cost(point, costs) for point in every_point()))


@pytest.mark.parametrize("seed", range(3))
def test_a_certain_route_computes_what_its_network_does(seed: int) -> None:
    torch.manual_seed(seed)
    point = DECISIONS.draw(np.random.default_rng(seed))
    workload = SPACE.workload(point)
    whole, alone = RouteNetwork(SPACE, GRAPH, workload).train(), QatNetwork(workload).train()
    route = (START, *SPACE.route_at(point), END)
    with torch.no_grad():
        for source, target in pairwise(route):
            whole.edge_logits[source].fill_(-1e4)[GRAPH.after[source].index(target)] = 0.0
        for block in route:
            for layer in GRAPH.layers.get(block, ()):
                whole.operator_logits[layer].fill_(-1e4)[GRAPH.operators.index(str(point[layer]))] = 0.0
        for parts in (whole.stem, *whole.ways.values(), *whole.arms.values()):
            for name, step in parts.steps.items():
                if name in alone.steps:
                    alone.steps[name].load_state_dict(step.state_dict())
    images = torch.rand(8, 1, 8, 8)
    assert torch.allclose(whole(images), alone(images), atol=1e-5)


def test_every_chance_hears_of_the_error() -> None:
    torch.manual_seed(0)
    network = RouteNetwork(SPACE, GRAPH, SPACE.workload(DECISIONS.draw(np.random.default_rng(0)))).train()
    network(torch.rand(8, 1, 8, 8)).square().sum().backward()
    decided = [logits for logits in network.choosing() if len(logits) > 1]
    assert all(logits.grad is not None and bool(logits.grad.abs().min() > 0) for logits in decided)


def at(seed: int) -> Workload:
    return SPACE.workload(DECISIONS.draw(np.random.default_rng(seed)))


@pytest.mark.parametrize("seed", range(3))
def test_a_point_trains_with_its_quantisation(seed: int) -> None:
    assert_trains(at(seed), 100)


def test_a_network_taken_out_computes_what_it_did_within() -> None:
    assert_taken_out(DECISIONS, SPACE.workload)


def test_its_options_are_checked() -> None:
    with pytest.raises(SpecError, match=r"network\.widths: is"):
        parse_recipe({"network": {"name": "dense_routes", "widths": [[]]}}, "mine")
    with pytest.raises(SpecError) as caught:
        parse_recipe({"network": {"name": "dense_routes", "kernels": [4], "widths": [list(range(8, 15))]}}, "mine")
    assert "dense_routes.kernels: are [4] (allowed: odd numbers)" in str(caught.value)
    assert "(allowed: 1 to 6 blocks a stage)" in str(caught.value)
    with pytest.raises(SpecError, match=r"keeps a part \(s1_route\)"):
        parse_recipe({"extends": "dense_nas", "choices": {"s1_route": ["b1"]}}, "mine")
    with pytest.raises(SpecError, match='"routes" needs "routes"'):
        parse_recipe({"network": "layerwise", "driver": "routes"}, "mine")


@pytest.mark.rtl
@pytest.mark.parametrize("seed", range(3))
def test_a_point_runs_on_hardware(seed: int, tmp_path: Path) -> None:
    assert_runs(at(seed), HARDWARE, tmp_path)
