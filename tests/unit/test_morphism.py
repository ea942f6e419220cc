"""A morphism's child computes what its parent does; what is no morphism is refused."""

from __future__ import annotations

import pytest
import torch

from codesign.networks.morphism import inherited, logits, random_weights
from codesign.spaces.network.chain import ChainSpace
from mappings.errors import SpecError

SPACE = ChainSpace(layers=4, kernels=(1, 3, 5), filters=(4, 6, 16), skips=True, halved=(3,), extent=8)
PARENT = {
    "l1.kernel": 1, "l1.filters": 4, "l2.kernel": 3, "l2.filters": 6, "l3.kernel": 3, "l3.filters": 4,
    "l3.skip": "none", "l4.kernel": 1, "l4.filters": 6, "l4.skip": "l1",
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"l1.filters": 16},
        {"l2.filters": 16},
        {"l4.filters": 16},
        {"l1.kernel": 5, "l3.kernel": 5},
        {"l3.skip": "l1"},
        {"l1.filters": 6, "l3.skip": "l1", "l4.kernel": 3, "l4.filters": 16},
    ],
)
def test_a_child_computes_what_its_parent_does(change: dict[str, object]) -> None:
    parent, child = SPACE.workload(PARENT), SPACE.workload({**PARENT, **change})
    weights = random_weights(parent, 1)
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    before = logits(parent, weights, images)
    after = logits(child, inherited(parent, weights, child), images)
    assert torch.allclose(before, after, atol=1e-9) and before.abs().max() > 0.1


def test_a_new_child_is_not_its_parent_by_chance() -> None:
    parent, child = SPACE.workload(PARENT), SPACE.workload({**PARENT, "l2.filters": 16})
    images = torch.rand(5, 1, 8, 8)
    assert not torch.allclose(
        logits(parent, random_weights(parent, 1), images), logits(child, random_weights(child, 1), images), atol=1e-2
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"l2.filters": 4}, "no larger version"),
        ({"l2.kernel": 1}, "no larger version"),
        ({"l4.skip": "l2"}, "reads another tensor"),
        ({"l4.skip": "none"}, "reads another tensor"),
    ],
)
def test_what_is_no_morphism_is_refused(change: dict[str, object], message: str) -> None:
    parent, child = SPACE.workload(PARENT), SPACE.workload({**PARENT, **change})
    with pytest.raises(SpecError, match=message):
        inherited(parent, random_weights(parent, 1), child)
