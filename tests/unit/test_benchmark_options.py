"""What benchmarks share: options with commas, tables of others, and the clock gate's figures by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from accel_models.template.array_timing import product_outputs
from accel_models.template.spec import Template
from benchmarks.clocks import ASKED_MHZ, Case, figures_of
from benchmarks.common import read_names, read_numbers, read_rows
from benchmarks.resources import WHOLE, admissions
from benchmarks.sram import read_macros, split
from mappings.errors import SpecError
from rtl_templates.synth.fpga import Taken


def test_names_and_numbers() -> None:
    assert read_names("a,b", "--x", "letter", "abc") == ["a", "b"]
    with pytest.raises(SpecError, match=r'--x: unknown letter "d"'):
        read_names("a,d", "--x", "letter", "abc")
    assert read_numbers("4, 8", "--sizes") == [4, 8]
    for text in ("a", "4,", "-1", "1.5", "\u0664"):
        with pytest.raises(SpecError, match=r"--sizes: has"):
            read_numbers(text, "--sizes")


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    assert read_rows(path, ("a", "b"), "a table") == [{"a": "1", "b": "2"}]
    for text, told in (("a\n1\n", "has no column b"), ("a,b\n", "has no rows"), ("a,b\n1\n", "has no column b")):
        path.write_text(text)
        with pytest.raises(SpecError, match=told):
            read_rows(path, ("a", "b"), "a table")
    with pytest.raises(SpecError, match="can not be read"):
        read_rows(tmp_path / "none.csv", (), "a table")


def test_macros(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    head = "macro,ports,words,bits,area_um2,read_pJ,write_pJ\n"
    rows = [f"m{number},{ports},64,8,100,1,{number + 1}\n" for ports in ("1P", "2P") for number in range(8)]
    path.write_text(head + "".join(rows))
    found = read_macros(path)
    assert len(found) == 16
    by_name, again, drawn = split(found), split(found, 4), split(found, 4)
    assert again == drawn != by_name
    for known, held in (by_name, drawn):
        assert Counter(row["ports"] for row in known) == Counter(row["ports"] for row in held) == {"1P": 4, "2P": 4}
        assert sorted(row["macro"] + row["ports"] for row in known + held) == sorted(
            r["macro"] + r["ports"] for r in found
        )
    path.write_text(head + "".join(rows[:12]))
    with pytest.raises(SpecError, match="has 4 macros with ports 2P"):
        read_macros(path)
    for value in ("0", "-1", "nan", "inf", "x"):
        path.write_text(head + "".join(rows[:15]) + f"bad,2P,64,8,{value},1,1\n")
        with pytest.raises(SpecError, match=rf"bad.area_um2: is {value}"):
            read_macros(path)


def test_the_clock_gate_by_hand() -> None:
    """One design is allowed 100 MHz and reaches 80: of 17 clocks above 80, the gate refuses the 12 above 100."""
    template = Template(rows=4, cols=4)
    figures = {item.name: item for item in figures_of([Case(template, 100e6, 80e6)], 1)}
    assert figures["Fmax: mean error"].value == pytest.approx(0.25) and figures["Fmax: mean error"].met is False
    refused = figures["refused by routing: refused by the gate"]
    above = [sum(mhz > bound for mhz in ASKED_MHZ) for bound in (100, 80)]
    assert refused.value == pytest.approx(above[0] / above[1]) and refused.met is False
    held = {item.name: item.met for item in figures_of([Case(template, 100e6, 104e6)], 1)}
    assert held == dict.fromkeys(held, True)
    assert [item.met for item in figures_of([], 3)] == [False]


def test_false_admissions_by_hand() -> None:
    template = Template(rows=4, cols=4, axi_bits=64, dram_bytes_per_cycle=8)
    (right,) = admissions([(WHOLE, template, Taken(1, 1, 1, 1))])
    assert right.value == 0 and right.met
    (wrong,) = admissions([(WHOLE, template, Taken(1, 1, 10**9, 1))])
    assert isinstance(wrong.value, int) and wrong.value > 0 and not wrong.met and "zynq7020" in wrong.peer


def test_a_product_computes_every_lane_of_its_words() -> None:
    assert [product_outputs(19, 8, cols) for cols in (4, 8, 16)] == [24, 19, 19]
    assert product_outputs(16, 8, 4) == 16 and product_outputs(17, 16, 4) == 32
