"""The fitted formulas against what synthesis gave for the arrays alone (Yosys 0.70, xc7, flattened)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accel_models.template.fabric import FLATTENED_FF, FLATTENED_LUT, array_part, product_in_dsp, shell_parts
from accel_models.template.resources import estimate
from accel_models.template.spec import ArrayKind, Template

#: array, rows, columns, bits of (activation, weight, sum) -> DSP, LUT (distributed memory included), FF
SYNTHESISED = [
    ("weight_stationary", 8, 8, (8, 8, 32), 65, 694, 2852),
    ("weight_stationary", 16, 8, (8, 8, 32), 129, 703, 5294),
    ("weight_stationary", 8, 16, (8, 8, 32), 129, 753, 5069),
    ("weight_stationary", 8, 8, (16, 16, 48), 65, 703, 4980),  # not in the fit
    ("weight_stationary", 8, 8, (4, 4, 32), 1, 3289, 1792),
    ("output_stationary", 8, 8, (8, 8, 32), 65, 3274, 3933),
    ("output_stationary", 16, 8, (8, 8, 32), 129, 7054, 9074),
    ("output_stationary", 8, 16, (8, 8, 32), 129, 5785, 7009),
    ("row_stationary", 8, 8, (8, 8, 32), 67, 8068, 2443),
    ("row_stationary", 8, 4, (8, 8, 32), 35, 4677, 2043),
    ("channel_parallel", 8, 8, (8, 8, 32), 65, 2055, 2299),
    ("channel_parallel", 16, 8, (8, 8, 32), 129, 2601, 3117),
    ("channel_parallel", 8, 16, (8, 8, 32), 129, 3136, 3766),
    ("loop_tile", 8, 8, (8, 8, 32), 65, 1450, 1741),
    ("loop_tile", 16, 8, (8, 8, 32), 129, 2090, 2558),
    ("loop_tile", 8, 16, (8, 8, 32), 129, 1938, 2696),
]


@pytest.mark.parametrize(("array", "rows", "cols", "bits", "dsp", "lut", "ff"), SYNTHESISED)
def test_arrays(array: str, rows: int, cols: int, bits: tuple[int, int, int], dsp: int, lut: int, ff: int) -> None:
    act, weight, acc = bits
    template = Template(array=ArrayKind(array), rows=rows, cols=cols, act_bits=act, weight_bits=weight, acc_bits=acc)
    part = array_part(template)
    assert part.dsp == dsp
    assert part.lut == pytest.approx(lut, rel=0.04)
    assert part.ff == pytest.approx(ff, rel=0.04 if product_in_dsp(template) else 0.1)


@pytest.mark.parametrize(("acc_bits", "dsp"), [(32, 7), (48, 9)])
def test_multipliers_of_a_post_processing_lane(acc_bits: int, dsp: int) -> None:
    few, many = (
        next(p for p in shell_parts(Template(acc_bits=acc_bits, ppu_lanes=n)) if p.name == "post-processing").dsp
        for n in (1, 4)
    )
    assert many - few == 3 * dsp


@pytest.mark.parametrize(("lanes", "act", "lut", "ff"), [(1, 8, 159, 150), (4, 8, 568, 582), (4, 4, 294, 298)])
def test_activation_tables(lanes: int, act: int, lut: int, ff: int) -> None:
    """What `cd_drain` takes more with tables than without."""
    plain = Template(rows=8, cols=8, act_bits=act, weight_bits=act, ppu_lanes=lanes)
    memory, logic = (part for part in estimate(replace(plain, activation_tables=1)).parts if "tables" in part.name)
    assert (memory.dsp, logic.dsp) == (0, 0)
    assert memory.lut + logic.lut / FLATTENED_LUT == pytest.approx(lut, rel=0.15)
    assert logic.ff / FLATTENED_FF == pytest.approx(ff, rel=0.05)


#: word, bus in bytes, any byte -> (LUT, FF) of cd_load, of cd_store
MOVERS = [
    (8, 8, False, (723, 939), (552, 533)),
    (8, 8, True, (969, 1007), (783, 593)),
    (8, 16, False, (867, 939), (652, 671)),
    (8, 16, True, (1466, 1071), (1107, 730)),
    (16, 8, False, (720, 934), (662, 534)),
    (16, 8, True, (963, 1002), (893, 594)),
    (16, 16, False, (856, 933), (625, 605)),
    (16, 16, True, (1450, 1066), (1218, 730)),
]


@pytest.mark.parametrize(("word", "bus", "unaligned", "load", "store"), MOVERS)
def test_movers(word: int, bus: int, unaligned: bool, load: tuple[int, int], store: tuple[int, int]) -> None:
    template = Template(rows=word, cols=word, axi_bits=8 * bus, dram_bytes_per_cycle=bus, unaligned=unaligned)
    parts = {part.name: part for part in shell_parts(template)}
    for name, (lut, ff) in (("load", load), ("store", store)):
        assert parts[name].lut == pytest.approx(FLATTENED_LUT * lut, rel=0.04)
        assert parts[name].ff == pytest.approx(FLATTENED_FF * ff, rel=0.04)


@pytest.mark.parametrize(
    ("lanes", "bits", "taps", "dsp", "lut", "ff"),
    [
        (8, (8, 8, 32), 1, 9, 755, 945),
        (8, (8, 8, 32), 3, 25, 2064, 1721),
        (8, (8, 8, 32), 5, 41, 3364, 2369),
        (16, (8, 8, 32), 1, 17, 906, 1393),
        (16, (8, 8, 32), 3, 49, 3486, 2937),
        (16, (8, 8, 32), 5, 81, 6037, 4225),
        (8, (16, 16, 48), 3, 25, 3350, 2809),
    ],
)
def test_the_vector_unit(lanes: int, bits: tuple[int, int, int], taps: int, dsp: int, lut: int, ff: int) -> None:
    act, weight, acc = bits
    template = Template(rows=lanes, cols=lanes, act_bits=act, weight_bits=weight, acc_bits=acc, vector_taps=taps)
    part = next(part for part in shell_parts(template) if part.name == "vector unit")
    assert part.dsp == dsp
    assert part.lut == pytest.approx(FLATTENED_LUT * lut, rel=0.05)
    assert part.ff == pytest.approx(FLATTENED_FF * ff, rel=0.05)


def test_the_non_linear_unit_is_counted() -> None:
    """14 DSPs a lane; a transposer of columns x lanes activations in registers."""
    without = {part.name: part for part in shell_parts(Template())}
    small, large = ({p.name: p for p in shell_parts(Template(nonlinear_lanes=lanes))} for lanes in (2, 8))
    assert set(small) - set(without) == {"non-linear unit", "transposer"}
    assert large["non-linear unit"].dsp - small["non-linear unit"].dsp == 6 * 14
    assert large["non-linear unit"].lut > small["non-linear unit"].lut > 1000
    assert small["transposer"].ff > 16 * 16 * 8 * 0.8
