"""Networks of NAS-Bench-201 (Dong 2020) as modules: what `codesign.spaces.network.nasbench201` describes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class _Convolution(nn.Sequential):
    """Convolution and normalisation; who reads a node shares its ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(channels_out))


class _Zero(nn.Module):
    """Zeros of an input's shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.zeros: Tensor
        self.register_buffer("zeros", torch.zeros(1, channels, 1, 1))

    def forward(self, value: Tensor) -> Tensor:
        """[N, C, H, W], the same."""
        return value * self.zeros


_KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


def _operation(name: str, channels: int) -> nn.Module:
    if name in _KERNELS:
        return _Convolution(channels, channels, _KERNELS[name])
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return nn.Identity()


class Cell(nn.Module):
    """One cell.

    Args:
        edges: operation by (from, to), as `live_edges` gives them; none: zeros.
        channels: in and out.
    """

    def __init__(self, edges: Mapping[tuple[int, int], str], channels: int) -> None:
        super().__init__()
        self._edges = dict(edges)
        self.operations = nn.ModuleDict({f"{a}_{b}": _operation(name, channels) for (a, b), name in edges.items()})
        self.zero = None if edges else _Zero(channels)

    def forward(self, value: Tensor) -> Tensor:
        """[N, C, H, W], the same."""
        if self.zero is not None:
            zeros: Tensor = self.zero(value)
            return zeros
        nodes, rectified = {0: value}, dict[int, Tensor]()
        for node in (1, 2, 3):
            total: Tensor | None = None
            for (a, b), name in self._edges.items():
                if b != node:
                    continue
                if name in _KERNELS and a not in rectified:
                    rectified[a] = torch.relu(nodes[a])
                part = self.operations[f"{a}_{b}"](rectified[a] if name in _KERNELS else nodes[a])
                total = part if total is None else total + part
            if total is not None:
                nodes[node] = total
        return nodes[3]


class _Reduce(nn.Module):
    """The residual block of stride 2 between stages."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.short = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(channels_in, channels_out, 1, bias=False))
        self.a = _Convolution(channels_in, channels_out, 3, 2)
        self.b = _Convolution(channels_out, channels_out, 3)

    def forward(self, value: Tensor) -> Tensor:
        """[N, C, H, W] to [N, 2C, H/2, W/2]."""
        short = self.short(value)
        sum_: Tensor = short + self.b(torch.relu(self.a(torch.relu(value))))
        return sum_


class NasBench201Net(nn.Module):
    """A cell in the skeleton.

    Args:
        edges: of the cell.
        channels, cells: of the first stage; of a stage.
        classes: outputs.
    """

    def __init__(self, edges: Mapping[tuple[int, int], str], channels: int, cells: int, classes: int) -> None:
        super().__init__()
        parts: list[nn.Module] = [_Convolution(3, channels, 3)]
        for stage in range(3):
            if stage:
                parts.append(_Reduce(channels << (stage - 1), channels << stage))
            parts += [Cell(edges, channels << stage) for _ in range(cells)]
        last = channels << 2
        parts += [nn.BatchNorm2d(last), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes)]
        self.parts = nn.Sequential(*parts)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, H, W] to logits [N, classes]."""
        logits: Tensor = self.parts(images)
        return logits
