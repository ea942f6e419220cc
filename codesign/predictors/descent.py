"""What the predictors that are trained by descent share: standardised targets and one loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from codesign.controllers.threads import one_thread
from codesign.decisions import Point
from codesign.predictors.base import FloatArray, PredictorContext


class Descent(ABC):
    """A small network of torch, trained anew at every fit.

    Args:
        context: of the predictor.
        steps, rate, decay: of the training.
    """

    def __init__(self, context: PredictorContext, steps: int = 300, rate: float = 5e-3, decay: float = 1e-3) -> None:
        self._context, self._steps, self._rate, self._decay = context, steps, rate, decay
        self._model: nn.Module | None = None
        self._mean, self._scale = np.zeros(1), np.ones(1)

    @abstractmethod
    def _inputs(self, points: Sequence[Point], more: Tensor) -> tuple[Tensor, ...]:
        """What the model reads of points [n] and of ``more`` [n, m]."""

    @abstractmethod
    def _made(self, more: int, targets: int) -> nn.Module:
        """A fresh model for so many other numbers and targets."""

    def _loss(self, model: nn.Module, inputs: tuple[Tensor, ...], target: Tensor) -> Tensor:
        return nn.functional.mse_loss(model(*inputs), target)

    @staticmethod
    def _more(points: Sequence[Point], more: FloatArray | None) -> Tensor:
        return torch.tensor(np.zeros((len(points), 0)) if more is None else more, dtype=torch.float32)

    @one_thread
    def fit(self, points: Sequence[Point], targets: FloatArray, more: FloatArray | None = None) -> None:
        """Fit anew."""
        self._mean, self._scale = targets.mean(axis=0), targets.std(axis=0) + 1e-9
        target = torch.tensor((targets - self._mean) / self._scale, dtype=torch.float32)
        numbers = self._more(points, more)
        inputs = self._inputs(points, numbers)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._context.seed)
            model = self._made(numbers.shape[1], targets.shape[1])
            optimizer = torch.optim.AdamW(model.parameters(), lr=self._rate, weight_decay=self._decay)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self._steps)
            for _ in range(self._steps):
                loss = self._loss(model, inputs, target)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
        self._model = model.eval()

    @one_thread
    def predict(self, points: Sequence[Point], more: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean, and a spread of 0."""
        assert self._model is not None, "fitted before it is asked"
        with torch.no_grad():
            found = self._model(*self._inputs(points, self._more(points, more))).double().numpy()
        means: FloatArray = found * self._scale + self._mean
        return means, np.zeros_like(means)
