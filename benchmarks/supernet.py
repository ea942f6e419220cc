"""How well a supernet ranks networks: Kendall's tau against training each of them alone, for three sampling strategies.

    python benchmarks/supernet.py                                   # mnist5k
    python benchmarks/supernet.py --data cifar-10-batches-bin       # any data set that `codesign explore --data` takes
    python benchmarks/supernet.py --data cifar10.npz --table nasbench201.csv.gz   # shared cells of NAS-Bench-201

Budgets are stated in passes of one batch of 64 images through one network, forward and back: `--passes` for each
supernet, `--alone` for each network by itself. Both see the training part and are scored on the held-out part.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np
import torch
from scipy.stats import kendalltau

from benchmarks.common import Figure, read_names, show
from codesign.accuracy.data import load_dataset
from codesign.accuracy.splits import Dataset
from codesign.accuracy.training import Training, recalibrate, score, train
from codesign.decisions import Decision, DecisionSpace
from codesign.providers.accuracy.table import read_table
from codesign.quantization.qat import QatNetwork
from codesign.seeds import derive_seed
from codesign.spaces.network.elastic import ElasticSpace
from codesign.spaces.network.nasbench201 import EDGES, OPERATIONS, architecture
from codesign.spaces.search_space import restricted
from codesign.supernet.cells import CellTraining, scored, train_cells
from codesign.supernet.corners import Corners
from codesign.supernet.names import EVEN
from codesign.supernet.training import Trainer, TrainingOptions, measured
from mappings.errors import SpecError
from mappings.workload import Workload

LEAST_TAU = 0.6
LEAST_TAU_OF_CELLS = 0.5
#: Networks that share a step of each strategy, and how kernels share weights in the paper that it is from.
STRATEGIES = {"uniform": "own", "fair": "own", "sandwich": "crop"}
#: The default space without its smallest images, which cost most.
CHOICES = {
    "downsample": ("s1+s2", "s1+s3", "s2+s3", "s1+s2+s3"),
    "s1_depth": (1, 2),
    "s2_depth": (1, 2, 3),
    "s3_depth": (1, 2),
}


def read(name: str, images: int) -> Dataset:
    """Some images of a data set; the parts' order is one in which every prefix holds equal shares of the classes."""
    whole = load_dataset(name)
    most = {"train": images, "held_out": max(200, images // 5), "test": max(200, images // 5)}
    images_of = {part: whole.images[part][:count] for part, count in most.items()}
    return Dataset(whole.name, images_of, {part: whole.labels[part][:count] for part, count in most.items()})


def networks_of(data: Dataset) -> Corners:
    """The default space for the data's images, 8-bit."""
    space = ElasticSpace(data.channels, data.extent, data.classes)
    own: list[Decision] = [d for d in restricted(space.decisions, CHOICES, "benchmark") if isinstance(d, Decision)]
    return Corners.of(DecisionSpace(tuple(own)), space.workload)


def alone(workload: Workload, data: Dataset, steps: int, seed: int) -> float:
    """Accuracy after training from scratch."""
    torch.manual_seed(derive_seed(seed, "alone", workload.digest))
    network = QatNetwork(workload)
    train(network, data, Training(steps, 0.02), derive_seed(seed, workload.digest))
    recalibrate(network, data)
    return score(network, data, "held_out")


def ranked(options: argparse.Namespace) -> list[Figure]:
    """Supernets of the default space against training alone."""
    strategies = read_names(options.strategies, "--strategies", "strategy", STRATEGIES)
    data = read(options.data, options.images)
    corners = networks_of(data)
    rng = np.random.default_rng(derive_seed(options.seed, "networks"))
    drawn = [corners.workload_at(corners.space.draw(rng)) for _ in range(options.networks)]
    started = time.process_time()
    truth = [alone(workload, data, options.alone, options.seed) for workload in drawn]
    seconds = time.process_time() - started
    figures = [
        Figure(f"training images of {data.name}", len(data.labels["train"])),
        Figure(f"{len(drawn)} networks alone, {options.alone} steps each, CPU-s", seconds),
        Figure("their held-out accuracies, least", min(truth)),
        Figure("their held-out accuracies, most", max(truth)),
    ]
    if options.again:
        # What no supernet can be expected to beat: how well one training alone ranks as another does.
        others = [alone(workload, data, options.alone, options.seed + 1) for workload in drawn]
        figures.append(
            Figure("trained alone from another seed: Kendall's tau", float(kendalltau(truth, others).statistic))
        )
        truth = [(one + other) / 2 for one, other in zip(truth, others, strict=True)]
    macs = [workload.macs for workload in drawn]
    figures.append(Figure("multiply-accumulates alone: Kendall's tau", float(kendalltau(truth, macs).statistic)))
    for strategy in strategies:
        a_step = {"uniform": 1, "fair": max(len(d.choices) for d in corners.space.choices), "sandwich": 4}[strategy]
        steps = max(1, options.passes // a_step)
        started = time.process_time()
        told = TrainingOptions(strategy, STRATEGIES[strategy], steps, 0.01, subnets=2, seed=options.seed)
        trainer = Trainer(corners, data, told)
        trainer.run()
        seconds = time.process_time() - started
        found = [measured(trainer.network, workload, data, "held_out", 512) for workload in drawn]
        tau = float(kendalltau(truth, found).statistic)
        figures += [
            Figure(f"{strategy}: {steps} steps of {a_step} networks, CPU-s", seconds),
            Figure(f"{strategy}: best held-out accuracy with shared weights", max(found)),
            Figure(f"{strategy}: Kendall's tau", tau, f">= {LEAST_TAU}", tau >= LEAST_TAU),
        ]
    return figures


def published(options: argparse.Namespace) -> list[Figure]:
    """Shared cells of NAS-Bench-201 against the published accuracies of networks that were trained alone."""
    data = load_dataset(options.data)
    table = read_table(options.table)
    known = table.accuracy["cifar10", table.splits("cifar10")[0]]
    rng = np.random.default_rng(derive_seed(options.seed, "cells"))
    picks = rng.choice(len(OPERATIONS) ** len(EDGES), options.cells, replace=False)
    digits = [np.unravel_index(int(pick), (len(OPERATIONS),) * len(EDGES)) for pick in picks]
    cells = [tuple(OPERATIONS[int(place)] for place in places) for places in digits]
    how = CellTraining(channels=options.cell_channels, strategy=options.cell_strategy, steps=options.cell_steps)
    started = time.process_time()
    network = train_cells(how, data, options.seed)
    seconds = time.process_time() - started
    found = [scored(network, cell, data) for cell in cells]
    truth = [known[architecture(cell)] for cell in cells]
    tau = float(kendalltau(truth, found).statistic)
    upper = np.array(truth) >= np.median(truth)
    better = float(kendalltau(np.array(truth)[upper], np.array(found)[upper]).statistic)
    return [
        Figure(f"NAS-Bench-201: {how.strategy}, {how.steps} steps, {how.channels} channels, CPU-s", seconds, "<= 7200"),
        Figure("best held-out accuracy with shared weights", max(found)),
        Figure(f"{len(cells)} cells: Kendall's tau", tau, f">= {LEAST_TAU_OF_CELLS}", tau >= LEAST_TAU_OF_CELLS),
        Figure("  of the better half alone", better),
    ]


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist5k", help="a data set by name or path")
    parser.add_argument("--images", type=int, default=8000, help="training images that are used")
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--passes", type=int, default=6000, help="of each supernet: batches through one network")
    parser.add_argument("--alone", type=int, default=600, help="steps of each network that is trained alone")
    parser.add_argument("--again", action="store_true", help="train each alone from a second seed, too")
    parser.add_argument("--table", help="accuracies of NAS-Bench-201; then its cells alone are ranked, on --data")
    parser.add_argument("--cells", type=int, default=300, help="of NAS-Bench-201 that are ranked")
    parser.add_argument("--cell-steps", type=int, default=4000)
    parser.add_argument("--cell-channels", type=int, default=8)
    parser.add_argument("--cell-strategy", default="fair", choices=EVEN)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        figures = published(options) if options.table else ranked(options)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    return show(f"supernet ranking on {options.data}", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
