"""Gemmini's tiles by hand, and what its mapping text may not say."""

from __future__ import annotations

import pytest

from accel_models.published.gemmini import GEMMINI, Load
from accel_models.published.gemmini_mapping import parse_mapping
from mappings.errors import SpecError
from mappings.layer import Layer, Op

LAYER = Layer("a", Op.CONV, K=64, C=32, P=20, Q=6, R=3, S=3)
TEXT = "L3[WIO] K2 Q2 - L2[WI] N1 K16X - L1[O] K2 C2 Q3 R3 S3 C16X - L0[W] P20"


def test_directives() -> None:
    mapping = parse_mapping(TEXT, LAYER, 16)
    assert [str(item) for item in mapping.directives] == [
        "TemporalMap(32,32) K",
        "TemporalMap(3,3) Q",
        "Cluster(256)",
        "SpatialMap(2,2) K",
        "Cluster(16)",
        "TemporalMap(1,1) K",
        "TemporalMap(16,16) C",
        "TemporalMap(1,1) Q",
        "TemporalMap(1,1) R",
        "TemporalMap(1,1) S",
        "SpatialMap(1,1) C",
        "Cluster(1)",
        "TemporalMap(1,1) P",
    ]


def test_tile_by_hand() -> None:
    work = GEMMINI.work(LAYER, parse_mapping(TEXT, LAYER, 16))
    assert work.tiles == 4
    assert work.compute_cycles == 2 * 2 * 9 * (3 * (16 + 5.5) + 1)  # 20 pixels: a piece of 16 and one of 4 after it
    assert work.stores == 20 * 3 * 2
    # All of it fits in the L2: each line is missed once. Halves of a filter row of 64 bytes share a line.
    pixels = 22 * 8  # input rows x columns of the whole layer, 32 bytes each
    lines = pixels * 32 / 64 / 4
    assert (work.inputs.requests, work.inputs.missing_lines, work.inputs.short) == (22 * 5, lines, False)
    assert work.inputs.missing_runs == pytest.approx(lines * 22 / (22 * 5 * 32 / 64))
    assert work.weights == Load(288, 288 / 4, 288 / 4, False)
    load = max(110 * 5.5, 22 * 7.1 + 22 * 22 / 55 * 12.2) + max(288 * 5.5, 72 * 7.1 + 72 * 12.2)
    assert GEMMINI.load_cycles(work) == pytest.approx(load)
    assert GEMMINI.total_cycles(work) == pytest.approx(3 * work.compute_cycles + work.compute_cycles + load + 120)


def test_rows_of_less_than_a_beat_wait_for_each_other() -> None:
    layer = Layer("a", Op.CONV, K=2, C=1, P=16, Q=16)
    work = GEMMINI.work(layer, parse_mapping("L3[WIO] N1 - L2[WI] K2X - L1[O] Q16 - L0[W] P16", layer, 16))
    assert work.inputs.short and work.weights.short and work.short_stores
    assert GEMMINI.load_cycles(work) == (256 + 1) * 33
    assert GEMMINI.total_cycles(work) == work.compute_cycles + (256 + 1) * 33 + 256 * 33


def test_what_the_cache_cannot_hold_is_fetched_again() -> None:
    layer = Layer("a", Op.CONV, K=512, C=2048, P=16, Q=16)
    inner_k = "L3[WIO] Q4 K4 - L2[WI] K16X - L1[O] K8 C128 Q4 C16X - L0[W] P16"
    work = GEMMINI.work(layer, parse_mapping(inner_k, layer, 16))
    assert work.weights.missing_lines == 2048 * 2  # 1 MiB of weights comes from DRAM for each of 4 row groups
    small = Layer("a", Op.CONV, K=512, C=256, P=16, Q=16)
    work = GEMMINI.work(small, parse_mapping(inner_k.replace("C128", "C16"), small, 16))
    assert work.weights.missing_lines == 256 * 2 / 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("L3[WIO] K2", "has 1 levels"),
        (TEXT.replace("L1[O]", "L1[W]"), "where a level begins"),
        (TEXT.replace("Q3", "Q3Y"), '"Q3Y" is not a loop'),
        (TEXT.replace("Q3", "Z3"), '"Z3" is not a loop'),
        (TEXT.replace("P20", "P10"), "trips over P multiply to 10"),
        (TEXT.replace("K16X", "K32X"), "wider than the array"),
        (TEXT.replace("Q2", "Q2X"), "cannot be spatial"),
        (TEXT.replace("Q2", "Q1 Q2"), "second such loop over Q"),
        ("", "has 1 levels"),
        (" -  -  - ", "where a level begins"),
    ],
)
def test_wrong_text_is_told(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_mapping(text, LAYER, 16)


def test_unsupported_layer_is_refused() -> None:
    layer = Layer("a", Op.CONV, K=64, C=32, P=20, Q=6, R=3, S=3, dilation=(2, 2))
    with pytest.raises(SpecError, match="not supported"):
        GEMMINI.work(layer, parse_mapping(TEXT, layer, 16))
