"""Learned models of the objectives: which of many offspring is worth measuring.

A model of each objective (`codesign.predictors`), fitted to everything told so far. A candidate's promise is its
predicted score under a preference, plus how unsure the model is where the model can say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.proposals import Seen, key_of, step
from codesign.controllers.scalar import Archive, survivors
from codesign.decisions import Point
from codesign.objectives.front import FloatArray
from codesign.predictors.base import PredictorContext, make_predictor


class SurrogateEvolution:
    """Evolution whose offspring are screened by models (NSGANetV2: Lu 2020; with ``progressive``, PNAS: Liu 2018).

    Many offspring of the front are bred and drawn; of those, the most promising for each of a spread of preferences are
    asked for. ``progressive`` opens the space's decisions one part after another, as PNAS widens its cells: offspring
    differ from known points only in the decisions open so far.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("surrogate"), Seen()
        self._archive = Archive(context.goal)
        self._fitted_at = -1
        options = context.options
        seed = int(context.rng("trees").integers(2**31))
        made = PredictorContext(context.space, seed, context.hooks, int(options["trees"]))
        self._models = make_predictor(str(options["model"]), made)
        #: Rank correlation of predicted with measured costs on trials that the model had not seen, by generation.
        self.correlations: list[float] = []
        self._predicted: dict[Any, FloatArray] = {}

    def _draw(self) -> Point:
        return self._context.space.draw(self._rng)

    def _fit(self) -> bool:
        """Fit when enough is new; whether there is a model."""
        options, archive = self._context.options, self._archive
        fine = np.flatnonzero(archive.violations <= 0)
        if len(fine) < int(options["startup_trials"]):
            return False
        if self._fitted_at < 0 or len(archive) - self._fitted_at >= int(options["refit_every"]):
            rows = fine[-int(options["most_trials"]) :]
            self._models.fit([archive.told[row].point for row in rows], self._targets()[rows])
            self._fitted_at = len(archive)
        return True

    def _targets(self) -> FloatArray:
        """What is modelled [n, targets], all to be lowered: the objectives, or the goal's reward."""
        if self._archive.goal.reward is None:
            return self._archive.costs
        return -self._archive.scores(None)[:, None]

    def _offspring(self, count: int) -> list[Point]:
        space, archive = self._context.space, self._archive
        parents = survivors_of(archive, int(self._context.options["parents"]))
        out: list[Point] = []
        keys = set()
        opened = self._opened()
        for _ in range(4 * count):
            if len(out) == count:
                break
            if self._rng.random() < self._context.options["random_share"]:
                child = self._draw()
            else:
                first, second = self._rng.choice(parents, 2)
                child = dict(archive.told[int(first)].point)
                if self._rng.random() < 0.5:
                    child = space.crossover(child, archive.told[int(second)].point, self._rng)
                child = step(space, child, self._rng, 1.0 / max(len(child), 1))
                if opened is not None:
                    child = space.completed({**child, **_kept(archive.told[int(first)].point, opened)}, self._rng)
            key = key_of(child)
            if key not in keys and child not in self._seen:
                keys.add(key)
                out.append(child)
        return out

    def _opened(self) -> set[str] | None:
        """Decisions that may differ so far; None: all."""
        stages = int(self._context.options["progressive"])
        if not stages or not self._context.budget:
            return None
        names = self._context.space.names
        done = len(self._archive) / self._context.budget
        share = min((int(done * stages) + 1) / stages, 1.0)
        return set(names[: max(1, round(share * len(names)))])

    def ask(self, count: int) -> list[Point]:
        """Random points to begin with, then the most promising offspring, one preference each."""
        if not self._fit():
            return [self._seen.fresh(self._draw, self._draw) for _ in range(count)]
        pool = self._offspring(max(int(self._context.options["offspring"]), 4 * count))
        chosen: list[Point] = []
        if pool:
            means, spreads = self._models.predict(pool)
            optimistic = means - float(self._context.options["optimism"]) * spreads
            known = self._targets()[self._archive.front()]
            for place in _spread_choice(optimistic, known, min(count, len(pool)), self._rng, self._archive):
                self._seen.add(pool[place])
                self._predicted[key_of(pool[place])] = means[place]
                chosen.append(pool[place])
        while len(chosen) < count:
            chosen.append(self._seen.fresh(self._draw, self._draw))
        return chosen

    def tell(self, told: Sequence[Told]) -> None:
        """Learn, and note how well the model had ranked what it proposed."""
        first = len(self._archive)
        self._archive.extend(told)
        pairs = []
        for row, item in enumerate(told, first):
            self._seen.add(item.point)
            predicted = self._predicted.pop(key_of(item.point), None)
            if predicted is not None and item.outcome.feasible:
                pairs.append((predicted, row))
        if len(pairs) >= 5:
            guessed = np.array([predicted for predicted, _ in pairs])
            found = self._targets()[[row for _, row in pairs]]
            each = [spearmanr(guessed[:, column], found[:, column]).statistic for column in range(guessed.shape[1])]
            self.correlations.append(float(np.nanmean(each)) if np.isfinite(each).any() else 0.0)


def _kept(point: Point, opened: set[str]) -> Point:
    return {name: value for name, value in point.items() if name not in opened}


def survivors_of(archive: Archive, count: int) -> NDArray[np.int64]:
    """Rows of the ``count`` best told, by front and crowding, of the front and the newest."""
    rows = np.unique(np.concatenate([archive.front(), np.arange(max(0, len(archive) - 4 * count), len(archive))]))
    return rows[survivors(archive.costs[rows], archive.violations[rows], count)]


def _spread_choice(
    costs: FloatArray, front: FloatArray, count: int, rng: np.random.Generator, archive: Archive
) -> list[int]:
    """``count`` rows of a pool, each the most promising for a preference of its own; none twice.

    Promise is how much lower the augmented Tchebycheff distance is than that of the best point known.
    """
    both = np.concatenate([costs, front[np.isfinite(front).all(axis=1)]])
    low, high = both.min(axis=0), both.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    pool, known = (costs - low) / span, (front - low) / span
    taken = np.zeros(len(costs), bool)
    out: list[int] = []
    for _ in range(count):
        weights = archive.draw_weights(rng)
        if weights is None:
            weights = np.ones(costs.shape[1]) / costs.shape[1]
        distance = (pool * weights).max(axis=1) + 0.05 * (pool * weights).sum(axis=1)
        best_known = ((known * weights).max(axis=1) + 0.05 * (known * weights).sum(axis=1)).min() if len(known) else 0.0
        gain = np.where(taken, -np.inf, best_known - distance)
        place = int(np.argmax(gain))
        taken[place] = True
        out.append(place)
    return out
