"""An LSTM policy trained with REINFORCE, as an Optuna sampler (Zoph 2017; reward after MnasNet, Tan 2019).

The policy writes the decisions one after another, each given those before it. After every batch of trials one
gradient step moves it towards the rewarded ones, against a moving baseline, with an entropy bonus. The weights are a
function of the seed and of the finished batches: they are rebuilt from the storage after a restart, never saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from torch import Tensor, nn

from codesign.controllers.base import ControllerContext, Reward
from codesign.controllers.samplers import distributions
from codesign.decisions import Choice, Decision, Point
from codesign.seeds import derive_seed


class Policy(nn.Module):
    """Decisions in order, each from an embedding of the one before through one LSTM cell.

    Args:
        decisions: the space.
        hidden: width of the cell.
    """

    def __init__(self, decisions: Sequence[Decision], hidden: int) -> None:
        super().__init__()
        self.decisions = tuple(decisions)
        self.start = nn.Parameter(torch.zeros(hidden))
        self.cell = nn.LSTMCell(hidden, hidden)
        self.heads = nn.ModuleList(nn.Linear(hidden, len(decision.choices)) for decision in decisions)
        self.embeddings = nn.ModuleList(nn.Embedding(len(decision.choices), hidden) for decision in decisions)

    def forward(self, chosen: Tensor | None, count: int, generator: torch.Generator | None) -> tuple[Tensor, ...]:
        """Draw, or follow given choices.

        Args:
            chosen: indices of choices [n, decisions] to follow; None: draw ``count`` sequences with ``generator``.

        Returns:
            indices [n, decisions], log-probability of each sequence [n], mean entropy of the steps [n].
        """
        state = None
        value = self.start.expand(count, -1)
        indices, log_probability, entropy = [], torch.zeros(count), torch.zeros(count)
        for step, (head, embedding) in enumerate(zip(self.heads, self.embeddings, strict=True)):
            state = self.cell(value, state)
            logs = torch.log_softmax(head(state[0]), dim=-1)
            index = (
                torch.multinomial(logs.exp(), 1, generator=generator).squeeze(1) if chosen is None else chosen[:, step]
            )
            log_probability = log_probability + logs.gather(1, index[:, None]).squeeze(1)
            entropy = entropy - (logs.exp() * logs).sum(dim=1) / len(self.decisions)
            indices.append(index)
            value = embedding(index)
        return torch.stack(indices, dim=1), log_probability, entropy

    def indices(self, point: Point) -> list[int]:
        """A point as indices of choices."""
        return [decision.choices.index(point[decision.name]) for decision in self.decisions]


def trial_reward(trial: FrozenTrial, reward: Reward) -> float:
    """Reward of a finished trial whose values are accuracy, latency, ...; the floor where it breaks a bound."""
    if trial.values is None or any(value > 0 for value in trial.constraints.values()):
        return reward.infeasible
    return reward(trial.values[0], trial.values[1])


class ReinforceSampler(BaseSampler):  # type: ignore[misc] # optuna is not followed by the type checker
    """Proposes with the policy that the finished batches have trained.

    Args:
        context: what the controller is told; options ``hidden``, ``learning_rate``, ``entropy_weight``,
            ``baseline_decay``.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context = context
        self._space: dict[str, BaseDistribution] = dict(distributions(context.decisions))
        self._reset()

    def _reset(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self._context.seed, "policy"))
            self._policy = Policy(self._context.decisions, int(self._context.options["hidden"]))
        self._optimizer = torch.optim.Adam(self._policy.parameters(), lr=self._context.options["learning_rate"])
        self._baseline: float | None = None
        self._batches = 0
        self._study_name = ""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All decisions."""
        return self._space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """One sequence of decisions."""
        self._catch_up(study, trial.number // self._context.batch)
        generator = torch.Generator().manual_seed(derive_seed(self._context.seed, trial.number))
        with torch.no_grad():
            indices = self._policy(None, 1, generator)[0][0].tolist()
        chosen: dict[str, Choice] = {
            decision.name: decision.choices[index]
            for decision, index in zip(self._context.decisions, indices, strict=True)
        }
        return {name: chosen[name] for name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A parameter outside the space: drawn evenly."""
        seed = derive_seed(self._context.seed, trial.number, param_name)
        return RandomSampler(seed=seed).sample_independent(study, trial, param_name, param_distribution)

    def _catch_up(self, study: Study, batch: int) -> None:
        """Train on every finished batch before ``batch``, in order."""
        if self._study_name != study.study_name or self._batches > batch:
            self._reset()
            self._study_name = study.study_name
        if self._batches == batch:
            return
        finished = {t.number: t for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
        size = self._context.batch
        while self._batches < batch:
            numbers = range(self._batches * size, (self._batches + 1) * size)
            self._update([finished[number] for number in numbers if number in finished])
            self._batches += 1

    def _update(self, trials: Sequence[FrozenTrial]) -> None:
        """One REINFORCE step on a batch of trials."""
        known = [trial for trial in trials if all(d.name in trial.params for d in self._context.decisions)]
        if not known:
            return
        rewards = torch.tensor([trial_reward(trial, self._context.reward) for trial in known])
        mean = float(rewards.mean())
        decay = self._context.options["baseline_decay"]
        self._baseline = mean if self._baseline is None else decay * self._baseline + (1 - decay) * mean
        spread = float(rewards.std(unbiased=False)) + 1e-6
        advantage = (rewards - self._baseline) / spread
        chosen = torch.tensor([self._policy.indices(trial.params) for trial in known])
        _, log_probability, entropy = self._policy(chosen, len(known), None)
        loss = -(advantage * log_probability).mean() - self._context.options["entropy_weight"] * entropy.mean()
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._policy.parameters(), 5.0)
        self._optimizer.step()


def reinforce(context: ControllerContext) -> BaseSampler:
    """The LSTM policy."""
    return ReinforceSampler(context)
