"""Loop-tile accelerators: the formulas by hand, every limit binding, and the fastest one against all others."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from accel_models.hardware.devices import device
from accel_models.published.loop_tile import Board, Extent, LoopTile, fill
from accel_models.published.loop_tile_search import Fastest, fastest
from accel_models.report import Infeasible
from codesign.decisions import DecisionSpace
from codesign.providers.base import Candidate, ProviderContext
from codesign.providers.registry import make_provider
from codesign.recipe import load_recipe
from codesign.spaces.conformance import WORKLOAD, HardwareSpaceConformance
from mappings.errors import SpecError
from mappings.layer import Layer, Op

SMALL = (
    Layer("a", Op.CONV, K=6, C=3, P=6, Q=6, R=3, S=3, stride=(2, 2)),
    Layer("b", Op.CONV, K=5, C=6, P=6, Q=6),
    Layer("c", Op.CONV, K=4, C=6, P=5, Q=4, R=2, S=2),
)
DEPTHWISE = Layer("d", Op.CONV, groups=8, P=6, Q=6, R=3, S=3)
BOARD = Board("toy", dsp=12, bram18=60, lut=400, port_bits=6 * 16)


class TestSpace(HardwareSpaceConformance):
    """Registered as any."""

    name = "loop_tile"


def test_the_formulas_by_hand() -> None:
    machine = LoopTile(4, 2, 6, 12, 3, 2, 1)
    # 12 x 12 inputs in two tiles of rows; two tiles of six filters; two passes over three channels, the slowest of
    # weights 4*2*9/3 = 24, inputs 2*6*12/2 = 72, compute 9*3*6 = 162; outputs 4*3*6/1 = 72.
    assert machine.layer_cycles(SMALL[0]) == 2 * 2 * max(2 * 162, 72)
    assert replace(machine, extent=Extent.OUTPUT).layer_cycles(SMALL[0]) == 1 * 1 * 2 * max(2 * 9 * 3 * 3, 4 * 9)
    assert machine.dsp == 8 and replace(machine, bits=32).dsp == 40
    assert machine.bram18(SMALL) == 2 * 2 * 1 + 2 * 4 * 1 + 8 * 1
    assert replace(machine, tr=30, tc=40).bram18(SMALL) == 2 * 6 * 2 + 8 * 1  # 30 * 40 * 16 bits take two blocks
    assert machine.port_bits == 96 and machine.lut == 8 * 32


def test_a_depthwise_engine_has_resources_and_cycles_of_its_own() -> None:
    plain, own = LoopTile(2, 2, 6, 6, 2, 2, 2), LoopTile(2, 2, 6, 6, 2, 2, 2, depthwise_lanes=4)
    (lacking,) = plain.broken([DEPTHWISE], BOARD)
    assert lacking.resource == "operators"
    with pytest.raises(SpecError, match="depthwise"):
        plain.layer_cycles(DEPTHWISE)
    assert own.layer_cycles(DEPTHWISE) == 2 * 9 * 36
    assert own.dsp == 8 and own.bram18([DEPTHWISE]) == plain.bram18([]) + 4 * (2 + 2 + 1)


@pytest.mark.parametrize(
    ("change", "resource"),
    [
        ({"tm": 13, "tn": 1}, "DSP"),
        ({"tr": 90, "tc": 90}, "BRAM18"),
        ({"weight_ports": 5}, "port"),
        ({"tm": 13, "tn": 1}, "LUT"),
    ],
)
def test_every_limit_binds(change: dict[str, int], resource: str) -> None:
    machine = LoopTile(3, 2, 6, 6, 2, 2, 2)
    assert machine.broken(SMALL, BOARD) == ()
    assert fill(machine, SMALL, BOARD) == 1.0  # its ports
    assert resource in {item.resource for item in replace(machine, **change).broken(SMALL, BOARD)}


@pytest.mark.parametrize("extent", list(Extent))
def test_nothing_is_faster_than_the_fastest(extent: Extent) -> None:
    found = fastest(SMALL, BOARD, extent=extent)
    assert isinstance(found, Fastest)
    assert found.machine.broken(SMALL, BOARD) == () and found.machine.latency_cycles(SMALL) == found.cycles
    least = 10**9
    for tm, tn, tr, tc in product(range(1, 7), range(1, 7), range(1, 13), range(1, 13)):
        if tm * tn > BOARD.dsp:
            continue
        for weights, inputs in product(range(1, 5), range(1, 5)):
            if weights + inputs > 5:
                continue
            machine = LoopTile(tm, tn, tr, tc, weights, inputs, 6 - weights - inputs, extent=extent)
            if machine.bram18(SMALL) <= BOARD.bram18:
                least = min(least, machine.latency_cycles(SMALL))
    assert found.cycles == least


def test_a_board_without_room_is_told() -> None:
    found = fastest(SMALL, replace(BOARD, bram18=2))
    assert isinstance(found, Infeasible) and found.resource == "BRAM18"
    with pytest.raises(SpecError, match="FPGA"):
        Board.of(device("edge_28nm"))


def test_the_provider_tells_what_a_refused_design_would_cost() -> None:
    recipe = load_recipe("hotnas")
    context = ProviderContext(0, "zynq7020", recipe.space, None, options={"port_bits": 64})  # type: ignore[arg-type]
    provider = make_provider("loop_tile", context)
    large = Candidate({}, workload=WORKLOAD, hardware=LoopTile(64, 8, 12, 12, 2, 1, 1))
    (found,) = provider.measure([large])
    assert {item.resource for item in found.broken} == {"DSP", "BRAM18"} and found.metrics["dsp"] == 512
    report = provider.report(large)  # type: ignore[attr-defined]
    assert report.latency_cycles == found.metrics["latency_cycles"] == sum(layer.cycles for layer in report.layers)
    assert all(0 < layer.utilisation <= 1 for layer in report.layers)


def test_the_recipe_draws_accelerators() -> None:
    space = load_recipe("hotnas").space
    assert isinstance(space.decisions, DecisionSpace) and {d.group for d in space.decisions.decisions} == {"hardware"}
