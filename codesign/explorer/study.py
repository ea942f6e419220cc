"""The study of a run: an Optuna study in a storage that survives any end of the process."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from codesign.recipe import Recipe
from mappings.errors import Fault, SpecError

#: Attributes of a study.
RECIPE_KEY, PLAN_KEY = "recipe", "planned_trials"


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


def open_study(storage: BaseStorage, name: str, recipe: Recipe) -> optuna.Study:
    """The study of that name, made when it is not there; it holds the recipe and its digest.

    Raises:
        SpecError: it was made with another recipe.
    """
    directions = [metric.direction for metric in recipe.goal.metrics]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
        except (ValueError, optuna.exceptions.OptunaError) as error:
            raise SpecError(Fault(f"study {name}", f"cannot be opened: {error}", "a new run")) from None
        found = study.user_attrs.get(RECIPE_KEY)
        if found is None and not study.get_trials(deepcopy=False):
            study.set_metric_names(list(recipe.objectives))
            study.set_user_attr(PLAN_KEY, recipe.trials)
            study.set_user_attr(RECIPE_KEY, recipe.digest)
            found = recipe.digest
    if found != recipe.digest:
        what = f"was made with another recipe ({str(found)[:12]}; here it is {recipe.digest[:12]}); nothing was changed"
        raise SpecError(Fault(f"study {name}", what, "a new run in another folder"))
    return study


def study_name(folder: Path, default_storage: bool) -> str:
    """One study a run; a storage that is shared holds many, told apart by the folder."""
    return "codesign" if default_storage else f"codesign:{folder.resolve()}"


def planned_trials(study: optuna.Study) -> int:
    """The budget with which the study was begun: controllers plan with it, also where more was asked for later."""
    return int(study.user_attrs[PLAN_KEY])
