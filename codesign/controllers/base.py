"""What a controller is, and the registry of them. Loads neither torch nor optuna, so that listing stays quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from codesign.decisions import Decision
from codesign.plugin import Plugin
from mappings.registry import Registry

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True)
class Reward:
    """MnasNet's soft constraint (Tan 2019, eq. 2): ``accuracy * (latency / target) ^ exponent``.

    Attributes:
        target_latency_ms: T.
        exponent: w; negative, so that slower is worse.
        infeasible: reward of a design that breaks a bound.
    """

    target_latency_ms: float = 1.0
    exponent: float = -0.07
    infeasible: float = 0.0

    def __call__(self, accuracy: float, latency_ms: float) -> float:
        """Reward of a feasible design."""
        return accuracy * float((latency_ms / self.target_latency_ms) ** self.exponent)


@dataclass(frozen=True)
class ControllerContext:
    """What a controller is told.

    Attributes:
        seed: of the run; equal seeds and equal histories make equal proposals.
        decisions: the space, in order.
        batch: trials that are asked for before any of them is told: one generation.
        reward: for controllers that climb a single number.
        options: the recipe's ``controller_options``, by name.
    """

    seed: int
    decisions: tuple[Decision, ...]
    batch: int
    reward: Reward = field(default_factory=Reward)
    options: Mapping[str, float] = field(default_factory=dict)


#: A controller makes an Optuna sampler. Its proposals must depend on the context, the trial's number and the trials of
#: finished batches alone: then a resumed run goes on as the uninterrupted one would have.
ControllerFactory: TypeAlias = "Callable[[ControllerContext], BaseSampler]"


def _register_builtins(registry: Registry[Plugin[ControllerFactory]]) -> None:
    samplers = "codesign.controllers.samplers"
    registry.register(
        "nsga2",
        Plugin(
            "non-dominated sorting genetic algorithm (Deb 2002), constrained domination",
            f"{samplers}:nsga2",
            {"crossover_probability": 0.9, "mutation_probability": 0.12},
        ),
    )
    registry.register("random", Plugin("every decision drawn evenly", f"{samplers}:random"))
    summary = "tree-structured Parzen estimator, multi-objective (Ozaki 2022)"
    registry.register("tpe", Plugin(summary, f"{samplers}:tpe", {"startup_trials": 24}))
    registry.register(
        "reinforce",
        Plugin(
            "LSTM policy trained with REINFORCE on MnasNet's soft-constraint reward (Zoph 2017, Tan 2019)",
            "codesign.controllers.reinforce:reinforce",
            {"hidden": 48, "learning_rate": 0.01, "entropy_weight": 0.003, "baseline_decay": 0.8},
        ),
    )


CONTROLLERS: Registry[Plugin[ControllerFactory]] = Registry("controller", _register_builtins)


def make_sampler(name: str, context: ControllerContext, where: str = "controller") -> BaseSampler:
    """The sampler of a registered controller; options that the context leaves out take their defaults.

    Raises:
        SpecError: unknown name or option.
    """
    plugin = CONTROLLERS.get(name, where)
    options = plugin.checked(context.options, f"{where}_options")
    return plugin.load()(replace(context, options=options))
