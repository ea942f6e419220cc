"""How a search stands, read from its study alone: also while another process is at work on it."""

from __future__ import annotations

from dataclasses import replace

from codesign.explorer.finish import FrontPoint, knee_of, report_of
from codesign.explorer.folder import RunFolder
from codesign.explorer.journal import StudyJournal
from codesign.explorer.result import RunResult, searched
from codesign.explorer.search import feasible, reporting_providers, search_front
from codesign.explorer.storage import storage_faults
from codesign.explorer.study import open_study, planned_trials, run_storage
from mappings.errors import Fault, SpecError


def standing(folder: RunFolder, storage: str | None = None) -> RunResult:
    """The front of the search so far, thinned as the finished one will be; nothing in the folder is changed.

    Args:
        storage: URL, where the run's study is not in its folder.

    Raises:
        SpecError: no run there, or no design yet.
    """
    record = folder.read_run()
    recipe = record.recipe
    with (
        storage_faults(storage or str(folder.database), "cannot be used", "again later"),
        run_storage(folder, record, storage) as opened,
    ):
        study = open_study(opened, folder, record)
        trials = list(StudyJournal(study, recipe.space.decisions, recipe.goal))
    if not trials:
        raise SpecError(Fault(str(folder.path), "has no design yet", f"codesign explore --resume {folder.path}"))
    stands = searched(recipe, folder, trials)
    found = feasible(trials)
    if not found:
        return replace(stands, finished=len(trials) >= planned_trials(study))
    chosen = search_front(recipe.goal, found, recipe.front_points)
    points, measuring = [], reporting_providers(recipe, folder.networks)
    for index, (item, candidate) in enumerate(
        zip(chosen, recipe.space.decode([item.point for item in chosen]), strict=True)
    ):
        assert candidate.workload is not None, "what is explored has layers"
        figures = report_of(candidate, measuring)
        title = f"point_{index:02d}"
        points.append(FrontPoint(title, item, candidate.workload, candidate.design, "", {}, item.metrics, figures))
    return replace(stands, points=tuple(points), knee=points[knee_of(points, recipe.goal)].name, finished=False)
