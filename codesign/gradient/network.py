"""A network space around one skeleton as a differentiable network: each cell mixes its arms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.decisions import Point
from codesign.gradient.cells import Cell
from codesign.gradient.mixing import mixed, one_of, two_of
from codesign.gradient.superkernel import SuperKernel
from codesign.quantization.qat import QatLayer, entering, gates_of
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.workload import Workload


class ArmLayers(nn.Module):
    """One alternative of a cell: some layers of a workload, or none (the identity)."""

    def __init__(self, layers: Sequence[Layer], gates: Sequence[str]) -> None:
        super().__init__()
        self.layers, self.left_out = tuple(layers), 0.0
        self.steps = nn.ModuleDict({layer.name: QatLayer(layer) for layer in layers})
        for layer in layers:
            step = self.steps[layer.name]
            if layer.name in gates and isinstance(step, QatLayer):
                step.become_gate()

    def forward(self, x: Tensor) -> Tensor:
        """The cell's input to its output."""
        if not self.layers:
            return functional.dropout(x, self.left_out, self.training)
        values: dict[str, Tensor] = {}
        out = x
        for layer in self.layers:
            out = self.steps[layer.name](*(values.get(name, x) for name in layer.inputs))
            values[layer.name] = out
        return out


def narrowed(layer: Layer, share: int) -> Layer:
    """A layer with a part of its channels."""
    if layer.groups > 1:
        return replace(layer, groups=max(1, layer.groups // share))
    if layer.op.spec.convolves and layer.op.spec.windowed:
        return replace(layer, K=max(1, layer.K // share), C=max(1, layer.C // share))
    return layer


class PartialChannels(nn.Module):
    """The mixed arms see 1 / ``share`` of the channels; the others go by, halved where the arms halve, and channels are
    shuffled (PC-DARTS, Xu 2020)."""

    def __init__(self, share: int, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.share, self.inner = share, (channels_in // share, channels_out // share)
        self.outer = channels_out - channels_out // share

    def forward(self, x: Tensor, cell: Callable[[Tensor], Tensor]) -> Tensor:
        """``cell``: the mixed arms, over the first channels."""
        through, by = x[:, : self.inner[0]], x[:, self.inner[0] :]
        out = cell(through)
        if by.shape[2:] != out.shape[2:]:
            by = functional.adaptive_avg_pool2d(by, (out.shape[2], out.shape[3]))
        by = functional.pad(by, (0, 0, 0, 0, 0, max(0, self.outer - by.shape[1])))[:, : self.outer]
        joined = torch.cat((out, by), dim=1)
        count = joined.shape[1]
        if count % self.share:
            return joined
        rows, columns = joined.shape[2:]
        apart = joined.reshape(-1, self.share, count // self.share, rows, columns)
        return apart.transpose(1, 2).reshape(-1, count, rows, columns)


class MixedNetwork(nn.Module):
    """What lies outside cells, and the cells, in the order of the network; a cell reads one tensor and gives one.

    Args:
        workload_at: the network at a point.
        points: for each cell, the base point with each of its arms in place.
        cells: in order.
        relaxation: of every cell.
        partial: 1 / this many channels go through the arms; 1: all.
    """

    def __init__(
        self,
        workload_at: Callable[[Point], Workload],
        points: Sequence[Sequence[Point]],
        cells: Sequence[Cell],
        relaxation: str,
        partial: int = 1,
    ) -> None:
        super().__init__()
        self.relaxation, self.cells = relaxation, tuple(cells)
        base = workload_at(points[0][-1])
        self.workload = base
        self.outside = nn.ModuleDict()
        self.arms = nn.ModuleDict()
        self.bypass = nn.ModuleDict()
        self.order: list[tuple[str, bool]] = []
        #: Of each cell at the base point: what it reads, and the name under which others read what it gives.
        self.ends: dict[str, tuple[str, str]] = {}
        prefixes = [cell.prefix for cell in cells]
        for layer in base.layers:
            own = next((prefix for prefix in prefixes if layer.name.startswith(prefix)), "")
            if own:
                if (own, True) not in self.order:
                    self.order.append((own, True))
                    self.ends[own] = layer.inputs[0], layer.name
                self.ends[own] = self.ends[own][0], layer.name
                continue
            self.outside[layer.name] = QatLayer(layer)
            self.order.append((layer.name, False))
        for name in gates_of(base):
            if name in self.outside:
                step = self.outside[name]
                assert isinstance(step, QatLayer)
                step.become_gate()
        for prefix, choices in zip(prefixes, points, strict=True):
            found = [workload_at(point) for point in choices]
            parts = [[layer for layer in w.layers if layer.name.startswith(prefix)] for w in found]
            if (prefix, True) not in self.order:
                raise SpecError(Fault(f"cell {prefix}", "has no layer at the base point", "a skeleton that has"))
            whole = next(part for part in parts if part)
            if partial > 1:
                self.bypass[prefix] = PartialChannels(partial, whole[0].channels_in, whole[-1].channels_out)
                parts = [[narrowed(layer, partial) for layer in part] for part in parts]
            if relaxation == "shared":
                self.arms[prefix] = SuperKernel(parts)
            else:
                gates = [gates_of(w) for w in found]
                self.arms[prefix] = nn.ModuleList(
                    ArmLayers(part, gate) for part, gate in zip(parts, gates, strict=True)
                )
        self.logits = nn.ParameterList(1e-3 * torch.randn(len(cell.arms)) for cell in cells)
        #: Logarithm of the chance of what the last pass drew (relaxation "reinforced").
        self.log_chance = torch.zeros(())
        #: Of each cell the two arms that the last pass drew (relaxation "two_path"); else none.
        self.pairs: list[Tensor] = []

    @property
    def identities(self) -> tuple[int | None, ...]:
        """Of each cell the arm that has no layers."""
        out: list[int | None] = []
        for arms in self.arms.values():
            mine = list(arms) if isinstance(arms, nn.ModuleList) else []
            empty = (place for place, arm in enumerate(mine) if isinstance(arm, ArmLayers) and not arm.layers)
            out.append(next(empty, None))
        return tuple(out)

    def leave_out(self, share: float) -> None:
        """From now on arms without layers leave out this share of what they read, at random."""
        for arm in self.modules():
            if isinstance(arm, ArmLayers):
                arm.left_out = share

    def weights(self) -> list[nn.Parameter]:
        """Parameters that are no logits."""
        choosing = {id(parameter) for parameter in self.choosing()}
        return [parameter for parameter in self.parameters() if id(parameter) not in choosing]

    def choosing(self) -> list[nn.Parameter]:
        """What decides among arms."""
        if self.relaxation == "shared":
            return [part for arm in self.arms.values() if isinstance(arm, SuperKernel) for part in arm.thresholds()]
        return list(self.logits)

    def shares(self) -> list[Tensor]:
        """How much each arm of each cell is chosen, [arms] that sum to 1."""
        if self.relaxation == "shared":
            return [arm.shares() for arm in self.arms.values() if isinstance(arm, SuperKernel)]
        if self.relaxation == "sigmoid":
            own = [torch.sigmoid(logits) for logits in self.logits]
            return [each / each.sum() for each in own]
        return [functional.softmax(logits, dim=0) for logits in self.logits]

    def forward(
        self, images: Tensor, temperature: float, generator: torch.Generator, *, logits_learn: bool = False
    ) -> Tensor:
        """Images [N, C, H, W] to logits [N, classes], or a map of them."""
        values = {self.workload.inputs[0].name: entering(images, self.workload)}
        self.log_chance, two_path = torch.zeros(()), self.relaxation == "two_path"
        self.pairs = [two_of(logits, generator) for logits in self.logits] if two_path else []
        number = {cell.prefix: place for place, cell in enumerate(self.cells)}
        for name, is_cell in self.order:
            if not is_cell:
                step = self.outside[name]
                assert isinstance(step, QatLayer)
                values[name] = step(*(values[source] for source in step.layer.inputs))
                continue
            source, given = self.ends[name]
            x = values[source]
            arms, place = self.arms[name], number[name]

            def cell(value: Tensor, arms: nn.Module = arms, place: int = place) -> Tensor:
                if isinstance(arms, SuperKernel):
                    result: Tensor = arms(value)
                    return result
                assert isinstance(arms, nn.ModuleList)
                if self.relaxation == "reinforced":
                    drawn, log_chance = one_of(self.logits[place], generator)
                    self.log_chance = self.log_chance + log_chance
                    result = arms[drawn](value)
                    assert isinstance(result, Tensor)
                    return result
                return mixed(
                    self.relaxation,
                    list(arms),
                    self.logits[place],
                    value,
                    temperature,
                    generator,
                    logits_learn=logits_learn,
                    pair=self.pairs[place] if two_path else None,
                )

            values[given] = self.bypass[name](x, cell) if name in self.bypass else cell(x)
        return values[self.workload.outputs[0]]
