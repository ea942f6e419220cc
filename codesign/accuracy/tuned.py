"""Accuracy of compressed forms of one trained network: each keeps the weights that are left, and is tuned a little."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codesign.accuracy.augment import Augmentation
from codesign.accuracy.data import Dataset, check_fits
from codesign.accuracy.supernet import SupernetEvaluator
from codesign.accuracy.training import Training, recalibrate, train
from codesign.networks.pruned import inherited
from codesign.quantization.qat import QatNetwork
from codesign.seeds import derive_seed
from mappings.durable import write_durably
from mappings.errors import Fault, SpecError
from mappings.npz import packed, unpacked
from mappings.workload import Workload

_KIND = "trained network"
_FORMAT = 1
_MOST_BYTES = 2**33


class TunedEvaluator(SupernetEvaluator):
    """Each network takes the weights of the channels that it keeps; then it is tuned, and its statistics are set anew.

    Args:
        context: options ``file`` (see :func:`train_base`), ``calibration_images``, and ``steps``, ``learning_rate``
            with the prefix ``tune_`` (for the search) or ``deploy_``; ``distilled``: share of the loss of tuning that
            is the soft labels of the network as it was before its compression.
    """

    def _opened(self) -> Callable[[Workload], QatNetwork]:
        base = load_base(Path(self._context.options["file"]))[0]
        self._teacher = base if self._context.options.get("distilled") else None
        return partial(inherited, base)


def train_base(
    workload: Workload,
    data: Dataset,
    how: tuple[int, float, int],
    seed: int,
    told: Mapping[str, Any],
    file: Path,
    on_step: Callable[[], None] = lambda: None,
) -> None:
    """Train a network and keep it; an interrupted training is gone on with.

    Args:
        how: steps, learning rate, pixels by which images are shifted.
        told: all that decides the weights, for the file.
    """
    check_fits(data, workload)
    torch.set_num_threads(1)  # equal results whatever the machine
    torch.manual_seed(derive_seed(seed, "base", workload.digest))
    network = QatNetwork(workload)
    steps, rate, shift = how
    checkpoint = file.with_suffix(".part.npz")
    training = Training(steps, rate, augmentation=Augmentation(shift))
    train(network, data, training, derive_seed(seed, "base"), checkpoint, workload.digest, on_step)
    recalibrate(network, data)
    head = {"format": _FORMAT, "kind": _KIND, "told": dict(told), "workload": workload.to_dict()}
    arrays = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_durably(file, packed(head, arrays))
    checkpoint.unlink(missing_ok=True)


def load_base(file: Path) -> tuple[QatNetwork, dict[str, Any]]:
    """What :func:`train_base` kept: the network, and all that decided its weights.

    Raises:
        SpecError: no such file, or another one.
    """
    allowed = "a trained network that codesign keeps (.npz)"
    try:
        head, arrays = unpacked(file, _MOST_BYTES)
        if (head["kind"], head["format"]) != (_KIND, _FORMAT):
            raise ValueError(f"is a {head['kind']}, version {head['format']}")
        network = QatNetwork(Workload.from_dict(head["workload"], str(file)))
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(Fault(str(file), f"cannot be used: {str(error)[:200]}", allowed)) from None
    return network.eval(), dict(head["told"])
