"""``explore --verify synth``: its words, and a point of a front through Yosys into front.csv and the report."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from accel_models.hardware.devices import device
from accel_models.report import Bound
from accel_models.template.resources import estimate
from accel_models.template.spec import Template
from codesign.explorer import synthesis
from codesign.explorer.run import ExploreOptions, explore
from codesign.explorer.wanted import check_wanted, choose_points, to_run, to_synthesise
from mappings.errors import SpecError
from rtl_templates.synth.report import Compared, SynthReport
from rtl_templates.synth.target import target_of
from tests import toy


def test_words_part_runs_from_syntheses() -> None:
    wanted = ("knee", "synth:point_01", "synth", "all")
    check_wanted(wanted)
    assert to_run(wanted) == ("knee", "all")
    assert to_synthesise(wanted) == ("point_01", "all")
    assert to_run(("none",)) == to_synthesise(("none",)) == ()
    assert choose_points(to_synthesise(("synth:knee",)), ["point_00", "point_01"], "point_01") == ["point_01"]


@pytest.mark.parametrize("word", ["syth", "synth:", "synth:kne", "synth:point_1", "knee:synth", "synthknee"])
def test_wrong_words_are_refused(word: str) -> None:
    with pytest.raises(SpecError, match="--verify"):
        check_wanted((word,))
    with pytest.raises(SpecError, match="none goes with no other point"):
        check_wanted(("none", "synth"))


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("zynq7020", "xc7"),
        ("zc706", "xc7"),
        ("zcu102", "xcup"),
        ("ecp5_85k", "ecp5"),
        ("ice40_up5k", "ice40"),
        ("gowin_gw2a18", "gowin"),
        ("gowin_gw1n9", "gowin"),
    ],
)
def test_a_device_names_its_synthesis(name: str, target: str) -> None:
    assert target_of(device(name), "--verify synth") == target


def test_silicon_has_no_such_synthesis() -> None:
    with pytest.raises(SpecError, match="no FPGA"):
        target_of(device("eyeriss_65nm"), "--verify synth")
    with pytest.raises(SpecError, match="names no family"):
        target_of(replace(device("ecp5_85k"), family=""), "--verify synth")


def test_a_front_that_was_synthesised_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, folder = toy.write_recipe(tmp_path / "toy.yaml", 8), tmp_path / "run"
    # Minutes of Yosys apart: a synthesis that finds 1,000 more tables than estimated.
    asked: list[str] = []

    def found(template: Template, target: str) -> SynthReport:
        asked.append(target)
        lut = estimate(template).lut
        return SynthReport(target, (Compared("LUT", "look-up tables", lut, lut + 1000),), "", "", 1.0)

    monkeypatch.setattr(synthesis, "synthesize", found)
    monkeypatch.setattr(synthesis, "yosys_version", lambda: "0")
    result = explore(ExploreOptions(recipe=str(recipe), out=str(folder), verify=("synth",), jobs=0))
    assert len(result.syntheses) == len(result.points) == len(asked) and set(asked) == {"xc7"}
    with (folder / "front.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, point in zip(rows, result.points, strict=True):
        assert int(row["synth_lut"]) == dict(point.cost.resources or ())["LUT"] + 1000
    said = (folder / "report.html").read_text(encoding="utf-8")
    assert "Estimated and synthesised" in said and f"{int(rows[0]['synth_lut']):,}" in said
    least = min(item.found["LUT"] for item in result.syntheses)
    monkeypatch.setattr(
        synthesis, "fpga_bounds", lambda _, *found: [Bound("LUT", found[2], least - 1, "look-up tables", "less")]
    )
    again = explore(ExploreOptions(resume=str(folder), verify=("synth:knee",), jobs=0))
    assert [item.point for item in again.syntheses] == [again.knee]
    assert not again.syntheses[0].passed and "OVER its budget: LUT" in again.syntheses[0].line()
