"""A continuous agent that decides step by step: deep deterministic policy gradient (Lillicrap 2016; HAQ, AMC).

An actor gives an action in 0..1 for a state, a critic what the rest of the episode is worth. Every step of an episode
has the episode's reward less a moving average of rewards (He 2018, Wang 2019); actions are explored by a normal that
is cut to 0..1 and narrows from episode to episode, after some episodes of even draws.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.controllers.threads import one_thread

#: Weight of the newest rewards in their moving average.
_BASELINE_RATE = 0.05


@dataclass(frozen=True)
class AgentOptions:
    """How the agent learns.

    Attributes:
        hidden: width of both layers of actor and critic.
        actor_rate, critic_rate: of their Adam.
        warmup: episodes whose actions are drawn evenly.
        noise: standard deviation of exploration in the first episode after those.
        noise_decay: factor of it from one episode to the next.
        replayed: transitions of an update.
        updates: of actor and critic for each step of an episode.
        follow: how far the targets go towards actor and critic at each update.
    """

    hidden: int = 64
    actor_rate: float = 1e-3
    critic_rate: float = 1e-3
    warmup: int = 20
    noise: float = 0.5
    noise_decay: float = 0.97
    replayed: int = 64
    updates: int = 1
    follow: float = 0.02


@dataclass(frozen=True)
class Transition:
    """One step: its state [features], action, reward of the episode, and the state after it (None: it was the last)."""

    state: NDArray[np.float64]
    action: float
    reward: float
    after: NDArray[np.float64] | None


def _network(inputs: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
    )


class Agent:
    """Actor, critic and what they remember.

    Args:
        features: of a state.
        options: how it learns.
        seed: of all draws.
    """

    def __init__(self, features: int, options: AgentOptions, seed: int) -> None:
        self._options = options
        self._rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._actor, self._critic = _network(features, options.hidden), _network(features + 1, options.hidden)
        last = self._actor[-1]
        assert isinstance(last, nn.Linear)
        nn.init.uniform_(last.weight, -3e-3, 3e-3, generator=torch.Generator().manual_seed(seed))
        nn.init.zeros_(last.bias)  # the first action is in the middle
        self._actor_target, self._critic_target = deepcopy(self._actor), deepcopy(self._critic)
        self._actor_optimizer = torch.optim.Adam(self._actor.parameters(), lr=options.actor_rate)
        self._critic_optimizer = torch.optim.Adam(self._critic.parameters(), lr=options.critic_rate)
        self._memory: deque[Transition] = deque(maxlen=20_000)
        self._baseline: float | None = None
        self.episodes = 0

    @property
    def noise(self) -> float:
        """Standard deviation of exploration now."""
        return self._options.noise * self._options.noise_decay ** max(0, self.episodes - self._options.warmup)

    @one_thread
    def action(self, state: NDArray[np.float64], *, explore: bool = True) -> float:
        """In 0..1."""
        if explore and self.episodes < self._options.warmup:
            return float(self._rng.random())
        with torch.no_grad():
            mean = float(torch.sigmoid(self._actor(_tensor([state])))[0, 0])
        if not explore:
            return mean
        for _ in range(100):
            found = float(self._rng.normal(mean, self.noise))
            if 0.0 <= found <= 1.0:
                return found
        return mean

    @one_thread
    def learn(self, episode: Sequence[Transition]) -> None:
        """Remember an episode and, after those that are drawn evenly, update on what is remembered."""
        self._memory.extend(episode)
        self.episodes += 1
        reward = episode[0].reward
        past = reward if self._baseline is None else self._baseline
        self._baseline = past + _BASELINE_RATE * (reward - past)
        if self.episodes < self._options.warmup:
            return
        for _ in range(len(episode) * self._options.updates):
            self._update()

    def _update(self) -> None:
        count = min(self._options.replayed, len(self._memory))
        chosen = [self._memory[int(place)] for place in self._rng.choice(len(self._memory), count, replace=False)]
        states, actions = _tensor([item.state for item in chosen]), _tensor([[item.action] for item in chosen])
        goes_on = _tensor([[item.after is not None] for item in chosen])
        after = _tensor([item.state if item.after is None else item.after for item in chosen])
        assert self._baseline is not None, "an episode has been told"
        gained = _tensor([[item.reward - self._baseline] for item in chosen])
        with torch.no_grad():
            next_actions = torch.sigmoid(self._actor_target(after))
            worth = gained + goes_on * self._critic_target(torch.cat((after, next_actions), dim=1))
        loss = (self._critic(torch.cat((states, actions), dim=1)) - worth).square().mean()
        self._critic_optimizer.zero_grad()
        loss.backward()
        self._critic_optimizer.step()
        gain = self._critic(torch.cat((states, torch.sigmoid(self._actor(states))), dim=1)).mean()
        self._actor_optimizer.zero_grad()
        (-gain).backward()
        self._actor_optimizer.step()
        with torch.no_grad():
            for target, source in ((self._actor_target, self._actor), (self._critic_target, self._critic)):
                for old, new in zip(target.parameters(), source.parameters(), strict=True):
                    old.lerp_(new, self._options.follow)


def _tensor(values: Sequence[object]) -> Tensor:
    return torch.tensor(np.asarray(values, np.float32))
