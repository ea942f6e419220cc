"""Candidates are told apart early: after a short measurement only those above the mean so far go on (Nekrasov 2019)."""

from __future__ import annotations

import numpy as np

from codesign.controllers.controller import Told
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.objectives import METRICS, Outcome


class Stopped:
    """Each point is measured at the fidelity ``first``. One that is no better, by the first objective, than the mean of
    all that were is stopped there; the others are measured in full. The controller is told what is known of each.

    Options: ``first``. Each measurement is a trial; only full ones may stand on the front.
    """

    def __init__(self) -> None:
        #: Points that were stopped, and all that were measured first, so far.
        self.stopped, self.begun = 0, 0

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials."""
        goal, first = context.problem.goal, float(context.options["first"])
        controller = context.make_controller("", context.problem.space, goal)
        ledger, seen = Ledger(context), list[float]()
        metric = goal.objectives[0]
        sign = 1.0 if METRICS.get(metric).maximize else -1.0

        def worth(outcome: Outcome) -> float:
            return sign * outcome.metrics[metric] if outcome.feasible else -np.inf

        while ledger.left > 0:
            asked = controller.ask(context.batch)
            short = ledger.measure(asked, "short", fidelity=first)
            seen += [value for item in short if np.isfinite(value := worth(item.outcome))]
            bar = float(np.mean(seen)) if seen else -np.inf
            going = [place for place, item in enumerate(short) if worth(item.outcome) > bar]
            self.begun, self.stopped = self.begun + len(short), self.stopped + len(short) - len(going)
            known: dict[int, Told] = dict(enumerate(short))
            whole = ledger.measure([short[place].point for place in going], "whole")
            known.update(zip(going, whole, strict=False))
            controller.tell([known[place] for place in sorted(known)])
