"""Networks that give maps: points of each space lower, train with their quantisation, and run bit-exactly on RTL."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from accel_models.template.spec import Template
from codesign.accuracy.auxiliary import Auxiliary
from codesign.accuracy.data import check_fits, load_dataset, mnist5k
from codesign.accuracy.losses import loss_of
from codesign.accuracy.training import Training, train
from codesign.decisions import DecisionSpace
from codesign.gradient.routes import Graph
from codesign.quantization.qat import QatNetwork
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network.branches import BranchSpace
from codesign.spaces.network.decoder import DecoderSpace
from codesign.spaces.network.dense_routes import DenseSpace
from codesign.spaces.network.pyramid import PyramidSpace
from codesign.spaces.network.routed import END, START
from codesign.spaces.network.squeeze import SqueezeSpace
from codesign.spaces.network.trellis import TrellisSpace
from mappings.errors import SpecError
from mappings.layer import Op
from mappings.workload import Workload
from tests.spaces import assert_runs

HARDWARE = Template(rows=4, cols=4, input_buffer_bytes=4096, weight_buffer_bytes=4096, output_buffer_bytes=2048)
TRELLIS = TrellisSpace(depth=3, widths=(4, 6, 8), cell=1)
SPACES: dict[str, Any] = {
    "trellis": TRELLIS,
    "squeeze": SqueezeSpace(widths=(4, 6, 8), blocks=(1, 2, 2)),
    "branches": BranchSpace(widths=(4, 8), width=6, branches=3),
    "decoder": DecoderSpace(blocks=2, widths=(4, 6, 8), width=6),
    "pyramid": PyramidSpace(merges=2, widths=(4, 6, 8), width=6),
}


class TestTrellis(NetworkSpaceConformance):
    name = "trellis"


class TestSqueeze(NetworkSpaceConformance):
    name = "squeeze"


class TestBranches(NetworkSpaceConformance):
    name = "branches"


class TestDecoder(NetworkSpaceConformance):
    name = "decoder"


class TestPyramid(NetworkSpaceConformance):
    name = "pyramid"


def drawn(name: str, seed: int) -> Workload:
    space = SPACES[name]
    workload: Workload = space.workload(DecisionSpace(space.decisions).draw(np.random.default_rng(seed)))
    return workload


@pytest.mark.parametrize("name", SPACES)
def test_every_point_gives_a_map_that_its_data_can_train(name: str) -> None:
    data = load_dataset(SPACES[name].dataset)
    shapes = set()
    for seed in range(40):
        workload = drawn(name, seed)
        check_fits(data, workload)
        assert len(workload.outputs) == 1
        last = workload.shapes[workload.outputs[0]]
        network = QatNetwork(workload)
        assert network(torch.rand(2, 1, 32, 32)).shape == (2, *last[1:])
        shapes.add(last)
    assert len(shapes) == 1 and next(iter(shapes))[2] >= 8


@pytest.mark.rtl
@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name in SPACES for seed in (0, 1)])
def test_points_run_as_hardware(name: str, seed: int, tmp_path: Path) -> None:
    found = assert_runs(drawn(name, seed), HARDWARE, tmp_path, data=SPACES[name].dataset, steps=8)
    assert found.right is None and found.score is not None and 0 <= found.score <= 1
    assert found.score_name == {"pyramid": "mAP"}.get(name, "mIoU")


def test_routes_of_the_trellis_change_one_level_a_layer() -> None:
    assert len(TRELLIS.paths) == len(set(TRELLIS.paths)) == 12
    assert all(abs(a - b) <= 1 for path in TRELLIS.paths for a, b in pairwise((1, *path)))
    assert TRELLIS.successors(START) == ("l1s1", "l1s2") and TRELLIS.successors("l3s3") == (END,)
    assert TRELLIS.successors("l1s2") == ("l2s1", "l2s2", "l2s3")


def test_parts_of_the_trellis_are_the_layers_of_its_networks() -> None:
    graph, rng = Graph.of(TRELLIS, START, END), np.random.default_rng(3)
    for _ in range(20):
        point = DecisionSpace(TRELLIS.decisions).draw(rng)
        route, parts = (START, *TRELLIS.route_at(point), END), list(TRELLIS.stem_layers())
        assert TRELLIS.point_at(route, {name: str(value) for name, value in point.items()}) == point
        for source, target in pairwise(route):
            parts += TRELLIS.edge_layers(source, target)
            for layer in graph.layers.get(target, ()):
                parts += TRELLIS.operator_layers(layer, str(point[layer]))
        whole = {layer.name: layer for layer in TRELLIS.workload(point).layers}
        assert [layer.name for layer in parts] == list(whole)
        assert all(layer.macs == whole[layer.name].macs for layer in parts)


def test_a_map_is_enlarged_by_repeating_places() -> None:
    point = {"path": "2-3-3", "l1s2o1": "skip", "l2s3o1": "skip", "l3s3o1": "atrous5"}
    layers = {layer.name: layer for layer in TRELLIS.workload(point).layers}
    last = layers["map_of_l3s3"]
    assert (last.op, last.moves, last.dilation, last.P) == (Op.RESHAPE, "box", (4, 4), 16)
    holes = layers["l3s3o1_atrous5_depthwise"]
    assert (holes.R, holes.dilation, holes.padding, holes.P) == (5, (2, 2), (4, 4, 4, 4), 4)


def test_the_last_stage_of_squeeze_has_holes_and_its_head_two_maps() -> None:
    point = {"s1b1_kind": "e1k3g2", "s2b1_kind": "e3k5", "s2b2_kind": "skip", "s3b1_kind": "e6k3", "s3b2_kind": "skip"}
    layers = {layer.name: layer for layer in SPACES["squeeze"].workload(point).layers}
    assert layers["s1b1_wide"].groups == 2 and layers["s2b1_deep"].stride == (2, 2)
    assert layers["s3b1_deep"].dilation == (2, 2) and layers["s3b1_deep"].P == layers["s2b1_deep"].P == 8
    assert layers["scores"].inputs == ("coarse_map", "fine_scores") and layers["scores"].P == 16
    assert layers["head_gated"].inputs == ("head", "head_gated_gate")


def test_what_no_merging_cell_takes_joins_the_head() -> None:
    point = {"m1_pair": "middle+coarse", "m1_level": "fine", "m1_merge": "attention"}
    point |= {"m2_pair": "fine+coarse", "m2_level": "coarse", "m2_merge": "sum"}
    layers = {layer.name: layer for layer in SPACES["pyramid"].workload(point).layers}
    assert layers["m1_coarse_up"].dilation == (4, 4) and layers["m2_fine_down"].R == 4
    assert layers["m1_weighed"].inputs == ("m1_middle_up", "m1_weighed_gate")
    assert layers["m1_merged"].inputs == ("m1_coarse_up", "m1_weighed")
    assert layers["out1"].inputs == ("m2_out_up", "m1_out_down") or layers["out1"].inputs[0] == "m2_out_up"
    assert layers["map"].K == 10 + 1 + 4 and layers["map"].P == 8


def test_every_block_of_a_decoder_has_the_same_cell() -> None:
    point = {"d1_pair": "fine+coarse", "d2_pair": "middle+d1", "c1_kind": "sep5", "c2_from": "in", "c2_kind": "holes3"}
    layers = {layer.name: layer for layer in SPACES["decoder"].workload(point).layers}
    for name in ("d1_fine", "d1_coarse", "d2_middle", "d2_d1"):
        assert layers[f"{name}_c1_deep"].R == 5 and layers[f"{name}_c2_deep"].dilation == (2, 2)
        assert set(layers[f"{name}_sum1"].inputs) == {f"{name}_c1", f"{name}_c2"}
    assert layers["d1"].inputs == ("d1_coarse_up", "d1_fine_sum1") and layers["d1_coarse_up"].dilation == (4, 4)
    assert layers["scores"].inputs == ("d2",) and layers["scores"].P == 16  # every map was taken by a block


def test_supervised_sums_are_gone_after_training() -> None:
    workload, data = drawn("decoder", 1), load_dataset("digit_scenes")
    torch.manual_seed(0)
    network = QatNetwork(workload)
    names = set(network.state_dict())
    before = network.steps["d1"].quantizer.log_scale.item()  # type: ignore[union-attr]
    train(network, data, Training(3, 0.02, auxiliary=("d1", "d9")), 0)
    assert set(network.state_dict()) == names and network.steps["d1"].quantizer.log_scale.item() != before  # type: ignore[union-attr]
    heads = Auxiliary(workload, ("d1", "d9"), 11)
    assert list(heads.heads) == ["d1"]
    values = {"d1": torch.rand(2, 6, 16, 16)}
    target = torch.randint(0, 11, (2, 32, 32))
    error_of = loss_of("segmentation", (32, 32))
    alone = error_of(heads.heads["d1"](values["d1"]), target)
    assert heads.loss(values, target, error_of).item() == pytest.approx(alone.item())
    with pytest.raises(SpecError, match="has no layer of d9 to supervise"):
        Auxiliary(workload, ("d9",), 11)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: TrellisSpace(extent=20), "images of 20 rows are not halved so often"),
        (lambda: SqueezeSpace(widths=(4, 6)), "3 stages in each"),
        (lambda: SqueezeSpace(widths=(4, 7, 8)), "even numbers"),
        (lambda: BranchSpace(grids=(3,)), "divisors of 8"),
        (lambda: PyramidSpace(extent=28), "a multiple of 8"),
        (lambda: DecoderSpace(widths=(4, 6)), "3 stages"),
    ],
)
def test_spaces_that_cannot_be(make: Any, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        make()


def test_a_network_for_maps_is_not_trained_on_classes_and_the_reverse() -> None:
    with pytest.raises(SpecError, match="outputs"):
        check_fits(load_dataset("digit_boxes"), drawn("trellis", 0))
    whole = DenseSpace(extent=32, classes=11)
    rng = np.random.default_rng(0)
    with pytest.raises(SpecError, match="gives one result an image"):
        check_fits(load_dataset("digit_scenes"), whole.workload(DecisionSpace(whole.decisions).draw(rng)))
    many = TrellisSpace(depth=1, cell=1)
    with pytest.raises(SpecError, match="gives a map; the labels of mnist5k are for classification"):
        check_fits(mnist5k(), many.workload(DecisionSpace(many.decisions).draw(rng)))
