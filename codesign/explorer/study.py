"""The study of a run: found by the run's identity, made once, never begun anew."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from codesign.explorer.folder import RunFolder, RunRecord
from codesign.explorer.storage import close_storage, open_sqlite, open_storage
from mappings.errors import Fault, SpecError

#: Attributes of a study.
RUN_KEY, RECIPE_KEY, PLAN_KEY = "run", "recipe", "planned_trials"


@contextmanager
def run_storage(folder: RunFolder, record: RunRecord, url: str | None) -> Iterator[BaseStorage]:
    """The storage of a run while it is used: the folder's own file, or the one that the command line names.

    What ``run.yaml`` says of a storage elsewhere is not followed: whoever wrote it would choose what is opened here.

    Raises:
        SpecError: the run's study is elsewhere and no URL was given, or it is in the folder and one was.
    """
    if record.storage is None:
        if url is not None:
            raise SpecError(Fault("--storage", "the run's study is in its folder", "--resume without it"))
        if record.begun and not folder.database.exists():
            raise SpecError(_lost(folder, record))
        storage = open_sqlite(folder.database)
    elif url is None:
        what = f"the run's study is not in its folder but in {record.storage}"
        raise SpecError(Fault(str(folder.path), what, "--storage URL, as when the run was begun"))
    else:
        storage = open_storage(url)
    try:
        yield storage
    finally:
        close_storage(storage)


def _lost(folder: RunFolder, record: RunRecord) -> Fault:
    where = folder.database if record.storage is None else record.storage
    what = f"does not hold the trials of run {record.run[:12]}, which was begun; nothing was changed"
    return Fault(str(where), what, "the storage or the whole folder of that run, or a new run")


def open_study(storage: BaseStorage, folder: RunFolder, record: RunRecord) -> optuna.Study:
    """The study of a run; made where the run has told no trial yet.

    Raises:
        SpecError: the study is of another run or recipe, or it should have trials and has none.
    """
    recipe, name = record.recipe, record.study_name
    if record.begun and name not in optuna.get_all_study_names(storage):
        raise SpecError(_lost(folder, record))
    directions = [metric.direction for metric in recipe.goal.metrics]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
        except ValueError as error:
            raise SpecError(Fault(f"study {name}", f"cannot be opened: {error}", "a new run")) from None
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        attributes = study.user_attrs
        if not record.begun and RECIPE_KEY not in attributes and not trials:
            study.set_metric_names(list(recipe.objectives))
            for key, value in ((PLAN_KEY, recipe.trials), (RUN_KEY, record.run), (RECIPE_KEY, recipe.digest)):
                study.set_user_attr(key, value)
            attributes = study.user_attrs
    for key, mine, kind in ((RUN_KEY, record.run, "run"), (RECIPE_KEY, recipe.digest, "recipe")):
        found = attributes.get(key)
        if found != mine:
            what = f"is of another {kind} ({str(found)[:12]}; here it is {mine[:12]}); nothing was changed"
            raise SpecError(Fault(f"study {name}", what, "a new run in another folder"))
    if record.begun and not trials:
        raise SpecError(_lost(folder, record))
    return study


def planned_trials(study: optuna.Study) -> int:
    """The budget with which the study was begun: controllers plan with it, also where more was asked for later."""
    return int(study.user_attrs[PLAN_KEY])
