"""Rules of logits: exponentiated gradients, arms that are dropped, an early stop."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from codesign.drivers.gradient import _check
from codesign.drivers.registry import DRIVERS
from codesign.gradient.mixing import mixed
from codesign.gradient.rules import (
    DROPPED,
    Stable,
    alike,
    dropped,
    exponentiated_step,
    fewer_identities,
    keep_largest,
    keep_only,
    keep_others,
    wipe_out,
)
from mappings.errors import SpecError


def _with_gradient(shares: list[float], losses: list[float]) -> torch.nn.Parameter:
    """Logits of some shares with the gradient of the expected loss."""
    logits = torch.nn.Parameter(torch.tensor(shares).log())
    (torch.softmax(logits, dim=0) * torch.tensor(losses)).sum().backward()  # type: ignore[no-untyped-call]
    return logits


def test_shares_are_multiplied_by_the_exponential_of_the_reward() -> None:
    logits = _with_gradient([0.98, 0.01, 0.01], [0.5, 0.1, 0.9])
    exponentiated_step([logits], 0.5)
    by_hand = [share * math.exp(-0.5 * loss) for share, loss in zip([0.98, 0.01, 0.01], [0.5, 0.1, 0.9], strict=True)]
    found = torch.softmax(logits.detach(), dim=0)
    assert found.tolist() == pytest.approx([value / sum(by_hand) for value in by_hand], rel=1e-5)


def test_a_late_bloomer_gains_what_it_is_worth_and_not_what_its_share_is() -> None:
    small = _with_gradient([0.98, 0.01, 0.01], [0.5, 0.1, 0.5])
    even = _with_gradient([1 / 3, 1 / 3, 1 / 3], [0.5, 0.1, 0.5])
    before = small.detach().clone(), even.detach().clone()
    gradients = [abs(float(value.grad[1])) for value in (small, even) if value.grad is not None]
    exponentiated_step([small], 0.5)
    exponentiated_step([even], 0.5)
    gained = [
        float((now.detach() - then)[1] - (now.detach() - then)[0])
        for now, then in zip((small, even), before, strict=True)
    ]
    assert gained[0] == pytest.approx(gained[1], rel=1e-4) and gradients[0] < 0.1 * gradients[1]


def test_arms_that_a_step_did_not_see_keep_their_chances() -> None:
    before = torch.tensor([0.4, -0.1, 1.0, 0.2])
    pair, after = torch.tensor([3, 0]), torch.tensor([0.9, -0.1, 1.0, 0.1])
    keep_others(after, before, pair)
    then, now = torch.softmax(before, dim=0), torch.softmax(after, dim=0)
    assert torch.allclose(now[[1, 2]], then[[1, 2]])
    assert float(now[0] / now[3]) == pytest.approx(math.exp(0.9 - 0.1), rel=1e-5)  # the step between the two stays


def test_only_what_can_not_catch_up_is_wiped_out() -> None:
    logits = torch.tensor([3.0, 1.1, 0.9])
    # Ten steps of 0.1 with rewards of at most 1 on both sides close a gap of 2.
    assert wipe_out([logits], 0.1, 10) == 1 and dropped(logits).tolist() == [False, False, True]
    assert wipe_out([logits], 0.1, 0) == 1 and dropped(logits).tolist() == [False, True, True]


def test_stages_keep_the_likeliest_and_always_one() -> None:
    logits = torch.tensor([0.1, 0.4, 0.2, 0.3])
    assert keep_largest([logits], 0.5) == 2 and dropped(logits).tolist() == [True, False, True, False]
    assert keep_largest([logits], 0.01) == 1 and float(torch.softmax(logits, 0)[1]) == 1.0


def test_a_dropped_arm_is_not_computed() -> None:
    calls = list[int]()

    def arm(place: int) -> Callable[[Tensor], Tensor]:
        def compute(x: Tensor) -> Tensor:
            calls.append(place)
            return x * (place + 1)

        return compute

    arms = [arm(place) for place in range(3)]
    logits = torch.tensor([0.0, DROPPED, 0.0])
    for relaxation, by_hand in (("softmax", 2.0), ("sigmoid", 2.0), ("sharp", 4.0)):
        calls.clear()
        out = mixed(relaxation, arms, logits, torch.ones(1), 1.0, torch.Generator(), logits_learn=True)
        assert calls == [0, 2] and float(out) == pytest.approx(by_hand)


def test_the_search_ends_when_the_order_stays() -> None:
    stable, logits = Stable(2), torch.tensor([0.0, 1.0])
    assert [stable.reached([logits]) for _ in range(3)] == [False, False, True]
    stable = Stable(2)
    assert not any(stable.reached([logits * sign]) for sign in (1, -1) * 4)
    assert not any(Stable(0).reached([logits]) for _ in range(9))


def test_of_identities_the_most_certain_stay() -> None:
    shares = [np.array(share) for share in ([0.5, 0.3, 0.2], [0.6, 0.1, 0.3], [0.2, 0.5, 0.3], [0.4, 0.35, 0.25])]
    found = fewer_identities(shares, (0, 0, 0, None), 1)
    assert [int(share.argmax()) for share in found] == [1, 0, 1, 0]
    assert found[0].tolist() == pytest.approx([0.0, 0.6, 0.4]) and shares[0][0] == 0.5
    assert [int(share.argmax()) for share in fewer_identities(shares, (0, 0, 0, None), 0)] == [1, 2, 1, 0]
    assert fewer_identities(shares, (0, 0, 0, None), 2)[0].tolist() == [0.5, 0.3, 0.2]


@pytest.mark.parametrize(
    "given",
    [
        {"identity_dropout": 0.3},
        {"unrolled": True, "relaxation": "gumbel_hard"},
        {"unrolled": True, "relaxation": "softmax", "bilevel": False},
        {"rule": "exponentiated", "relaxation": "gumbel_soft"},
        {"stages": 2, "relaxation": "shared"},
        {"patience": 3, "relaxation": "two_path"},
        {"extremes": 1.0, "relaxation": "softmax"},
    ],
)
def test_rules_that_fit_no_relaxation_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(SpecError, match=next(key for key in given if key != "relaxation")):
        _check(DRIVERS.get("gradient").checked(given, "driver"))


def test_arms_that_give_alike_results_are_one_group() -> None:
    torch.manual_seed(0)
    one, other = torch.randn(24, 3, 4, 4), torch.randn(24, 3, 4, 4)
    arms = [one + 0.02 * torch.rand_like(one), other, 3.0 * one + 1.0, torch.zeros_like(one), one + 0.2 * other]
    groups = alike(arms, 0.95)
    assert sorted(sorted(group) for group in groups) == [[0, 2, 4], [1], [3]]
    assert next(group for group in groups if len(group) == 3)[0] in (0, 2)  # the mixture is the least typical
    assert len(alike(arms, 1.0)) == 5


def test_what_is_kept_begins_anew() -> None:
    logits = torch.tensor([0.3, DROPPED, -0.2, 0.7])
    assert keep_only(logits, (1, 3)) == 2
    assert dropped(logits).tolist() == [True, False, True, False] and float(logits[1]) == float(logits[3]) == 0.0
