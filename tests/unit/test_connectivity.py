"""Accelerators of free connectivity: what an axis runs, what an envelope bounds, what a genome of a mapping says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accel_models.hardware.connectivity import (
    ENVELOPES,
    Connected,
    LayerMachines,
    SubAccelerators,
    limits_of,
    loop_of,
)
from accel_models.report import Infeasible, LayerCost
from codesign.decisions import DecisionSpace
from codesign.providers.base import ProviderContext
from codesign.providers.registry import make_provider
from codesign.recipe import load_recipe, parse_recipe
from codesign.spaces.conformance import WORKLOAD, HardwareSpaceConformance, NetworkSpaceConformance
from codesign.spaces.hardware.free import FreeSpace
from codesign.spaces.mapping.connected import DataflowMapping, EncodedMapping, SearchedMapping
from codesign.spaces.network.several import SeveralNetworks, parts_of
from mappings.errors import SpecError
from mappings.layer import DIMS, Layer, Op

CONV = Layer("conv", Op.CONV, K=16, C=8, P=10, Q=10, R=3, S=3)
DEPTHWISE = Layer("depthwise", Op.CONV, groups=16, P=10, Q=10, R=3, S=3)
SMALL = Connected("nvdla_256", (4, 8), ("K", "C"), 64, 32_768)


class TestFree(HardwareSpaceConformance):
    """Registered as any."""

    name = "free"
    options = {"most_axes": 3}


class TestSizing(HardwareSpaceConformance):
    """Registered as any."""

    name = "sizing"


class TestLayerSizing(HardwareSpaceConformance):
    """Registered as any."""

    name = "layer_sizing"


class TestSeveral(NetworkSpaceConformance):
    """Registered as any."""

    name = "several"
    options = {"networks": ["transformer_encoder", "transformer_encoder"]}


@pytest.mark.parametrize("name", ENVELOPES.names())
def test_a_published_accelerator_is_within_its_envelope(name: str) -> None:
    given = ENVELOPES.get(name)
    assert given.own.broken() == () and given.own.pes == given.pes and given.source
    large = replace(given.own, axes=(given.own.axes[0] + 1, given.own.axes[1]))
    assert "PE" in {item.resource for item in large.broken()}
    full = replace(given.own, l2_bytes=given.onchip_bytes)
    assert "on-chip memory" in {item.resource for item in full.broken()}


@pytest.mark.parametrize(
    "change", [{"axes": (4,)}, {"parallel": ("K", "K")}, {"parallel": ("K", "G")}, {"l1_bytes": 0}, {"axes": (0, 4)}]
)
def test_what_does_not_go_together_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="connectivity"):
        replace(SMALL, **change)


def test_each_axis_runs_one_loop_and_channels_of_a_depthwise_layer_are_groups() -> None:
    axes = limits_of(replace(SMALL, axes=(4, 4, 2), parallel=("P", "C", "R")), CONV).axes
    assert axes.sum() == 3
    assert axes[1, DIMS.index("P"), 0] == axes[1, DIMS.index("C"), 1] == axes[2, DIMS.index("R"), 0] == 1
    assert [loop_of(dim, SMALL, DEPTHWISE) for dim in SMALL.parallel] == ["K", "G"]
    assert loop_of("K", replace(SMALL, parallel=("K", "P")), DEPTHWISE) == "G"


def test_axes_take_what_is_left_of_the_envelope() -> None:
    space, rng = FreeSpace("nvdla_256", most_axes=3), np.random.default_rng(0)
    decisions = DecisionSpace(space.decisions)
    seen = set()
    for _ in range(200):
        machine = space.hardware_at(decisions.draw(rng), WORKLOAD)
        seen.add(len(machine.axes))
        assert machine.pes <= 256 and "PE" not in {item.resource for item in machine.broken()}
    assert seen == {1, 2, 3}
    with pytest.raises(SpecError, match="envelope"):
        FreeSpace("edge_tpu")


def _genome(orders: str = "KCPQRS", share: float = 1.0) -> dict[str, Any]:
    point: dict[str, Any] = {}
    for level in ("l2", "l1"):
        point[f"order_{level}"] = tuple(orders)
        point |= {f"tile_{level}_{dim}": share for dim in "KCPQRS"}
    return point


def test_orders_and_tiles_of_a_genome_are_what_the_layer_runs() -> None:
    encoded = EncodedMapping()
    flow = encoded.flow(_genome("QPRSCK", 0.5), CONV, SMALL)
    assert [step.dim for step in flow.roles[0]][-6:] == list("QPRSCK")
    assert {step.dim: int(step.size) for step in flow.roles[0]}["K"] == 1 + round(0.5 * 15)
    assert [step.dim for step in flow.roles[1] if step.spatial] == ["K"]
    assert [step.dim for step in flow.roles[2]] == ["C"]
    assert "G" in {step.dim for step in encoded.flow(_genome(), DEPTHWISE, SMALL).roles[0]}
    costs = {}
    for orders in ("KCPQRS", "SRQPCK", "PQKCRS"):
        for share in (0.0, 0.3, 1.0):
            found = encoded.layer_cost(_genome(orders, share), CONV, SMALL)
            assert isinstance(found, LayerCost) and found.cycles * SMALL.pes >= CONV.macs
            costs[found.cycles, found.total_energy_pj] = orders, share
    assert len(costs) > 4, "orders and tiles change the figures"


def test_a_search_within_the_connectivity_is_no_worse_than_a_genome() -> None:
    searched = SearchedMapping(generations=4).layer_cost({}, CONV, SMALL)
    encoded = EncodedMapping().layer_cost(_genome(), CONV, SMALL)
    flow = DataflowMapping().layer_cost({}, CONV, SMALL)
    assert not any(isinstance(item, Infeasible) for item in (searched, encoded, flow))
    assert isinstance(searched, LayerCost) and searched.cycles * SMALL.pes >= CONV.macs

    def edp(cost: LayerCost | Infeasible) -> float:
        assert isinstance(cost, LayerCost) and cost.total_energy_pj is not None
        return cost.cycles * cost.total_energy_pj

    assert edp(searched) <= min(edp(encoded), edp(flow))


def _measured(hardware: Any, mapping: Any, provider: str, network: Any = "transformer_encoder") -> Any:
    raw = {
        "name": "toy",
        "network": network,
        "compression": "none",
        "hardware": hardware,
        "mapping": mapping,
        "device": "nvdla_256_16nm",
        "objectives": ["latency_ms"],
        "providers": [provider],
    }
    recipe = parse_recipe(raw, "toy")
    made = make_provider(provider, ProviderContext(0, recipe.device, recipe.space, Path(), 0))
    (candidate,) = recipe.space.decode([recipe.space.decisions.draw(np.random.default_rng(0))])
    return made, candidate


def test_the_report_adds_up_to_the_metrics() -> None:
    made, candidate = _measured({"name": "envelope", "envelope": "nvdla_256"}, "dataflow", "directive")
    (found,) = made.measure([candidate])
    report = made.report(candidate)
    assert not found.broken and found.metrics["latency_cycles"] == sum(layer.cycles for layer in report.layers)
    assert found.metrics["energy_uj"] == pytest.approx(report.energy_pj / 1e6)
    assert 0 < found.metrics["onchip_edp_uj_ms"] < found.metrics["edp_uj_ms"]
    assert found.metrics["area_mm2"] == pytest.approx(report.area_um2 / 1e6)


def test_networks_at_once_end_no_later_than_one_after_another() -> None:
    networks = {"name": "several", "networks": ["transformer_encoder", "transformer_encoder"]}
    hardware = {"name": "sub_accelerators", "envelope": "nvdla_256", "homogeneous": True}
    made, candidate = _measured(hardware, "dataflow", "shared", networks)
    (found,) = made.measure([candidate])
    assert not found.broken and found.detail["schedule_proved"]
    columns = made.columns(candidate)
    assert len(columns) == 2 and columns[0] == columns[1]
    alone = sum(min(cycles for cycles, _ in row) for row in columns[0])
    assert alone <= found.metrics["latency_cycles"] <= 2 * alone
    assert found.metrics["latency_cycles"] == alone  # two equal engines, two equal networks
    assert len(made.report(candidate).layers) == sum(map(len, columns))


def test_networks_keep_their_names_apart() -> None:
    workload = SeveralNetworks(("transformer_encoder", "transformer_encoder")).workload
    parts = parts_of(workload)
    assert [name.split("/")[0] for part in parts for name in (part[0], part[-1])] == ["0", "0", "1", "1"]
    assert parts_of(WORKLOAD) == [["conv", "fc"]]


def test_machines_together_share_what_one_chip_has() -> None:
    own = ENVELOPES.get("nvdla_256").own
    both = LayerMachines((own, own))
    assert {item.resource for item in both.broken()} >= {"PE", "on-chip memory"}
    assert both.machine(7) == own and both.pes == 2 * own.pes
    small = replace(SMALL, bandwidth=0.7)
    assert [item.resource for item in SubAccelerators((small, small)).broken()] == ["bandwidth"]


@pytest.mark.parametrize("name", ["naas", "digamma", "gamma", "confuciux", "nhas", "nasaic", "magma", "multi_fpga"])
def test_a_recipe_tells_its_publication(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.source and recipe.space.decisions.size > 1
