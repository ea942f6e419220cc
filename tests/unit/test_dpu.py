"""The DPU's layers by hand, and the networks it was measured with."""

from __future__ import annotations

import pytest

from accel_models.published.dpu import VCK190_C32B6, ZCU102_B4096
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.networks.mnasnet import MnasNet

MNASNET_A = MnasNet((1, 6, 3, 6, 6, 6, 6), (3, 3, 5, 3, 3, 5, 3), (1, 2, 3, 4, 2, 3, 1), (0, 0, 1, 0, 1, 1, 0))


def test_convolution_by_hand() -> None:
    layer = Layer("a", Op.CONV, K=40, C=24, P=28, Q=28, R=3, S=3, padding=(1, 1, 1, 1))
    work = ZCU102_B4096.work_of(layer)
    assert work.array_steps == 3 * 2 * 28 * 4 * 9  # blocks of 16 channels, rows, groups of 8 pixels, taps
    assert work.alu_steps == 0
    assert (work.input_bytes, work.output_bytes) == (24 * 28 * 28, 40 * 28 * 28)
    assert work.weight_bytes == 40 * 24 * 9
    assert ZCU102_B4096.layer_latency_cycles(layer) == pytest.approx(work.array_steps + work.weight_bytes / 20.5 + 300)


def test_ai_engines_have_their_own_width_and_clock() -> None:
    layer = Layer("a", Op.CONV, K=40, C=24, P=28, Q=28, R=3, S=3, padding=(1, 1, 1, 1))
    work = VCK190_C32B6.work_of(layer)
    assert work.array_steps == 2 * 2 * 28 * 4 * 9  # 32 filters at a time
    assert VCK190_C32B6.published_cycles(work) == pytest.approx(work.array_steps * 333 / 1250 / 0.75)
    pointwise = VCK190_C32B6.work_of(Layer("a", Op.CONV, K=96, C=16, P=28, Q=28))
    assert VCK190_C32B6.published_cycles(pointwise) == 96 * 28 * 28 / 128  # the outputs' port


def test_depthwise_runs_on_the_alu() -> None:
    layer = Layer("a", Op.CONV, groups=40, P=14, Q=14, R=5, S=5, stride=(2, 2), padding=(2, 2, 1, 1))
    work = ZCU102_B4096.work_of(layer)
    assert (work.array_steps, work.alu_steps) == (0, 3 * 14 * 4 * 25)
    assert ZCU102_B4096.published_cycles(work) == work.alu_steps + (work.input_bytes + work.output_bytes) / 64
    assert VCK190_C32B6.work_of(layer).alu_steps == 3 * 14 * 2 * 25


def test_average_of_a_whole_map_uses_one_pixel_lane() -> None:
    small = ZCU102_B4096.work_of(Layer("a", Op.AVGPOOL, groups=32, R=28, S=28))
    assert (small.alu_steps, small.spilled_runs, small.weight_bytes) == (2 * 28 * 28, 0, 0)


def test_a_map_that_does_not_fit_comes_as_short_runs() -> None:
    """112 rows in 8 banks are 14 x 112 words a channel word: one fits 2,048 words, five fit 8,192."""
    layer = Layer("a", Op.AVGPOOL, groups=96, R=112, S=112)
    large = ZCU102_B4096.work_of(layer)
    assert (large.spilled_runs, large.spilled_bytes) == (6 * 112 * 112, 96 * 112 * 112)
    assert VCK190_C32B6.work_of(layer).spilled_runs == 2 * 112 * 112
    assert VCK190_C32B6.work_of(Layer("a", Op.AVGPOOL, groups=80, R=112, S=112)).spilled_runs == 0


def test_elementwise_maps_and_sigmoid() -> None:
    add = ZCU102_B4096.work_of(Layer("a", Op.ADD, groups=16, P=7, Q=7))
    assert (add.alu_steps, add.input_bytes, add.output_bytes) == (7 * 2, 2 * 16 * 49, 16 * 49)
    excite = ZCU102_B4096.work_of(Layer("a", Op.LINEAR, K=96, C=4, activation="sigmoid"))
    assert (excite.array_steps, excite.excited_channels, excite.weight_bytes) == (6, 96, 384)


def test_efficientnet_on_the_vck190_is_near_the_vendors_figure() -> None:
    """EfficientNet-B0 is a network of the MnasNet space: 1,811.8 images/s, six at a time (Vitis AI 2.5 model zoo)."""
    network = MnasNet((1, 6, 6, 6, 6, 6, 6), (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 3, 3, 4, 1), (1,) * 7)
    cycles = VCK190_C32B6.latency_cycles(network.workload()) - VCK190_C32B6.start_cycles  # hidden with many threads
    assert cycles / VCK190_C32B6.clock_hz == pytest.approx(6 / 1811.8, rel=0.1)


def test_unsupported_operator_is_refused() -> None:
    with pytest.raises(SpecError, match='operator "softmax" is not supported'):
        ZCU102_B4096.work_of(Layer("a", Op.SOFTMAX, K=8, C=8))


def test_network_shapes_and_parameters() -> None:
    workload = MNASNET_A.workload()
    assert workload.shapes["head"] == (1, 1280, 7, 7)
    assert workload.by_name["stem"].H == 224
    assert workload.by_name["b1_0_depthwise"].H == 112
    assert workload.outputs == ("classifier",)
    stem = 32 * 27 + 2 * 32
    first = 32 * 9 + 2 * 32 + 16 * 32 + 2 * 16
    single = MnasNet((1,) * 7, (3,) * 7, (1,) * 7, (0,) * 7)
    by_hand = stem + first
    for before, after in ((16, 24), (24, 40), (40, 80), (80, 112), (112, 192), (192, 320)):
        by_hand += before * 9 + 2 * before + before * after + 2 * after
    by_hand += 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert single.parameters == by_hand
    assert ZCU102_B4096.latency_cycles(workload) > ZCU102_B4096.latency_cycles(single.workload()) > 90_000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("1-1", "3-3-3-3-3-3-3", "1-1-1-1-1-1-1", "0-0-0-0-0-0-0"), "expansion"),
        (("x", "3-3-3-3-3-3-3", "1-1-1-1-1-1-1", "0-0-0-0-0-0-0"), "joined by dashes"),
        (("1-1-1-1-1-1-1", "2-3-3-3-3-3-3", "1-1-1-1-1-1-1", "0-0-0-0-0-0-0"), "odd"),
        (("1-1-1-1-1-1-1", "3-3-3-3-3-3-3", "1-1-1-1-1-1-1", "0-0-0-0-0-0-2"), "squeeze_excite"),
    ],
)
def test_wrong_settings_are_told(settings: tuple[str, str, str, str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        MnasNet.parse(*settings)
