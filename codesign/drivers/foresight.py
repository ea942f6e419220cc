"""Which network to train next, where every network's cost is known before: a model predicts the rest alone.

What a network costs on every accelerator is exact and needs no training. So of a goal in accuracy, latency and energy
only accuracy is unknown, and one model of it (a forest over what the networks compute and cost) says, with its spread,
what training a network would add to the hypervolume: at each place of the space of costs the best accuracy that any
design of no higher costs has so far is compared with the predicted one, wherever a design of the network's own front is
that cheap (expected hypervolume improvement: Emmerich 2006, with exact costs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from sklearn.ensemble import ExtraTreesRegressor

from codesign.controllers.controller import Told
from codesign.controllers.proposals import Key, key_of, step
from codesign.decisions import Decision, DecisionSpace, Point
from codesign.objectives import Goal, Outcome
from codesign.objectives.front import FloatArray, nondominated, ranked, scaled_costs
from mappings.errors import Fault, SpecError

#: Places of the space of costs at which fronts are compared; levels of them where all candidates are looked at.
_PLACES, _LEVELS = 1024, 24
#: Candidates among which a batch is picked one by one, each as if the one before had come out as predicted.
_FINALISTS = 300
#: How far beyond the front so far designs count, of its span.
_MARGIN = 0.2
#: Least spread of a prediction, of the logarithm of an error: what training the same network twice differs by.
_LEAST_SPREAD = 0.02
_LEAST_ERROR = 1e-4
#: Proposals by which the spread is calibrated.
_CALIBRATED = 100


@dataclass(frozen=True)
class Foreseen:
    """What is known of a network before it is trained.

    Attributes:
        costs: ``[designs, known objectives]`` of its front, to be lowered, ratios as logarithms; none: infeasible.
        violation: 0, or that of the design nearest to feasible.
    """

    costs: FloatArray
    violation: float


def unknown_of(goal: Goal, known: Sequence[str]) -> str:
    """The one objective that only training tells.

    Raises:
        SpecError: none, several, or a reward, which mixes what is known with what is not.
    """
    unknown = [name for name in goal.objectives if name not in known]
    if len(unknown) != 1 or goal.reward is not None:
        what = f"predicts one objective, and {', '.join(unknown) or 'none'} are known after training alone"
        if goal.reward is not None:
            what = "weighs objectives by what they add to a front, not by a reward"
        raise SpecError(Fault("driver foreseen", what, "nested, or other objectives"))
    return unknown[0]


class Foresight:
    """Asked and told like a controller of networks.

    Args:
        space: decisions of the networks.
        goal: of the search.
        known: objectives that are known before training.
        foresee: what is known of a network; may be slow.
        options: of the driver.
        hooks: of the space; "features" says what a network computes, in numbers.
        rng: of the proposals.
    """

    def __init__(
        self, space: DecisionSpace, goal: Goal, known: Sequence[str], foresee: Callable[[Point], Foreseen],
        options: Mapping[str, Any], hooks: Mapping[str, Callable[..., Any]], rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self._space, self._goal, self._foresee, self._rng = space, goal, foresee, rng
        self._unknown, self._hooks, self._options = unknown_of(goal, known), hooks, options
        self._known = [name for name in goal.objectives if name != self._unknown]
        self._target = Goal((self._unknown,))
        self._told: dict[Key, tuple[Point, float]] = {}
        self._seen: dict[Key, Foreseen] = {}
        self._features: dict[Key, FloatArray] = {}
        whole = space.discrete and space.size <= int(options["pool"])
        self._all: list[Point] | None = _every(space) if whole and not int(options["shortlist"]) else None
        self._outcomes: list[Told] = []
        self._predicted: dict[Key, tuple[float, float]] = {}
        #: Predicted minus found, in predicted spreads, of what was asked for, oldest first.
        self.misses: list[float] = []

    def tell(self, told: Sequence[Told]) -> None:
        """What training found; what was infeasible is not asked for again."""
        for item in told:
            value = np.nan
            if item.outcome.feasible and self._unknown in item.outcome.metrics:
                value = float(scaled_costs(self._target, [item.outcome])[0, 0])
            self._told[key_of(item.point)] = item.point, value
            guess = self._predicted.pop(key_of(item.point), None)
            if guess is not None and np.isfinite(value):
                found = float(self._forward(np.array([value]))[0])
                self.misses.append((guess[0] - found) / guess[1])
            self._outcomes.append(item)

    def ask(self, count: int) -> list[Point]:
        """Draws to begin with, then what adds most to the front; never a network twice while there are others."""
        pool = [point for point in self._pool(count) if key_of(point) not in self._told]
        good = self._trained()
        if not pool:
            return [self._space.draw(self._rng) for _ in range(count)]
        if len(good) < int(self._options["startup"]):
            return self._first(pool, count)
        model = _Model(self._rng, int(self._options["trees"]))
        points = [point for point, _ in good]
        shortlist = int(self._options["shortlist"])
        values = np.array([value for _, value in good])
        if shortlist:
            pool = self._promising(pool, points, values, max(shortlist * count, count))
        features = self._rows([*points, *pool], with_costs=True)
        model.fit(features[: len(points)], self._forward(values))
        mean, spread = model.predict(features[len(points) :])
        spread = np.maximum(spread, _LEAST_SPREAD)
        scaled = spread * self._calibration()
        seen = [self._of(point) for point in pool]
        fits = np.array([item.violation <= 0 for item in seen])
        if not fits.any():
            order = sorted(range(len(pool)), key=lambda place: seen[place].violation)
            return self._filled([pool[place] for place in order[:count]], count)
        fine = features[len(points) :][fits]
        rows = np.flatnonzero(fits)
        chosen = [
            int(rows[place])
            for place in self._picked([seen[i] for i in rows], fine, mean[fits], scaled[fits], good, count)
        ]
        for place in chosen:
            self._predicted[key_of(pool[place])] = float(mean[place]), float(spread[place])
        return self._filled([pool[place] for place in chosen], count)

    def _calibration(self) -> float:
        """By how much the model's spread has been too large or too small for what it proposed."""
        late = np.array(self.misses[-_CALIBRATED:])
        if len(late) < 10:
            return 1.0
        # The median, so that one network that does not train is not taken for the rest.
        return float(np.clip(np.median(np.abs(late)) / 0.6745, 0.1, 3.0))

    def _filled(self, chosen: list[Point], count: int) -> list[Point]:
        return chosen + [self._space.draw(self._rng) for _ in range(count - len(chosen))]

    def _trained(self) -> list[tuple[Point, float]]:
        return [item for item in self._told.values() if np.isfinite(item[1])]

    def _of(self, point: Point) -> Foreseen:
        key = key_of(point)
        if key not in self._seen:
            self._seen[key] = self._foresee(point)
        return self._seen[key]

    def _pool(self, count: int) -> list[Point]:
        """Candidates: every network of a small space, else draws and steps from the best so far."""
        if self._all is not None:
            return self._all
        most = min(int(self._options["pool"]), 64 * count)
        out: dict[Key, Point] = {}
        best = [self._outcomes[row].point for row in ranked(self._goal, [item.outcome for item in self._outcomes])[:30]]
        for _ in range(2 * most):
            if len(out) == most:
                break
            if not best or self._rng.random() < 0.3:
                point = self._space.draw(self._rng)
            else:
                first, second = self._rng.choice(len(best), 2)
                point = dict(best[int(first)])
                if self._rng.random() < 0.5:
                    point = self._space.crossover(point, best[int(second)], self._rng)
                point = step(self._space, point, self._rng, 1.0 / max(len(point), 1))
            out[key_of(point)] = point
        return list(out.values())

    def _first(self, pool: list[Point], count: int) -> list[Point]:
        """To begin with: evenly drawn among what fits."""
        out = list[Point]()
        for place in self._rng.permutation(len(pool)):
            if len(out) == count:
                break
            if self._of(pool[int(place)]).violation <= 0:
                out.append(pool[int(place)])
            elif place % 8 == 0 and len(self._seen) > 20 * count:
                break
        if not out:
            return self._filled(sorted(pool, key=self._violation)[:count], count)
        return self._filled(out, count)

    def _violation(self, point: Point) -> float:
        found = self._seen.get(key_of(point))
        return np.inf if found is None else found.violation

    def _forward(self, values: FloatArray) -> FloatArray:
        """To the scale on which the model predicts: accuracies as the logarithm of the error."""
        return np.log(np.maximum(1.0 + values, _LEAST_ERROR)) if self._unknown == "accuracy" else values

    def _back(self, mean: FloatArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self._unknown != "accuracy":
            return mean, spread
        error = np.exp(mean)
        return error - 1.0, error * spread

    def _rows(self, points: Sequence[Point], *, with_costs: bool) -> FloatArray:
        """Features of networks: what the space says of them, else their decisions; and the best of each known cost."""
        missing = [point for point in points if key_of(point) not in self._features]
        if missing:
            told = self._hooks.get("features")
            rows = self._space.features(missing) if told is None else [told(point) for point in missing]
            for point, row in zip(missing, rows, strict=True):
                self._features[key_of(point)] = np.array(row, dtype=np.float32)
        found = np.array([self._features[key_of(point)] for point in points], dtype=np.float32)
        if not with_costs or not self._known:
            return found
        best = []
        for point in points:
            costs = self._of(point).costs
            best.append(costs.min(axis=0) if len(costs) else np.full(len(self._known), 1e3))
        return np.hstack([found, np.array(best, dtype=np.float32)])

    def _promising(self, pool: list[Point], points: list[Point], values: FloatArray, count: int) -> list[Point]:
        """Those whose costs are worth working out: by models of accuracy and of the costs that are known already."""
        priced = [point for point in points if len(self._of(point).costs)]
        features = self._rows([*points, *pool], with_costs=False)
        model = _Model(self._rng, int(self._options["trees"]))
        model.fit(features[: len(points)], self._forward(values))
        mean, spread = model.predict(features[len(points) :])
        guessed = list[FloatArray]()
        if self._known and len(priced) >= 2:
            rows = self._rows(priced, with_costs=False)
            best = np.array([self._of(point).costs.min(axis=0) for point in priced])
            for column in best.T:
                model.fit(rows, column)
                guessed.append(model.predict(features[len(points) :])[0])
        costs = np.column_stack(guessed) if guessed else np.zeros((len(pool), len(self._known)))
        seen = [Foreseen(row[None], 0.0) for row in costs]
        return [
            pool[place] for place in self._picked(seen, features[len(points) :], mean, spread, self._trained(), count)
        ]

    def _picked(
        self,
        seen: Sequence[Foreseen],
        features: FloatArray,
        mean: FloatArray,
        spread: FloatArray,
        good: list[tuple[Point, float]],
        count: int,
    ) -> list[int]:
        """The candidates that add most, one after another."""
        mean, spread = self._back(mean, np.maximum(spread, _LEAST_SPREAD / 2))
        known = [(self._of(point).costs, value) for point, value in good]
        front = _front(known)
        bound = _bound(front)
        places = _places(seen, front, bound[1:], self._rng)
        kinds: dict[bytes, int] = {}
        kind_of = np.array([kinds.setdefault(item.costs.tobytes(), len(kinds)) for item in seen])
        first = np.unique(kind_of, return_index=True)[1]
        covers = np.stack([_covered(seen[int(i)].costs, places) for i in first])
        best = np.full(len(places), bound[0])
        for costs, value in known:
            best = np.where(_covered(costs, places), np.minimum(best, value), best)
        gain = _coarse(best, covers, kind_of, mean, spread)
        finalists = np.argsort(-gain, kind="stable")[:_FINALISTS]
        mask, mu, sigma = covers[kind_of[finalists]], mean[finalists], spread[finalists]
        alike = [features[place].tobytes() for place in finalists]
        left, out = np.ones(len(finalists), dtype=bool), list[int]()
        for number in range(min(count, len(finalists))):
            if not self._known and number % 2:  # one best alone: every second pick follows a draw of what may be
                value = -self._rng.normal(mu, sigma)
            else:
                value = (_improvement(best[None, :], mu[:, None], sigma[:, None]) * mask).sum(axis=1)
            place = int(np.argmax(np.where(left, value, -np.inf)))
            if not left[place]:
                break
            # What computes the same comes out alike, and what is no better than a good outcome of this one can wait.
            left &= np.array([other != alike[place] for other in alike])
            best = np.where(mask[place], np.minimum(best, mu[place] - sigma[place]), best)
            out.append(int(finalists[place]))
        return out


class _Model:
    """A forest: mean and spread of its trees."""

    def __init__(self, rng: np.random.Generator, trees: int) -> None:
        self._seed, self._trees = int(rng.integers(2**31)), trees

    def fit(self, features: FloatArray, values: FloatArray) -> None:
        self._forest = ExtraTreesRegressor(self._trees, random_state=self._seed, min_samples_leaf=1, n_jobs=1)
        self._forest.fit(features, values)

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        rows = np.ascontiguousarray(features, dtype=np.float32)
        total, squares = np.zeros(len(rows)), np.zeros(len(rows))
        for tree in self._forest.estimators_:
            found = tree.tree_.predict(rows)[:, 0]
            total += found
            squares += found**2
        mean = total / self._trees
        return mean, np.sqrt(np.maximum(squares / self._trees - mean**2, 0.0))


def _front(told: Sequence[tuple[FloatArray, float]]) -> FloatArray:
    """``[designs, 1 + known objectives]``, what only training tells first, of what none dominates."""
    rows = np.concatenate([np.column_stack([np.full(len(costs), value), costs]) for costs, value in told])
    return rows[nondominated(rows)]


def _bound(front: FloatArray) -> FloatArray:
    """Beyond a front's worst, by a part of its span: what is worse than this in anything counts for nothing."""
    low, high = front.min(axis=0), front.max(axis=0)
    bound: FloatArray = high + _MARGIN * (high - low)
    return bound


def _places(seen: Sequence[Foreseen], front: FloatArray, bound: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Where fronts are compared, ``[places, known objectives]``: even draws from the least costs of any candidate."""
    if front.shape[1] == 1:
        return np.zeros((1, 0))
    low = np.min([item.costs.min(axis=0) for item in seen if len(item.costs)], axis=0)
    low = np.minimum(low, front[:, 1:].min(axis=0))
    return low + rng.random((_PLACES, len(low))) * (np.maximum(bound, low + 1e-9) - low)


def _covered(costs: FloatArray, places: FloatArray) -> NDArray[np.bool_]:
    """Places where some design of a front is no dearer."""
    out = np.zeros(len(places), dtype=bool)
    for row in costs:
        out |= (row <= places).all(axis=1)
    return out


def _improvement(best: FloatArray, mean: FloatArray, spread: FloatArray) -> FloatArray:
    """Expected improvement over a value to be lowered."""
    ahead = best - mean
    ratio = ahead / spread
    density = np.exp(-0.5 * ratio**2) / np.sqrt(2 * np.pi)
    found: FloatArray = ahead * ndtr(ratio) + spread * density
    return found


def _coarse(
    best: FloatArray, covers: NDArray[np.bool_], kind_of: NDArray[np.int64], mean: FloatArray, spread: FloatArray
) -> FloatArray:
    """About what each candidate adds: places with nearly equal best values counted as one."""
    levels = np.unique(np.quantile(best, np.linspace(0, 1, _LEVELS)))
    nearest = np.abs(best[:, None] - levels).argmin(axis=1)
    onto = np.zeros((len(best), len(levels)), dtype=np.float32)
    onto[np.arange(len(best)), nearest] = 1.0
    counts = covers.astype(np.float32) @ onto
    gain = np.zeros(len(mean))
    for level, value in enumerate(levels):
        gain += counts[kind_of, level] * _improvement(value, mean, spread)
    return gain


def _every(space: DecisionSpace) -> list[Point]:
    out: list[Point] = [{}]
    for decision in space.decisions:
        assert isinstance(decision, Decision), "a discrete space has choices"
        grown: list[Point] = []
        for point in out:
            active = all(condition.holds(point) for condition in decision.when)
            grown += [{**point, decision.name: value} for value in decision.choices] if active else [point]
        out = grown
    return out


def foreseen(goal: Goal, known: Sequence[str], outcomes: Sequence[Outcome]) -> Foreseen:
    """A network's front, or what its nearest design breaks."""
    good = [outcome for outcome in outcomes if outcome.feasible]
    if not good:
        return Foreseen(np.zeros((0, len(known))), min(outcome.violation for outcome in outcomes))
    if not known:
        return Foreseen(np.zeros((1, 0)), 0.0)
    return Foreseen(scaled_costs(Goal(tuple(known)), good), 0.0)
