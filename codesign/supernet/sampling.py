"""Which networks of a space share a training step. Everything is a function of the seed and the step's number, so that
training goes on after a kill as it would have gone.

* ``uniform``: one network, each decision evenly (SPOS, Guo 2020).
* ``several``: as many networks as are told, each drawn evenly, whose gradients are added: what the sandwich rule is
  compared with where it was published (Yu 2019).
* ``fair``: as many networks as the widest decision has choices; over them each decision goes through permutations of
  its choices, and all gradients are added before one update (FairNAS, Chu 2021).
* ``sandwich``: the largest network, the smallest, and some between; all but the largest learn its soft labels (Yu 2019,
  BigNAS: Yu 2020).
* ``progressive``: the largest network alone, then kernels, then depths, then widths become elastic, while the largest
  network as it was trained at first teaches (OFA, Cai 2020).
* ``dropped``: the largest network, of which each decision is drawn with a chance that rises from none to
  :data:`MOST_DROPPED` (dropped paths: Bender 2018).
* ``growing``: one network a step, of which each decision has few choices at first and more from stage to stage, in an
  order of the seed (a curriculum of spaces: Guo 2020).
* ``greedy``: networks that the weights serve best, as :mod:`codesign.supernet.greedy` says (You 2020).
* ``priority``: one network a step, which the nearest of the best so far teaches (Cream, Peng 2020; the same module).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from codesign.decisions import Point
from codesign.seeds import derive_seed
from codesign.supernet.corners import Corners, kind_of

#: The chance at the last step that a decision of the largest network is drawn.
MOST_DROPPED = 0.8
#: Stages of a growing space.
STAGES = 4
#: Phases of progressive shrinking: the decisions that become elastic. What is no extent (a choice of block, a place
#: of a stride) is open from the second phase on.
PHASES: tuple[tuple[str, ...], ...] = (
    (),
    ("kernel", "choice", "resolution", "bits"),
    ("depth",),
    ("width", "expansion"),
)


@dataclass(frozen=True)
class StepPlan:
    """One training step.

    Attributes:
        points: networks whose gradients are added.
        teacher: "": all learn labels; "first": all but the first learn from the first's logits; "frozen": all learn
            labels and the logits of the largest network as it was at the end of the first phase; "board": the first
            only teaches, the others learn labels and its logits.
        phase: number of the phase.
    """

    points: tuple[Point, ...]
    teacher: str = ""
    phase: int = 0


Planner = Callable[[int], StepPlan]


def planner(strategy: str, corners: Corners, seed: int, steps: int, subnets: int) -> Planner:
    """The plan of each step.

    Args:
        strategy: one of :data:`codesign.supernet.names.STRATEGIES`, but none of its ``JUDGING``.
        steps: of the whole training.
        subnets: networks drawn evenly in a step of ``several``, ``sandwich`` or ``progressive``.
    """
    space = corners.space

    def rng(step: int) -> np.random.Generator:
        return np.random.default_rng(derive_seed(seed, "plan", step))

    def uniform(step: int) -> StepPlan:
        return StepPlan((space.draw(rng(step)),))

    def drawn(step: int) -> tuple[Point, ...]:
        generator = rng(step)
        return tuple(space.draw(generator) for _ in range(subnets))

    def sandwich(step: int) -> StepPlan:
        return StepPlan((corners.largest, *drawn(step), corners.smallest), "first")

    def progressive(step: int) -> StepPlan:
        phase = phase_of(step, steps)
        if phase == 0:
            return StepPlan((corners.largest,))
        opened = {kind for kinds in PHASES[: phase + 1] for kind in kinds}
        held = {name: value for name, value in corners.largest.items() if kind_of(name) not in opened}
        generator = rng(step)
        return StepPlan(tuple(space.completed(held, generator) for _ in range(subnets)), "frozen", phase)

    def dropped(step: int) -> StepPlan:
        generator, chance = rng(step), MOST_DROPPED * step / max(1, steps - 1)
        kept = {name: value for name, value in corners.largest.items() if generator.random() >= chance}
        return StepPlan((space.completed(kept, generator),))

    def growing(step: int) -> StepPlan:
        stage, generator, values = min(STAGES - 1, step * STAGES // steps), rng(step), Point()
        for decision in space.choices:
            order = np.random.default_rng(derive_seed(seed, "growing", decision.name)).permutation(
                len(decision.choices)
            )
            opened = max(2, -(-len(decision.choices) * (stage + 1) // STAGES))
            values[decision.name] = decision.choices[int(generator.choice(order[:opened]))]
        return StepPlan((space.canonical(values),))

    made: dict[str, Planner] = {
        "dropped": dropped,
        "growing": growing,
        "uniform": uniform,
        "several": lambda step: StepPlan(drawn(step)),
        "fair": _Fair(corners, seed),
        "sandwich": sandwich,
        "progressive": progressive,
    }
    return made[strategy]


def phase_of(step: int, steps: int) -> int:
    """Phase of a step of progressive shrinking: phases are of equal length."""
    return min(len(PHASES) - 1, step * len(PHASES) // steps)


class _Fair:
    """Each decision an endless row of permutations of its choices, read on from step to step: after any number of steps
    the counts of two choices differ by at most one, and by none where all decisions have as many choices."""

    def __init__(self, corners: Corners, seed: int) -> None:
        self._space, self._seed = corners.space, seed
        self._width = max(len(decision.choices) for decision in corners.space.choices)

    def __call__(self, step: int) -> StepPlan:
        points = []
        for place in range(step * self._width, (step + 1) * self._width):
            values = {}
            for decision in self._space.choices:
                row, column = divmod(place, len(decision.choices))
                order = np.random.default_rng(derive_seed(self._seed, "fair", decision.name, row)).permutation(
                    len(decision.choices)
                )
                values[decision.name] = decision.choices[int(order[column])]
            points.append(self._space.canonical(values))
        return StepPlan(tuple(points))
