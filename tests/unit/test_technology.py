"""Energy, leakage and area coefficients against the published tables."""

from __future__ import annotations

import pytest

from accel_models.hardware import sram
from accel_models.hardware.technology import COEFFICIENTS, TECHNOLOGIES, TechnologyKind, technology
from mappings.errors import SpecError


def test_45_nm_is_horowitz() -> None:
    tech = technology("asic_45nm")
    assert tech.mac_pj(8, 8) == pytest.approx(0.2 + 0.1)
    assert tech.mac_pj(32, 32) == pytest.approx(3.1 + 0.1)
    for capacity_bytes, access_pj in ((8 << 10, 10), (1 << 20, 100)):
        read = tech.sram_read_pj_per_bit(capacity_bytes)
        assert read is not None and read * 64 == pytest.approx(access_pj)
    read = tech.sram_read_pj_per_bit(32 << 10)
    assert read is not None and read * 64 == pytest.approx(20, rel=0.05)  # a point that the fit does not use
    assert tech.dram_pj_per_bit() == pytest.approx(1300 / 64)
    assert tech.mac_um2(32, 32) == pytest.approx(3495 + 137)


def test_7_nm_is_jouppi() -> None:
    tech = technology("asic_7nm")
    assert tech.mac_pj(8, 8) == pytest.approx(0.07 + 0.03)
    assert tech.mac_pj(32, 32) == pytest.approx(1.48 + 0.03)
    read = tech.sram_read_pj_per_bit(1 << 20)
    assert read is not None and read * 64 == pytest.approx(14)


def test_eyeriss_ratios_hold_at_65_nm() -> None:
    tech = technology("asic_65nm")
    mac = tech.mac_pj(16, 16)
    assert mac is not None and tech.register_pj_per_bit is not None
    assert tech.register_pj_per_bit * 16 == pytest.approx(mac)
    buffer = tech.sram_read_pj_per_bit(100 << 10)
    assert buffer is not None and 4 < buffer * 16 / mac < 12  # Chen 2016 has 6


@pytest.mark.parametrize("what", ["mac", "sram", "area"])
def test_smaller_nodes_cost_less(what: str) -> None:
    costs = []
    for node_nm in (65, 45, 28, 16, 7):
        tech = technology(f"asic_{node_nm}nm")
        figure = {"mac": tech.mac_pj(8, 8), "sram": tech.sram_read_pj_per_bit(32768), "area": tech.mac_um2(8, 8)}[what]
        assert figure is not None and figure > 0
        costs.append(figure)
    assert costs == sorted(costs, reverse=True) and len(set(costs)) == 5


def test_memory_energy_follows_capacity_and_width() -> None:
    tech = technology("asic_28nm")
    small, large = tech.sram_read_pj_per_bit(1024), tech.sram_read_pj_per_bit(65536)
    narrow, wide = tech.sram_read_pj_per_bit(1024, 8), tech.sram_read_pj_per_bit(1024, 256)
    write = tech.sram_write_pj_per_bit(1024)
    assert small is not None and large is not None and narrow is not None and wide is not None and write is not None
    assert small < large and wide < small < narrow and write > small


def test_fpga_memories_are_blocks_and_have_no_area() -> None:
    tech = technology("fpga_28nm")
    assert tech.sram_read_pj_per_bit(8192) == tech.sram_read_pj_per_bit(1 << 20)
    assert tech.mac_um2(8, 8) is None and tech.sram_um2(1024) is None and tech.register_um2(8) is None
    assert tech.sram_leakage_mw(1024) is None and tech.logic_leakage_mw(1.0) is None
    asic = technology("asic_28nm")
    assert tech.mac_pj(8, 8) == asic.mac_pj(8, 8)  # a hard block is made of standard cells
    for soft in ("ff_clock_pj", "ff_toggle_pj", "gate_toggle_pj", "register_pj_per_bit"):
        fabric, cells = tech.value(soft), asic.value(soft)
        assert fabric is not None and cells is not None and fabric == pytest.approx(14 * cells)


def test_leakage() -> None:
    assert technology("asic_65nm").sram_leakage_mw(1 << 17) == pytest.approx(2**20 * 12e-9)  # 12 pW a bit
    assert technology("asic_7nm").logic_leakage_mw(1e6) == pytest.approx(1.08)
    between = technology("asic_28nm").logic_leakage_mw(1e6)
    assert between is not None and 0.0149 < between < 1.08


@pytest.mark.parametrize("name", TECHNOLOGIES.names())
def test_every_coefficient_has_value_unit_node_and_source(name: str) -> None:
    tech = technology(name)
    assert tech.coefficients
    for label, item in tech.coefficients:
        assert item.value > 0 and item.source and item.node_nm == tech.node_nm
        assert item.unit == COEFFICIENTS[label][0]
    assert (tech.kind is TechnologyKind.FPGA) == name.startswith("fpga")


def test_unknown_technology() -> None:
    with pytest.raises(SpecError, match="unknown technology"):
        technology("asic_3nm")


def test_memories_have_the_shape_of_real_macros() -> None:
    """SG13G2's 1,024 x 64 and 256 x 16 macros (liberty and LEF of IHP-Open-PDK), not all of which the fit has seen."""
    assert sram.area_130nm_um2(1024, 64, 1) == pytest.approx(263946, rel=0.06)
    assert sram.area_130nm_um2(256, 16, 1) == pytest.approx(28127, rel=0.08)
    assert sram.area_130nm_um2(1024, 32, 2) == pytest.approx(264167, rel=0.06)
    assert sram.access_130nm_pj(1024, 64, write=False) == pytest.approx(91.8, rel=0.1)
    assert sram.access_130nm_pj(1024, 64, write=True) == pytest.approx(110.9, rel=0.1)
    # Eight macros one above the other take eight times the area, and one of them is read.
    assert sram.area_130nm_um2(65536, 64, 1) == pytest.approx(8 * sram.area_130nm_um2(8192, 64, 1))
    assert sram.access_130nm_pj(65536, 64, False) == sram.access_130nm_pj(8192, 64, False)
    assert sram.access_130nm_pj(64, 128, False) == pytest.approx(2 * sram.access_130nm_pj(64, 64, False))
    assert all(
        sram.area_130nm_um2(w, b, p) > 0 and sram.access_130nm_pj(w, b, True) > 0
        for w in (1, 64, 9000)
        for b in (1, 8, 300)
        for p in (1, 2)
    )
