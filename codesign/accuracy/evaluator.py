"""Accuracy by training: short for the search, longer for what is deployed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from codesign.accuracy.augment import Augmentation
from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import Dataset, check_fits, load_dataset
from codesign.accuracy.progressive import Progressive
from codesign.accuracy.splits import check_batch
from codesign.accuracy.training import Training, portions, recalibrate, score, tensors, train
from codesign.quantization.deploy import deploy
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.qat import QatNetwork, fitted
from codesign.quantization.quantize import quantize_input
from codesign.seeds import derive_seed
from codesign.spaces.compression.hyper_parameters import decided
from codesign.spaces.compression.update_rules import decided_rule
from mappings.network_io import save_network
from mappings.quantized import QuantizedNetwork
from mappings.workload import Workload

#: Images that run at once: the integers of every layer are held.
_AT_ONCE = 250


def integer_accuracy(network: QuantizedNetwork, part: str, data: Dataset) -> float:
    """The task's score of a part by the integer network; in classification the first of equal logits counts."""
    images = tensors(data, part)[0]
    output, found = network.workload.outputs[0], []
    for some in portions(len(images), _AT_ONCE):
        logits = run_integer(network, quantize_input(network, fitted(images[some], network.workload)))[output]
        found.append(logits.numpy() * network.layers[output].scale)
    return data.does.score(np.concatenate(found), data.labels[part], (images.shape[2], images.shape[3]))


class TrainingEvaluator:
    """Each network is trained from scratch, alone, from a seed of its own.

    A learning rate, weight decay or update rule that was decided with the network holds in place of the options'.

    Args:
        context: its options are those of :class:`Training`; ``steps``, ``learning_rate``, ``shift_pixels``,
            ``rotate_degrees``, ``scale_percent``, ``bend_pixels`` and ``float_share`` with the prefix ``search_`` or
            ``deploy_``.

    Raises:
        SpecError: no such data set, or a batch of more images than it has to train on.
    """

    def __init__(self, context: AccuracyContext) -> None:
        self._context = context
        self._data = load_dataset(context.dataset)
        check_batch(self._data, int(context.options["batch"]), "training")

    def _how(self, purpose: str, workload: Workload) -> Training:
        options, found = self._context.options, decided(workload)
        return Training(
            int(options[f"{purpose}_steps"]),
            found.get("learning_rate", options[f"{purpose}_learning_rate"]),
            int(options["batch"]),
            options["optimizer"],
            found.get("weight_decay", options["weight_decay"]),
            options["label_smoothing"],
            options[f"{purpose}_float_share"],
            options["whiten"],
            Augmentation(
                int(options[f"{purpose}_shift_pixels"]),
                options["flip"],
                int(options["cutout_pixels"]),
                options[f"{purpose}_rotate_degrees"],
                options[f"{purpose}_scale_percent"],
                options["mixup"],
                options[f"{purpose}_bend_pixels"],
            ),
            rule=decided_rule(workload),
            progressive=Progressive(int(options["stages"]), options["first_extent"], options["first_strength"]),
            auxiliary=tuple(options["auxiliary"]),
            auxiliary_weight=options["auxiliary_weight"],
        )

    def _trained(self, workload: Workload, purpose: str, checkpoint: Path | None = None) -> QatNetwork:
        check_fits(self._data, workload)
        torch.set_num_threads(1)  # equal results whatever the machine; processes run side by side instead
        seed = derive_seed(self._context.seed, purpose, workload.digest)
        torch.manual_seed(seed)
        network = QatNetwork(workload)
        told = "" if checkpoint is None else f"{workload.digest} {self._data.digest}"
        train(network, self._data, self._how(purpose, workload), seed, checkpoint, told)
        recalibrate(network, self._data)
        return network

    def measure(self, workload: Workload) -> float:
        """The score of held-out images after the search's training."""
        return score(self._trained(workload, "search"), self._data, "held_out")

    def finish(self, workload: Workload) -> dict[str, float]:
        """Train for deployment, turn into integers, and keep them under the network's digest."""
        folder, name = self._context.folder, workload.digest[:16]
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint = folder / f"{name}.training.npz"
        network = deploy(self._trained(workload, "deploy", checkpoint))
        save_network(network, folder / name)
        checkpoint.unlink(missing_ok=True)
        return {part: integer_accuracy(network, part, self._data) for part in ("held_out", "test")}
