"""Expected hypervolume improvement where some objectives need no measurement (Emmerich 2006, Daulton 2020 in parts).

What is dear is modelled by a Gaussian process; what a driver can tell of a point beforehand is taken as it is. Under
`nested` that is a network's whole front of costs over the accelerators, so that only its accuracy is a guess. The
improvement is a mean over random places of objective space that nothing measured dominates: how likely a candidate
dominates each. A batch is picked one by one; places that an earlier pick likely dominates count less for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import erf

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.proposals import Seen, key_of, step
from codesign.controllers.scalar import Archive
from codesign.decisions import DecisionSpace, Point
from codesign.objectives.front import nondominated

Floats = NDArray[np.float64]
#: Of points, the costs that are known beforehand: names of objectives, and of each point a front [designs, names], as
#: `codesign.objectives.front.scaled_costs` has them.
KnownFronts = Callable[[Sequence[Point]], tuple[tuple[str, ...], list[Floats]]]

_PLACES = 1500
_DRAWN = 40_000
#: Inverse squared lengths over decisions and over known costs, their shares of the variance, and the noise's.
_GRID = [
    (near, known, share, noise)
    for near in (0.1, 0.25, 0.6)
    for known in (0.3, 1.0, 3.0)
    for share in (0.3, 0.7, 1.0)
    for noise in (0.003, 0.02, 0.1)
]
_SELECTED_ON = 200


class _Process:
    """A Gaussian process over decisions and known costs.

    Args:
        features, known: [n, ...] of what was measured; targets: [n].
    """

    def __init__(self, features: Floats, known: Floats, targets: Floats) -> None:
        self._features, self._known = features, known
        # The worst tell little about the best: they are drawn in to a few spans of the better half.
        middle, low = np.median(targets), np.min(targets)
        ceiling = middle + 2.0 * max(middle - low, 1e-9)
        clipped = np.minimum(targets, ceiling)
        self._mean, self._scale = float(clipped.mean()), max(float(clipped.std()), 1e-9)
        scaled = (clipped - self._mean) / self._scale
        some = slice(max(0, len(scaled) - _SELECTED_ON), None)
        near, far = self._distances(features[some], known[some])
        self._chosen = min(_GRID, key=lambda item: self._misfit(near, far, scaled[some], item))
        near, far = self._distances(features, known)
        self._factor = cho_factor(self._kernel(near, far) + self._noise(len(scaled)), lower=True)
        self._weights = cho_solve(self._factor, scaled)

    def _distances(self, features: Floats, known: Floats) -> tuple[Floats, Floats]:
        return _squares(features, self._features), _squares(known, self._known)

    def _kernel(self, near: Floats, far: Floats, chosen: tuple[float, float, float, float] | None = None) -> Floats:
        by_point, by_cost, share, _ = chosen or self._chosen
        kernel = share * np.exp(-by_point * near)
        return kernel + (1 - share) * np.exp(-by_cost * far) if share < 1 else kernel

    def _noise(self, count: int) -> Floats:
        noise: Floats = np.eye(count) * self._chosen[3]
        return noise

    def _misfit(self, near: Floats, far: Floats, targets: Floats, item: tuple[float, float, float, float]) -> float:
        """Negative logarithm of the marginal likelihood; of the rows that are looked at."""
        count = len(targets)
        matrix = self._kernel(near[:, -count:], far[:, -count:], item) + np.eye(count) * item[3]
        factor = cho_factor(matrix, lower=True)
        fit = float(targets @ cho_solve(factor, targets))
        return fit + 2.0 * float(np.log(np.diag(factor[0])).sum())

    def predict(self, features: Floats, known: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation [n], of a measurement (its noise among it)."""
        cross = self._kernel(*self._distances(features, known))
        mean = cross @ self._weights
        spread = 1.0 + self._chosen[3] - np.einsum("ij,ji->i", cross, cho_solve(self._factor, cross.T))
        return mean * self._scale + self._mean, np.sqrt(np.maximum(spread, 1e-6)) * self._scale


def _squares(a: Floats, b: Floats) -> Floats:
    """Squared distances [len(a), len(b)]."""
    if not a.shape[1]:
        return np.zeros((len(a), len(b)))
    squares: Floats = np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * a @ b.T, 0.0)
    return squares


class ExpectedImprovement:
    """Expected hypervolume improvement over a pool of candidates."""

    def __init__(self, context: ControllerContext) -> None:
        self._space: DecisionSpace = context.space
        self._rng = context.rng("improvement")
        self._options = context.options
        self._archive, self._seen = Archive(context.goal), Seen()
        self._names = context.goal.objectives
        self._known: KnownFronts | None = None
        self._fronts: dict[object, Floats] = {}
        self._known_names: tuple[str, ...] = ()

    def use_known(self, known: KnownFronts) -> None:
        """Take from a driver what it can tell of points without measuring them."""
        self._known = known

    def ask(self, count: int) -> list[Point]:
        """Random ones first; then the best of the pool, one by one."""
        finite = np.flatnonzero(np.isfinite(self._archive.costs).all(axis=1)) if len(self._archive) else np.zeros(0)
        if len(self._archive) < int(self._options["startup_trials"]) or len(finite) < 8:
            return [self._drawn() for _ in range(count)]
        picked = self._picked(finite.astype(np.int64), count)
        return picked + [self._drawn() for _ in range(count - len(picked))]

    def tell(self, told: Sequence[Told]) -> None:
        """Remember."""
        self._archive.extend(told)
        for item in told:
            self._seen.add(item.point)

    def _drawn(self) -> Point:
        return self._seen.fresh(lambda: self._space.draw(self._rng), lambda: self._space.draw(self._rng))

    def _pool(self, best: Sequence[Point]) -> list[Point]:
        """Points that were not measured: neighbours of the best, and random ones."""
        most, found = int(self._options["pool"]), dict[object, Point]()
        for turn in range(3 * most):
            near = turn % 2 == 0 and best
            point = (
                step(self._space, best[int(self._rng.integers(len(best)))], self._rng, 0.2)
                if near
                else self._space.draw(self._rng)
            )
            if point not in self._seen:
                found[key_of(point)] = point
            if len(found) >= most:
                break
        return list(found.values())

    def _costs_of(self, points: Sequence[Point]) -> list[Floats]:
        """Known fronts [designs, known objectives]; without a driver that tells any: one design, nothing known."""
        if self._known is None:
            return [np.zeros((1, 0)) for _ in points]
        missing = [point for point in points if key_of(point) not in self._fronts]
        if missing:
            self._known_names, fronts = self._known(missing)
            self._fronts.update(zip(map(key_of, missing), fronts, strict=True))
        return [self._fronts[key_of(point)] for point in points]

    def _picked(self, finite: NDArray[np.int64], count: int) -> list[Point]:
        archive = self._archive
        told = [archive.told[row].point for row in finite]
        costs = archive.costs[finite]
        measured_fronts = self._costs_of(told)
        dear = [place for place, name in enumerate(self._names) if name not in self._known_names]
        order = [self._names.index(name) for name in self._known_names]
        # What was measured, as designs: a point's known front, each with its dear figures.
        designs = [
            np.column_stack([front, np.repeat(row[None, dear], len(front), axis=0)])
            for front, row in zip(measured_fronts, costs, strict=True)
        ]
        whole = np.concatenate(designs)
        front = whole[nondominated(whole)]
        best_places = [
            place for place, rows in enumerate(designs) if (rows[:, None] == front[None]).all(axis=2).any()
        ]
        pool = self._pool([told[place] for place in best_places])
        if not pool:
            return []
        pool_fronts = self._costs_of(pool)
        kept = [place for place, rows in enumerate(pool_fronts) if len(rows)]
        pool, pool_fronts = [pool[place] for place in kept], [pool_fronts[place] for place in kept]
        summary = _summaries(measured_fronts), _summaries(pool_fronts)
        centre, span = summary[0].mean(axis=0), summary[0].std(axis=0) + 1e-9
        known = (summary[0] - centre) / span, (summary[1] - centre) / span
        features = self._space.features(told), self._space.features(pool)
        last = slice(max(0, len(told) - int(self._options["most_trials"])), None)
        predicted = []
        for column in dear:
            process = _Process(features[0][last], known[0][last], costs[last, column])
            predicted.append(process.predict(features[1], known[1]))
        chance = self._chances(front, pool_fronts, predicted, len(order))
        weights, out = np.ones(chance.shape[1], dtype=np.float32), list[Point]()
        taken = np.zeros(len(pool), dtype=bool)
        for _ in range(min(count, len(pool))):
            gain = np.where(taken, -1.0, chance @ weights)
            best = int(np.argmax(gain))
            if gain[best] <= 0:
                break
            taken[best] = True
            weights *= 1.0 - chance[best]
            self._seen.add(pool[best])
            out.append(pool[best])
        return out

    def _chances(
        self, front: Floats, fronts: Sequence[Floats], predicted: Sequence[tuple[Floats, Floats]], known: int
    ) -> NDArray[np.float32]:
        """How likely each candidate dominates each place, [candidates, places]."""
        low, high = front.min(axis=0), front.max(axis=0)
        for column, (mean, spread) in enumerate(predicted, known):
            low[column] = min(low[column], float((mean - spread).min()))
        span = np.maximum(high - low, 1e-9)
        places = low + self._rng.random((_DRAWN, front.shape[1])) * (1.1 * span)
        free = np.ones(len(places), dtype=bool)
        for row in front:
            free &= ~(row <= places).all(axis=1)
        # Only what a candidate may reach counts: the rest of the box is noise.
        places = places[free]
        if known:
            corner = np.concatenate(fronts).min(axis=0)
            places = places[(corner <= places[:, :known]).all(axis=1)]
        places = places[:_PLACES]
        out = np.zeros((len(fronts), len(places)), dtype=np.float32)
        for row, rows in enumerate(fronts):
            reach = np.ones(len(places), dtype=bool)
            if known:
                reach = (rows[:, None, :] <= places[None, :, :known]).all(axis=2).any(axis=0)
            out[row] = reach
        for column, (mean, spread) in enumerate(predicted, known):
            scaled = (places[None, :, column] - mean[:, None]) / spread[:, None]
            out *= 0.5 * (1.0 + erf((scaled / sqrt(2.0)).astype(np.float32)))
        return out


def _summaries(fronts: Sequence[Floats]) -> Floats:
    """The least of each known cost [n, known]."""
    return np.array([front.min(axis=0) if len(front) else np.zeros(front.shape[1]) for front in fronts])
