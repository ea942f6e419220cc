"""Cells with masks: a point lowers, trains and runs; masks pass gradients; what they leave computes what they did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from accel_models.template.spec import Template
from codesign.decisions import DecisionSpace, Point
from codesign.gradient.masks import MaskedNetwork, binary
from codesign.recipe import parse_recipe
from codesign.spaces.conformance import NetworkSpaceConformance
from codesign.spaces.network.masked_cells import MaskedSpace
from mappings.errors import SpecError
from mappings.workload import Workload
from tests.spaces import assert_runs, assert_taken_out, assert_trains

SPACE = MaskedSpace(widths=(6, 8), hidden=(1, 2, 4), stem_stride=1, extent=8, dataset="digits")
DECISIONS = DecisionSpace(SPACE.decisions)
ITEMS = [item for stage in SPACE.operations for item in stage]
NONE = {decision.name: 0 for decision in SPACE.decisions}
HARDWARE = Template(rows=4, cols=4, input_buffer_bytes=2048, weight_buffer_bytes=2048, output_buffer_bytes=1024)


class TestMaskedCells(NetworkSpaceConformance):
    name, options = "masked_cells", {"extent": 8}


def at(seed: int) -> Workload:
    return SPACE.workload(DECISIONS.draw(np.random.default_rng(seed)))


def test_what_nothing_leads_to_is_not_there() -> None:
    names = [layer.name for layer in SPACE.workload(NONE | {"s1e12_k3": 4, "s2e01_k5": 2, "s2e12_same": 1}).layers]
    # The second node of the first stage reads the first, to which nothing leads.
    assert names == ["stem", "reduce2", "s2e01_k5_mix", "s2e01_k5_out", "s2_sum2", "pool", "fc"]
    assert [layer.name for layer in SPACE.workload(NONE).layers] == ["stem", "reduce2", "pool", "fc"]


def test_hidden_channels_are_those_that_are_kept() -> None:
    whole = {d.name: d.choices[-1] for d in SPACE.decisions}
    by = {layer.name: layer for layer in SPACE.workload(whole | {"s1e01_k5": 2}).layers}
    assert (by["s1e01_k5_mix"].K, by["s1e01_k5_out"].C, by["s1e01_k3_mix"].K) == (2, 2, 4)
    assert by["s1e01_k5_mix"].R == 5 and by["s2e12_k3_mix"].C == 8
    macs = [SPACE.workload(whole | {"s1e01_k5": count}).macs for count in (0, 1, 2, 4)]
    assert macs == sorted(set(macs))


def test_a_mask_is_one_or_nothing_and_its_gradient_passes() -> None:
    mask = torch.tensor([0.2, 0.5, 0.51, 3.0, -1.0], requires_grad=True)
    found = binary(mask, 0.5)
    assert found.tolist() == [0.0, 0.0, 1.0, 1.0, 0.0]
    (found * torch.arange(5.0)).sum().backward()
    assert mask.grad is not None and mask.grad.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def masked(seed: int) -> MaskedNetwork:
    """With some masks closed at every level, in double precision."""
    torch.manual_seed(seed)
    network, rng = MaskedNetwork(SPACE, 0.5).double(), np.random.default_rng(seed)
    with torch.no_grad():
        for mask in network.masks():
            mask.copy_(torch.from_numpy(rng.uniform(0.2, 1.2, mask.shape)))
        for name, part in network.named_parameters():
            if name.startswith("steps") and part.dim() <= 1 and "scale" not in name:
                part.add_(0.3 * torch.randn(part.shape))
    return network


@pytest.mark.parametrize("seed", range(6))
def test_what_masks_leave_computes_what_the_masked_network_does(seed: int) -> None:
    network = masked(seed).train()
    kept = network.kept()
    whole = {"hidden": (1, 2, 3, 4)}
    space = MaskedSpace(widths=(6, 8), stem_stride=1, extent=8, dataset="digits", **whole)  # type: ignore[arg-type]
    network.space = space
    left = network.left({name: len(places) for name, places in kept.items()}, kept).double().train()
    images = torch.rand(8, 1, 8, 8).double()
    found, own = network(images, network.open()), left(images)
    assert torch.allclose(found, own, atol=1e-9)
    assert not torch.allclose(network(images), own, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_closed_masks_hear_of_the_error_too(seed: int) -> None:
    network = masked(seed).train()
    images, labels = torch.rand(16, 1, 8, 8).double(), torch.arange(16) % 10
    torch.nn.functional.cross_entropy(network(images, network.open()), labels).backward()
    shut = [item for item in ITEMS if float(network.operations[item.name].detach()) <= 0.5]
    grads = [network.operations[item.name].grad for item in shut]
    heard = [grad for grad in grads if grad is not None and float(grad) != 0.0]
    assert shut and heard
    open_channels = [mask.grad for mask in network.channels.values() if mask.grad is not None]
    assert any(bool((grad != 0).any()) for grad in open_channels)


def test_masks_begin_as_the_magnitudes_of_what_they_mask() -> None:
    network = MaskedNetwork(SPACE, 0.5)
    with torch.no_grad():
        for item in ITEMS:
            if item.kernel:
                norm = network.get_submodule(f"steps.{item.name}_out.norm")
                norm.get_parameter("weight").fill_(2.0 if item.kernel == 3 else -1.0)
        network.get_parameter("steps.s1e01_k3_out.weight")[:, 0] = 0.0
    network.begin()
    assert float(network.operations["s1e01_k3"]) == pytest.approx(2 * float(network.operations["s1e02_k5"]))
    assert float(network.operations["s1e01_same"]) == pytest.approx(1.0)
    assert float(network.channels["s1e01_k3"][0]) == 0.0 and 0 not in network.kept()["s1e01_k3"]
    assert network.channels["s1e01_k3"].mean().item() == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(3))
def test_a_point_trains_with_its_quantisation(seed: int) -> None:
    assert_trains(at(seed), 100)


def test_a_network_taken_out_computes_what_it_did_within() -> None:
    assert_taken_out(DECISIONS, SPACE.workload)


def test_its_options_are_checked() -> None:
    with pytest.raises(SpecError) as caught:
        parse_recipe({"network": {"name": "masked_cells", "kernels": [4], "hidden": [4, 2]}}, "mine")
    assert "masked_cells.kernels: are [4] (allowed: odd numbers)" in str(caught.value)
    assert "masked_cells.hidden: are [4, 2] (allowed: ascending numbers)" in str(caught.value)
    with pytest.raises(SpecError, match=r"keeps a part \(s1e01_k3\)"):
        parse_recipe({"extends": "hm_nas", "choices": {"s1e01_k3": [0]}}, "mine")
    with pytest.raises(SpecError, match='"masked" needs "masks"'):
        parse_recipe({"network": "layerwise", "driver": "masked"}, "mine")


@pytest.mark.rtl
@pytest.mark.parametrize("point", [{}, NONE | {"s1e01_same": 1, "s1e02_same": 1, "s1e12_same": 1, "s2e01_k5": 2}])
def test_a_point_runs_on_hardware(point: Point, tmp_path: Path) -> None:
    assert_runs(SPACE.workload(point) if point else at(0), HARDWARE, tmp_path)
