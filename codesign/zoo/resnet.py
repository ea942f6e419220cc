"""Residual networks (He 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from codesign.zoo.blocks import conv_norm


class Basic(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv_norm(inputs, width, 3, stride, activation=nn.ReLU())
        self.conv2 = conv_norm(width, width, 3)
        same = stride == 1 and inputs == width
        self.shortcut = nn.Identity() if same else conv_norm(inputs, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, width, H/stride, W/stride]``."""
        return torch.relu(self.conv2(self.conv1(x)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 (which strides), 1 x 1, and a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = conv_norm(inputs, width, 1, activation=nn.ReLU())
        self.conv2 = conv_norm(width, width, 3, stride, activation=nn.ReLU())
        self.conv3 = conv_norm(width, outputs, 1)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv_norm(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, 4 width, H/stride, W/stride]``."""
        return torch.relu(self.conv3(self.conv2(self.conv1(x))) + self.shortcut(x))


class ResNet(nn.Module):
    """A stem, stages of blocks (each but the first halves the image), global average, classifier."""

    def __init__(
        self,
        block: type[Basic] | type[Bottleneck],
        depths: Sequence[int],
        widths: Sequence[int],
        stem: nn.Module,
        stem_width: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.stem = stem
        channels = stem_width
        blocks: list[nn.Module] = []
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            for index in range(depth):
                blocks.append(block(channels, width, 2 if stage > 0 and index == 0 else 1))
                channels = width * block.expansion
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits ``[N, classes]``."""
        logits: Tensor = self.fc(torch.flatten(self.pool(self.blocks(self.stem(x))), 1))
        return logits


def _imagenet(block: type[Basic] | type[Bottleneck], depths: Sequence[int]) -> ResNet:
    stem = nn.Sequential(conv_norm(3, 64, 7, 2, activation=nn.ReLU()), nn.MaxPool2d(3, 2, 1))
    return ResNet(block, depths, (64, 128, 256, 512), stem, 64, 1000)


def resnet18() -> ResNet:
    """11,689,512 parameters, 1.814 GMAC at 224 x 224."""
    return _imagenet(Basic, (2, 2, 2, 2))


def resnet50() -> ResNet:
    """25,557,032 parameters, 4.089 GMAC at 224 x 224."""
    return _imagenet(Bottleneck, (3, 4, 6, 3))


def resnet20() -> ResNet:
    """272,474 parameters, 40.8 MMAC at 32 x 32."""
    return ResNet(Basic, (3, 3, 3), (16, 32, 64), conv_norm(3, 16, 3, activation=nn.ReLU()), 16, 10)
