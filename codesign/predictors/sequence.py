"""An LSTM that reads a network's decisions one after another (Deng 2017, Peephole)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from codesign.decisions import Point
from codesign.predictors.base import PredictorContext
from codesign.predictors.descent import Descent

_HIDDEN, _CODE = 48, 16


class SequenceNetwork(Descent):
    """Each decision's choice has a code; the state after the last one predicts, with what else is known.

    Args:
        context: with a space of choices.
    """

    def __init__(self, context: PredictorContext) -> None:
        super().__init__(context)
        self._sizes = context.space.cardinalities

    def _inputs(self, points: Sequence[Point], more: Tensor) -> tuple[Tensor, ...]:
        """Codes of the choices [n, decisions], inactive ones the last of their decision's."""
        rows = torch.tensor(self._context.space.matrix(points))
        first = torch.tensor([0, *self._sizes]).cumsum(0)[:-1] + torch.arange(len(self._sizes))
        rows = torch.where(rows < 0, torch.tensor(self._sizes), rows)
        return rows + first, more

    def _made(self, more: int, targets: int) -> nn.Module:
        return _Reader(sum(self._sizes) + len(self._sizes), more, targets)


class _Reader(nn.Module):
    def __init__(self, codes: int, more: int, targets: int) -> None:
        super().__init__()
        self.codes = nn.Embedding(codes, _CODE)
        self.lstm = nn.LSTM(_CODE, _HIDDEN, batch_first=True)
        self.head = nn.Sequential(nn.Linear(_HIDDEN + more, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, targets))

    def forward(self, codes: Tensor, more: Tensor) -> Tensor:
        states, _ = self.lstm(self.codes(codes))
        out: Tensor = self.head(torch.cat([states[:, -1], more], dim=1))
        return out
