"""Blocks of a supernet that are trained apart, each from a teacher's features (Li 2020, DNA).

A block sees what the teacher makes of an image up to it, and learns what the teacher makes of that: no block waits for
another, and each has few alternatives, so that each of them is trained well. A network is worth what the errors of its
blocks sum to: squares over what the teacher's own features vary, so that blocks count alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from codesign.accuracy.data import Dataset
from codesign.accuracy.training import tensors
from codesign.quantization.qat import QatNetwork
from codesign.supernet.corners import Corners
from codesign.supernet.network import SuperNetwork
from codesign.supernet.training import Trainer, TrainingOptions
from mappings.errors import Fault, SpecError
from mappings.workload import TensorShape, Workload


@dataclass(frozen=True)
class Block:
    """A part of a network.

    Attributes:
        layers: as a workload whose input is the tensor that the part reads.
        target: the tensor of the teacher that it is to give.
    """

    layers: Workload
    target: str

    @property
    def source(self) -> str:
        """The tensor that it reads, of the network that it is a part of."""
        return self.layers.inputs[0].name


def blocks_of(workload: Workload, prefixes: Sequence[str]) -> list[Block]:
    """Parts of a network, in order, without those that it leaves out.

    Args:
        prefixes: names of a part's layers begin with it.
    """
    out = []
    for prefix in prefixes:
        layers = tuple(layer for layer in workload.layers if layer.name.startswith(prefix))
        if layers:
            source, first = layers[0].inputs[0], layers[0]
            shape = TensorShape(source, C=first.channels_in, H=first.H, W=first.W_in, bits=first.bits.I)
            out.append(Block(Workload(prefix, (shape,), layers), layers[-1].name))
    return out


class _Apart(QatNetwork):
    """A part: what it reads is a tensor of features, not an image."""

    def forward(self, features: Tensor) -> Tensor:
        values = self.values({self.workload.inputs[0].name: features})
        return values[self.workload.layers[-1].name]


class Blocks:
    """The blocks of a space beside those of its teacher.

    Args:
        teacher: the trained largest network, in evaluation mode.
        prefixes: of all blocks.

    Attributes:
        own: the teacher's, by prefix.
    """

    def __init__(self, teacher: QatNetwork, prefixes: Sequence[str]) -> None:
        self.teacher, self._prefixes = teacher, tuple(prefixes)
        self.own = {block.layers.name: block for block in blocks_of(teacher.workload, prefixes)}

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """Of the teacher: every tensor, by name."""
        with torch.no_grad():
            return self.teacher.values(self.teacher.entered(images))

    def errors(self, network: SuperNetwork, workload: Workload, features: Mapping[str, Tensor]) -> Iterator[Tensor]:
        """Of each block of a network, and of each that it leaves out, in order; statistics are those of the batch."""
        mine = {block.layers.name: block for block in blocks_of(workload, self._prefixes)}
        for prefix in self._prefixes:
            own = self.own[prefix]
            taken, wanted = features[own.source], features[own.target]
            if prefix in mine:
                part = mine[prefix].layers
                taken = functional_call(_Apart(part).train(), network.parameters_of(part), (taken,))
            yield (taken - wanted).square().mean() / wanted.var().clamp_min(1e-12)


class BlockwiseTrainer(Trainer):
    """As its base; a step is the errors of all blocks of its networks, and no gradient passes from block to block.

    Args:
        blocks: of the space; what lies outside them is the teacher's, and stays.
    """

    def __init__(
        self,
        corners: Corners,
        data: Dataset,
        options: TrainingOptions,
        blocks: Blocks,
        space: str = "",
        told: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(corners, data, options, space, told)
        self._blocks = blocks
        inside = {layer.name for block in blocks.own.values() for layer in block.layers.layers}
        with torch.no_grad():
            for name, part in self.network.parameters_of(blocks.teacher.workload).items():
                if name.split(".")[1] not in inside:
                    part.copy_(blocks.teacher.get_parameter(name))

    def _update(self, images: Tensor, labels: Tensor) -> None:
        plan, features = self._plan(self.step), self._blocks.features(images)
        for group in self._optimizer.param_groups:
            group["lr"] = self._options.rate(self.step)
        self._optimizer.zero_grad()
        for point in plan.points:
            for error in self._blocks.errors(self.network, self.corners.workload_at(point), features):
                if error.requires_grad:  # of a block that is left out nothing is learned
                    (error / len(plan.points)).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()


class Ratings:
    """Errors of networks on held-out images.

    Args:
        network: with trained blocks.
        blocks: of the space.
        data: of which the first ``images`` held-out ones are taken.
    """

    def __init__(self, network: SuperNetwork, blocks: Blocks, data: Dataset, images: int) -> None:
        self._network, self._blocks = network, blocks
        self._features = blocks.features(tensors(data, "held_out")[0][:images])

    def error(self, workload: Workload) -> float:
        """The sum of its blocks' errors."""
        with torch.no_grad():
            return float(sum(self._blocks.errors(self._network, workload, self._features)))


def prefixes_of(space: Any) -> tuple[str, ...]:
    """Of the blocks of a search space.

    Raises:
        SpecError: something outside the blocks is left to choose, so that their features differ in shape.
    """
    cells = space.network.cells
    inside = {name for _, names in cells for name in names}
    free = [d.name for d in space.decisions.of_groups("network", "compression").choices if len(d.choices) > 1]
    outside = [name for name in free if name not in inside]
    if outside:
        what = f"blocks are trained apart, and {', '.join(outside)} changes what several of them read"
        raise SpecError(Fault("provider blockwise", what, "one choice of each (choices:)"))
    return tuple(prefix for prefix, _ in cells)
