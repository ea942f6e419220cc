"""Pattern pruning: which filter taps a block of channels keeps (Jiang 2020, HotNAS: 4 of 9; one pattern a tile)."""

from __future__ import annotations

import torch
from torch import Tensor

from mappings.layer import Layer


def kept_taps(weight: Tensor, layer: Layer) -> Tensor:
    """Ones under the ``layer.kept_taps`` taps of largest magnitude in each ``layer.tap_block``, zeros under the others.

    Args:
        weight: ``[K, C, R, S]``.
        layer: that keeps some taps.

    Returns:
        Of the weight's shape and type. Which taps they are follows the weights while these are trained: a tap that is
        left out keeps its value, without a gradient, until it is among the largest again.
    """
    K, C, R, S = weight.shape
    k, c = layer.tap_block
    full = weight.new_zeros(-(-K // k) * k, -(-C // c) * c, R * S)
    full[:K, :C] = weight.detach().reshape(K, C, R * S)
    blocks = full.reshape(full.shape[0] // k, k, full.shape[1] // c, c, R * S)
    sizes = blocks.square().sum(dim=(1, 3))
    best = sizes.topk(layer.kept_taps, dim=2).indices
    mask = torch.zeros_like(sizes).scatter_(2, best, 1.0)
    whole = mask.repeat_interleave(k, dim=0).repeat_interleave(c, dim=1)
    return whole[:K, :C].reshape(K, C, R, S)
