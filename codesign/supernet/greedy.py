"""Networks that are worth training: of some that are drawn, those that shared weights already serve best (You 2020).

GreedyNAS, "multi-path sampling with rejection": every few steps networks are drawn, each is judged by its loss on a few
held-out images with the weights as they are, and the better half alone are trained, one an update. What is trained goes
to a pool of the best so far, from which later draws are taken more and more often, so that weights serve promising
networks rather than all.

Cream, "distilling prioritised paths" (Peng 2020): the best networks so far are a board; each network that is trained
also learns what the network of the board that is most like it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from codesign.decisions import Point
from codesign.seeds import derive_seed
from codesign.supernet.corners import Corners
from codesign.supernet.sampling import StepPlan
from codesign.supernet.store import Arrays

Judge = Callable[[Sequence[Point], int], list[float]]

#: Networks that the pool keeps (You 2020: 1,000 of 10^13 or so).
POOL = 200
#: The share of draws from the pool at the last step; it begins at none.
MOST_POOLED = 0.8
#: Of so many times the networks that are trained the better ones are (5 of 10 in the paper).
DRAWN = 2
#: Networks on the board of prioritised paths (Peng 2020: 10).
BOARD = 10
#: The share of the steps before the board teaches.
UNTAUGHT = 0.1


class Greedy:
    """The plan of each step. Draws depend on the seed and the step; what is pending and pooled is kept by checkpoints.

    Args:
        corners: of the space.
        seed, steps: of the training.
        subnets: networks trained of a draw, one a step.
        judge: losses of networks on held-out images, for a step.
    """

    def __init__(self, corners: Corners, seed: int, steps: int, subnets: int, judge: Judge) -> None:
        self._space, self._seed, self._steps, self._subnets = corners.space, seed, steps, subnets
        self._judge = judge
        self._pending: list[Point] = []
        self._step = -1
        #: The best networks so far, the best first, each with the loss that it last had.
        self.pool: list[tuple[float, Point]] = []

    def __call__(self, step: int) -> StepPlan:
        """One network. Steps are asked for in order."""
        place = step % self._subnets
        if not place and step != self._step:
            self._pending, self._step = self._chosen(step), step
        return StepPlan((self._pending[place],))

    def _chosen(self, step: int) -> list[Point]:
        drawn = self.drawn(step)
        losses = self._judge(drawn, step)
        order = np.argsort(losses, kind="stable")[: self._subnets]
        chosen = [(losses[int(row)], drawn[int(row)]) for row in order]
        known = {str(point) for _, point in chosen}
        best = sorted(
            [*chosen, *(item for item in self.pool if str(item[1]) not in known)],
            key=lambda item: item[0],
        )
        self.pool = best[:POOL]
        return [point for _, point in chosen]

    def drawn(self, step: int) -> list[Point]:
        """Distinct networks, from the pool with a share that grows with the steps, else evenly."""
        rng = np.random.default_rng(derive_seed(self._seed, "plan", step))
        share = MOST_POOLED * step / max(1, self._steps - 1) if len(self.pool) >= self._subnets else 0.0
        out: dict[str, Point] = {}
        for _ in range(100 * DRAWN * self._subnets):  # a space may be smaller than a draw
            pooled = rng.random() < share
            point = self.pool[int(rng.integers(len(self.pool)))][1] if pooled else self._space.draw(rng)
            out.setdefault(str(point), point)
            if len(out) == DRAWN * self._subnets:
                break
        points = list(out.values())
        return [points[place % len(points)] for place in range(DRAWN * self._subnets)]

    def arrays(self) -> Arrays:
        """The state: places of choices (-1: not active), and losses."""
        rows = {"pending": self._pending, "pool": [point for _, point in self.pool]}
        found: Arrays = {
            f"greedy/{name}": np.array([self._row(point) for point in points], np.int64).reshape(len(points), -1)
            for name, points in rows.items()
        }
        return found | {
            "greedy/losses": np.array([loss for loss, _ in self.pool], np.float64),
            "greedy/step": np.array(self._step, np.int64),
        }

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take a checkpoint's state."""
        points = {name: [self._point(row) for row in arrays[f"greedy/{name}"]] for name in ("pending", "pool")}
        self._pending, self._step = points["pending"], int(arrays["greedy/step"])
        self.pool = list(zip((float(loss) for loss in arrays["greedy/losses"]), points["pool"], strict=True))

    def _row(self, point: Point) -> list[int]:
        return [d.choices.index(point[d.name]) if d.name in point else -1 for d in self._space.choices]

    def _point(self, row: Sequence[int]) -> Point:
        return {d.name: d.choices[int(at)] for d, at in zip(self._space.choices, row, strict=True) if at >= 0}


class Priority(Greedy):
    """Networks drawn evenly, one a step, taught by the board; the state is that of :class:`Greedy`.

    A network is judged after it was trained, and takes a place of the board where it is better than the last there.
    """

    def __call__(self, step: int) -> StepPlan:
        """The teacher, where there is one, and one network. Steps are asked for in order."""
        if step != self._step:
            if self._pending:
                self._boarded(self._pending[0], step)
            rng = np.random.default_rng(derive_seed(self._seed, "plan", step))
            self._pending, self._step = [self._space.draw(rng)], step
        drawn = self._pending[0]
        if step < UNTAUGHT * self._steps or not self.pool:
            return StepPlan((drawn,))
        return StepPlan((self.nearest(drawn), drawn), "board")

    def _boarded(self, point: Point, step: int) -> None:
        (loss,) = self._judge([point], step)
        others = [item for item in self.pool if item[1] != point]
        self.pool = sorted([*others, (loss, point)], key=lambda item: item[0])[:BOARD]

    def nearest(self, point: Point) -> Point:
        """The network of the board with most decisions in common; of several the best."""
        common = [sum(board.get(name) == value for name, value in point.items()) for _, board in self.pool]
        return self.pool[int(np.argmax(common))][1]
