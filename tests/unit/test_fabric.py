"""The fitted formulas against what synthesis gave: ``benchmarks/data/resources_xc7.csv`` (Yosys, xc7, flattened)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from accel_models.template import fabric
from accel_models.template.resources import estimate, part_lutram
from accel_models.template.spec import ArrayKind, Template

TABLE = Path(__file__).parents[2] / "benchmarks" / "data" / "resources_xc7.csv"


def _template(text: str) -> Template:
    plain = Template().to_dict()
    given = dict(item.split("=") for item in text.split())
    typed = {k: v if k == "array" else v == "True" if isinstance(plain[k], bool) else int(v) for k, v in given.items()}
    return Template.from_dict({**plain, **typed})


def _rows(whole: bool) -> list[tuple[str, Template, dict[str, int]]]:
    with TABLE.open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if (r["part"] == "whole") == whole]
    return [(r["part"], _template(r["template"]), {k: int(r[k]) for k in ("dsp", "bram18", "lut", "ff")}) for r in rows]


def test_every_part_has_coefficients_and_none_is_negative() -> None:
    for resource in ("lut", "ff"):
        rows = fabric.coefficients()[resource]
        for kind in ArrayKind:
            template = Template(array=kind, nonlinear_lanes=2)
            for part in ("PE array", *fabric.SHELL):
                row = rows[fabric.key(template, part)]
                assert len(row) == len(fabric.terms(template, part)) and min(row) >= 0 and max(row) > 0


def test_multipliers_are_counted_as_synthesis_does() -> None:
    """Of every module, exactly; of whole accelerators never too few."""
    for part, template, found in _rows(whole=False):
        assert fabric.part_dsp(template, part) == found["dsp"], (part, template)
    whole = _rows(whole=True)
    assert len(whole) >= 16
    for _, template, found in whole:
        guess = estimate(template)
        assert found["dsp"] <= guess.dsp <= found["dsp"] + 1
        assert -(-found["bram18"] // 2) <= guess.bram36 <= -(-found["bram18"] // 2) + 1


def test_modules_alone_are_near_their_formulas() -> None:
    """In the mean 12 %: the terms are few on purpose, and these were fitted to; others are in docs/resources.md.

    The rows are older than what is counted since.
    """
    rows = _rows(whole=False)
    for resource in ("lut", "ff"):
        off = []
        for part, template, found in rows:
            value = found[resource] - (part_lutram(template, part) if resource == "lut" else 0)
            if value > 200:
                row = fabric.fitted()[resource][fabric.key(template, part)]
                guess = sum(c * x for c, x in zip(row, fabric.terms(template, part), strict=True))
                off.append(abs(guess / value - 1))
        assert len(off) > 50 and sum(off) / len(off) < 0.12


def test_taps_of_unequal_widths_are_near_synthesis() -> None:
    """Vector units alone with three taps: they go by the wider operand (were up to 25 % off by the sum of both)."""
    count = 0
    for part, template, found in _rows(whole=False):
        if part == "vector unit" and template.vector_taps > 1 and template.act_bits != template.weight_bits:
            count += 1
            for resource in ("lut", "ff"):
                row = fabric.coefficients()[resource][fabric.key(template, part)]
                guess = sum(c * x for c, x in zip(row, fabric.terms(template, part), strict=True))
                assert guess == pytest.approx(found[resource], rel=0.07)
    assert count == 4


@pytest.mark.parametrize("array", list(ArrayKind))
def test_more_of_anything_takes_more(array: ArrayKind) -> None:
    small = Template(array=array, rows=8, cols=8)
    for change in (
        {"rows": 16},
        {"cols": 16},
        {"axi_bits": 256},
        {"ppu_lanes": 8},
        {"act_bits": 16, "weight_bits": 16},
    ):
        large = Template.from_dict({**small.to_dict(), **change})
        assert estimate(large).lut >= estimate(small).lut and estimate(large).ff >= estimate(small).ff


def test_a_four_bit_product_is_made_of_look_up_tables() -> None:
    narrow = Template(act_bits=4, weight_bits=4)
    assert fabric.part_dsp(narrow, "PE array") == 1 and fabric.part_dsp(narrow, "vector unit") == 1
    assert not fabric.in_dsp(4, 4) and fabric.in_dsp(4, 8)
    wide = Template(rows=8, cols=8)
    assert fabric.part_dsp(wide, "PE array") == 65 and fabric.part_dsp(wide, "vector unit") == 9


def test_what_is_newer_than_the_rows_is_counted() -> None:
    template, part = Template(rows=8, cols=8, ppu_lanes=2), "drain"
    old, now = fabric.fitted()["ff"]["drain"], fabric.coefficients()["ff"]["drain"]
    terms = fabric.terms(template, part)
    counted = sum((b - a) * x for a, b, x in zip(old, now, terms, strict=True))
    # Counters and addresses, registers of a lane, a second operand's in it, what it is dealt.
    assert counted == pytest.approx(84 + 2 * (212 + 8 + 2 * 32 + 32.5 + 8))


def test_stages_are_registers() -> None:
    assert fabric.pipeline_ff(Template(rows=8, cols=8, acc_stages=2)) == 2 * 8 * 33
