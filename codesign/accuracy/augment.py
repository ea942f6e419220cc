"""Training images, changed anew in each batch: turned, bent, shifted, mirrored, with a square left out, mixed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from codesign.seeds import derive_seed

#: Of pixels from 0 to 1, added to the variances that whitening divides by.
_LEAST_VARIANCE = 5e-4
#: Places along an axis whose moves are drawn when an image is bent; those between follow smoothly.
_KNOTS = 5


@dataclass(frozen=True)
class Augmentation:
    """What is done to a batch; by default nothing.

    Attributes:
        shift_pixels: each image is moved by up to so many pixels both ways, zeros moving in.
        flip: half of the images are mirrored, left to right.
        cutout_pixels: rows and columns of a square of zeros somewhere in each image (DeVries 2017).
        rotate_degrees: each image is turned by up to so much both ways.
        scale_percent: and made larger or smaller by up to so much.
        mixup: two images and their labels are averaged with weights from Beta(mixup, mixup) (Zhang 2018).
        bend_pixels: each image is bent as if it lay on rubber: its pixels move, neighbours alike, with this standard
            deviation (Simard 2003).
    """

    shift_pixels: int = 0
    flip: bool = False
    cutout_pixels: int = 0
    rotate_degrees: float = 0.0
    scale_percent: float = 0.0
    mixup: float = 0.0
    bend_pixels: float = 0.0

    def scaled(self, strength: float) -> Augmentation:
        """The same at a share of its strength, 0 to 1; mirroring has none."""
        return replace(
            self,
            shift_pixels=round(strength * self.shift_pixels),
            cutout_pixels=round(strength * self.cutout_pixels),
            rotate_degrees=strength * self.rotate_degrees,
            scale_percent=strength * self.scale_percent,
            mixup=strength * self.mixup,
            bend_pixels=strength * self.bend_pixels,
        )

    def __call__(self, images: Tensor, seed: int, step: int) -> tuple[Tensor, Tensor | None, float]:
        """A batch as it is trained on.

        Args:
            images: [n, C, H, W].
            seed, step: all draws follow from them, so that a training that was interrupted goes on alike.

        Returns:
            images; and for mixing each image's partner and the weight of the image itself (None and 1: not mixed).
        """
        if self == Augmentation():
            return images, None, 1.0
        generator = torch.Generator().manual_seed(derive_seed(seed, "augmentation", step))
        if self.rotate_degrees or self.scale_percent or self.bend_pixels:
            images = turned(images, self.rotate_degrees, self.scale_percent, self.bend_pixels, generator)
        if self.shift_pixels:
            images = shifted(images, self.shift_pixels, generator)
        if self.flip:
            mirrored = torch.rand(len(images), generator=generator) < 0.5
            images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
        if self.cutout_pixels:
            images = with_cutout(images, self.cutout_pixels, generator)
        if not self.mixup:
            return images, None, 1.0
        partners = torch.randperm(len(images), generator=generator)
        alpha = torch.full((2,), self.mixup, dtype=torch.float64)
        share = float(torch._sample_dirichlet(alpha, generator=generator)[0])
        return torch.lerp(images[partners], images, share), partners, share


def shifted(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each image moved by up to ``most`` pixels both ways, zeros moving in.

    Args:
        images: [n, C, H, W].

    Returns:
        the same shape.
    """
    count, channels, height, width = images.shape
    moves = torch.randint(0, 2 * most + 1, (2, count, 1, 1, 1), generator=generator)
    rows, columns = moves[0] + torch.arange(height).view(1, 1, -1, 1), moves[1] + torch.arange(width)
    padded = nn.functional.pad(images, (most,) * 4)
    return padded[torch.arange(count).view(-1, 1, 1, 1), torch.arange(channels).view(1, -1, 1, 1), rows, columns]


def turned(images: Tensor, degrees: float, percent: float, bend: float, generator: torch.Generator) -> Tensor:
    """Each image turned and scaled about its middle, then bent; interpolated once, zeros moving in. Same shape."""
    count, _, height, width = images.shape
    draws = 2.0 * torch.rand((2, count), generator=generator) - 1.0
    angle, scale = torch.deg2rad(draws[0] * degrees), 1.0 + draws[1] * percent / 100.0
    cosine, sine = ((wave(angle) / scale).view(-1, 1, 1) for wave in (torch.cos, torch.sin))
    rows, columns = _middles(height).view(-1, 1), _middles(width)
    stretch = height / width  # of a grid that runs from -1 to 1 both ways
    across, down = cosine * columns - (sine * stretch) * rows, (sine / stretch) * columns + cosine * rows
    if bend:
        knots = bend * torch.randn((2, count, _KNOTS, _KNOTS), generator=generator)
        moves = _between(height) @ knots @ _between(width).T
        across, down = across + moves[0] * (2.0 / width), down + moves[1] * (2.0 / height)
    return nn.functional.grid_sample(images, torch.stack([across, down], 3), align_corners=False)


def _middles(length: int) -> Tensor:
    """Of pixels along an axis that runs from -1 to 1."""
    return (2.0 * torch.arange(length) + 1.0) / length - 1.0


@lru_cache(maxsize=8)
def _between(length: int) -> Tensor:
    """What a pixel's move takes of the knots': [pixels, knots], cubic."""
    unit = torch.eye(_KNOTS)[None, :, :, None]  # one channel a knot
    return nn.functional.interpolate(unit, (length, 1), mode="bicubic", align_corners=True)[0, :, :, 0].T.contiguous()


def with_cutout(images: Tensor, extent: int, generator: torch.Generator) -> Tensor:
    """A square of zeros somewhere in each image; at a border it is cut off. Same shape."""
    count, _, height, width = images.shape
    middle = torch.rand((2, count, 1, 1, 1), generator=generator)
    inside = []
    for axis, length in ((0, height), (1, width)):
        first = (middle[axis] * length).floor() - extent // 2
        place = torch.arange(length).view((1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1))
        inside.append((place >= first) & (place < first + extent))
    return images.masked_fill(inside[0] & inside[1], 0.0)


def whitening(images: Tensor, channels: int, kernel: int) -> Tensor:
    """Filters that decorrelate patches: principal directions over their standard deviations, each with both signs.

    Args:
        images: [n, C, H, W], some hundreds.
        channels: filters; half of them are the negatives of the others, which a ReLU would lose. What exceeds twice
            the number of directions is left to the caller.

    Returns:
        [at most channels, C, kernel, kernel], after Page 2018.
    """
    patches = nn.functional.unfold(images, kernel, stride=2).transpose(1, 2).flatten(0, 1).double()
    patches = patches - patches.mean(dim=0)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    pairs = min(channels // 2, len(values))
    # Directions with next to no variance would only be noise made loud.
    top = vectors[:, -pairs:] / (values[-pairs:] + _LEAST_VARIANCE).sqrt()
    filters = top.T.flip(0).float().reshape(pairs, images.shape[1], kernel, kernel)
    return torch.cat([filters, -filters])
