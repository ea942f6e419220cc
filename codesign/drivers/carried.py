"""What a search on a smaller task has learned is carried over to the search on the task itself."""

from __future__ import annotations

from typing import cast

from codesign.controllers.controller import Carrying, Controller
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger


class Carried:
    """Two searches of the same decisions, one after the other, each with a controller of its own.

    The first measures at less than full fidelity: a shorter training, or (``table``) another data set. The second
    inherits what the first one's controller holds at its end: a population (Fang 2019), a policy (Borsos 2019), an
    encoder of networks (Wistuba 2019). Measurements of the first are never on the front.

    Several ``fidelities`` are several tasks, which take turns: what is learned of one goes on to the next, batch by
    batch (Wong 2018).

    Options: ``first_trials`` of the budget; ``fidelities`` of the first; ``carry`` (false: the second search begins
    anew, a control).
    """

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials."""
        first_trials = int(context.options["first_trials"])
        space, goal, ledger = context.problem.space, context.problem.goal, Ledger(context)
        fidelities = [float(value) for value in context.options["fidelities"]]
        tasks = [context.make_controller("source", space, goal) for _ in fidelities]
        target, turn = context.make_controller("target", space, goal), 0
        while len(ledger) < first_trials:
            task = tasks[turn % len(tasks)]
            if turn and len(tasks) > 1:
                self._carry(tasks[(turn - 1) % len(tasks)], task)
            asked = task.ask(min(context.batch, first_trials - len(ledger)))
            task.tell(ledger.measure(asked, "source", fidelity=fidelities[turn % len(tasks)]))
            turn += 1
        if context.options["carry"]:
            self._carry(tasks[(turn - 1) % len(tasks)], target)
        while ledger.left > 0:
            target.tell(ledger.measure(target.ask(min(context.batch, ledger.left)), "target"))

    @staticmethod
    def _carry(first: Controller, second: Controller) -> None:
        cast(Carrying, second).inherit(first)  # "carries" is needed of the controllers
