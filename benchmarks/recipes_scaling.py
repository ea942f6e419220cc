"""Mechanisms of networks that are scaled up, and of images that grow while a network trains."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from scipy.stats import wilcoxon

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_runs import Run, exactly, opened
from codesign.accuracy.augment import Augmentation
from codesign.accuracy.data import Dataset, load_dataset
from codesign.accuracy.progressive import Progressive
from codesign.accuracy.training import Training, recalibrate, score, train
from codesign.controllers.controller import Told
from codesign.decisions import Point
from codesign.drivers.compound import POWERS, Compound
from codesign.quantization.qat import QatNetwork
from codesign.recipe import Part
from codesign.seeds import derive_seed
from mappings.workload import Workload

#: Trainings of each network that is compared.
_SEEDS = 4
#: Networks that are trained in pairs, each for so many steps.
_PAIRED, _STEPS = 12, 80
#: How images and their augmentation grow: four stages, as published.
_GROWING = Progressive(4, 0.5, 0.0)


def efficientnet(bench: Bench) -> Line:
    """Networks scaled in all dimensions are ahead of those scaled in one, at as many multiply-accumulates.

    The control is the same driver that may scale one dimension alone, as far as its ladder goes. Ladders are coarse, so
    the compound accuracy at that cost is read off the line between the two compound networks beside it, over the
    logarithm of the cost. All are trained anew from several seeds, the search's own not among them, so that luck in
    the search does not count.
    """
    mine = bench.run()
    found = cast(Compound, mine.driver).found
    assert found is not None, "the budget is larger than the grid"
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random"), trials=len(mine.trials)))
    scaled = [trial.told for trial in mine.trials if trial.phase == "scaled"]
    gaps, said = dict[str, float](), list[str]()
    for dimension in POWERS:
        part = Part("compound", (*mine.recipe.driver.options, ("dimensions", (dimension,))))
        last = bench.run(bench.recipe(driver=part)).trials[-1].told
        beside, alone = _beside(scaled, last), _trained(mine, last.point)
        costs = [math.log(told.outcome.metrics["macs"]) for told in beside]
        ours = [_trained(mine, told.point) for told in beside]
        most = last.outcome.metrics["macs"]
        accurate = float(np.interp(math.log(most), costs, ours))
        gaps[dimension] = accurate - alone
        sizes = " and ".join(f"{told.outcome.metrics['macs'] / 1e3:.0f}k" for told in beside)
        said.append(f"{dimension} {alone:.3f} at {most / 1e3:.0f}k (compound {accurate:.3f}, by {sizes})")
    text = (
        f"constants {found.depth:.2f}, {found.width:.2f}, {found.resolution:.2f} (depth, width, resolution); scaled "
        f"alone: {', '.join(said)}"
    )
    return bench.line(text, min(gaps.values()) > 0, mine, even, {f"gap_{name}": gap for name, gap in gaps.items()})


def _beside(scaled: list[Told], other: Told) -> list[Told]:
    """Of networks that grow, the last that costs no more than another and the first that costs more."""
    ordered = sorted(scaled, key=lambda told: told.outcome.metrics["macs"])
    more = sum(told.outcome.metrics["macs"] <= other.outcome.metrics["macs"] for told in ordered)
    return ordered[max(0, more - 1) : more + 1]


def efficientnet_v2(bench: Bench) -> Line:
    """Networks name more after progressive training than after one at the whole extent for as much computing; and the
    policy fuses blocks where that is fast.

    Networks are drawn evenly and compared in pairs: progressive, the whole extent for as many multiply-accumulates (so
    fewer steps), and for as many steps. A fused block has more multiply-accumulates than an inverted one: the exact
    program says what it takes.
    """
    mine, even = bench.run(), bench.random()
    space, rng = mine.recipe.space, np.random.default_rng([bench.seed, 7])
    data = load_dataset(space.network.dataset)
    drawn = [space.decisions.draw(rng) for _ in range(_PAIRED)]
    extent = int(space.network.extent)
    share = _GROWING.work(extent, _STEPS)
    found = np.array(
        [
            [
                _taught(space.network_at(point).workload, data, steps, grows, derive_seed(bench.seed, "pair", place))
                for steps, grows in (
                    (_STEPS, _GROWING),
                    (round(share * _STEPS), Progressive()),
                    (_STEPS, Progressive()),
                )
            ]
            for place, point in enumerate(drawn)
        ]
    )
    growing, equal, longer = found.mean(axis=0)
    p = float(wilcoxon(found[:, 0], found[:, 1], alternative="greater").pvalue)
    late = mine.trials[len(mine.trials) // 2 :]
    fused = [float(np.mean([trial.told.point[f"s{stage}b1_kind"] == "fused" for trial in late])) for stage in (1, 2, 3)]
    times = [_fused_time(mine, drawn, stage) for stage in (1, 2, 3)]
    text = (
        f"{len(drawn)} even draws name {growing:.3f} after {_STEPS} steps with images that grow, {equal:.3f} after as "
        f"many multiply-accumulates at the whole extent (p = {p:.0e}), {longer:.3f} after as many steps "
        f"({1 / share:.2f} times the work); a fused first block of stages 1, 2, 3 takes the network "
        f"{', '.join(f'{time:.2f}' for time in times)} times as long as an inverted one; late proposals fuse "
        f"{', '.join(f'{one:.0%}' for one in fused)}"
    )
    figures = {"growing": growing, "equal_work": equal, "equal_steps": longer, "p": p}
    figures |= {f"time_{stage}": time for stage, time in enumerate(times, 1)}
    fastest, slowest = int(np.argmin(times)), int(np.argmax(times))
    return bench.line(text, p < 0.01 and fused[fastest] > fused[slowest], mine, even, figures)


def _taught(workload: Workload | None, data: Dataset, steps: int, grows: Progressive, seed: int) -> float:
    """Held-out accuracy after a training with the augmentation whose strength grows."""
    assert workload is not None, "a trainable space has workloads"
    torch.manual_seed(seed)
    network = QatNetwork(workload)
    how = Training(steps, 0.03, augmentation=Augmentation(shift_pixels=2, mixup=0.2), progressive=grows)
    train(network, data, how, seed)
    recalibrate(network, data)
    return score(network, data, "held_out")


def _fused_time(item: Run, points: list[Point], stage: int) -> float:
    """How much longer networks take with the first block of a stage fused than with it inverted, by exact programs."""
    kinds = [
        exactly(item.recipe, [{**point, f"s{stage}b1_kind": kind} for point in points])
        for kind in ("fused", "inverted")
    ]
    return float(np.mean(np.divide(*kinds)))


def _trained(item: Run, point: Point) -> float:
    """Mean accuracy of a network over trainings from other seeds."""
    out = []
    for seed in range(_SEEDS):
        with opened(replace(item.recipe, seed=item.recipe.seed + 1000 + seed)) as steps:
            provider = steps[-1].provider
            (candidate,) = item.recipe.space.decode([point], designs=False)
            out.append(provider.measure([candidate])[0].metrics["accuracy"])
    return float(np.mean(out))
