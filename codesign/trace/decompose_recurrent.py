"""Recurrent layers, unrolled: the inputs' products of all steps at once, then a step after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

aten: Any = torch.ops.aten

#: (input products of one step, state) -> state
Step = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]


def _run(x: Tensor, state: tuple[Tensor, ...], step: Step, reverse: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run over ``[N, T, features]``; all hidden states ``[N, T, H]`` and the last state."""
    outputs = []
    for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
        state = step(x[:, t], state)
        outputs.append(state[0])
    if reverse:
        outputs.reverse()
    return torch.cat([h.unsqueeze(1) for h in outputs], 1), state


def _stacked(
    x: Tensor,
    start: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
    cell: Callable[[Sequence[Tensor | None]], tuple[Callable[[Tensor], Tensor], Step]],
    projected: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """All layers and directions; ``start`` and the results are ``[layers x directions, N, H]``."""
    if x.dim() == 2:
        out, last = _stacked(
            x.unsqueeze(0), [s.unsqueeze(1) for s in start], params, has_biases, num_layers, bidirectional, True, cell,
            projected,
        )  # fmt: skip
        return out.squeeze(0), [s.squeeze(1) for s in last]
    if not batch_first:
        x = x.transpose(0, 1)
    each = 2 + 2 * has_biases + projected
    directions = 2 if bidirectional else 1
    ends: list[list[Tensor]] = [[] for _ in start]
    for layer in range(num_layers):
        parts = []
        for direction in range(directions):
            at = layer * directions + direction
            own = list(params[at * each : (at + 1) * each])
            project = own.pop() if projected else None
            weights: list[Tensor | None] = [*own, *([] if has_biases else [None, None]), project]
            products, step = cell(weights)
            out, end = _run(products(x), tuple(s[at] for s in start), step, direction == 1)
            parts.append(out)
            for kept, value in zip(ends, end, strict=True):
                kept.append(value.unsqueeze(0))
        x = parts[0] if directions == 1 else torch.cat(parts, -1)
    return x if batch_first else x.transpose(0, 1), [torch.cat(kept, 0) for kept in ends]


def _lstm_cell(weights: Sequence[Tensor | None]) -> tuple[Callable[[Tensor], Tensor], Step]:
    w_in, w_hidden, b_in, b_hidden, project = weights
    assert w_in is not None and w_hidden is not None
    hidden = w_hidden

    def step(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        i, f, g, o = (x + linear(state[0], hidden, b_hidden)).chunk(4, 1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return (h if project is None else linear(h, project), c)

    return lambda x: linear(x, w_in, b_in), step


def _gru_cell(weights: Sequence[Tensor | None]) -> tuple[Callable[[Tensor], Tensor], Step]:
    w_in, w_hidden, b_in, b_hidden, _ = weights
    assert w_in is not None and w_hidden is not None
    hidden = w_hidden

    def step(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (h,) = state
        xr, xz, xn = x.chunk(3, 1)
        hr, hz, hn = linear(h, hidden, b_hidden).chunk(3, 1)
        r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        n = torch.tanh(xn + r * hn)
        return (n + z * (h - n),)

    return lambda x: linear(x, w_in, b_in), step


def _plain_cell(function: Callable[[Tensor], Tensor]) -> Any:
    def cell(weights: Sequence[Tensor | None]) -> tuple[Callable[[Tensor], Tensor], Step]:
        w_in, w_hidden, b_in, b_hidden, _ = weights
        assert w_in is not None and w_hidden is not None
        hidden = w_hidden
        return lambda x: linear(x, w_in, b_in), lambda x, s: (function(x + linear(s[0], hidden, b_hidden)),)

    return cell


def _lstm(
    x: Tensor,
    start: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    projected = start[0].shape[-1] != start[1].shape[-1]
    out, (h, c) = _stacked(x, start, params, has_biases, num_layers, bidirectional, batch_first, _lstm_cell, projected)
    return out, h, c


def _of_one_state(cell: Any) -> Callable[..., tuple[Tensor, Tensor]]:
    def run(
        x: Tensor,
        start: Tensor,
        params: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[Tensor, Tensor]:
        out, (h,) = _stacked(x, [start], params, has_biases, num_layers, bidirectional, batch_first, cell)
        return out, h

    return run


def _one_step(cell: Any) -> Callable[..., Any]:
    """One step of a layer, as ``nn.LSTMCell``, ``nn.GRUCell`` and ``nn.RNNCell`` have it: ``[N, features]``."""

    def run(
        x: Tensor,
        start: Tensor | Sequence[Tensor],
        w_in: Tensor,
        w_hidden: Tensor,
        b_in: Tensor | None = None,
        b_hidden: Tensor | None = None,
    ) -> Any:
        products, step = cell([w_in, w_hidden, b_in, b_hidden, None])
        if isinstance(start, Tensor):
            return step(products(x), (start,))[0]
        return step(products(x), tuple(start))

    return run


RECURRENT: dict[Any, Callable[..., Any]] = {
    aten.lstm.input: _lstm,
    aten.gru.input: _of_one_state(_gru_cell),
    aten.rnn_tanh.input: _of_one_state(_plain_cell(torch.tanh)),
    aten.rnn_relu.input: _of_one_state(_plain_cell(torch.relu)),
    aten.lstm_cell.default: _one_step(_lstm_cell),
    aten.gru_cell.default: _one_step(_gru_cell),
    aten.rnn_tanh_cell.default: _one_step(_plain_cell(torch.tanh)),
    aten.rnn_relu_cell.default: _one_step(_plain_cell(torch.relu)),
}
