"""Pieces that several networks share."""

from __future__ import annotations

import torch
from torch import nn


def conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, activation: nn.Module | None = None
) -> nn.Sequential:
    """Convolution without bias, batch norm, and an activation where one is given; "same" padding at stride 1."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([] if activation is None else [activation]))


def initialise(module: nn.Module, sample: torch.Tensor) -> None:
    """Random weights; batch norms have random gains and scale what a sample gives them to a mean square near 1.

    One measured scale serves all channels of a norm, and means are not subtracted (but for a random part): in a random
    network, normalising each channel by itself would leave mostly noise.

    Args:
        module: changed in place.
        sample: inputs ``[1 or more, ...]``.
    """
    for child in module.modules():
        if isinstance(child, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(child.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(child, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(child.weight, 0.5, 1.5)
            nn.init.normal_(child.bias, std=0.1)
    norms = [child for child in module.modules() if isinstance(child, nn.BatchNorm2d)]
    if norms:
        hooks = [norm.register_forward_pre_hook(_fit) for norm in norms]
        with torch.no_grad():
            module.eval()(sample)
        for hook in hooks:
            hook.remove()


def _fit(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
    square = float(inputs[0].square().mean())
    nn.init.uniform_(norm.running_var, 0.5 * square, 1.5 * square)
    nn.init.normal_(norm.running_mean, std=0.1 * square**0.5)


class SqueezeExcite(nn.Module):
    """Channel gates from the mean of each channel (Hu 2018): ReLU and sigmoid unless told."""

    def __init__(
        self, channels: int, hidden: int, inner: nn.Module | None = None, gate: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.inner, self.gate = inner or nn.ReLU(), gate or nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[N, C, H, W]`` to the same."""
        hidden = self.inner(self.reduce(x.mean((2, 3), keepdim=True)))
        y: torch.Tensor = x * self.gate(self.expand(hidden))
        return y
