"""Choices of network, bits and accelerator are relaxed together and learned with the network's weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby, product
from math import log

import numpy as np
import torch
from numpy.typing import NDArray

from codesign.accuracy.data import check_fits, load_dataset
from codesign.decisions import Decision, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.parts import joined, options_of
from codesign.drivers.searches import whole_searches
from codesign.gradient.choices import Choices
from codesign.gradient.cosearch import CoSearch, CostOf, RelaxedOptions
from codesign.gradient.evaluator import Evaluated, Evaluator, EvaluatorError, fitted_evaluator, priced
from codesign.gradient.nested import NestedNetwork, effects_of
from codesign.gradient.priced import Conditional, Exact, Sampled
from codesign.gradient.terms import LimitTerm
from codesign.objectives import Outcome
from codesign.objectives.rewards import WeightedProduct
from codesign.seeds import derive_seed
from codesign.spaces.search_space import HARDWARE_GROUPS, NETWORK_GROUPS, SearchSpace
from mappings.errors import Fault, SpecError
from mappings.workload import Workload

#: Most accelerators that are priced for a network that was derived with an evaluator.
_MOST_MACHINES = 20_000


@dataclass(frozen=True)
class Derived:
    """What one search ended with.

    Attributes:
        likeliest: the point of the largest shares.
        point: what was made of it: within the limits.
        shares: of each decision's choices.
    """

    likeliest: Point
    point: Point
    shares: Mapping[str, NDArray[np.float64]]


class Relaxed:
    """Each trial is a whole search with a seed of its own; the budget counts them.

    Every decision with two choices or more that is not ``held`` has a distribution. The network's are weights on parts
    of the largest one (:mod:`codesign.gradient.nested`). The cost is the exponents of a ``weighted_product`` reward, or
    the product of the objectives that are costs, and comes from

    * ``cost: conditional``: exact prices of a drawn design and of all its single changes, every ``refresh`` steps;
      several changes at once are ``multiplied``, or ``added`` where the cost is a sum with a part for each decision;
    * ``cost: sampled``: the exact price of the drawn design;
    * ``cost: evaluator``: a network fitted to exact prices, which also picks the accelerator; the accelerator of the
      network that is derived is the best of all (at most 20,000).

    The likeliest point that is over a limit, or over the device, goes back choice by choice, each time by the one that
    gains most room for the share that it gives up, and forward where likelier choices fit again.

    Options: those of :class:`RelaxedOptions`; ``cost``, ``refresh``, ``changes``; ``limit``, ``limit_weight``,
    ``tolerance``, ``limit_base`` (:class:`LimitTerm`); ``widths`` ("masked", "interpolated"); ``evaluator_networks``,
    ``evaluator_machines`` (that are priced, drawn; all where the space has fewer), ``evaluator_steps``; ``held``.
    """

    def __init__(self) -> None:
        #: What became of each search that was run.
        self.found: list[Derived] = []
        #: Of the evaluator, where there is one.
        self.error: EvaluatorError | None = None

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: nothing to choose, choices that are no parts of a largest network, nothing to price.
        """
        whole_searches(context, _Search, self._search)

    def _search(self, shared: _Search, number: int) -> Point:
        self.found.append(shared.derived(number))
        self.error = shared.error
        return self.found[-1].point


class _Search:
    """What all searches of a run share: decisions, the largest network, prices, an evaluator."""

    def __init__(self, context: DriverContext) -> None:
        self._context, self._options = context, context.options
        space = context.search_space
        assert isinstance(space, SearchSpace), "a driver that needs workloads is given the space that has them"
        self._space, decisions = space, context.problem.space.choices
        rng, given = np.random.default_rng(derive_seed(context.seed, "relaxed", "held")), dict(self._options["held"])
        context.problem.space.check(context.problem.space.completed(given, rng) | given, "driver relaxed: held")
        last = {d.name: d.choices[-1] for d in decisions} | given
        self._base: Point = context.problem.space.canonical(last)
        free = [d for d in decisions if len(d.choices) > 1 and d.name not in given]
        networks = [d for d in free if d.group in NETWORK_GROUPS]
        self._effects = effects_of(self.workload_at, self._base, networks)
        about = {effect.decision for effect in self._effects.values()}
        self._networks = [d for d in networks if d.name in about]
        self._hardware = [d for d in free if d.group in HARDWARE_GROUPS]
        self._limits = {n.metric: n.bound for n in context.problem.goal.limits if n.metric != "accuracy"}
        self._exponents = self._costs()
        self._check()
        metrics = tuple(dict.fromkeys((*self._exponents, *self._limits)))
        self._exact = Exact(self._priced, metrics, tuple(self._limits))
        self._evaluator: Evaluator | None = None
        self.error: EvaluatorError | None = None

    def _check(self) -> None:
        faults = []
        if not self._networks:
            faults.append(Fault("driver relaxed", "has nothing to choose of the network", "two choices or more"))
        if self._options["cost"] == "evaluator" and not self._hardware:
            faults.append(
                Fault("driver relaxed.cost", "is an evaluator, and no hardware is left to choose", "conditional")
            )
        if self._options["loss"] == "product" and not self._exponents:
            faults.append(
                Fault("driver relaxed.loss", "multiplies by a cost, and there is none", "an objective that is")
            )
        if faults:
            raise SpecError(faults)

    def _costs(self) -> dict[str, float]:
        goal = self._context.problem.goal
        if isinstance(goal.reward, WeightedProduct):
            return {name: -weight for name, weight in goal.reward.weights if name != "accuracy"}
        return {name: 1.0 for name, metric in zip(goal.objectives, goal.metrics, strict=True) if not metric.maximize}

    def workload_at(self, point: Point) -> Workload:
        """The compressed network at a point."""
        found = self._space.network_at(self._whole(point)).workload
        assert found is not None, "a trainable space has workloads"
        return found

    def _whole(self, point: Point) -> Point:
        return self._context.problem.space.canonical({**self._base, **point})

    def _priced(self, points: Sequence[Point]) -> list[Outcome]:
        """By the cheap providers, the accelerators of one network at once."""
        names = [d.name for d in self._context.problem.space.decisions if d.group in NETWORK_GROUPS]

        def network(place: int) -> tuple[object, ...]:
            return tuple(points[place].get(name) for name in names)

        out: dict[int, Outcome] = {}
        for _, group in groupby(sorted(range(len(points)), key=lambda place: str(network(place))), key=network):
            places = list(group)
            rows = [points[place] for place in places]
            out.update(zip(places, self._context.problem.price(rows[0], rows), strict=True))
        return [out[place] for place in range(len(points))]

    def _cost(self, choices: Choices, generator: torch.Generator) -> CostOf:
        options = self._options
        if options["cost"] == "evaluator":
            if self._evaluator is None:
                self._fit()
            assert self._evaluator is not None
            return Evaluated(self._evaluator, float(options["last_temperature"]), generator)
        if options["cost"] == "sampled":
            return Sampled(choices, self._whole, self._exact)
        added = options["changes"] == "added"
        return Conditional(choices, self._whole, self._exact, int(options["refresh"]), added=added)

    def _exact_of(self, point: Point) -> dict[str, float] | None:
        """Logarithms of the metrics of one design."""
        return self._exact.logs([self._whole(point)])[0]

    def _fit(self) -> None:
        """Fit the evaluator to networks and accelerators that are drawn, each network on each accelerator."""
        options, seed = self._options, derive_seed(self._context.seed, "relaxed", "evaluator")
        rng = np.random.default_rng(seed)
        networks = _drawn(self._networks, int(options["evaluator_networks"]), rng)
        machines = _drawn(self._hardware, int(options["evaluator_machines"]), rng)
        exact = Exact(lambda points: self._priced([self._whole(p) for p in points]), tuple(self._exact.metrics), ())
        known = priced(self._networks, self._hardware, (networks, machines), exact)
        metrics = {name: self._exponents.get(name, 0.0) for name in self._exact.metrics}
        self._evaluator, self.error = fitted_evaluator(
            self._networks, self._hardware, metrics, known, seed, steps=int(options["evaluator_steps"])
        )

    def derived(self, number: int) -> Derived:
        """One search from a seed of its own."""
        options, seed = self._options, derive_seed(self._context.seed, "relaxed", number)
        learned = [*self._networks, *([] if options["cost"] == "evaluator" else self._hardware)]
        generator = torch.Generator().manual_seed(derive_seed(seed, "cost"))
        torch.manual_seed(seed)
        choices = Choices(learned)
        cost = self._cost(choices, generator)
        torch.manual_seed(derive_seed(seed, "weights"))
        network = NestedNetwork(self.workload_at({}), self._effects, interpolate=options["widths"] == "interpolated")
        data = load_dataset(self._space.network.dataset)
        check_fits(data, network.workload)
        given = {"weight": float(options["limit_weight"]), "tolerance": float(options["tolerance"])}
        terms = {
            name: LimitTerm(str(options["limit"]), log(bound), base=float(options["limit_base"]), **given)
            for name, bound in self._limits.items()
        }
        told = options_of(RelaxedOptions, self._context)
        search = CoSearch(network, choices, cost, self._exact_of, self._exponents, terms, data, told, seed)
        search.run()
        likeliest, shares = choices.likeliest()
        if told.templates:
            likeliest = search.best_template()
        if options["cost"] == "evaluator":
            likeliest = {**likeliest, **self._best_machine(likeliest)}
        point = self._mended(likeliest, shares, learned)
        return Derived(self._whole(likeliest), joined(self._context, self._whole(point)), shares)

    def _best_machine(self, network: Point) -> Point:
        """The accelerator of the least cost for a network, of all, or of as many as are priced."""
        rng = np.random.default_rng(derive_seed(self._context.seed, "relaxed", "machines"))
        machines = _drawn(self._hardware, _MOST_MACHINES, rng)
        outcomes = self._priced([self._whole({**network, **machine}) for machine in machines])

        def worth(outcome: Outcome) -> tuple[float, float]:
            if any(name not in outcome.metrics for name in self._exponents):
                return (np.inf, np.inf)
            cost = sum(exponent * log(outcome.metrics[name]) for name, exponent in self._exponents.items())
            return (outcome.violation, cost)

        return machines[min(range(len(machines)), key=lambda place: worth(outcomes[place]))]

    def _mended(self, point: Point, shares: Mapping[str, NDArray[np.float64]], learned: Sequence[Decision]) -> Point:
        """Within every limit that the cheap providers know, as far as changes of one or two choices lead there."""
        fixed = [d for d in self._hardware if d not in learned]
        even = {d.name: np.full(len(d.choices), 1.0 / len(d.choices)) for d in fixed}
        known = {**even, **shares}
        decisions = [*learned, *fixed]

        def likelihood(at: Point) -> float:
            return sum(log(max(known[d.name][d.choices.index(at[d.name])], 1e-12)) for d in decisions)

        def changes(at: Point, together: int = 1) -> list[tuple[Point, Outcome, float]]:
            single = [[(d.name, c) for c in d.choices if c != at[d.name]] for d in decisions]
            rows = [at | dict(made) for some in combinations(single, together) for made in product(*some)]
            found = self._priced([self._whole(row) for row in rows])
            return [(row, outcome, likelihood(row)) for row, outcome in zip(rows, found, strict=True)]

        (outcome,) = self._priced([self._whole(point)])
        broken = not outcome.feasible
        while not outcome.feasible:
            now, loss = outcome.violation, likelihood(point)
            for together in (1, 2):  # limits that pull apart may need two
                better = [item for item in changes(point, together) if item[1].violation < now]
                if better:
                    break
            else:
                return point
            point, outcome, _ = max(better, key=lambda item: (now - item[1].violation) / (max(loss - item[2], 0) + 0.1))
        while broken:
            loss = likelihood(point)
            better = [item for item in changes(point) if item[1].feasible and item[2] > loss + 1e-9]
            if not better:
                break
            point, outcome, _ = max(better, key=lambda item: item[2])
        return point


def _drawn(decisions: Sequence[Decision], most: int, rng: np.random.Generator) -> list[Point]:
    """Every point of some decisions, or as many drawn ones, each once."""
    size = int(np.prod([len(d.choices) for d in decisions], dtype=object))
    if size <= most:
        names = [d.name for d in decisions]
        return [dict(zip(names, values, strict=True)) for values in product(*(d.choices for d in decisions))]
    out: dict[tuple[object, ...], Point] = {}
    while len(out) < most:
        point = {d.name: d.draw(rng) for d in decisions}
        out[tuple(point.values())] = point
    return list(out.values())
