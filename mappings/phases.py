"""A transposed convolution as convolutions: one for each remainder of its outputs' place by the stride.

Outputs ``o`` with ``o % stride = a`` meet the taps ``r`` with ``(o + padding - r * dilation) % stride = 0`` alone; of
neighbouring such outputs, each tap meets neighbouring inputs. So every phase is a convolution of stride 1, whose filter
is those taps in reverse order, and whose outputs are written ``step`` places apart. No zeros between inputs are
multiplied, nor taps that meet no input anywhere. Along an axis with one input alone every output is a phase of its own,
of the one tap that it meets.

Outputs of a phase without taps are the bias; it makes no products.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import gcd
from typing import NamedTuple

from mappings.layer import Layer, Op


class Axis(NamedTuple):
    """One phase along rows or columns.

    Attributes:
        first, outputs, step: they are ``first + step * i``, so many.
        taps: filter taps that meet an input, last first; none: these outputs are the bias.
        share: filter taps that belong to the phase, those that only meet padding or cut outputs among them.
        dilation: inputs between neighbouring taps.
        origin: input of the first of ``taps`` at the first output; negative in the padding.
    """

    first: int
    outputs: int
    step: int
    taps: tuple[int, ...]
    share: int
    dilation: int
    origin: int


class Phase(NamedTuple):
    """A convolution, and what it is of the transposed one.

    Attributes:
        layer: with the padding that its windows touch; without taps, of one tap (and one input channel a group where
            there is one group): the least that hardware runs which has no other way to put out a bias.
        rows, cols: along each axis.
        macs: its part of the transposed convolution's products, :attr:`mappings.layer.Layer.macs`.
    """

    layer: Layer
    rows: Axis
    cols: Axis
    macs: int

    @property
    def empty(self) -> bool:
        """Whether it makes no products."""
        return not (self.rows.taps and self.cols.taps)


def axis_phases(outputs: int, taps: int, stride: int, dilation: int, padding: int, inputs: int) -> list[Axis]:
    """The phases along one axis that have outputs; ``inputs`` is its extent."""
    step = outputs if inputs == 1 else stride
    apart = dilation if inputs == 1 else dilation // gcd(stride, dilation)
    found = []
    for first in range(min(step, outputs)):
        count = -(-(outputs - first) // step)
        meets: dict[int, int] = {}
        for r in reversed(range(taps)):
            at, rest = divmod(first + padding - r * dilation, stride)
            if rest == 0:
                meets[r] = at
        kept = {r: at for r, at in meets.items() if at < inputs and at + count > 0}
        share = len(kept) if inputs == 1 else len(meets)
        found.append(Axis(first, count, step, tuple(kept), share, apart, next(iter(kept.values()), 0)))
    return found


def _padding(axis: Axis, inputs: int) -> tuple[int, int]:
    """Zeros before and after the inputs under a phase's windows."""
    last = axis.origin + axis.outputs - 1 + (len(axis.taps) - 1) * axis.dilation
    return max(0, -axis.origin), max(0, last - inputs + 1)


@lru_cache(maxsize=1024)
def phases(layer: Layer) -> tuple[Phase, ...]:
    """The convolutions that make up a transposed one, by rows, then columns."""
    channels = layer.groups * layer.N * layer.K * layer.C * layer.H * layer.W_in
    found = []
    for rows in axis_phases(layer.P, layer.R, layer.stride[0], layer.dilation[0], layer.padding[0], layer.H):
        for cols in axis_phases(layer.Q, layer.S, layer.stride[1], layer.dilation[1], layer.padding[1], layer.W_in):
            empty = not (rows.taps and cols.taps)
            top, bottom = (0, 0) if empty else _padding(rows, layer.H)
            left, right = (0, 0) if empty else _padding(cols, layer.W_in)
            part = replace(
                layer,
                op=Op.CONV,
                C=1 if empty and layer.groups == 1 else layer.C,
                P=rows.outputs,
                Q=cols.outputs,
                R=1 if empty else len(rows.taps),
                S=1 if empty else len(cols.taps),
                stride=(1, 1),
                dilation=(rows.dilation, cols.dilation),
                padding=(top, left, bottom, right),
            )
            found.append(Phase(part, rows, cols, channels * rows.share * cols.share))
    left_over = layer.macs - sum(phase.macs for phase in found)  # taps that meet cut outputs alone
    found[0] = found[0]._replace(macs=found[0].macs + left_over)
    return tuple(found)


@lru_cache(maxsize=1024)
def envelope(layer: Layer) -> Layer:
    """A convolution whose every extent is the largest of any phase of a transposed one.

    Loop bounds of a mapping are its own; each phase runs the mapping cut to its extents.
    """
    real = [phase.layer for phase in phases(layer) if not phase.empty] or [phases(layer)[0].layer]
    P, Q, R, S = (max(getattr(part, dim) for part in real) for dim in "PQRS")
    return replace(real[0], P=P, Q=Q, R=R, S=S, padding=(0, 0, 0, 0))
