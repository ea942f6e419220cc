"""A predictor that also learns from networks that nobody measured (Luo 2020, SemiNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from codesign.decisions import Point
from codesign.predictors.base import FloatArray, PredictorContext
from codesign.predictors.sequence import SequenceNetwork

#: Predictors, fitted to what is measured, whose mean is taken for the truth of what is not.
_TEACHERS = 4


class SemiSupervised:
    """What predictors of the measured networks agree on of others is data too, for one that is fitted to both.

    Measured and unmeasured networks weigh alike in sum.

    Args:
        context: with a space of choices; ``unmeasured`` networks are drawn.
    """

    def __init__(self, context: PredictorContext) -> None:
        seeds = np.random.default_rng(context.seed)
        contexts = [replace(context, seed=int(seeds.integers(2**31))) for _ in range(_TEACHERS + 1)]
        self._teachers = [SequenceNetwork(each) for each in contexts[1:]]
        self._student = SequenceNetwork(contexts[0])
        self._drawn = [context.space.draw(seeds) for _ in range(context.unmeasured)]

    def fit(self, points: Sequence[Point], targets: FloatArray, more: FloatArray | None = None) -> None:
        """Fit anew."""
        if not self._drawn:
            self._student.fit(points, targets, more)
            return
        level = None if more is None else more[np.arange(len(self._drawn)) % len(more)]
        guesses = []
        for teacher in self._teachers:
            teacher.fit(points, targets, more)
            guesses.append(teacher.predict(self._drawn, level)[0])
        times = max(1, round(len(self._drawn) / max(len(points), 1)))
        all_more = None if more is None or level is None else np.concatenate([*[more] * times, level])
        self._student.fit(
            [*list(points) * times, *self._drawn],
            np.concatenate([*[targets] * times, np.mean(guesses, axis=0)]),
            all_more,
        )

    def predict(self, points: Sequence[Point], more: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean of the student, and the spread of its teachers (0 without them)."""
        means, spreads = self._student.predict(points, more)
        if self._drawn:
            spreads = np.std([teacher.predict(points, more)[0] for teacher in self._teachers], axis=0)
        return means, spreads
