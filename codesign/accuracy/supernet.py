"""Accuracy of networks that are taken out of a supernet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from codesign.accuracy.augment import Augmentation
from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import check_fits, load_dataset
from codesign.accuracy.evaluator import integer_accuracy
from codesign.accuracy.training import Training, recalibrate, score, train
from codesign.quantization.deploy import deploy
from codesign.quantization.qat import QatNetwork
from codesign.seeds import derive_seed
from codesign.supernet.store import load
from codesign.supernet.training import from_arrays
from mappings.network_io import save_network
from mappings.workload import Workload


class SupernetEvaluator:
    """Each network takes its part of the shared weights; its batch statistics are set anew; then it may be tuned.

    Args:
        context: options ``file`` (the supernet), ``kernel``, ``calibration_images``, and ``steps``, ``learning_rate``
            with the prefix ``tune_`` (for the search) or ``deploy_``.
    """

    def __init__(self, context: AccuracyContext) -> None:
        torch.set_num_threads(1)
        self._context = context
        self._data = load_dataset(context.dataset)
        self._teacher: QatNetwork | None = None
        self._extract = self._opened()

    def _opened(self) -> Callable[[Workload], QatNetwork]:
        """What takes a network out of the file."""
        options = self._context.options
        return from_arrays(load(Path(options["file"])).arrays, str(options["kernel"])).extract

    def _taken(self, workload: Workload, purpose: str) -> QatNetwork:
        check_fits(self._data, workload)
        options = self._context.options
        network, images = self._extract(workload), int(options["calibration_images"])
        steps = int(options[f"{purpose}_steps"])
        if steps:
            seed = derive_seed(self._context.seed, purpose, workload.digest)
            rate, shift = float(options[f"{purpose}_learning_rate"]), int(options[f"{purpose}_shift_pixels"])
            how = Training(
                steps, rate, augmentation=Augmentation(shift), distilled=float(options.get("distilled", 0.0))
            )
            train(network, self._data, how, seed, teacher=self._teacher)
        recalibrate(network, self._data, images)
        return network

    def measure(self, workload: Workload) -> float:
        """Accuracy on held-out images."""
        return score(self._taken(workload, "tune"), self._data, "held_out")

    def finish(self, workload: Workload) -> dict[str, float]:
        """Take it out, tune it as deployment asks, turn it into integers, and keep them under its digest."""
        network = deploy(self._taken(workload, "deploy"))
        self._context.folder.mkdir(parents=True, exist_ok=True)
        save_network(network, self._context.folder / workload.digest[:16])
        return {part: integer_accuracy(network, part, self._data) for part in ("held_out", "test")}
