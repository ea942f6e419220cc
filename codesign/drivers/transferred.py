"""A predictor of accuracy that is transferred from whole networks to compressed ones, and evolution by what it says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from codesign.controllers.controller import Told
from codesign.controllers.proposals import key_of
from codesign.decisions import DecisionSpace, Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.gradient.predictor import AccuracyPredictor, fitted_predictor
from codesign.seeds import derive_seed
from codesign.spaces.search_space import NETWORK_GROUPS
from mappings.errors import Fault, SpecError


class Transferred:
    """Architecture, widths and bits at once (Wang 2020, APQ).

    First, ``whole`` networks without compression (each of its decisions the last choice) are measured and a predictor
    is fitted to them. Then ``compressed`` ones, drawn, tune it: most of what it knows of architectures holds for them.
    Evolution by the predictor alone, within the limits that the cheap providers know, leads to the designs on which the
    rest of the budget is spent.

    Options: ``whole``, ``compressed`` (numbers of networks), ``fit_steps``, ``learning_rate``, ``population``,
    ``generations``, ``mutation`` (share of a child's decisions), ``transfer`` (false: the predictor is fitted to the
    compressed ones alone), ``held`` (decisions of the hardware; else drawn).
    """

    def __init__(self) -> None:
        #: Fitted last.
        self.predictor: AccuracyPredictor | None = None
        #: Measured without compression, and with it, in the first two phases.
        self.whole: list[Told] = []
        self.compressed: list[Told] = []

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: nothing to compress, too few networks within reach.
        """
        torch.set_num_threads(1)
        options, ledger, space = context.options, Ledger(context), context.problem.space
        last = {d.name: d.choices[-1] for d in space.of_groups("compression").choices}
        if not last:
            raise SpecError(Fault("driver transferred", "has nothing to compress", "layer_bits or another compression"))
        rng = np.random.default_rng(derive_seed(context.seed, "transferred"))
        held = space.of_groups("hardware", "mapping").completed(dict(options["held"]), rng)
        drawn = [space.completed({**last, **held}, rng) for _ in range(int(options["whole"]))]
        self.whole = ledger.measure(drawn, "whole", gated=False)
        drawn = [space.completed(held, rng) for _ in range(int(options["compressed"]))]
        self.compressed = ledger.measure(drawn, "compressed", gated=False)
        if ledger.left <= 0:
            return
        self.predictor = self.fitted(context, self.compressed, transfer=bool(options["transfer"]))
        ranked = self._evolved(context, held, rng)
        while ledger.left > 0 and ranked:
            ledger.measure(ranked[: context.batch], "searched")
            ranked = ranked[context.batch :]

    def fitted(self, context: DriverContext, compressed: Sequence[Told], *, transfer: bool) -> AccuracyPredictor:
        """A predictor of compressed networks.

        Args:
            transfer: it begins with what it learned of whole ones.
        """
        decisions = context.problem.space.of_groups(*NETWORK_GROUPS).choices
        seed, steps = derive_seed(context.seed, "predictor") % 2**31, int(context.options["fit_steps"])
        rate = float(context.options["learning_rate"])
        begun = None
        if transfer:
            points, known = _known(self.whole)
            begun = fitted_predictor(decisions, points, known, steps, rate, seed)
        points, known = _known(compressed)
        return fitted_predictor(decisions, points, known, steps, rate / 3 if transfer else rate, seed, begun)

    def _evolved(self, context: DriverContext, held: Point, rng: np.random.Generator) -> list[Point]:
        """Points within the limits, the most promising first."""
        options, networks = context.options, context.problem.space.of_groups(*NETWORK_GROUPS)
        size = int(options["population"])
        pool: dict[tuple[object, ...], tuple[Point, float]] = {}
        fresh = [networks.draw(rng) for _ in range(4 * size)]
        for _ in range(int(options["generations"])):
            self._judge(context, held, fresh, pool)
            best = sorted(pool.values(), key=lambda item: -item[1])[:size]
            if len(best) < 2:
                fresh = [networks.draw(rng) for _ in range(4 * size)]
                continue
            fresh = [_child(networks, best, float(options["mutation"]), rng) for _ in range(size)]
        self._judge(context, held, fresh, pool)
        if not pool:
            what = "found no network within the limits among those that it drew"
            raise SpecError(Fault("driver transferred", what, "wider limits, a larger population"))
        return [{**point, **held} for point, _ in sorted(pool.values(), key=lambda item: -item[1])]

    def _judge(
        self,
        context: DriverContext,
        held: Point,
        points: Sequence[Point],
        pool: dict[tuple[object, ...], tuple[Point, float]],
    ) -> None:
        """Put those within the limits into the pool, with what the predictor says of them."""
        assert self.predictor is not None, "fitted before anything is judged"
        new = list({key: point for point in points if (key := key_of(point)) not in pool}.values())
        fine = [point for point in new if context.problem.price(point, [held])[0].feasible]
        if fine:
            for point, value in zip(fine, self.predictor.predicted(fine), strict=True):
                pool[key_of(point)] = (point, float(value))


def _known(told: Sequence[Told]) -> tuple[list[Point], list[float]]:
    fine = [item for item in told if "accuracy" in item.outcome.metrics]
    if len(fine) < 4:
        raise SpecError(Fault("driver transferred", f"knows the accuracy of {len(fine)} networks", "4 at least"))
    return [item.point for item in fine], [item.outcome.metrics["accuracy"] for item in fine]


def _child(
    networks: DecisionSpace, best: Sequence[tuple[Point, float]], mutation: float, rng: np.random.Generator
) -> Point:
    one, other = (best[int(place)][0] for place in rng.integers(len(best), size=2))
    child = networks.crossover(one, other, rng) if rng.random() < 0.5 else dict(one)
    changed = {name: value for name, value in child.items() if rng.random() >= mutation}
    return networks.completed(changed, rng)
