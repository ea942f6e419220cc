"""Gates and flip-flops in standard cells against what synthesis gave (``benchmarks/data/asic_*.csv``, SG13G2)."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from accel_models.hardware.technology import technology
from accel_models.template import cells, fabric
from accel_models.template.energy import template_shape
from accel_models.template.resources import logic_um2, stored
from accel_models.template.spec import ArrayKind, Template
from tests.unit.test_fabric import _template

DATA = Path(__file__).parents[2] / "benchmarks" / "data"
#: Of SG13G2: its two-input NAND and its D flip-flop, um2.
GATE, FLOP = 7.2576, 47.1744


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_part_has_terms_for_its_coefficients() -> None:
    for resource in cells.RESOURCES:
        rows = cells.coefficients()[resource]
        for kind in ArrayKind:
            template = Template(array=kind)
            for part in ("PE array", *fabric.shell_names(template)):
                row = rows[fabric.key(template, part)]
                assert len(row) == len(cells.terms(template, part)) and min(row) >= 0 and max(row) > 0


@pytest.mark.parametrize("resource", cells.RESOURCES)
def test_modules_alone_are_near_their_formulas(resource: str) -> None:
    """These were fitted to; in the mean 10 %."""
    off = []
    for row in _rows("asic_modules.csv"):
        found = float(row[resource])
        if found > 200:
            off.append(abs(cells.alone(_template(row["template"]), row["part"], resource) / found - 1))
    assert len(off) > 60 and sum(off) / len(off) < 0.1


def test_whole_accelerators_are_near_synthesis() -> None:
    """Fitted to as well: within 5 %. Before queues counted as flip-flops they were 24 % too small."""
    rows = _rows("asic_cells.csv")
    assert len(rows) >= 2
    for row in rows:
        found, held = cells.cells(_template(row["template"])), stored(_template(row["template"])).registers
        flops = (found.flops + held) * FLOP  # those behind memories are counted with these
        assert found.gates * GATE + flops == pytest.approx(float(row["area_um2"]), rel=0.05)
        assert flops == pytest.approx(float(row["sequential_um2"]), rel=0.05)


def test_queues_are_flip_flops_in_cells_alone() -> None:
    template = Template(rows=4, cols=4, axi_bits=64, dram_bytes_per_cycle=8)
    silicon, fpga = (template_shape(template, technology(name)) for name in ("asic_28nm", "fpga_28nm"))
    assert silicon.flip_flops > fpga.flip_flops + 8 * (328 + 275 + 212 + 233)  # the four queues of commands


@pytest.mark.parametrize("change", [{"rows": 16}, {"axi_bits": 256}, {"dual_rate": True, "weight_packing": 2}])
def test_more_takes_more(change: dict[str, int]) -> None:
    small, tech = Template(array=ArrayKind.LOOP_TILE, rows=8, cols=8), technology("asic_28nm")
    areas = [logic_um2(template, tech) for template in (small, replace(small, **change))]
    assert areas[0] is not None and areas[1] is not None and areas[1] > areas[0]


def test_a_part_that_was_not_synthesised_has_its_fpga_figures_stand_in() -> None:
    template = Template(rows=8, cols=8, nonlinear_lanes=2)
    assert "non-linear unit" not in cells.coefficients()["gates"]
    assert cells.alone(template, "non-linear unit", "flops") == fabric.alone(template, "non-linear unit", "ff") > 0
