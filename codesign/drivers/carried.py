"""What a search on a smaller task has learned is carried over to the search on the task itself."""

from __future__ import annotations

from typing import cast

from codesign.controllers.controller import Carrying, Controller
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from mappings.errors import Fault, SpecError


class Carried:
    """Two searches of the same decisions, one after the other, each with a controller of its own.

    The first measures at less than full fidelity: a shorter training, or (``table``) another data set. The second
    inherits what the first one's controller holds at its end: a population (Fang 2019), a policy (Borsos 2019), an
    encoder of networks (Wistuba 2019). Measurements of the first are never on the front.

    Options: ``first_trials`` of the budget; ``fidelity`` of the first; ``carry`` (false: the second search begins anew,
    a control).
    """

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: a first search that takes the whole budget, or two controllers of different kinds.
        """
        first_trials = int(context.options["first_trials"])
        if first_trials >= context.budget:
            what = f"is {first_trials} of {context.budget} trials, which leaves none for the task itself"
            raise SpecError(Fault("driver carried.first_trials", what, f"1 to {context.budget - 1}"))
        space, goal, ledger = context.problem.space, context.problem.goal, Ledger(context)
        first = context.make_controller("source", space, goal)
        second = context.make_controller("target", space, goal)
        if type(first) is not type(second):
            what = "are of different kinds, so nothing can be carried over"
            raise SpecError(Fault("driver carried: controllers source and target", what, "one kind for both"))
        fidelity = float(context.options["fidelity"])
        while len(ledger) < first_trials:
            asked = first.ask(min(context.batch, first_trials - len(ledger)))
            first.tell(ledger.measure(asked, "source", fidelity=fidelity))
        if context.options["carry"]:
            self._carry(first, second)
        while ledger.left > 0:
            second.tell(ledger.measure(second.ask(min(context.batch, ledger.left)), "target"))

    @staticmethod
    def _carry(first: Controller, second: Controller) -> None:
        cast(Carrying, second).inherit(first)  # "carries" is needed of the controllers
