"""A layer's convolution as PyTorch is asked for it, where gradients flow through it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from mappings.layer import Layer


def convolution(value: Tensor, weight: Tensor, layer: Layer) -> Tensor:
    """Images [N, C, H, W] and weights [K, C, R, S] to [N, K, P, Q]; zeros before and behind as the layer has them.

    A kernel of one tap with a stride sees every so many places alone: they are taken first. It is the same sum, and
    oneDNN's own way (its issue 6035, 3.12; images with channels last, fewer than 16 channels) writes behind its
    buffers in the backward pass, which ends the process.
    """
    stride, padding = layer.stride, layer.padding[:2]
    if (layer.R, layer.S) == (1, 1) and stride != (1, 1) and padding == (0, 0):
        value, stride = value[:, :, :: stride[0], :: stride[1]], (1, 1)
    return functional.conv2d(value, weight, None, stride, padding, layer.dilation, layer.groups)
