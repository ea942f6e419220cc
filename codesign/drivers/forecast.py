"""Full measurements only for what a forecast says is worth them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codesign.controllers.controller import Told
from codesign.decisions import Point
from codesign.drivers.base import DriverContext
from codesign.drivers.ledger import Ledger
from codesign.predictors.base import FloatArray, Predictor, PredictorContext, make_predictor
from codesign.seeds import derive_seed
from mappings.errors import Fault, SpecError


class Forecast:
    """A predictor of full measurements, fitted to the first networks, picks among the others.

    The first ``first`` points are measured at each of ``levels`` (fidelities: shorter trainings, or other data sets),
    the first ``full`` of them in full as well. Then batch after batch is asked for, and of each the share ``keep`` of
    which most is forecast is measured in full. What the forecast reads beside a point's decisions:

    * ``curve``: what was measured of it at the levels; later batches are measured there too (Baker 2018);
    * ``level``: the level itself: the predictor knows how accuracy grows with it, and later batches cost nothing
      before they are kept (Deng 2017);
    * ``difficulty``: how accurate the first ``full`` points are at a level: levels are tasks, and the predictor has
      learned of easier and harder ones what it says of this one (Istrate 2019). It is not fitted to those points:
      a line through what it says of them, and what they came to, sets its scale on the new task.

    Only measurements are told to the controller. The goal's first objective, or its reward, is forecast.

    Options: ``first``, ``full``, ``levels``, ``reads``, ``keep``, ``model`` (:mod:`codesign.predictors`).
    """

    def __init__(self) -> None:
        self._context: DriverContext | None = None
        self._predictor: Predictor | None = None
        self._level = 1.0
        self._line = np.array([0.0, 1.0])

    def run(self, context: DriverContext) -> None:
        """Until the journal holds the budget's trials.

        Raises:
            SpecError: of the first networks fewer than two run on their hardware.
        """
        options, ledger = context.options, Ledger(context)
        self._context = context
        first, full, levels = int(options["first"]), int(options["full"]), [float(x) for x in options["levels"]]
        controller = context.make_controller("", context.problem.space, context.problem.goal)
        known = list[Point]()
        while len(known) < first:
            known += controller.ask(min(context.batch, first - len(known)))
        below = [self._measured(ledger, known, level) for level in levels]
        whole = ledger.measure(known[:full], "first", gated=False)
        controller.tell(whole)
        self._fit(known, below, whole)
        while ledger.left > 0:
            asked = controller.ask(max(1, round(context.batch / float(options["keep"]))))
            if options["reads"] == "curve":
                asked = asked[: max(1, ledger.left // (len(levels) + 1))]
            seen = [self._measured(ledger, asked, level) for level in levels] if options["reads"] == "curve" else []
            guessed = self.forecast(asked, np.array(seen).T if seen else None)
            order = [place for place in np.argsort(-guessed, kind="stable") if not np.isnan(guessed[place])]
            controller.tell(ledger.measure([asked[place] for place in sorted(order[: context.batch])], "kept"))

    def _measured(self, ledger: Ledger, points: Sequence[Point], level: float) -> list[float]:
        return [self._worth(item) for item in ledger.measure(points, f"level {level:g}", fidelity=level, gated=False)]

    def _worth(self, told: Told) -> float:
        """What is forecast of an outcome, larger is better; of what breaks a bound whatever is known.

        NaN where it is not known: the network does not run on the hardware that was proposed with it.
        """
        assert self._context is not None
        goal, metrics = self._context.problem.goal, told.outcome.metrics
        read = goal.needed if goal.reward is not None else goal.objectives[:1]
        if any(name not in metrics for name in read):
            return float("nan")
        if goal.reward is not None:
            return float(goal.reward(metrics))
        return metrics[goal.objectives[0]] * (1.0 if goal.metrics[0].maximize else -1.0)

    def _fit(self, known: Sequence[Point], found: Sequence[Sequence[float]], full: Sequence[Told]) -> None:
        """Fits the predictor to the networks that run, of which the first ones are known in full."""
        assert self._context is not None
        values = [self._worth(item) for item in full]
        runs = [place for place, row in enumerate(zip(*found, strict=True)) if not np.isnan(row).any()]
        whole = [values[place] for place in runs if place < len(values)]
        points, below = [known[place] for place in runs], [[row[place] for place in runs] for row in found]
        options, count = self._context.options, len(whole)
        if count < 2:
            broken = next((str(item.outcome.broken[0]) for item in full if item.outcome.broken), "")
            what = f"knows in full {count} networks of the first {len(full)}; others do not run on their hardware"
            raise SpecError(Fault("driver forecast", f"{what}: {broken}", "a larger first and full, other hardware"))
        space, seed = self._context.problem.space, derive_seed(self._context.seed, "forecast") % 2**31
        hooks = self._context.search_space.hooks if self._context.search_space is not None else {}
        self._predictor = make_predictor(str(options["model"]), PredictorContext(space, seed, hooks))
        if options["reads"] == "curve":
            self._predictor.fit(points[:count], np.array([whole]).T, np.array(below).T[:count])
            return
        levels = [*(float(level) for level in options["levels"]), 1.0]
        rows = [*below, whole]
        if options["reads"] == "difficulty":
            levels = [float(np.mean(row[:count])) for row in rows]
        taught = slice(-1) if options["reads"] == "difficulty" else slice(None)
        told = [
            (point, value, level)
            for row, level in zip(rows[taught], levels[taught], strict=True)
            for point, value in zip(points, row, strict=False)  # the last row is of the first points
        ]
        numbers = np.array([[level] for *_, level in told])
        self._predictor.fit([point for point, *_ in told], np.array([[value] for _, value, _ in told]), numbers)
        self._level = levels[-1]
        if options["reads"] == "difficulty":
            guessed = self.forecast(points[:count])
            slope, start = np.polyfit(guessed, whole, 1) if np.ptp(guessed) > 0 else (0.0, np.mean(whole))
            self._line = np.array([start, slope]) if slope > 0 else np.array([np.mean(whole) - guessed.mean(), 1.0])

    def forecast(self, points: Sequence[Point], seen: FloatArray | None = None) -> FloatArray:
        """What full measurements of points [n] would give, larger is better.

        Args:
            points: of the space.
            seen: with ``curve``, what was measured of each at the levels [n, levels].
        """
        assert self._predictor is not None, "run first"
        more = np.full((len(points), 1), self._level) if seen is None else seen
        start, slope = self._line
        found: FloatArray = start + slope * self._predictor.predict(points, more)[0][:, 0]
        return found
