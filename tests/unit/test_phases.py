"""A transposed convolution equals its phases, each a convolution of stride 1."""

from __future__ import annotations

import numpy as np
import pytest

from accel_models.template.spec import Template
from benchmarks.rtl_cases import inputs, quantized
from benchmarks.rtl_graphs import random_transposed
from mappings.integer_run import run_layer
from mappings.layer import Op
from mappings.phases import phases
from mappings.quantized import IntArray, QuantizedLayer, rescale


def convolved(
    x: IntArray, weight: IntArray, origin: tuple[int, int], step: tuple[int, int], size: tuple[int, int]
) -> IntArray:
    """Sums ``[N, K, P, Q]`` of one group, element by element; what lies outside the input is 0."""
    n, _, h, w = x.shape
    out = np.zeros((n, len(weight), *size), dtype=np.int64)
    for p, q, r, s in np.ndindex(*size, *weight.shape[2:]):
        row, col = origin[0] + p + r * step[0], origin[1] + q + s * step[1]
        if 0 <= row < h and 0 <= col < w:
            out[:, :, p, q] += np.einsum("nc,kc->nk", x[:, :, row, col], weight[:, :, r, s])
    return out


def finished(sums: IntArray, numbers: QuantizedLayer) -> IntArray:
    """Bias, multipliers and clamp."""
    assert numbers.bias is not None and numbers.mult is not None and numbers.shift is not None
    bias, mult, shift = (value.reshape(1, -1, 1, 1) for value in (numbers.bias, numbers.mult, numbers.shift))
    return np.clip(rescale(sums + bias, mult, shift), numbers.low, numbers.high)


@pytest.mark.parametrize("seed", range(30))
def test_phases(seed: int) -> None:
    workload = random_transposed(np.random.default_rng(seed), Template(rows=8, cols=8))
    layer = workload.layers[0]
    network = quantized(workload, seed)
    numbers, x = network.layers[layer.name], inputs(workload, seed)["x"]
    expected = run_layer(layer, numbers, [x])
    found = np.full_like(expected, 999)
    assert numbers.weight is not None and numbers.bias is not None
    for part, rows, cols, _ in phases(layer):
        sums = np.zeros((layer.N, layer.channels_out, part.P, part.Q), dtype=np.int64)
        if rows.taps and cols.taps:
            chosen = numbers.weight[:, :, list(rows.taps)][:, :, :, list(cols.taps)]
            for g in range(layer.groups):
                ins, outs = slice(g * layer.C, (g + 1) * layer.C), slice(g * layer.K, (g + 1) * layer.K)
                place = (rows.origin, cols.origin), part.dilation, (part.P, part.Q)
                sums[:, outs] = convolved(x[:, ins], chosen[outs], *place)
        found[:, :, rows.first :: rows.step, cols.first :: cols.step] = finished(sums, numbers)
    np.testing.assert_array_equal(found, expected)
    assert layer.op is Op.TRCONV
    assert sum(phase.macs for phase in phases(layer)) == layer.macs
