"""A transposed convolution as convolutions: one for each remainder of its outputs' place by the stride.

Outputs ``o`` with ``o % stride = a`` meet the taps ``r`` with ``(o + padding - r * dilation) % stride = 0`` alone; of
neighbouring such outputs, each tap meets neighbouring inputs. So every phase is a convolution of stride 1, whose filter
is those taps in reverse order, and whose outputs are written ``stride`` places apart. No zeros are multiplied.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd
from typing import NamedTuple

from accel_models.template.array_timing import ceil_div
from mappings.layer import Layer, Op


class Axis(NamedTuple):
    """One phase along rows or columns.

    Attributes:
        first, outputs: they are ``first + stride * i``, so many.
        taps: filter taps, last first; none: these outputs are the bias.
        dilation: inputs between neighbouring taps.
        origin: input of the first of ``taps`` at the first output.
    """

    first: int
    outputs: int
    taps: tuple[int, ...]
    dilation: int
    origin: int


class Phase(NamedTuple):
    """A convolution, and what it is of the transposed one."""

    layer: Layer
    rows: Axis
    cols: Axis


def axis_phases(outputs: int, taps: int, stride: int, dilation: int, padding: int) -> list[Axis]:
    """The phases along one axis that have outputs."""
    shared = gcd(stride, dilation)
    found = []
    for first in range(min(stride, outputs)):
        met = tuple(r for r in reversed(range(taps)) if (first + padding - r * dilation) % stride == 0)
        origin = (first + padding - met[0] * dilation) // stride if met else 0
        found.append(Axis(first, ceil_div(outputs - first, stride), met, dilation // shared, origin))
    return found


def phases(layer: Layer) -> list[Phase]:
    """The convolutions that make up a transposed one; a phase without taps has one of zeros."""
    found = []
    for rows in axis_phases(layer.P, layer.R, layer.stride[0], layer.dilation[0], layer.padding[0]):
        for cols in axis_phases(layer.Q, layer.S, layer.stride[1], layer.dilation[1], layer.padding[1]):
            part = replace(
                layer,
                op=Op.CONV,
                P=rows.outputs,
                Q=cols.outputs,
                R=max(len(rows.taps), 1),
                S=max(len(cols.taps), 1),
                stride=(1, 1),
                dilation=(rows.dilation, cols.dilation),
                padding=(0, 0, 0, 0),
            )
            found.append(Phase(part, rows, cols))
    return found
