"""A predictor of accuracy from the choices of a network and of its compression (Wang 2020, APQ)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.decisions import Decision, Point
from codesign.gradient.choices import Choices

_HIDDEN = 64


class AccuracyPredictor(nn.Module):
    """Three layers over one-hot choices; its outputs are standardised by what it is first fitted to.

    Args:
        decisions: of network and compression.
    """

    def __init__(self, decisions: Sequence[Decision]) -> None:
        super().__init__()
        self._choices = Choices(decisions)
        inputs = sum(len(d.choices) for d in decisions)
        self.layers = nn.Sequential(
            nn.Linear(inputs, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1)
        )
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def rows(self, points: Sequence[Point]) -> Tensor:
        """Points as features [n, choices]."""
        return torch.stack([torch.cat(list(self._choices.one_hot(point).values())) for point in points])

    def forward(self, rows: Tensor) -> Tensor:
        """Accuracies [n], standardised."""
        out: Tensor = self.layers(rows)[:, 0]
        return out

    def predicted(self, points: Sequence[Point]) -> NDArray[np.float64]:
        """Accuracies [n]."""
        assert isinstance(self.mean, Tensor) and isinstance(self.spread, Tensor)
        with torch.no_grad():
            found = self(self.rows(points)) * self.spread + self.mean
        return np.asarray(found.double().numpy())


def fitted_predictor(
    decisions: Sequence[Decision],
    points: Sequence[Point],
    accuracies: Sequence[float],
    steps: int,
    rate: float,
    seed: int,
    begun: AccuracyPredictor | None = None,
) -> AccuracyPredictor:
    """A predictor of what is known.

    Args:
        begun: one that knows another part of the space: its weights are tuned, with the level and spread of the
            accuracies set anew.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    predictor = AccuracyPredictor(decisions) if begun is None else deepcopy(begun)
    rows, known = predictor.rows(points), torch.tensor(accuracies, dtype=torch.float32)
    predictor.mean = known.mean()
    predictor.spread = known.std().clamp_min(1e-4)
    target = (known - predictor.mean) / predictor.spread
    optimizer = torch.optim.AdamW(predictor.parameters(), lr=rate, weight_decay=1e-2)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
        some = torch.randint(len(rows), (min(32, len(rows)),), generator=generator)
        loss = (predictor(rows[some]) - target[some]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return predictor.eval()
