"""Resources from the structure, and the bounds of a device."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accel_models.hardware.devices import Clock, Device, Figure, clocks, device
from accel_models.hardware.technology import technology
from accel_models.template.resources import Memory, area_um2, estimate, fits, highest_hz, memories
from accel_models.template.spec import ArrayKind, Template


@pytest.mark.parametrize(
    ("width_bits", "depth", "blocks"),
    [
        (36, 512, 1),
        (32, 512, 1),
        (64, 512, 2),
        (8, 2048, 1),
        (128, 4096, 30),
        (1, 16384, 1),
        (18, 1025, 2),
        (72, 64, 0),
    ],
)
def test_block_geometry(width_bits: int, depth: int, blocks: int) -> None:
    assert Memory("m", width_bits, depth).bram18 == blocks


def test_a_shallow_memory_is_made_of_look_up_tables() -> None:
    assert Memory("m", 72, 64).lutram == 96 and Memory("m", 72, 65).lutram == 0


def test_memories_of_the_default_template() -> None:
    """Blocks as synthesis gives them for these words (30 for 128 x 4096, 15 for each half of the sums)."""
    blocks = {memory.name: memory.bram18 for memory in memories(Template())}
    assert blocks == {
        "input buffer": 30,
        "weight buffer": 30,
        "accumulator memory": 30,
        "output and residual buffers": 16,
        "parameters": 8,
    }


def test_one_dsp_a_pe_from_eight_bits() -> None:
    parts = {part.name: part for part in estimate(Template(rows=8, cols=16)).parts}
    assert parts["PE array"].dsp == 128 + 1
    assert parts["drain"].dsp == 4 * 7
    narrow = {part.name: part for part in estimate(Template(rows=8, cols=16, act_bits=4, weight_bits=4)).parts}
    assert narrow["PE array"].dsp == 1 and narrow["PE array"].lut > 0


@pytest.mark.parametrize("array", list(ArrayKind))
def test_every_array_takes_something_of_everything_and_more_pes_take_more(array: ArrayKind) -> None:
    small, large = (dict(estimate(Template(array=array, rows=n, cols=n)).as_pairs()) for n in (8, 32))
    assert min(small.values()) > 0
    assert all(large[name] > small[name] for name in ("DSP", "LUT", "FF"))


def test_fits_says_what_is_broken_by_how_much() -> None:
    assert fits(Template(rows=8, cols=8, axi_bits=64, dram_bytes_per_cycle=8), "zynq7020") == ()
    broken = {item.resource: item for item in fits(Template(rows=32, cols=32, clock_hz=400_000_000), "zynq7020")}
    assert broken["DSP"].bound == 220 and broken["DSP"].demand >= 1024 and broken["DSP"].remedy
    assert "clock" in broken and "memory bandwidth" in broken
    deep = Template(rows=8, cols=8, axi_bits=64, dram_bytes_per_cycle=8, input_buffer_bytes=1 << 20)
    assert [item.resource for item in fits(deep, "zynq7020")] == ["BRAM36"]


def test_four_input_tables_hold_less() -> None:
    template = Template(rows=8, cols=8)
    four = replace(device("ecp5_85k"), figures=tuple((n, replace(f, value=1)) for n, f in device("ecp5_85k").figures))
    six = replace(four, lut_inputs=6, family="")
    demand = [next(i.demand for i in fits(template, part) if i.resource == "LUT") for part in (four, six)]
    assert demand[0] > demand[1]


def test_silicon_area() -> None:
    small, large = Template(rows=8, cols=8), Template(rows=32, cols=32)
    asic = technology("asic_28nm")
    a, b = area_um2(small, asic), area_um2(large, asic)
    assert a is not None and b is not None and 0 < a < b
    assert area_um2(small, technology("fpga_28nm")) is None
    assert fits(small, "edge_28nm") == ()
    huge = Template(rows=32, cols=32, input_buffer_bytes=1 << 24)
    assert "area" in [item.resource for item in fits(huge, "edge_28nm")]


def test_the_fill_limit_binds_and_says_so() -> None:
    part = device("zynq7020")
    tight = replace(part, figures=(*((n, f) for n, f in part.figures if n != "lut"), ("lut", Figure(20000, "test"))))
    assert estimate(Template(rows=8, cols=8)).lut < 20000  # it would fit a full part
    (broken,) = fits(
        Template(rows=8, cols=8, axi_bits=64, dram_bytes_per_cycle=8),
        replace(tight, figures=_with(tight, "lut_fill", 0.5)),
    )
    assert broken.resource == "LUT" and broken.bound == 10000 and "50% of 20,000, the fill limit" in broken.unit
    assert (
        fits(
            Template(rows=8, cols=8, axi_bits=64, dram_bytes_per_cycle=8),
            replace(tight, figures=_with(tight, "lut_fill", 1.0)),
        )
        == ()
    )


def test_the_routed_clock_of_the_family_binds() -> None:
    clock = clocks()["ecp5"]
    (broken,) = [
        item for item in fits(Template(rows=4, cols=4, clock_hz=2 * clock.hz), "ecp5_85k") if item.resource == "clock"
    ]
    assert broken.bound == clock.of("weight_stationary") and clock.how == "routed" and clock.source
    assert all(item.error > 0 and item.source and item.how in ("routed", "scaled") for item in clocks().values())
    assert not [i for i in fits(Template(rows=4, cols=4, clock_hz=clock.hz), "ecp5_85k") if i.resource == "clock"]


def _with(part: Device, name: str, value: float) -> tuple[tuple[str, Figure], ...]:
    return (*((n, f) for n, f in part.figures if n != name), (name, Figure(value, "test")))


def test_a_design_is_as_fast_as_one_with_its_array_was_routed() -> None:
    known = Clock(
        hz=80, how="routed", error=0.1, source="a test", arrays=(("loop_tile", 90), ("weight_stationary", 80))
    )
    assert [known.of(array) for array in ("loop_tile", "weight_stationary", "row_stationary")] == [90, 80, 80]
    large = replace(known, larger=(("weight_stationary", 70), ("row_stationary", 95)))
    assert [large.of(array, 64) for array in ("weight_stationary", "row_stationary", "loop_tile")] == [70, 80, 70]
    assert [large.of("weight_stationary", pes) for pes in (16, 17)] == [80, 70]
    part = device("ecp5_85k")
    routed = {ArrayKind.WEIGHT_STATIONARY: 100_000_000, ArrayKind.LOOP_TILE: 95_000_000}
    routed |= {ArrayKind.OUTPUT_STATIONARY: 93_000_000, ArrayKind.CHANNEL_PARALLEL: 88_000_000}
    for array in ArrayKind:
        small, eight = (highest_hz(Template(array=array, rows=n, cols=n), part) for n in (4, 8))
        assert small == clocks()["ecp5"].of(array) >= clocks()["ecp5"].hz
        assert eight == routed.get(array, 88_000_000)
    assert set(dict(clocks()["ecp5"].arrays)) <= set(ArrayKind)
    assert clocks()["ecp5"].hz == min(hz for _, hz in clocks()["ecp5"].arrays)


def test_a_shallow_memory_is_read_through_flip_flops() -> None:
    assert Memory("m", 36, 64, count=2).ff == 144 and Memory("m", 36, 65, count=2).ff == 72
    assert Memory("m", 36, 64, count=2, registered=False).ff == 72 and Memory("m", 36, 65, registered=False).ff == 0
    deep = Template(rows=8, cols=8, acc_buffer_bytes=32768)
    shallow = replace(deep, acc_buffer_bytes=2048)  # 64 words of 8 x 32 bits, two halves
    behind = [sum(memory.ff for memory in memories(template)) for template in (shallow, deep)]
    assert behind[0] - behind[1] == 2 * 8 * 32
    assert estimate(shallow).ff - estimate(deep).ff == 2 * 8 * 32
