"""What a predictor is, and the predictors by name. Loads neither torch nor scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.decisions import DecisionSpace, Point
from codesign.plugin import load_target

FloatArray: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class PredictorContext:
    """What a predictor is made from.

    Attributes:
        space: the decisions of the points.
        seed: equal seeds and equal data make equal predictions.
        hooks: of the space, see :class:`codesign.controllers.controller.ControllerContext`.
        trees: of a forest.
        unmeasured: networks that are drawn and learned from without being measured, where a predictor can.
    """

    space: DecisionSpace
    seed: int
    hooks: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    trees: int = 60
    unmeasured: int = 400

    def features(self, points: Sequence[Point], more: FloatArray | None) -> FloatArray:
        """Points, and what else is known of each, as rows of numbers [n, f]."""
        rows = self.space.features(points)
        return rows if more is None else np.concatenate([rows, more], axis=1)


class Predictor(Protocol):
    """Predicts figures of points."""

    def fit(self, points: Sequence[Point], targets: FloatArray, more: FloatArray | None = None) -> None:
        """Fit anew.

        Args:
            points: what was measured.
            targets: figures [n, t].
            more: other numbers that are known of each point, beside its decisions [n, m].
        """
        ...

    def predict(self, points: Sequence[Point], more: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean and spread [n, t]; a spread of 0 where the model has none."""
        ...


#: The predictors, each with its source.
PREDICTORS: Mapping[str, str] = {
    "trees": "codesign.predictors.plain:Trees",  # Geurts 2006
    "linear": "codesign.predictors.plain:Linear",
    "support_vectors": "codesign.predictors.plain:SupportVectors",  # Baker 2018
    "graph": "codesign.predictors.graph:GraphNetwork",  # Wen 2020
    "sequence": "codesign.predictors.sequence:SequenceNetwork",  # Deng 2017
    "semi_supervised": "codesign.predictors.semi_supervised:SemiSupervised",  # Tang 2020, Luo 2020
}


def make_predictor(kind: str, context: PredictorContext) -> Predictor:
    """A predictor by its name (a key of :data:`PREDICTORS`).

    Raises:
        SpecError: it needs a hook that the space does not have.
    """
    made: Predictor = load_target(PREDICTORS[kind])(context)
    return made
