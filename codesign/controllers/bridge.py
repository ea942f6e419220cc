"""Optuna's samplers as controllers that are asked and told: a study in memory, rebuilt by telling it again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import optuna
from optuna.samplers import BaseSampler

from codesign.controllers import base, reinforce, samplers
from codesign.controllers.controller import ControllerContext, Told
from codesign.decisions import Decision, Point
from codesign.objectives.rewards import SoftConstraint


class SamplerController:
    """A study in memory.

    Args:
        context: of the search; every decision is active at every point.
        make: the sampler of a registered name's options.
    """

    def __init__(self, context: ControllerContext, make: Callable[[base.ControllerContext], BaseSampler]) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._context = context
        reward = context.goal.reward
        old = base.Reward()
        if isinstance(reward, SoftConstraint):
            old = base.Reward(reward.target, reward.above, context.goal.infeasible_reward)
        choices = tuple(decision for decision in context.space.decisions if isinstance(decision, Decision))
        told = base.ControllerContext(context.seed, choices, context.batch, old, dict(context.options))
        self._kinds = samplers.distributions(told.decisions)
        directions = [metric.direction for metric in context.goal.metrics]
        self._study = optuna.create_study(sampler=make(told), directions=directions)
        self._open: list[optuna.Trial] = []

    def ask(self, count: int) -> list[Point]:
        """As the sampler proposes."""
        asked = [self._study.ask(self._kinds) for _ in range(count)]
        self._open += asked
        return [{name: trial.params[name] for name in self._context.space.names} for trial in asked]

    def tell(self, told: Sequence[Told]) -> None:
        """In the order in which they were asked for; the rest of a batch that was cut short is given up."""
        goal = self._context.goal
        for item, trial in zip(told, self._open, strict=False):
            trial.set_constraint("bounds", item.outcome.violation)
            worst = [-math.inf if metric.maximize else math.inf for metric in goal.metrics]
            values = [item.outcome.metrics[name] for name in goal.objectives] if item.outcome.feasible else worst
            self._study.tell(trial, values)
        self._open = []


def tpe(context: ControllerContext) -> SamplerController:
    """Multi-objective TPE."""
    return SamplerController(context, samplers.tpe)


def policy(context: ControllerContext) -> SamplerController:
    """LSTM + REINFORCE."""
    return SamplerController(context, reinforce.reinforce)
