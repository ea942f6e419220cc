"""Learned maps in place of parts that networks leave out: exact in the layer behind, in training and taken out."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from codesign.accuracy.data import digits
from codesign.decisions import DecisionSpace
from codesign.quantization.qat import QatLayer, QatNetwork
from codesign.spaces.network.layerwise import LayerwiseSpace
from codesign.supernet.corners import Corners
from codesign.supernet.network import SuperNetwork
from codesign.supernet.stabilised import matrices, skips_of
from codesign.supernet.training import Trainer, TrainingOptions, from_arrays, new_network
from mappings.errors import SpecError
from mappings.workload import Workload

SIZES: dict[str, Any] = {
    "extent": 8, "dataset": "digits", "widths": ((4,), (6,), (8,)), "kernels": (3,), "expansions": (2,),
    "resolutions": (100,),
}  # fmt: skip
SPACE = LayerwiseSpace(**SIZES, shortcuts=False)
DECISIONS = DecisionSpace(SPACE.decisions)
PREFIXES = tuple(prefix for prefix, _ in SPACE.cells)
OPTIONS = TrainingOptions(kernel="own", stabilised=True, steps=20)


@cache
def corners() -> Corners:
    return Corners.of(DECISIONS, SPACE.workload, PREFIXES)


@cache
def made(stabilised: bool) -> SuperNetwork:
    return new_network(corners(), replace(OPTIONS, stabilised=stabilised))


def shaken() -> SuperNetwork:
    """With maps that are no identities."""
    torch.manual_seed(0)
    network = deepcopy(made(True))
    with torch.no_grad():
        for name, part in network.parts.items():
            if "/behind/" in name:
                part.add_(0.3 * torch.randn(part.shape))
    return network


def without(*blocks: str) -> Workload:
    fixed = {d.name: d.choices[-1] for d in DECISIONS.choices} | {f"{block}_block": "skip" for block in blocks}
    return SPACE.workload(DECISIONS.canonical(fixed))


class Through(nn.Module):
    """A layer behind a 1 x 1 convolution without bias."""

    def __init__(self, step: QatLayer, matrix: Tensor) -> None:
        super().__init__()
        self.step, self.matrix = step, matrix

    def forward(self, value: Tensor) -> Tensor:
        """As two layers."""
        found = nn.functional.conv2d(value, self.matrix[:, :, None, None])
        result: Tensor = self.step(found)
        return result


def test_each_part_that_is_left_out_has_a_map() -> None:
    found = skips_of(corners().workload_at(corners().largest), corners().covering(), PREFIXES)
    blocks = [(f"s{s}b{b - 1}_project", f"s{s}b{b}_project") for s in (1, 2, 3) for b in (2, 3)]
    assert found == dict(zip(blocks, (4, 4, 6, 6, 8, 8), strict=True))


def test_maps_begin_as_what_leaving_out_is() -> None:
    plain, mapped = made(False), made(True)
    images = torch.rand(4, 1, 8, 8)
    for workload in (without(), without("s1b2"), without("s3b2", "s3b3")):
        assert torch.equal(plain(images, workload), mapped(images, workload))


@pytest.mark.parametrize("blocks", [("s1b2",), ("s1b3",), ("s2b2", "s2b3"), ("s3b2", "s3b3"), ("s1b2", "s3b3")])
def test_a_map_that_runs_and_weights_that_took_it_in_are_one_network(blocks: tuple[str, ...]) -> None:
    network, workload, images = shaken().double(), without(*blocks), torch.rand(6, 1, 8, 8).double()
    folded, apart, bare = (taken(n, workload) for n in (network, _without_maps(network), _without_maps(network)))
    found = matrices(dict(network.parts.items()), workload)
    # One reader for each row of blocks that are left out, however many they are.
    rows = {block[:2] if {f"{block[:2]}b2", f"{block[:2]}b3"} <= set(blocks) else block for block in blocks}
    assert len(found) == len(rows)
    for name, matrix in found.items():
        step = apart.steps[name]
        assert isinstance(step, QatLayer)
        if name == "fc":  # reads means
            assert step.weight is not None
            with torch.no_grad():
                step.weight.copy_(step.weight @ matrix.double())
        else:
            apart.steps[name] = Through(step, matrix.detach())
    for one in (folded, apart, bare):
        for step in one.steps.values():
            inner = step.step if isinstance(step, Through) else step
            assert isinstance(inner, QatLayer)
            inner.exact_weight = inner.quantizer.exact = False
    assert torch.allclose(folded(images), apart(images), rtol=1e-9, atol=1e-9)
    assert not torch.allclose(folded(images), bare(images), rtol=1e-3)


def taken(network: SuperNetwork, workload: Workload) -> QatNetwork:
    """As ``extract``, in the network's own precision."""
    out = QatNetwork(workload).double().train()
    with torch.no_grad():
        for name, value in network.parameters_of(workload).items():
            out.get_parameter(name).copy_(value)
    return out


def _without_maps(network: SuperNetwork) -> SuperNetwork:
    plain = deepcopy(made(False)).double()
    with torch.no_grad():
        for name, part in plain.parts.items():
            part.copy_(network.parts[name])
    return plain


def test_a_network_taken_out_computes_what_it_did_within() -> None:
    network, rng = shaken(), np.random.default_rng(2)
    for _ in range(6):
        workload, images = SPACE.workload(DECISIONS.draw(rng)), torch.rand(4, 1, 8, 8)
        assert torch.equal(network.extract(workload).train()(images), network(images, workload))


def test_maps_learn_and_are_kept() -> None:
    trainer = Trainer(corners(), digits(), OPTIONS)
    trainer.run()
    learned = {name: part for name, part in trainer.network.parts.items() if "/behind/" in name}
    assert all(not torch.equal(part, torch.eye(len(part))) for part in learned.values())
    again, images = from_arrays(trainer.stored().arrays, "own"), torch.rand(4, 1, 8, 8)
    workload = without("s1b2", "s2b2", "s2b3")
    assert torch.equal(again(images, workload), trainer.network(images, workload))


def test_shortcuts_and_spaces_that_leave_nothing_out_are_told() -> None:
    short = LayerwiseSpace(**SIZES)
    with pytest.raises(SpecError, match="takes in no matrix"):
        new_network(Corners.of(DecisionSpace(short.decisions), short.workload, PREFIXES), OPTIONS)
    with pytest.raises(SpecError, match="no part that networks leave out"):
        new_network(Corners.of(DECISIONS, SPACE.workload), OPTIONS)
