"""How little of a measurement still ranks networks is found first; then the search pays no more (Zheng 2020)."""

from __future__ import annotations

from scipy.stats import spearmanr

from codesign.controllers.controller import Told
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.objectives.front import ranked


class Budgeted:
    """The budget of the proxy is a decision of its own (Rethinking performance estimation).

    ``samples`` points are measured in full and at each of ``fidelities``, the least first, until one ranks them as full
    measurements do: with a rank correlation of ``least_correlation`` at least (none does: the dearest stands). The
    search is told what is measured at that fidelity; of what it came to, the best ``keep`` are measured in full.

    Options: ``fidelities``, ``samples``, ``least_correlation``, ``keep``.
    """

    def __init__(self) -> None:
        #: Rank correlation with full measurements of each fidelity that was tried.
        self.correlations: dict[float, float] = {}
        #: The fidelity of the search.
        self.fidelity = 1.0

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials."""
        options, ledger, goal = context.options, Ledger(context), context.problem.goal
        levels = sorted(float(level) for level in options["fidelities"])
        samples, keep = int(options["samples"]), int(options["keep"])
        controller = context.make_controller("", context.problem.space, goal)
        points = controller.ask(samples)
        whole = ledger.measure(points, "samples", gated=False)
        seen: list[Told] = []
        for level in levels:
            seen = ledger.measure(points, f"samples at {level:g}", fidelity=level, gated=False)
            first = goal.objectives[0]
            pairs = [
                (a.outcome.metrics[first], b.outcome.metrics[first])
                for a, b in zip(whole, seen, strict=True)
                if first in a.outcome.metrics and first in b.outcome.metrics
            ]
            found = float(spearmanr(*zip(*pairs, strict=True)).statistic) if len(pairs) > 2 else float("nan")
            self.correlations[level], self.fidelity = found, level
            if found >= float(options["least_correlation"]):
                break
        controller.tell(seen)
        known = list(seen)
        while ledger.left > keep:
            asked = controller.ask(min(context.batch, ledger.left - keep))
            told = ledger.measure(asked, "search", fidelity=self.fidelity)
            controller.tell(told)
            known += told
        done = {str(point) for point in points}
        order = ranked(goal, [item.outcome for item in known])
        best = [known[place].point for place in order if str(known[place].point) not in done]
        distinct = list({str(point): point for point in best}.values())
        ledger.measure(distinct[: ledger.left], "kept")
