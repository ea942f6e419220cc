"""A Gaussian process over rows of features, its kernel's length and noise by marginal likelihood (Rasmussen 2006)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from codesign.objectives.front import FloatArray

#: Among which the likeliest are taken: squared lengths of the kernel, and the noise's share of the signal's variance.
_LENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0)
_NOISES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)


def squared_distances(left: FloatArray, right: FloatArray) -> FloatArray:
    """[left, right], of rows."""
    both = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :] - 2.0 * left @ right.T
    out: FloatArray = np.maximum(both, 0.0)
    return out


class Process:
    """The kernel ``exp(-distance^2 / length)`` with noise; its mean is that of the values.

    Args:
        rows: [n, features], known points.
        values: [n].
        like: length and noise of an earlier fit to take; None: the likeliest.
    """

    def __init__(self, rows: FloatArray, values: FloatArray, like: tuple[float, float] | None = None) -> None:
        self._rows = rows
        self._center, self._scale = float(values.mean()), float(values.std()) + 1e-12
        standard = (values - self._center) / self._scale
        distances = squared_distances(rows, rows)
        self.length, self.noise = like or _likeliest(distances, standard)
        kernel = np.exp(-distances / self.length) + self.noise * np.eye(len(rows))
        self._factor = cholesky(kernel, lower=True)
        half = solve_triangular(self._factor, standard, lower=True)
        self._weights = solve_triangular(self._factor.T, half, lower=False)
        self._amplitude = float(half @ half) / len(rows)

    @property
    def scatter(self) -> float:
        """Standard deviation of one measurement about what equal points have in common, in units of the values."""
        return self._scale * float(np.sqrt(self._amplitude * self.noise))

    def posterior(self, rows: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mean and standard deviation [n] of what equal points have in common, and [known, n] for `covariance`."""
        cross = np.exp(-squared_distances(rows, self._rows) / self.length)
        half = solve_triangular(self._factor, cross.T, lower=True)
        spread = np.sqrt(self._amplitude * np.maximum(1.0 - (half**2).sum(axis=0), 1e-9))
        return self._center + self._scale * (cross @ self._weights), self._scale * spread, half

    def covariance(self, rows: FloatArray, half: FloatArray) -> FloatArray:
        """[n, n], of rows with their `posterior`."""
        prior = np.exp(-squared_distances(rows, rows) / self.length)
        out: FloatArray = self._scale**2 * self._amplitude * (prior - half.T @ half)
        return out


def _likeliest(distances: FloatArray, values: FloatArray) -> tuple[float, float]:
    best, out = np.inf, (_LENGTHS[0], _NOISES[0])
    for length in _LENGTHS:
        own, vectors = np.linalg.eigh(np.exp(-distances / length))
        squares = (vectors.T @ values) ** 2
        for noise in _NOISES:
            total = np.maximum(own, 0.0) + noise
            amplitude = (squares / total).mean()
            cost = len(values) * np.log(max(amplitude, 1e-300)) + np.log(total).sum()
            if cost < best:
                best, out = cost, (length, noise)
    return out
