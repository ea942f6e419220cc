"""``codesign explore``: search, deployment, verification, report, in one resumable run."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.pool import AccuracyPool
from codesign.controllers.base import make_sampler
from codesign.costs import COSTS
from codesign.explorer.finish import (
    FrontPoint,
    candidate_costs,
    deploy_front,
    search_front,
    write_designs,
    write_front_csv,
)
from codesign.explorer.folder import RunFolder, new_folder
from codesign.explorer.front import knee
from codesign.explorer.result import RunResult, write_result
from codesign.explorer.search import candidates, describe, known_accuracies, search, tally
from codesign.explorer.study import open_storage, open_study
from codesign.explorer.verify import Verification, check_wanted, choose_points, verify_point
from codesign.progress import Reporter, Silent
from codesign.recipe import Recipe, load_recipe
from codesign.reports.page import write_page
from mappings.errors import Fault, SpecError
from rtl_templates.verilator import compiler, toolchain


@dataclass(frozen=True)
class ExploreOptions:
    """What the command line may say over the recipe; None: what the recipe (or the resumed run) says.

    Attributes:
        recipe: name or path.
        device, controller, trials, seed: override the recipe.
        out: folder of a new run; None: the next free ``runs/RECIPE``.
        storage: Optuna storage URL; None: SQLite in the run's folder.
        resume: folder of a run to go on with.
        verify: points to run as hardware: names, "knee", "all"; empty: none.
        jobs: worker processes for training; None: one a core.
        images: test images that the hardware runs.
    """

    recipe: str | None = None
    device: str | None = None
    controller: str | None = None
    trials: int | None = None
    seed: int | None = None
    out: str | None = None
    storage: str | None = None
    resume: str | None = None
    verify: Sequence[str] = ("knee",)
    jobs: int | None = None
    images: int = 10


def _prepare(options: ExploreOptions) -> tuple[RunFolder, Recipe, str]:
    """Folder, recipe and storage of a new or resumed run.

    Raises:
        SpecError: wrong names or figures, or a resume that is another search.
    """
    overrides = {
        "device": options.device,
        "controller": options.controller,
        "trials": options.trials,
        "seed": options.seed,
    }
    if options.resume is None:
        recipe = load_recipe(options.recipe or "default", overrides)
        folder = new_folder(options.out, options.recipe or "default")
        return folder, recipe, options.storage or folder.default_storage
    if options.out is not None:
        raise SpecError(Fault("--out", "goes with a new run, not with --resume"))
    folder = RunFolder(Path(options.resume))
    recipe, storage = folder.read_run()
    if options.recipe is not None:
        asked = load_recipe(options.recipe, overrides)
        if asked.space.digest != recipe.space.digest:
            raise SpecError(
                Fault(
                    options.resume,
                    f'was made with another search space than recipe "{options.recipe}" has; nothing was changed',
                    "--resume with the run's own recipe, or a new run",
                )
            )
    for name in ("device", "controller", "seed"):
        if overrides[name] not in (None, getattr(recipe, name)):
            raise SpecError(
                Fault(
                    f"--{name}",
                    f"is {overrides[name]}, but {options.resume} was begun with {getattr(recipe, name)}",
                    "a new run, or --resume without it",
                )
            )
    if options.storage not in (None, storage):
        raise SpecError(Fault("--storage", f"the run's study is in {storage}", "--resume without it"))
    if options.trials is not None:
        recipe = replace(recipe, trials=options.trials).check("explore")
    return folder, recipe, storage


def _study_name(folder: RunFolder, *, default_storage: bool) -> str:
    """One study a run; a storage that is shared holds many, told apart by the folder."""
    return "codesign" if default_storage else f"codesign:{folder.path.resolve()}"


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
    started = time.monotonic()
    space = recipe.space
    sampler = make_sampler(recipe.controller, recipe.context)
    folder.networks.mkdir(exist_ok=True)
    name = _study_name(folder, default_storage=storage_url == folder.default_storage)
    study = open_study(open_storage(storage_url), name, sampler, space.digest)
    folder.write_run(recipe, storage_url)
    reporter.say(
        f"{recipe.name}: {space.networks:,} networks x {space.accelerators:,} accelerators on {recipe.device}; "
        f"{recipe.controller}, {recipe.trials:,} designs, seed {recipe.seed}; run in {folder.path}"
    )
    cost = COSTS.get(recipe.cost, "cost").load()
    context = AccuracyContext(recipe.seed, space.network.dataset, folder.networks, dict(recipe.accuracy_options))
    jobs = min(os.cpu_count() or 1, 8) if options.jobs is None else options.jobs
    with AccuracyPool(recipe.accuracy, context, jobs) as pool:
        with reporter.task("search", recipe.trials) as advance:
            search(study, recipe, space, cost, pool, advance)
        tallied = tally(study)
        reporter.say(describe(tallied, known_accuracies(study)))
        found = candidates(study)
        if not found:
            worst = max(tallied.bounds, key=lambda name: tallied.bounds[name])
            what = f"none of {tallied.told} designs fits; {worst} is broken most often"
            raise SpecError(Fault(f"device {recipe.device}", what, "a larger device, or more --trials"))
        chosen = search_front(found, recipe.front_points)
        points = deploy_front(chosen, recipe, space, cost, folder, pool, reporter)
    write_designs(points, space, folder)
    write_front_csv(points, folder)
    best = points[knee_of(points)].name
    result = RunResult(
        recipe=recipe,
        folder=str(folder.path),
        networks=space.networks,
        accelerators=space.accelerators,
        tally=tallied,
        points=tuple(points),
        knee=best,
        cloud=tuple((item.accuracy, item.latency_ms, item.energy_uj) for item in found),
        verifications=(),
        seconds=time.monotonic() - started,
    )
    _write(result, folder)  # what follows may lack a tool; the front does not
    verifications: list[Verification] = []
    for name in choose_points(options.verify, [point.name for point in points], best):
        point = next(item for item in points if item.name == name)
        verifications.append(verify_point(point, space.network.dataset, folder, options.images, reporter))
        result = replace(result, verifications=tuple(verifications), seconds=time.monotonic() - started)
        _write(result, folder)
    return result


def _write(result: RunResult, folder: RunFolder) -> None:
    write_result(result, folder)
    write_page(result.to_dict(), folder.report_html)


def knee_of(points: Sequence[FrontPoint]) -> int:
    """Index of the knee, by deployed accuracy."""
    costs = candidate_costs([replace(point.candidate, accuracy=point.accuracy["held_out"]) for point in points])
    return knee(costs)


__all__ = ["ExploreOptions", "explore", "knee_of"]
