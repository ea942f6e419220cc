"""MAESTRO's mapping and hardware files: what is read, and the place of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from accel_models.published.maestro import (
    MaestroHardware,
    MaestroReport,
    maestro_cost,
    read_hardware,
    read_mapping,
    write_csv,
)
from accel_models.published.maestro.hardware_file import hardware_without_file
from accel_models.published.maestro.text import MAX_TEXT_BYTES
from benchmarks.maestro_spellings import try_spellings
from mappings.directives import Cluster, SpatialMap, TemporalMap
from mappings.errors import SpecError
from tests.unit.maestro_texts import KCP, hardware, layer, network

GOOD = """// a comment
Constant Rows 3;
Network net { // with a ” in it
\tLayer A-> {
\t\tType: CONV
\t\tStride { X: 2, Y 1 }
\t\tDimensions { K 64,C: Rows,R 3,S: 3 ; Y:Rows X 10 }
\t\tDataflow {
\t\t\tSpatialMap (Sz(K),1) K;
\t\t\tTemporalMap(Rows , 1) Y'
\t\t\tCluster(Sz(C), L);
\t\t}
\t}
}
"""


def faults(text: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        read_mapping(text)
    return tuple(str(fault) for fault in caught.value.faults)


def test_separators_constants_and_sizes_of_dims() -> None:
    (only,) = read_mapping(GOOD).layers
    assert (only.name, only.kind, only.stride_x, only.stride_y) == ("A", "CONV", 2, 1)
    assert only.dims == (("K", 64), ("C", 3), ("R", 3), ("S", 3), ("Y", 3), ("X", 10))
    assert only.directives == (SpatialMap("K", 64, 1), TemporalMap("Y'", 3, 1), Cluster(3))
    assert only.place == "<mapping>:4:8"
    assert only.directive_places == ("<mapping>:9:4", "<mapping>:10:4", "<mapping>:11:4")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Network", "Netwrk", '3:1: "Netwrk" where a Network starts'),
        ("net {", "net{", '3:9: a brace glued to a word: "net{"'),
        ("CONV", "CNV", '5:9: unknown layer type "CNV", did you mean "CONV"?'),
        ("Type: CONV", "", '4:8: layer "A" has no Type'),
        ("K 64", "K 0", '7:18: Dimensions K is "0"'),
        ("K 64", "K 99999999999", '7:18: Dimensions K is "99999999999"'),
        ("K 64", "K Row", 'Dimensions K is "Row", did you mean "Rows"?'),
        ("R 3,", "K 3,", '"K" is given twice in Dimensions'),
        ("Sz(K)", "Sz(G)", '9:19: Sz of dimension "G", which the layer does not declare'),
        ("(Sz(K),1)", "(8+Sz(K)-1,8)", '9:16: SpatialMap size: "8+Sz" is read as 8'),
        ("(Sz(K),1)", "(8+Sz(K),8)", '9:21: SpatialMap offset is "K"'),
        ("SpatialMap", "SpacialMap", '9:4: "SpacialMap" in a Dataflow, did you mean "SpatialMap"?'),
        ("1) K;", "0) K;", 'SpatialMap offset is "0"'),
        ("L);", ");", '12:3: "}" as the kind of a Cluster'),
        ("Y'", "Y’", '10:26: dimension "Y’" not found in the layer, did you mean "Y"?'),
        ("Y'", "R", "10:4: TemporalMap(3,1) R: MAESTRO takes filter dims whole in time"),
        ("Dataflow", "Dimensions", '9:16: Dimensions SpatialMap is "Sz"'),
        ("}\n}\n", "}\n", "the end of the text where a Layer or the end of the Network is due"),
        ("CONV", "LSTM", "5:9: layer type LSTM has no cost in MAESTRO"),
        ("net {", "net Layer", '3:13: "Layer" where an opening brace is due'),
        ("K 64", "K 64}", '7:18: a brace glued to a word: "64}"'),
        ("Constant", "Accelerator { }\nConstant", "2:1: an Accelerator block"),
    ],
)
def test_what_is_wrong_and_where(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    assert any(expected in fault for fault in faults(GOOD.replace(old, new, 1))), faults(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("A->", "Conv2d-1", ("net", "1")),
        ("net {", "torchvision.models.squeezenet {", ("torchvision.models.squeezenet", "A")),
        ("A->", "block1/conv//3x3[0]{a}", ("net", "block1/conv//3x3[0]{a}")),
        ("A->", '"Type" n\x1dame\u2192', ("net", "n\x1dame\u2192")),
        ("A->", "two\n// a comment\nlines", ("net", "lines")),
        ("A->", "", ("net", "Rows")),  # MAESTRO's place for names holds the Constant's
        ("net", "", ("", "A")),
    ],
)
def test_names_are_those_of_maestro(old: str, new: str, names: tuple[str, str]) -> None:
    found = read_mapping(GOOD.replace(old, new, 1))
    assert (found.name, found.layers[0].name) == names


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ("K 64", "K -64", "7:19: Dimensions K: -64 is read as 64: a minus sign separates words"),
        ("K 64", "K 64.5", '7:18: Dimensions K: "64.5" is read as 64, as MAESTRO does'),
        ("K 64", "K 64, q 3", '7:22: unknown dim "q" in Dimensions'),
        ("}\n}\n", "}\n}\nmore", '15:1: "more" outside of a Network: skipped, as MAESTRO does'),
        ("Network net {", "Network old {\n}\nNetwork net {", "2 Networks are taken as one"),
        ("X: 2", "X: 2, C: 5", '4:8: Stride "C" of layer "A" changes nothing'),
        ("Type: CONV", "Type: DSCONV Type: CONV", "5:16: Type is given twice: CONV counts"),
        ("Network", "Constant Rows 3.5 Network", '3:15: Constant Rows: "3.5" is read as 3'),
    ],
)
def test_what_maestro_reads_otherwise_is_told(old: str, new: str, warning: str) -> None:
    found = read_mapping(GOOD.replace(old, new, 1))
    assert any(warning in text for text in found.warnings), found.warnings
    assert found.layers[0].directives == read_mapping(GOOD).layers[0].directives
    assert not read_mapping(GOOD).warnings


def test_a_type_after_the_dimensions_takes_their_last_name() -> None:
    (only,) = read_mapping(
        "Network n { Layer A { Dimensions { K 1 C 2 } Type GEMM Dataflow { SpatialMap 1 1 K } } }"
    ).layers
    assert (only.name, dict(only.dims)) == ("C", {"K": 1, "C": 2})


def test_a_stride_is_for_declared_dims() -> None:
    (only,) = read_mapping(GOOD.replace("X 10", "X' 8")).layers
    assert (only.stride_x, only.stride_y) == (1, 1)


def test_every_spelling_is_read_as_equal() -> None:
    outcome = try_spellings(600, seed=1)
    assert (outcome.cases, outcome.refused, outcome.different) == (600, 0, 0), outcome.examples


def test_bytes_that_are_no_text_go_through(tmp_path: Path) -> None:
    path = tmp_path / "x.m"
    path.write_bytes(
        network(layer("K: 4, C: 1, R: 1, S: 1, Y: 2, X: 2", "SpatialMap(1,1) K;"))
        .encode()
        .replace(b"Layer L", b"Layer \xff\x1b[2J")
    )
    report = maestro_cost(path, hardware(4))
    assert isinstance(report, MaestroReport)
    write_csv(report.rows, tmp_path / "x.csv")
    assert b"net,\xff\x1b[2J," in (tmp_path / "x.csv").read_bytes()


def test_all_faults_at_once() -> None:
    found = faults(GOOD.replace("K 64", "K 0").replace("Y'", "Z").replace("CONV", "LSTM"))
    assert [fault.split(":")[1] for fault in found] == ["5", "7", "10"]


def test_many_faults_are_cut_short() -> None:
    with pytest.raises(SpecError, match=r"; and 20 faults more$") as caught:
        read_mapping(network(*[layer("K: 0, C: 0", "SpatialMap(1,1) Z;")] * 10))
    assert len(caught.value.faults) == 30


def test_stride_comes_before_dimensions() -> None:
    text = GOOD.replace("Stride { X: 2, Y 1 }", "").replace("\t\tDataflow", "Stride { X: 2 }\nDataflow")
    assert "Stride after Dimensions" in faults(text)[0]


def test_a_layer_without_dataflow_is_refused() -> None:
    without = "Layer B {\nType: CONV\nDimensions { K: 1, C: 1, R: 1, S: 1, Y: 1, X: 1 }\n}\n"
    text = network(layer("K: 1, C: 1, R: 1, S: 1, Y: 1, X: 1", "SpatialMap(1,1) K;"), without)
    assert 'layer "B" has no Dataflow' in faults(text)[0]


def test_network_without_layers() -> None:
    assert "the Network has no Layer" in faults("Network net {\n}\n")[0]
    assert '1:1: the end of the text where a Network starts (allowed: "Network")' in faults("")[0]


def test_hardware_defaults_of_missing_keys() -> None:
    assert read_hardware("num_pes: 12") == MaestroHardware(num_pes=12, noc_latency_cycles=1)
    assert read_hardware("") == MaestroHardware()
    assert (hardware_without_file(9).noc_latency_cycles, hardware_without_file(9).num_pes) == (0, 9)


def test_what_the_hardware_leaves_out_is_told() -> None:
    assert read_hardware("").warnings == (
        "<hardware>: taken as MAESTRO does where nothing is given: num_pes 1, noc_bw_cstr unbounded, NoC_NumHops 1, "
        "offchip_bw_cstr unbounded",
    )
    text = "num_pes 4 num_pes: 8.5 noc_bw_cstr: -3 NoC_NumHops: 0 offchip_bw_cstr: 7"
    found = read_hardware(text)
    assert (found.num_pes, found.noc_elements_per_cycle) == (8, 3)
    assert [warning.split(": ", 1)[1] for warning in found.warnings] == [
        "num_pes is given twice, the last value counts",
        'num_pes: "8.5" is read as 8, as MAESTRO does',
        "noc_bw_cstr: -3 is read as 3: a minus sign separates words",
    ]
    report = maestro_cost(network(layer("K: 4, C: 1, R: 1, S: 1, Y: 2, X: 2", "SpatialMap(1,1) K;")), text)
    assert isinstance(report, MaestroReport)
    assert report.warnings[: len(found.warnings)] == found.warnings


def test_hardware_file_of_the_reference_form() -> None:
    text = "num_pes: 256\nl1_size_cstr: 1\nl2_size_cstr: 2\nnoc_bw_cstr: 32\nNoC_NumHops: 0\noffchip_bw_cstr: 4\n"
    assert read_hardware(text) == MaestroHardware(256, 1, 2, 32, 0, 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("num_pe: 4", '<hardware>:1:1: unknown key "num_pe", did you mean "num_pes"?'),
        ("num_pes: 0", '1:10: num_pes is "0"'),
        ("noc_bw_cstr: 0", 'noc_bw_cstr is "0"'),
        ("num_pes", "1:8: num_pes is missing"),
        ("num_pes: x3", 'num_pes is "x3"'),
        ("num_pes: 2147483648", 'num_pes is "2147483648"'),
    ],
)
def test_hardware_faults(text: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_hardware(text)
    assert expected in str(caught.value)


def test_files_are_named_and_missing_ones_told(tmp_path: Path) -> None:
    path = tmp_path / "x.m"
    path.write_bytes(b"Network net {\n \xff\xfe }\n")
    with pytest.raises(SpecError, match=r"x\.m:2:2: "):
        maestro_cost(path, hardware(1))
    with pytest.raises(SpecError, match=r"none\.m: cannot be read"):
        maestro_cost(tmp_path / "none.m", hardware(1))
    with pytest.raises(SpecError, match="cannot be read"):
        maestro_cost(Path("a\0b"), hardware(1))
    path.write_bytes(b" " * (MAX_TEXT_BYTES + 1))
    with pytest.raises(SpecError, match="is too large"):
        maestro_cost(path, hardware(1))
    with pytest.raises(SpecError, match="simd_lanes"):
        maestro_cost(network(layer("K: 1", KCP)), hardware(1), 0)
