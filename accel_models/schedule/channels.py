"""Which channel of a tensor lies in which lane of which channel word."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from accel_models.schedule.tensors import Places, dense_places
from accel_models.template.array_timing import ceil_div
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.operators import Layout, Unit
from mappings.workload import Workload

_PASSED = (Layout.JOINED, Layout.RESHAPED)
#: Functions with f(0) = 0: what lies in a lane that no channel names stays 0.
_ZERO_KEEPING = frozenset(
    [
        "relu",
        "relu6",
        "gelu",
        "identity",
        "hardswish",
        "silu",
        "tanh",
        "elu",
        "selu",
        "celu",
        "leaky_relu",
        "prelu",
        "mish",
        "softsign",
        "abs",
        "square",
        "sqrt",
        "log1p",
        "erf",
        "sin",
    ]
)


def head_places(heads: int, channels: int, lanes: int) -> tuple[Places, int]:
    """Places of heads that each begin a channel word, and how many words they take."""
    words = ceil_div(channels, lanes)
    first = np.arange(heads, dtype=np.int64)[:, None] * words * lanes
    return (first + np.arange(channels)).reshape(-1), heads * words


def wanted_heads(workload: Workload, lanes: int) -> dict[str, tuple[int, int]]:
    """(heads, channels of each) of tensors whose producers lay heads out in words of their own.

    Matrix products take each head in whole channel words. Whoever has weights, and whoever writes the network's inputs,
    can put its outputs anywhere, so heads that fill no whole words cost unused lanes and no pass over memory.

    Raises:
        SpecError: two products want different heads of one tensor.
    """
    found: dict[str, tuple[int, int]] = {}

    def want(name: str, heads: int, channels: int) -> None:
        layer = workload.by_name.get(name)
        spec = None if layer is None else layer.op.spec
        if layer is None or spec is None or spec.layout is Layout.STORED or (spec.weighted and layer.groups == 1):
            if found.setdefault(name, (heads, channels)) != (heads, channels):
                raise SpecError(Fault(f"tensor {name}", f"is taken as heads of {channels} and of {found[name][1]}"))
        elif spec.unit is Unit.VECTOR:
            for source in layer.inputs:
                want(source, heads, channels)

    for layer in workload.layers:
        if layer.op.spec.is_product and layer.groups > 1:
            for name, channels in zip(layer.inputs, (layer.C, layer.C if layer.transpose_b else layer.K), strict=True):
                if channels % lanes:
                    want(name, layer.groups, channels)
    return found


def places_of_rows(layer: Layer, lanes: int) -> Places | None:
    """Where an operator that takes rows of channels expects those of its first operand; None: it does not care."""
    if not layer.op.spec.over_rows:
        return None
    return head_places(layer.groups, layer.C, lanes)[0] if layer.op.spec.heads else dense_places(layer.C)


def nonzero_lanes(workload: Workload, lanes: int) -> Iterator[Fault]:
    """Matrix products whose first operand has lanes beyond its channels that are not 0.

    They meet whatever lies beyond the second operand's rows, so they must be.
    """
    for layer in workload.layers:
        if not layer.op.spec.is_product or layer.C % lanes == 0:
            continue
        queue = [layer.inputs[0]]
        while queue:
            source = workload.by_name.get(queue.pop())
            if source is None or not (source.op.spec.keeps_places or source.op.spec.layout in _PASSED):
                continue
            if source.op.spec.function and source.activation not in _ZERO_KEEPING:
                what = f'takes heads of {layer.C} channels from activation "{source.activation}", which is not 0 at 0'
                yield Fault(f"layer {layer.name}", what, f"multiples of {lanes} channels")
            if not source.op.spec.over_rows:
                queue.extend(source.inputs)
