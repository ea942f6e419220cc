"""Test images for hardware runs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from codesign.accuracy.data import load_dataset
from codesign.quantization.qat import fitted
from mappings.quantized import IntArray, QuantizedNetwork
from mappings.workload import Workload


def sample_images(dataset: str, count: int, workload: Workload) -> tuple[Tensor, IntArray]:
    """The first images of a data set's test part, 0 to 1, and their labels; digits take turns.

    Args:
        count: of images; where the part has fewer, all of it.
        workload: the network whose extent they are resized to.

    Raises:
        SpecError: no such data set.
    """
    data = load_dataset(dataset)
    count = min(count, len(data.labels["test"]))
    return fitted(torch.from_numpy(data.images["test"][:count]), workload), data.labels["test"][:count]


def random_images(network: QuantizedNetwork, count: int, seed: int = 0) -> dict[str, IntArray]:
    """Integers over the whole range of each input ``[n, C, H, W]``, where there is no data set."""
    rng = np.random.default_rng(seed)
    return {
        tensor.name: rng.integers(
            -(1 << (tensor.bits - 1)), 1 << (tensor.bits - 1), (count, tensor.C, tensor.H, tensor.W), dtype=np.int64
        )
        for tensor in network.workload.inputs
    }
