"""Depth, width and resolution grow together: constants of their own to the power of one coefficient (Tan 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, product

import numpy as np

from codesign.decisions import Decision, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.drivers.parts import joined, part_space
from codesign.seeds import derive_seed
from codesign.spaces.search_space import PART_GROUPS
from mappings.errors import Fault, SpecError

#: Dimensions, and the power of each in the cost of a convolutional network (Tan 2019, equation 3).
POWERS = {"depth": 1, "width": 2, "resolution": 2}


@dataclass(frozen=True)
class Coefficients:
    """What each dimension grows by when the coefficient grows by one (alpha, beta and gamma of the paper)."""

    depth: float
    width: float
    resolution: float

    def factor(self) -> float:
        """Growth of the multiply-accumulates by the paper's rule."""
        return float(np.prod([getattr(self, name) ** power for name, power in POWERS.items()]))


class Compound:
    """Compound scaling: a grid search of the three constants at coefficient 1, then one coefficient for all sizes.

    The base is the smallest network, each of its decisions at its first choice. A triple of the grid takes part where
    the network that it leads to costs ``growth`` times the base, give or take ``tolerance``; ladders of choices are
    rounded to the nearest one. The most accurate triple is scaled up by ``step`` at a time until a limit is broken or
    no ladder goes on.

    Options: ``growth``, ``tolerance``, ``grid`` (constants are tried at 1, and in so many steps up to ``growth``),
    ``by`` (a metric known before the dear providers), ``step``, ``dimensions`` (those that may grow: one alone is a
    control), ``held`` (decisions that do not scale). Names of decisions that scale end in depth, width or resolution.
    """

    def __init__(self) -> None:
        #: The constants that were found; filled when run.
        self.found: Coefficients | None = None

    def run(self, context: DriverContext) -> None:
        """Until the budget is spent or nothing larger fits.

        Raises:
            SpecError: nothing scales, or no triple costs what it must.
        """
        ledger, base = Ledger(context), self.base(context)
        triples = self.grid(context, base)
        told = ledger.measure([point for _, point in triples], "grid", gated=False)
        if len(told) < len(triples):
            return
        accuracies = [item.outcome.metrics["accuracy"] for item in told]
        self.found = triples[int(np.argmax(accuracies))][0]
        for point in self.scaled(context, base, self.found):
            if ledger.left <= 0:
                return
            ledger.measure([point], "scaled")

    def base(self, context: DriverContext) -> Point:
        """The network that grows, with its hardware (decisions that are not held are drawn)."""
        networks = part_space(context, "network")
        held = dict(context.options["held"])
        first = networks.canonical({d.name: d.choices[0] for d in networks.choices} | held)
        rng = np.random.default_rng(derive_seed(context.seed, "compound"))
        hardware = context.problem.space.of_groups(*PART_GROUPS["hardware"]).completed(held, rng)
        return joined(context, first, hardware)

    def grid(self, context: DriverContext, base: Point) -> list[tuple[Coefficients, Point]]:
        """Triples, with the networks that they lead to at coefficient 1; one triple a network."""
        growth, tolerance = float(context.options["growth"]), float(context.options["tolerance"])
        steps, allowed = int(context.options["grid"]), tuple(context.options["dimensions"])
        cost, tries = self._cost(context, base), 0
        ladder = [growth ** (place / steps) for place in range(steps + 1)]
        out: dict[str, tuple[Coefficients, Point]] = {}
        for values in product(*(ladder if name in allowed else ladder[:1] for name in POWERS)):
            triple, tries = Coefficients(*values), tries + 1
            point = self.at(context, base, triple, 1.0)
            if abs(self._cost(context, point) / cost - growth) <= tolerance * growth:
                known = out.setdefault(str(point), (triple, point))
                if abs(triple.factor() - growth) < abs(known[0].factor() - growth):
                    out[str(point)] = triple, point  # of triples with one network the one that grows as it says
        if not out:
            what = f"leads none of {tries} triples to {growth:g} times the base's {context.options['by']} ({cost:g})"
            raise SpecError(Fault("driver compound", what, "a larger tolerance or grid, finer ladders"))
        return list(out.values())

    def scaled(self, context: DriverContext, base: Point, triple: Coefficients) -> Iterator[Point]:
        """Networks at growing coefficients, each larger than the one before, as long as they break no bound."""
        step, last = float(context.options["step"]), base
        top = self.at(context, base, triple, 1e3)
        for number in count(1):
            point = self.at(context, base, triple, number * step)
            if point != last:
                if not context.problem.price(point, [{}])[0].feasible:
                    return
                yield point
                last = point
            if point == top:
                return

    def at(self, context: DriverContext, base: Point, triple: Coefficients, coefficient: float) -> Point:
        """The network at a coefficient: every ladder at the choice nearest to its base times the constant's power."""
        networks, held = part_space(context, "network"), dict(context.options["held"])
        values: Point = {d.name: d.choices[0] for d in networks.choices}
        for decision, dimension in self._scaling(networks.choices, held):
            first = float(decision.choices[0])  # checked
            wanted = first * min(getattr(triple, dimension) ** min(coefficient, 100.0), 1e9)
            gaps = [abs(float(choice) - wanted) for choice in decision.choices]
            values[decision.name] = decision.choices[int(np.argmin(gaps))]
        hardware = {name: value for name, value in base.items() if name not in networks.names}
        return joined(context, networks.canonical(values | held), hardware)

    @staticmethod
    def _scaling(choices: tuple[Decision, ...], held: Mapping[str, object]) -> list[tuple[Decision, str]]:
        found = [
            (decision, name)
            for decision in choices
            for name in POWERS
            if decision.name.endswith(name)
            and decision.name not in held
            and all(isinstance(choice, int | float) and choice > 0 for choice in decision.choices)
        ]
        if not found:
            what = "finds nothing that scales"
            raise SpecError(Fault("driver compound", what, f"numbers whose names end in {', '.join(POWERS)}"))
        return found

    @staticmethod
    def _cost(context: DriverContext, point: Point) -> float:
        metric = str(context.options["by"])
        (outcome,) = context.problem.price(point, [{}])
        if metric not in outcome.metrics:
            what = f"reads {metric}, which is not known before the dear providers"
            raise SpecError(Fault("driver compound.by", what, ", ".join(outcome.metrics) or "another provider"))
        return outcome.metrics[metric]
