"""Bits a layer (2, 4, 8), and filter taps a layer: accuracy in integers, cycles and energy of the RTL that runs it.

    python -m benchmarks.compression [--data mnist5k] [--steps 300] [--tune 80] [--points 5] [--images 2] [--seed 0]
                                     [--json]

One network is trained with 8 bits. A path of bits leads down from there: at each step the layer whose narrower weights
cost least loss for the cycles and the energy that they save (both by the exact model). Points of the path, 8 bits alone
and 4 alone are tuned for the same steps and turned into integers. 8 bits alone run on hardware without packing; all
else on the same array with packing and two narrow products a multiplier. Every row that is judged runs in simulation.

Taps: the 8-bit network keeps some of the nine taps of its filters, the same ones for as many channels as a pass of the
array has, is tuned, and runs where taps that are left out take no cycle. What that saves of a layer is measured on one
of the size that compute bounds: 64 to 64 channels over 32 x 32 pixels.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np
import torch
from torch import nn

from accel_models.design import Design
from accel_models.pricing.price import Pricer
from accel_models.schedule import schedule_network
from accel_models.schedule.network import Schedule
from accel_models.template.cost import template_cost, template_design
from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import Figure, show
from benchmarks.rtl_cases import inputs, quantized, reference
from codesign.accuracy.data import Dataset, load_dataset
from codesign.accuracy.evaluator import integer_accuracy
from codesign.accuracy.training import Training, recalibrate, score, tensors, train
from codesign.quantization.deploy import deploy
from codesign.quantization.integer_reference import run_integer
from codesign.quantization.qat import QatNetwork, fitted
from codesign.quantization.quantize import quantize_input
from codesign.seeds import derive_seed
from codesign.spaces.compression.kept_taps import prunable, with_kept_taps
from codesign.spaces.compression.layer_bits import weighted, with_bits
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from mappings.quantized import QuantizedNetwork
from mappings.workload import TensorShape, Workload
from rtl_templates.simulate import Job, simulate_jobs

DEVICE = "zynq7020"
PLAIN = Template(
    ArrayKind.LOOP_TILE, 16, 8, input_buffer_bytes=16384, weight_buffer_bytes=16384, acc_buffer_bytes=16384,
    output_buffer_bytes=8192, axi_bits=64, dram_bytes_per_cycle=8,
)  # fmt: skip
NARROW = replace(PLAIN, weight_packing=4, dual_rate=True)
SKIPPING = replace(PLAIN, tap_skipping=True)
BLOCK = (SKIPPING.cols, SKIPPING.rows)
WIDTHS = (8, 4, 2)
#: Points of accuracy that count as equal, and how many times fewer cycles or less energy there must be.
EQUAL, TIMES = 0.003, 1.5
LOSS_IMAGES = 512
#: Taps left of nine; how near to their share the cycles must be.
KEPT, NEAR = (6, 4, 2), 0.1


def network_of(data: Dataset) -> Workload:
    """Six convolutions and a linear layer, for the data's images."""
    size = data.extent
    layers: list[Layer] = []
    before, c = "image", data.channels
    for i, (k, stride) in enumerate(((16, 2), (32, 1), (32, 1), (64, 2), (64, 1))):
        size = -(-size // stride)
        shape = {"K": k, "C": c, "P": size, "Q": size, "R": 3, "S": 3, "stride": (stride, stride)}
        name = f"conv{i}"
        layers.append(Layer(name, Op.CONV, padding=(1,) * 4, activation="relu", inputs=(before,), **shape))
        before, c = name, k
    layers.append(Layer("pool", Op.AVGPOOL, R=size, S=size, groups=c, inputs=(before,)))
    layers.append(Layer("fc", Op.LINEAR, K=data.classes, C=c, inputs=("pool",)))
    return Workload(
        "compression", (TensorShape("image", 1, data.channels, data.extent, data.extent, 8),), tuple(layers)
    )


@dataclass(frozen=True, eq=False)
class Point:
    """One choice of bits, tuned and deployed.

    Attributes:
        name: as the table has it.
        network: its integers.
        template: what runs it.
        held_out, test: accuracy of the integers.
        cycles, energy_uj: of the program, by the exact model.
    """

    name: str
    network: QuantizedNetwork
    template: Template
    schedule: Schedule
    held_out: float
    test: float
    cycles: int
    energy_uj: float


def designed(workload: Workload, template: Template, name: str) -> Design:
    """The network with default tiles.

    Raises:
        SpecError: it does not fit the device.
    """
    design = template_design(workload, template, DEVICE, 1 << 20, 1 << 20)
    if isinstance(design, tuple):
        raise SpecError(f"{name} does not fit {DEVICE}: {design[0]}")
    return design


class Bench:
    """The network in 8 bits, and what follows from it.

    Args:
        data, steps, tune, seed: of the training.
    """

    def __init__(self, data: Dataset, steps: int, tune: int, seed: int) -> None:
        self.data, self.tune, self.seed = data, tune, seed
        self.workload = network_of(data)
        self.names = weighted(self.workload)
        self.pricer = Pricer(DEVICE)
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self.base = QatNetwork(with_bits(self.workload, {}, {}, 8))
        train(self.base, data, Training(steps, 0.01), seed)
        recalibrate(self.base, data)

    def compressed(self, workload: Workload) -> QatNetwork:
        """The trained network with other bits or fewer taps."""
        network = QatNetwork(workload)
        network.load_state_dict(self.base.state_dict())
        recalibrate(network, self.data)
        return network

    def loss(self, bits: dict[str, int]) -> float:
        """Cross entropy of some training images, untuned."""
        images, labels = tensors(self.data, "train")
        with torch.no_grad():
            logits = self.compressed(self.with_bits(bits))(images[:LOSS_IMAGES])
        return float(nn.functional.cross_entropy(logits, labels[:LOSS_IMAGES]))

    def path(self) -> list[dict[str, int]]:
        """From 8 bits everywhere down to 2: the move of least loss for what it saves, one after another."""
        bits = dict.fromkeys(self.names, 8)
        found = []
        loss = self.loss(bits)
        cost = self.costs([bits])[0]
        while any(width > WIDTHS[-1] for width in bits.values()):
            moves = [{**bits, n: WIDTHS[WIDTHS.index(w) + 1]} for n, w in bits.items() if w > WIDTHS[-1]]
            costs, losses = self.costs(moves), [self.loss(move) for move in moves]
            saved = np.maximum(np.log(cost) - np.log(costs), 1e-4)
            rank = (np.maximum(np.array(losses) - loss, 0) + 0.01) / saved
            best = int(np.argmin(rank))
            bits, loss, cost = moves[best], losses[best], costs[best]
            found.append(bits)
        return found

    def costs(self, choices: list[dict[str, int]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Cycles times energy of each choice on the narrow hardware.

        Raises:
            SpecError: one does not run.
        """
        priced = self.pricer.price([self.with_bits(bits) for bits in choices], [NARROW])
        if priced.code.any():
            raise SpecError(f"a choice of bits does not run: code {priced.code.max()}")
        return priced.cycles * priced.energy_pj

    def with_bits(self, bits: dict[str, int]) -> Workload:
        """The network with weights of so many bits."""
        return with_bits(self.workload, bits, {}, 8)

    def with_taps(self, kept: int) -> Workload:
        """The network in 8 bits with so many taps in all convolutions but the first."""
        names = [layer.name for layer in self.workload.layers if prunable(layer)]
        return with_kept_taps(self.with_bits({}), dict.fromkeys(names[1:], kept), BLOCK)

    def point(self, name: str, workload: Workload, template: Template) -> Point:
        """Tuned from the 8-bit weights, deployed and priced.

        Raises:
            SpecError: it does not fit the device.
        """
        network = self.compressed(workload)
        train(network, self.data, Training(self.tune, 0.004), derive_seed(self.seed, "tune"))
        recalibrate(network, self.data)
        integers = deploy(network)
        design = designed(integers.workload, template, name)
        cost, schedule = template_cost(design), schedule_network(design)
        assert not isinstance(cost, tuple) and isinstance(schedule, Schedule) and cost.energy_pj is not None
        parts = [integer_accuracy(integers, part, self.data) for part in ("held_out", "test")]
        return Point(name, integers, template, schedule, parts[0], parts[1], cost.latency_cycles, cost.energy_pj / 1e6)


def layer_cycles(kept: int) -> tuple[int, bool]:
    """Simulated cycles of a layer that keeps so many taps (9: all); whether they are as predicted, and the integers."""
    layer = Layer("y", Op.CONV, K=64, C=64, P=32, Q=32, R=3, S=3, padding=(1,) * 4, inputs=("x",))
    one = Workload("layer", (TensorShape("x", 1, 64, 32, 32, 8),), (layer,))
    pruned = with_kept_taps(one, {"y": kept}, BLOCK)
    network, given = quantized(pruned, kept), inputs(pruned, 1)
    schedule = schedule_network(designed(pruned, SKIPPING, f"{kept} taps"))
    assert isinstance(schedule, Schedule)
    (report,) = simulate_jobs([Job(schedule, network, given)])
    expected = reference(network, given)
    same = all(np.array_equal(expected[name], value) for name, value in report.outputs.items())
    return report.cycles, same and report.exact


def taps(bench: Bench, images: int) -> list[Figure]:
    """The network with fewer taps, and the cycles that a layer loses with them."""
    points = [bench.point(f"{kept} of 9 taps", bench.with_taps(kept), SKIPPING) for kept in (9, *KEPT)]
    lines = [
        Figure(p.name, f"{p.test:.1%} test, {p.held_out:.1%} held out, {p.cycles:,} cycles, {p.energy_uj:.2f} uJ")
        for p in points
    ]
    found = {kept: layer_cycles(kept) for kept in (9, *KEPT)}
    for kept in KEPT:
        share = found[kept][0] / found[9][0]
        told = f"{found[kept][0]:,} of {found[9][0]:,} cycles, {share:.3f}; {kept} / 9 is {kept / 9:.3f}"
        met = found[kept][1] and found[9][1] and abs(share * 9 / kept - 1) <= NEAR
        lines.append(Figure(f"a layer with {kept} of 9 taps on RTL", told, f"within {NEAR:.0%} of the share", met))
    return lines + simulated(points, bench.data, images)


def simulated(points: list[Point], data: Dataset, images: int) -> list[Figure]:
    """Each point on RTL: every layer bit-exact, in the predicted cycles."""
    lines = []
    for point in points:
        shown = fitted(tensors(data, "test")[0][:images], point.network.workload)
        given = {name: value.numpy() for name, value in quantize_input(point.network, shown).items()}
        jobs = [Job(point.schedule, point.network, {n: v[i : i + 1] for n, v in given.items()}) for i in range(images)]
        wrong, cycles, exact = 0, 0, True
        for job, report in zip(jobs, simulate_jobs(jobs), strict=True):
            expected = run_integer(point.network, {n: torch.from_numpy(v) for n, v in job.inputs.items()})
            wrong += any(not np.array_equal(expected[key].numpy(), value) for key, value in report.outputs.items())
            exact, cycles = exact and report.exact, report.cycles
        told = f"{cycles:,} cycles, predicted {point.cycles:,}; {images - wrong}/{images} images bit-exact"
        met = exact and cycles == point.cycles and not wrong
        lines.append(Figure(f"{point.name} on RTL", told, "exact", met))
    return lines


def front(points: list[Point]) -> set[str]:
    """Names of the points that no other beats in accuracy, cycles and energy alike."""

    def beaten(p: Point) -> bool:
        mine = (-p.test, p.cycles, p.energy_uj)
        others = ((-o.test, o.cycles, o.energy_uj) for o in points if o is not p)
        return any(all(a <= b for a, b in zip(o, mine, strict=True)) and o != mine for o in others)

    return {p.name for p in points if not beaten(p)}


def compare(options: argparse.Namespace) -> list[Figure]:
    """The table."""
    data = load_dataset(options.data)
    bench = Bench(data, options.steps, options.tune, options.seed)
    eight = bench.point("8 bits alone", bench.with_bits({}), PLAIN)
    four = bench.point("4 bits alone", bench.with_bits(dict.fromkeys(bench.names, 4)), NARROW)
    path = bench.path()
    picked = sorted({round(at) for at in np.linspace(len(path) / 3, len(path) - 1, options.points)})
    mixed = [
        bench.point("-".join(str(path[i][n]) for n in bench.names), bench.with_bits(path[i]), NARROW) for i in picked
    ]
    points = [eight, four, *mixed]
    best_of = front(points)
    lines = [Figure("accuracy of the 8-bit network, held out, trained alone", score(bench.base, data, "held_out"))]
    for p in points:
        told = f"{p.test:.1%} test, {p.held_out:.1%} held out, {p.cycles:,} cycles, {p.energy_uj:.2f} uJ"
        lines.append(Figure(f"weights {p.name}{' (front)' if p.name in best_of else ''}", told))
    equal = [p for p in mixed if p.test >= eight.test - EQUAL]
    fewer = max((eight.cycles / p.cycles for p in equal), default=0.0)
    less = max((eight.energy_uj / p.energy_uj for p in equal), default=0.0)
    met = max(fewer, less) >= TIMES
    aim = f">= {TIMES} in one of both, within {EQUAL:.1%} of 8 bits' accuracy"
    lines.append(Figure("bits a layer: times fewer cycles than 8 alone", fewer, aim, met))
    lines.append(Figure("bits a layer: times less energy than 8 alone", less, aim, met))
    near = [p for p in mixed if p.test >= four.test - EQUAL]
    lines.append(
        Figure(
            "bits a layer: times less energy than 4 alone, as accurate as that",
            max((four.energy_uj / p.energy_uj for p in near), default=0.0),
        )
    )
    judged = [eight, four, *(sorted(equal, key=lambda p: p.cycles)[:1] or mixed[:1]), mixed[-1]]
    lines += simulated(list({p.name: p for p in judged}.values()), data, options.images)
    return lines + taps(bench, options.images)


def main() -> int:
    """The exit status is 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist5k", help="data set: digits, mnist5k, ... or a path")
    parser.add_argument("--steps", type=int, default=300, help="batches of the training in 8 bits")
    parser.add_argument("--tune", type=int, default=80, help="batches that each choice of bits is tuned for")
    parser.add_argument("--points", type=int, default=5, help="points of the path that are tuned")
    parser.add_argument("--images", type=int, default=2, help="run on RTL, of each point that is judged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        return show("Compression that the hardware runs", compare(options), options.json)
    except SpecError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
