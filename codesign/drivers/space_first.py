"""The space is chosen before the network: that in which networks that fit the device can compute most (Lin 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from codesign.controllers.controller import Told
from codesign.decisions import Decision, DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined
from codesign.seeds import derive_seed
from mappings.errors import Fault, SpecError


class SpaceFirst:
    """TinyNAS' two stages. A smaller space is the whole one with some decisions held at one choice each; those that are
    ``tied`` are held at the same place of their lists (a width multiplier, where the lists are widths).

    Of each, ``samples`` networks are drawn and priced, nothing is trained: its worth is the mean of ``by`` over those
    that break no bound, where at least ``least_share`` of them fit. A controller searches the worthiest alone.

    Options: ``space`` (names of the decisions that make a space), ``tied`` (names of more of them, with as many choices
    each), ``samples``, ``by`` (a metric known before the dear providers; more of it is taken for better accuracy),
    ``least_share``.
    """

    def __init__(self) -> None:
        #: Worth of each smaller space, by the choices that make it; filled when run.
        self.worth: dict[tuple[Any, ...], float] = {}

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: unknown decisions, or no smaller space in which enough networks fit.
        """
        held = self.chosen(context)
        space = context.problem.space
        left = DecisionSpace(tuple(d for d in space.decisions if d.name not in held))
        controller, ledger = context.make_controller("", left, context.problem.goal), Ledger(context)
        while ledger.left > 0:
            told = ledger.measure([joined(context, held, point) for point in controller.ask(context.batch)])
            controller.tell(
                [Told({k: v for k, v in item.point.items() if k in left.names}, item.outcome) for item in told]
            )

    def chosen(self, context: DriverContext) -> Point:
        """The choices that make the worthiest space."""
        whole, rng = context.problem.space, np.random.default_rng(derive_seed(context.seed, "space first"))
        spaces = self._spaces(whole, tuple(context.options["space"]), tuple(context.options["tied"]))
        self.worth = {tuple(held.values()): self._worth(context, held, rng) for held in spaces}
        best = max(spaces, key=lambda held: self.worth[tuple(held.values())])
        if self.worth[tuple(best.values())] == -np.inf:
            what = (
                f"in none of {len(self.worth)} smaller spaces {context.options['least_share']:.0%} of the networks fit"
            )
            raise SpecError(Fault("driver space_first", what, "looser limits, a smaller least_share"))
        return best

    @staticmethod
    def _spaces(whole: DecisionSpace, names: tuple[str, ...], tied: tuple[str, ...]) -> list[Point]:
        """What each smaller space holds."""
        known = {d.name: d.choices for d in whole.decisions if isinstance(d, Decision) and not d.when}
        asked = (*names, *tied)
        twice = [f"{name} twice" for name in dict.fromkeys(asked) if asked.count(name) > 1]
        if wrong := [*sorted(set(asked) - set(known)), *twice] or ([] if asked else ["nothing"]):
            raise SpecError(Fault("driver space_first.space", f"names {', '.join(wrong)}", ", ".join(known)))
        if len({len(known[name]) for name in tied}) > 1:
            counts = ", ".join(f"{name} {len(known[name])}" for name in tied)
            raise SpecError(Fault("driver space_first.tied", f"have unequal choices: {counts}", "as many of each"))
        together = list(zip(*(known[name] for name in tied), strict=True)) or [()]
        return [
            dict(zip((*names, *tied), (*values, *more), strict=True))
            for values in product(*(known[name] for name in names))
            for more in together
        ]

    @staticmethod
    def _worth(context: DriverContext, held: Mapping[str, Any], rng: np.random.Generator) -> float:
        by, samples, found = str(context.options["by"]), int(context.options["samples"]), list[float]()
        for _ in range(samples):
            (outcome,) = context.problem.price(context.problem.space.completed(held, rng), [{}])
            if outcome.metrics and by not in outcome.metrics:
                what = f"reads {by}, which is not known before the dear providers"
                raise SpecError(Fault("driver space_first.by", what, ", ".join(outcome.metrics)))
            if outcome.feasible:
                found.append(outcome.metrics[by])
        return float(np.mean(found)) if len(found) >= max(1.0, samples * context.options["least_share"]) else -np.inf
