"""Successive halving over the fidelity of the dear providers (Jamieson 2016; asked in brackets as in Li 2018)."""

from __future__ import annotations

from codesign.controllers.controller import Told
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.objectives.front import ranked


class Halving:
    """Of each batch, the best 1 / eta of a rung are measured eta times as long on the next.

    Options: ``eta``, ``rungs``. Each measurement is a trial; only those of the last rung are full, and may stand on the
    front. The controller is told of each point what is known at its highest rung.
    """

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials."""
        eta, rungs = int(context.options["eta"]), int(context.options["rungs"])
        goal = context.problem.goal
        controller = context.make_controller("", context.problem.space, goal)
        ledger = Ledger(context)
        while ledger.left > 0:
            asked = controller.ask(context.batch)
            known: dict[int, Told] = {}
            places = list(range(len(asked)))
            for rung in range(rungs):
                fidelity = float(eta) ** (rung - rungs + 1)
                told = ledger.measure([asked[place] for place in places], f"rung {rung}", fidelity=fidelity)
                known.update(zip(places, told, strict=False))
                order = ranked(goal, [item.outcome for item in told])
                kept = [place for place in order if told[place].outcome.feasible][: max(1, len(told) // eta)]
                places = [places[place] for place in kept]
                if not places:
                    break
            controller.tell([known[place] for place in sorted(known)])
