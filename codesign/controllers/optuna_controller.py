"""Optuna's samplers as controllers: TPE, NSGA-III, CMA-ES, Gaussian processes.

Each controller holds a study in memory and is told everything, so that whatever the sampler remembers is rebuilt when
the journal is told again. Ordered choices are integers to the sampler, others are categories; decisions that depend on
others are suggested only where they are active.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState, create_trial

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.proposals import Key, Seen, key_of, step
from codesign.controllers.threads import one_thread
from codesign.decisions import Decision, Permutation, Point, Real, Variable

_WORST = 1e30
#: Times that a sampler is asked for something new.
_ASKED = 8


def _distribution(decision: Variable) -> dict[str, BaseDistribution]:
    if isinstance(decision, Real):
        return {decision.name: FloatDistribution(decision.low, decision.high, log=decision.log)}
    if isinstance(decision, Permutation):  # an order by the importance of its items
        return {f"{decision.name}/{item}": FloatDistribution(0.0, 1.0) for item in decision.items}
    if decision.ordered and all(not isinstance(choice, str) for choice in decision.choices):
        return {decision.name: IntDistribution(0, len(decision.choices) - 1)}
    return {decision.name: CategoricalDistribution(tuple(range(len(decision.choices))))}


def _to_params(decision: Variable, value: Any) -> dict[str, Any]:
    if isinstance(decision, Decision):
        return {decision.name: decision.choices.index(value)}
    if isinstance(decision, Real):
        return {decision.name: float(value)}
    last = len(decision.items) - 1
    return {f"{decision.name}/{item}": 1.0 - value.index(item) / last for item in decision.items}


def _to_value(decision: Variable, params: dict[str, Any]) -> Any:
    if isinstance(decision, Decision):
        return decision.choices[int(params[decision.name])]
    if isinstance(decision, Real):
        return float(params[decision.name])
    return tuple(sorted(decision.items, key=lambda item: -params[f"{decision.name}/{item}"]))


class OptunaController:
    """A study in memory under one of Optuna's samplers.

    Args:
        context: of the search.
        make: seed to sampler.
        asked: how often it is asked for one proposal while it proposes what is known.
    """

    def __init__(self, context: ControllerContext, make: Callable[[int], BaseSampler], *, asked: int = _ASKED) -> None:
        self._context, self._most_asked = context, asked
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        seed = int(context.rng("optuna").integers(2**31))
        directions = ["minimize"] * len(context.goal.objectives)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study = optuna.create_study(sampler=make(seed), directions=directions)
        self._open: dict[Key, list[Trial]] = {}
        self._known: dict[Key, Told] = {}
        self._seen, self._rng = Seen(), context.rng("optuna", "steps")

    def _suggest(self, trial: Trial) -> Point:
        point: Point = {}
        for decision in self._context.space.decisions:
            if not all(condition.holds(point) for condition in decision.when):
                continue
            params: dict[str, Any] = {}
            for name, kind in _distribution(decision).items():
                if isinstance(kind, IntDistribution):
                    params[name] = trial.suggest_int(name, kind.low, kind.high)
                elif isinstance(kind, FloatDistribution):
                    params[name] = trial.suggest_float(name, kind.low, kind.high, log=kind.log)
                else:
                    params[name] = trial.suggest_categorical(name, kind.choices)
            point[decision.name] = _to_value(decision, params)
        return point

    @one_thread
    def ask(self, count: int) -> list[Point]:
        """The sampler's proposals; trials that are open count as bad ones where it can do so.

        A proposal that is known is told to the sampler at once, and it is asked again; where it goes on with known
        ones, a step from the last of them is proposed.
        """
        out = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(count):
                trial, point = self._asked()
                if trial is None:
                    near = lambda point=point: step(self._context.space, point, self._rng, 0.0)  # noqa: E731
                    point = self._seen.fresh(near, lambda: self._context.space.draw(self._rng))
                else:
                    self._seen.add(point)
                    self._open.setdefault(key_of(point), []).append(trial)
                out.append(point)
        return out

    def _asked(self) -> tuple[Trial | None, Point]:
        """A trial whose point is new; None with the last point that the sampler proposed where none of a few is."""
        for _ in range(self._most_asked):
            trial = self._study.ask()
            point = self._suggest(trial)
            if point not in self._seen:
                return trial, point
            known = self._known.get(key_of(point))
            if known is None:  # proposed in this batch, and not told yet
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                self._tell(trial, known)
        return None, point

    def _tell(self, trial: Trial, item: Told) -> None:
        trial.set_constraint("bounds", item.outcome.violation)
        self._study.tell(trial, self._values(item))

    def _values(self, item: Told) -> list[float]:
        costs = self._context.goal.costs([item.outcome])[0]
        return [float(np.clip(value, -_WORST, _WORST)) for value in costs]

    def tell(self, told: Sequence[Told]) -> None:
        """Everything goes into the study, also what others proposed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for item in told:
                key = key_of(item.point)
                self._seen.add(item.point)
                self._known[key] = item
                waiting = self._open.get(key)
                if waiting:
                    self._tell(waiting.pop(0), item)
                else:
                    self._study.add_trial(self._foreign(item))

    def _foreign(self, item: Told) -> optuna.trial.FrozenTrial:
        decisions = [decision for decision in self._context.space.decisions if decision.name in item.point]
        params: dict[str, Any] = {}
        kinds: dict[str, BaseDistribution] = {}
        for decision in decisions:
            params |= _to_params(decision, item.point[decision.name])
            kinds |= _distribution(decision)
        return create_trial(
            params=params,
            distributions=kinds,
            values=self._values(item),
            constraints={"bounds": item.outcome.violation},
        )


def tpe(context: ControllerContext) -> OptunaController:
    """Multi-objective TPE (Ozaki 2022); open trials count as bad ones, so that a batch spreads."""

    def make(seed: int) -> BaseSampler:
        return optuna.samplers.TPESampler(
            n_startup_trials=int(context.options["startup_trials"]),
            n_ei_candidates=int(context.options["candidates"]),
            seed=seed,
            multivariate=True,
            group=any(decision.when for decision in context.space.decisions),
            constant_liar=True,
        )

    return OptunaController(context, make)


def nsga3(context: ControllerContext) -> OptunaController:
    """NSGA-III (Deb 2014)."""

    def make(seed: int) -> BaseSampler:
        return optuna.samplers.NSGAIIISampler(
            population_size=int(context.options["population"]) or max(context.batch, 4),
            crossover_prob=float(context.options["crossover_probability"]),
            seed=seed,
        )

    return OptunaController(context, make)


def gp(context: ControllerContext) -> OptunaController:
    """A Gaussian process an objective; log expected (hypervolume) improvement with constraints (Optuna's GPSampler)."""

    def make(seed: int) -> BaseSampler:
        return optuna.samplers.GPSampler(
            seed=seed, n_startup_trials=int(context.options["startup_trials"]), deterministic_objective=True
        )

    # What it proposes is the best by what is known: told again that it is known, it proposes the same, at a fit's time.
    return OptunaController(context, make, asked=1)
