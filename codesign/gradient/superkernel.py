"""Single-Path NAS (Stamoulis 2019): the arms of a cell as nested parts of one set of weights.

Every arm is the largest with some taps and hidden channels left out. What a larger arm adds stays in while the mean
square of its weights is over a learned threshold, so that one pass of one path serves all arms. Forward it is in or
out; the gradient is that of a sigmoid. A soft gate forward would cost the error nothing: the projection behind it,
which is normalised, undoes any scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from codesign.quantization.qat import QatLayer
from mappings.errors import Fault, SpecError
from mappings.layer import Layer

#: How sharply a sigmoid falls, against mean squares of normalised weights.
_SHARPNESS = 8.0
#: Thresholds at the start, against the usual mean square: below what weights differ by, so that all is in.
_FIRST = -0.3


class SuperKernel(nn.Module):
    """A cell of inverted bottlenecks whose arms differ in kernel and expansion.

    Args:
        parts: layers of each arm; all have the same layers up to sizes.

    Raises:
        SpecError: arms that are not nested: gates, or none at all.
    """

    def __init__(self, parts: Sequence[Sequence[Layer]]) -> None:
        super().__init__()
        self.largest = tuple(max(parts, key=lambda part: sum(layer.macs for layer in part)))
        kinds = [tuple(layer.name for layer in part) for part in parts]
        if any(kind != kinds[0] for kind in kinds):
            what = "has arms with other layers (a gate, a block that is left out), which no one kernel holds"
            raise SpecError(
                Fault(f"cell {self.largest[0].name.partition('_')[0]}", what, "arms of kernels and expansions")
            )
        self.steps = nn.ModuleDict({layer.name: QatLayer(layer) for layer in self.largest})
        deep = [next(layer for layer in part if layer.is_depthwise) for part in parts]
        self.sizes = tuple((layer.R, layer.groups) for layer in deep)
        self.kernels = tuple(sorted({size for size, _ in self.sizes}))
        self.hidden = tuple(sorted({count for _, count in self.sizes}))
        self.kernel_thresholds = nn.Parameter(torch.full((len(self.kernels) - 1,), _FIRST))
        self.hidden_thresholds = nn.Parameter(torch.full((len(self.hidden) - 1,), _FIRST))
        (self.depthwise,) = (layer.name for layer in self.largest if layer.is_depthwise)

    def thresholds(self) -> list[nn.Parameter]:
        """What decides among arms."""
        return [self.kernel_thresholds, self.hidden_thresholds]

    def _weight(self) -> Tensor:
        step = self.steps[self.depthwise]
        assert isinstance(step, QatLayer) and step.weight is not None
        return step.weight

    def _kept(self) -> tuple[Tensor, Tensor]:
        """How far each larger kernel [kernels - 1] and number of hidden channels [hidden - 1] stays in, 0 to 1."""
        weight = self._weight()
        scale = weight.detach().square().mean().clamp_min(1e-12)
        square = weight.square() / scale
        rings = [
            _ring(square, small, large).mean() for small, large in zip(self.kernels, self.kernels[1:], strict=False)
        ]
        groups = [square[a:b].mean() for a, b in zip(self.hidden, self.hidden[1:], strict=False)]

        def gates(norms: list[Tensor], thresholds: Tensor) -> Tensor:
            # A threshold is told from the usual mean square, which is 1.
            found = torch.stack(norms) if norms else torch.zeros(0)
            return torch.sigmoid(_SHARPNESS * (found - 1.0 - thresholds))

        return gates(rings, self.kernel_thresholds), gates(groups, self.hidden_thresholds)

    def shares(self) -> Tensor:
        """How much each arm is chosen."""
        kernel, hidden = (_chain(kept) for kept in self._kept())
        return torch.stack(
            [kernel[self.kernels.index(size)] * hidden[self.hidden.index(count)] for size, count in self.sizes]
        )

    def forward(self, x: Tensor) -> Tensor:
        """One pass, with the masked weights."""
        kernel, hidden = (_hard(kept) for kept in self._kept())
        taps = torch.zeros(self.kernels[-1], self.kernels[-1])
        inside = torch.ones(())
        for place, size in enumerate(self.kernels):
            inside = inside if place == 0 else inside * kernel[place - 1]
            smaller = self.kernels[place - 1] if place else 0
            taps = taps + inside * _ring_mask(self.kernels[-1], smaller, size)
        channels, kept = [torch.ones(self.hidden[0])], torch.ones(())
        for place, (a, b) in enumerate(zip(self.hidden, self.hidden[1:], strict=False)):
            kept = kept * hidden[place]
            channels.append(kept.expand(b - a))
        mask = torch.cat(channels).view(1, -1, 1, 1)
        values: dict[str, Tensor] = {}
        out = x
        for layer in self.largest:
            inputs = [values.get(name, x) for name in layer.inputs]
            step = self.steps[layer.name]
            assert isinstance(step, QatLayer)
            out = step.with_taps(inputs[0], taps) * mask if layer.name == self.depthwise else step(*inputs)
            values[layer.name] = out
        return out


def _hard(kept: Tensor) -> Tensor:
    """1 where something stays in, else 0, with the gradient of how far it does."""
    return (kept.detach() > 0.5).to(kept.dtype) + kept - kept.detach()


def _chain(kept: Tensor) -> Tensor:
    """Shares of nested sizes: those that stay in up to a size and not beyond it."""
    inside = torch.cat((torch.ones(1), torch.cumprod(kept, dim=0)))
    return inside - torch.cat((inside[1:], torch.zeros(1)))


def _ring_mask(full: int, small: int, large: int) -> Tensor:
    out = torch.zeros(full, full)
    a, b = (full - large) // 2, (full - small) // 2
    out[a : full - a, a : full - a] = 1.0
    if small:
        out[b : full - b, b : full - b] = 0.0
    return out


def _ring(weight: Tensor, small: int, large: int) -> Tensor:
    """Taps of a kernel that a larger size adds: [channels, taps]."""
    mask = _ring_mask(weight.shape[-1], small, large).bool()
    return weight.flatten(2)[:, :, mask.flatten()].flatten(1)
