"""Pattern pruning: layers that keep some filter taps, their weights, cycles and prices, training, spaces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from accel_models.pricing.price import Pricer
from accel_models.program.packing import pack_weights
from accel_models.schedule import schedule_network
from accel_models.schedule.network import Schedule
from accel_models.template.accelerator import template_accelerator
from accel_models.template.array_timing import array_accesses, array_cycles
from accel_models.template.cost import mapped_design, template_cost
from accel_models.template.resources import estimate
from accel_models.template.spec import ArrayKind, Template
from accel_models.template.tile import Tile
from accel_models.template.weight_form import WHOLE, WeightForm, skipped_to
from codesign.networks.taps import kept_taps
from codesign.quantization.deploy import deploy
from codesign.quantization.qat import QatNetwork
from codesign.spaces.compression.kept_taps import KeptTaps, with_kept_taps
from codesign.spaces.hardware.templates import SparseTemplateSpace
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.workload import TensorShape, Workload

SKIPPING = Template(ArrayKind.LOOP_TILE, 16, 8, tap_skipping=True)


def network(kept: int = 0, block: tuple[int, int] = (8, 16), p: int = 16) -> Workload:
    """Two 3 x 3 convolutions and a classifier; the second keeps some taps."""
    shape = {"P": p, "Q": p, "R": 3, "S": 3, "padding": (1,) * 4, "activation": "relu"}
    layers = (
        Layer("a", Op.CONV, K=32, C=3, inputs=("x",), **shape),
        Layer("b", Op.CONV, K=40, C=32, inputs=("a",), **shape),
        Layer("pool", Op.AVGPOOL, R=p, S=p, groups=40, inputs=("b",)),
        Layer("fc", Op.LINEAR, K=10, C=40, inputs=("pool",)),
    )
    return with_kept_taps(Workload("net", (TensorShape("x", 1, 3, p, p, 8),), layers), {"b": kept}, block)


def test_cycles_and_words_of_a_tile() -> None:
    tile = Tile(16, 32, 10, 10, 3, 3, in_h=12, in_w=12, kept=4)
    # 2 x 2 groups of channels of 4 taps are 16 passes of 100 pixels behind 18 cycles until the first weights are there.
    assert array_cycles(ArrayKind.LOOP_TILE, 16, 8, tile) == 18 + 5 + 2 + 16 * 100
    assert array_accesses(ArrayKind.LOOP_TILE, 16, 8, tile) == (1600, 16 * 17, 1600, 16 * 17)
    small = tile._replace(p=2, q=2)  # a pass reads 17 words while it computes 4 pixels
    assert array_cycles(ArrayKind.LOOP_TILE, 16, 8, small) == 18 + 5 + 2 + 15 * 17 + 4
    # Stripes of 32 pixels last 33 cycles where 32 words and a header are read.
    striped = array_cycles(ArrayKind.CHANNEL_PARALLEL, 32, 8, tile._replace(k=8, p=8, q=8))
    assert striped == 34 + 5 + 3 + 4 * (33 + 33) - 1 + 1


def test_headers_name_the_taps() -> None:
    weight = np.zeros((4, 8, 3, 3), dtype=np.int64)
    weight[1, 2, 0, 2], weight[3, 3, 2, 1] = 5, -6  # taps 2 and 7 of the first block
    words = pack_weights(ArrayKind.LOOP_TILE, 4, 4, weight, 2).reshape(2, 2, 5, 4)
    assert words[0, :, 0, :2].tolist() == [[-2, 0], [1, -2]]  # column, row, in two bits each
    assert words[0, 0, 1 + 2, 1] == 5 and words[0, 1, 1 + 3, 3] == -6
    assert words[1, :, 0, :2].tolist() == [[0, 0], [1, 0]] and not words[1, :, 1:].any()  # an empty block keeps any
    with pytest.raises(SpecError, match="with 2 taps"):
        pack_weights(ArrayKind.LOOP_TILE, 4, 4, weight, 1)
    with pytest.raises(SpecError, match="up to 3 x 3"):
        pack_weights(ArrayKind.LOOP_TILE, 4, 4, np.zeros((4, 4, 1, 5), dtype=np.int64), 1)


def test_which_layers_skip() -> None:
    def kept(block: tuple[int, int], form: WeightForm = WHOLE, template: Template = SKIPPING) -> int:
        return skipped_to(network(4, block).layers[1], template, form)

    assert kept((8, 16)) == kept((16, 32)) == kept((40, 16)) == kept((64, 64)) == 4
    assert kept((4, 16)) == kept((8, 8)) == kept((8, 24)) == 0
    assert kept((8, 16), WeightForm(dual=True)) == 0 and kept((16, 16), WeightForm(dual=True)) == 4
    assert kept((8, 16), template=replace(SKIPPING, tap_skipping=False)) == 0


def scheduled(workload: Workload) -> Schedule:
    found = schedule_network(mapped_design(workload, SKIPPING, "zcu104", 16, 64))  # type: ignore[arg-type]
    assert isinstance(found, Schedule)
    return found


def test_skipped_taps_are_not_stored() -> None:
    def words(kept: int) -> int:
        return sum(tile.words for tile in scheduled(network(kept)).plans[1].weights)

    assert words(0) - words(4) == 5 * 2 * (9 * 16 - 4 * 17)


def test_compiled_pricing_is_the_readable_one() -> None:
    rng = np.random.default_rng(4)
    workloads = [network(int(kept), p=int(rng.integers(4, 30))) for kept in rng.integers(0, 9, 8)]
    arrays = [ArrayKind.LOOP_TILE, ArrayKind.CHANNEL_PARALLEL] * 4
    templates = [replace(SKIPPING, array=kind, weight_buffer_bytes=1 << int(rng.integers(11, 15))) for kind in arrays]
    priced = Pricer(tech="fpga_28nm").price(workloads, templates)
    for i, (workload, template) in enumerate(zip(workloads, templates, strict=True)):
        design = mapped_design(workload, template, "zynq7020", 1 << 30, 1 << 30)
        if isinstance(design, tuple) or priced.code[i]:
            assert isinstance(design, tuple) and priced.code[i]
            continue
        cost = template_cost(replace(design, accelerator=template_accelerator(template, "fpga_28nm")))
        assert not isinstance(cost, tuple)
        assert (priced.cycles[i], priced.energy_pj[i]) == (cost.latency_cycles, cost.energy_pj)
        assert tuple(priced.resources[i]) == tuple(value for _, value in cost.resources or ())
    assert (priced.code == 0).sum() > 4


def test_resources_grow_with_the_option() -> None:
    more, plain = (dict(estimate(t).as_pairs()) for t in (SKIPPING, replace(SKIPPING, tap_skipping=False)))
    assert more["DSP"] == plain["DSP"] and more["LUT"] > plain["LUT"] and more["FF"] > plain["FF"]


def test_trained_and_deployed_with_so_many_taps() -> None:
    torch.manual_seed(0)
    module = QatNetwork(network(4))
    module(torch.rand(2, 3, 16, 16)).sum().backward()
    step = module.steps["b"]
    weight = step.weight
    mask = kept_taps(weight, network(4).layers[1])  # type: ignore[arg-type]
    assert mask.shape == weight.shape and mask.sum() * 9 == mask.numel() * 4  # type: ignore[union-attr]
    assert not weight.grad[mask == 0].any() and weight.grad[mask == 1].any()  # type: ignore[union-attr,index]
    whole = deploy(module).layers["b"].weight
    assert whole is not None
    blocks = whole.reshape(5, 8, 2, 16, 9).any(axis=(1, 3))
    assert (blocks.sum(axis=2) == 4).all()
    assert np.array_equal(blocks.repeat(8, 0).repeat(16, 1), mask.numpy().reshape(40, 32, 9) > 0)


def test_spaces() -> None:
    space = KeptTaps((0, 4), block=16, slots=2)
    made = space.compressed(network(), {"kept_taps_0": 0, "kept_taps_1": 4})
    assert [(layer.kept_taps, layer.tap_block) for layer in made.layers[:2]] == [(0, (0, 0)), (4, (16, 16))]
    hardware = SparseTemplateSpace()
    point = {decision.name: decision.choices[0] for decision in hardware.decisions} | {"tap_skipping": 1}
    assert hardware.hardware_at({**point, "array": "loop_tile"}, made).tap_skipping
    assert not hardware.hardware_at({**point, "array": "row_stationary"}, made).tap_skipping


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"kept_taps": 9, "tap_block": (8, 8)}, "kept_taps: is 9"),
        ({"kept_taps": 4}, "tap_block: is"),
        ({"tap_block": (8, 8)}, "kept_taps: is 0"),
        ({"kept_taps": 4, "tap_block": (8, 8), "groups": 2}, "in 2 groups"),
        ({"kept_taps": 4, "tap_block": (8, 8), "op": Op.MAXPOOL}, "of a maxpool"),
    ],
)
def test_what_a_layer_refuses(fields: dict[str, object], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        Layer(**{"name": "y", "op": Op.CONV, "R": 3, "S": 3, **fields})  # type: ignore[arg-type]


def test_what_the_hardware_refuses() -> None:
    with pytest.raises(SpecError, match="tap_skipping: has no array of kind row_stationary"):
        Template(ArrayKind.ROW_STATIONARY, tap_skipping=True)
    layer = network(4).layers[1]
    assert Layer.from_dict(layer.to_dict()) == layer
    halves = (replace(network().layers[0], K=5), replace(network().layers[0], name="c", K=27))
    both = Layer("ab", Op.CONCAT, P=16, Q=16, groups=32, inputs=("a", "c"))
    holes = Workload("holes", network().inputs, (*halves, both, replace(layer, inputs=("ab",))))
    with pytest.raises(SpecError, match="layer b: skips taps by blocks of channels"):
        scheduled(holes)
