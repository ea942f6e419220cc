"""The controllers by name. Loads neither torch nor optuna, so that listing stays quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from codesign.controllers.controller import Controller, ControllerContext, ControllerFactory
from codesign.plugin import load_target
from mappings.errors import Fault, SpecError, nearest
from mappings.registry import Registry


@dataclass(frozen=True)
class ControllerEntry:
    """One controller.

    Attributes:
        summary: one line for ``codesign list``.
        target: the factory, or ``module:attribute``.
        source: whose method it is (Lastname YEAR).
        options: by name with their defaults; a given value must be of the default's type.
        discrete: it takes spaces of choices only.
    """

    summary: str
    target: ControllerFactory | str
    source: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    discrete: bool = False

    def checked(self, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        """All options, the given ones over the defaults.

        Raises:
            SpecError: unknown options, or values of another type; all at once.
        """
        faults = []
        for name, value in given.items():
            if name not in self.options:
                near = nearest(name, self.options)
                faults.append(Fault(where, f'unknown option "{name}"{near}', ", ".join(self.options) or "none"))
                continue
            default = self.options[name]
            wanted: tuple[type, ...] = (int, float) if isinstance(default, float) else (type(default),)
            if not isinstance(value, wanted) or isinstance(value, bool) != isinstance(default, bool):
                faults.append(Fault(f"{where}.{name}", f"is {value!r}", f"{wanted[-1].__name__}, such as {default!r}"))
        if faults:
            raise SpecError(faults)
        return {**self.options, **given}


_EVOLUTION = {"population": 0, "crossover_probability": 0.9, "mutation_probability": 0.0, "mutated_share": 0.9}
_POLICY = {
    "hidden": 48,
    "learning_rate": 0.01,
    "entropy_weight": 0.01,
    "update_every": 16,
    "window": 400,
}
_SURROGATE = {
    "model": "trees",
    "trees": 60,
    "startup_trials": 40,
    "refit_every": 20,
    "most_trials": 1500,
    "offspring": 400,
    "parents": 40,
    "random_share": 0.2,
    "optimism": 0.5,
    "progressive": 0,
}


def _register_builtins(registry: Registry[ControllerEntry]) -> None:
    here = "codesign.controllers"
    entries = {
        "random": ControllerEntry(
            "every decision drawn evenly", f"{here}.plain:RandomSearch", "Li 2019", {"distinct": True}
        ),
        "local_search": ControllerEntry(
            "neighbours of the best; Pareto local search with several objectives",
            f"{here}.plain:LocalSearch",
            "White 2021, Paquete 2004",
            {"start_points": 10},
        ),
        "coordinate_descent": ControllerEntry(
            "one decision a step, several walks, each with a preference of its own",
            f"{here}.plain:CoordinateDescent",
            "Hao 2019",
            {"walks": 12},
        ),
        "nsga2": ControllerEntry(
            "non-dominated sorting genetic algorithm, constrained domination",
            f"{here}.evolution:Nsga2",
            "Deb 2002",
            _EVOLUTION,
        ),
        "nsga3": ControllerEntry(
            "NSGA-II with reference directions",
            f"{here}.optuna_controller:nsga3",
            "Deb 2014",
            {"population": 0, "crossover_probability": 0.9},
        ),
        "regularized_evolution": ControllerEntry(
            "the oldest dies, the best of a sample has a child",
            f"{here}.evolution:RegularizedEvolution",
            "Real 2019",
            {"population": 50, "sample": 10},
        ),
        "learned_mutation": ControllerEntry(
            "NSGA-II whose mutations are learned by REINFORCE",
            f"{here}.hybrid:LearnedMutation",
            "Chu 2019, Chen 2018",
            {**_EVOLUTION, "learned_share": 0.5, "learning_rate": 0.2},
        ),
        "morphism": ControllerEntry(
            "Lamarckian growth: children are larger (or smaller) networks that keep what was learned",
            f"{here}.hybrid:Morphism",
            "Elsken 2019, Cai 2018",
            {**_EVOLUTION, "growth_share": 0.7, "other_share": 0.4},
        ),
        "structured_genome": ControllerEntry(
            "genomes by parts: groups are exchanged whole, an operator for each kind of decision",
            f"{here}.hybrid:StructuredGenome",
            "Kao 2020, Kao 2022",
            _EVOLUTION,
        ),
        "evolution_strategy": ControllerEntry(
            "CMA-ES over importances and sizes in 0..1",
            f"{here}.strategy:EvolutionStrategy",
            "Hansen 2003, Lin 2021",
            {"encoding": "importance", "population": 8, "sigma": 0.2, "preferences": 3},
        ),
        "tpe": ControllerEntry(
            "tree-structured Parzen estimator, multi-objective",
            f"{here}.optuna_controller:tpe",
            "Bergstra 2011, Ozaki 2022",
            {"startup_trials": 24, "candidates": 24},
        ),
        "gp": ControllerEntry(
            "a Gaussian process an objective, log expected (hypervolume) improvement",
            f"{here}.optuna_controller:gp",
            "Ament 2023",
            {"startup_trials": 16},
        ),
        "reinforce": ControllerEntry(
            "LSTM policy, REINFORCE, conditioned on the preference",
            f"{here}.policy:PolicySearch",
            "Zoph 2017",
            {**_POLICY, "epochs": 1, "clip": 0.0},
            discrete=True,
        ),
        "ppo": ControllerEntry(
            "LSTM policy, proximal policy optimisation",
            f"{here}.policy:PolicySearch",
            "Schulman 2017, Tan 2019",
            {**_POLICY, "epochs": 4, "clip": 0.2},
            discrete=True,
        ),
        "q_learning": ControllerEntry(
            "tables of Q with a falling epsilon and replay",
            f"{here}.value:QLearning",
            "Zhong 2018",
            {
                "preferences": 6,
                "learning_rate": 0.1,
                "discount": 1.0,
                "replay": 64,
                "decay_trials": 250,
                "least_epsilon": 0.1,
            },
            discrete=True,
        ),
        "tree_search": ControllerEntry(
            "Monte Carlo tree search (UCT) over the decisions in order",
            f"{here}.value:TreeSearch",
            "Wang 2019, Wistuba 2017",
            {"exploration": 0.3, "guided": 0.8},
            discrete=True,
        ),
        "surrogate_evolution": ControllerEntry(
            "evolution whose offspring are screened by learned models of the objectives",
            f"{here}.surrogate:SurrogateEvolution",
            "Lu 2020, Sun 2020",
            _SURROGATE,
        ),
        "progressive": ControllerEntry(
            "the space opens part by part, screened by learned models",
            f"{here}.surrogate:SurrogateEvolution",
            "Liu 2018, Dong 2018",
            {**_SURROGATE, "progressive": 4},
        ),
        "graph_bayes": ControllerEntry(
            "a Gaussian process over a distance of networks, expected improvement",
            f"{here}.bayes:GraphBayes",
            "Kandasamy 2018",
            {"startup_trials": 20, "most_trials": 300, "offspring": 300},
        ),
        "encoder": ControllerEntry(
            "an encoder, a predictor on its space, and steps along the predictor's gradient",
            f"{here}.bayes:EncoderSearch",
            "Luo 2018",
            {"startup_trials": 40, "refit_every": 40, "hidden": 64, "latent": 16, "steps": 150, "step_size": 0.5},
            discrete=True,
        ),
    }
    for name, entry in entries.items():
        registry.register(name, entry)


CONTROLLERS: Registry[ControllerEntry] = Registry("controller", _register_builtins)


def make_controller(name: str, context: ControllerContext, where: str = "controller") -> Controller:
    """The controller of that name; options that the context leaves out take their defaults.

    Raises:
        SpecError: unknown name or option, or a space that it cannot search.
    """
    entry = CONTROLLERS.get(name, where)
    options = entry.checked(context.options, f"{where}.options")
    if entry.discrete and not context.space.discrete:
        other = next(d.name for d in context.space.decisions if not hasattr(d, "choices"))
        raise SpecError(
            Fault(f"{where} {name}", f"takes lists of choices; {other} is none", "evolution_strategy, nsga2")
        )
    factory = load_target(entry.target) if isinstance(entry.target, str) else entry.target
    return cast(Controller, factory(replace(context, options=options)))
