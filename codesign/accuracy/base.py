"""What an accuracy evaluator is, and the registry of them. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from codesign import options
from codesign.plugin import Plugin
from codesign.supernet.names import EVEN, KERNELS, SHARING, STRATEGIES
from mappings.registry import Registry
from mappings.workload import Workload


@dataclass(frozen=True)
class AccuracyContext:
    """What an evaluator is told.

    Attributes:
        seed: of the run.
        dataset: name of the data set.
        folder: where weights are kept, by network digest; made when needed.
        options: the recipe's ``accuracy_options``, by name.
    """

    seed: int
    dataset: str
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)


class AccuracyEvaluator(Protocol):
    """Measures networks. Results depend on the context and the network alone, not on order or process."""

    def measure(self, workload: Workload) -> float:
        """Accuracy on held-out images, as the search sees it, 0 to 1."""
        ...

    def finish(self, workload: Workload) -> dict[str, float]:
        """Train the weights that will be deployed, and keep them.

        Returns:
            accuracies of the integer network by part ("held_out", "test").
        """
        ...


AccuracyFactory: TypeAlias = Callable[[AccuracyContext], AccuracyEvaluator]


#: What both trainings have alike; a step is one batch.
_HOW_OPTIONS = {
    "batch": options.integer(64, 2, 65_536),
    "optimizer": options.name("adamw", ("adamw", "sgd")),
    "weight_decay": options.number(1e-4, 0.0, 1.0),
    "label_smoothing": options.number(0.0, 0.0, 0.9),
    "whiten": options.flag(False),
    "flip": options.flag(False),
    "cutout_pixels": options.integer(0, 0, 512),
    "mixup": options.number(0.0, 0.0, 100.0),
    "stages": options.integer(1, 1, 64),
    "first_extent": options.number(1.0, 0.1, 1.0),
    "first_strength": options.number(1.0, 0.0, 1.0),
}
TRAIN_OPTIONS = {
    **_HOW_OPTIONS,
    "auxiliary": options.list_of(options.text(what="a layer of the networks"), ()),
    "auxiliary_weight": options.number(0.3, 0.0, 100.0),
    "search_steps": options.integer(72, 1, 1_000_000),
    "search_learning_rate": options.number(0.03, 0.0, 10.0),
    "search_shift_pixels": options.integer(0, 0, 32),
    "search_rotate_degrees": options.number(0.0, 0.0, 180.0),
    "search_scale_percent": options.number(0.0, 0.0, 90.0),
    "search_bend_pixels": options.number(0.0, 0.0, 32.0),
    "search_float_share": options.number(0.0, 0.0, 0.99),
    "deploy_steps": options.integer(450, 1, 1_000_000),
    "deploy_learning_rate": options.number(0.02, 0.0, 10.0),
    "deploy_shift_pixels": options.integer(1, 0, 32),
    "deploy_rotate_degrees": options.number(0.0, 0.0, 180.0),
    "deploy_scale_percent": options.number(0.0, 0.0, 90.0),
    "deploy_bend_pixels": options.number(0.0, 0.0, 32.0),
    "deploy_float_share": options.number(0.0, 0.0, 0.99),
}

#: Clients, and how unlike their images are: small, and each holds few classes.
CLIENTS = {"clients": options.integer(8, 2, 1000), "concentration": options.number(0.5, 1e-3, 1e6)}
#: What training by clients leaves out: what takes the images of all, or begins once.
NOT_FEDERATED = ("whiten", "search_float_share", "deploy_float_share", "auxiliary", "auxiliary_weight")
FEDERATED_OPTIONS = {
    **{name: item for name, item in TRAIN_OPTIONS.items() if name not in NOT_FEDERATED},
    **CLIENTS,
    "rounds": options.integer(10, 1, 100_000),
}

#: What is done with the parts of a supernet.
_PART_OPTIONS = {
    "calibration_images": options.integer(512, 16, 1_000_000),
    "tune_steps": options.integer(0, 0, 1_000_000),
    "tune_learning_rate": options.number(0.003, 0.0, 10.0),
    "deploy_steps": options.integer(300, 0, 1_000_000),
    "deploy_learning_rate": options.number(0.01, 0.0, 10.0),
}
#: A step is one update: a batch of 64 images through each network that shares it.
SUPERNET_OPTIONS = {
    "strategy": options.name("sandwich", STRATEGIES),
    "kernel": options.name("crop", KERNELS),
    "steps": options.integer(1200, 1, 10_000_000),
    "learning_rate": options.number(0.02, 0.0, 10.0),
    "schedule": options.name("cosine", ("cosine", "exponential")),
    "subnets": options.integer(2, 1, 64),
    "shift_pixels": options.integer(1, 0, 32),
    "stabilised": options.flag(False),
    "file": options.text("", what="the path of a kept supernet"),
    **_PART_OPTIONS,
}

#: One network is trained, and what is made of it keeps its weights.
TUNED_OPTIONS = {
    "base_steps": options.integer(450, 1, 1_000_000),
    "base_learning_rate": options.number(0.02, 0.0, 10.0),
    "shift_pixels": options.integer(1, 0, 32),
    **_PART_OPTIONS,
    "tune_steps": options.integer(20, 0, 1_000_000),
    "distilled": options.number(0.0, 0.0, 1.0),
}

#: The largest network is trained (``base_``); each other for some steps, and compared with it on images.
TAUGHT_OPTIONS = {
    "steps": options.integer(40, 1, 1_000_000),
    "learning_rate": options.number(0.03, 0.0, 10.0),
    "images": options.integer(200, 8, 10_000),
    **{name: TUNED_OPTIONS[name] for name in ("base_steps", "base_learning_rate", "shift_pixels")},
}

#: The largest network is trained (``base_``), then blocks by its features: one update a step.
BLOCKWISE_OPTIONS = {
    **SUPERNET_OPTIONS,
    "strategy": options.name("uniform", EVEN),
    "kernel": options.name("own", SHARING),
    "base_steps": TUNED_OPTIONS["base_steps"],
    "base_learning_rate": TUNED_OPTIONS["base_learning_rate"],
    "images": options.integer(512, 16, 1_000_000),
}
for _name in ("file", "stabilised"):
    del BLOCKWISE_OPTIONS[_name]

#: A step is one update: a batch through each network that shares it.
CELL_OPTIONS = {
    "data": options.text(what="a data set of colour images, by name or path", required=True),
    "strategy": options.name("fair", EVEN),
    "channels": options.integer(8, 1, 1024),
    "cells": options.integer(1, 1, 64),
    "extent": options.integer(16, 8, 512),
    "steps": options.integer(2000, 1, 10_000_000),
    "batch": options.integer(128, 2, 65_536),
    "learning_rate": options.number(0.1, 0.0, 10.0),
    "images": options.integer(1000, 16, 1_000_000),
}


def _register_builtins(registry: Registry[Plugin[AccuracyFactory]]) -> None:
    registry.register(
        "train",
        Plugin(
            "every network trained from scratch with its quantisation, scored on held-out images",
            "codesign.accuracy.evaluator:TrainingEvaluator",
            TRAIN_OPTIONS,
        ),
    )
    registry.register(
        "federated",
        Plugin(
            "every network trained by clients that hold images of their own, and averaged",
            "codesign.accuracy.federated:FederatedEvaluator",
            FEDERATED_OPTIONS,
        ),
    )
    registry.register(
        "supernet",
        Plugin(
            "networks taken out of a supernet's file",
            "codesign.accuracy.supernet:SupernetEvaluator",
            {
                **_PART_OPTIONS,
                "file": options.text(required=True),
                "kernel": SUPERNET_OPTIONS["kernel"],
                "tune_shift_pixels": options.integer(0, 0, 32),
                "deploy_shift_pixels": options.integer(0, 0, 32),
            },
        ),
    )
    registry.register(
        "tuned",
        Plugin(
            "compressed forms of a trained network's file",
            "codesign.accuracy.tuned:TunedEvaluator",
            {
                **_PART_OPTIONS,
                "file": options.text(required=True),
                "distilled": options.number(0.0, 0.0, 1.0),
                "tune_shift_pixels": options.integer(0, 0, 32),
                "deploy_shift_pixels": options.integer(0, 0, 32),
            },
        ),
    )


ACCURACY: Registry[Plugin[AccuracyFactory]] = Registry("accuracy evaluator", _register_builtins)
