"""Convolutions through which gradients flow equal PyTorch's, and none is asked for that oneDNN does wrong."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from codesign.networks import convolution as module
from codesign.networks.convolution import convolution
from mappings.layer import Layer, Op


def layer(size: int, stride: int) -> Layer:
    pad = size // 2
    places = (8 + 2 * pad - size) // stride + 1
    return Layer(
        "one", Op.CONV, inputs=("image",), K=6, C=4, P=places, Q=places, R=size, S=size, stride=(stride, stride),
        padding=(pad, pad, pad, pad),
    )  # fmt: skip


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_it_equals_pytorch_with_its_gradients(size: int, stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one = layer(size, stride)
    torch.manual_seed(0)
    image = torch.randn(2, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 4, size, size, dtype=torch.float64, requires_grad=True)
    truth = functional.conv2d(image, weight, None, one.stride, one.padding[:2])
    wanted = torch.autograd.grad(truth.square().sum(), (image, weight))

    asked, plain = [], functional.conv2d

    def seen(value: torch.Tensor, taps: torch.Tensor, bias: None, strides: tuple[int, int], *rest: object) -> object:
        asked.append((taps.shape[2:], strides))
        return plain(value, taps, bias, strides, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module.functional, "conv2d", seen)
    found = convolution(image, weight, one)
    assert found.shape == (2, 6, one.P, one.Q) and torch.allclose(found, truth)
    given = torch.autograd.grad(found.square().sum(), (image, weight))
    assert all(torch.allclose(a, b) for a, b in zip(given, wanted, strict=True))
    assert all(tuple(taps) != (1, 1) or strides == (1, 1) for taps, strides in asked) and len(asked) == 1
