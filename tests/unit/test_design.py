"""Accelerators, designs and their costs: sums by hand, files out and in, and every fault told."""

from dataclasses import replace
from pathlib import Path

import pytest

from accel_models.cost import cost, mapped_cost
from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator, Buffering, MemoryKind, MemoryLevel
from accel_models.hardware.accelerators import ACCELERATORS, accelerator
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.reuse.charges import DOUBLE, ceil_cycles, overlapped
from accel_models.reuse.evaluate import evaluate
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.mapping import Mapping
from mappings.workload import TensorShape, Workload

DRAM = MemoryLevel("DRAM", None, MemoryKind.DRAM, read_bytes_per_cycle=2.0, write_bytes_per_cycle=2.0)
TINY = Accelerator(
    "tiny",
    (
        replace(DRAM, read_pj_per_byte=100.0, write_pj_per_byte=100.0),
        MemoryLevel("BUF", 64, fanout=(2, 4), read_pj_per_byte=2.0, write_pj_per_byte=3.0, leakage_mw=1.0),
        MemoryLevel("RF", 8, MemoryKind.REGISTER, read_pj_per_byte=0.5, write_pj_per_byte=0.5, leakage_mw=0.0),
    ),
    clock_hz=1_000_000_000,
    mac_pj=1.0,
    mac_leakage_mw=0.0,
)
FC = Layer("fc", Op.LINEAR, K=4, C=2, bits=Bits(8, 8, 8, 8))
TEXT = ["Cluster(8)", "SpatialMap(1,1) K", "SpatialMap(1,1) C", "Cluster(1)"]


def mapping(*texts: str, bypass: tuple[tuple[str, str], ...] = ()) -> Mapping:
    return replace(Mapping.from_dict({"directives": list(texts)}), bypass=bypass)


def layer_cost(layer: Layer, how: Mapping, on: Accelerator) -> LayerCost:
    result = evaluate(layer, how, on)
    assert isinstance(result, LayerCost), result
    return result


def test_a_layer_by_hand() -> None:
    found = layer_cost(FC, mapping(*TEXT), TINY)
    assert found.macs == 8
    assert found.compute_cycles == 1
    moved = {(level, x, way): n for level, x, way, n in found.traffic_bytes}
    assert moved == {
        ("DRAM", "I", "read"): 2,
        ("DRAM", "W", "read"): 8,
        ("DRAM", "O", "write"): 4,
        ("BUF", "I", "read"): 2,  # each input once for its four units
        ("BUF", "I", "write"): 2,
        ("BUF", "W", "read"): 8,
        ("BUF", "W", "write"): 8,
        ("BUF", "O", "read"): 4,
        ("BUF", "O", "write"): 4,  # pairs of units are added on the way
        ("RF", "I", "read"): 8,
        ("RF", "I", "write"): 8,
        ("RF", "W", "read"): 8,
        ("RF", "W", "write"): 8,
        ("RF", "O", "read"): 8,
        ("RF", "O", "write"): 8,
    }
    # DRAM in: 10 bytes at 2 a cycle, before; out: 4 bytes, after; between them one step.
    assert found.cycles == 5 + 1 + 2
    assert found.bound_by == "DRAM read"
    assert dict(found.energy_pj or ()) == {
        "MAC": 8.0,
        "DRAM": 1400.0,
        "BUF": 14 * 2.0 + 14 * 3.0,
        "RF": 48 * 0.5,
        "leakage": 8.0,  # 1 mW for 8 ns
    }


def test_buffers_are_enforced_and_the_way_out_is_told() -> None:
    wide = replace(FC, K=64)
    result = evaluate(wide, mapping("Cluster(8)", "SpatialMap(1,1) K", "SpatialMap(1,1) C", "Cluster(1)"), TINY)
    assert isinstance(result, Infeasible)
    assert (result.resource, result.demand, result.bound) == ("BUF capacity", 2 * (2 + 128 + 64), 64)
    assert "smaller tiles" in str(result)
    roomy = replace(TINY.levels[1], capacity_bytes=(("I", 4), ("W", 255), ("O", 128)))
    result = evaluate(wide, mapping(*TEXT), replace(TINY, levels=(TINY.levels[0], roomy, TINY.levels[2])))
    assert isinstance(result, Infeasible)
    assert result.resource == "BUF capacity for W"


def test_what_is_not_modelled_is_absent() -> None:
    blind = replace(TINY, levels=(DRAM, *TINY.levels[1:]))
    assert layer_cost(FC, mapping(*TEXT), blind).energy_pj is None
    silent = replace(TINY, levels=(TINY.levels[0], replace(TINY.levels[1], leakage_mw=None), TINY.levels[2]))
    assert "leakage" not in dict(layer_cost(FC, mapping(*TEXT), silent).energy_pj or ())


def test_double_buffers_are_a_pipeline_of_tiles() -> None:
    pipeline = lambda *values: overlapped(DOUBLE, *values)  # noqa: E731
    assert pipeline(10.0, 4.0, 2.0, 1.0, 1.0, 3.0) == 3 + 4 + 10 + 2  # one tile: nothing overlaps
    assert pipeline(40.0, 20.0, 4.0, 4.0, 4.0, 0.0) == 5 + 40 + 1  # bound by the work
    assert pipeline(8.0, 40.0, 4.0, 4.0, 4.0, 0.0) == 40 + 2 + 1  # bound by the fills: work and drain of the last tile
    assert pipeline(8.0, 4.0, 40.0, 4.0, 4.0, 0.0) == 1 + 2 + 40  # bound by the drains


def test_single_buffer_takes_turns_and_stream_does_not() -> None:
    def cycles(mode: Buffering) -> int:
        levels = (TINY.levels[0], replace(TINY.levels[1], buffering=mode), TINY.levels[2])
        return layer_cost(FC, mapping(*TEXT), replace(TINY, levels=levels)).cycles

    assert cycles(Buffering.SINGLE) == 1 + 5 + 2
    assert cycles(Buffering.STREAM) == 5


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["Cluster(8)", "Cluster(1)", "Cluster(1)"], "has 4 levels"),
        (["Cluster(3)", "Cluster(1)"], "does not divide 8 MACs"),
        (["Cluster(4)", "Cluster(1)"], "is not how tiny groups its 8 MACs"),
        (["Cluster(8)", "Cluster(1)"], "leaves K at 4"),
        (["TemporalMap(5,5) K", *TEXT], "larger than K = 4"),
        (["TemporalMap(2,3) K", *TEXT], "skips elements"),
        (["TemporalMap(2,1) K", *TEXT], "does elements twice"),
        (["TemporalMap(2,2) K", "TemporalMap(1,1) K", *TEXT], "second TemporalMap of K"),
        (["Cluster(8)", "SpatialMap(2,2) K", "TemporalMap(1,1) K", "Cluster(1)"], "comes after a SpatialMap"),
    ],
)
def test_malformed_mappings(texts: list[str], message: str) -> None:
    with pytest.raises(SpecError, match=message.replace("(", r"\(")):
        evaluate(FC, mapping(*texts), TINY)


@pytest.mark.parametrize("pair", [("GLB", "I"), ("DRAM", "I"), ("RF", "X")])
def test_malformed_bypass(pair: tuple[str, str]) -> None:
    with pytest.raises(SpecError, match="bypass"):
        evaluate(FC, mapping(*TEXT, bypass=(pair,)), TINY)


def test_spatial_maps_fold_in_time_or_are_infeasible() -> None:
    wide = replace(FC, K=9)
    folded = layer_cost(wide, mapping("TemporalMap(3,3) K", *TEXT), TINY)
    assert folded.compute_cycles == 3
    assert layer_cost(replace(FC, K=7), mapping(*TEXT), replace(TINY, levels=roomy())).compute_cycles == 4
    rigid = ["Cluster(8)", "TemporalMap(9,9) K", "SpatialMap(1,1) K", "SpatialMap(1,1) C", "Cluster(1)"]
    result = evaluate(wide, mapping(*rigid), TINY)
    assert isinstance(result, Infeasible)
    assert (result.resource, result.demand, result.bound) == ("fan-out of BUF, axis 0", 9, 2)
    twice = ["Cluster(8)", "SpatialMap(2,2) K", "SpatialMap(1,1) C", "SpatialMap(1,1) K", "Cluster(1)"]
    result = evaluate(replace(wide, K=32, C=3), mapping(*twice), TINY)
    assert isinstance(result, Infeasible)
    assert result.demand > result.bound


def test_huge_counts_round_up() -> None:
    assert ceil_cycles(38654705646.0) == 38654705646
    assert ceil_cycles(38654705646.2) == 38654705647
    assert ceil_cycles(3.0000000001) == 3


def roomy() -> tuple[MemoryLevel, ...]:
    """TINY's levels with a larger buffer whose first axis takes K and second C."""
    return (TINY.levels[0], replace(TINY.levels[1], capacity_bytes=4096), TINY.levels[2])


def test_counts_that_would_wrap_are_refused() -> None:
    huge = Layer("huge", Op.LINEAR, K=2**30, C=2**30)
    texts = ["TemporalMap(1,1) K", "TemporalMap(1,1) C", "Cluster(8)", "Cluster(1)"]
    with pytest.raises(SpecError, match="overflow"):
        evaluate(huge, mapping(*texts), TINY)


def workload() -> Workload:
    second = replace(FC, name="fc2", inputs=("fc",), C=4, K=2)
    return Workload("net", (TensorShape("x", C=2),), (replace(FC, inputs=("x",)), second))


def test_a_design_costs_the_sum_of_its_layers_and_survives_a_file(tmp_path: Path) -> None:
    short = ["Cluster(8)", "SpatialMap(1,1) K", "SpatialMap(1,1) C", "Cluster(1)"]
    design = Design(workload(), TINY, (("fc", mapping(*TEXT)), ("fc2", mapping(*short))))
    report = cost(design)
    assert report == mapped_cost(design)
    assert isinstance(report, CostReport)
    assert report.latency_cycles == sum(layer.cycles for layer in report.layers) > 0
    assert report.energy_pj == sum(layer.total_energy_pj or 0 for layer in report.layers)
    assert report.to_dict()["layers"][0]["name"] == "fc"
    design.save(tmp_path / "design.yaml")
    again = Design.load(tmp_path / "design.yaml")
    assert again == design
    assert again.digest == design.digest
    with pytest.raises(SpecError, match="fc2: is missing"):
        mapped_cost(replace(design, mappings=design.mappings[:1]))
    with pytest.raises(SpecError, match='did you mean "fc'):
        replace(design, mappings=(("fc3", mapping(*TEXT)),))


def test_every_fault_of_an_accelerator_is_told_at_once() -> None:
    bad = {
        "name": "x",
        "clock_hz": 0,
        "levels": [
            {"name": "DRAM", "capacity_bytes": None, "kind": "dramm"},
            {"name": "GLB", "capacity_bytes": -1, "fan_out": [2]},
        ],
    }
    with pytest.raises(SpecError) as caught:
        Accelerator.from_dict(bad)
    text = str(caught.value)
    for part in ("clock_hz: is 0", 'did you mean "dram"', "capacity_bytes: is -1", 'did you mean "fanout"'):
        assert part in text
    for broken in ({"levels": []}, [], None, {"levels": "x"}, {"name": 3}):
        with pytest.raises(SpecError):
            Accelerator.from_dict(broken)
    with pytest.raises(SpecError, match="unbounded"):
        Accelerator("x", TINY.levels[1:], clock_hz=1)
    with pytest.raises(SpecError, match='unknown technology "asic_1nm"'):
        replace(TINY, technology="asic_1nm")


def test_shipped_accelerators_load_and_round_trip() -> None:
    assert {"ca1", "eyeriss_like", "nvdla_like", "shidiannao_like", "tpu_like", "gemmini_like"} <= set(
        ACCELERATORS.names()
    )
    assert accelerator("eyeriss_like").pes == 168
    for name in ACCELERATORS.names():
        one = accelerator(name)
        again = Accelerator.from_dict(one.to_dict())
        assert again == one
        assert again.digest == one.digest
        assert one.source
