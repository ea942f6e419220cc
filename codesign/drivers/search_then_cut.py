"""A network is searched for, and what was found is cut down to its limit (Howard 2019, MobileNetV3)."""

from __future__ import annotations

import numpy as np

from codesign.controllers.controller import Told
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined, part_of, part_space
from codesign.drivers.sequential import Sequential
from codesign.objectives import Goal, Outcome
from codesign.seeds import derive_seed
from codesign.spaces.search_space import PART_GROUPS


class SearchThenCut(Sequential):
    """Blocks by a controller whose reward weighs cost softly; then widths (or what ``decisions`` names), step by step.

    The search's goal is the recipe's without its limits, so that what it finds may be somewhat too dear; the best of it
    that is over the limit, if any is, is cut as ``sequential`` does, by what loses least accuracy for what it saves.

    Options: ``search_trials`` of the budget; those of ``sequential``.
    """

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials, or a step would cut less than any choice does.

        Raises:
            SpecError: the largest network, or one that is cut, does not run on the accelerator at all.
        """
        networks, ledger = part_space(context, "network"), Ledger(context)
        rng = np.random.default_rng(derive_seed(context.seed, "search_then_cut"))
        places = context.problem.space.of_groups(*PART_GROUPS["hardware"])
        hardware = places.completed(context.options["hardware"], rng)
        cut, goal = self._cut(context, networks), context.problem.goal
        free = Goal(goal.objectives, (), goal.reward)
        controller = context.make_controller("network", networks, free)
        largest = networks.canonical({d.name: d.choices[-1] for d in networks.choices})
        metric, bound = self._limit(context, largest, hardware)
        found = list[tuple[bool, float, int]]()
        seen = list[Told]()
        until = min(int(context.options["search_trials"]), context.budget)
        while len(ledger) < until:
            asked = controller.ask(min(context.batch, until - len(ledger)))
            told = ledger.measure([joined(context, point, hardware) for point in asked], "search", gated=False)
            seen += told
            controller.tell([Told(part_of(networks, t.point), Outcome(t.outcome.metrics)) for t in told])
        for place, item in enumerate(seen):
            metrics = item.outcome.metrics
            if metric not in metrics:  # it does not run on the hardware
                continue
            worth = metrics["accuracy"] if goal.reward is None else goal.reward(metrics)
            found.append((metrics[metric] > bound, worth, -place))
        if ledger.left <= 0 or not found:
            return
        best = part_of(networks, seen[-max(found)[2]].point)
        share = float(context.options["step_share"])
        while ledger.left > 0 and share > 1e-3:
            if not self._pass(context, ledger, (best, hardware), cut, share, rng):
                return
            share /= 2
