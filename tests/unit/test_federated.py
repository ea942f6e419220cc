"""Clients that search and train on images of their own: who holds what, what is averaged, what goes round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from codesign.accuracy.base import FEDERATED_OPTIONS, AccuracyContext
from codesign.accuracy.clients import averaged, clients_of
from codesign.accuracy.data import load_dataset
from codesign.accuracy.federated import FederatedEvaluator
from codesign.accuracy.training import train
from codesign.gradient.federated import FederatedSearch
from codesign.gradient.search import GradientOptions
from codesign.quantization.qat import QatNetwork
from codesign.recipe import load_recipe, parse_recipe
from codesign.seeds import derive_seed
from mappings.errors import SpecError
from mappings.workload import Workload

DIGITS = load_dataset("digits")


def test_every_image_lies_with_one_client_and_classes_lie_unevenly() -> None:
    parts = clients_of(DIGITS, 4, 0.3, 0)
    held = np.concatenate([part.images["train"].reshape(len(part.labels["train"]), -1) for part in parts])
    whole = DIGITS.images["train"].reshape(len(DIGITS.labels["train"]), -1)
    assert held.shape == whole.shape and np.array_equal(np.sort(held, axis=0), np.sort(whole, axis=0))
    for part in parts:
        assert len(part.labels["train"]) >= len(whole) / 16
        assert np.array_equal(part.labels["held_out"], DIGITS.labels["held_out"])

    def spread(concentration: float) -> float:
        """Mean share of a client's most frequent class."""
        counts = [np.bincount(p.labels["train"], minlength=10) for p in clients_of(DIGITS, 4, concentration, 0)]
        return float(np.mean([count.max() / count.sum() for count in counts]))

    assert spread(0.3) > 1.5 * spread(1000.0) and spread(1000.0) < 0.15
    again, other = clients_of(DIGITS, 4, 0.3, 0), clients_of(DIGITS, 4, 0.3, 1)
    assert [part.digest for part in again] == [part.digest for part in parts] != [part.digest for part in other]


def test_too_many_clients_and_other_labels_are_refused() -> None:
    with pytest.raises(SpecError, match="900 clients of digits: leave one with hardly any"):
        clients_of(DIGITS, 900, 0.05, 0)
    with pytest.raises(SpecError, match="are dealt classes of images, and it is for segmentation"):
        clients_of(load_dataset("small_scenes"), 4, 0.5, 0)


def test_the_mean_of_networks_is_by_weights() -> None:
    one, other = ({"w": torch.tensor([value]), "n": torch.tensor(count)} for value, count in ((1.0, 3), (5.0, 4)))
    found = averaged([one, other], [3, 1])
    assert found["w"].tolist() == [2.0] and found["w"].dtype == torch.float32
    assert found["n"].item() == 3


def small() -> Workload:
    space = load_recipe("networks:reduced").space
    found = space.network_at(space.decisions.draw(np.random.default_rng(0))).workload
    assert found is not None
    return found


def context(folder: Path, **changes: Any) -> AccuracyContext:
    given = {"clients": 3, "concentration": 0.5, "rounds": 2, "search_steps": 6, **changes}
    options = {name: given.get(name, item.default) for name, item in FEDERATED_OPTIONS.items()}
    return AccuracyContext(0, "digits", folder, options)


def test_a_round_is_the_mean_of_what_clients_make_of_the_last(tmp_path: Path) -> None:
    """By hand: three clients, one round of four steps each from the same weights."""
    workload = small()
    told = context(tmp_path, rounds=1, search_steps=4)
    evaluator = FederatedEvaluator(told)
    found = evaluator._trained(workload, "search")
    parts, seed = clients_of(DIGITS, 3, 0.5, 0), derive_seed(0, "search", workload.digest)
    torch.manual_seed(seed)
    start = QatNetwork(workload)
    states = []
    for place, part in enumerate(parts):
        own = QatNetwork(workload)
        own.load_state_dict(start.state_dict())
        train(own, part, evaluator._how("search", workload), derive_seed(seed, "round", 0, place))
        states.append(own.state_dict())
    wanted = averaged(states, [len(part.labels["train"]) for part in parts])
    for name, value in found.state_dict().items():
        assert torch.equal(value, wanted[name]), name
    assert evaluator.measure(workload) == FederatedEvaluator(told).measure(workload)


def test_a_trained_network_is_deployed(tmp_path: Path) -> None:
    workload = small()
    found = FederatedEvaluator(context(tmp_path, deploy_steps=240, rounds=6)).finish(workload)
    assert set(found) == {"held_out", "test"} and found["test"] > 0.3
    assert (tmp_path / f"{workload.digest[:16]}.npz").exists()


class Toy(nn.Module):
    """One logit vector and one weight, as a relaxed network has them."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.ParameterList([torch.zeros(2)])
        self.scale = nn.Parameter(torch.ones(1, 10))
        self.arms: dict[str, nn.Module] = {}
        self.pairs: list[torch.Tensor] = []
        self.relaxation = "softmax"

    def weights(self) -> list[nn.Parameter]:
        return [self.scale]

    def choosing(self) -> list[nn.Parameter]:
        return list(self.logits)

    def shares(self) -> list[torch.Tensor]:
        return [torch.softmax(self.logits[0], 0)]

    def leave_out(self, share: float) -> None:
        assert share == 0.0

    def forward(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        share = self.shares()[0]
        return x.flatten(1).mean(1, keepdim=True) * self.scale * (share[0] - share[1])


def test_clients_go_on_from_the_mean_of_weights_and_choices() -> None:
    torch.manual_seed(0)
    network: Any = Toy()
    parts = clients_of(DIGITS, 3, 0.5, 0)
    search = FederatedSearch(network, parts, {}, {}, GradientOptions(steps=9), 3, 0)
    rounds = []

    def advance() -> None:
        states = [own.state_dict() for own in search._networks]
        assert all(torch.equal(state["scale"], states[0]["scale"]) for state in states)
        assert all(torch.equal(state["logits.0"], states[0]["logits.0"]) for state in states)
        rounds.append(states[0]["logits.0"].clone())

    found = search.run(advance)
    assert found.steps == 9 and len(rounds) == 3
    assert not torch.equal(rounds[0], rounds[2])  # choices learn from the third step on
    assert np.allclose(found.shares[0], torch.softmax(rounds[2].double(), 0).numpy())
    assert torch.equal(network.scale, search._networks[0].state_dict()["scale"])


def test_what_clients_would_each_decide_by_themselves_is_refused() -> None:
    recipe = load_recipe("fednas")
    driver = {**recipe.driver.given, "stages": 2}
    with pytest.raises(SpecError, match="each client would drop arms"):
        from codesign.drivers.gradient import _check
        from codesign.drivers.registry import DRIVERS

        _check(DRIVERS.get("gradient").checked(driver, "driver"))
    with pytest.raises(SpecError, match="whiten"):
        parse_recipe({"extends": "fednas", "providers": ["schedule", {"name": "federated", "whiten": True}]}, "mine")
    with pytest.raises(SpecError, match=r"providers\[1\].clients: is 3, and the driver's clients are dealt by 8"):
        parse_recipe({"extends": "fednas", "providers": ["schedule", {"name": "federated", "clients": 3}]}, "mine")
