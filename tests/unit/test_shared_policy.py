"""Weights and the controller that draws from them, in turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.recipes_runs import opened
from codesign.controllers.policy import PolicySearch
from codesign.drivers.base import DriverContext
from codesign.drivers.registry import DRIVERS
from codesign.drivers.shared_policy import SharedPolicy
from codesign.explorer.problem import SearchProblem
from codesign.explorer.search import controller_maker
from codesign.recipe import Part, Recipe, load_recipe
from tests.unit.test_drivers import Memory

SHORT = Part("shared_policy", (("rounds", 4), ("steps", 6), ("told", 20), ("images", 64), ("samples", 12)))


def recipe(**changes: object) -> Recipe:
    small = (("blocks", 1), ("operators", ("identity", "conv1", "conv3")), ("stages", 1), ("width", 4))
    network = Part("cells", (*small, ("cells", 1), ("extent", 8), ("dataset", "digits")))
    found = load_recipe("enas:reduced")
    return replace(found, network=network, driver=SHORT, providers=(Part("size"), Part("probe")), trials=5, **changes)


def ran(given: Recipe, journal: Memory) -> tuple[SharedPolicy, PolicySearch | None]:
    """The driver and its controller after a run."""
    made, driver = [], SharedPolicy()
    options = DRIVERS.get("shared_policy").checked(given.driver.given, "driver")
    with opened(given) as steps:
        problem, maker = SearchProblem(given.space, given.goal, steps), controller_maker(given, given.trials)

        def make(*asked: object) -> object:
            made.append(maker(*asked))  # type: ignore[arg-type]
            return made[-1]

        driver.run(
            DriverContext(
                problem, make, journal, given.trials, given.batch, 0, options=options, search_space=given.space
            )  # type: ignore[arg-type]
        )
    return driver, made[0] if made else None  # type: ignore[return-value]


def test_weights_and_policy_learn_and_the_best_samples_are_measured() -> None:
    journal = Memory()
    driver, policy = ran(recipe(), journal)
    assert len(driver.heard) == 4 and driver.heard[-1] > driver.heard[0]
    assert isinstance(policy, PolicySearch) and policy.certainty() > 1e-4
    assert len(driver.sampled) == 12 and len(journal) == 5
    assert {trial.phase for trial in journal} == {"derived"}
    assert all("accuracy" in trial.told.outcome.metrics for trial in journal)
    # A run that is whole is not searched again; one that was cut off comes to the same networks.
    again, none = ran(recipe(), journal)
    assert none is None and not again.heard
    cut = Memory()
    cut.append(list(journal)[:2], 0)
    ran(recipe(), cut)
    assert [trial.told.point for trial in cut] == [trial.told.point for trial in journal]


def test_no_weight_learns_from_what_is_over_a_limit() -> None:
    rng = np.random.default_rng(0)
    drawn = [recipe().space.network_at(recipe().space.decisions.draw(rng)).workload for _ in range(20)]
    bound = float(np.median([workload.macs for workload in drawn if workload is not None]))
    limited, journal = recipe(limits=(("macs", bound),)), Memory()
    driver, _ = ran(limited, journal)
    assert driver.heard and all(trial.told.outcome.metrics["macs"] <= bound for trial in journal)


def test_unknown_options_are_told() -> None:
    with pytest.raises(ValueError, match="unknown option"):
        DRIVERS.get("shared_policy").checked({"epochs": 3}, "driver")
