"""Every PE array, alone: bit-exact against numpy, cycles and buffer accesses equal to the model on every tile."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from accel_models.program.packing import pack_weights
from accel_models.template.array_timing import array_cycles
from accel_models.template.spec import ArrayKind, Template
from accel_models.template.tile import Tile
from mappings.errors import SpecError
from rtl_templates.array_bench import run
from rtl_templates.array_cases import busy_tile, random_case, tile_case
from rtl_templates.verilator import compile_top

pytestmark = pytest.mark.rtl

KINDS = list(ArrayKind)
#: rows, cols, act_bits, weight_bits, acc_bits
SHAPES = [(8, 8, 8, 8, 32), (8, 4, 4, 4, 32), (4, 8, 16, 8, 48)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s[0]}x{s[1]}-a{s[2]}w{s[3]}")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_random_tiles_are_exact(kind: ArrayKind, shape: tuple[int, ...]) -> None:
    template = Template(kind, *shape)
    rng = np.random.default_rng(sum(shape))
    cases = [random_case(rng, template) for _ in range(40)]
    cases.append(tile_case(rng, template, Tile(1, 1, 1, 1, in_h=1, in_w=1)))
    results = run(template, cases)
    assert len(results) == len(cases)
    assert [result for result in results if not result.exact] == []


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_compute_bound_convolution_keeps_the_array_busy(kind: ArrayKind) -> None:
    template = Template(kind, 8, 8)
    (result,) = run(template, [tile_case(np.random.default_rng(0), template, busy_tile(template))])
    assert result.exact
    assert result.utilization >= 0.9


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_bench_sees_wrong_weights_and_wrong_cycles(kind: ArrayKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is able to fail."""
    template = Template(kind, 8, 8)
    case = tile_case(np.random.default_rng(3), template, Tile(5, 6, 4, 5, 3, 3, in_h=6, in_w=7))
    monkeypatch.setattr("rtl_templates.array_bench.array_cycles", lambda *args: array_cycles(*args) + 1)
    (slow,) = run(template, [case])
    assert not slow.exact and not slow.mismatches
    swapped = dataclasses.replace(case, weight=case.weight[::-1].copy())
    monkeypatch.setattr("rtl_templates.array_bench.pack_weights", lambda *args: pack_weights(*args[:3], swapped.weight))
    (wrong,) = run(template, [case])
    assert wrong.mismatches


def test_compile_errors_are_told(tmp_path: Path) -> None:
    main = tmp_path / "main.cpp"
    main.write_text('#include "Vtop.h"\nint main() { return missing; }\n')
    with pytest.raises(SpecError, match="missing"):
        compile_top("cd_lane_mask", main, {"Lanes": 8}, {}, tmp_path)
    with pytest.raises(SpecError, match="cd_lane_mask"):
        compile_top("cd_lane_mask", main, {"NoSuchParameter": 8}, {}, tmp_path)
