"""Encoder and decoder: a point lowers, trains with its quantisation on sequences, has its part of a supernet, runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from accel_models.template.spec import Template
from codesign.accuracy.data import check_fits, digits, load_dataset, small_orders
from codesign.accuracy.task import TASKS
from codesign.accuracy.training import Training, recalibrate, score, train
from codesign.cli.main import main
from codesign.decisions import DecisionSpace
from codesign.quantization.deploy import deploy
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.qat import QatNetwork
from codesign.quantization.quantize import quantize_input
from codesign.recipe import load_recipe, parse_recipe
from codesign.spaces.compression.bits import UniformBits
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network.encoder_decoder import EncoderDecoderSpace
from mappings.errors import SpecError
from mappings.integer_run import run_network
from mappings.workload import Workload
from tests.spaces import assert_runs, assert_taken_out

SPACE, BITS = EncoderDecoderSpace(extent=16, patch=4, dataset="small_orders"), UniformBits((4, 8), (8,))
DECISIONS = DecisionSpace((*SPACE.decisions, *BITS.decisions))
HARDWARE = Template(
    rows=4,
    cols=8,
    nonlinear_lanes=2,
    input_buffer_bytes=2048,
    weight_buffer_bytes=2048,
    acc_buffer_bytes=4096,
    output_buffer_bytes=1024,
    param_buffer_bytes=1024,
    axi_bits=64,
    dram_bytes_per_cycle=8,
)


def at(point: dict[str, object]) -> Workload:
    return BITS.compressed(SPACE.workload(point), point)


def draw(seed: int, **fixed: object) -> Workload:
    return at(DECISIONS.completed(fixed, np.random.default_rng(seed)))


class TestEncoderDecoder(NetworkSpaceConformance):
    name, options = "encoder_decoder", {"extent": 16, "patch": 4}


def test_a_layer_attends_to_the_layers_that_it_chose() -> None:
    workload = draw(0, encoder_depth=3, decoder_depth=2, d1_span=3, d2_span=1)
    by = workload.by_name
    assert by["d1_read_joined"].inputs == ("e1_add2", "e2_add2", "e3_add2") and by["d1_read_joined"].P == 48
    assert by["d1_cross_scores"].K == 48 and by["d1_cross_scores"].P == 4 == by["d1_scores"].K
    assert by["d2_read_norm"].inputs == ("e3_add2",) and "d2_read_joined" not in by and by["d2_cross_scores"].K == 16
    assert workload.outputs == ("fc",) and (by["fc"].P, by["fc"].K) == (4, 10)
    # Of an encoder of one layer there is one to attend to.
    assert draw(0, encoder_depth=1, d1_span=3).by_name["d1_cross_scores"].K == 16


def test_sequences_are_those_of_the_digits_in_order() -> None:
    data = small_orders()
    assert data.images["test"].shape == (500, 1, 16, 16) and data.labels["test"].shape == (500, 4, 1)
    assert (np.diff(data.labels["train"][..., 0], axis=1) >= 0).all() and data.classes == 10 and data.length == 4
    one = digits()
    known = dict(zip((i.tobytes() for i in one.images["test"]), one.labels["test"].tolist(), strict=True))
    quarters = data.images["test"][0, 0].reshape(2, 8, 2, 8).transpose(0, 2, 1, 3).reshape(4, 8, 8)
    named = [known[np.ascontiguousarray(quarter[None]).tobytes()] for quarter in quarters]
    assert sorted(named) == data.labels["test"][0, :, 0].tolist()


def test_the_share_of_places_by_hand() -> None:
    outputs = np.zeros((2, 3, 2, 1))
    outputs[0, 1, 0], outputs[0, 2, 1], outputs[1, 0, 0], outputs[1, 1, 1] = 1, 1, 1, 1
    score_of = TASKS["sequence"].score
    assert score_of(outputs, np.array([[[1], [2]], [[0], [1]]]), (8, 8)) == 1.0
    assert score_of(outputs, np.array([[[1], [0]], [[2], [1]]]), (8, 8)) == 0.5


def test_it_learns_and_its_integers_are_equal_in_torch_and_numpy() -> None:
    torch.manual_seed(0)
    workload, data = draw(5, encoder_depth=1, decoder_depth=1, weight_bits=8), small_orders()
    network = QatNetwork(workload)
    train(network, data, Training(60, 0.01), 0)
    recalibrate(network, data, 256)
    silent = {name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)}
    assert not silent
    guess = np.mean(
        data.labels["held_out"] == np.array([[np.bincount(c).argmax()] for c in data.labels["train"][..., 0].T])
    )
    assert score(network, data, "held_out") > guess + 0.08
    integers = deploy(network)
    entered = quantize_input(integers, torch.from_numpy(data.images["test"][:6]))
    one, other = run_integer(integers, entered), run_network(integers, {n: v.numpy() for n, v in entered.items()})
    assert all(np.array_equal(one[name].numpy(), other[name]) for name in one) and one["fc"].shape == (6, 10, 4, 1)


def test_a_network_taken_out_computes_what_it_did_within() -> None:
    assert_taken_out(DECISIONS, at, extent=16)


def test_data_of_ones_own_brings_its_length(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", images=rng.random((200, 12, 12)), labels=np.arange(600).reshape(200, 3) % 5)
    data = load_dataset(str(tmp_path / "mine.npz"))
    assert (data.task, data.length, data.classes) == ("sequence", 3, 5)
    recipe = load_recipe(
        "hat:sequence", {"data": str(tmp_path / "mine.npz"), "network": {"name": "encoder_decoder", "patch": 4}}
    )
    assert (recipe.space.network.length, recipe.space.network.classes, recipe.space.network.extent) == (3, 5, 12)
    with pytest.raises(
        SpecError, match=r"gives 4 places; small_orders has sequences of 4|gives 4 places; mine has seq.* of 3"
    ):
        check_fits(data, SPACE.workload(DECISIONS.draw(rng)))
    module = tmp_path / "pairs.py"
    module.write_text(
        "import torch\nclass Pairs(torch.utils.data.Dataset):\n    def __len__(self): return 100\n"
        "    def __getitem__(self, i): return torch.full((1, 8, 8), i / 100), torch.tensor([i % 2, i % 3])\n"
    )
    assert load_dataset(f"{module}:Pairs").labels["train"].shape == (70, 2, 1)


def test_what_does_not_go_with_sequences_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        parse_recipe({"network": {"name": "encoder_decoder", "patch": 5, "heads": [3]}}, "mine")
    assert "encoder_decoder.patch: is 5" in str(caught.value) and "encoder_decoder.heads: are [3]" in str(caught.value)
    with pytest.raises(SpecError, match="is for sequence, and digits is for classification"):
        load_recipe("hat:sequence", {"data": "digits"})
    with pytest.raises(SpecError, match='"probe" understands labels for classification'):
        parse_recipe({"extends": "hat:sequence", "providers": ["schedule", "probe"]}, "mine")


@pytest.mark.rtl
def test_a_point_runs_on_hardware(tmp_path: Path) -> None:
    small = EncoderDecoderSpace(
        extent=16, patch=8, encoder_widths=(8,), decoder_widths=(16,), ffn_widths=(8,), attention=8
    )
    fixed = {"encoder_depth": 2, "decoder_depth": 1, "d1_span": 2}
    workload = small.workload(DecisionSpace(small.decisions).completed(fixed, np.random.default_rng(2)))
    assert_runs(workload, HARDWARE, tmp_path, rate=0.01, data="small_orders", steps=10)


def test_shared_weights_and_deployment_from_the_command_line(tmp_path: Path) -> None:
    out, mine = tmp_path / "run", tmp_path / "mine.yaml"
    brief = "{name: supernet, steps: 20, shift_pixels: 0, calibration_images: 64, deploy_steps: 5}"
    mine.write_text(
        f"name: mine\nextends: hat:sequence_reduced\nproviders: [schedule, {brief}]\ntrials: 2\nbatch: 2\n"
        "choices: {encoder_depth: [1], decoder_depth: [1], encoder_width: [8], decoder_width: [8]}\n"
    )
    command = ["explore", "--recipe", str(mine), "--out", str(out), "--jobs", "0", "--verify", "none", "-q"]
    assert main(command) == 0
    (point, *_) = json.loads((out / "result.json").read_text(encoding="utf-8"))["points"]
    assert 0 < point["accuracy"]["test"] < 1 and (out / "designs" / f"{point['name']}.yaml").exists()
