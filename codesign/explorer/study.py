"""The study of a run: an Optuna study in a storage that survives any end of the process."""

from __future__ import annotations

import re
import warnings
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from codesign.controllers.samplers import distributions
from codesign.decisions import Decision, Point
from codesign.recipe import OBJECTIVES
from mappings.errors import Fault, SpecError

SPACE_KEY = "space"
REPORT_KEY = "report"


def open_storage(url: str) -> BaseStorage:
    """The storage at a URL. SQLite writes ahead, so that a commit costs no wait for the disk and a kill loses none.

    Raises:
        SpecError: it cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if not url.startswith("sqlite"):
            return optuna.storages.get_storage(url)
        storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})
    except (SQLAlchemyError, ValueError, ImportError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0][:200]
        shown = re.sub(r"//([^:/@]*):[^@]*@", r"//\1:***@", url)
        raise SpecError(Fault(f"--storage {shown}", f"cannot be opened: {reason}", "an Optuna storage URL")) from None

    @event.listens_for(storage.engine, "connect")
    def _write_ahead(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    storage.engine.dispose()  # the connection that made the tables was opened before the event
    return storage


def open_study(storage: BaseStorage, name: str, sampler: BaseSampler, space_digest: str) -> optuna.Study:
    """The study of that name, made when it is not there.

    Raises:
        SpecError: it was made with another space or other objectives.
    """
    directions = [direction for direction, _ in OBJECTIVES.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            storage=storage, study_name=name, sampler=sampler, directions=directions, load_if_exists=True
        )
        found = study.user_attrs.get(SPACE_KEY)
        if found is None and not study.get_trials(deepcopy=False):
            study.set_metric_names(list(OBJECTIVES))
            study.set_user_attr(SPACE_KEY, space_digest)
            found = space_digest
    if found != space_digest:
        raise SpecError(
            Fault(
                f"study {name}",
                f"was made with another search space ({str(found)[:12]}; here it is {space_digest[:12]}); "
                "nothing was changed",
                "a new run in another folder",
            )
        )
    return study


def ask(study: optuna.Study, decisions: tuple[Decision, ...], number: int) -> tuple[Trial, Point] | None:
    """Trial ``number``, new or cut off before it was told; None where it is finished.

    A trial that a killed process left is taken up as it is: its decisions stand in the storage, and those that were
    not written yet are drawn from the same seed.
    """
    known: list[FrozenTrial] = study.get_trials(deepcopy=False)
    if number < len(known):
        if known[number].state.is_finished():
            return None
        trial = Trial(study, known[number]._trial_id)
        point: Point = {d.name: trial.suggest_categorical(d.name, d.choices) for d in decisions}
        return trial, point
    trial = study.ask(distributions(decisions))
    assert trial.number == number, "another process adds trials to this study"
    return trial, dict(trial.params)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Told trials, by number."""
    return list(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def is_feasible(trial: FrozenTrial) -> bool:
    """Whether a told trial breaks no bound."""
    return all(value <= 0 for value in trial.constraints.values())
