"""One controller over all decisions."""

from __future__ import annotations

from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger


class AskTell:
    """Batch by batch: asked, measured, told."""

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials."""
        controller = context.make_controller("", context.problem.space, context.problem.goal)
        ledger = Ledger(context)
        while ledger.left > 0:
            controller.tell(ledger.measure(controller.ask(context.batch)))
