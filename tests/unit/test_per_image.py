"""A policy that picks a network for each image: what it picks from, what it costs, and that it looks at the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.recipes_runs import opened
from codesign.drivers import per_image
from codesign.drivers.base import DriverContext
from codesign.drivers.per_image import PerImage
from codesign.drivers.registry import DRIVERS
from codesign.explorer.problem import SearchProblem
from codesign.explorer.search import controller_maker
from codesign.recipe import Part, Recipe, load_recipe
from mappings.errors import SpecError
from tests.unit.test_drivers import Memory

SMALL = (
    ("layers", 2),
    ("kernels", (1, 3)),
    ("filters", (2, 8)),
    ("halved", (1,)),
    ("extent", 8),
    ("dataset", "digits"),
)
SHORT = (("steps", 60), ("drawn", 12), ("prices", (0.0, 50.0)), ("policy_steps", 30))


def recipe(**changes: object) -> Recipe:
    found = load_recipe("instanas:reduced")
    given = {"network": Part("chain", SMALL), "driver": Part("per_image", SHORT), "trials": 2, **changes}
    return replace(found, providers=(Part("schedule"), Part("probe")), **given)  # type: ignore[arg-type]


def context(given: Recipe, journal: Memory, problem: SearchProblem) -> DriverContext:
    options = DRIVERS.get("per_image").checked(given.driver.given, "driver")
    maker = controller_maker(given, given.trials)
    return DriverContext(
        problem, maker, journal, given.trials, given.batch, 0, options=options, search_space=given.space
    )


def ran(given: Recipe, journal: Memory) -> PerImage:
    driver = PerImage()
    with opened(given) as steps:
        driver.run(context(given, journal, SearchProblem(given.space, given.goal, steps)))
    return driver


def test_what_is_picked_from_are_the_trials_and_a_price_makes_it_cheaper() -> None:
    journal = Memory()
    driver = ran(recipe(), journal)
    costs = [trial.told.outcome.metrics["latency_ms"] for trial in journal]
    assert len(costs) == 2 and [item.latency_ms for item in driver.single[:2]] == costs == sorted(costs)
    free, dear = driver.mixtures
    assert dear.shares == (1.0, 0.0) and dear.latency_ms > costs[0]  # the policy's own time counts
    assert free.accuracy > dear.accuracy and free.latency_ms > dear.latency_ms
    assert dear.accuracy == pytest.approx(driver.single[0].accuracy)
    again = ran(recipe(), journal)
    assert not again.mixtures and len(journal) == 2


def test_the_policy_learns_which_images_a_network_names_rightly() -> None:
    given = recipe(driver=Part("per_image", (*SHORT[:3], ("policy_steps", 150), ("policy_rate", 0.03))))
    with opened(given) as steps:
        look = per_image._Weights(context(given, Memory(), SearchProblem(given.space, given.goal, steps)))
    # Two networks, one of which names the digits 0 to 4 rightly, and the other one the rest.
    labels = {part: look._images(part)[1].numpy() for part in ("kept apart", "held_out")}
    named, held_out = (np.stack([found < 5, found >= 5]).astype(float) for found in labels.values())
    mixture = look.mixture(0.0, named, held_out, np.array([1.0, 2.0]))
    assert mixture.accuracy > 0.7 and min(mixture.shares) > 0.2  # either alone: a half


def test_more_networks_than_are_worth_picking_are_refused() -> None:
    with pytest.raises(SpecError, match="networks are worth picking from, and 40 are asked for"):
        ran(recipe(trials=40), Memory())
