"""What families of FPGA differ in, against synthesis: products alone, modules and whole accelerators (Yosys 0.70)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from accel_models.hardware.devices import device
from accel_models.hardware.technology import technology
from accel_models.pricing.families import family_of, same_demand
from accel_models.template.fabric import part_dsp
from accel_models.template.families import FAMILIES, XC7, Product, blocks
from accel_models.template.families import family_of as fabric_of
from accel_models.template.resources import demand, estimate, fits
from accel_models.template.spec import Template
from tests.unit.test_fabric import _template

TABLE = Path(__file__).parents[2] / "benchmarks" / "data" / "resources_families.csv"
#: Blocks that synthesis of `y = a * b` alone takes, signed: {(bits of a, of b): blocks}.
ALONE = {
    "xc7": {(8, 8): 1, (4, 4): 0, (5, 5): 1, (16, 16): 1, (25, 8): 1},
    "ecp5": {(4, 4): 1, (25, 8): 2, (25, 16): 2, (18, 18): 1, (20, 16): 2, (24, 24): 4, (33, 16): 2, (3, 4): 1},
    "gowin": {(4, 4): 1, (3, 4): 0, (25, 8): 2, (25, 16): 3, (20, 16): 1, (24, 24): 1, (33, 16): 2},
    "ice40": {(4, 4): 0, (5, 5): 0, (8, 4): 1, (25, 8): 2, (18, 18): 3, (20, 16): 2, (24, 24): 4, (33, 16): 2},
}


@pytest.mark.parametrize("name", list(ALONE))
def test_products_take_the_blocks_that_synthesis_gave_them(name: str) -> None:
    for (a, b), found in ALONE[name].items():
        assert blocks(Product(a, b), FAMILIES[name]) == blocks(Product(b, a), FAMILIES[name]) == found, (a, b)


def test_unsigned_products_too() -> None:
    found = {"ecp5": (1, 2), "gowin": (1, 1), "ice40": (2, 2)}  # 18 x 16 and 21 x 16
    for name, counts in found.items():
        assert tuple(blocks(Product(a, 16, signed=False), FAMILIES[name]) for a in (18, 21)) == counts


def _rows() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_multipliers_of_modules_are_exact_on_each_family() -> None:
    rows = [row for row in _rows() if row["part"] != "whole"]
    assert len(rows) >= 10
    for row in rows:
        found = part_dsp(_template(row["template"]), row["part"], FAMILIES[row["target"]])
        assert found == int(row["dsp"]), row


def test_whole_accelerators_are_near_synthesis() -> None:
    """Multipliers and memories exactly; of ECP5 and Gowin, tables and flip-flops within 3 %."""
    rows = [row for row in _rows() if row["part"] == "whole"]
    assert {row["target"] for row in rows} >= {"ecp5", "gowin"}
    for row in rows:
        family = FAMILIES[row["target"]]
        dsp, bram36, lut, ff = demand(_template(row["template"]), family)
        assert (dsp, bram36) == (int(row["dsp"]), -(-int(row["bram18"]) // family.blocks36)), row
        if family.outside:
            assert lut == pytest.approx(int(row["lut"]), rel=0.03) and ff == pytest.approx(int(row["ff"]), rel=0.03)


def test_a_gate_counts_its_own_family() -> None:
    """One lane, 4 x 4 of 4 bits: 18 multipliers on 7 series, more than the ECP5-25's 28 there."""
    narrow = Template(
        rows=4, cols=4, act_bits=4, weight_bits=4, ppu_lanes=1, axi_bits=32, dram_bytes_per_cycle=4,
        input_buffer_bytes=2048, weight_buffer_bytes=2048, acc_buffer_bytes=2048, output_buffer_bytes=2048,
        param_buffer_bytes=1024, clock_hz=50_000_000,
    )  # fmt: skip
    part = device("ecp5_25k")
    assert demand(narrow)[0] <= part.dsp == 28
    (broken,) = [item for item in fits(narrow, part) if item.resource == "DSP"]
    assert broken.demand == demand(narrow, fabric_of(part))[0] > 28


@pytest.mark.parametrize("name", ["ecp5_85k", "gowin_gw2a18", "ice40_up5k"])
def test_every_path_gives_one_answer(name: str) -> None:
    part = device(name)
    fabric = fabric_of(part)
    for template in (Template(rows=4, cols=4), Template(array="channel_parallel", rows=8, cols=8)):  # type: ignore[arg-type]
        assert demand(template, fabric) == tuple(value for _, value in estimate(template, fabric).as_pairs())
        assert demand(template, fabric) != demand(template, XC7)
    tiny = Template(rows=4, cols=4, ppu_lanes=1)
    sizes = dict.fromkeys(("input_buffer_bytes", "weight_buffer_bytes"), (4096, 8192))
    sizes |= dict.fromkeys(("acc_buffer_bytes", "output_buffer_bytes"), (8192,))
    found = family_of(tiny, sizes, part, technology(part.technology))
    assert (found is None) == (name == "ice40_up5k")
    if found is not None:
        for combo, row in enumerate(found.taken):
            assert same_demand(found.template(combo, 1_000_000), row, fabric)
