"""Random layers: the two integer runners against loops that follow the definition word by word."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.quantization.integer_reference import run_integer_layer
from mappings.integer_run import run_layer
from mappings.layer import Layer, Op
from mappings.quantized import IntArray, QuantizedLayer

SMALL = st.integers(1, 3)


def fitted(draw: st.DrawFn, op: Op) -> Layer:
    """A small legal layer of that operator."""
    pair = st.tuples(SMALL, SMALL)
    r, s = draw(pair)
    stride, dilation, (p, q) = draw(pair), draw(pair), draw(pair)
    channels = (draw(SMALL), draw(SMALL)) if op in (Op.CONV, Op.TRCONV) else (1, 1)
    reach = ((r - 1) * dilation[0], (s - 1) * dilation[1])
    limits = [reach[0], reach[1]] * 2
    if op is Op.MAXPOOL:  # every window must see an input
        limits = [0, 0] * 2 if dilation != (1, 1) else [r // 2, s // 2] * 2
    elif op is Op.TRCONV:
        limits = [reach[0] // 2, reach[1] // 2] * 2
    padding = [draw(st.integers(0, limit)) for limit in limits]
    if op is Op.TRCONV:  # p, q drawn as input extents; some outputs beyond the last tap
        p = (p - 1) * stride[0] + reach[0] + 1 - padding[0] - padding[2] + draw(st.integers(0, stride[0] - 1))
        q = (q - 1) * stride[1] + reach[1] + 1 - padding[1] - padding[3] + draw(st.integers(0, stride[1] - 1))
    else:
        for axis, (extent, step) in enumerate(((p, stride[0]), (q, stride[1]))):
            rows = (extent - 1) * step + reach[axis] + 1
            padding[axis] = min(padding[axis], rows - 1)
            padding[axis + 2] = min(padding[axis + 2], rows - 1 - padding[axis])
    shape = {"K": channels[0], "C": channels[1], "P": p, "Q": q, "R": r, "S": s, "groups": draw(SMALL)}
    return Layer("layer", op, **shape, stride=stride, dilation=dilation, padding=tuple(padding), inputs=("x",))


def by_loops(layer: Layer, q: QuantizedLayer, x: IntArray) -> IntArray:
    """The definition in :mod:`mappings.quantized`, one output at a time, in Python's integers."""
    out = np.zeros((x.shape[0], layer.channels_out, layer.P, layer.Q), dtype=np.int64)
    rows, columns = x.shape[2:]
    for n, k, p, column in itertools.product(*map(range, out.shape)):
        taps = []
        for c, r, s in itertools.product(range(layer.C), range(layer.R), range(layer.S)):
            if layer.op is Op.TRCONV:
                h, h_rest = divmod(p + layer.padding[0] - r * layer.dilation[0], layer.stride[0])
                w, w_rest = divmod(column + layer.padding[1] - s * layer.dilation[1], layer.stride[1])
                inside = h_rest == 0 and w_rest == 0
            else:
                h = p * layer.stride[0] + r * layer.dilation[0] - layer.padding[0]
                w = column * layer.stride[1] + s * layer.dilation[1] - layer.padding[1]
                inside = True
            if inside and 0 <= h < rows and 0 <= w < columns:
                weight = 1 if q.weight is None else int(q.weight[k, c, r, s])
                taps.append(int(x[n, k // layer.K * layer.C + c, h, w]) * weight)
        if layer.op is Op.MAXPOOL:
            value = max(taps)
        else:
            assert q.mult is not None and q.shift is not None
            index = k if q.mult.size > 1 else 0
            product = (sum(taps) + (0 if q.bias is None else int(q.bias[k]))) * int(q.mult[index])
            half = (1 << int(q.shift[index])) >> 1
            value = (abs(product) + half >> int(q.shift[index])) * (1 if product >= 0 else -1)
        out[n, k, p, column] = min(max(value, q.low), q.high)
    return out


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_runners_follow_the_definition(data: st.DataObject) -> None:
    op = data.draw(st.sampled_from([Op.CONV, Op.TRCONV, Op.MAXPOOL, Op.AVGPOOL]))
    layer = fitted(data.draw, op)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x = rng.integers(-128, 128, (2, layer.channels_in, layer.H + rng.integers(0, 2), layer.W_in + rng.integers(0, 2)))
    if op is Op.TRCONV or layer.padding[2] or layer.padding[3]:
        x = x[:, :, : layer.H, : layer.W_in]
    channels = layer.channels_out
    mult, shift = rng.integers(1, 2**31, channels), rng.integers(20, 45, channels)
    weight = bias = None
    if op in (Op.CONV, Op.TRCONV):
        weight = rng.integers(-127, 128, (channels, layer.C, layer.R, layer.S))
        bias = rng.integers(-(2**20), 2**20, channels)
    parameters = QuantizedLayer(int(rng.integers(-128, 1)), 127, 1.0, weight, bias, mult, shift)
    if op is Op.AVGPOOL:
        parameters = QuantizedLayer(-128, 127, 1.0, mult=mult[:1], shift=shift[:1])
    expected = by_loops(layer, parameters, x)
    assert np.array_equal(run_layer(layer, parameters, [x], 2), expected)
    assert np.array_equal(run_integer_layer(layer, parameters, [torch.from_numpy(x)], 2).numpy(), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), SMALL, SMALL, SMALL, st.booleans(), st.integers(0, 2**32))
def test_matmul(groups: int, k: int, c: int, p: int, transpose_b: bool, seed: int) -> None:
    layer = Layer("m", Op.MATMUL, K=k, C=c, P=p, groups=groups, transpose_b=transpose_b, inputs=("a", "b"))
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (1, groups, c, p))
    b = rng.integers(-128, 128, (1, groups, c, k))
    expected = np.einsum("ngcp,ngck->ngkp", a, b).reshape(1, groups * k, p, 1)
    stored_b = b.reshape(1, groups * c, k, 1) if transpose_b else b.swapaxes(2, 3).reshape(1, groups * k, c, 1)
    parameters = QuantizedLayer(-(2**31), 2**31 - 1, 1.0, mult=np.array([1]), shift=np.array([0]))
    operands = [a.reshape(1, groups * c, p, 1), stored_b]
    assert np.array_equal(run_layer(layer, parameters, operands), expected)
    assert np.array_equal(run_integer_layer(layer, parameters, [*map(torch.from_numpy, operands)]).numpy(), expected)
