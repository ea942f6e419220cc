"""Budgets bind: devices, envelopes, power; and reports survive a file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from accel_models.cost import mapped_cost
from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.accelerators import accelerator
from accel_models.hardware.budget import broken_budget, resources, silicon_um2
from accel_models.hardware.technology import technology
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.template.spec import Template
from codesign.hardware_file import load_hardware
from mappings.dataflow import dataflow
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload

LAYER = Layer(
    "c", Op.CONV, K=32, C=16, P=13, Q=13, R=3, S=3, padding=(1, 1, 1, 1), bits=Bits(16, 16, 16, 16), inputs=("x",)
)


def design(on: Accelerator) -> Design:
    flow = dataflow("row_stationary").instantiate(LAYER, on)
    return Design(Workload("one", (TensorShape("x", C=16, H=13, W=13),), (LAYER,)), on, (("c", flow),))


def test_area_by_hand() -> None:
    tech = technology("asic_65nm")
    on = accelerator("eyeriss_like")
    registers, buffer, mac = tech.register_um2(520 * 8), tech.sram_um2(110592), tech.mac_um2(8, 8)
    assert registers and buffer and mac
    assert silicon_um2(on) == pytest.approx(168 * (registers + mac) + buffer)
    assert silicon_um2(accelerator("ca1")) is None  # no technology: not modelled


def test_envelopes_and_devices_bind() -> None:
    on = replace(accelerator("eyeriss_like"), device="eyeriss_65nm")
    assert broken_budget(on) is None
    big = replace(on, levels=(on.levels[0], replace(on.levels[1], fanout=(48, 56)), on.levels[2]))
    broken = broken_budget(big)
    assert broken is not None
    assert (broken.resource, broken.bound) == ("area", 12.25)
    result = mapped_cost(design(big))
    assert isinstance(result, Infeasible)
    small = replace(on, device="zynq7020")
    assert resources(small) == (("DSP", 168), ("BRAM36", 24))
    assert resources(on) is None
    wide = replace(small, levels=(small.levels[0], replace(small.levels[1], fanout=(32, 32)), small.levels[2]))
    broken = broken_budget(wide)
    assert broken is not None
    assert (broken.resource, broken.demand, broken.bound) == ("DSP", 1024, 220)
    with pytest.raises(SpecError, match="unknown device"):
        broken_budget(replace(on, device="eyeris"))


def test_a_hierarchy_and_the_file_of_its_device_lie_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a template's does: the folder may lie anywhere."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "chip.yaml").write_text("kind: asic\ntechnology: asic_65nm\nfigures: {area_mm2: [1, x]}")
    replace(accelerator("eyeriss_like"), device="chip.yaml").save(folder / "mine.yaml")
    monkeypatch.chdir(tmp_path)
    on = load_hardware("elsewhere/mine.yaml")
    broken = broken_budget(on)
    assert on.device == "elsewhere/chip.yaml" and broken is not None
    assert (broken.resource, broken.bound) == ("area", 1)
    priced_in_nothing = replace(on, technology="")
    with pytest.raises(SpecError, match=r"area_mm2: .* is not modelled \(it names no technology\)"):
        broken_budget(priced_in_nothing)


def test_power_binds() -> None:
    on = replace(accelerator("eyeriss_like"), device="eyeriss_65nm")
    hot = replace(on, mac_pj=1000.0)
    found = mapped_cost(design(on))
    assert isinstance(found, CostReport)
    result = mapped_cost(design(hot))
    assert isinstance(result, Infeasible)
    assert result.resource == "power"
    assert result.demand > result.bound == 278


def test_reports_round_trip_and_refuse_what_they_are_not() -> None:
    report = mapped_cost(design(accelerator("eyeriss_like")))
    assert isinstance(report, CostReport)
    assert CostReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    broken = Infeasible("GLB capacity", 5, 4, "bytes", "smaller tiles", "c")
    assert Infeasible.from_dict(broken.to_dict()) == broken
    with pytest.raises(SpecError) as caught:
        CostReport.from_dict({**report.to_dict(), "latency_cycles": -1, "latencyms": 3, "layers": [{"name": 3}]})
    for part in ("latency_cycles: is -1", 'did you mean "latency_ms"', "layers[0].name: is 3", "layers[0].macs"):
        assert part in str(caught.value)
    with pytest.raises(SpecError):
        LayerCost.from_dict({**report.layers[0].to_dict(), "traffic_bytes": [["GLB", 3, "read", 1], 7]})


def test_a_template_needs_no_array_to_be_one(tmp_path: Path) -> None:
    """Its array has a default as its other parameters have; a wrong key is told among the template's."""
    (tmp_path / "t.yaml").write_text("rows: 4\ncols: 8\n")
    assert load_hardware(tmp_path / "t.yaml").template == Template(rows=4, cols=8)
    (tmp_path / "t.yaml").write_text("rows: 4\nrow: 8\n")
    with pytest.raises(SpecError, match='unknown key "row", did you mean "rows"'):
        load_hardware(tmp_path / "t.yaml")
