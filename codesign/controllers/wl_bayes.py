"""Bayesian optimisation over networks' graphs, by expected improvement of the hypervolume within the limits.

A Gaussian process a metric over Weisfeiler-Lehman subtrees (NAS-BOWL: Ru 2021); what a candidate is expected to add to
the hypervolume (Emmerich 2006), times the chance that it is within its limits (Gardner 2014). What a measurement
scatters by counts as a chance to be better: equal networks that are trained apart differ, and the best one is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import qmc

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.process import Process, squared_distances
from codesign.controllers.proposals import Key, Seen, key_of, step
from codesign.controllers.scalar import Archive
from codesign.controllers.subtrees import Features
from codesign.controllers.surrogate import survivors_of
from codesign.decisions import Point
from codesign.objectives import METRICS, Outcome
from codesign.objectives.front import FloatArray, nondominated

#: Places of the other objectives at which fronts are compared.
_PLACES = 512
#: Candidates among which a batch is picked one by one, each as if the one before had come out as predicted.
_FINALISTS = 300
#: How far beyond the front so far designs count, of its span.
_MARGIN = 0.1
#: Values worse than this share of what is known tell nothing of good ones: they are taken for its quantile.
_TELLING = 0.85
#: A process keeps its length and noise until so much more is known.
_GROWTH = 1.15
_LEAST_ERROR = 1e-4
#: Spread of what is known exactly.
_EXACT = 1e-9
#: Priced points that the processes of costs take, the newest.
_PRICED_KEPT = 600


@dataclass
class _Model:
    """One metric's process over the candidates.

    Attributes:
        process: fitted.
        mean, spread: [candidates] of what equal points have in common, spread scaled by the option.
        scatter: [candidates] of one measurement about that.
        slope: [candidates] of the metric over what the process models.
        rows, half: features, and what the process's covariance needs of them.
    """

    process: Process
    mean: FloatArray
    spread: FloatArray
    scatter: FloatArray
    slope: FloatArray
    rows: FloatArray
    half: FloatArray

    def whole(self) -> FloatArray:
        """Standard deviation of a measurement [candidates]."""
        return np.sqrt(self.spread**2 + self.scatter**2)

    def covariance(self, of: NDArray[np.int64]) -> FloatArray:
        """[of, of], of some candidates' common parts."""
        return self.process.covariance(self.rows[of], self.half[:, of]) * np.outer(self.slope[of], self.slope[of])


class _Data:
    """What is known: points that were measured, then points that were priced alone; and the candidates.

    Attributes:
        outcomes: of the known points.
        known, rows: features of known points and of candidates; known_sizes, sizes: with sizes.
    """

    def __init__(
        self, features: Features, archive: Archive, priced: Mapping[Key, tuple[Point, Outcome]], pool: list[Point]
    ) -> None:
        told = {key_of(item.point) for item in archive.told}
        alone = [item for key, item in list(priced.items())[-_PRICED_KEPT:] if key not in told]
        points = [*(item.point for item in archive.told), *(point for point, _ in alone)]
        self.outcomes = [*(item.outcome for item in archive.told), *(outcome for _, outcome in alone)]
        rows, sizes = features.rows([*points, *pool]), features.rows([*points, *pool], sizes=True)
        self.known, self.rows = rows[: len(points)], rows[len(points) :]
        self.known_sizes, self.sizes = sizes[: len(points)], sizes[len(points) :]
        self.count = len(pool)

    def costs(self, name: str) -> FloatArray:
        """One metric of the known points, as :func:`scaled`; not a number where it is not known."""
        return scaled(name, np.array([outcome.metrics.get(name, np.nan) for outcome in self.outcomes]))


class WlBayes:
    """Draws far from one another to begin with, then what is expected to add most to the front.

    Where the driver knows what a point costs before it is measured
    (:class:`codesign.controllers.controller.Foreseeing`), the most promising are priced, ``priced`` of them a batch:
    what they cost is then no guess, and what breaks a bound is not asked for.

    The space's hook "graph" says what a point's network computes; without it points count by their decisions.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("wl"), Seen()
        self._archive = Archive(context.goal)
        self._features = Features(context.space, context.hooks.get("graph"))
        self._asked: list[Point] = []
        self._price: Callable[[Point], Outcome] | None = None
        self._priced: dict[Key, tuple[Point, Outcome]] = {}
        self._best_of, self._best = 0, np.zeros(0, np.int64)
        self._fitted: dict[str, tuple[int, float, float]] = {}

    def tell(self, told: Sequence[Told]) -> None:
        """Everything is data."""
        self._archive.extend(told)
        for item in told:
            self._seen.add(item.point)

    def foresees(self, price: Callable[[Point], Outcome]) -> None:
        """As :class:`codesign.controllers.controller.Foreseeing`."""
        self._price = price if int(self._context.options["priced"]) else None

    def ask(self, count: int) -> list[Point]:
        """The next points; never one twice while the space has others."""
        pool = self._pool()
        if not pool:
            out: list[Point] = []
        elif len(self._archive) < int(self._context.options["startup_trials"]):
            out = self._apart(self._fitting(pool, count), count)
        elif not (self._archive.violations <= 0).any():
            out = []
        else:
            out = [pool[place] for place in self._picked(pool, count)]
        for point in out:
            self._seen.add(point)
        out += [self._seen.fresh(self._near, self._draw) for _ in range(count - len(out))]
        self._asked += out if len(self._archive) < int(self._context.options["startup_trials"]) else []
        return out

    def _draw(self) -> Point:
        return self._context.space.draw(self._rng)

    def _near(self) -> Point:
        """A step from one of the best, or of those nearest to feasible; a draw where nothing is known."""
        if not len(self._archive):
            return self._draw()
        if self._best_of != len(self._archive):
            self._best_of, self._best = len(self._archive), survivors_of(self._archive, 40)
        parent = self._archive.told[int(self._best[int(self._rng.integers(len(self._best)))])].point
        return step(self._context.space, parent, self._rng, 1.0 / max(len(parent), 1))

    def _pool(self) -> list[Point]:
        """Candidates that nobody asked for: draws, and steps from the best, half of each."""
        out: dict[Key, Point] = {}
        count = int(self._context.options["pool"])
        for number in range(count):
            point = self._draw() if number % 2 or not len(self._archive) else self._near()
            if point not in self._seen:
                out[key_of(point)] = point
        return list(out.values())

    def _costed(self, point: Point) -> Outcome:
        key = key_of(point)
        if key not in self._priced:
            assert self._price is not None
            self._priced[key] = point, self._price(point)
        return self._priced[key][1]

    def _fitting(self, pool: list[Point], count: int) -> list[Point]:
        """Of some of a pool, those that break no bound; where too few are known to, those that are nearest to that."""
        if self._price is None:
            return pool
        some = pool[: int(self._context.options["priced"])]
        over = np.array([self._costed(point).violation for point in some])
        within = np.flatnonzero(over <= 0)
        chosen = within if len(within) >= count else np.argsort(over, kind="stable")[:count]
        return [some[place] for place in chosen]

    def _apart(self, pool: list[Point], count: int) -> list[Point]:
        """Each the farthest from all that were asked for (Gonzalez 1985)."""
        rows = self._features.rows([*pool, *self._asked])
        rows, known = rows[: len(pool)], rows[len(pool) :]
        out: list[int] = []
        if not len(known):
            out, known = [0], rows[:1]
        away = squared_distances(rows, known).min(axis=1)
        while len(out) < min(count, len(pool)):
            out.append(int(np.argmax(away)))
            away = np.minimum(away, squared_distances(rows, rows[out[-1:]])[:, 0])
        return [pool[place] for place in out[:count]]

    def _model(self, name: str, values: FloatArray, data: _Data) -> _Model:
        """A process of values [known points], not a number where one is not known."""
        errors = name.endswith("accuracy")
        if errors:  # errors scatter in proportion
            values = np.log(np.maximum(values, _LEAST_ERROR))
        told = np.flatnonzero(np.isfinite(values))
        most = int(self._context.options["most_trials"])
        if len(told) > most:  # the best half, and the newest
            best = told[np.argsort(values[told], kind="stable")[: most // 2]]
            told = np.unique(np.concatenate([best, told[-most // 2 :]]))
        known, rows = (data.known, data.rows) if errors or name == "reward" else (data.known_sizes, data.sizes)
        size, *like = self._fitted.get(name, (0, 0.0, 0.0))
        if len(told) > _GROWTH * size:
            process = Process(known[told], values[told])
            self._fitted[name] = len(told), process.length, process.noise
        else:
            process = Process(known[told], values[told], (like[0], like[1]))
        mean, spread, half = process.posterior(rows)
        mean = np.exp(mean) if errors else mean
        slope = mean if errors else np.ones(len(mean))
        spread = slope * spread * float(self._context.options["exploration"])
        return _Model(process, mean, spread, slope * process.scatter, slope, rows, half)

    def _picked(self, pool: list[Point], count: int) -> list[int]:
        archive, goal = self._archive, self._context.goal
        data, fine = _Data(self._features, archive, self._priced, pool), archive.violations <= 0
        if goal.reward is not None:
            costs = np.full((len(data.outcomes), 1), np.nan)
            costs[: len(archive), 0] = np.where(fine, -archive.scores(None), np.nan)
            names = ["reward"]
        else:
            costs = np.column_stack([data.costs(name) for name in goal.objectives])
            names = list(goal.objectives)
        front = costs[: len(archive)][fine]
        front = front[nondominated(front)]
        bound = front.max(axis=0) + _MARGIN * np.maximum(front.max(axis=0) - front.min(axis=0), 1e-9)
        models = []
        for place, name in enumerate(names):
            column = costs[:, place]
            worst = max(np.nanquantile(column, _TELLING), bound[place])
            models.append(self._model(name, np.minimum(column, worst), data))
        chance = self._chance(data)
        # Where the objectives but the first are compared: even draws between the best of them and the bound.
        low = np.minimum(front.min(axis=0), [model.mean.min() for model in models])[1:]
        draws = qmc.Sobol(len(low), seed=self._rng).random(_PLACES) if len(low) else np.zeros((1, 0))
        places = low + draws * (bound[1:] - low)
        best = np.full(len(places), bound[0])
        for row in front:
            best = np.where((row[1:] <= places).all(axis=1), np.minimum(best, row[0]), best)
        gain = self._gain(models, best, places, np.arange(len(pool))) * chance
        order = np.argsort(-gain, kind="stable")
        finalists = order[:_FINALISTS]
        if self._price is not None:
            finalists = self._affordable(pool, order, count)
            self._replace(models, names, chance, finalists, [self._costed(pool[place]) for place in finalists])
        return self._batch(models, best, places, finalists, chance, count)

    def _affordable(self, pool: list[Point], order: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """The first that break no bound, of those that are priced already and so many new ones; else the nearest."""
        left, within, over = int(self._context.options["priced"]), list[int](), list[tuple[float, int]]()
        for place in order:
            left -= key_of(pool[place]) not in self._priced
            if left < 0 or len(within) == _FINALISTS:
                break
            outcome = self._costed(pool[place])
            if outcome.feasible:
                within.append(int(place))
            else:
                over.append((outcome.violation, int(place)))
        return np.array([*within, *(place for _, place in sorted(over)[: max(0, count - len(within))])])

    @staticmethod
    def _replace(
        models: list[_Model], names: list[str], chance: FloatArray, rows: NDArray[np.int64], found: list[Outcome]
    ) -> None:
        """What is known of candidates in place of what was guessed."""
        for row, outcome in zip(rows, found, strict=True):
            chance[row] = 1.0 if outcome.feasible else -outcome.violation
            for name, model in zip(names, models, strict=True):
                if name in outcome.metrics:
                    model.mean[row] = scaled(name, np.array([outcome.metrics[name]]))[0]
                    model.spread[row], model.scatter[row], model.slope[row] = 0.0, _EXACT, 0.0

    def _chance(self, data: _Data) -> FloatArray:
        """[candidates], of being within every limit, and of breaking no other bound."""
        goal = self._context.goal
        out = np.ones(data.count)
        for limit in goal.limits:
            values = data.costs(limit.metric)
            if np.isfinite(values).sum() < 2:
                continue
            edge = float(scaled(limit.metric, np.array([limit.bound]))[0])
            model = self._model(f"limit {limit.metric}", values, data)
            out *= ndtr((edge - model.mean) / np.maximum(model.whole(), _EXACT))
        limited = {limit.metric for limit in goal.limits}
        others = np.array([float(any(item.resource not in limited for item in o.broken)) for o in data.outcomes])
        if others.any():
            out *= np.clip(1.0 - self._model("broken", others, data).mean, 0.01, 1.0)
        return out

    def _gain(
        self, models: list[_Model], best: FloatArray, places: FloatArray, rows: NDArray[np.int64],
        spreads: FloatArray | None = None,
    ) -> FloatArray:  # fmt: skip
        """Expected gain of hypervolume [rows]: at each place the improvement, where the others are no worse."""
        levels, level_of = np.unique(best, return_inverse=True)
        onto = np.zeros((len(best), len(levels)))
        onto[np.arange(len(best)), level_of] = 1.0
        under = np.ones((len(rows), len(places)))
        for place, model in enumerate(models[1:]):
            whole = model.whole()[rows] if spreads is None else spreads[place + 1]
            under *= ndtr((places[:, place] - model.mean[rows, None]) / whole[:, None])
        whole = models[0].whole()[rows] if spreads is None else spreads[0]
        ahead = levels - models[0].mean[rows, None]
        ratio = ahead / whole[:, None]
        density = np.exp(-0.5 * ratio**2) / np.sqrt(2 * np.pi)
        out: FloatArray = ((under @ onto) * (ahead * ndtr(ratio) + whole[:, None] * density)).sum(axis=1)
        return out

    def _batch(
        self, models: list[_Model], best: FloatArray, places: FloatArray, finalists: NDArray[np.int64],
        chance: FloatArray, count: int,
    ) -> list[int]:  # fmt: skip
        """One after another: each is taken for known at its mean, so that what is like it counts for less."""
        share = float(self._context.options["exploration"]) ** 2
        scatters = [model.scatter[finalists] for model in models]
        shared = [model.covariance(finalists) for model in models]
        left, out = np.ones(len(finalists), bool), list[int]()
        for _ in range(min(count, len(finalists))):
            spreads = np.array([
                np.sqrt(share * np.maximum(both.diagonal(), 0.0) + scatter**2)
                for both, scatter in zip(shared, scatters, strict=True)
            ])  # fmt: skip
            gain = self._gain(models, best, places, finalists, spreads) * chance[finalists]
            place = int(np.argmax(np.where(left, gain, -np.inf)))
            left[place] = False
            row = finalists[place]
            out.append(int(row))
            mean = [float(model.mean[row]) for model in models]
            best = np.where((np.array(mean[1:]) <= places).all(axis=1), np.minimum(best, mean[0]), best)
            for both, scatter in zip(shared, scatters, strict=True):
                column = both[:, place].copy()
                both -= np.outer(column, column) / (column[place] + scatter[place] ** 2 + 1e-15)
        return out


def scaled(name: str, values: FloatArray) -> FloatArray:
    """A metric [n] to be lowered, as distances count: accuracies as errors, ratios by their logarithm."""
    metric = METRICS.get(name)
    if name == "accuracy":
        return 1.0 - values
    if metric.ratio:
        return np.log(np.maximum(np.abs(values), 1e-300)) * (-1.0 if metric.maximize else 1.0)
    return -values if metric.maximize else values
