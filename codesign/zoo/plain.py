"""Networks without residual blocks: AlexNet, VGG-16, SqueezeNet, U-Net."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codesign.zoo.blocks import conv_norm


def alexnet() -> nn.Sequential:
    """AlexNet (Krizhevsky 2012): groups of two, 60,965,224 parameters, 724 MMAC at 227 x 227.

    Local response normalisation is left out, as in the accelerators' evaluations of this network.
    """
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        *_classifier(256 * 6 * 6),
    )


def _classifier(features: int) -> list[nn.Module]:
    return [
        nn.Flatten(),
        nn.Linear(features, 4096),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(4096, 1000),
    ]


def vgg16() -> nn.Sequential:
    """VGG-16 (Simonyan 2015, D): 138,357,544 parameters, 15.47 GMAC at 224 x 224."""
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, *_classifier(512 * 7 * 7))


class Fire(nn.Module):
    """A 1 x 1 squeeze, then 1 x 1 and 3 x 3 expansions side by side."""

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, inputs, H, W]`` to ``[N, 2 expand, H, W]``."""
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1(x)), torch.relu(self.expand3(x))], 1)


def squeezenet() -> nn.Sequential:
    """SqueezeNet 1.1 (Iandola 2016): 1,235,496 parameters, 349 MMAC at 224 x 224."""

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 2),
        nn.ReLU(),
        pool(),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        pool(),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        pool(),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
        nn.Dropout(),
        nn.Conv2d(512, 1000, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def _double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        conv_norm(inputs, outputs, 3, activation=nn.ReLU()), conv_norm(outputs, outputs, 3, activation=nn.ReLU())
    )


class UNet(nn.Module):
    """Encoder, decoder by transposed convolutions, and concatenations across (Ronneberger 2015), padded."""

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512, 1024), classes: int = 2) -> None:
        super().__init__()
        self.down = nn.ModuleList(_double(a, b) for a, b in zip((3, *widths), widths, strict=False))
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in pairs)
        self.merge = nn.ModuleList(_double(2 * b, b) for _, b in pairs)
        self.classes = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Images to one score a class and pixel."""
        skips: list[Tensor] = []
        for index, stage in enumerate(self.down):
            if index:
                x = nn.functional.max_pool2d(x, 2)
            x = stage(x)
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, reversed(skips[:-1]), strict=True):
            x = merge(torch.cat([skip, up(x)], 1))
        scores: Tensor = self.classes(x)
        return scores


def unet_small() -> UNet:
    """A quarter of the widths, three levels, for 64 x 64."""
    return UNet((16, 32, 64))


def dcgan() -> nn.Sequential:
    """Generator of a DCGAN (Radford 2016): 3,576,704 parameters, a latent of 100 to 64 x 64."""
    widths = (512, 256, 128, 64)
    layers: list[nn.Module] = []
    for position, (inputs, outputs) in enumerate(zip((100, *widths), (*widths, 3), strict=True)):
        step, cut = (2, 1) if position else (1, 0)
        layers.append(nn.ConvTranspose2d(inputs, outputs, 4, step, cut, bias=False))
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()] if outputs != 3 else [nn.Tanh()]
    return nn.Sequential(*layers)


def unet() -> UNet:
    """31,037,698 parameters, 54.6 GMAC at 256 x 256."""
    return UNet()
