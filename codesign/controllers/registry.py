"""The controllers by name. Loads neither torch nor optuna, so that listing stays quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from codesign.controllers.controller import Controller, ControllerContext, ControllerFactory, Started
from codesign.decisions import Decision
from codesign.options import Option, integer, name, number
from codesign.plugin import Plugin
from codesign.predictors.base import PREDICTORS
from mappings.errors import Fault, SpecError
from mappings.registry import Registry


@dataclass(frozen=True)
class ControllerEntry(Plugin[ControllerFactory]):
    """One controller.

    Attributes:
        discrete: it takes spaces of choices only.
    """

    discrete: bool = False


def _entry(
    summary: str,
    target: str,
    source: str,
    options: Mapping[str, Any] | None = None,
    *,
    discrete: bool = False,
    carries: bool = False,
) -> ControllerEntry:
    offers = ("carries",) if carries else ()
    return ControllerEntry(summary, f"codesign.controllers.{target}", options or {}, source, offers, discrete=discrete)


_WIDTH = 4096  # of a hidden layer
_EVOLUTION = {
    "population": integer(0),
    "crossover_probability": number(0.9, 0.0, 1.0),
    "mutation_probability": number(0.0, 0.0, 1.0),
    "mutated_share": number(0.9, 0.0, 1.0),
}


def _not_one(value: Any) -> Any:
    if value == 1:
        raise ValueError
    return integer(0).read(value)


#: NSGA-III has no population of one.
_POPULATION = Option(0, "0, for a batch, or an integer from 2 to 2147483647", _not_one)
_POLICY = {
    "hidden": integer(48, 1, _WIDTH),
    "learning_rate": number(0.01, 0.0, 10.0),
    "entropy_weight": number(0.01, 0.0, 1000.0),
    "update_every": integer(16, 1),
    "window": integer(400, 1),
}
_SURROGATE = {
    "model": name("trees", tuple(PREDICTORS)),
    "trees": integer(60, 1, 100_000),
    "startup_trials": integer(40, 2),
    "refit_every": integer(20, 1),
    "most_trials": integer(1500, 2),
    "offspring": integer(400, 1, 1_000_000),
    "parents": integer(40, 1),
    "random_share": number(0.2, 0.0, 1.0),
    "optimism": number(0.5, 0.0, 1000.0),
    "progressive": integer(0),
}


def _register_builtins(registry: Registry[ControllerEntry]) -> None:
    entries = {
        "random": _entry("every decision drawn evenly", "plain:RandomSearch", "Li 2019", {"distinct": True}),
        "local_search": _entry(
            "neighbours of the best; Pareto local search with several objectives",
            "plain:LocalSearch",
            "White 2021, Paquete 2004",
            {"start_points": integer(10, 1)},
        ),
        "near_best": _entry(
            "even draws, and changes of one decision of the best so far",
            "near_best:NearBest",
            "Chen 2018, Golovin 2017",
            {"near": number(0.5, 0.0, 1.0), "best": integer(5, 1)},
        ),
        "partial_order": _entry(
            "what larger and smaller networks show to be no better is never measured",
            "ordered:PartialOrder",
            "Li 2019",
            discrete=True,
        ),
        "lazy_greedy": _entry(
            "grows by what gains most for its cost within the limits; gains are measured again where they may lead",
            "ordered:LazyGreedy",
            "Xiong 2019",
            discrete=True,
        ),
        "coordinate_descent": _entry(
            "one decision a step, several walks, each with a preference of its own",
            "plain:CoordinateDescent",
            "Hao 2019",
            {"walks": integer(5, 1, 10_000)},
        ),
        "nsga2": _entry(
            "non-dominated sorting genetic algorithm, constrained domination",
            "evolution:Nsga2",
            "Deb 2002",
            _EVOLUTION,
            carries=True,
        ),
        "nsga3": _entry(
            "NSGA-II with reference directions",
            "optuna_controller:nsga3",
            "Deb 2014",
            {"population": _POPULATION, "crossover_probability": number(0.9, 0.0, 1.0)},
        ),
        "regularized_evolution": _entry(
            "the oldest dies, the best of a sample has a child",
            "evolution:RegularizedEvolution",
            "Real 2019",
            {"population": integer(50, 1), "sample": integer(10, 1)},
            carries=True,
        ),
        "learned_mutation": _entry(
            "NSGA-II whose mutations are learned by REINFORCE",
            "hybrid:LearnedMutation",
            "Chu 2019, Chen 2018",
            {**_EVOLUTION, "learned_share": number(0.5, 0.0, 1.0), "learning_rate": number(0.2, 0.0, 10.0)},
        ),
        "history_evolution": _entry(
            "NSGA-II, then samples of a Bayesian network over its history",
            "hybrid:HistoryEvolution",
            "Lu 2019",
            {**_EVOLUTION, "exploit_share": number(0.33, 0.0, 1.0), "history": integer(40, 1)},
        ),
        "morphism": _entry(
            "Lamarckian growth: children are larger (or smaller) networks that keep what was learned",
            "hybrid:Morphism",
            "Elsken 2019, Cai 2018",
            {**_EVOLUTION, "growth_share": number(0.7, 0.0, 1.0), "other_share": number(0.4, 0.0, 1.0)},
        ),
        "structured_genome": _entry(
            "genomes by parts: groups are exchanged whole, an operator for each kind of decision",
            "hybrid:StructuredGenome",
            "Kao 2020, Kao 2022",
            _EVOLUTION,
        ),
        "evolution_strategy": _entry(
            "CMA-ES over importances and sizes in 0..1",
            "strategy:EvolutionStrategy",
            "Hansen 2003, Lin 2021",
            {
                "encoding": name("importance", ("importance", "index")),
                "population": integer(8, 4),  # of fewer, no covariance is learned
                "sigma": number(0.2, 0.001, 10.0),
                "preferences": integer(3, 1, 10_000),
            },
        ),
        "tpe": _entry(
            "tree-structured Parzen estimator, multi-objective",
            "optuna_controller:tpe",
            "Bergstra 2011, Ozaki 2022",
            {"startup_trials": integer(24), "candidates": integer(24, 1, 1_000_000)},
        ),
        "gp": _entry(
            "a Gaussian process an objective, log expected (hypervolume) improvement",
            "optuna_controller:gp",
            "Ament 2023",
            {"startup_trials": integer(16, 1)},
        ),
        "reinforce": _entry(
            "LSTM policy, REINFORCE, conditioned on the preference",
            "policy:PolicySearch",
            "Zoph 2017",
            {
                **_POLICY,
                "learning_rate": number(0.03, 0.0, 10.0),
                "epochs": integer(1, 1, 10_000),
                "clip": number(0.0, 0.0, 10.0),
            },
            discrete=True,
            carries=True,
        ),
        "ppo": _entry(
            "LSTM policy, proximal policy optimisation",
            "policy:PolicySearch",
            "Schulman 2017, Tan 2019",
            {**_POLICY, "epochs": integer(4, 1, 10_000), "clip": number(0.2, 0.0, 10.0)},
            discrete=True,
            carries=True,
        ),
        "growth_policy": _entry(
            "a policy that transforms the best networks known, choice by choice, learned by REINFORCE",
            "growth_policy:GrowthPolicy",
            "Cai 2018",
            {
                "hidden": integer(48, 1, _WIDTH),
                "learning_rate": number(0.02, 0.0, 10.0),
                "entropy_weight": number(0.01, 0.0, 1000.0),
                "moves": integer(3, 1, 10_000),
                "bases": integer(4, 1),
            },
            discrete=True,
        ),
        "q_learning": _entry(
            "tables of Q with a falling epsilon and replay",
            "value:QLearning",
            "Zhong 2018",
            {
                "preferences": integer(6, 1, 10_000),
                "learning_rate": number(0.1, 0.0, 1.0),
                "discount": number(1.0, 0.0, 1.0),
                "replay": integer(64, 0, 1_000_000),
                "decay_trials": integer(250, 1),
                "least_epsilon": number(0.1, 0.0, 1.0),
            },
            discrete=True,
        ),
        "natural_gradient": _entry(
            "a distribution a decision, moved along its natural gradient by steps of adapted length",
            "distributions:NaturalGradient",
            "Akimoto 2019",
            {"step": number(0.3, 0.001, 10.0), "adaptive": True},
            discrete=True,
        ),
        "agents": _entry(
            "an adversarial bandit a decision, all told the same loss",
            "distributions:Agents",
            "Carlucci 2019",
            {"learning_rate": number(0.05, 0.0, 10.0), "explored": number(0.1, 0.0, 1.0)},
            discrete=True,
        ),
        "pruned": _entry(
            "a distribution a decision, which loses its least likely choice stage by stage",
            "distributions:Pruned",
            "Zheng 2019",
            {"stage_trials": integer(0), "sharpness": number(3.0, 0.0, 100.0)},
            discrete=True,
        ),
        "tree_search": _entry(
            "Monte Carlo tree search (UCT) over the decisions in order",
            "value:TreeSearch",
            "Wang 2019, Wistuba 2017",
            {"exploration": number(0.3, 0.0, 1000.0), "guided": number(0.8, 0.0, 1.0)},
            discrete=True,
        ),
        "surrogate_evolution": _entry(
            "evolution whose offspring are screened by learned models of the objectives",
            "surrogate:SurrogateEvolution",
            "Lu 2020, Sun 2020",
            _SURROGATE,
        ),
        "progressive": _entry(
            "the space opens part by part, screened by learned models",
            "surrogate:SurrogateEvolution",
            "Liu 2018, Dong 2018",
            {**_SURROGATE, "progressive": integer(4)},
        ),
        "graph_bayes": _entry(
            "a Gaussian process over a distance of networks, expected improvement",
            "bayes:GraphBayes",
            "Kandasamy 2018",
            {"startup_trials": integer(20, 2), "most_trials": integer(300, 2), "offspring": integer(300, 1, 1_000_000)},
        ),
        "wl_bayes": _entry(
            "Gaussian processes over subtrees of networks, expected gain of hypervolume within the limits",
            "wl_bayes:WlBayes",
            "Ru 2021, Emmerich 2006",
            {
                "startup_trials": integer(20, 2),
                "pool": integer(4000, 1, 1_000_000),
                "most_trials": integer(1000, 2),
                "priced": integer(300, 1),
                "exploration": number(0.7, 0.0, 1000.0),
            },
        ),
        "encoder": _entry(
            "an encoder, a predictor on its space, and steps along the predictor's gradient",
            "bayes:EncoderSearch",
            "Luo 2018",
            {
                "startup_trials": integer(40, 2),
                "refit_every": integer(40, 1),
                "hidden": integer(64, 1, _WIDTH),
                "latent": integer(16, 1, _WIDTH),
                "steps": integer(150, 0, 1_000_000),
                "step_size": number(0.5, 0.0, 1000.0),
            },
            discrete=True,
            carries=True,
        ),
    }
    for key, entry in entries.items():
        registry.register(key, entry)


CONTROLLERS: Registry[ControllerEntry] = Registry("controller", _register_builtins)


def make_controller(controller: str, context: ControllerContext, where: str = "controller") -> Controller:
    """The controller of that name; options that the context leaves out take their defaults.

    Raises:
        SpecError: unknown name or option, or a space that it cannot search.
    """
    entry = CONTROLLERS.get(controller, where)
    options = entry.checked(context.options, f"{where}.options")
    if entry.discrete and not context.space.discrete:
        other = next(d.name for d in context.space.decisions if not isinstance(d, Decision))
        what = f"takes lists of choices; {other} is none"
        raise SpecError(Fault(f"{where} {controller}", what, "evolution_strategy, nsga2"))
    made = entry.load()(replace(context, options=options))
    return Started(made, context) if context.start else made
