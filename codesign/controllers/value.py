"""Q-learning and tree search over the decisions in order: what each prefix has been worth.

Both keep values of prefixes: Q-learning of (place, choice before, choice) (BlockQNN: Zhong 2018), tree search of whole
prefixes (AlphaX: Wang 2019; UCT: Wistuba 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.proposals import Seen
from codesign.controllers.scalar import Archive
from codesign.decisions import DecisionSpace, Point
from codesign.decisions.space import INACTIVE


def _active(space: DecisionSpace, point: Point, place: int) -> bool:
    return all(condition.holds(point) for condition in space.decisions[place].when)


class QLearning:
    """Tabular Q-learning with an epsilon that falls and experience replay (Zhong 2018, BlockQNN).

    One table a preference: ``preferences`` of them are spread over the simplex and take turns, each learning from every
    trial by its own score.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("q"), Seen()
        self._archive = Archive(context.goal)
        space, tables = context.space, 1 if context.goal.reward is not None else int(context.options["preferences"])
        self._sizes = space.cardinalities
        widest = max(self._sizes)
        self._q: NDArray[np.float64] = np.zeros((tables, len(self._sizes), widest + 1, widest))
        self._weights = [self._archive.draw_weights(self._rng) for _ in range(tables)]
        self._turn = 0

    @property
    def epsilon(self) -> float:
        """How often a choice is drawn evenly.

        It falls evenly from 1 to its least over ``decay_trials`` (Zhong 2018, table 1, in steps).
        """
        done = len(self._archive) / float(self._context.options["decay_trials"])
        return float(max(1.0 - done, self._context.options["least_epsilon"]))

    def value_of(self, point: Point, table: int = 0) -> float:
        """Mean Q of a point's choices."""
        (row,) = self._context.space.matrix([point])
        places = np.flatnonzero(row != INACTIVE)
        values = []
        for index, place in enumerate(places):
            adjacent = index > 0 and places[index - 1] == place - 1
            before = int(row[place - 1]) + 1 if adjacent else 0
            values.append(self._q[table, place, before, row[place]])
        return float(np.mean(values))

    def _walk(self, table: int, epsilon: float) -> Point:
        space, point, before = self._context.space, Point(), 0
        for place, size in enumerate(self._sizes):
            if not _active(space, point, place):
                before = 0
                continue
            if self._rng.random() < epsilon:
                choice = int(self._rng.integers(size))
            else:
                values = self._q[table, place, before, :size]
                choice = int(self._rng.choice(np.flatnonzero(values == values.max())))
            point |= space.points_choice(place, choice)
            before = choice + 1
        return point

    def ask(self, count: int) -> list[Point]:
        """Epsilon-greedy walks, a table after the other."""
        out = []
        for _ in range(count):
            table = self._turn % len(self._q)
            self._turn += 1
            epsilon = self.epsilon

            def walk(table: int = table, epsilon: float = epsilon) -> Point:
                return self._walk(table, epsilon)

            out.append(self._seen.fresh(walk, lambda: self._walk(0, 1.0)))
        return out

    def tell(self, told: Sequence[Told]) -> None:
        """Replay: the new trials and a sample of old ones update every table."""
        first = len(self._archive)
        self._archive.extend(told)
        for item in told:
            self._seen.add(item.point)
        count = len(self._archive)
        replay = self._rng.integers(count, size=min(int(self._context.options["replay"]), count))
        rows = np.unique(np.concatenate([np.arange(first, count), replay]))
        matrix = self._context.space.matrix([self._archive.told[row].point for row in rows])
        for table, weights in enumerate(self._weights):
            everything = self._archive.scores(weights)
            order = np.argsort(np.argsort(everything, kind="stable"), kind="stable")
            reward = order[rows] / max(count - 1, 1)
            for choices, value in zip(matrix, reward, strict=True):
                self._learn(table, choices, float(value))

    def _learn(self, table: int, choices: NDArray[np.int64], reward: float) -> None:
        rate, discount = float(self._context.options["learning_rate"]), float(self._context.options["discount"])
        places = np.flatnonzero(choices != INACTIVE)
        target = reward
        for index in range(len(places) - 1, -1, -1):  # backwards: the end's reward runs through at once
            place = places[index]
            adjacent = index > 0 and places[index - 1] == place - 1
            before = int(choices[place - 1]) + 1 if adjacent else 0
            cell = self._q[table, place, before]
            cell[choices[place]] += rate * (target - cell[choices[place]])
            # The action's own worth, shared with what the best known action here is worth.
            target = max(reward * discount, discount * float(cell[: self._sizes[place]].max()))


class TreeSearch:
    """Monte Carlo tree search: UCT down the prefixes that are known, a playout below them.

    A node's worth is the mean rank of its trials under the preference of the descent (or the goal's reward). A playout
    follows, decision by decision, the best trial that is known below the last node with ``guided`` probability, and
    draws otherwise (AlphaX guides its playouts by a learned model).
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("tree"), Seen()
        self._archive = Archive(context.goal)
        self._sizes = context.space.cardinalities
        self._rows: NDArray[np.int64] = np.zeros((0, len(self._sizes)), np.int64)

    def visits(self, place: int = 0) -> NDArray[np.int64]:
        """How many trials took each choice of a decision."""
        column = self._rows[:, place]
        return np.bincount(column[column >= 0], minlength=self._sizes[place])

    def _descend(self, worth: NDArray[np.float64]) -> Point:
        """One walk from the root; ``worth`` [n] of every trial, 0 to 1."""
        space, point = self._context.space, Point()
        members = np.arange(len(self._rows))
        explore = float(self._context.options["exploration"])
        guided, guide = float(self._context.options["guided"]), -1
        for place, size in enumerate(self._sizes):
            if not _active(space, point, place):
                continue
            column = self._rows[members, place]
            visits = np.bincount(np.maximum(column, 0), minlength=size)[:size]
            if len(members):
                guide = int(members[int(np.argmax(worth[members]))])
            if len(members) < size:
                follow = guide >= 0 and self._rows[guide, place] >= 0 and self._rng.random() < guided
                choice = int(self._rows[guide, place]) if follow else int(self._rng.integers(size))
            elif (visits == 0).any():
                choice = int(self._rng.choice(np.flatnonzero(visits == 0)))
            else:
                sums = np.bincount(column, weights=worth[members], minlength=size)[:size]
                bound = sums / visits + explore * np.sqrt(np.log(len(members)) / visits)
                choice = int(self._rng.choice(np.flatnonzero(bound == bound.max())))
            point |= space.points_choice(place, choice)
            members = members[column == choice]
        return point

    def ask(self, count: int) -> list[Point]:
        """A descent for each, under a preference of its own."""
        out = []
        for _ in range(count):
            worth = np.zeros(0)
            if len(self._archive):
                scores = self._archive.scores(self._archive.draw_weights(self._rng))
                worth = np.argsort(np.argsort(scores, kind="stable"), kind="stable") / max(len(scores) - 1, 1)

            def descend(worth: NDArray[np.float64] = worth) -> Point:
                return self._descend(worth)

            out.append(self._seen.fresh(descend, lambda: self._context.space.draw(self._rng)))
        return out

    def tell(self, told: Sequence[Told]) -> None:
        """The tree grows by the trials."""
        self._archive.extend(told)
        for item in told:
            self._seen.add(item.point)
        fresh = self._context.space.matrix([item.point for item in told])
        self._rows = np.concatenate([self._rows, fresh])
