"""The search of a recipe: its problem, its controllers and its driver over the journal; and what the journal tells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accel_models.pricing.whole import Account
from codesign.accuracy.cluster import Cluster
from codesign.accuracy.task import Classification
from codesign.contents import by_content
from codesign.controllers.controller import Controller, ControllerContext
from codesign.controllers.registry import make_controller
from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import ControllerMaker, Driver, DriverContext, Journal, Trial
from codesign.drivers.registry import DRIVERS
from codesign.explorer.claims import Claims
from codesign.explorer.folder import RunFolder
from codesign.explorer.measured import MeasuredFile
from codesign.explorer.problem import SearchProblem, Step
from codesign.objectives import Goal, Outcome
from codesign.objectives.front import FloatArray, nondominated, scaled_costs, thinned
from codesign.progress import Reporter, Silent
from codesign.providers.base import Provider, ProviderContext
from codesign.providers.registry import PROVIDERS, make_provider
from codesign.recipe import Recipe
from codesign.seeds import derive_seed
from codesign.spaces.search_space import NETWORK_GROUPS
from mappings.errors import counted
from mappings.yamlio import digest

#: Phases of drivers whose budget is not in designs.
_NUMBERED = re.compile(r"(network|search) \d+")


@dataclass(frozen=True)
class Found:
    """A fully measured trial that breaks no bound.

    Attributes:
        number: of the trial.
        point: its decisions.
        metrics: every figure by name.
    """

    number: int
    point: Point
    metrics: dict[str, float]


@dataclass(frozen=True)
class SearchTally:
    """How a search went.

    Attributes:
        told: finished trials.
        infeasible: of those, with a broken bound.
        trained: networks that a dear provider measured.
        spared: trials that dear providers never saw, since a bound was broken.
        bounds: how often each bound was among the broken ones.
        phases: trials by phase of the driver.
    """

    told: int
    infeasible: int
    trained: int
    spared: int
    bounds: dict[str, int]
    phases: dict[str, int]


@contextmanager
def opened_steps(
    recipe: Recipe,
    folder: RunFolder,
    claims: Claims,
    jobs: int,
    executor: str | None = None,
    reporter: Reporter | None = None,
) -> Iterator[list[Step]]:
    """The providers of a recipe, prepared; their workers end with the context.

    Args:
        folder: of the run: what they prepare and deploy is kept in it, and what dear ones find as soon as it is known.
        claims: of the run's workers.
        jobs: worker processes; 0: this one.
        executor: URL of a cluster whose workers train in place of them, or None.
        reporter: where long preparations are told.

    Raises:
        SpecError: the cluster cannot be used.
    """
    steps: list[Step] = []
    with ExitStack() as stack:
        cluster = None if executor is None else stack.enter_context(closing(Cluster(executor)))
        for part in recipe.providers:
            entry = PROVIDERS.get(part.name)
            context = ProviderContext(
                recipe.seed,
                recipe.device,
                recipe.space,
                folder.networks.resolve(),
                jobs,
                part.given,
                reporter or Silent(),
                cluster,
            )
            provider = make_provider(part.name, context)
            if hasattr(provider, "__exit__"):
                stack.push(provider.__exit__)
            provider.prepare()
            file = None
            if entry.dear:
                options = entry.checked(part.given, part.name)
                told = digest([part.name, str(by_content(options)), recipe.seed, recipe.space.digest])
                file = MeasuredFile(folder.measured / f"{part.name}-{told[:16]}.jsonl", claims)
            step = Step(part.name, entry, provider, file=file)
            step.refresh()
            steps.append(step)
        yield steps


def reporting_providers(recipe: Recipe, folder: Path) -> list[Provider]:
    """Those that tell a design's figures layer by layer, made but not prepared."""
    out = []
    for part in recipe.providers:
        if "report" in PROVIDERS.get(part.name).offers:
            context = ProviderContext(recipe.seed, recipe.device, recipe.space, folder, 0, part.given)
            out.append(make_provider(part.name, context))
    return out


def deployer(steps: Sequence[Step]) -> Provider | None:
    """The provider that trains networks for deployment, or else the one whose table reports on them, or None."""
    offering = (step.provider for offer in ("weights", "reported") for step in steps if offer in step.entry.offers)
    return next(offering, None)


def controller_maker(recipe: Recipe, planned: int) -> ControllerMaker:
    """The controllers of a recipe, by part of its space.

    Args:
        planned: the budget with which the run was begun.
    """
    named = dict(recipe.controllers)

    def controller(part: str, space: DecisionSpace, goal: Goal) -> Controller:
        chosen = named.get(part, recipe.controller)
        seed = derive_seed(recipe.seed, "controller", part)
        hooks, start = recipe.space.hooks, tuple(dict(point) for point in recipe.start)
        context = ControllerContext(seed, space, goal, recipe.batch, planned, chosen.given, hooks, start)
        return make_controller(chosen.name, context)

    return controller


def search(
    recipe: Recipe,
    problem: SearchProblem,
    journal: Journal,
    planned: int,
    advance: Callable[[], None] = lambda: None,
    make: ControllerMaker | None = None,
) -> Driver:
    """Run the recipe's driver until the journal holds its budget; returns it.

    Args:
        planned: the budget with which the run was begun.
        make: controllers in place of the recipe's (:func:`controller_maker`).
    """
    entry = DRIVERS.get(recipe.driver.name)
    options = entry.checked(recipe.driver.given, "driver")
    driver = entry.load()()
    maker = make or controller_maker(recipe, planned)
    driver.run(
        DriverContext(
            problem,
            maker,
            journal,
            recipe.trials,
            recipe.batch,
            recipe.seed,
            advance=advance,
            options=options,
            search_space=recipe.space,
        )
    )
    return driver


def feasible(trials: Sequence[Trial]) -> list[Found]:
    """Every fully measured trial that breaks no bound, by number."""
    return [
        Found(number, trial.told.point, dict(trial.told.outcome.metrics))
        for number, trial in enumerate(trials)
        if trial.told.outcome.feasible and trial.fidelity == 1.0
    ]


def found_costs(goal: Goal, found: Sequence[Found]) -> FloatArray:
    """Objectives [n, objectives] to minimise, as distances count."""
    return scaled_costs(goal, [Outcome(item.metrics) for item in found])


def search_front(goal: Goal, found: Sequence[Found], limit: int = 0) -> list[Found]:
    """The front as the search sees it, thinned to ``limit`` points (0: whole)."""
    front = [found[row] for row in nondominated(found_costs(goal, found))]
    return [front[row] for row in thinned(found_costs(goal, front), limit)] if limit else front


def tally(recipe: Recipe, trials: Sequence[Trial]) -> SearchTally:
    """Counts over the told trials."""
    dear = {part.name for part in recipe.providers if PROVIDERS.get(part.name).dear}
    names = [d.name for d in recipe.space.decisions.decisions if d.group in NETWORK_GROUPS]
    bounds: dict[str, int] = {}
    phases: dict[str, int] = {}
    networks: set[tuple[Any, ...]] = set()
    infeasible = spared = 0
    for trial in trials:
        outcome = trial.told.outcome
        infeasible += not outcome.feasible
        for resource in dict.fromkeys(item.resource for item in outcome.broken):
            bounds[resource] = bounds.get(resource, 0) + 1
        if dear & set(outcome.measured_by):
            networks.add(tuple(trial.told.point.get(name) for name in names))
        elif dear:
            spared += 1
        if trial.phase:
            phase = trial.phase.split(":")[-1].strip()
            phase = "network" if phase.startswith("network ") else phase
            phases[phase] = phases.get(phase, 0) + 1
    return SearchTally(len(trials), infeasible, len(networks), spared, bounds, phases)


def spent(recipe: Recipe, trials: Sequence[Trial]) -> int:
    """How much of a budget told trials took: designs; or networks or searches, which their phases number."""
    if DRIVERS.get(recipe.driver.name).unit == "designs":
        return len(trials)
    return len({trial.phase for trial in trials if _NUMBERED.fullmatch(trial.phase)}) or len(trials)


def describe(tallied: SearchTally, found: Sequence[Found], score: str = Classification.score_name) -> str:
    """One line on how a search went.

    Args:
        score: what the metric "accuracy" is.
    """
    share = tallied.infeasible / tallied.told if tallied.told else 0.0
    most = max(tallied.bounds, key=lambda name: tallied.bounds[name], default="")
    text = f"{tallied.infeasible:,} over a bound ({share:.0%}, mostly {most})" if most else "all fit"
    if tallied.trained:
        spared = f", {tallied.spared:,} never trained" if tallied.spared else ""
        text += f"{spared}; {counted(tallied.trained, 'network')} trained"
    accuracies = [item.metrics["accuracy"] for item in found if "accuracy" in item.metrics]
    best = ""
    if accuracies and score == Classification.score_name:
        best = f", the best classifies {max(accuracies):.1%} of the held-out images correctly"
    elif accuracies:
        best = f", the best has a {score} of {max(accuracies):.1%} on the held-out images"
    return f"{counted(tallied.told, 'design')}: {text}{best}"


def proved(accounts: Sequence[Account]) -> str:
    """One line on what fronts over a whole hardware space were found from."""
    designs, timed = sum(account.designs for account in accounts), sum(account.timed for account in accounts)
    return (
        f"exact fronts of {len(accounts):,} networks over the hardware: {designs:,} designs have room, "
        f"{timed:,} programs timed, the others' bounds are dominated"
    )


def nearest_misses(goal: Goal, trials: Sequence[Trial], most: int) -> list[tuple[int, Trial]]:
    """The trials that are nearest to feasible, nearest first, with their numbers."""
    return sorted(enumerate(trials), key=lambda item: (goal.distance(item[1].told.outcome), item[0]))[:most]
