"""Inverted residuals with squeeze-and-excite gates: MobileNetV3-Small (Howard 2019), EfficientNet-B0 (Tan 2019)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from codesign.zoo.blocks import SqueezeExcite, conv_norm


class Stage(NamedTuple):
    """One block: hidden and output channels, kernel, stride, gate's hidden channels (0: no gate)."""

    hidden: int
    outputs: int
    kernel: int
    stride: int
    squeeze: int
    activation: Callable[[], nn.Module]


class GatedResidual(nn.Module):
    """1 x 1 expansion (where it widens), depthwise, gate, linear 1 x 1; a shortcut where shapes allow."""

    def __init__(
        self, inputs: int, stage: Stage, gate: Callable[[], nn.Module], inner: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        hidden, layers = stage.hidden, []
        if hidden != inputs:
            layers.append(conv_norm(inputs, hidden, 1, activation=stage.activation()))
        layers.append(
            conv_norm(hidden, hidden, stage.kernel, stage.stride, groups=hidden, activation=stage.activation())
        )
        gates = [SqueezeExcite(hidden, stage.squeeze, inner(), gate())] if stage.squeeze else []
        self.layers = nn.Sequential(*layers, *gates, conv_norm(hidden, stage.outputs, 1))
        self.residual = stage.stride == 1 and inputs == stage.outputs

    def forward(self, x: Tensor) -> Tensor:
        """``[N, inputs, H, W]`` to ``[N, outputs, H/stride, W/stride]``."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class GatedNet(nn.Module):
    """A strided stem, gated residuals, a 1 x 1 head, global average, one or two linear layers."""

    def __init__(
        self,
        stem: int,
        stages: tuple[Stage, ...],
        head: int,
        hidden: int,
        activation: Callable[[], nn.Module],
        gate: Callable[[], nn.Module],
        inner: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        self.stem = conv_norm(3, stem, 3, 2, activation=activation())
        blocks, channels = [], stem
        for stage in stages:
            blocks.append(GatedResidual(channels, stage, gate, inner))
            channels = stage.outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = conv_norm(channels, head, 1, activation=activation())
        if hidden:
            self.fc = nn.Sequential(nn.Linear(head, hidden), activation(), nn.Linear(hidden, 1000))
        else:
            self.fc = nn.Sequential(nn.Linear(head, 1000))

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits ``[N, 1000]``."""
        features: Tensor = self.head(self.blocks(self.stem(x)))
        logits: Tensor = self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(features, 1), 1))
        return logits


def mobilenet_v3_small() -> GatedNet:
    """2,542,856 parameters, 57 MMAC at 224 x 224."""
    relu, hard = nn.ReLU, nn.Hardswish
    stages = (
        Stage(16, 16, 3, 2, 8, relu),
        Stage(72, 24, 3, 2, 0, relu),
        Stage(88, 24, 3, 1, 0, relu),
        Stage(96, 40, 5, 2, 24, hard),
        Stage(240, 40, 5, 1, 64, hard),
        Stage(240, 40, 5, 1, 64, hard),
        Stage(120, 48, 5, 1, 32, hard),
        Stage(144, 48, 5, 1, 40, hard),
        Stage(288, 96, 5, 2, 72, hard),
        Stage(576, 96, 5, 1, 144, hard),
        Stage(576, 96, 5, 1, 144, hard),
    )
    return GatedNet(16, stages, 576, 1024, hard, nn.Hardsigmoid, relu)


def efficientnet_b0() -> GatedNet:
    """5,288,548 parameters, 386 MMAC at 224 x 224."""
    stages, channels = [], 32
    for expansion, outputs, repeats, stride, kernel in (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    ):
        for index in range(repeats):
            step = stride if index == 0 else 1
            stages.append(Stage(channels * expansion, outputs, kernel, step, channels // 4, nn.SiLU))
            channels = outputs
    return GatedNet(32, tuple(stages), 1280, 0, nn.SiLU, nn.Sigmoid, nn.SiLU)
