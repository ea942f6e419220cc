"""Filter taps that blocks of channels do not use take no cycle: arrays of adder trees alone, and a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accel_models.schedule import schedule_network
from accel_models.schedule.network import Schedule
from accel_models.template.spec import ArrayKind, Template
from accel_models.template.tile import Tile
from benchmarks.rtl_cases import design, inputs, quantized, reference
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload
from rtl_templates.array_bench import run
from rtl_templates.array_cases import random_case, tile_case
from rtl_templates.simulate import Job, simulate_jobs

pytestmark = pytest.mark.rtl

PAIRS = Template(ArrayKind.LOOP_TILE, 8, 4, weight_packing=4, dual_rate=True, tap_skipping=True)
STRIPES = Template(ArrayKind.CHANNEL_PARALLEL, 4, 4, tap_skipping=True)


@pytest.mark.parametrize("template", [PAIRS, STRIPES], ids=lambda t: str(t.array))
def test_random_masks_are_exact(template: Template) -> None:
    """Strides, dilations, padding, remainders of channels, resets in between; dense tiles among them."""
    rng = np.random.default_rng(12)
    cases = [random_case(rng, template) for _ in range(60)]
    assert 15 < sum(case.tile.kept > 0 for case in cases) < 60
    assert [result for result in run(template, cases) if not result.exact] == []


def test_cycles_fall_with_the_share_of_taps() -> None:
    """On the array: 16 x 16 channels of 12 x 12 pixels, a word more to read before each pass."""
    rng, drawn = np.random.default_rng(3), replace(PAIRS, dual_rate=False, tap_skipping=False)
    tile = Tile(16, 16, 12, 12, 3, 3, pad_top=1, pad_left=1, in_h=12, in_w=12)
    results = run(PAIRS, [tile_case(rng, drawn, tile._replace(kept=kept)) for kept in range(10)])
    assert all(result.exact for result in results)
    dense, *pruned = (result.cycles for result in results)
    for kept, cycles in enumerate(pruned, start=1):
        assert cycles / dense == pytest.approx(kept / 9, rel=0.03)


def pruned_network() -> Workload:
    """Strided and dilated convolutions with some taps kept, of 8 and 4 bits, a sum, one whose blocks suit no pass."""
    layers: list[Layer] = []

    def convolution(
        name: str, source: str, c: int, k: int, p: int, kept: int, block: int = 8, step: int = 1, dilation: int = 1
    ) -> None:
        layers.append(Layer(
            name, Op.CONV, K=k, C=c, P=p, Q=p, R=3, S=3, stride=(step,) * 2, dilation=(dilation,) * 2,
            padding=(dilation,) * 4, activation="relu", inputs=(source,), kept_taps=kept, tap_block=(8, block),
        ))  # fmt: skip

    convolution("stem", "x", 3, 20, 9, kept=5, block=3, step=2)
    convolution("wide", "stem", 20, 20, 9, kept=4, dilation=2)
    layers[-1] = replace(layers[-1], bits=Bits(8, 4, 8, 32))
    layers.append(Layer("sum", Op.ADD, P=9, Q=9, groups=20, inputs=("wide", "stem")))
    convolution("odd", "sum", 20, 12, 9, kept=2, block=6)  # a pass of 4 channels lies in two blocks
    convolution("end", "odd", 12, 10, 5, kept=1, block=16, step=2)
    return Workload("pruned", (TensorShape("x", 1, 3, 17, 17, 8),), tuple(layers))


def test_a_network_with_skipped_taps_is_exact() -> None:
    template = Template(
        ArrayKind.LOOP_TILE, 4, 4, input_buffer_bytes=2048, weight_buffer_bytes=512, acc_buffer_bytes=4096,
        output_buffer_bytes=512, param_buffer_bytes=512, weight_packing=2, dual_rate=True, tap_skipping=True,
        axi_bits=64, dram_bytes_per_cycle=8,
    )  # fmt: skip
    workload = pruned_network()
    schedule = schedule_network(design(workload, template))
    assert isinstance(schedule, Schedule)
    assert [plan.shape.kept for plan in schedule.plans] == [5, 4, 0, 1]
    network, given = quantized(workload, 1), inputs(workload, 2)
    (report,) = simulate_jobs([Job(schedule, network, given)])
    expected = reference(network, given)
    assert [name for name, value in report.outputs.items() if not np.array_equal(expected[name], value)] == []
    assert report.exact
    weights = replace(network.layers["end"], weight=np.ones((10, 12, 3, 3), dtype=np.int64))
    with pytest.raises(SpecError, match="4 x 4 channels with 9 taps"):
        simulate_jobs([Job(schedule, replace(network, layers={**network.layers, "end": weights}), given)])
