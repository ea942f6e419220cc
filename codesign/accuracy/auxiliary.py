"""Maps within a network that are supervised while it is trained, each through a small head that is gone afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from codesign.accuracy.losses import Loss
from mappings.errors import Fault, SpecError
from mappings.workload import Workload


class Auxiliary(nn.Module):
    """Heads over tensors of a network: a 3 x 3 convolution and scores (Nekrasov 2019: a copy of the found cell).

    Args:
        workload: of the network.
        names: tensors that are supervised; those that the network lacks are passed over.
        outputs: channels of what it gives.

    Raises:
        SpecError: the network has none of them.
    """

    def __init__(self, workload: Workload, names: Sequence[str], outputs: int) -> None:
        super().__init__()
        there = [name for name in names if name in workload.by_name]
        if not there:
            what = f"has no layer of {', '.join(names)} to supervise"
            raise SpecError(Fault(f"network {workload.name}", what, ", ".join(workload.by_name)))
        self.heads = nn.ModuleDict({name: _head(workload.by_name[name].channels_out, outputs) for name in there})

    def loss(self, values: Mapping[str, Tensor], target: Tensor, error_of: Loss) -> Tensor:
        """Mean over the heads of the task's loss.

        Args:
            values: every tensor of the network, by name.
        """
        return torch.stack([error_of(head(values[name]), target) for name, head in self.heads.items()]).mean()


def _head(channels: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, outputs, 1))
