"""Energy by component: one sum for components, layers and columns; bounds that are broken, of one type."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from accel_models.breakdown import EnergyBreakdown
from accel_models.report import Bound, Infeasible, LayerCost, broken_bounds, network_energy_pj
from accel_models.template.energy import total_pj

ROOT = Path(__file__).resolve().parents[2]
VALUES = st.lists(st.floats(0, 1e12, allow_nan=False), max_size=8)


def layer(energy: EnergyBreakdown | None) -> LayerCost:
    return LayerCost("layer", 1, 1, 1, 1.0, energy, ())


@given(VALUES)
def test_columns_are_summed_as_components_are(values: list[float]) -> None:
    parts = EnergyBreakdown((f"part {place}", value) for place, value in enumerate(values))
    assert total_pj(np.array([values]))[0] == parts.total_pj


def test_parts_come_apart_and_together() -> None:
    one = EnergyBreakdown([("MAC", 1.0), ("DRAM", 2.0)])
    two = EnergyBreakdown([("DRAM", 4.0), ("leakage", 8.0)])
    assert one.total_pj == 3.0 and one.of_pj("DRAM") == 2.0 and one.of_pj("leakage") == 0
    assert two.without({"DRAM"}) == (("leakage", 8.0),)
    assert EnergyBreakdown.joined([one, two]) == (("MAC", 1.0), ("DRAM", 6.0), ("leakage", 8.0))
    assert EnergyBreakdown.listed([one, two]) == (*one, *two)
    assert EnergyBreakdown.joined([one, None]) is None and EnergyBreakdown.listed([None]) is None
    assert network_energy_pj([layer(one), layer(two)]) == 15.0
    assert network_energy_pj([layer(one), layer(None)]) is None


def test_a_bound_is_broken_where_both_sides_are_known_and_one_is_over() -> None:
    bounds = [
        Bound("DSP", 10, 9, "blocks", "fewer rows"),
        Bound("FF", 9, 9, "flip-flops", ""),
        Bound("area", None, 1.0, "mm2", ""),
        Bound("clock", 1e9, None, "Hz", ""),
    ]
    (broken,) = broken_bounds(bounds, "conv")
    assert broken == Infeasible("DSP", 10, 9, "blocks", "fewer rows", "conv")
    assert str(broken) == "conv: DSP needs 10 of 9 blocks; fewer rows"


def test_no_other_type_says_what_is_over_a_bound() -> None:
    names = {item.name for item in fields(Infeasible)}
    for room in ("accel_models", "rtl_templates", "hls", "codesign"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and node.name not in ("Infeasible", "Bound"):
                    held = {ast.unparse(item.target) for item in node.body if isinstance(item, ast.AnnAssign)}
                    assert len(held & names) < 3, f"{path}: {node.name}"
