"""The controllers by name. Loads neither torch nor optuna, so that listing stays quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from codesign.controllers.controller import Controller, ControllerContext, ControllerFactory, Told
from codesign.decisions import Point
from codesign.objectives.front import ranked
from codesign.plugin import Plugin
from mappings.registry import Registry


@dataclass(frozen=True)
class ControllerEntry(Plugin[ControllerFactory]):
    """One controller.

    Attributes:
        discrete: it takes spaces of choices only.
    """

    discrete: bool = False


class RandomSearch:
    """Every decision drawn evenly."""

    def __init__(self, context: ControllerContext) -> None:
        self._space, self._rng = context.space, context.rng("random")

    def ask(self, count: int) -> list[Point]:
        """Fresh draws."""
        return [self._space.draw(self._rng) for _ in range(count)]

    def tell(self, told: Sequence[Told]) -> None:
        """Nothing is learned."""


class Nsga2:
    """Constrained non-dominated sorting (Deb 2002); a generation is what is asked for at once."""

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng = context, context.rng("nsga2")
        self._parents: list[Told] = []

    def ask(self, count: int) -> list[Point]:
        """Children of the parents; draws at first."""
        space, rng = self._context.space, self._rng
        if len(self._parents) < 2:
            return [space.draw(rng) for _ in range(count)]
        out = []
        for _ in range(count):
            first, second = (min(rng.integers(len(self._parents), size=2)) for _ in range(2))
            child = space.crossover(self._parents[first].point, self._parents[second].point, rng)
            out.append(space.mutate(child, rng, 1 + int(rng.integers(3))))
        return out

    def tell(self, told: Sequence[Told]) -> None:
        """The best of parents and children, by rank and crowding."""
        pool = [*self._parents, *told]
        order = ranked(self._context.goal, [item.outcome for item in pool])
        self._parents = [pool[place] for place in order[: max(self._context.batch, 2)]]


def _register_builtins(registry: Registry[ControllerEntry]) -> None:
    here = "codesign.controllers.registry"
    registry.register("random", ControllerEntry("every decision drawn evenly", f"{here}:RandomSearch"))
    summary = "non-dominated sorting genetic algorithm, constrained domination"
    registry.register("nsga2", ControllerEntry(summary, f"{here}:Nsga2", source="Deb 2002"))
    bridge = "codesign.controllers.bridge"
    summary = "tree-structured Parzen estimator, multi-objective"
    startup = {"startup_trials": 24}
    registry.register("tpe", ControllerEntry(summary, f"{bridge}:tpe", startup, "Ozaki 2022", discrete=True))
    options: dict[str, float] = {"hidden": 48, "learning_rate": 0.01, "entropy_weight": 0.003, "baseline_decay": 0.8}
    summary = "LSTM policy, REINFORCE on the soft-constraint reward"
    registry.register("reinforce", ControllerEntry(summary, f"{bridge}:policy", options, "Zoph 2017", discrete=True))


CONTROLLERS: Registry[ControllerEntry] = Registry("controller", _register_builtins)


def make_controller(name: str, context: ControllerContext, where: str = "controller") -> Controller:
    """The controller of that name; options that the context leaves out take their defaults.

    Raises:
        SpecError: unknown name or option.
    """
    entry = CONTROLLERS.get(name, where)
    return entry.load()(replace(context, options=entry.checked(context.options, f"{where}.options")))
