"""A predictor that is transferred from whole networks to compressed ones (APQ), and what a teacher adds to tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from codesign.accuracy.data import load_dataset
from codesign.accuracy.training import Training, soft_loss, train
from codesign.decisions import Decision, Point
from codesign.drivers.base import DriverContext, Trial
from codesign.drivers.registry import DRIVERS
from codesign.drivers.transferred import Transferred
from codesign.explorer.problem import SearchProblem
from codesign.gradient.predictor import fitted_predictor
from codesign.quantization.qat import QatNetwork
from codesign.recipe import Recipe, parse_recipe
from mappings.errors import SpecError
from tests import toy
from tests.unit.test_drivers import Memory

DECISIONS = tuple(Decision(f"n{place}", "network", (0, 1, 2)) for place in range(6)) + tuple(
    Decision(f"bits_{place}", "compression", (2, 4, 8)) for place in range(3)
)


def _truth(points: Sequence[Point]) -> list[float]:
    """Architectures count alike whatever the bits; the first layer's bits count on top."""
    gains = {2: -0.3, 4: -0.05, 8: 0.0}
    out = []
    for point in points:
        whole = sum((place + 1) * int(point[f"n{place}"]) for place in range(6)) / 42
        out.append(0.4 + 0.5 * whole - 0.2 * float(point["n0"] == 2) + gains[int(point["bits_0"])])
    return out


def test_what_was_learned_of_whole_networks_helps_with_compressed_ones() -> None:
    rng = np.random.default_rng(0)

    def drawn(count: int, **held: Any) -> list[Point]:
        return [{d.name: d.draw(rng) for d in DECISIONS} | held for _ in range(count)]

    whole, few, others = drawn(120, bits_0=8, bits_1=8, bits_2=8), drawn(20), drawn(200)
    begun = fitted_predictor(DECISIONS, whole, _truth(whole), 400, 3e-3, 0)
    gaps = []
    for start in (begun, None):
        found = fitted_predictor(DECISIONS, few, _truth(few), 300, 1e-3, 0, start)
        gaps.append(float(np.mean(np.abs(found.predicted(others) - _truth(others)))))
    assert gaps[0] < 0.9 * gaps[1]


def _recipe(**changes: Any) -> Recipe:
    toy.register()
    chain = {"name": "chain", "layers": 3, "kernels": [1, 3], "filters": [4, 8], "halved": [2], "extent": 8}
    raw = {
        "name": "mine",
        "extends": "networks",
        "network": {**chain, "dataset": "digits"},
        "compression": {"name": "layer_bits", "slots": 4},
        "providers": ["size", toy.NAME],
        "limits": {"weight_bytes": 700},
        "driver": {"name": "transferred", "whole": 12, "compressed": 8, "fit_steps": 60, "generations": 3},
        "trials": 26,
        "batch": 4,
    }
    return parse_recipe({**raw, **changes}, "mine")


def _run(recipe: Recipe, journal: Memory, tmp_path: Any) -> list[Trial]:
    problem = SearchProblem(recipe.space, recipe.goal, toy.steps_of(recipe, tmp_path))
    told = DRIVERS.get("transferred").checked(recipe.driver.given, "driver")

    def maker(*_: Any) -> Any:
        raise AssertionError("it asks no controller")

    Transferred().run(
        DriverContext(problem, maker, journal, recipe.trials, recipe.batch, 0, options=told, search_space=recipe.space)
    )
    return list(journal)


def test_whole_then_compressed_then_what_the_predictor_leads_to(tmp_path: Any) -> None:
    recipe = _recipe()
    trials = _run(recipe, Memory(), tmp_path)
    assert [trial.phase for trial in trials] == ["whole"] * 12 + ["compressed"] * 8 + ["searched"] * 6
    bits = [[trial.told.point[f"weight_bits_{place}"] for place in range(4)] for trial in trials]
    assert all(set(row) == {8} for row in bits[:12]) and any(len(set(row)) > 1 for row in bits[12:20])
    assert all("accuracy" in trial.told.outcome.metrics for trial in trials)
    assert all(trial.told.outcome.feasible for trial in trials[20:])
    searched = [trial.told.outcome.metrics["accuracy"] for trial in trials[20:]]
    drawn = [trial.told.outcome.metrics["accuracy"] for trial in trials[12:20] if trial.told.outcome.feasible]
    assert np.mean(searched) > np.mean(drawn)
    assert _run(recipe, Memory(trials[:15]), tmp_path) == trials


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"compression": "none"}, "nothing to compress"),
        ({"limits": {"weight_bytes": 1}}, "no network within the limits"),
    ],
)
def test_what_leads_nowhere_is_refused_in_one_line(changes: dict[str, Any], said: str, tmp_path: Any) -> None:
    with pytest.raises(SpecError) as caught:
        _run(_recipe(**changes), Memory(), tmp_path)
    assert said in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_a_student_learns_what_its_teacher_says() -> None:
    recipe, data = _recipe(), load_dataset("digits")
    point = {d.name: d.choices[-1] for d in recipe.space.decisions.choices}
    workload = recipe.space.network_at(point).workload
    assert workload is not None
    torch.manual_seed(0)
    teacher, student = QatNetwork(workload).eval(), QatNetwork(workload)
    images = torch.from_numpy(data.images["train"][:256])
    with torch.no_grad():
        before = float((student(images).argmax(1) == teacher(images).argmax(1)).float().mean())
    train(student, data, Training(30, 0.02, distilled=1.0), 0, teacher=teacher)
    with torch.no_grad():
        after = float((student(images).argmax(1) == teacher(images).argmax(1)).float().mean())
    assert after > before + 0.2
    logits = teacher(images).detach().requires_grad_()
    soft_loss(logits, images, teacher).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and float(logits.grad.abs().max()) < 1e-5
