"""How well a supernet ranks networks: Kendall's tau against training each of them alone, for three sampling strategies.

    python benchmarks/supernet.py                                   # mnist5k
    python benchmarks/supernet.py --data cifar-10-batches-bin       # any data set that `codesign explore --data` takes
    python benchmarks/supernet.py --data cifar10.npz --images 8000  # also an NPZ of JPEGs that share one header

Budgets are stated in passes of one batch of 64 images through one network, forward and back: `--passes` for each
supernet, `--alone` for each network by itself. Both see the training part and are scored on the held-out part.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np
import torch
from PIL import Image
from scipy.stats import kendalltau

from benchmarks.common import Figure, show
from codesign.accuracy.data import load_dataset
from codesign.accuracy.splits import Dataset, as_pixels, split
from codesign.accuracy.training import recalibrate, score, train
from codesign.decisions import Decision, DecisionSpace
from codesign.networks.qat import QatNetwork
from codesign.seeds import derive_seed
from codesign.spaces.network.elastic import ElasticSpace
from codesign.spaces.search_space import restricted
from codesign.supernet.corners import Corners
from codesign.supernet.training import Trainer, TrainingOptions, measured
from mappings.workload import Workload

LEAST_TAU = 0.6
#: Networks that share a step of each strategy, and how kernels share weights in the paper that it is from.
STRATEGIES = {"uniform": "own", "fair": "own", "sandwich": "crop"}
#: The default space without its smallest images, which cost most.
CHOICES = {
    "downsample": ("s1+s2", "s1+s3", "s2+s3", "s1+s2+s3"),
    "s1_depth": (1, 2),
    "s2_depth": (1, 2, 3),
    "s3_depth": (1, 2),
}


def jpegs(path: Path, images: int) -> Dataset:
    """Some images of an NPZ of JPEGs: ``header`` (shared), ``blob``, ``lengths``, ``labels``, ``n_train``."""
    with np.load(path) as file:
        held = {name: file[name] for name in file.files}
    ends = np.cumsum(held["lengths"].astype(np.int64))
    header, blob, count = held["header"].tobytes(), held["blob"].tobytes(), int(held["n_train"])

    def decoded(places: range) -> np.ndarray:  # type: ignore[type-arg]
        out = []
        for place in places:
            raw = header + blob[int(ends[place]) - int(held["lengths"][place]) : int(ends[place])]
            out.append(np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")))
        return np.stack(out)

    labels = held["labels"].astype(np.int64)
    tests = len(labels) - count
    # Evenly over the file, which may be sorted by class.
    first = range(0, count, max(1, count // images))[:images]
    last = range(count, len(labels), max(1, tests // max(200, images // 5)))
    train_part, test_part = (as_pixels(decoded(places), str(path)) for places in (first, last))
    named = [labels[list(places)] for places in (first, last)]
    return split(path.stem, train_part, named[0], (test_part, named[1]))


def read(name: str, images: int) -> Dataset:
    """A data set by name or path."""
    path = Path(name)
    if path.suffix == ".npz" and path.exists():
        with np.load(path) as file:
            packed = "blob" in file.files
        if packed:
            return jpegs(path, images)
    return load_dataset(name)


def networks_of(data: Dataset) -> Corners:
    """The default space for the data's images, 8-bit."""
    space = ElasticSpace(data.channels, data.extent, data.classes)
    own: list[Decision] = [d for d in restricted(space.decisions, CHOICES, "benchmark") if isinstance(d, Decision)]
    return Corners.of(DecisionSpace(tuple(own)), space.workload)


def alone(workload: Workload, data: Dataset, steps: int, seed: int) -> float:
    """Accuracy after training from scratch."""
    torch.manual_seed(derive_seed(seed, "alone", workload.digest))
    network = QatNetwork(workload)
    train(network, data, steps, 0.02, derive_seed(seed, workload.digest))
    recalibrate(network, data)
    return score(network, data, "held_out")


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", default="mnist5k", help="a data set by name or path")
    parser.add_argument("--images", type=int, default=8000, help="images that are read of an NPZ of JPEGs")
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--passes", type=int, default=1600, help="of each supernet: batches through one network")
    parser.add_argument("--alone", type=int, default=150, help="steps of each network that is trained alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
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
    for strategy, kernel in STRATEGIES.items():
        a_step = {"uniform": 1, "fair": max(len(d.choices) for d in corners.space.choices), "sandwich": 4}[strategy]
        steps = max(1, options.passes // a_step)
        started = time.process_time()
        told = TrainingOptions(strategy, kernel, steps, 0.02, subnets=2, seed=options.seed)
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
    return show(f"supernet ranking of {len(drawn)} networks on {data.name}", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
