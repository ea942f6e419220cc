"""A network is cut down step by step until it meets its limit, each step by what costs least accuracy (Yang 2018)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from codesign.controllers.controller import Told
from codesign.decisions import Decision, DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined, part_space
from codesign.seeds import derive_seed
from codesign.spaces.search_space import PART_GROUPS
from mappings.errors import Fault, SpecError


class Sequential:
    """NetAdapt: from the largest network, each step asks of every decision alone for the same saving.

    A step's target is the cost so far less ``step_share`` of what the largest network is over its limit. Every decision
    proposes its largest choice that meets the target with all others as they are; all proposals are measured, and the
    one to go on with is the most accurate (``keep: ratio``: that loses least accuracy for what it saves; ``drawn``: any
    of them, a control). Where no decision alone meets the
    target, the proposals that save most stand. A budget that is left goes to another pass with half the step.

    Options: ``step_share``, ``keep``, ``decisions`` (whose names end so; none: all of the network that have an order),
    ``hardware`` (decisions of the accelerator; those left out are drawn). The limit is the goal's tightest that the
    cheap providers give.
    """

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials, or a step would cut less than any choice does.

        Raises:
            SpecError: a network that does not run on the accelerator at all.
        """
        networks, ledger = part_space(context, "network"), Ledger(context)
        rng = np.random.default_rng(derive_seed(context.seed, "sequential"))
        places = context.problem.space.of_groups(*PART_GROUPS["hardware"])
        hardware = places.completed(context.options["hardware"], rng)
        cut = self._cut(context, networks)
        largest = networks.canonical({d.name: d.choices[-1] for d in networks.choices})
        share = float(context.options["step_share"])
        while ledger.left > 0 and share > 1e-3:
            if not self._pass(context, ledger, (largest, hardware), cut, share, rng):
                return
            share /= 2

    @staticmethod
    def _cut(context: DriverContext, networks: DecisionSpace) -> list[Decision]:
        ends = tuple(context.options["decisions"])
        return [d for d in networks.choices if d.ordered and (not ends or d.name.endswith(ends))]

    def _pass(
        self,
        context: DriverContext,
        ledger: Ledger,
        start: tuple[Point, Point],
        cut: list[Decision],
        share: float,
        rng: np.random.Generator,
    ) -> bool:
        """From the largest network to one within the limit; False where there was nothing to cut."""
        network, hardware = start
        metric, bound = self._limit(context, network, hardware)
        cost = self._cost(context, network, hardware, metric)
        step, number = share * (cost - bound), 0
        if cost <= bound:
            ledger.measure([joined(context, network, hardware)], "start", gated=False)
            return False
        while ledger.left > 0 and cost > bound:
            target = max(cost - step, bound)
            proposals = self._proposals(context, network, hardware, cut, (metric, target, cost))
            if not proposals:
                return number > 0
            number += 1
            points = [joined(context, point, hardware) for point in proposals]
            told = ledger.measure(points, f"step {number} of {share:g}", gated=False)
            if not told:
                return True
            costs = [self._cost(context, point, hardware, metric) for point in proposals]
            place = self._chosen(context, told, [cost - value for value in costs], rng)
            network, cost = proposals[place], costs[place]
        return True

    def _proposals(
        self,
        context: DriverContext,
        network: Point,
        hardware: Point,
        cut: list[Decision],
        costs: tuple[str, float, float],
    ) -> list[Point]:
        """One network a decision that still has smaller choices."""
        metric, target, now = costs
        meets, most = list[Point](), list[tuple[float, Point]]()
        space = part_space(context, "network")
        for decision in cut:
            if decision.name not in network:
                continue
            below = decision.choices[: decision.choices.index(network[decision.name])]
            saving = list[tuple[float, Point]]()
            for choice in reversed(below):
                filled = {d.name: d.choices[-1] for d in space.choices} | network | {decision.name: choice}
                point = space.canonical(filled)
                cost = self._cost(context, point, hardware, metric)
                if cost < now:
                    saving.append((cost, point))
                if cost <= target:
                    meets.append(point)
                    break
            if saving:
                most.append(min(saving, key=lambda item: item[0]))
        return meets or [point for _, point in most]

    @staticmethod
    def _chosen(context: DriverContext, told: list[Told], saved: list[float], rng: np.random.Generator) -> int:
        accuracies = np.array([item.outcome.metrics["accuracy"] for item in told])
        if context.options["keep"] == "drawn":
            return int(rng.integers(len(told)))
        if context.options["keep"] == "ratio":
            # Of those that lose nothing the one that gains most; else the least loss for what is saved.
            change = accuracies - accuracies.max() - 1e-6
            return int(np.argmax(change / np.maximum(np.array(saved[: len(told)]), 1e-12)))
        return int(np.argmax(accuracies))

    def _limit(self, context: DriverContext, network: Point, hardware: Point) -> tuple[str, float]:
        """The limit that the largest network breaks most, relative to its bound."""
        metrics = self._costs(context, network, hardware)
        limits = [limit for limit in context.problem.goal.limits if limit.metric in metrics]  # at least one: the recipe
        tightest = max(limits, key=lambda limit: metrics[limit.metric] / limit.bound)
        return tightest.metric, tightest.bound

    def _cost(self, context: DriverContext, network: Point, hardware: Point, metric: str) -> float:
        return self._costs(context, network, hardware)[metric]

    @staticmethod
    def _costs(context: DriverContext, network: Point, hardware: Point) -> Mapping[str, float]:
        """What the cheap providers say.

        Raises:
            SpecError: the network does not run on the accelerator at all.
        """
        (outcome,) = context.problem.price(network, [hardware])
        if any(limit.metric in outcome.metrics for limit in context.problem.goal.limits):
            return outcome.metrics
        broken = "; ".join(map(str, outcome.broken)) or "no cost is known"
        what = f"cuts networks down for an accelerator on which one of them does not run: {broken}"
        raise SpecError(Fault("driver", what, "hardware: decisions of one that has room for the largest network"))
