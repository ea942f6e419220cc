"""A training that goes on after a kill: an NPZ of arrays (never a pickle), put in place whole or not at all."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mappings.cache_folder import tell
from mappings.durable import write_durably
from mappings.errors import SpecError
from mappings.npz import packed, unpacked

#: Between two checkpoints.
SECONDS = 30.0
_MOST_BYTES = 2**33


def keep(path: Path, told: str, step: int, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write what it takes to go on.

    Args:
        told: all that decides the training.
        step: steps that are done.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in network.state_dict().items():
        arrays[f"network/{name}"] = value.detach().numpy()
    for place, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            arrays[f"optimizer/{place}/{name}"] = np.asarray(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, packed({"told": told, "step": step}, arrays))


class Periodic:
    """Keeps a training every now and then.

    Args:
        path, told, network, optimizer: as for :func:`keep`.
    """

    def __init__(self, path: Path, told: str, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self._path, self._told, self._network, self._optimizer = path, told, network, optimizer
        self._kept = time.monotonic()

    def __call__(self, step: int, *, last: bool = False) -> None:
        """After ``step`` steps; ``last``: keep it whatever the time."""
        if last or time.monotonic() - self._kept > SECONDS:
            keep(self._path, self._told, step, self._network, self._optimizer)
            self._kept = time.monotonic()


def resume(path: Path, told: str, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Put what is kept in place.

    Returns:
        steps that are done; 0 where nothing is kept, or what another training or a damaged disk left.
    """
    try:
        head, arrays = unpacked(path, _MOST_BYTES)
        if head["told"] != told:
            return 0
        step = int(head["step"])
    except (SpecError, ValueError, KeyError, TypeError) as error:
        if path.exists():
            tell(f"the training begins anew: {error}")
        return 0
    network.load_state_dict({name[8:]: _tensor(value) for name, value in arrays.items() if name[:8] == "network/"})
    state: dict[int, dict[str, Any]] = {}
    for name, value in arrays.items():
        kind, _, rest = name.partition("/")
        if kind == "optimizer":
            place, _, field = rest.partition("/")
            state.setdefault(int(place), {})[field] = _tensor(value)
    whole = optimizer.state_dict()
    optimizer.load_state_dict({**whole, "state": state})
    return step


def _tensor(value: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.array(value))
