"""Hyper-parameters that are decided with a network: part of what it is, read where it is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from codesign.accuracy.base import TRAIN_OPTIONS, AccuracyContext
from codesign.accuracy.evaluator import TrainingEvaluator
from codesign.drivers import shared_policy
from codesign.recipe import Part, Recipe, load_recipe
from codesign.spaces.compression.hyper_parameters import HyperParameters, decided
from codesign.spaces.conformance import WORKLOAD, CompressionSpaceConformance
from tests.unit.test_drivers import Memory
from tests.unit.test_shared_policy import ran


class TestHyperParameters(CompressionSpaceConformance):
    name = "hyper_parameters"


def test_they_are_read_as_they_were_written() -> None:
    space = HyperParameters()
    point = {"learning_rate": 0.003, "weight_decay": 0.0001}
    made = space.compressed(WORKLOAD, point)
    assert decided(made) == point and made.layers == WORKLOAD.layers and made.digest != WORKLOAD.digest
    other = space.compressed(made, {**point, "weight_decay": 0.0})
    assert decided(other) == {**point, "weight_decay": 0.0} and decided(WORKLOAD) == {}
    assert decided(replace(WORKLOAD, name="mine@home")) == {}


def test_a_training_takes_those_of_its_network(tmp_path: Path) -> None:
    given = {name: option.default for name, option in TRAIN_OPTIONS.items()}
    evaluator = TrainingEvaluator(AccuracyContext(0, "digits", tmp_path, given))
    made = HyperParameters().compressed(WORKLOAD, {"learning_rate": 0.1, "weight_decay": 0.01})
    for purpose in ("search", "deploy"):
        how, usual = evaluator._how(purpose, made), evaluator._how(purpose, WORKLOAD)
        assert (how.learning_rate, how.weight_decay) == (0.1, 0.01)
        assert (usual.learning_rate, usual.weight_decay) == (given[f"{purpose}_learning_rate"], given["weight_decay"])


SHORT = (("rounds", 2), ("steps", 4), ("told", 6), ("images", 64), ("samples", 6), ("trial_steps", 2))


def recipe() -> Recipe:
    found = load_recipe("autohas:reduced")
    return replace(found, driver=Part("shared_policy", SHORT), providers=(Part("probe"),), trials=3)


def test_updates_are_by_what_was_drawn_and_those_of_a_trial_are_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[tuple[float, float]] = []
    shared = shared_policy._Shared
    update, judged = shared._update, shared.judged

    def noted(self: shared_policy._Shared, workload: object, index: torch.Tensor, place: int) -> None:
        update(self, workload, index, place)  # type: ignore[arg-type]
        group = self._optimizer.param_groups[0]
        told = decided(workload)  # type: ignore[arg-type]
        rates.append((group["lr"] / self._how.rate(place) * self._how.learning_rate, group["weight_decay"]))
        assert rates[-1] == (pytest.approx(told["learning_rate"]), told["weight_decay"])

    def unchanged(self: shared_policy._Shared, *given: object, **named: object) -> object:
        before = {name: value.clone() for name, value in self._network.state_dict().items()}
        found = judged(self, *given, **named)  # type: ignore[arg-type]
        assert all(torch.equal(value, before[name]) for name, value in self._network.state_dict().items())
        return found

    monkeypatch.setattr(shared, "_update", noted)
    monkeypatch.setattr(shared, "judged", unchanged)
    journal = Memory()
    ran(recipe(), journal)
    assert len(journal) == 3 and len(rates) == 2 * 4 + 2 * 6 * 2 + 6 * 2 and len(set(rates)) > 4
