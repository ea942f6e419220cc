"""The integer non-linear functions: near the real ones, exact where exactness is claimed, within their widths."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from codesign.quantization import integer_functions
from mappings import integer_ops
from mappings.quantized import multiplier, rescale

ACCUMULATOR = st.integers(-(2**31), 2**31 - 1)


def array(*values: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, dtype=np.int64)


def tensor(value: np.ndarray) -> torch.Tensor:  # type: ignore[type-arg]
    return torch.from_numpy(value)


@given(ACCUMULATOR, st.integers(1, 2**31 - 1), st.integers(0, 62))
def test_rescale_rounds_half_away_from_zero(value: int, mult: int, shift: int) -> None:
    exact = Fraction(value * mult, 2**shift)
    expected = math.floor(abs(exact) + Fraction(1, 2)) * (1 if exact > 0 else -1)
    assert int(rescale(array(value), mult, shift)[0]) == expected
    twin = integer_functions.rescale(torch.tensor([value]), torch.tensor(mult), torch.tensor(shift))
    assert int(twin[0]) == expected


@given(st.floats(1e-15, 2.0**30), st.sampled_from([15, 16, 20, 31]))
def test_multiplier_is_the_nearest(real: float, bits: int) -> None:
    if real >= 2 ** (bits - 1):
        real = 2 ** (bits - 1) / (1 + real)
    mult, shift = multiplier(real, bits)
    assert 0 < mult < 2**bits
    assert 0 <= shift <= 62
    if shift < 62:
        assert abs(mult / 2**shift - real) <= real * 2.0**-bits
    else:
        assert abs(mult / 2**shift - real) <= 2.0**-62


@given(st.lists(st.integers(0, 2**62 - 1), min_size=1, max_size=20))
def test_square_root_and_bit_length_are_exact(values: list[int]) -> None:
    given_values = array(*values)
    roots = [math.isqrt(value) for value in values]
    assert integer_ops.integer_sqrt(given_values).tolist() == roots
    assert integer_functions.integer_sqrt(tensor(given_values)).tolist() == roots
    assert integer_ops.bit_length(given_values).tolist() == [value.bit_length() for value in values]


def test_exponential_is_near_and_falls() -> None:
    t = np.arange(0, 40 << 15, 11, dtype=np.int64)
    result = integer_ops.exp2_negative(t)
    assert np.abs(result / 2**16 - 2.0 ** (-t / 2**15)).max() < 2.2e-3  # I-BERT's polynomial: 1.9e-3
    assert (np.diff(result) <= 0).all()
    assert result[0] == 65_553
    assert result[-1] == 0
    assert integer_functions.exp2_negative(tensor(t)).tolist() == result.tolist()


@given(st.integers(0, 2**32), st.sampled_from([4, 8, 16]), st.integers(1, 300), st.floats(0.01, 30))
def test_softmax(seed: int, bits: int, channels: int, amplitude: float) -> None:
    x = np.random.default_rng(seed).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (3, channels))
    scale = amplitude / 2 ** (bits - 1)
    arg_mult, arg_shift = multiplier(scale / math.log(2) * 2**15, 20)
    high, shift = 2 ** (bits - 1) - 1, 47 - bits
    y = integer_ops.softmax(x, arg_mult, arg_shift, shift, high)
    real = np.exp(x * scale - (x * scale).max(-1, keepdims=True))
    real /= real.sum(-1, keepdims=True)
    # Half a unit of rounding, one unit that 1 is clamped by, and the polynomial's error.
    assert np.abs(y / 2 ** (bits - 1) - real).max() < 1.0 / 2 ** (bits - 1) + 2.6e-3
    assert y.min() >= 0
    twin = integer_functions.softmax(tensor(x), arg_mult, arg_shift, shift, None).clamp(max=high)
    assert twin.tolist() == y.tolist()


def test_softmax_masks() -> None:
    x = array(100, -3, 5, 5).reshape(1, 4)
    mask = array(0, 1, 1, 1).reshape(1, 4)
    arg = multiplier(0.5 / math.log(2) * 2**15, 20)
    y = integer_ops.softmax(x, *arg, 39, 127, mask)
    assert y.tolist() == [[0, *integer_ops.softmax(x[:, 1:], *arg, 39, 127)[0].tolist()]]
    assert integer_ops.softmax(x, *arg, 39, 127, np.zeros_like(mask)).tolist() == [[0, 0, 0, 0]]
    twin = integer_functions.softmax(tensor(x), *arg, 39, tensor(mask).bool()).clamp(max=127)
    assert twin.tolist() == y.tolist()


@given(st.integers(0, 2**32), st.sampled_from([4, 8, 16]), st.integers(2, 800), st.integers(-3, 0))
def test_layer_norm(seed: int, bits: int, channels: int, spread: int) -> None:
    rng = np.random.default_rng(seed)
    limit = max(2, int(2 ** (bits - 1 + spread)))
    x = rng.integers(-limit, limit, (3, channels))
    scale_in, scale_out = 0.03, 8 / 2 ** (bits - 1)
    gain, bias = rng.normal(size=channels), rng.normal(size=channels)
    shift = 14 if bits == 16 else 20
    integers = np.round(gain / scale_out * 2.0 ** (shift - 14)).astype(np.int64)
    offsets = np.round(bias / scale_out * 2.0**shift).astype(np.int64)
    epsilon = round(channels**2 * 1e-5 / scale_in**2)
    y = integer_ops.layer_norm(x, integers, offsets, shift, epsilon, -(2**30), 2**30)
    centred = (x - x.mean(-1, keepdims=True)) * scale_in
    normal = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon * scale_in**2 / channels**2 + 1e-30)
    expected = (normal * gain + bias) / scale_out
    # Half a unit each of the result, of the gain times the normal, and of the normal's 14 fraction bits.
    slack = 0.5 + np.abs(normal) * 0.5 * 2.0 ** (14 - shift) + np.abs(gain) / scale_out * 2.0**-14 + 0.01
    assert (np.abs(y - expected) <= slack).all()
    twin = integer_functions.layer_norm(tensor(x), epsilon) * tensor(integers) + tensor(offsets)
    assert integer_functions.rescale(twin, torch.tensor(1), torch.tensor(shift)).tolist() == y.tolist()


def test_layer_norm_of_equal_values_is_its_bias() -> None:
    x = np.full((1, 5), -128, dtype=np.int64)
    bias = array(0, 1 << 20, -(1 << 20), 5 << 20, 300 << 20)
    y = integer_ops.layer_norm(x, array(9, 9, 9, 9, 9) << 10, bias, 20, 0, -128, 127)
    assert y.tolist() == [[0, 1, -1, 5, 127]]


def test_widths_at_the_extremes() -> None:
    """16-bit rows of the largest length keep every intermediate within 63 bits: numpy's int64 agrees with Python's."""
    channels = integer_ops.NORM_MAX_CHANNELS
    x = np.where(np.arange(channels) % 2, 32767, -32768)[None, :]
    exact = channels * sum(int(v) ** 2 for v in x[0]) - sum(int(v) for v in x[0]) ** 2
    assert exact < 2**62
    gain, bias = np.full(channels, 2**23 - 1), np.full(channels, 2**31 - 1)
    y = integer_ops.layer_norm(x, gain, bias, 0, 0, -(2**62), 2**62)
    assert {int(v) for v in y[0]} == {2**31 - 1 + sign * 16384 * (2**23 - 1) for sign in (-1, 1)}
    row = np.zeros((1, integer_ops.SOFTMAX_MAX_CHANNELS), dtype=np.int64)
    assert integer_ops.exp2_negative(row).sum() < 2**31
    assert set(integer_ops.softmax(row, 1, 0, 32, 127)[0].tolist()) == {1}


@given(st.integers(0, 2**32), st.sampled_from([4, 8, 16]), st.floats(0.5, 12))
def test_gelu(seed: int, bits: int, amplitude: float) -> None:
    x = np.random.default_rng(seed).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), 200)
    scale = amplitude / 2 ** (bits - 1)
    arg = multiplier(scale / math.sqrt(2) * 2**14, 16)
    mult, shift = multiplier(scale / (2**15 * scale))
    y = integer_ops.gelu(x, *arg, mult, shift, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    real = torch.nn.functional.gelu(tensor(x * scale)).numpy()
    assert np.abs(y * scale - real).max() < 0.5 * scale + 0.0185  # I-BERT's polynomial: 0.018
    twin = integer_functions.gelu(tensor(x), *arg)
    assert integer_functions.rescale(twin, torch.tensor(mult), torch.tensor(shift)).tolist() == y.tolist()


def test_table_interpolates_beyond_eight_bits() -> None:
    table = array(*range(0, 257 * 256, 256)) - 32768  # the identity
    x = np.arange(-32768, 32768, 7)
    y = integer_ops.table_lookup(x, table, 16, -32768, 32767)
    assert y.tolist() == x.tolist()
    squares = array(*[i * i for i in range(-8, 9)])
    assert integer_ops.table_lookup(array(-8, -1, 0, 7), squares, 4, 0, 60).tolist() == [60, 1, 0, 49]
    assert integer_functions.table_lookup(tensor(x), tensor(table), 16).tolist() == x.tolist()
