"""``codesign explore``: search, deployment, verification, report, in one resumable run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna

from codesign import __version__
from codesign.accuracy.data import check_fits, load_dataset
from codesign.drivers.base import Trial
from codesign.drivers.registry import DRIVERS
from codesign.explorer.claims import Claims
from codesign.explorer.finish import deploy_front, knee_of, write_designs, write_front_csv
from codesign.explorer.folder import RunFolder, RunRecord
from codesign.explorer.inputs import keep_inputs
from codesign.explorer.journal import StudyJournal
from codesign.explorer.measured import SharedFile
from codesign.explorer.options import ExploreOptions, prepare, to_verify
from codesign.explorer.problem import SearchProblem, Step
from codesign.explorer.result import RunResult, searched, write_result
from codesign.explorer.search import (
    SearchTally,
    deployer,
    describe,
    feasible,
    opened_steps,
    proved,
    search,
    search_front,
    spent,
    tally,
)
from codesign.explorer.storage import storage_faults
from codesign.explorer.study import open_study, planned_trials, run_storage
from codesign.explorer.synthesis import Synthesised, check_synthesis, synthesise
from codesign.explorer.verify import Verification, verify_point
from codesign.explorer.wanted import choose_points, to_run, to_synthesise
from codesign.explorer.watch import Watch
from codesign.progress import Reporter, Silent
from codesign.providers.base import Candidate, ProviderContext
from codesign.providers.registry import PROVIDERS, make_provider
from codesign.recipe import Recipe
from codesign.reports.page import write_page
from mappings.durable import is_full
from mappings.errors import Fault, SpecError, counted
from mappings.yamlio import digest
from rtl_templates.verilator import compiler, toolchain

#: Networks that a table is asked for before there is a run.
_LOOKED_UP = 16


class Interrupted(KeyboardInterrupt):
    """Ctrl-C within a run; says how to go on."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(f"what is finished is kept; go on with: codesign explore --resume {folder.path}")
        self.folder = folder

    def __reduce__(self) -> tuple[type[Interrupted], tuple[RunFolder]]:
        """Made anew from its folder, as :class:`SpecError` from its faults."""
        return type(self), (self.folder,)


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
    folder, record = prepare(options)
    wanted, _ = to_verify(options, record)
    if to_run(wanted):  # missing tools are told before the search, not after it
        toolchain(), compiler()
    if options.resume is None:
        _check_networks(record.recipe)
        _check_tables(record.recipe, folder)
    if options.images is not None:
        _check_images(record.recipe, options.images)
    if to_synthesise(wanted):
        check_synthesis(record.recipe.device)
    again = f"codesign explore --resume {folder.path}" + (" --storage URL" if record.storage else "")
    with folder.locked(), storage_faults(options.storage or str(folder.database), "cannot be used", again):
        if options.resume is None and folder.run_file.exists():
            raise SpecError(Fault(str(folder.path), "holds a run already", "another folder"))
        try:
            new_here = options.resume is None and record.storage is None
            if options.resume is None:
                record = replace(record, recipe=keep_inputs(record.recipe, folder.path))
            if new_here:
                folder.write_run(record)  # before the study: whatever a kill leaves says what it is
            with run_storage(folder, record, options.storage) as storage:
                study = open_study(storage, folder, record)
                if options.resume is not None and options.trials is not None:
                    _refuse_fewer(options, record.recipe, study)
                if not new_here:
                    folder.write_run(record)  # after the study: what is refused changes nothing
                return _explore(options, folder, record, study, reporter)
        except KeyboardInterrupt:
            raise Interrupted(folder) from None
        except OSError as error:
            raise _told(error, folder, again) from None


def _told(error: OSError, folder: RunFolder, again: str) -> Exception:
    """What a failed read or write of the run's own files says; of another file the error itself."""
    where = Path(str(error.filename2 or error.filename or folder.path))
    if is_full(error):
        return SpecError(Fault(str(where), f"cannot be written: {error.strerror}", f"{again}, once there is room"))
    if not where.is_relative_to(folder.path):
        return error
    what = f"cannot be used: {error.strerror}"
    return SpecError(Fault(str(where), what, f"a file or folder of the run; with what is there moved away: {again}"))


def _check_networks(recipe: Recipe) -> None:
    """A network that cannot be made, or that the data do not fit: told before there is a run, and before hours of it.

    Raises:
        SpecError: the first network of the space is one, or the data set cannot be read.
    """
    space, rng = recipe.space, np.random.default_rng(0)
    start = dict(recipe.start[0]) if recipe.start else {}
    made = space.network_at(space.decisions.completed(start, rng))
    if made.workload is not None and any("trainable" in PROVIDERS.get(part.name).needs for part in recipe.providers):
        check_fits(load_dataset(space.network.dataset), made.workload)


def _check_tables(recipe: Recipe, folder: RunFolder) -> None:
    """A table that is damaged, of something else, or of networks before their compression: told before there is a run.

    Raises:
        SpecError: it is.
    """
    rng = np.random.default_rng(0)
    for place, part in enumerate(recipe.providers):
        if PROVIDERS.get(part.name).reads:
            context = ProviderContext(recipe.seed, recipe.device, recipe.space, folder.networks, 0, part.given)
            table = make_provider(part.name, context, f"recipe {recipe.name}.providers[{place}]")
            table.prepare()
            points = [recipe.space.decisions.draw(rng) for _ in range(_LOOKED_UP)]
            networks = [recipe.space.network_at(point) for point in points]
            asked = [Candidate(point, one.key, one.workload) for point, one in zip(points, networks, strict=True)]
            table.measure([one for one in asked if all(getattr(one, need) not in (None, "") for need in table.needs)])


def _check_images(recipe: Recipe, images: int) -> None:
    """More images than the test part of a data set on which networks are trained has.

    Raises:
        SpecError: it has fewer.
    """
    if not any("weights" in PROVIDERS.get(part.name).offers for part in recipe.providers):
        return
    dataset = recipe.space.network.dataset
    held = len(load_dataset(dataset).labels["test"])
    if images > held:
        what = f"is {images}, and the test part of {dataset} has {counted(held, 'image')}"
        raise SpecError(Fault("--images", what, f"1 to {held}"))


def _refuse_fewer(options: ExploreOptions, recipe: Recipe, study: optuna.Study) -> None:
    """A budget below what the run has told already: its front would not be that of the recipe.

    Raises:
        SpecError: it is.
    """
    done = spent(recipe, list(StudyJournal(study, recipe.space.decisions, recipe.goal)))
    if recipe.trials < done:
        what = f"is {recipe.trials:,}, but {options.resume} has told {done:,} {DRIVERS.get(recipe.driver.name).unit}"
        raise SpecError(Fault("--trials", f"{what}; nothing was changed", f"{done} or more"))


def join(
    run: str,
    storage_url: str | None,
    jobs: int | None,
    executor: str | None = None,
    reporter: Reporter | None = None,
) -> SearchTally:
    """Search along with whoever is at a run already; the one that began it (or resumes it) writes the front.

    Every worker is the same program with the same seeds. Each network is measured by the first that claims it, each
    batch is told by the first that has it whole, so that nothing is done twice and the front is that of one worker.

    Args:
        run: the folder, the same one for all workers.
        storage_url: of a study that is not in the folder.
        jobs: worker processes; 0: none; None: one a core.
        executor: URL of a cluster that trains in place of them.
        reporter: where progress goes.

    Returns:
        What the study holds when its budget is told.

    Raises:
        SpecError: no run there, another version's, or one that cannot be used.
    """
    reporter, folder = reporter or Silent(), RunFolder(Path(run))
    record = folder.read_run()
    with storage_faults(storage_url or str(folder.database), "cannot be used", f"codesign explore --join {run}"):
        try:
            with run_storage(folder, record, storage_url) as storage:
                trials = _searched(record, folder, open_study(storage, folder, record), jobs, executor, reporter)
        except KeyboardInterrupt:
            raise Interrupted(folder) from None
        except OSError as error:
            raise _told(error, folder, f"codesign explore --join {run}") from None
    return tally(record.recipe, trials)


def _searched(
    record: RunRecord,
    folder: RunFolder,
    study: optuna.Study,
    jobs: int | None,
    executor: str | None,
    reporter: Reporter,
) -> list[Trial]:
    """The search alone."""
    with _opened(record.recipe, folder, study, jobs, executor, reporter) as (steps, journal, fronts):
        _search(record, folder, study, steps, journal, fronts, reporter)
        return list(journal)


def _explore(
    options: ExploreOptions, folder: RunFolder, record: RunRecord, study: optuna.Study, reporter: Reporter
) -> RunResult:
    """The steps, inside a folder that is ours."""
    started, started_cpu = time.monotonic(), _cpu_seconds()
    recipe, (verify, images) = record.recipe, to_verify(options, record)
    space, goal = recipe.space, recipe.goal
    with _opened(recipe, folder, study, options.jobs, options.executor, reporter) as (steps, journal, fronts):
        _search(record, folder, study, steps, journal, fronts, reporter)
        trials = list(journal)
        result, found = searched(recipe, folder, trials), feasible(trials)
        reporter.say(describe(result.tally, found, result.score))
        if not found:
            write_page(result.to_dict(), folder.report_html)
            raise SpecError(_none_fits(result, folder))
        chosen = search_front(goal, found, recipe.front_points)
        points = deploy_front(
            chosen, recipe, goal, folder, deployer(steps), [step.provider for step in steps], reporter
        )
    write_designs(points, space, folder)
    write_front_csv(points, folder)
    best = points[knee_of(points, goal)].name
    seconds, cpu_seconds = time.monotonic() - started, _cpu_seconds() - started_cpu
    result = replace(result, points=tuple(points), knee=best, seconds=seconds, cpu_seconds=cpu_seconds)
    _write(result, folder)  # what follows may lack a tool; the front does not
    verifications: list[Verification] = []
    names = {point.name: point for point in points}
    for name in choose_points(to_run(verify), list(names), best):
        point = names[name]
        if not point.network:
            why = "its hardware is not built here" if point.design is None else "its network has no weights"
            reporter.say(f"{point.name} is not run: {why}")
            continue
        dataset = space.network.dataset if point.accuracy else ""
        verifications.append(verify_point(point, dataset, folder, images, reporter))
        seconds, cpu_seconds = time.monotonic() - started, _cpu_seconds() - started_cpu
        result = replace(result, verifications=tuple(verifications), seconds=seconds, cpu_seconds=cpu_seconds)
        _write(result, folder)
    syntheses: list[Synthesised] = []
    for name in choose_points(to_synthesise(verify), list(names), best):
        design = names[name].design
        if design is None or design.accelerator.template is None:
            reporter.say(f"{name} is not synthesised: its hardware is not built here")
            continue
        syntheses.append(synthesise(name, design.accelerator, reporter))
        seconds, cpu_seconds = time.monotonic() - started, _cpu_seconds() - started_cpu
        result = replace(result, syntheses=tuple(syntheses), seconds=seconds, cpu_seconds=cpu_seconds)
        write_front_csv(points, folder, syntheses)
        _write(result, folder)
    return result


@contextmanager
def _opened(
    recipe: Recipe,
    folder: RunFolder,
    study: optuna.Study,
    jobs: int | None,
    executor: str | None,
    reporter: Reporter,
) -> Iterator[tuple[list[Step], StudyJournal, SharedFile]]:
    """Providers, journal and proved fronts of a run, which other workers may have open as well."""
    folder.networks.mkdir(exist_ok=True)
    proved = folder.fronts / f"{digest([recipe.digest, __version__])[:16]}.jsonl"
    processes = min(os.cpu_count() or 1, 8) if jobs is None else jobs
    claims = Claims(folder.claims)
    try:
        with opened_steps(recipe, folder, claims, processes, executor, reporter) as steps:
            yield steps, StudyJournal(study, recipe.space.decisions, recipe.goal, claims), SharedFile(proved, claims)
    finally:
        claims.close()


def _search(
    record: RunRecord,
    folder: RunFolder,
    study: optuna.Study,
    steps: list[Step],
    journal: StudyJournal,
    fronts: SharedFile,
    reporter: Reporter,
) -> None:
    """Until the journal holds the budget, with progress."""
    recipe, space = record.recipe, record.recipe.space
    unit = DRIVERS.get(recipe.driver.name).unit
    reporter.say(
        f"{recipe.name}: {counted(space.networks, 'network')} x {counted(space.accelerators, 'accelerator')} on "
        f"{recipe.device}; "
        f"{recipe.controller.name}, {recipe.driver.name}, {recipe.trials:,} {unit}, seed {recipe.seed}; "
        f"run in {folder.path}"
    )
    watch, begun = Watch(recipe, journal), record.begun
    with reporter.search("search", recipe.trials, watch.glance) as shown:

        def advance() -> None:
            nonlocal begun
            if not begun and len(journal):
                begun = True
                folder.write_run(replace(record, begun=True))
            watch.advance()
            shown()

        def measured() -> None:
            watch.trained()
            shown()

        problem = SearchProblem(space, recipe.goal, steps, measured, fronts)
        search(recipe, problem, journal, planned_trials(study), advance)
    if problem.proofs:
        reporter.say(proved(problem.proofs))


def _cpu_seconds() -> float:
    """Of this process and of its workers that have ended."""
    return sum(os.times()[:4])


def _none_fits(result: RunResult, folder: RunFolder) -> list[Fault]:
    """Where nothing is feasible: which bounds bind, and the design that is nearest."""
    (number, trial), recipe, bounds = result.nearest[0], result.recipe, result.tally.bounds
    worst = max(bounds, key=lambda name: bounds[name], default="the last rung, which no design came to")
    what = f"none of {counted(result.tally.told, 'design')} fits; {worst} is broken most often"
    why = "; ".join(str(item) for item in trial.told.outcome.broken)
    where = f"device {recipe.device}" + "".join(f", {name} of {bound:g}" for name, bound in recipe.limits)
    told = f"{what}; the nearest is trial {number}: {why}; {folder.report_html} shows more of them"
    return [Fault(where, told, "other bounds, or more --trials")]


def _write(result: RunResult, folder: RunFolder) -> None:
    write_result(result, folder)
    write_page(result.to_dict(), folder.report_html)


__all__ = ["ExploreOptions", "explore", "join"]
