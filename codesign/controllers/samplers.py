"""Optuna's own samplers as controllers: a proposal depends on the seed, the trial's number and the history alone.

Optuna keeps random state in the process, where a kill loses it. Here each proposal gets a fresh sampler whose seed is
derived from the run's seed and the trial's number; whatever else a sampler remembers, Optuna keeps in the storage.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from codesign.controllers.base import ControllerContext
from codesign.decisions import Decision
from codesign.seeds import derive_seed


def distributions(decisions: Sequence[Decision]) -> dict[str, CategoricalDistribution]:
    """Optuna's form of a list of decisions."""
    return {decision.name: CategoricalDistribution(decision.choices) for decision in decisions}


class SeededSampler(BaseSampler):  # type: ignore[misc] # optuna is not followed by the type checker
    """Makes a fresh sampler for every proposal.

    Args:
        make: seed to sampler.
        context: what the controller is told.
    """

    def __init__(self, make: Callable[[int], BaseSampler], context: ControllerContext) -> None:
        self._make = make
        self._seed = context.seed
        self._space: dict[str, BaseDistribution] = {
            name: distribution
            for name, distribution in distributions(context.decisions).items()
            if not distribution.single()
        }

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All decisions with more than one choice: the space never changes within a study."""
        return self._space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Decisions that the sampler proposes together."""
        sampler = self._make(derive_seed(self._seed, trial.number))
        proposed: dict[str, Any] = sampler.sample_relative(study, trial, search_space)
        return proposed

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """One decision, seeded by its name: a trial that was cut off half-way is completed as it began."""
        sampler = self._make(derive_seed(self._seed, trial.number, param_name))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """What the sampler writes to the storage when a trial ends."""
        self._make(derive_seed(self._seed, trial.number)).after_trial(study, trial, state, values)


def nsga2(context: ControllerContext) -> BaseSampler:
    """NSGA-II; a generation is a batch."""

    def make(seed: int) -> BaseSampler:
        return NSGAIISampler(
            population_size=context.batch,
            crossover_prob=context.options["crossover_probability"],
            mutation_prob=context.options["mutation_probability"],
            seed=seed,
        )

    return SeededSampler(make, context)


def random(context: ControllerContext) -> BaseSampler:
    """Even draws."""
    return SeededSampler(lambda seed: RandomSampler(seed=seed), context)


def tpe(context: ControllerContext) -> BaseSampler:
    """Multi-objective TPE; running trials count as bad ones, so that a batch spreads."""

    def make(seed: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return TPESampler(
                n_startup_trials=int(context.options["startup_trials"]),
                seed=seed,
                multivariate=True,
                constant_liar=True,
            )

    return SeededSampler(make, context)
