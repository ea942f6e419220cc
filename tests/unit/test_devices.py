"""The device registry: budgets, sources, a user's own, wrong input."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from accel_models.hardware.devices import (
    DEFAULT_DEVICE,
    DEVICES,
    FIGURES,
    DeviceKind,
    clocks,
    device,
    load_device,
    parse_device,
)
from accel_models.hardware.technology import technology
from accel_models.template.families import TARGETS, family_of
from accel_models.template.resources import fits
from accel_models.template.spec import ArrayKind, Template
from mappings.errors import SpecError

OWN = """
title: mine
kind: fpga
figures: {dsp: [10, mine], bram36: [5, mine], lut: [1000, mine], ff: [2000, mine]}
"""


def test_the_default_is_a_zynq_7020() -> None:
    part = device(DEFAULT_DEVICE)
    assert (part.dsp, part.bram36, part.lut, part.ff) == (220, 140, 53_200, 106_400)
    assert part.fmax_hz == 388_200_000


@pytest.mark.parametrize("name", DEVICES.names())
def test_every_figure_has_a_source_and_every_technology_exists(name: str) -> None:
    part = device(name)
    assert all(figure.source for _, figure in part.figures)
    assert technology(part.technology).kind.value == part.kind.value
    if part.kind is DeviceKind.FPGA:
        assert part.area_mm2 is None and part.dsp and part.bram36 and part.lut and part.ff
    else:
        assert part.dsp is None and part.area_mm2


def test_a_device_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(OWN)
    part = device(str(path))
    assert (part.name, part.dsp, part.lut_inputs, part.fmax_hz) == ("mine", 10, 6, None)
    assert part.figure("dsp") is not None and part.figure("power_mw") is None
    with pytest.raises(SpecError, match="no figure"):
        part.figure("volts")


def test_all_faults_of_a_device_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("kind: fpga\nlut_input: 5\nfigures: {dsp: [-1, x], bram: [2, x], lut: 7, ff: [.nan, x]}\n")
    with pytest.raises(SpecError) as caught:
        load_device(path)
    text = str(caught.value)
    for part in (
        'unknown key "lut_input"',
        "figures.dsp: is -1",
        "did you mean",
        "[value, source]",
        '"bram36" is missing',
    ):
        assert part in text
    assert "figures.ff: is nan" in text
    path.write_text("- 1\n")
    with pytest.raises(SpecError, match="is list"):
        load_device(path)
    path.write_text("kind: gpu\nfigures: 3\n")
    with pytest.raises(SpecError, match="kind"):
        load_device(path)


def test_unknown_device_names_the_nearest() -> None:
    with pytest.raises(SpecError, match='did you mean "zynq7020"'):
        device("zynq702")


def test_devices_load_without_the_heavy_libraries() -> None:
    code = (
        "import sys; from accel_models.hardware.devices import device; device(); "
        "print({'torch', 'numpy'} & set(sys.modules))"
    )
    root = Path(__file__).resolve().parents[2]
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert out.stdout.strip() == "set()"


def test_figures_have_units() -> None:
    assert all(FIGURES.values())


@pytest.mark.parametrize(
    "name",
    [
        "zynq7010",
        "zynq7020",
        "zc706",
        "zcu104",
        "zcu102",
        "kv260",
        "vck190",
        "artix7_35t",
        "artix7_100t",
        "ecp5_25k",
        "ecp5_45k",
        "ecp5_85k",
        "ice40_up5k",
        "gowin_gw2a18",
    ],
)
def test_the_families_are_there_with_a_document_for_each_figure(name: str) -> None:
    part = device(name)
    for figure, item in part.figures:
        documented = any(word in item.source for word in ("DS", "UG", "manual", "our choice", "FPGA-DS"))
        assert documented, (name, figure, item.source)
    assert part.lut_fill == 0.8


@pytest.mark.parametrize("name", DEVICES.names())
def test_no_fpga_takes_any_clock(name: str) -> None:
    part = device(name)
    if part.kind is DeviceKind.FPGA:
        bound = part.routed_hz("loop_tile")
        assert bound is not None and bound < 210_000_000


@pytest.mark.parametrize(("inputs", "family"), [(6, "xc7"), (4, "gw1n")])
def test_an_fpga_that_names_no_family_is_taken_for_one(tmp_path: Path, inputs: int, family: str) -> None:
    """Its clock is bound as its resources are counted; the gate says how to name another."""
    (tmp_path / "mine.yaml").write_text(OWN.replace("title", f"lut_inputs: {inputs}\ntitle"))
    part = device(str(tmp_path / "mine.yaml"))
    assert (part.family, part.taken_for) == ("", family) and family_of(part).name == TARGETS[family]
    top = clocks()[family].of("loop_tile")
    for hz, over in ((top, False), (top + 1, True)):
        broken = fits(Template(rows=4, cols=4, array=ArrayKind.LOOP_TILE, clock_hz=hz), part)
        told = [str(one) for one in broken if one.resource == "clock"]
        assert bool(told) == over and all("names its family: xc7, " in one for one in told)
    assert device("edge_28nm").taken_for == "" and device("edge_28nm").routed_hz("loop_tile") is None


def test_a_technology_of_nobody_or_of_the_other_kind_is_told_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    for given, told in (("fpga_28n", 'did you mean "fpga_28nm"'), ("asic_28nm", 'is "asic_28nm", of an asic and not')):
        path.write_text(f"technology: {given}\n{OWN}")
        with pytest.raises(SpecError) as caught:
            load_device(path)
        assert told in str(caught.value) and f"{path}.technology: " in str(caught.value)


def test_a_figure_that_is_wrong_is_not_told_missing_too(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(OWN.replace("[10, mine]", "[-10, mine]"))
    with pytest.raises(SpecError, match=r"figures.dsp: is -10") as caught:
        load_device(path)
    assert "missing" not in str(caught.value)


def test_memory_by_bit_and_while_it_waits(tmp_path: Path) -> None:
    path, tech = tmp_path / "board.yaml", technology("fpga_28nm")
    rate = "dram_bytes_per_s: [6400000000, x]"
    for kind, bit, idle in (
        ("ddr", 1300 / 64, None),
        ("ddr3", 1300 / 64, (47 + 188 * 208 / 6240) * 1.35 * 2),  # two chips of 3.2 GB/s
        ("ddr4", 1300 / 64, (47 + 233 * 420 / 9360) * 1.2 * 6.4 / 4.8),
        ("lpddr4", 13.5, None),
        ("hbm2", 350 / 64, (55 + 195 * 260 / 3900) * 1.2 * 6.4 / 32),
    ):
        path.write_text(OWN.replace("ff: [2000, mine]", f"ff: [2000, mine], {rate}") + f"dram: {kind}\n")
        assert load_device(path).dram_energies(tech) == (pytest.approx(bit), idle and pytest.approx(idle))
    stated = f"ff: [2000, mine], {rate}, dram_pj_per_bit: [4, x], dram_background_mw: [0, x]"
    path.write_text(OWN.replace("ff: [2000, mine]", stated) + "dram: ddr3\n")
    assert load_device(path).dram_energies(tech) == (4, 0)


def test_fill_family_and_memory_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    figures = "{dsp: [1, x], bram36: [1, x], lut: [1, x], ff: [1, x], lut_fill: [1.2, x]}"
    path.write_text(f"kind: fpga\nfamily: xc8\ndram: ddr9\nfigures: {figures}\n")
    with pytest.raises(SpecError) as caught:
        load_device(path)
    for part in ("lut_fill: is 1.2", 'family: is "xc8"', 'dram: is "ddr9"'):
        assert part in str(caught.value)


def test_a_hundred_thousand_unknown_figures_take_seconds(tmp_path: Path) -> None:
    """Each is compared with every known one for the nearest name; the message has ten."""
    path = tmp_path / "many.yaml"
    raw = {"kind": "fpga", "figures": {f"k{number}": [1, "x"] for number in range(100_000)}}
    begun = time.process_time()
    with pytest.raises(SpecError, match=r"unknown figure.*faults more") as caught:
        parse_device("many", raw, str(path))
    assert time.process_time() - begun < 30 and len(str(caught.value)) < 10_000
