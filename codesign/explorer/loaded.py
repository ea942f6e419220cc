"""A run as tables: its front and all its trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from codesign.drivers.base import Trial
from codesign.explorer.folder import RunFolder
from codesign.explorer.journal import StudyJournal
from codesign.explorer.storage import storage_faults
from codesign.explorer.study import open_study, run_storage
from codesign.recipe import Recipe
from mappings.errors import Fault, SpecError


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """What a run found, for further work.

    Attributes:
        folder: of the run.
        recipe: with all overrides.
        front: one row a point, the columns of ``front.csv``; no rows where the run is not finished.
        trials: one row a trial, by number: ``feasible``, ``broken`` (the bounds, as text), ``phase``, ``fidelity``,
            every metric that was measured (with its unit in the name) and every decision; empty where there is none.
    """

    folder: Path
    recipe: Recipe
    front: pd.DataFrame
    trials: pd.DataFrame


def load_run(folder: str | Path, *, storage: str | None = None) -> LoadedRun:
    """Read a run, also one that is not finished; nothing in the folder is changed.

    Args:
        folder: of the run.
        storage: URL of the study, where it is not in the folder.

    Raises:
        SpecError: no run there, or its study or front cannot be read.
    """
    run = RunFolder(Path(folder))
    record = run.read_run()
    trials: list[Trial] = []
    if record.begun:
        with (
            storage_faults(storage or str(run.database), "cannot be used", "again later"),
            run_storage(run, record, storage) as opened,
        ):
            study = open_study(opened, run, record)
            trials = list(StudyJournal(study, record.recipe.space.decisions, record.recipe.goal))
    return LoadedRun(run.path, record.recipe, _front(run), _table(trials))


def _front(run: RunFolder) -> pd.DataFrame:
    if not run.front_csv.exists():
        return pd.DataFrame()
    try:
        return pd.read_csv(run.front_csv)
    except (OSError, ValueError) as error:
        raise SpecError(Fault(str(run.front_csv), f"cannot be read: {error}", "what codesign explore writes")) from None


def _table(trials: Sequence[Trial]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for number, trial in enumerate(trials):
        outcome = trial.told.outcome
        row: dict[str, Any] = {
            "trial": number,
            "feasible": outcome.feasible,
            "broken": "; ".join(map(str, outcome.broken)),
            "phase": trial.phase,
            "fidelity": trial.fidelity,
        }
        rows.append({**row, **outcome.metrics, **trial.told.point})
    return pd.DataFrame(rows, columns=None if rows else ["trial", "feasible", "broken", "phase", "fidelity"])
