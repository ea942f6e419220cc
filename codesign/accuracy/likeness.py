"""How alike two networks see images, whatever their features are: by what they find similar (Kriegeskorte 2008)."""

from __future__ import annotations

import torch
from torch import Tensor

from codesign.quantization.qat import QatNetwork


def features(network: QatNetwork, images: Tensor) -> Tensor:
    """What the last layer reads [n, features]."""
    found: list[Tensor] = []
    last = network.steps[network.workload.layers[-1].name]
    hook = last.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].flatten(1)))
    try:
        with torch.no_grad():
            network.eval()(images)
    finally:
        hook.remove()
    return found[0]


def similarities(rows: Tensor) -> Tensor:
    """Correlations of every two images' features, as a vector [n (n - 1) / 2]."""
    found = torch.corrcoef(rows.double()).nan_to_num(0.0)
    return found[torch.triu_indices(len(rows), len(rows), 1).unbind()]


def likeness(one: Tensor, other: Tensor) -> float:
    """Correlation of what two networks find similar, -1 to 1; 0 where one tells no images apart.

    Args:
        one, other: of :func:`similarities`, for the same images.
    """
    both = torch.stack([one, other])
    if float(both.std(dim=1).min()) == 0.0:
        return 0.0
    return float(torch.corrcoef(both)[0, 1])
