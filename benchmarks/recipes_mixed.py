"""Mechanisms of searches that mix the alternatives ("arms") of each cell of a network and learn how much of each.

Each trial is a whole search; beside it stand networks drawn evenly, within the limit where there is one, each trained
as long as what a search derives. What a step of a search costs is counted: arms that are computed, bytes that are held
for the backward pass.
"""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.recipes_distributions import gained
from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_relaxed import against, mean_reward
from benchmarks.recipes_runs import Run, Versus
from codesign.accuracy.data import load_dataset
from codesign.accuracy.splits import Dataset
from codesign.accuracy.training import BATCH, recalibrate, score, tensors
from codesign.decisions import Point
from codesign.drivers.gradient import Found, Gradient
from codesign.gradient.cells import Cell
from codesign.gradient.network import MixedNetwork
from codesign.gradient.rules import DROPPED
from codesign.recipe import Part, Recipe

#: Networks drawn beside those that are derived.
_DRAWN = 36
#: Searches of a control of which a mean is told.
_CONTROLS = 3


def _found(run: Run) -> list[Found]:
    return cast(Gradient, run.driver).found


def _with(recipe: Recipe, **options: Any) -> Recipe:
    """The same search with other options of its driver."""
    given = dict(recipe.driver.options) | options
    return replace(recipe, driver=Part(recipe.driver.name, tuple(given.items())))


def _accuracy(run: Run) -> float:
    return float(np.mean(run.values("accuracy")))


def _drawn(bench: Bench, mine: Run) -> tuple[Run, Versus]:
    """Even draws within the limits, and what was derived against them."""
    even, found = against(bench, mine, _DRAWN)
    return replace(even, trials=[trial for trial in even.trials if trial.told.outcome.feasible]), found


# What the shares say.


def _place(cell: Cell, point: Point) -> int:
    """Which arm of a cell a network has."""
    return next(
        place for place, arm in enumerate(cell.arms) if all(point.get(name) == value for name, value in arm.items())
    )


def _gain(mine: Run, even: Run) -> tuple[float, float]:
    """What the shares, as the mean over the searches, gain over even ones by what even draws say of arms; and p."""
    found, worth, shares = _found(mine), dict[str, list[float]](), dict[str, NDArray[np.float64]]()
    for number, cell in enumerate(found[0].network.cells):
        told: list[list[float]] = [[] for _ in cell.arms]
        for trial in even.trials:
            told[_place(cell, trial.told.point)].append(trial.told.outcome.metrics["accuracy"])
        means = [float(np.mean(values)) if values else math.nan for values in told]
        worth[cell.prefix] = [mean - float(np.nanmean(means)) for mean in means]
        shares[cell.prefix] = np.mean([item.searched.shares[number] for item in found], axis=0)
    return gained(shares, worth)


def _entropy(found: Sequence[Found]) -> float:
    """Of the shares, against that of even ones; mean over cells and searches."""
    told = []
    for item in found:
        for share in item.searched.shares:
            some = share[share > 0]
            told.append(float(-(some * np.log(some)).sum()) / math.log(len(share)))
    return float(np.mean(told))


# What a step costs.


class _Kept:
    """A tensor that something holds for the backward pass."""

    def __init__(self, value: Tensor) -> None:
        self.value = value


@dataclass(frozen=True)
class Step:
    """A pass for the logits over one batch.

    Attributes:
        arms: that are computed, a cell.
        held: bytes that the arms of all cells hold for the backward pass when the forward pass is over, weights apart.
    """

    arms: float
    held: int


def _step(item: Found, data: Dataset, relaxation: str = "", *, fresh: bool = True) -> Step:
    """Of a relaxed network, by its own relaxation or another.

    Args:
        fresh: with all arms alike, as at the start; else with the logits that the search ended with.
    """
    network = copy.deepcopy(item.network).train()
    network.relaxation = relaxation or network.relaxation
    with torch.no_grad():
        for logits in network.logits if fresh else ():
            logits.zero_()
    weights = {value.untyped_storage().data_ptr() for value in network.parameters()}
    kept, ran, inside = weakref.WeakSet[_Kept](), 0, 0

    def enter(*_: Any) -> None:
        nonlocal inside
        inside += 1

    def leave(*_: Any) -> None:
        nonlocal inside, ran
        inside, ran = inside - 1, ran + 1

    def pack(value: Tensor) -> _Kept:
        one = _Kept(value)
        if inside and value.untyped_storage().data_ptr() not in weights:
            kept.add(one)
        return one

    for arms in network.arms.values():
        for arm in arms if isinstance(arms, nn.ModuleList) else [arms]:
            arm.register_forward_pre_hook(enter)
            arm.register_forward_hook(leave)
    images = tensors(data, "train")[0][:BATCH]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one.value):
        out = network(images, 1.0, torch.Generator().manual_seed(0), logits_learn=True)
    storages = {one.value.untyped_storage().data_ptr(): one.value.untyped_storage().nbytes() for one in kept}
    assert out.requires_grad
    return Step(ran / len(network.arms), sum(storages.values()))


# What the relaxed network is worth beside what is derived from it.


class _Fixed(nn.Module):
    """A relaxed network at one temperature, as a module of images alone."""

    def __init__(self, network: MixedNetwork, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, classes]."""
        result: Tensor = self.network(images, self.temperature, self.generator)
        return result


def _named(network: MixedNetwork, data: Dataset, temperature: float = 1.0) -> float:
    fixed = _Fixed(copy.deepcopy(network), temperature)
    recalibrate(fixed, data)
    return score(fixed, data, "held_out")


def _derived(item: Found) -> MixedNetwork:
    """The largest arm of each cell alone, with the weights that it has."""
    network = copy.deepcopy(item.network)
    network.relaxation = "softmax"
    with torch.no_grad():
        for logits, share in zip(network.logits, item.searched.shares, strict=True):
            logits.fill_(DROPPED)
            logits[int(share.argmax())] = 0.0
    return network


def _gap(run: Run, data: Dataset) -> tuple[float, float]:
    """Held-out accuracy of the relaxed networks, and of what is derived from them with the same weights: means."""
    last = float(run.recipe.driver.given.get("last_temperature", 1.0))
    pairs = [(_named(item.network, data, last), _named(_derived(item), data)) for item in _found(run)]
    relaxed, derived = np.mean(pairs, axis=0)
    return float(relaxed), float(derived)


# The lines.


def _told(mine: Run, even: Run) -> str:
    return f"what is derived names {_accuracy(mine):.3f}, {len(even.trials)} even draws {_accuracy(even):.3f}"


def darts(bench: Bench) -> Line:
    """Shares that were learned on images which the weights never saw have grown where arms are worth more."""
    mine = bench.run()
    even, found = _drawn(bench, mine)
    one_level = bench.run(_with(mine.recipe, bilevel=False))
    (gain, p), entropy, same = _gain(mine, even), _entropy(_found(mine)), _accuracy(one_level)
    text = (
        f"entropy of the shares falls to {entropy:.0%} of even ones; by what even draws say of arms they gain "
        f"{gain:+.3f} accuracy over even shares (p = {p:.0e}); {_told(mine, even)}; where logits learn from the images "
        f"of the weights {same:.3f}"
    )
    figures = {"entropy": entropy, "gain": gain, "p": p, "one_level": same}
    return bench.line(text, entropy < 0.98 and p < 0.01, mine, even, figures, found)


def pc_darts(bench: Bench) -> Line:
    """A step of the same cells with a part of their channels holds that part of the memory."""
    mine = bench.run()
    even, found = _drawn(bench, mine)
    whole = bench.run(replace(_with(mine.recipe, partial=1, steps=1), trials=1))
    data = load_dataset(mine.recipe.space.network.dataset)
    part, all_of_them = _step(_found(mine)[0], data).held, _step(_found(whole)[0], data).held
    share = part / all_of_them
    gain, p = _gain(mine, even)
    text = (
        f"with one channel in {mine.recipe.driver.given['partial']} mixed, a step holds {part / 2**20:.1f} MiB for its "
        f"backward pass, with all {all_of_them / 2**20:.1f} ({share:.0%}); shares gain {gain:+.3f} accuracy over even "
        f"ones (p = {p:.0e}); {_told(mine, even)}"
    )
    return bench.line(text, share < 0.3 and p < 0.01, mine, even, {"held": share, "gain": gain, "p": p}, found)


def p_darts(bench: Bench) -> Line:
    """Arms are dropped stage by stage, so that a step costs less; identities are held back."""
    mine = bench.run()
    even, found = _drawn(bench, mine)
    loose = bench.run(_with(mine.recipe, identity_dropout=0.0, most_identities=-1))
    data, stages = load_dataset(mine.recipe.space.network.dataset), _found(mine)[0].searched.left
    kept = list(dict.fromkeys(stages))
    whole = _step(_found(mine)[0], data).held
    last = float(np.mean([_step(item, data, fresh=False).held for item in _found(mine)])) / whole
    counts = [_identities(run, derived=True) for run in (mine, loose)]
    shares = [_identities(run, derived=False) for run in (mine, loose)]
    most = int(mine.recipe.driver.given["most_identities"])
    text = (
        f"arms that are left stage by stage: {', '.join(map(str, kept))}; a step of the last holds {last:.0%} of the "
        f"memory of the first; identities have a share of {np.mean(shares[0]):.2f}, with nothing that holds them back "
        f"{np.mean(shares[1]):.2f}, and are at most {max(counts[0]):.0f} of the edges that are derived ("
        f"{max(counts[1]):.0f}); {_told(mine, even)}, with nothing that holds identities back {_accuracy(loose):.3f}"
    )
    figures = {"held": last, "identities": float(np.mean(shares[0])), "loose": float(np.mean(shares[1]))}
    fewer = max(counts[0]) <= most and figures["identities"] < figures["loose"]
    worked = kept[0] >= 2 * kept[-1] and last < 0.8 and fewer
    return bench.line(text, worked, mine, even, figures, found)


def _identities(run: Run, *, derived: bool) -> list[float]:
    """Of each search: cells that its network leaves out, or the mean share of arms without layers in the middle."""
    out = []
    for item in _found(run):
        cells = [(cell, place) for cell, place in enumerate(item.network.identities) if place is not None]
        if derived:
            own = [_place(item.network.cells[cell], item.point) == place for cell, place in cells]
            out.append(float(sum(own)))
        else:
            out.append(float(np.mean([item.searched.shares[cell][place] for cell, place in cells])))
    return out


def fair_darts(bench: Bench) -> Line:
    """Arms do not compete: cells have several that are in, or none; the zero-one loss draws each to one side."""
    mine = bench.run()
    even, found = _drawn(bench, mine)
    plain = bench.run(_with(mine.recipe, extremes=0.0))
    sides, without = (float(np.mean([np.abs(gate - 0.5).mean() for gate in _gates(run)])) for run in (mine, plain))
    inside = [int((gate > 0.5).sum()) for gate in _gates(mine)]
    several, none = (float(np.mean([rule(count) for count in inside])) for rule in (lambda n: n > 1, lambda n: n == 0))
    text = (
        f"sigmoids end {sides:.2f} from the middle on average, without the zero-one loss {without:.2f}; of "
        f"{len(inside)} cells {several:.0%} have several arms over 0.5 and {none:.0%} none, as no softmax can; "
        f"{_told(mine, even)}, without the loss {_accuracy(plain):.3f}"
    )
    figures = {"sides": sides, "without": without, "several": several, "none": none}
    return bench.line(text, sides > 1.2 * without and several > 0.1, mine, even, figures, found)


def _gates(run: Run) -> list[NDArray[np.float64]]:
    """Sigmoids of every cell of every search."""
    return [torch.sigmoid(logits.detach()).double().numpy() for item in _found(run) for logits in item.network.logits]


def snas(bench: Bench) -> Line:
    """What is derived keeps, with the weights that it has, what the relaxed network names; DARTS' loses more."""
    mine = bench.run()
    even, found = _drawn(bench, mine)
    softmax = bench.run(_with(mine.recipe, relaxation="softmax", bilevel=True))
    data = load_dataset(mine.recipe.space.network.dataset)
    own, other = _gap(mine, data), _gap(softmax, data)
    lost, loses = own[0] - own[1], other[0] - other[1]
    gain, p = _gain(mine, even)
    text = (
        f"relaxed networks name {own[0]:.3f} at the last temperature, what is derived {own[1]:.3f} with the weights "
        f"that it has; of a softmax {other[0]:.3f} and {other[1]:.3f}; shares gain {gain:+.3f} accuracy over even ones "
        f"(p = {p:.0e}); trained alone {_told(mine, even)}"
    )
    figures = {"lost": lost, "softmax_lost": loses, "gain": gain, "p": p}
    return bench.line(text, lost < 0.5 * loses and p < 0.01, mine, even, figures, found)


def gdas(bench: Bench) -> Line:
    """One arm of each cell is computed in a step; all of them would be, and be held, by a softmax."""
    mine = bench.run()
    even, found = _drawn(bench, mine)
    data = load_dataset(mine.recipe.space.network.dataset)
    own, all_of_them = (_step(_found(mine)[0], data, kind) for kind in ("", "softmax"))
    gain, p = _gain(mine, even)
    text = (
        f"a step computes {own.arms:.1f} arms a cell of {all_of_them.arms:.1f} and holds {own.held / 2**20:.1f} MiB of "
        f"{all_of_them.held / 2**20:.1f}; shares gain {gain:+.3f} accuracy over even ones (p = {p:.0e}); "
        f"{_told(mine, even)}"
    )
    figures = {"arms": own.arms, "held": own.held / all_of_them.held, "gain": gain, "p": p}
    return bench.line(text, own.arms == 1.0 and figures["held"] < 0.4 and p < 0.01, mine, even, figures, found)


def xnas(bench: Bench) -> Line:
    """Arms are wiped out on the way, and none of them is what the same search comes to that wipes out none."""
    mine = bench.run()
    even, found = _drawn(bench, mine)
    whole = bench.run(_with(mine.recipe, wipe=False))
    pairs = [
        (one, other)
        for a, b in zip(_found(mine), _found(whole), strict=True)
        for one, other in zip(a.searched.shares, b.searched.shares, strict=True)
    ]
    out = sum(int((one == 0).sum()) for one, _ in pairs)
    lost = sum(bool(one[int(other.argmax())] == 0) for one, other in pairs)
    arms = sum(len(one) for one, _ in pairs)
    halfway = float(np.mean([_halved(item) for item in _found(mine)]))
    gain, p = _gain(mine, even)
    text = (
        f"{out} of {arms} arms are wiped out, half of them after {halfway:.0%} of the steps; in {lost} of {len(pairs)} "
        f"cells one of them is what the same search without wipe-out ends with; shares gain {gain:+.3f} accuracy over "
        f"even ones (p = {p:.0e}); {_told(mine, even)}, without wipe-out {_accuracy(whole):.3f}"
    )
    figures = {"wiped": out / arms, "lost": lost / len(pairs), "gain": gain, "p": p}
    worked = figures["wiped"] > 0.3 and figures["lost"] <= 0.1 and p < 0.01
    return bench.line(text, worked, mine, even, figures, found)


def _halved(item: Found) -> float:
    """Share of the logits' steps after which half of the arms that end out are out."""
    left = item.searched.left
    total = sum(len(share) for share in item.searched.shares)
    half = total - (total - left[-1]) / 2
    return next((place for place, count in enumerate(left) if count <= half), len(left)) / len(left)


def _table_error(mine: Run, even: Run) -> float:
    """How far the sum of the table is off the exact cost of drawn networks, as a share; mean."""
    item = _found(mine)[0]
    ((metric, table),) = item.tables.items()
    off = []
    for trial in even.trials:
        places = [_place(cell, trial.told.point) for cell in item.network.cells]
        off.append(abs(table.of(places) / trial.told.outcome.metrics[metric] - 1))
    return float(np.mean(off))


def fbnet(bench: Bench) -> Line:
    """The sum of the table is the exact latency, and latency falls as its weight in the loss grows."""
    mine = bench.run()
    even, found = _drawn(bench, mine)
    weight = float(mine.recipe.driver.given["cost_weight"])
    # All have the same seeds and as many searches: what differs is the weight.
    runs = {0.0: bench.run(_with(mine.recipe, cost_weight=1e-9)), weight: mine}
    runs[4 * weight] = bench.run(_with(mine.recipe, cost_weight=4 * weight))
    spent = [float(np.mean(run.values("latency_ms"))) for run in runs.values()]
    off = _table_error(mine, even)
    named = ", ".join(f"{_accuracy(run):.3f}" for run in runs.values())
    text = (
        f"the sum of the table is within {off:.1%} of the exact latency of {len(even.trials)} drawn networks; with "
        f"weights of {', '.join(f'{value:g}' for value in runs)} on the latency searches end at "
        f"{', '.join(f'{value:.4f}' for value in spent)} ms and {named} accuracy; "
        f"rewards of {mean_reward(mine):.3f} on average, even draws {mean_reward(even):.3f}"
    )
    figures = {"table_error": off, "free_ms": spent[0], "weighed_ms": spent[1], "heavy_ms": spent[2]}
    return bench.line(text, off < 0.05 and spent[0] > spent[1] > spent[2], mine, even, figures, found)


def proxylessnas(bench: Bench) -> Line:
    """Two paths are in memory where all would be; latency is in the loss; REINFORCE comes to the like."""
    mine = bench.run()
    even, found = _drawn(bench, mine)
    free = bench.run(replace(_with(mine.recipe, cost_weight=1e-9), trials=_CONTROLS))
    data = load_dataset(mine.recipe.space.network.dataset)
    own, all_of_them = (_step(_found(mine)[0], data, kind) for kind in ("", "softmax"))
    spent = [float(np.mean(run.values("latency_ms"))) for run in (mine, free)]
    reinforced = bench.run(replace(_with(mine.recipe, relaxation="reinforced"), trials=_CONTROLS))
    text = (
        f"a step of the gates computes {own.arms:.1f} arms a cell of {all_of_them.arms:.1f} and holds "
        f"{own.held / 2**20:.1f} MiB of {all_of_them.held / 2**20:.1f}; searches end at {spent[0]:.4f} ms, where "
        f"latency is not in the loss at {spent[1]:.4f} ms; rewards of {mean_reward(mine):.3f} on average, by REINFORCE "
        f"{mean_reward(reinforced):.3f}, even draws {mean_reward(even):.3f}"
    )
    figures = {"arms": own.arms, "held": own.held / all_of_them.held, "ms": spent[0], "free_ms": spent[1]}
    worked = own.arms == 2.0 and figures["held"] < 0.6 and spent[0] < spent[1]
    return bench.line(text, worked, mine, even, figures, found)


def single_path(bench: Bench) -> Line:
    """One path of weights serves all arms; a limit on the latency makes what norms keep smaller."""
    mine = bench.run()
    even, found = _drawn(bench, mine)
    apart = bench.run(replace(_with(mine.recipe, relaxation="softmax", steps=1), trials=1))
    data = load_dataset(mine.recipe.space.network.dataset)
    own, paths = (_step(_found(run)[0], data).held for run in (mine, apart))
    weights = [sum(v.numel() for v in _found(run)[0].network.arms.parameters()) for run in (mine, apart)]
    (_, limit), *_ = mine.recipe.limits
    expected = [item.searched.expected["latency_ms"] / limit for item in _found(mine)]
    gain, p = _gain(mine, even)
    text = (
        f"{weights[0]} weights of one path in place of {weights[1]} of all; a step holds {own / 2**20:.1f} MiB of "
        f"{paths / 2**20:.1f}; expected latencies end at {min(expected):.0%} to {max(expected):.0%} of {limit:g} ms; "
        f"shares gain {gain:+.3f} accuracy over even ones (p = {p:.0e}); {_told(mine, even)}"
    )
    figures = {"weights": weights[0] / weights[1], "held": own / paths, "gain": gain, "p": p, "most": max(expected)}
    worked = figures["weights"] < 0.6 and figures["held"] < 0.6 and max(expected) <= 1.05
    return bench.line(text, worked, mine, even, figures, found)
