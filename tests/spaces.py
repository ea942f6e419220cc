"""What every trainable network space must do, for the tests of each: networks that are taken out, and that run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from accel_models.template.spec import Template
from benchmarks.rtl_cases import design
from codesign.accuracy.base import AccuracyContext
from codesign.accuracy.data import digits
from codesign.accuracy.pool import make_evaluator
from codesign.accuracy.training import Training, recalibrate, score, train
from codesign.decisions import DecisionSpace, Point
from codesign.explorer.verify import Verification, verify
from codesign.images import sample_images
from codesign.quantization.qat import QatNetwork
from codesign.quantization.quantize import quantize_input
from codesign.supernet.corners import Corners
from codesign.supernet.training import TrainingOptions, new_network
from mappings.network_io import load_network
from mappings.workload import Workload


def assert_trains(workload: Workload, steps: int) -> None:
    """On digits, with its quantisation, every parameter."""
    network = QatNetwork(workload)
    train(network, digits(), Training(steps, 0.02), 0)
    recalibrate(network, digits(), 256)
    assert score(network, digits(), "held_out") > 0.5  # chance is 0.1
    silent = {name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)}
    assert not silent


def assert_taken_out(decisions: DecisionSpace, workload_at: Callable[[Point], Workload], extent: int = 8) -> None:
    """Networks that are taken out of a supernet compute what they did within."""
    corners = Corners.of(decisions, workload_at)
    network, rng = new_network(corners, TrainingOptions()), np.random.default_rng(1)
    for _ in range(6):
        workload = workload_at(decisions.draw(rng))
        images = torch.rand(4, 1, extent, extent)
        assert torch.equal(network.extract(workload).train()(images), network(images, workload))


def assert_runs(
    workload: Workload, hardware: Template, folder: Path, rate: float = 0.02, *, data: str = "digits", steps: int = 60
) -> Verification:
    """Trained on digits (or other data) for a moment: bit-exact in RTL and HLS, in the predicted cycles."""
    options = {"deploy_steps": steps, "deploy_learning_rate": rate, "deploy_shift_pixels": 0}
    make_evaluator("train", AccuracyContext(0, data, folder, options)).finish(workload)
    network = load_network(folder / workload.digest[:16])
    pixels, labels = sample_images(data, 2, workload)
    integers = {name: value.numpy() for name, value in quantize_input(network, pixels).items()}
    found = verify(
        workload.name, design(workload, hardware), network, integers, labels, folder / "hardware", dataset=data
    )
    assert found.passed and found.exact_images == 2 and found.simulated_cycles == found.predicted_cycles > 0
    return found
