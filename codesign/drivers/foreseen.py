"""Nested search whose networks are chosen by their exact costs, which are known before any is trained."""

from __future__ import annotations

import numpy as np

from codesign.controllers.controller import Controller
from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.foresight import Foreseen, Foresight, foreseen
from codesign.drivers.nested import HardwareFronts, Nested, cheap_objectives
from codesign.seeds import derive_seed


class ForeseenNested(Nested):
    """Nested, where the networks are chosen by what they cost, which is known before they are trained.

    Further options: ``pool``: a space of no more networks is looked at whole, else so many candidates at most are drawn
    and bred for each batch; ``shortlist``: so many times the batch are priced, those that models of accuracy and cost
    find promising; 0: all; ``startup``: networks before the first model; ``trees`` of it.
    """

    def proposer(self, context: DriverContext, networks: DecisionSpace, hardware: HardwareFronts) -> Controller:
        """A model of what only training tells (:mod:`codesign.drivers.foresight`)."""
        goal = context.problem.goal
        known = cheap_objectives(context, networks.draw(np.random.default_rng(0)), hardware.space, ())

        def foresee(network: Point) -> Foreseen:
            found = [outcome for _, outcome in hardware.of(network)]
            return foreseen(goal, [name for name in goal.objectives if name in known], found)

        hooks = {} if context.search_space is None else context.search_space.hooks
        rng = np.random.default_rng(derive_seed(context.seed, "foreseen"))
        return Foresight(networks, goal, known, foresee, context.options, hooks, rng)
