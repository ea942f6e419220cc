"""Two controllers in turn, each with a part of the decisions (the phase strategy of Abdelfattah 2020)."""

from __future__ import annotations

import numpy as np

from codesign.controllers.controller import Told
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined, part_of, part_space
from codesign.objectives.front import incumbent
from codesign.seeds import derive_seed


class Alternate:
    """While one part is searched, the other is held at that of the best design so far.

    Options: ``phase_trials``, ``first`` ("network" or "hardware"). At the start the other part is drawn evenly.
    """

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials."""
        spaces = {part: part_space(context, part) for part in ("network", "hardware")}
        goal = context.problem.goal
        controllers = {part: context.make_controller(part, space, goal) for part, space in spaces.items()}
        first = str(context.options["first"])
        turns = (first, *(part for part in spaces if part != first))
        held = context.problem.space.draw(np.random.default_rng(derive_seed(context.seed, "alternate")))
        ledger, seen, turn = Ledger(context), list[Told](), 0
        while ledger.left > 0:
            part = turns[turn % 2]
            other = part_of(spaces[turns[(turn + 1) % 2]], held)
            until = len(ledger) + int(context.options["phase_trials"])
            while ledger.left > 0 and len(ledger) < until:
                asked = controllers[part].ask(min(context.batch, until - len(ledger)))
                told = ledger.measure([joined(context, other, point) for point in asked], f"{turn}: {part}")
                controllers[part].tell([Told(part_of(spaces[part], item.point), item.outcome) for item in told])
                seen += told
            held = seen[incumbent(goal, [item.outcome for item in seen])].point
            turn += 1
