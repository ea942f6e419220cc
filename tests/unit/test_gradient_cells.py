"""NAS-Bench-201's cells relaxed: where the logits leave one choice, the network is that of the cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.gradient_cells import MixedCells, passes_of
from codesign.accuracy.splits import Dataset, split
from codesign.gradient.search import GradientOptions, GradientSearch
from codesign.spaces.network.nasbench201 import EDGES, OPERATIONS
from codesign.supernet.cells import CellSuperNetwork

CELL = ("nor_conv_3x3", "skip_connect", "nor_conv_1x1", "avg_pool_3x3", "nor_conv_3x3", "skip_connect")


def squares() -> Dataset:
    """Images of two classes: bright above, or bright below."""
    rng = np.random.default_rng(0)
    images, labels = rng.random((200, 3, 16, 16), np.float32) * 0.5, np.arange(200) % 2
    images[labels == 0, :, :8] += 0.5
    images[labels == 1, :, 8:] += 0.5
    return split("squares", images, labels)


@pytest.mark.parametrize("relaxation", ["gumbel_soft", "gumbel_hard", "softmax", "reinforced"])
def test_certain_logits_compute_the_cell(relaxation: str) -> None:
    torch.manual_seed(0)
    network, images = MixedCells(squares(), relaxation), torch.rand(8, 3, 16, 16)
    with torch.no_grad():
        for logits, operation in zip(network.logits, CELL, strict=True):
            logits.fill_(-1e3)
            logits[OPERATIONS.index(operation)] = 1e3
        found = network(images, 0.5, torch.Generator().manual_seed(0))
        torch.testing.assert_close(found, CellSuperNetwork.forward(network, images, CELL), rtol=1e-4, atol=1e-5)
    assert network.operations() == CELL


@pytest.mark.parametrize("relaxation", ["gumbel_soft", "gumbel_hard", "two_path"])
def test_a_search_moves_weights_and_the_logits_of_every_edge(relaxation: str) -> None:
    torch.manual_seed(0)
    data = squares()
    network = MixedCells(data, relaxation)
    before = [logits.detach().clone() for logits in network.logits]
    found = GradientSearch(network, data, {}, {}, GradientOptions(steps=9), 0).run()  # type: ignore[arg-type]
    assert len(found.shares) == len(EDGES) and found.steps == 9
    assert all(not torch.equal(old, new) for old, new in zip(before, network.logits, strict=True))


def test_passes_are_those_of_networks() -> None:
    assert [passes_of(name, 60) for name in ("gumbel_hard", "two_path", "gumbel_soft")] == [100, 140, 500]
