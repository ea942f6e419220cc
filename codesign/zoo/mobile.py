"""Inverted-residual networks: MobileNetV2 (Sandler 2018) and MnasNet (Tan 2019)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from codesign.zoo.blocks import SqueezeExcite, conv_norm


class InvertedResidual(nn.Module):
    """1 x 1 expansion, depthwise, optional squeeze-and-excite, linear 1 x 1; a shortcut where shapes allow."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        expansion: int,
        kernel: int,
        stride: int,
        activation: Callable[[], nn.Module],
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(conv_norm(inputs, hidden, 1, activation=activation()))
        layers.append(conv_norm(hidden, hidden, kernel, stride, groups=hidden, activation=activation()))
        if squeeze:
            layers.append(SqueezeExcite(hidden, inputs // 4))
        layers.append(conv_norm(hidden, outputs, 1))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """``[N, inputs, H, W]`` to ``[N, outputs, H/stride, W/stride]``."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class MobileNet(nn.Module):
    """A strided stem, inverted residuals, a 1 x 1 head, global average, classifier.

    Args:
        settings: (expansion, channels, repeats, stride of the first, kernel, squeeze-and-excite) of each stage.
    """

    def __init__(
        self,
        stem: nn.Module,
        stem_width: int,
        settings: tuple[tuple[int, int, int, int, int, bool], ...],
        activation: Callable[[], nn.Module],
        head: int = 1280,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        self.stem = stem
        blocks: list[nn.Module] = []
        channels = stem_width
        for expansion, outputs, repeats, stride, kernel, squeeze in settings:
            for index in range(repeats):
                step = stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, outputs, expansion, kernel, step, activation, squeeze))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = conv_norm(channels, head, 1, activation=activation())
        self.fc = nn.Linear(head, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits ``[N, classes]``."""
        features: Tensor = self.head(self.blocks(self.stem(x)))
        logits: Tensor = self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(features, 1), 1))
        return logits


def mobilenet_v2() -> MobileNet:
    """3,504,872 parameters, 301 MMAC at 224 x 224."""
    settings = (
        (1, 16, 1, 1, 3, False),
        (6, 24, 2, 2, 3, False),
        (6, 32, 3, 2, 3, False),
        (6, 64, 4, 2, 3, False),
        (6, 96, 3, 1, 3, False),
        (6, 160, 3, 2, 3, False),
        (6, 320, 1, 1, 3, False),
    )
    return MobileNet(conv_norm(3, 32, 3, 2, activation=nn.ReLU6()), 32, settings, nn.ReLU6)


def _separable_stem() -> nn.Sequential:
    return nn.Sequential(
        conv_norm(3, 32, 3, 2, activation=nn.ReLU()),
        conv_norm(32, 32, 3, groups=32, activation=nn.ReLU()),
        conv_norm(32, 16, 1),
    )


def mnasnet_b1() -> MobileNet:
    """4,383,312 parameters, 314 MMAC at 224 x 224."""
    settings = (
        (3, 24, 3, 2, 3, False),
        (3, 40, 3, 2, 5, False),
        (6, 80, 3, 2, 5, False),
        (6, 96, 2, 1, 3, False),
        (6, 192, 4, 2, 5, False),
        (6, 320, 1, 1, 3, False),
    )
    return MobileNet(_separable_stem(), 16, settings, nn.ReLU)


def mnasnet_a1() -> MobileNet:
    """3.9 M parameters, 312 MMAC at 224 x 224; gates as wide as a quarter of the block's input."""
    settings = (
        (6, 24, 2, 2, 3, False),
        (3, 40, 3, 2, 5, True),
        (6, 80, 4, 2, 3, False),
        (6, 112, 2, 1, 3, True),
        (6, 160, 3, 2, 5, True),
        (6, 320, 1, 1, 3, False),
    )
    return MobileNet(_separable_stem(), 16, settings, nn.ReLU)
