"""An agent goes through the layers of a network and compresses each, within a limit (He 2018, AMC; Wang 2019, HAQ)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.controllers.ddpg import Agent, AgentOptions, Transition
from codesign.decisions import Decision, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined, options_of, tightest_limit, uncompressed
from codesign.objectives import Limit, Outcome
from codesign.seeds import derive_seed
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.workload import Workload


class LayerAgent:
    """Each trial is an episode: one action for each decision of the compression, layer by layer.

    The agent sees the layer, what has been saved so far, what the layers behind can still save, and its last action. An
    action in 0..1 is a choice, the first for 0 and the last for 1. The tightest limit that the cheap providers know
    holds in every episode: ``limit: lowered``, choices are lowered afterwards, one step a layer from the last layer to
    the first and round again, until it does (HAQ); ``limit: bounded``, no action goes beyond what leaves the layers
    behind a way to meet it (AMC). The agent learns from its own actions, as bounded.

    Options: ``limit``, those of :class:`AgentOptions`, ``held`` (decisions of network and hardware; else the last
    choice of the network's, and drawn ones of the hardware's).
    """

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: a limit that even the smallest choices break, or nothing to compress.
        """
        episodes, ledger = _Episodes(context), Ledger(context)
        agent = Agent(episodes.features, options_of(AgentOptions, context), derive_seed(context.seed, "layer agent"))
        while ledger.left > 0:
            taken = [episodes.decided(agent) for _ in range(min(context.batch, ledger.left))]
            told = ledger.measure([episodes.point(episode.choices) for episode in taken], "episode")
            for episode, item in zip(taken, told, strict=True):
                agent.learn(episode.transitions(episodes.reward(item.outcome)))


@dataclass(frozen=True)
class _Episode:
    """What the agent saw and did, and the choices that were run."""

    states: tuple[NDArray[np.float64], ...]
    actions: tuple[float, ...]
    choices: tuple[int, ...]

    def transitions(self, reward: float) -> list[Transition]:
        """Its steps; each has the reward of the whole."""
        after = (*self.states[1:], None)
        return [
            Transition(state, action, reward, then)
            for state, action, then in zip(self.states, self.actions, after, strict=True)
        ]


class _Episodes:
    """The network to compress, its layers as an agent sees them, and what choices cost."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._whole, workload, space = uncompressed(context, "layer agent")
        subjects = space.compression.subjects(workload)  # type: ignore[attr-defined]
        self._decisions = [d for d in _compression(context) if d.name in subjects and len(d.choices) > 1]
        if not self._decisions:
            raise SpecError(Fault("driver layer_agent", "has nothing to compress", "two or more choices a layer"))
        order = list(subjects)
        self._decisions.sort(key=lambda decision: order.index(decision.name))
        self._layers = [_seen(workload, subjects[d.name]) for d in self._decisions]
        self._costs: dict[tuple[int, ...], float] = {}
        self._limit: Limit | None = None
        self._limit = self._tightest()

    @property
    def features(self) -> int:
        """Of a state."""
        return len(self._layers[0]) + 3

    @property
    def _largest(self) -> tuple[int, ...]:
        return tuple(len(decision.choices) - 1 for decision in self._decisions)

    def point(self, choices: tuple[int, ...]) -> Point:
        """The whole point; decisions that are about no layer of this network have their last choice."""
        chosen = {d.name: d.choices[place] for d, place in zip(self._decisions, choices, strict=True)}
        return joined(self._context, self._whole, chosen)

    def _tightest(self) -> Limit | None:
        """The limit that the uncompressed network breaks most; None: nothing is limited."""
        self._limit = found = tightest_limit(self._context, self._whole)
        if found is None:
            return None
        if found.excess(least := self._cost((0,) * len(self._decisions))) > 0:
            what = f"is {least:.4g} with the smallest choice of every layer"
            raise SpecError(Fault(f"limits.{found.metric}", what, f"at least {least:.4g}"))
        return found

    def _cost(self, choices: tuple[int, ...]) -> float:
        assert self._limit is not None, "asked where something is limited"
        if choices not in self._costs:
            (outcome,) = self._context.problem.price(self.point(choices), [{}])
            self._costs[choices] = outcome.metrics[self._limit.metric]
        return self._costs[choices]

    def _over(self, choices: tuple[int, ...]) -> bool:
        return self._limit is not None and self._limit.excess(self._cost(choices)) > 0

    def _state(self, before: tuple[int, ...], last: float) -> NDArray[np.float64]:
        """What is known when the choices before a layer have been made.

        Args:
            last: the last action.
        """
        place = len(before)
        saved = left = 0.0
        if self._limit is not None:
            whole = self._cost(self._largest)
            now = self._cost(before + self._largest[place:])
            least = self._cost(before + (0,) * (len(self._largest) - place))
            saved, left = 1.0 - now / whole, 1.0 - least / now
        return np.array([*self._layers[place], saved, left, last])

    def decided(self, agent: Agent) -> _Episode:
        """One episode, within the limit."""
        bounded = self._context.options["limit"] == "bounded"
        chosen: tuple[int, ...] = ()
        states, actions = list[NDArray[np.float64]](), list[float]()
        for decision in self._decisions:
            states.append(self._state(chosen, actions[-1] if actions else 0.5))
            count, action = len(decision.choices), agent.action(states[-1])
            choice = asked = min(int(action * count), count - 1)
            behind = (0,) * (len(self._decisions) - len(chosen) - 1)
            while bounded and choice > 0 and self._over((*chosen, choice, *behind)):
                choice -= 1
            actions.append(action if choice == asked else (choice + 0.5) / count)
            chosen = (*chosen, choice)
        return _Episode(tuple(states), tuple(actions), self._lowered(chosen))

    def _lowered(self, choices: tuple[int, ...]) -> tuple[int, ...]:
        """One step a layer, from the last to the first and round again, until the limit holds."""
        now = list(choices)
        while self._over(tuple(now)):
            for place in reversed(range(len(now))):
                if now[place] > 0:
                    now[place] -= 1
                    if not self._over(tuple(now)):
                        break
        return tuple(now)

    def reward(self, outcome: Outcome) -> float:
        """The goal's own, or its first objective."""
        goal = self._context.problem.goal
        if not outcome.feasible:
            return goal.infeasible_reward - outcome.violation
        if goal.reward is not None:
            return goal.reward(outcome.metrics)
        value = outcome.metrics[goal.objectives[0]]
        return value if goal.metrics[0].maximize else -value


def _compression(context: DriverContext) -> tuple[Decision, ...]:
    return context.problem.space.of_groups("compression").choices


def _seen(workload: Workload, names: tuple[str, ...]) -> NDArray[np.float64]:
    """The layers that a decision is about, as numbers of about 0 to 1."""
    layers: list[Layer] = [workload.by_name[name] for name in names]
    first = layers[0]
    weights = sum(layer.elements["W"] for layer in workload.layers)
    place = [layer.name for layer in workload.layers].index(first.name)
    return np.array(
        [
            place / len(workload.layers),
            np.log2(first.channels_out) / 10,
            np.log2(first.channels_in) / 10,
            np.log2(first.P * first.Q) / 16,
            first.stride[0] / 2,
            first.R / 7,
            float(first.is_depthwise),
            sum(layer.elements["W"] for layer in layers) / max(weights, 1),
            sum(layer.macs for layer in layers) / max(workload.macs, 1),
        ]
    )
