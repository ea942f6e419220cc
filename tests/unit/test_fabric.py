"""The fitted formulas against what synthesis gave: ``benchmarks/data/resources_xc7.csv`` (Yosys, xc7, flattened)."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from accel_models.template import fabric
from accel_models.template.resources import estimate, part_lutram, part_memory_ff
from accel_models.template.spec import ArrayKind, Template
from benchmarks.resources import sources
from benchmarks.resources_cases import draw, draw_narrow
from mappings.yamlio import load_yaml

TABLE = Path(__file__).parents[2] / "benchmarks" / "data" / "resources_xc7.csv"


def _template(text: str) -> Template:
    plain = Template().to_dict()
    given = dict(item.split("=") for item in text.split())
    typed = {k: v if k == "array" else v == "True" if isinstance(plain[k], bool) else int(v) for k, v in given.items()}
    return Template.from_dict({**plain, **typed})


def _rows(whole: bool, now: bool = False) -> list[tuple[str, Template, dict[str, int]]]:
    """Rows of modules or of whole accelerators; with ``now`` those from the sources as they are."""
    with TABLE.open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if (r["part"] == "whole") == whole]
    if now:
        rows = [r for r in rows if r["sources"] == sources(r["part"], _template(r["template"]))]
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


@pytest.mark.parametrize("resource", ["lut", "ff"])
def test_modules_alone_are_near_their_formulas(resource: str) -> None:
    """Of the sources as they are: 4 % in the mean; the terms are few on purpose, and most of these were fitted to."""
    off = []
    for part, template, found in _rows(whole=False, now=True):
        held = part_lutram(template, part) if resource == "lut" else part_memory_ff(template, part)
        if found[resource] - held > 200:
            off.append(abs(fabric.alone(template, part, resource) / (found[resource] - held) - 1))
    assert len(off) > 40 and sum(off) / len(off) < 0.04


@pytest.mark.parametrize("resource", ["lut", "ff"])
def test_arrays_alone_are_near_their_formulas(resource: str) -> None:
    """In the mean 12 %. Rows and coefficients are older than what is counted since."""
    older, off = load_yaml(fabric.DATA)["source_older"]["parts"], []
    for part, template, found in _rows(whole=False):
        name = fabric.key(template, part)
        if part == "PE array" and name in older:
            row = fabric.fitted()[resource][name]
            guess = sum(c * x for c, x in zip(row, fabric.terms(template, part), strict=True))
            off.append(abs(guess / found[resource] - 1))
    assert len(off) > 50 and sum(off) / len(off) < 0.12


def test_taps_of_unequal_widths_are_near_synthesis() -> None:
    """Vector units alone with three taps, fitted to: each operand has terms of its own (25 % off by their sum)."""
    count = 0
    for part, template, found in _rows(whole=False):
        if part == "vector unit" and template.vector_taps > 1 and template.act_bits != template.weight_bits:
            count += 1
            for resource in ("lut", "ff"):
                row = fabric.coefficients()[resource][fabric.key(template, part)]
                guess = sum(c * x for c, x in zip(row, fabric.terms(template, part), strict=True))
                assert guess == pytest.approx(found[resource], rel=0.04)
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
    template, part = Template(array=ArrayKind.CHANNEL_PARALLEL, rows=8, cols=4), "PE array"
    name = fabric.key(template, part)
    old, now = fabric.fitted()["ff"][name], fabric.coefficients()["ff"][name]
    counted = sum((b - a) * x for a, b, x in zip(old, now, fabric.terms(template, part), strict=True))
    const, _, sums = load_yaml(fabric.DATA)["since"]["ff"][name]
    assert counted == pytest.approx(const + 4 * 32 * sums)  # the walk's, those of the sums
    assert const > 0 and sums == 1.0


def test_copies_of_a_sign_are_one_register_in_an_accelerator() -> None:
    """Sums of 16-bit products over 8 rows have 19 bits; an array that adds them up itself writes all 32."""
    short, whole = (Template(array=kind, rows=8, cols=8) for kind in (ArrayKind.LOOP_TILE, ArrayKind.OUTPUT_STATIONARY))
    assert fabric.written_bits(short) == 19 and fabric.written_bits(whole) == 32
    assert fabric.written_bits(replace(short, nonlinear_lanes=2)) == 32  # that unit writes whole words
    assert fabric.merged(short, "accumulators", "ff") == 4 * 8 * 13 and fabric.merged(whole, "accumulators", "ff") == 0


def test_stages_are_registers() -> None:
    wide = Template(array=ArrayKind.OUTPUT_STATIONARY, rows=8, cols=8, acc_stages=2)
    assert fabric.pipeline_ff(wide) == 2 * 8 * 33
    assert fabric.pipeline_ff(replace(wide, array=ArrayKind.WEIGHT_STATIONARY)) == 2 * 8 * 20


@pytest.mark.parametrize(
    ("array", "size", "pairs", "taps", "found"),
    [
        (ArrayKind.LOOP_TILE, (4, 4), True, False, (17, 1360, 1679)),
        (ArrayKind.LOOP_TILE, (8, 4), True, False, (33, 1849, 2405)),
        (ArrayKind.LOOP_TILE, (8, 8), False, True, (65, 1356, 2135)),
        (ArrayKind.LOOP_TILE, (8, 8), True, True, (65, 3089, 3746)),
        (ArrayKind.CHANNEL_PARALLEL, (4, 4), True, True, (17, 2162, 2564)),
        (ArrayKind.CHANNEL_PARALLEL, (8, 4), False, True, (33, 1463, 2100)),
        (ArrayKind.CHANNEL_PARALLEL, (8, 8), True, False, (65, 4258, 5314)),
    ],
)
def test_pairs_and_skipped_taps_are_near_synthesis(
    array: ArrayKind, size: tuple[int, int], pairs: bool, taps: bool, found: tuple[int, int, int]
) -> None:
    """Arrays alone of 8 bits (Yosys 0.70, synth_xilinx -family xc7): multipliers, look-up tables, flip-flops."""
    packing = 2 if pairs else 1
    template = Template(array, *size, weight_packing=packing, dual_rate=pairs, tap_skipping=taps)
    assert fabric.part_dsp(template, "PE array") == found[0]
    for resource, value in zip(("lut", "ff"), found[1:], strict=True):
        assert -0.04 < fabric.alone(template, "PE array", resource) / value - 1 < 0.09


def test_the_second_draw_leaves_the_first_as_it_is() -> None:
    plain, narrow = draw(40, 1), draw_narrow(40, 1)
    assert narrow[:12] == draw_narrow(12, 1)
    off = {"weight_packing": 1, "dual_rate": False, "tap_skipping": False, "axi_burst_beats": 16}
    assert tuple(replace(one, **off) for one in narrow) == plain  # type: ignore[arg-type]
    assert {one.weight_packing for one in narrow} == {2, 4} and {one.axi_burst_beats for one in narrow} == {16, 32, 64}
    assert any(one.dual_rate for one in narrow) and any(one.tap_skipping for one in narrow)
