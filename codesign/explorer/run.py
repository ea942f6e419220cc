"""``codesign explore``: search, deployment, verification, report, in one resumable run."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codesign.commands.targets import parse_shape
from codesign.drivers.base import Trial
from codesign.drivers.registry import DRIVERS
from codesign.explorer.finish import deploy_front, knee_of, write_designs, write_front_csv
from codesign.explorer.folder import RunFolder, new_folder
from codesign.explorer.journal import StudyJournal
from codesign.explorer.problem import SearchProblem
from codesign.explorer.result import RunResult, cloud_of, write_result
from codesign.explorer.search import (
    deployer,
    describe,
    feasible,
    nearest_miss,
    opened_steps,
    search,
    search_front,
    tally,
)
from codesign.explorer.study import open_storage, open_study, planned_trials, study_name
from codesign.explorer.verify import Verification, check_wanted, choose_points, verify_point
from codesign.explorer.watch import Watch
from codesign.progress import Reporter, Silent
from codesign.recipe import Recipe, load_recipe, parse_recipe
from codesign.reports.page import write_page
from mappings.errors import Fault, SpecError
from rtl_templates.verilator import compiler, toolchain


@dataclass(frozen=True)
class ExploreOptions:
    """What the command line may say over the recipe; None: what the recipe (or the resumed run) says.

    Attributes:
        recipe: name, NAME:VARIANT, or path.
        network, hardware: a space, a class of the user's own, or one thing by name or file.
        input: shape of a module's input: "1,3,32,32".
        objectives: metrics, with commas between.
        limits: "METRIC=BOUND" each; together they replace the recipe's.
        data: data set.
        device, controller, driver, trials, seed: override the recipe.
        out: folder of a new run; None: the next free ``runs/RECIPE``.
        storage: Optuna storage URL; None: SQLite in the run's folder.
        resume: folder of a run to go on with.
        verify: points to run as hardware: names, "knee", "all"; empty: none.
        jobs: worker processes for training; None: one a core.
        images: test images that the hardware runs.
    """

    recipe: str | None = None
    network: str | None = None
    hardware: str | None = None
    input: str | None = None
    objectives: str | None = None
    limits: Sequence[str] = ()
    data: str | None = None
    device: str | None = None
    controller: str | None = None
    driver: str | None = None
    trials: int | None = None
    seed: int | None = None
    out: str | None = None
    storage: str | None = None
    resume: str | None = None
    verify: Sequence[str] = ("knee",)
    jobs: int | None = None
    images: int = 10


def _overrides(options: ExploreOptions) -> dict[str, Any]:
    """Keys of the recipe that the command line replaces."""
    limits: dict[str, float] = {}
    faults = []
    for text in options.limits:
        name, _, bound = text.partition("=")
        try:
            limits[name] = float(bound)
        except ValueError:
            faults.append(Fault("--limit", f"is {text[:60]!r}", "METRIC=BOUND, such as latency_ms=0.2"))
    if faults:
        raise SpecError(faults)
    return {
        "network": options.network,
        "hardware": options.hardware,
        "device": options.device,
        "objectives": None if options.objectives is None else options.objectives.split(","),
        "limits": limits or None,
        "data": options.data,
        "controller": options.controller,
        "driver": options.driver,
        "trials": options.trials,
        "seed": options.seed,
    }


def _prepare(options: ExploreOptions) -> tuple[RunFolder, Recipe, str]:
    """Folder, recipe and storage of a new or resumed run.

    Raises:
        SpecError: wrong names or figures, or a resume that is another search.
    """
    overrides = _overrides(options)
    if options.input:
        overrides["network"] = {"name": options.network, "input": list(parse_shape(options.input))}
    if options.resume is None:
        recipe = load_recipe(options.recipe or "default", overrides)
        folder = new_folder(options.out, options.recipe or "default")
        return folder, recipe, options.storage or folder.default_storage
    if options.out is not None:
        raise SpecError(Fault("--out", "goes with a new run, not with --resume"))
    folder = RunFolder(Path(options.resume))
    recipe, storage = folder.read_run()
    asked = recipe
    if options.recipe is not None:
        asked = load_recipe(options.recipe, overrides)
    elif any(value is not None for value in overrides.values()):
        plain = {key: value for key, value in overrides.items() if value is not None and key not in ("data", "trials")}
        asked = parse_recipe({**recipe.to_dict(), **plain}, "explore")
        if options.data not in (None, recipe.space.network.dataset):
            what = f"is {options.data}, but {options.resume} was begun with {recipe.space.network.dataset}"
            raise SpecError(Fault("--data", what, "a new run, or --resume without it"))
    if asked.digest != recipe.digest:
        mine, theirs = recipe.to_dict(), asked.to_dict()
        faults = [
            Fault(f"--{key}", f"is {theirs[key]}, but {options.resume} was begun with {mine[key]}")
            for key in recipe.differences(asked)
        ]
        raise SpecError([*faults, Fault("--resume", "nothing was changed", "the run's own recipe, or a new run")])
    if options.storage not in (None, storage):
        raise SpecError(Fault("--storage", f"the run's study is in {storage}", "--resume without it"))
    if options.trials is not None:
        recipe = replace(recipe, trials=options.trials).check("explore")
    return folder, recipe, storage


class Interrupted(KeyboardInterrupt):
    """Ctrl-C within a run; says how to go on."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(f"what is finished is kept; go on with: codesign explore --resume {folder.path}")


def explore(options: ExploreOptions | None = None, reporter: Reporter | None = None) -> RunResult:
    """Run the main job.

    Args:
        options: what to explore; the default recipe when left out.
        reporter: where progress goes; silent when left out.

    Returns:
        The front and what was verified; the same is in the run's folder.

    Raises:
        SpecError: wrong input, nothing was begun or lost.
    """
    options, reporter = options or ExploreOptions(), reporter or Silent()
    if options.verify:
        check_wanted(options.verify)  # wrong words and missing tools are told before the search, not after it
        toolchain(), compiler()
    folder, recipe, storage_url = _prepare(options)
    with folder.locked():
        try:
            return _explore(options, folder, recipe, storage_url, reporter)
        except KeyboardInterrupt:
            raise Interrupted(folder) from None


def _explore(
    options: ExploreOptions, folder: RunFolder, recipe: Recipe, storage_url: str, reporter: Reporter
) -> RunResult:
    """The steps, inside a folder that is ours."""
    started, started_cpu = time.monotonic(), _cpu_seconds()
    space, goal = recipe.space, recipe.goal
    folder.networks.mkdir(exist_ok=True)
    name = study_name(folder.path, storage_url == folder.default_storage)
    study = open_study(open_storage(storage_url), name, recipe)
    folder.write_run(recipe, storage_url)
    unit = DRIVERS.get(recipe.driver.name).unit
    reporter.say(
        f"{recipe.name}: {space.networks:,} networks x {space.accelerators:,} accelerators on {recipe.device}; "
        f"{recipe.controller.name}, {recipe.driver.name}, {recipe.trials:,} {unit}, seed {recipe.seed}; "
        f"run in {folder.path}"
    )
    jobs = min(os.cpu_count() or 1, 8) if options.jobs is None else options.jobs
    journal = StudyJournal(study, space.decisions, goal)
    with opened_steps(recipe, folder.networks, folder.measured, jobs) as steps:
        watch = Watch(recipe, journal)
        with reporter.search("search", recipe.trials, watch.glance) as shown:

            def advance() -> None:
                watch.advance()
                shown()

            def measured() -> None:
                watch.trained()
                shown()

            problem = SearchProblem(space, goal, steps, measured)
            search(recipe, problem, journal, planned_trials(study), advance)
        trials = list(journal)
        tallied, found = tally(recipe, trials), feasible(trials)
        reporter.say(describe(tallied, found))
        if not found:
            raise SpecError(_none_fits(recipe, trials))
        chosen = search_front(goal, found, recipe.front_points)
        points = deploy_front(chosen, recipe, goal, folder, deployer(steps), reporter)
    write_designs(points, space, folder)
    write_front_csv(points, folder)
    best = points[knee_of(points, goal)].name
    result = RunResult(
        recipe=recipe,
        folder=str(folder.path),
        networks=space.networks,
        accelerators=space.accelerators,
        tally=tallied,
        points=tuple(points),
        knee=best,
        cloud=cloud_of(recipe, trials),
        verifications=(),
        seconds=time.monotonic() - started,
        cpu_seconds=_cpu_seconds() - started_cpu,
    )
    _write(result, folder)  # what follows may lack a tool; the front does not
    verifications: list[Verification] = []
    for name in choose_points(options.verify, [point.name for point in points], best):
        point = next(item for item in points if item.name == name)
        if not point.network:
            reporter.say(f"{point.name} is not run: its network has no weights")
            continue
        dataset = space.network.dataset if point.accuracy else ""
        verifications.append(verify_point(point, dataset, folder, options.images, reporter))
        seconds, cpu_seconds = time.monotonic() - started, _cpu_seconds() - started_cpu
        result = replace(result, verifications=tuple(verifications), seconds=seconds, cpu_seconds=cpu_seconds)
        _write(result, folder)
    return result


def _cpu_seconds() -> float:
    """Of this process and of its workers that have ended."""
    return sum(os.times()[:4])


def _none_fits(recipe: Recipe, trials: Sequence[Trial]) -> list[Fault]:
    """Where nothing is feasible: which bounds bind, and the design that is nearest."""
    number, trial = nearest_miss(trials)
    bounds = tally(recipe, trials).bounds
    worst = max(bounds, key=lambda name: bounds[name], default="the last rung, which no design came to")
    what = f"none of {len(trials)} designs fits; {worst} is broken most often"
    why = "; ".join(str(item) for item in trial.told.outcome.broken)
    where = f"device {recipe.device}" + "".join(f", {name} of {bound:g}" for name, bound in recipe.limits)
    return [Fault(where, f"{what}; the nearest is trial {number}: {why}", "other bounds, or more --trials")]


def _write(result: RunResult, folder: RunFolder) -> None:
    write_result(result, folder)
    write_page(result.to_dict(), folder.report_html)


__all__ = ["ExploreOptions", "explore"]
