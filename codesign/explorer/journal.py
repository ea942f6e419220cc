"""The journal: an Optuna study, written a batch at a time.

Optuna writes a trial in some thirty statements of its own. Here a batch is one transaction of bulk inserts into the
same tables (or one append to a journal file), so that recording costs far less than a millisecond a trial, and a batch
is in the study whole or not at all. What is written is what ``Study.add_trials`` writes, which other storages get.

Each trial has its decisions as parameters, the objectives as values (infinitely bad where a bound is broken), each
broken bound as a constraint, and the user attribute ``report``: the point, every metric that is known, the bounds that
are broken and why, who measured it, the phase of the driver, the fidelity.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import lru_cache
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import func, insert, select

from accel_models.report import Infeasible
from codesign.controllers.controller import Told
from codesign.decisions import Decision, DecisionSpace, Permutation, Point, Real, Variable
from codesign.drivers.base import Trial
from codesign.explorer.claims import Claims
from codesign.objectives import Goal, Outcome

REPORT_KEY = "report"
#: Of a trial in a storage that takes lines one after another: which of the run's trials it is. Where two processes that
#: do not know of each other told it, the first counts.
PLACE_KEY = "place"


@lru_cache(maxsize=4096)
def distributions(decision: Variable) -> tuple[tuple[str, BaseDistribution], ...]:
    """Optuna's form of a decision; an order is a place for each of its items."""
    if isinstance(decision, Decision):
        return ((decision.name, CategoricalDistribution(decision.choices)),)
    if isinstance(decision, Real):
        return ((decision.name, FloatDistribution(decision.low, decision.high, log=decision.log)),)
    places = IntDistribution(0, len(decision.items) - 1)
    return tuple((f"{decision.name}/{item}", places) for item in decision.items)


def _parameters(decision: Variable, value: Any) -> tuple[Any, ...]:
    return tuple(value.index(item) for item in decision.items) if isinstance(decision, Permutation) else (value,)


def frozen_trial(space: DecisionSpace, goal: Goal, trial: Trial) -> FrozenTrial:
    """A finished trial as Optuna holds it."""
    point, outcome = trial.told.point, trial.told.outcome
    params: dict[str, Any] = {}
    kinds: dict[str, BaseDistribution] = {}
    for decision in space.decisions:
        if decision.name in point:
            named = distributions(decision)
            kinds.update(named)
            params.update(zip((name for name, _ in named), _parameters(decision, point[decision.name]), strict=True))
    values = [
        outcome.metrics[name] if outcome.feasible else (-math.inf if metric.maximize else math.inf)
        for name, metric in zip(goal.objectives, goal.metrics, strict=True)
    ]
    report = {
        "point": {key: list(value) if isinstance(value, tuple) else value for key, value in point.items()},
        "metrics": dict(outcome.metrics),
        "broken": [item.to_dict() for item in outcome.broken],
        "measured_by": list(outcome.measured_by),
        "phase": trial.phase,
        "fidelity": trial.fidelity,
    }
    bounds: dict[str, float] = {"bounds": outcome.violation}
    for item in outcome.broken:
        bounds[item.resource] = max(bounds.get(item.resource, 0.0), Outcome(broken=(item,)).violation)
    now = datetime.now()
    # As optuna.create_trial makes it, without its search for distributions of old versions.
    made = FrozenTrial(
        number=-1,
        trial_id=-1,
        state=TrialState.COMPLETE,
        value=None,
        values=values,
        datetime_start=now,
        datetime_complete=now,
        params=params,
        distributions=kinds,
        user_attrs={REPORT_KEY: json.dumps(report)},
        system_attrs={},
        intermediate_values={},
    )
    for name, excess in bounds.items():
        made.set_constraint(name, excess)
    return made


def read_trial(space: DecisionSpace, text: str) -> Trial:
    """A trial from its report."""
    report = json.loads(text)
    orders = {decision.name for decision in space.decisions if isinstance(decision, Permutation)}
    point: Point = {key: tuple(value) if key in orders else value for key, value in report["point"].items()}
    broken = tuple(Infeasible.from_dict(item) for item in report["broken"])
    outcome = Outcome(report["metrics"], broken, tuple(report["measured_by"]))
    return Trial(Told(point, outcome), report["phase"], report["fidelity"])


class StudyJournal:
    """A study as the journal of a search.

    Args:
        study: of the run.
        space, goal: of its recipe.
        claims: of the run's workers, where there may be others: they tell one after another.
    """

    def __init__(self, study: optuna.Study, space: DecisionSpace, goal: Goal, claims: Claims | None = None) -> None:
        self.study = study
        self._space, self._goal, self._claims = space, goal, claims
        self._trials: list[Trial] = []
        self.since(0)

    def __len__(self) -> int:
        return len(self._trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._trials)

    def since(self, start: int) -> list[Trial]:
        """Trials from a number on, as the study has them now."""
        self._trials += [read_trial(self._space, text) for text in read_reports(self.study, len(self._trials))]
        return self._trials[start:]

    def append(self, trials: Sequence[Trial], start: int) -> None:
        """A batch, whole or not at all, but for what another worker has told before."""
        with self._claims.alone("journal") if self._claims is not None else nullcontext():
            written = False
            while not written:
                fresh = trials[len(self.since(start)) :]
                frozen = [frozen_trial(self._space, self._goal, trial) for trial in fresh]
                written = add_trials(self.study, frozen, len(self._trials))
            self._trials += fresh  # nothing, where it was read again


def read_reports(study: optuna.Study, start: int = 0) -> list[str]:
    """The report of every finished trial from a number on; of a database without the rest of each trial."""
    storage = _bare(study._storage)
    if not isinstance(storage, RDBStorage):
        firsts: dict[int, str] = {}
        for number, found in enumerate(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))):
            firsts.setdefault(found.user_attrs.get(PLACE_KEY, number), found.user_attrs[REPORT_KEY])
        return [text for place, text in sorted(firsts.items()) if place >= start]
    trial, attribute = models.TrialModel, models.TrialUserAttributeModel
    wanted = (
        select(attribute.value_json)
        .join(trial, trial.trial_id == attribute.trial_id)
        .where(trial.study_id == study._study_id, trial.state == TrialState.COMPLETE, attribute.key == REPORT_KEY)
        .where(trial.number >= start)
        .order_by(trial.number)
    )
    with _create_scoped_session(storage.scoped_session) as session:
        return [json.loads(text) for text in session.execute(wanted).scalars()]


def add_trials(study: optuna.Study, trials: Sequence[FrozenTrial], start: int) -> bool:
    """What ``study.add_trials`` does, a batch at a time where the storage allows it.

    Args:
        start: number of the first.

    Returns:
        False where the study may have other trials from that number on, told by a worker in another copy of the folder:
        a database wrote nothing then, of the others the first count.
    """
    if not trials:
        return True
    storage = _bare(study._storage)
    if isinstance(storage, RDBStorage):
        return _insert(storage, study._study_id, trials, start)
    for place, made in enumerate(trials, start):
        made.set_user_attr(PLACE_KEY, place)
    if isinstance(storage, JournalStorage):
        _append(storage, study._study_id, trials)
    else:
        study.add_trials(trials)
    return False


def _bare(storage: BaseStorage) -> BaseStorage:
    """The storage behind Optuna's cache."""
    found: BaseStorage = getattr(storage, "_backend", storage) if not isinstance(storage, JournalStorage) else storage
    return found


def _insert(storage: RDBStorage, study_id: int, trials: Sequence[FrozenTrial], start: int) -> bool:
    now = datetime.now()
    with _create_scoped_session(storage.scoped_session) as session:
        # Whoever else adds trials to this study waits here: numbers have no gaps.
        models.StudyModel.find_or_raise_by_id(study_id, session, for_update=True)
        counted = select(func.count()).select_from(models.TrialModel).where(models.TrialModel.study_id == study_id)
        if int(session.execute(counted).scalar_one()) != start:
            return False
        rows = [
            {
                "number": start + place,
                "study_id": study_id,
                "state": trial.state,
                "datetime_start": trial.datetime_start or now,
                "datetime_complete": trial.datetime_complete or now,
            }
            for place, trial in enumerate(trials)
        ]
        made = insert(models.TrialModel).returning(models.TrialModel.trial_id, sort_by_parameter_order=True)
        ids = list(session.execute(made, rows).scalars())
        params: list[dict[str, Any]] = []
        values: list[dict[str, Any]] = []
        users: list[dict[str, Any]] = []
        systems: list[dict[str, Any]] = []
        written: dict[int, str] = {}  # by identity: distributions are made once, and hashing one costs more
        for trial_id, trial in zip(ids, trials, strict=True):
            for name, value in trial.params.items():
                kind = trial.distributions[name]
                if id(kind) not in written:
                    written[id(kind)] = distribution_to_json(kind)
                params.append(
                    {
                        "trial_id": trial_id,
                        "param_name": name,
                        "param_value": kind.to_internal_repr(value),
                        "distribution_json": written[id(kind)],
                    }
                )
            for objective, value in enumerate(trial.values):
                stored, kind_of = models.TrialValueModel.value_to_stored_repr(value)
                row = {"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind_of}
                values.append(row)
            for attrs, out in ((trial.user_attrs, users), (trial.system_attrs, systems)):
                out += [{"trial_id": trial_id, "key": key, "value_json": json.dumps(v)} for key, v in attrs.items()]
        for model, items in (
            (models.TrialParamModel, params),
            (models.TrialValueModel, values),
            (models.TrialUserAttributeModel, users),
            (models.TrialSystemAttributeModel, systems),
        ):
            if items:
                session.execute(insert(model.__table__), items)
    return True


class _Collector:
    """A journal's backend that keeps what is written to it."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.logs += logs

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        del log_number_from
        return []


def _append(storage: JournalStorage, study_id: int, trials: Sequence[FrozenTrial]) -> None:
    """Optuna's own lines for each trial, written together."""
    collector, backend = _Collector(), storage._backend
    vars(storage._replay_result).setdefault("_last_created_trial_id_by_this_process", -1)  # read after each write
    storage._backend = collector
    try:
        for trial in trials:
            storage.create_new_trial(study_id, trial)
    finally:
        storage._backend = backend
    backend.append_logs(collector.logs)
    storage._sync_with_backend()
