"""A pool of operators for the device first, then late layers, then early ones (HURRICANE: Zhang 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from codesign.controllers.controller import Told
from codesign.decisions import Choice, Decision, DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined
from codesign.objectives.front import incumbent
from codesign.seeds import derive_seed
from mappings.errors import Fault, SpecError


class Pooled:
    """Operators that are worth their time on this device alone stay in the space; then two stages.

    Options: ``operators`` (decisions whose name ends so), ``capacity`` and ``cost`` (metrics that are known before the
    dear providers: an operator is worth the one over the other), ``samples`` (networks that price each choice),
    ``keep`` (choices of each operator decision), ``late_share`` (of the decisions) and ``first_share`` (of the budget).
    The first stage decides the late part while the early one is as in the best of a generation of even draws; the
    second decides the early part for the best late one.
    """

    def __init__(self) -> None:
        #: Of each operator decision, what every choice is worth; filled when run.
        self.worth: dict[str, dict[Choice, float]] = {}

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: no such decisions, or a metric that is not known before the dear providers.
        """
        space, goal = self.pool(context), context.problem.goal
        ledger, seen = Ledger(context), list[Told]()
        rng = np.random.default_rng(derive_seed(context.seed, "pooled"))
        seen += ledger.measure([space.draw(rng) for _ in range(context.batch)], "start")
        cut = max(1, round(len(space.decisions) * (1 - float(context.options["late_share"]))))
        parts = {"late": space.decisions[cut:], "early": space.decisions[:cut]}
        until = {"late": round(context.budget * float(context.options["first_share"])), "early": context.budget}
        for name, decisions in parts.items():
            if not decisions:
                continue
            part = DecisionSpace(decisions)
            controller = context.make_controller(name, part, goal)
            held = seen[incumbent(goal, [item.outcome for item in seen])].point
            rest = {key: value for key, value in held.items() if key not in part.names}
            while ledger.left > 0 and len(ledger) < until[name]:
                asked = controller.ask(min(context.batch, until[name] - len(ledger)))
                told = ledger.measure([joined(context, rest, point) for point in asked], name)
                answers = [Told({key: item.point[key] for key in part.names}, item.outcome) for item in told]
                controller.tell(answers)
                seen += told

    def pool(self, context: DriverContext) -> DecisionSpace:
        """The space with the worthiest choices of each operator decision."""
        whole = context.problem.space
        ends = tuple(context.options["operators"])
        keep, chosen = int(context.options["keep"]), list[Decision]()
        for decision in whole.decisions:
            if decision.when:
                raise SpecError(Fault("driver pooled", f"{decision.name} is not always active", "ask_tell"))
            if isinstance(decision, Decision) and decision.name.endswith(ends):
                chosen.append(decision)
        if not chosen:
            what = f"no decision of the space ends in {' or '.join(ends)}"
            raise SpecError(Fault("driver pooled.operators", what, ", ".join(whole.names)))
        rng = np.random.default_rng(derive_seed(context.seed, "pool"))
        others = [whole.draw(rng) for _ in range(int(context.options["samples"]))]
        for decision in chosen:
            self.worth[decision.name] = {
                choice: self._worth(context, [{**point, decision.name: choice} for point in others])
                for choice in decision.choices
            }
        best = {name: sorted(found, key=lambda c: -found[c])[:keep] for name, found in self.worth.items()}
        return DecisionSpace(
            tuple(
                replace(d, choices=tuple(c for c in d.choices if c in best[d.name]))
                if isinstance(d, Decision) and d.name in best
                else d
                for d in whole.decisions
            )
        )

    @staticmethod
    def _worth(context: DriverContext, points: Sequence[Mapping[str, object]]) -> float:
        """Mean capacity over cost of some points that can be priced; 0 where none can."""
        capacity, cost = str(context.options["capacity"]), str(context.options["cost"])
        ratios = []
        for point in points:
            (outcome,) = context.problem.price(Point(point), [{}])
            if outcome.metrics and not {capacity, cost} <= set(outcome.metrics):
                known = ", ".join(outcome.metrics)
                what = f"reads {capacity} and {cost}, which are not known before training"
                raise SpecError(Fault("driver pooled", what, known))
            if outcome.metrics:
                ratios.append(outcome.metrics[capacity] / outcome.metrics[cost])
        return float(np.mean(ratios)) if ratios else 0.0
