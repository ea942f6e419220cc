"""Masks over the edges, operations and weights of cells, learned on shared weights (Yan 2019, HM-NAS).

Each mask is a real number that is 1 above a threshold and 0 below, and whose gradient is that of the 1 or 0 itself
(straight through: Bengio 2013). An operation counts where its edge's mask and its own are 1; of its weights those count
that read a hidden channel whose mask is 1. The masked network computes what the network that is left does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from codesign.decisions import Point
from codesign.quantization.qat import QatLayer, QatNetwork, entering
from codesign.spaces.network.masked_cells import MaskedSpace, Operation


def binary(mask: Tensor, threshold: float) -> Tensor:
    """1 where a mask is over the threshold, else 0; the gradient passes as it is."""
    hard = (mask.detach() > threshold).to(mask.dtype)
    return hard + mask - mask.detach()


@dataclass(frozen=True)
class Open:
    """Masks as ones and zeros.

    Attributes:
        edges: by name, a number.
        operations: by name, a number: that of its edge times its own.
        channels: by name of the operation [hidden]; of those with weights.
    """

    edges: Mapping[str, Tensor]
    operations: Mapping[str, Tensor]
    channels: Mapping[str, Tensor]


class MaskedNetwork(nn.Module):
    """The whole network of a space with a mask on every edge, operation and hidden channel.

    Args:
        space: of the cells.
        threshold: of all masks.

    Attributes:
        steps: layers of the whole network, by name.
    """

    def __init__(self, space: MaskedSpace, threshold: float) -> None:
        super().__init__()
        self.space, self._threshold = space, threshold
        whole = {decision.name: decision.choices[-1] for decision in space.decisions}
        self.workload = space.workload(whole)
        self.steps = nn.ModuleDict({layer.name: QatLayer(layer) for layer in self.workload.layers})
        self._items = tuple(item for stage in space.operations for item in stage)
        ones = torch.ones(())
        self.edges = nn.ParameterDict({item.edge: nn.Parameter(ones.clone()) for item in self._items})
        self.operations = nn.ParameterDict({item.name: nn.Parameter(ones.clone()) for item in self._items})
        count = space.hidden[-1]
        self.channels = nn.ParameterDict(
            {item.name: nn.Parameter(torch.ones(count)) for item in self._items if item.kernel}
        )

    def masks(self) -> list[nn.Parameter]:
        """All masks."""
        return [*self.edges.values(), *self.operations.values(), *self.channels.values()]

    def weights(self) -> list[nn.Parameter]:
        """All other parameters."""
        return list(self.steps.parameters())

    def open(self) -> Open:
        """The masks as they count."""
        edges = {name: binary(mask, self._threshold) for name, mask in self.edges.items()}
        own = {
            item.name: edges[item.edge] * binary(self.operations[item.name], self._threshold) for item in self._items
        }
        return Open(edges, own, {name: binary(mask, self._threshold) for name, mask in self.channels.items()})

    @torch.no_grad()
    def begin(self) -> None:
        """Masks begin as what training made of what they mask, against the mean of their like: an operation as its last
        gains, an edge as its operations together, a hidden channel as the weights that read it."""
        for stage in self.space.operations:
            sizes = {item.name: self._gain(item) for item in stage if item.kernel}
            mean = sum(sizes.values()) / len(sizes)
            for item in stage:
                self.operations[item.name].fill_(sizes.get(item.name, mean) / mean)
            for edge in dict.fromkeys(item.edge for item in stage):
                found = [float(self.operations[item.name]) for item in stage if item.edge == edge]
                self.edges[edge].fill_(sum(found) / len(found))
            for name in sizes:
                weight = self._layer(f"{name}_out").weight
                assert weight is not None
                read = weight.abs().sum(dim=(0, 2, 3))
                self.channels[name].copy_(read / read.mean())

    def _gain(self, item: Operation) -> float:
        norm = self._layer(f"{item.name}_out").norm
        assert norm is not None
        return float(norm.weight.abs().mean())

    def _layer(self, name: str) -> QatLayer:
        found = self.steps[name]
        assert isinstance(found, QatLayer)
        return found

    def forward(self, images: Tensor, masked: Open | None = None) -> Tensor:
        """Images [N, C, H, W] to logits [N, classes].

        Args:
            masked: what counts; None: everything does, and masks learn nothing.
        """
        value = self.steps["stem"](entering(images, self.workload))
        for stage, items in enumerate(self.space.operations, 1):
            if stage > 1:
                value = self.steps[f"reduce{stage}"](value)
            value = self._cell(f"s{stage}", value, items, masked)
        logits: Tensor = self.steps["fc"](self.steps["pool"](value))
        return logits

    def _cell(self, name: str, here: Tensor, items: tuple[Operation, ...], masked: Open | None) -> Tensor:
        values, closed = {0: here}, dict[str, Tensor]()
        for item in items:
            if item.source not in values:
                continue
            kept = None if masked is None else masked.channels.get(item.name)
            if kept is not None and not bool((kept > 0).any()):
                continue
            value, gate = self._operated(item, values[item.source], kept), torch.ones(())
            if masked is not None:
                gate = masked.operations[item.name]
                value = gate * value
            if float(gate.detach()) == 0.0:  # nothing, but for what its masks learn of it
                closed[item.name] = value
                continue
            known = values.get(item.target)
            values[item.target] = value if known is None else self.steps[f"{item.name}_add"](known, value)
        ends = [node for node in sorted(values) if node]
        total = values[ends[0]] if ends else here
        for node in ends[1:]:
            total = self.steps[f"{name}_sum{node}"](total, values[node])
        for nothing in closed.values():
            total = total + nothing
        return total

    def _operated(self, item: Operation, value: Tensor, kept: Tensor | None) -> Tensor:
        if not item.kernel:
            return value
        mixed, last = self.steps[f"{item.name}_mix"](value), self._layer(f"{item.name}_out")
        assert last.weight is not None
        if kept is None:
            out: Tensor = last(mixed)
            return out
        found: Tensor = functional_call(last, {"weight": last.weight * kept.view(1, -1, 1, 1)}, (mixed,))
        return found

    def kept(self) -> dict[str, list[int]]:
        """Hidden channels that are left of each operation, by falling mask; of the identity, [0] or none."""
        masked, out = self.open(), dict[str, list[int]]()
        for item in self._items:
            places = [0]
            if item.kernel:
                order = torch.argsort(self.channels[item.name].detach(), descending=True, stable=True)
                places = [int(place) for place in order if float(masked.channels[item.name][place].detach()) > 0]
            out[item.name] = places if float(masked.operations[item.name].detach()) > 0 else []
        return out

    def strength(self, item: Operation, place: int) -> float:
        """How much one hidden channel (of the identity: all of it) counts: its mask times those above it."""
        own = float(self.channels[item.name].detach()[place]) if item.kernel else 1.0
        return float(self.edges[item.edge].detach()) * float(self.operations[item.name].detach()) * own

    @torch.no_grad()
    def left(self, point: Point, kept: Mapping[str, list[int]]) -> QatNetwork:
        """The network of a point with the weights that masks leave.

        Args:
            kept: hidden channels of each operation that the point keeps, as many as it says.
        """
        network = QatNetwork(self.space.workload(point))
        for name, step in network.steps.items():
            operation, _, end = name.rpartition("_")
            own = self._layer(name).state_dict()
            places = torch.tensor(sorted(kept.get(operation, [])), dtype=torch.long)
            if end == "mix":
                own = {key: part[places] if part.dim() and part.numel() > 1 else part for key, part in own.items()}
            elif end == "out":
                own["weight"] = own["weight"][:, places]
            step.load_state_dict(own)
        return network
