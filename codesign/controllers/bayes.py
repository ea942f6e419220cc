"""Bayesian optimisation with a distance of networks, and search in the space of an encoder.

NASBOT (Kandasamy 2018) puts a Gaussian process over a distance between networks; NAO (Luo 2018) learns a continuous
space of points with an accuracy predictor on it and follows that predictor's gradient.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import norm, spearmanr
from torch import nn

from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.proposals import Key, Seen, key_of, step
from codesign.controllers.scalar import Archive
from codesign.controllers.surrogate import survivors_of
from codesign.controllers.threads import one_thread
from codesign.decisions import DecisionSpace, Point
from codesign.objectives.front import FloatArray

#: Variance of a measurement beside that of the process.
_NOISE = 0.05


def _kernel(distances: FloatArray, scale: float) -> FloatArray:
    """``exp(-distance / scale)`` and noise; what of it no kernel could be (negative eigenvalues) is left out."""
    values, vectors = np.linalg.eigh(np.exp(-distances / scale))
    kernel: FloatArray = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return kernel + _NOISE * np.eye(len(kernel))


class GraphBayes:
    """A Gaussian process with the kernel ``exp(-distance / scale)`` and expected improvement, bred by evolution.

    The distance is the space's hook "distance" (two points to a number) where it has one (optimal transport between
    layers for NASBOT), and the mean distance of the features of decisions that are not the network's; without a hook,
    of all decisions.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("bayes"), Seen()
        self._archive = Archive(context.goal)
        self._hooked: dict[tuple[Key, Key], float] = {}
        #: Decisions that the hook does not see.
        self._others = context.space.of_groups(*({d.group for d in context.space.decisions} - {"network"}))

    def _draw(self) -> Point:
        return self._context.space.draw(self._rng)

    def _distances(self, left: Sequence[Point], right: Sequence[Point]) -> FloatArray:
        hook = self._context.hooks.get("distance")
        if hook is not None:
            keys = [key_of(point) for point in left], [key_of(point) for point in right]
            rows = np.zeros((len(left), len(right)))
            for i, (a, one) in enumerate(zip(left, keys[0], strict=True)):
                for j, (b, other) in enumerate(zip(right, keys[1], strict=True)):
                    if (one, other) not in self._hooked:
                        self._hooked[one, other] = self._hooked[other, one] = float(hook(a, b))
                    rows[i, j] = self._hooked[one, other]
            return rows + self._apart(self._others, left, right) if self._others.decisions else rows
        return self._apart(self._context.space, left, right)

    @staticmethod
    def _apart(space: DecisionSpace, left: Sequence[Point], right: Sequence[Point]) -> FloatArray:
        """Mean distance of features, of the decisions of a space alone."""
        first, second = (
            space.features([{name: point[name] for name in space.names if name in point} for point in points])
            for points in (left, right)
        )
        return np.asarray(np.abs(first[:, None, :] - second[None, :, :]).mean(axis=2))

    def left_out(self) -> float:
        """Rank correlation of each known score with what the process says of it from all the others; nan: too few.

        The scores are the reward, or those under even weights of the objectives.
        """
        fine = np.flatnonzero(self._archive.violations <= 0)[-int(self._context.options["most_trials"]) :]
        if len(fine) < 5:
            return float("nan")
        known = [self._archive.told[row].point for row in fine]
        base = self._distances(known, known)
        scale = float(np.median(base[base > 0])) if (base > 0).any() else 1.0
        even = np.full(len(self._context.goal.objectives), 1.0 / len(self._context.goal.objectives))
        values = self._archive.scores(None if self._context.goal.reward is not None else even, fine)
        inverse = np.linalg.inv(_kernel(base, scale))
        standard = (values - values.mean()) / (values.std() + 1e-9)
        guess = standard - (inverse @ standard) / np.diag(inverse)  # leave-one-out (Rasmussen 2006, eq. 5.12)
        return float(spearmanr(guess, standard).statistic)

    def ask(self, count: int) -> list[Point]:
        """Random points to begin with, then the largest expected improvements, each under a preference of its own."""
        fine = np.flatnonzero(self._archive.violations <= 0)
        options = self._context.options
        if len(fine) < int(options["startup_trials"]):
            return [self._seen.fresh(self._draw, self._draw) for _ in range(count)]
        most = int(options["most_trials"])
        best = survivors_of(self._archive, most // 2)
        rows = np.unique(np.concatenate([best[self._archive.violations[best] <= 0], fine[-most // 2 :]]))
        known = [self._archive.told[row].point for row in rows]
        base = self._distances(known, known)
        scale = float(np.median(base[base > 0])) if (base > 0).any() else 1.0
        factor = cho_factor(_kernel(base, scale))
        pool = self._pool(int(options["offspring"]))
        if not pool:
            return [self._seen.fresh(self._draw, self._draw) for _ in range(count)]
        cross = np.exp(-self._distances(pool, known) / scale)
        spread = np.sqrt(np.maximum(1.0 - (cross * cho_solve(factor, cross.T).T).sum(axis=1), 1e-9))
        out: list[Point] = []
        taken = np.zeros(len(pool), bool)
        for _ in range(min(count, len(pool))):
            values = self._archive.scores(self._archive.draw_weights(self._rng), rows)
            mean, deviation = values.mean(), values.std() + 1e-9
            standard = (values - mean) / deviation
            guess = cross @ cho_solve(factor, standard)
            gap = (guess - standard.max()) / spread
            gain = np.where(taken, -np.inf, spread * (gap * norm.cdf(gap) + norm.pdf(gap)))
            place = int(np.argmax(gain))
            taken[place] = True
            self._seen.add(pool[place])
            out.append(pool[place])
        while len(out) < count:
            out.append(self._seen.fresh(self._draw, self._draw))
        return out

    def _pool(self, count: int) -> list[Point]:
        space, out = self._context.space, list[Point]()
        parents = survivors_of(self._archive, 40)
        for _ in range(count):
            if self._rng.random() < 0.2:
                point = self._draw()
            else:
                parent = self._archive.told[int(self._rng.choice(parents))].point
                point = step(space, parent, self._rng, 1.0 / max(len(parent), 1))
            if point not in self._seen and point not in out:
                out.append(point)
        return out

    def tell(self, told: Sequence[Told]) -> None:
        """Everything is data."""
        self._archive.extend(told)
        for item in told:
            self._seen.add(item.point)


class _AutoEncoder(nn.Module):
    def __init__(self, sizes: Sequence[int], hidden: int, latent: int, targets: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        width = sum(sizes)
        self.encoder = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.predictor = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, targets))

    def reconstruction(self, latent: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Cross entropy of the decoded choices; inactive decisions are left out."""
        parts = self.decoder(latent).split(self.sizes, dim=1)
        losses = [
            nn.functional.cross_entropy(part, rows[:, place], ignore_index=-1, reduction="sum")
            for place, part in enumerate(parts)
        ]
        return torch.stack(losses).sum() / max(len(rows), 1)


class EncoderSearch:
    """NAO (Luo 2018): encode the best points, follow the predictor's gradient in the latent space, decode."""

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._rng, self._seen = context, context.rng("encoder"), Seen()
        self._archive = Archive(context.goal)
        self._sizes = context.space.cardinalities
        self._model: _AutoEncoder | None = None
        self._fitted_at = 0
        self._targets = 1 if context.goal.reward is not None else len(context.goal.objectives)
        self._center: FloatArray = np.zeros(self._targets)
        self._scale: FloatArray = np.ones(self._targets)
        self._given: list[Point] = []

    def _draw(self) -> Point:
        return self._given.pop(0) if self._given else self._context.space.draw(self._rng)

    def inherit(self, other: Controller) -> None:
        """Encoder, predictor and decoder go on from the other's; its best points are the first to be asked for."""
        assert isinstance(other, EncoderSearch), "of the same class"
        self._model = copy.deepcopy(other._model)
        best = survivors_of(other._archive, int(self._context.options["startup_trials"]))
        self._given = [dict(other._archive.told[int(row)].point) for row in best]

    def _one_hot(self, rows: torch.Tensor) -> torch.Tensor:
        parts = []
        for place, size in enumerate(self._sizes):
            column = rows[:, place]
            part = nn.functional.one_hot(column.clamp(min=0), size).float()
            parts.append(part * (column >= 0).float().unsqueeze(1))
        return torch.cat(parts, dim=1)

    def _fit(self, rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]], costs: FloatArray) -> _AutoEncoder:
        options = self._context.options
        seed = int(self._context.rng("encoder", len(self._archive)).integers(2**31))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = _AutoEncoder(self._sizes, int(options["hidden"]), int(options["latent"]), self._targets)
        model = self._model or fresh
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        known, target = torch.tensor(rows), torch.tensor(costs, dtype=torch.float32)
        inputs = self._one_hot(known)
        for _ in range(int(options["steps"])):
            latent = model.encoder(inputs)
            loss = nn.functional.mse_loss(model.predictor(latent), target) + 0.1 * model.reconstruction(latent, known)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        return model

    @one_thread
    def ask(self, count: int) -> list[Point]:
        """Random points (inherited ones first) to begin with, then decoded steps uphill from the best."""
        options, archive = self._context.options, self._archive
        fine = np.flatnonzero(archive.violations <= 0)
        if len(fine) < int(options["startup_trials"]):
            return [self._seen.fresh(self._draw, self._draw) for _ in range(count)]
        costs = archive.costs[fine] if archive.goal.reward is None else -archive.scores(None)[fine][:, None]
        if not self._fitted_at or len(archive) - self._fitted_at >= int(options["refit_every"]):
            self._center, self._scale = costs.mean(axis=0), costs.std(axis=0) + 1e-9
            rows = self._context.space.matrix([archive.told[row].point for row in fine])
            self._model = self._fit(rows, (costs - self._center) / self._scale)
            self._fitted_at = len(archive)
        seeds = survivors_of(archive, max(count, 16))
        out: list[Point] = []
        while len(out) < count:
            parent = archive.told[int(self._rng.choice(seeds))].point
            out.append(self._seen.fresh(lambda parent=parent: self._climb(parent), self._draw))  # type: ignore[misc]
        return out

    def _climb(self, parent: Point) -> Point:
        """Decode after one to several gradient steps, until the point is another than its parent."""
        assert self._model is not None
        space = self._context.space
        weights = self._archive.draw_weights(self._rng)
        weight = torch.tensor(np.ones(1) if weights is None else weights, dtype=torch.float32)
        with torch.no_grad():
            latent = self._model.encoder(self._one_hot(torch.tensor(space.matrix([parent]))))
        size = float(self._context.options["step_size"]) * float(self._rng.uniform(0.3, 1.5))
        for _ in range(6):
            latent = latent.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad((self._model.predictor(latent) * weight).sum(), latent)
            latent = latent - size * gradient / (gradient.norm() + 1e-9)
            with torch.no_grad():
                parts = self._model.decoder(latent).split(self._sizes, dim=1)
                row = np.array([[int(part.argmax(dim=1)) for part in parts]])
            point = space.points(row)[0]
            if point != parent and point not in self._seen:
                return point
        return step(space, point, self._rng, 1.0 / max(len(point), 1))

    @one_thread
    def reconstructed(self, points: Sequence[Point]) -> float:
        """Share of the decisions of some points that come back from the latent space as they went in; nan: no model."""
        if self._model is None:
            return float("nan")
        rows = torch.tensor(self._context.space.matrix(points))
        with torch.no_grad():
            parts = self._model.decoder(self._model.encoder(self._one_hot(rows))).split(self._sizes, dim=1)
        back = torch.stack([part.argmax(dim=1) for part in parts], dim=1)
        active = rows >= 0
        return float((back == rows)[active].float().mean())

    @one_thread
    def tell(self, told: Sequence[Told]) -> None:
        """Everything is data."""
        self._archive.extend(told)
        for item in told:
            self._seen.add(item.point)
