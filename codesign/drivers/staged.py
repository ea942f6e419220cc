"""Networks first, then hardware for the best of them: what joint search is compared with (Abdelfattah 2020)."""

from __future__ import annotations

import numpy as np

from codesign.controllers.controller import Told
from codesign.decisions import Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined, part_of, part_space
from codesign.objectives import Goal, Outcome
from codesign.objectives.front import ranked
from codesign.seeds import derive_seed


class Staged:
    """Two searches, one after the other.

    Options: ``first_share`` of the budget goes to networks, on one accelerator (``hardware``: its decisions; those left
    out are drawn evenly), for ``first_objectives`` alone and whatever bounds that accelerator breaks; the rest to the
    hardware of the best ``keep``, for the whole goal.
    """

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials."""
        networks, hardware = part_space(context, "network"), part_space(context, "hardware")
        goal, ledger = context.problem.goal, Ledger(context)
        first = Goal(tuple(context.options["first_objectives"]))
        rng = np.random.default_rng(derive_seed(context.seed, "staged"))
        fixed = hardware.completed(context.options["hardware"], rng)
        until = max(1, round(context.budget * float(context.options["first_share"])))
        controller, seen = context.make_controller("network", networks, first), list[Told]()
        while ledger.left > 0 and len(ledger) < until:
            asked = controller.ask(min(context.batch, until - len(ledger)))
            measured = ledger.measure([joined(context, fixed, point) for point in asked], "network", gated=False)
            told = [Told(part_of(networks, item.point), _judged(item.outcome, first)) for item in measured]
            controller.tell(told)
            seen += told
        best: list[Point] = []
        for place in ranked(first, [item.outcome for item in seen]):
            if seen[place].point not in best:
                best.append(seen[place].point)
        best = best[: int(context.options["keep"])]
        makers = [context.make_controller("hardware", hardware, goal) for _ in best]
        turn = 0
        while ledger.left > 0:
            place = turn % len(best)
            asked = makers[place].ask(context.batch)
            points = [joined(context, best[place], point) for point in asked]
            measured = ledger.measure(points, f"hardware of network {place}")
            makers[place].tell([Told(part_of(hardware, item.point), item.outcome) for item in measured])
            turn += 1


def _judged(outcome: Outcome, goal: Goal) -> Outcome:
    """An outcome by another goal: a bound that it breaks counts only where a figure of that goal is missing for it."""
    known = all(name in outcome.metrics for name in goal.needed)
    return Outcome(outcome.metrics, () if known else outcome.broken, outcome.measured_by)
