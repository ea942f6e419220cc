"""Accuracy by training: short for the search, longer for what is deployed."""

from __future__ import annotations

import numpy as np
import torch

from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import Dataset, check_fits, load_dataset
from codesign.accuracy.training import recalibrate, score, tensors, train
from codesign.integer_reference import run_integer
from codesign.networks.deploy import deploy
from codesign.networks.qat import QatNetwork, fitted
from codesign.quantize import quantize_input
from codesign.seeds import derive_seed
from mappings.network_io import save_network
from mappings.quantized import QuantizedNetwork
from mappings.workload import Workload


def integer_accuracy(network: QuantizedNetwork, part: str, data: Dataset) -> float:
    """Share of a part's images that the integer network names rightly; the first of equal logits counts."""
    images, labels = tensors(data, part)
    logits = run_integer(network, quantize_input(network, fitted(images, network.workload)))[
        network.workload.outputs[0]
    ]
    right = logits.flatten(1).numpy().argmax(axis=1) == labels.numpy()
    return float(np.mean(right))


class TrainingEvaluator:
    """Each network is trained from scratch, alone, from a seed of its own.

    Args:
        context: options ``steps``, ``learning_rate`` and ``shift_pixels``, each with the prefix ``search_`` or
            ``deploy_``; a step is one batch of 64 images.
    """

    def __init__(self, context: AccuracyContext) -> None:
        self._context = context
        self._data = load_dataset(context.dataset)

    def _trained(self, workload: Workload, purpose: str) -> QatNetwork:
        check_fits(self._data, workload)
        options = self._context.options
        torch.set_num_threads(1)  # equal results whatever the machine; processes run side by side instead
        seed = derive_seed(self._context.seed, purpose, workload.digest)
        torch.manual_seed(seed)
        network = QatNetwork(workload)
        steps, shift_pixels = int(options[f"{purpose}_steps"]), int(options[f"{purpose}_shift_pixels"])
        train(network, self._data, steps, options[f"{purpose}_learning_rate"], seed, shift_pixels)
        recalibrate(network, self._data)
        return network

    def measure(self, workload: Workload) -> float:
        """Accuracy on held-out images after the search's training."""
        return score(self._trained(workload, "search"), self._data, "held_out")

    def finish(self, workload: Workload) -> dict[str, float]:
        """Train for deployment, turn into integers, and keep them under the network's digest."""
        network = deploy(self._trained(workload, "deploy"))
        self._context.folder.mkdir(parents=True, exist_ok=True)
        save_network(network, self._context.folder / workload.digest[:16])
        return {part: integer_accuracy(network, part, self._data) for part in ("held_out", "test")}
