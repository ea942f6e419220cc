"""Energy and power against sums by hand and against what others published or measured; limits bind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from accel_models.breakdown import EnergyBreakdown
from accel_models.columns.batch import evaluate_batch
from accel_models.cost import cost, mapped_cost
from accel_models.design import Design
from accel_models.hardware.accelerators import accelerator
from accel_models.hardware.devices import DEVICES
from accel_models.hardware.energy import (
    clock_pj,
    control_pj,
    leakage_mw,
    power_mw,
    register_pj,
    static_pj,
    template_prices,
    waiting_mw,
)
from accel_models.hardware.technology import TECHNOLOGIES, Coefficient, Technology, TechnologyKind, technology
from accel_models.pricing.price import Pricer
from accel_models.report import CostReport, LayerCost
from accel_models.reuse.evaluate import evaluate
from accel_models.schedule import schedule_network
from accel_models.template.accelerator import template_accelerator
from accel_models.template.cost import template_cost, template_design
from accel_models.template.energy import cells_mw, template_shape
from accel_models.template.spec import ArrayKind, Template
from accel_models.template.timing import predict
from mappings.dataflow import dataflow
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload

LAYER = Layer("c", Op.CONV, K=16, C=16, P=8, Q=8, R=3, S=3, padding=(1, 1, 1, 1), inputs=("x",))
NETWORK = Workload("one", (TensorShape("x", C=16, H=8, W=8),), (LAYER,))
SMALL = Template(rows=8, cols=8)


def design(template: Template = SMALL, device: str = "edge_28nm") -> Design:
    found = template_design(NETWORK, template, device, 8, 128)
    assert isinstance(found, Design)
    return found


def report(template: Template = SMALL, device: str = "edge_28nm") -> CostReport:
    found = template_cost(design(template, device))
    assert isinstance(found, CostReport)
    return found


def test_the_plain_formulas_by_hand() -> None:
    assert static_pj(2.0, 100, 200_000_000) == pytest.approx(1000.0)  # 2 mW for 0.5 us
    assert power_mw(1000.0, 100, 200_000_000) == pytest.approx(2.0)
    assert power_mw(1.0, 0, 1) == 0.0
    assert clock_pj(1000, 10, 0.01) == pytest.approx(100.0)
    assert register_pj(64, 10, 0.02) == pytest.approx(64 * 10 * 0.15 * 0.02)
    assert control_pj(1000, 10, 0.001) == pytest.approx(1000 * 10 * 0.02 * 0.001)


def test_every_component_of_a_layer_by_hand() -> None:
    """One tile of 16 x 16 x 3 x 3 on 8 x 8: every price times its count."""
    plan = design()
    schedule = schedule_network(plan)
    timing = predict(schedule)  # type: ignore[arg-type]
    tech = technology("asic_28nm")
    shape = template_shape(SMALL, tech)
    prices = template_prices(shape, tech)
    assert prices is not None and prices.static_mw is not None
    parts = dict(report().layers[0].energy_pj or ())
    assert parts["MAC"] == pytest.approx(LAYER.macs * (tech.mac_pj(8, 8) or 0))
    assert parts["post-processing"] == pytest.approx(16 * 64 * (tech.mac_pj(32, 32, 64) or 0))
    cycles, busy = timing.layers[0].cycles, timing.layers[0].compute_cycles
    assert parts["leakage"] == pytest.approx(prices.static_mw * 1e9 * cycles / 1e8)
    ff, toggle = tech.value("ff_clock_pj"), tech.value("ff_toggle_pj")
    gate = tech.value("gate_toggle_pj")
    assert ff and toggle and gate
    assert parts["clock and control"] == pytest.approx(cycles * (shape.flip_flops * ff + 0.02 * shape.gates * gate))
    assert parts["array registers"] == pytest.approx(busy * shape.array_bits * 0.15 * toggle)
    assert report().energy_pj == pytest.approx(sum(parts.values()))
    # Two halves of the rows (five of eight each) for each of two blocks of channels: weights twice, inputs 2 x 10 / 8
    # times, outputs once, parameters of 16 bytes, three chunks of 16 descriptors of 32 bytes.
    moved_bytes = 2 * 2304 + 2 * (16 * 10 * 8) + 16 * 64 + 16 * 16 + 3 * 16 * 32
    assert parts["DRAM"] == pytest.approx(8 * moved_bytes * (tech.dram_pj_per_bit() or 0))


def test_external_memory_takes_power_while_it_waits(tmp_path: Path) -> None:
    """Its energy is that of its bits, and of the time; the chip's power limit does not see it."""
    path, tech = tmp_path / "board.yaml", technology("asic_28nm")
    figures = "{area_mm2: [4, x], dram_bytes_per_s: [6400000000, x]}"
    found = {}
    for kind in ("ddr", "ddr3"):
        path.write_text(f"kind: asic\ntechnology: asic_28nm\ndram: {kind}\nfigures: {figures}\n")
        found[kind] = report(device=str(path))
    idle = tech.dram_background_mw("ddr3", 6.4e9)
    assert idle == pytest.approx(143.8, rel=1e-3)
    plain, waits = (dict(found[kind].layers[0].energy_pj or ()) for kind in ("ddr", "ddr3"))
    assert waits["DRAM"] - plain["DRAM"] == pytest.approx(idle * 1e9 * found["ddr"].layers[0].cycles / 1e8)
    assert {k: v for k, v in waits.items() if k != "DRAM"} == {k: v for k, v in plain.items() if k != "DRAM"}


BOARD = """kind: {kind}
technology: {technology}
dram: {dram}
figures: {{dram_bytes_per_s: [6400000000, x], {more}}}
"""
SILICON = {"kind": "asic", "technology": "asic_28nm", "more": "area_mm2: [40, x]"}
FABRIC = {
    "kind": "fpga",
    "technology": "fpga_28nm",
    "more": "dsp: [999, x], bram36: [999, x], lut: [9, x], ff: [9, x], static_mw: [78, x]",
}


def hierarchy_parts(folder: Path, layer: Layer, name: str, **board: str) -> tuple[LayerCost, dict[str, float]]:
    """A layer on a hierarchy of a device that is a file, by both paths of the directive model."""
    path = folder / f"{board['dram']}.yaml"
    path.write_text(BOARD.format(**board))
    on = replace(accelerator(name), technology=board["technology"], device=str(path))
    mapping = dataflow("row_stationary").instantiate(layer, on)
    found = evaluate(layer, mapping, on)
    assert isinstance(found, LayerCost) and found.energy_pj is not None
    batch = evaluate_batch([layer], [mapping], [on])
    assert batch.energy_pj[0] == pytest.approx(found.total_energy_pj, rel=1e-12)
    return found, dict(found.energy_pj)


@pytest.mark.parametrize("op", [Op.CONV, Op.TRCONV])
def test_a_hierarchy_has_the_external_memory_of_its_device(tmp_path: Path, op: Op) -> None:
    """By bit and while it waits, as a template has it; the rest of its energy is as it was."""
    tech, path = technology("asic_28nm"), tmp_path / "hbm2.yaml"
    step = 2 if op is Op.TRCONV else 1  # three of four outputs of the transposed one have no tap
    layer = replace(LAYER, op=op, R=1, S=1, P=15, Q=15, stride=(step, step), padding=(0, 0, 0, 0))
    plain_cost, plain = hierarchy_parts(tmp_path, layer, "eyeriss_like", dram="ddr", **SILICON)
    moved = plain["DRAM"] / (tech.dram_pj_per_bit() or 0)
    for kind in ("ddr3", "ddr4", "lpddr4", "hbm2"):
        cost, parts = hierarchy_parts(tmp_path, layer, "eyeriss_like", dram=kind, **SILICON)
        idle_pj = (tech.dram_background_mw(kind, 6.4e9) or 0) * 1e9 * cost.cycles / accelerator("eyeriss_like").clock_hz
        assert cost.cycles == plain_cost.cycles and (idle_pj > 0) == (kind != "lpddr4")
        assert parts["DRAM"] == pytest.approx(moved * (tech.dram_pj_per_bit(kind) or 0) + idle_pj)
        assert {k: v for k, v in parts.items() if k != "DRAM"} == {k: v for k, v in plain.items() if k != "DRAM"}
    # What a level says itself stands, whatever the board has.
    dram, *others = accelerator("eyeriss_like").levels
    own = replace(dram, read_pj_per_byte=8.0, write_pj_per_byte=16.0, leakage_mw=0.0)
    stated = replace(accelerator("eyeriss_like"), technology="asic_28nm", device=str(path), levels=(own, *others))
    assert own.access_pj_per_byte(stated.tech, stated.part) == (8.0, 16.0) and waiting_mw(stated) == 0.0


def test_a_hierarchy_on_an_fpga_has_the_static_power_of_its_device(tmp_path: Path) -> None:
    cost, parts = hierarchy_parts(tmp_path, LAYER, "eyeriss_like", dram="ddr", **FABRIC)
    assert parts["leakage"] == pytest.approx(78 * 1e9 * cost.cycles / accelerator("eyeriss_like").clock_hz)


def test_a_mapping_is_found_anew_for_another_memory(tmp_path: Path) -> None:
    """What the mapper keeps is kept by what is in a device's file, not by its path."""
    digests = []
    for kind in ("ddr", "hbm2", "ddr"):
        (tmp_path / "b.yaml").write_text(BOARD.format(dram=kind, **SILICON))
        digests.append(replace(accelerator("eyeriss_like"), device=str(tmp_path / "b.yaml")).digest)
    assert digests[0] == digests[2] != digests[1]


def test_a_slow_clock_does_not_win_by_construction() -> None:
    """Dynamic energy is that of the work; what leaks does so for longer."""
    fast, slow = (report(replace(SMALL, clock_hz=hz)) for hz in (200_000_000, 1_000_000))
    assert fast.latency_cycles == slow.latency_cycles and fast.energy_pj and slow.energy_pj
    assert slow.energy_pj > fast.energy_pj
    a, b = (dict(item.layers[0].energy_pj or ()) for item in (fast, slow))
    assert b["leakage"] == pytest.approx(200 * a["leakage"])
    assert {k: v for k, v in a.items() if k != "leakage"} == pytest.approx(
        {k: v for k, v in b.items() if k != "leakage"}
    )


def test_arrays_differ_in_what_they_clock_and_move() -> None:
    found = {kind: report(replace(SMALL, array=kind)).energy_pj for kind in ArrayKind}
    assert len({round(value or 0) for value in found.values()}) == len(ArrayKind)


def test_leakage_depends_on_bits_node_and_area() -> None:
    on = replace(accelerator("eyeriss_like"), mac_leakage_mw=None)
    narrow, wide = leakage_mw(on, Bits(4, 4, 4, 16)), leakage_mw(on, Bits(16, 16, 16, 32))
    assert narrow is not None and wide is not None and wide > narrow
    tech = technology(on.technology)
    area = [tech.mac_um2(b.I, b.W, b.acc) for b in (Bits(4, 4, 4, 16), Bits(16, 16, 16, 32))]
    assert area[0] is not None and area[1] is not None
    difference = tech.logic_leakage_mw(on.pes * (area[1] - area[0]))
    assert wide - narrow == pytest.approx(difference)


@pytest.mark.parametrize("name", ["edge_28nm", "nvdla_256_16nm"])
def test_the_power_limit_of_a_device_binds_templates(name: str, tmp_path: Path) -> None:
    path = tmp_path / "tight.yaml"
    figures = "{area_mm2: [100, test], power_mw: [0.000001, test]}"
    path.write_text(f"kind: asic\ntechnology: {DEVICES.get(name, 'device').technology}\nfigures: {figures}\n")
    plan = design(device=name)
    broken = cost(replace(plan, accelerator=replace(plan.accelerator, device=str(path))))
    assert isinstance(broken, tuple) and [item.resource for item in broken] == ["power"]
    found = report(device=name)
    chip = sum(value for key, value in found.layers[0].energy_pj or () if key != "DRAM")
    assert broken[0].demand == pytest.approx(chip * 1e-9 / (found.latency_ms * 1e-3), rel=1e-3)
    assert broken[0].bound == 1e-6


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Technologies of a plug-in: one without energies, one without areas."""
    full = technology("asic_28nm")
    for name, missing in (("no_energy", "_pj"), ("no_area", "_um2")):
        kept = tuple((key, value) for key, value in full.coefficients if missing not in key)
        monkeypatch.setitem(TECHNOLOGIES._entries, name, Technology(name, 28, TechnologyKind.ASIC, kept))


@pytest.mark.parametrize(
    ("tech", "limit", "what"), [("no_energy", "power_mw", "energy of layer c"), ("no_area", "area_mm2", "area of")]
)
def test_a_limit_that_cannot_be_checked_is_refused(
    tech: str, limit: str, what: str, bare: None, tmp_path: Path
) -> None:
    path = tmp_path / "tight.yaml"
    path.write_text(f"kind: asic\ntechnology: {tech}\nfigures: {{area_mm2: [100, test], power_mw: [100, test]}}\n")
    told = f"{limit}: is a limit that cannot be checked: the {what}"
    plan = design()
    on = replace(plan.accelerator, device=str(path), technology=tech)
    with pytest.raises(SpecError, match=told):
        cost(replace(plan, accelerator=on))
    with pytest.raises(SpecError, match=told.replace(" of layer c", "")):
        Pricer(str(path)).price([NETWORK], [SMALL])
    found = mapped_cost(replace(plan, accelerator=replace(on, template=None, device="")))
    assert isinstance(found, CostReport)
    with pytest.raises(SpecError, match=told):
        mapped_cost(replace(plan, accelerator=replace(on, template=None)))


def test_a_technology_without_energy_gives_no_total_and_no_failure() -> None:
    bare = Technology("bare", 28, TechnologyKind.ASIC, (("sram_cell_um2", Coefficient(1.0, "um2/bit", 28, "test")),))
    assert template_prices(template_shape(SMALL, bare), bare) is None


def test_mac_energy_against_published_figures() -> None:
    """Horowitz 2014 at 45 nm: 0.2 + 0.1 pJ; 65 nm above that at 16 bits, below a PE with its registers."""
    assert technology("asic_45nm").mac_pj(8, 8) == pytest.approx(0.3)
    sixteen = technology("asic_65nm").mac_pj(16, 16)
    assert sixteen is not None and 1.0 < sixteen < 3.5


def test_a_flip_flop_in_an_array_costs_what_the_liberty_says() -> None:
    """SG13G2 (130 nm) and ASAP7 (7 nm) end the range; nodes between lie between, in order."""
    values = [technology(f"asic_{n}nm").value("ff_clock_pj") for n in (130, 65, 45, 28, 16, 7)]
    known = [value / 1.3 for value in values if value is not None]  # without the tree
    assert len(known) == len(values) and known == sorted(known, reverse=True)
    assert known[-1] == pytest.approx(0.00083) and known[0] == pytest.approx(0.0300)


def test_power_of_cells_leaves_out_memories_and_the_tree() -> None:
    """Weight stationary 4x4 in SG13G2 at 100 MHz: 88.2 mW by its netlist, which did what the RTL did
    (benchmarks/asic_power.py, seed 1)."""
    tech, template = technology("asic_130nm"), Template(rows=4, cols=4, axi_bits=64, dram_bytes_per_cycle=8)
    found = template_cost(Design(NETWORK, template_accelerator(template, tech.name), ()))
    assert isinstance(found, CostReport)
    power = cells_mw(found, template, tech)
    energy = EnergyBreakdown.listed(layer.energy_pj for layer in found.layers)
    assert power is not None and energy is not None and template.clock_hz == 100e6
    assert power == pytest.approx(88.2, rel=0.06)
    whole = power_mw(energy.without(("DRAM",)).total_pj, found.latency_cycles, template.clock_hz)
    assert power < 0.75 * whole  # memories take some
    assert cells_mw(found, template, Technology("bare", 130, TechnologyKind.ASIC, ())) is None
    # A run at a thousandth of the clock takes a thousand times as long; what leaks is a third of it then.
    slow = replace(template, clock_hz=template.clock_hz // 1000)
    found = template_cost(Design(NETWORK, template_accelerator(slow, tech.name), ()))
    assert isinstance(found, CostReport)
    of_slow = cells_mw(found, slow, tech)
    assert of_slow is not None and 1.2 * power < 1000 * of_slow < 1.6 * power
