"""Layers of fewer bits on one accelerator: forms, sizes, the compiled pricing, faults."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from accel_models.pricing.price import Pricer
from accel_models.program.image import stored_weights
from accel_models.schedule import Buffer, Dma, schedule_network
from accel_models.schedule.network import Schedule
from accel_models.template.accelerator import template_accelerator
from accel_models.template.cost import mapped_design, template_cost
from accel_models.template.fabric import part_dsp
from accel_models.template.resources import estimate
from accel_models.template.spec import ArrayKind, Template
from accel_models.template.timing import predict
from accel_models.template.weight_form import WeightForm, weight_form
from codesign.recipe import load_recipe
from mappings.errors import SpecError
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload

PLAIN = Template(ArrayKind.LOOP_TILE, 16, 8, weight_packing=4)
PAIRS = dataclasses.replace(PLAIN, dual_rate=True)


def network(weight: int, k: int = 64, c: int = 64) -> Workload:
    """One 3 x 3 convolution of 16 x 16 pixels."""
    bits = Bits(8, weight, 8, 32)
    layer = Layer("y", Op.CONV, K=k, C=c, P=16, Q=16, R=3, S=3, padding=(1,) * 4, inputs=("x",), bits=bits)
    return Workload("one", (TensorShape("x", 1, c, 16, 16, 8),), (layer,))


def scheduled(workload: Workload, template: Template) -> Schedule:
    design = mapped_design(workload, template, "zcu104", 16, 64)
    assert not isinstance(design, tuple)
    found = schedule_network(design)
    assert isinstance(found, Schedule)
    return found


def weight_words(schedule: Schedule) -> int:
    bodies = (command.body for command in schedule.commands)
    return sum(body.words for body in bodies if isinstance(body, Dma) and body.buffer is Buffer.WEIGHT)


def test_forms() -> None:
    assert [weight_form(PLAIN, bits, True) for bits in (2, 3, 4, 5, 8)] == [
        (4, False),
        *[(2, False)] * 2,
        *[(1, False)] * 2,
    ]
    assert [weight_form(PAIRS, bits, True) for bits in (2, 4, 8)] == [(2, True), (1, True), (1, False)]
    assert weight_form(PAIRS, 4, on_array=False) == (2, False)  # the vector unit has no pairs
    assert weight_form(Template(), 2, True) == (1, False)


def test_narrow_weights_move_and_fill_a_share_and_pairs_halve_the_cycles() -> None:
    whole = scheduled(network(8), PLAIN)
    for template in (PLAIN, PAIRS):
        for bits in (4, 2):
            assert weight_words(scheduled(network(bits), template)) * 8 == weight_words(whole) * bits
    # 8 x 4 passes of 9 taps over 256 pixels are 73,728 cycles; with pairs, half.
    assert predict(whole).layers[0].compute_cycles > 73_728
    single, double = (predict(scheduled(network(4), template)).cycles for template in (PLAIN, PAIRS))
    assert 1.7 < single / double < 2


def test_bytes_in_memory() -> None:
    words = np.array([[1, -2, 3, -4], [5, 6, -7, 7]])
    template = Template(ArrayKind.LOOP_TILE, 4, 4, weight_packing=4)
    assert stored_weights(words, WeightForm(2), template).tolist() == [0xE1, 0xC3, 0x65, 0x79]
    with pytest.raises(SpecError, match="2 bits"):
        stored_weights(words, WeightForm(4), template)
    # One word of two bits a weight is padded to a whole stored word.
    assert stored_weights(words[:1] % 2, WeightForm(4), template).tolist() == [0b00010001, 0, 0, 0]
    # With pairs, columns j and 4 + j share a byte.
    pairs = np.array([[1, 2, 3, 4, -1, -2, -3, -4]])
    dual = dataclasses.replace(template, cols=4, dual_rate=True)
    assert stored_weights(pairs, WeightForm(1, True), dual).tolist() == [0xF1, 0xE2, 0xD3, 0xC4]


def test_a_pair_takes_one_multiplier() -> None:
    assert part_dsp(PAIRS, "PE array") == part_dsp(PLAIN, "PE array") == 16 * 8 + 1
    found, single = dict(estimate(PAIRS).as_pairs()), dict(estimate(PLAIN).as_pairs())
    assert found["DSP"] == single["DSP"]
    assert found["LUT"] > single["LUT"] > dict(estimate(dataclasses.replace(PLAIN, weight_packing=1)).as_pairs())["LUT"]


@pytest.mark.parametrize("seed", [1, 2])
def test_compiled_pricing_is_the_readable_one(seed: int) -> None:
    rng, space = np.random.default_rng(seed), load_recipe("default").space
    workloads, templates = [], []
    for _ in range(20):
        point = space.decisions.draw(rng)
        workload = space.network_at(point).workload
        assert workload is not None
        bits = [dataclasses.replace(layer.bits, W=int(rng.choice([2, 4, 8]))) for layer in workload.layers]
        layers = tuple(dataclasses.replace(layer, bits=b) for layer, b in zip(workload.layers, bits, strict=True))
        hardware = dataclasses.replace(space.hardware.hardware_at(point, workload), weight_bits=8, act_bits=8)
        kind, packing = hardware.array, int(rng.choice([1, 2, 4]))
        pairs = packing > 1 and kind in (ArrayKind.LOOP_TILE, ArrayKind.CHANNEL_PARALLEL) and hardware.cols <= 16
        try:
            template = dataclasses.replace(hardware, weight_packing=packing, dual_rate=pairs)
        except SpecError:
            continue
        workloads.append(dataclasses.replace(workload, layers=layers))
        templates.append(template)
    priced = Pricer(tech="fpga_28nm").price(workloads, templates)
    assert (priced.code == 0).sum() > 5
    assert any(template.dual_rate for template, code in zip(templates, priced.code, strict=True) if code == 0)
    for i, (workload, template) in enumerate(zip(workloads, templates, strict=True)):
        design = mapped_design(workload, template, "zynq7020", 1 << 30, 1 << 30)
        if isinstance(design, tuple) or priced.code[i]:
            assert isinstance(design, tuple) and priced.code[i]
            continue
        cost = template_cost(dataclasses.replace(design, accelerator=template_accelerator(template, "fpga_28nm")))
        assert not isinstance(cost, tuple)
        assert (priced.cycles[i], priced.energy_pj[i]) == (cost.latency_cycles, cost.energy_pj)
        assert tuple(priced.resources[i]) == tuple(value for _, value in cost.resources or ())


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"weight_packing": 3}, "template.weight_packing: is 3"),
        ({"weight_packing": 4, "weight_bits": 4}, "weights have 2 bits or more"),
        ({"dual_rate": True}, "needs a weight_packing of 2 or 4"),
        ({"dual_rate": 1, "weight_packing": 2}, "true or false"),
        ({"dual_rate": True, "weight_packing": 2, "array": ArrayKind.WEIGHT_STATIONARY}, "no array of kind"),
        ({"dual_rate": True, "weight_packing": 2, "cols": 32}, "at most 16"),
        ({"dual_rate": True, "weight_packing": 2, "act_bits": 16}, "act_bits of 4 or 8"),
    ],
)
def test_what_a_template_refuses(knobs: dict[str, object], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        Template(**{"array": ArrayKind.LOOP_TILE, **knobs})  # type: ignore[arg-type]
