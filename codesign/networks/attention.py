"""What a layer of a transformer computes in training; shapes and layouts are those of :mod:`mappings.operators`.

Tensors are ``[N, channels, rows, 1]``: tokens are rows, the heads of attention are groups of channels. Scores are
divided by the root of a head's channels (Vaswani 2017); the integers have that factor in their rescaling.
"""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from mappings.layer import Layer

NORM_EPSILON = 1e-5


def factor(layer: Layer) -> float:
    """By what the first operand of a matrix product is multiplied: products with keys are scaled."""
    return 1.0 / math.sqrt(layer.C) if layer.transpose_b else 1.0


def product(layer: Layer, left: Tensor, right: Tensor) -> Tensor:
    """Of each head, ``[N, G*K, P, 1]``: scores of queries ``[N, G*C, P, 1]`` with keys ``[N, G*C, K, 1]``, or what
    scores ``[N, G*C, P, 1]`` make of values ``[N, G*K, C, 1]``. A constant operand has N = 1."""
    one = left.reshape(len(left), layer.groups, layer.C, layer.P)
    if layer.transpose_b:
        found = right.reshape(len(right), layer.groups, layer.C, layer.K).transpose(2, 3) @ (one * factor(layer))
    else:
        found = right.reshape(len(right), layer.groups, layer.K, layer.C) @ one
    return found.reshape(len(found), layer.channels_out, layer.P, 1)


def softmax(layer: Layer, scores: Tensor) -> Tensor:
    """Over the channels of each head; same shape."""
    heads = scores.reshape(len(scores), layer.groups, layer.C, layer.P, 1)
    return heads.softmax(dim=2).flatten(1, 2)


def normalised(value: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """Over channels (Ba 2016); same shape."""
    last = value.movedim(1, -1)
    return functional.layer_norm(last, last.shape[-1:], gain, bias, NORM_EPSILON).movedim(-1, 1)


def linear(value: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Of each token: ``[N, C, P, 1]`` to ``[N, K, P, 1]``; of one token, or none: ``[N, C]`` to ``[N, K]``."""
    if value.dim() < 4 or value.shape[2] * value.shape[3] == 1:
        return functional.linear(value.flatten(1), weight, bias)
    return functional.conv2d(value, weight[:, :, None, None], bias)
