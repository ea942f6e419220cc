"""A quick accuracy evaluator and a small recipe, so that explorer tests take seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from codesign.accuracy.base import ACCURACY, AccuracyContext
from codesign.explorer.problem import Step
from codesign.plugin import Plugin
from codesign.providers.accuracy.train import TrainProvider
from codesign.providers.base import ProviderContext
from codesign.providers.registry import PROVIDERS, ProviderEntry, make_provider
from codesign.quantization.deploy import deploy
from codesign.quantization.qat import QatNetwork
from codesign.recipe import Part, Recipe
from codesign.zoo import NETWORKS, Network
from mappings.network_io import save_network
from mappings.workload import Workload

NAME = "toy"
#: A device of a user's own, of a Zynq-7020's size.
BOARD = """title: a board of mine
kind: fpga
technology: fpga_28nm
lut_inputs: 6
figures:
  dsp: [220, "mine"]
  bram36: [140, "mine"]
  lut: [53200, "mine"]
  ff: [106400, "mine"]
  uram: [0, "mine"]
  dram_bytes_per_s: [4264000000, "mine"]
  dsp_fmax_hz: [464250000, "mine"]
  bram_fmax_hz: [388200000, "mine"]
  clock_hz: [100000000, "mine"]
"""


class ToyEvaluator:
    """Accuracy grows with the network's size; weights are random."""

    def __init__(self, context: AccuracyContext) -> None:
        self.context = context

    def measure(self, workload: Workload) -> float:
        """A figure between 0 and 1 that depends on the network alone."""
        return grown(workload)

    def finish(self, workload: Workload) -> dict[str, float]:
        """Save random weights."""
        torch.manual_seed(0)
        network = QatNetwork(workload).eval()
        save_network(deploy(network), self.context.folder / workload.digest[:16])
        value = grown(workload)
        return {"held_out": value, "test": value}


def grown(workload: Workload) -> float:
    """An accuracy that grows with the network."""
    return 1.0 - 1.0 / (1.0 + workload.macs / 2e5)


def register() -> None:
    """Make the evaluator known, once."""
    if NAME not in ACCURACY.names():
        ACCURACY.register(NAME, Plugin("for tests", ToyEvaluator))
        PROVIDERS.register(
            NAME,
            ProviderEntry(
                "for tests",
                lambda context: TrainProvider(context, NAME),
                needs=("workload", "trainable"),
                offers=("weights", "fidelity"),
                metrics=("accuracy",),
                dear=True,
                key="network",
            ),
        )


def recipe(trials: int = 24, batch: int = 8) -> Recipe:
    """A recipe whose designs are quick to run; 32 x 8 PEs are more than the device has."""
    register()
    return Recipe(
        name="toy",
        choices=(
            ("array", ("weight_stationary",)),
            ("rows", (4, 8, 32)),
            ("cols", (4, 8)),
            ("weight_bits", (8,)),
            ("act_bits", (8,)),
            ("axi_bits", (32, 64)),
            ("clock_mhz", (50, 100)),
            ("downsample", ("s1+s2+s3",)),
            ("s1_depth", (1,)),
            ("s2_depth", (1,)),
            ("s3_depth", (1, 2)),
        ),
        providers=(Part("schedule"), Part(NAME)),
        trials=trials,
        batch=batch,
        front_points=4,
    )


def write_recipe(path: Path, trials: int = 24, batch: int = 8, **changes: Any) -> Path:
    """The recipe as a file, with some of its fields changed."""
    path.write_text(replace(recipe(trials, batch), **changes).dump(), encoding="utf-8")
    return path


def steps_of(recipe: Recipe, folder: Path) -> list[Step]:
    """The providers of a recipe, prepared, in this process; results are kept in memory."""
    steps = []
    for part in recipe.providers:
        provider = make_provider(
            part.name, ProviderContext(recipe.seed, recipe.device, recipe.space, folder, 0, part.given)
        )
        provider.prepare()
        steps.append(Step(part.name, PROVIDERS.get(part.name), provider))
    return steps


def small_convolution() -> torch.nn.Module:
    """A network that every hardware runs in no time; of any even size of image."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 7, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(7, 5),
    )  # fmt: skip


def register_network() -> str:
    """Make :func:`small_convolution` known by name, once; returns the name."""
    name = "small_convolution"
    if name not in NETWORKS.names():
        NETWORKS.register(name, Network("tests.toy:small_convolution", (1, 3, 8, 8), "for tests"))
    return name
