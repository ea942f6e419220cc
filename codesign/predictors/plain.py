"""Predictors over a point's features: a forest, a line, support vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import NuSVR

from codesign.decisions import Point
from codesign.predictors.base import FloatArray, PredictorContext


class _Plain(ABC):
    """One regression a target."""

    def __init__(self, context: PredictorContext) -> None:
        self._context = context
        self._fitted: list[Any] = []

    def _rows(self, points: Sequence[Point], more: FloatArray | None) -> FloatArray:
        return self._context.features(points, more)

    @abstractmethod
    def _made(self) -> Any:
        """A fresh regression of scikit-learn."""

    def fit(self, points: Sequence[Point], targets: FloatArray, more: FloatArray | None = None) -> None:
        """Fit anew."""
        rows = self._rows(points, more)
        self._fitted = [self._made().fit(rows, column) for column in targets.T]

    def predict(self, points: Sequence[Point], more: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean, and a spread of 0."""
        rows = self._rows(points, more)
        means = np.stack([model.predict(rows) for model in self._fitted], axis=1)
        return means, np.zeros_like(means)


class Trees(_Plain):
    """A forest of extremely randomised trees; the spread is that of its trees."""

    def _made(self) -> Any:
        seed, trees = self._context.seed, self._context.trees
        return ExtraTreesRegressor(trees, random_state=seed, min_samples_leaf=1, n_jobs=1)

    def predict(self, points: Sequence[Point], more: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean and spread of the trees."""
        rows = self._rows(points, more)
        each = np.stack([np.stack([tree.predict(rows) for tree in m.estimators_]) for m in self._fitted], axis=2)
        return each.mean(axis=0), each.std(axis=0)


class Linear(_Plain):
    """Ridge regression over features and products of two."""

    def _rows(self, points: Sequence[Point], more: FloatArray | None) -> FloatArray:
        rows = super()._rows(points, more)
        pairs = [rows[:, i] * rows[:, j] for i in range(rows.shape[1]) for j in range(i + 1)]
        return np.concatenate([rows, np.stack(pairs, axis=1)], axis=1)

    def _made(self) -> Any:
        return Ridge(alpha=1e-2)


class SupportVectors(_Plain):
    """A nu support vector regression, all standardised; kernel and strengths by cross-validation (Baker 2018)."""

    def fit(self, points: Sequence[Point], targets: FloatArray, more: FloatArray | None = None) -> None:
        """Fit anew."""
        self._mean, self._scale = targets.mean(axis=0), targets.std(axis=0) + 1e-9
        super().fit(points, (targets - self._mean) / self._scale, more)

    def predict(self, points: Sequence[Point], more: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean, and a spread of 0."""
        means, spreads = super().predict(points, more)
        return means * self._scale + self._mean, spreads

    def _made(self) -> Any:
        choices = [
            {"nusvr__kernel": ["rbf"], "nusvr__C": [1.0, 10.0, 100.0], "nusvr__gamma": [0.001, 0.003, 0.01, 0.03]},
            {"nusvr__kernel": ["linear"], "nusvr__C": [0.01, 0.1, 1.0]},
        ]
        folds = KFold(4, shuffle=True, random_state=self._context.seed)
        pipeline = make_pipeline(StandardScaler(), NuSVR(nu=0.5))
        return GridSearchCV(pipeline, choices, cv=folds, scoring="neg_mean_absolute_error")
