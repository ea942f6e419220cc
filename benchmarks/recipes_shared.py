"""Mechanisms of searches whose networks share weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr, wilcoxon

from benchmarks.recipes_lines import Bench, Line, quarters, refused
from benchmarks.recipes_runs import Run, opened, versus
from codesign.accuracy.data import Dataset, load_dataset
from codesign.accuracy.training import Training, recalibrate, score, train
from codesign.controllers.controller import Told
from codesign.controllers.growth_policy import GrowthPolicy
from codesign.controllers.policy import PolicySearch
from codesign.decisions import Point
from codesign.drivers.base import Trial
from codesign.drivers.per_image import Mixture, PerImage, Single
from codesign.drivers.shared_policy import SharedPolicy
from codesign.explorer.problem import SearchProblem
from codesign.objectives import Outcome
from codesign.providers.accuracy.supernet import corners_of
from codesign.providers.accuracy.taught import TaughtProvider
from codesign.providers.registry import PROVIDERS
from codesign.quantization.qat import QatNetwork
from codesign.recipe import Part, Recipe
from codesign.spaces.compression.hyper_parameters import NAMES
from codesign.spaces.compression.update_rules import UpdateRules, decided_rule
from codesign.spaces.network.chain import ChainSpace
from codesign.supernet.network import fitting
from codesign.supernet.predicted import weights
from codesign.supernet.sampling import StepPlan
from codesign.supernet.stabilised import map_name, skips_of
from codesign.supernet.training import Trainer, TrainingOptions, measured
from mappings.workload import Workload

#: Networks drawn evenly that two ways of sharing are compared by.
JUDGED = 90
#: Networks that predicted weights name as the best, which are trained alone.
_NAMED = 12
#: Trials at the end of an evolution.
_LATE = 40
#: Variants that judge the same networks, and by what.
_JUDGES = (("reduced", "block_error"), ("whole", "accuracy"))


def enas(bench: Bench) -> Line:
    """The policy draws what does better with the weights that it shares, and better when trained alone.

    Both comparisons train as many networks for as long: those that the same number of even draws, ranked by weights
    that even draws shared, leaves (the control: the policy is all that is missing), and networks drawn at random.
    """
    mine, drawn = bench.run(), bench.run(bench.recipe("control"))
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random")))
    policy = cast(PolicySearch, mine.controller())
    certain = policy.certainty()
    heard = quarters([told.outcome.metrics["accuracy"] for told in policy._archive.told])
    ours, control, random = (float(np.mean(run.values("accuracy"))) for run in (mine, drawn, even))
    text = (
        f"with shared weights its draws name {', '.join(f'{value:.2f}' for value in heard)} by quarter, certainty "
        f"{certain:.2f}; trained alone its networks name {ours:.3f} on average, those that even draws with shared "
        f"weights lead to {control:.3f}, random ones {random:.3f}"
    )
    figures = {"certainty": certain, "alone": ours, "even_shared": control, "random": random}
    found = versus(mine.recipe.goal, [mine], [even], share=1.0)
    return bench.line(text, certain > 0.2 and heard[-1] > heard[0] + 0.1 and ours > control, mine, even, figures, found)


def autohas(bench: Bench) -> Line:
    """Trained by what the policy draws for them, its networks do better than even draws of both by theirs, and no worse
    than the same networks by the hyper-parameters that a training has by itself; all for as many steps."""
    mine = bench.run()
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random")))
    usual = dict(bench.recipe("fixed").space.decisions.completed({}, np.random.default_rng(0)))
    points = [trial.told.point for trial in mine.trials]
    hyper = {name: usual[name] for name in NAMES}
    fixed = _alone(mine, [{**point, **hyper} for point in points])
    drawn = [float(np.median([float(point[name]) for point in points])) for name in NAMES]
    ours, same, random = (float(np.mean(run.values("accuracy"))) for run in (mine, fixed, even))
    text = (
        f"it draws a learning rate of {drawn[0]:g} and a weight decay of {drawn[1]:g} (medians); its networks, trained "
        f"alone by its own, name {ours:.3f} on average, by {hyper[NAMES[0]]:g} and {hyper[NAMES[1]]:g} {same:.3f}; "
        f"even draws of both {random:.3f}"
    )
    figures = {"alone": ours, "fixed": same, "random": random, "learning_rate": drawn[0], "weight_decay": drawn[1]}
    return bench.line(text, ours >= same, mine, even, figures, versus(mine.recipe.goal, [mine], [even], share=1.0))


def optimizer_search(bench: Bench) -> Line:
    """The rule that was found trains another, larger network for longer no worse than Adam's or a momentum's.

    Each of the three by the best of the space's learning rates; means over three seeds.
    """
    mine, even = bench.run(), bench.random()
    found = max(mine.trials, key=lambda trial: trial.told.outcome.metrics["accuracy"]).told.point
    usual = {
        "rule_left_function": "identity",
        "rule_right": "one",
        "rule_right_function": "identity",
        "rule_joint": "left",
    }
    rules = {
        "found": {name: value for name, value in found.items() if name.startswith("rule_")},
        "adam": {**usual, "rule_left": "scaled_mean"},
        "momentum": {**usual, "rule_left": "mean"},
    }
    data = load_dataset("digits")
    larger = ChainSpace(layers=3, kernels=(3,), filters=(16,), halved=(2,), extent=8, dataset="digits")
    network = larger.workload({decision.name: decision.choices[0] for decision in larger.decisions})
    worth = {}
    for name, rule in rules.items():
        known = []
        for rate in UpdateRules().learning_rate:
            told = UpdateRules().compressed(network, {**rule, "learning_rate": rate})
            known.append(np.mean([_after(told, rate, data, seed) for seed in range(3)]))
        worth[name] = float(max(known))
    text = (
        f"found: {found['rule_left_function']}({found['rule_left']}) {found['rule_joint']} "
        f"{found['rule_right_function']}({found['rule_right']}) at {found['learning_rate']:g}; a larger network, four "
        f"times as long: {worth['found']:.3f}, by Adam's {worth['adam']:.3f}, by a momentum {worth['momentum']:.3f}"
    )
    return bench.line(text, worth["found"] >= max(worth["adam"], worth["momentum"]) - 0.005, mine, even, worth)


def _after(workload: Workload, rate: float, data: Dataset, seed: int) -> float:
    """Held-out accuracy after 120 steps by the rule that stands in the workload."""
    torch.manual_seed(seed)
    network = QatNetwork(workload)
    train(network, data, Training(120, rate, rule=decided_rule(workload)), seed)
    recalibrate(network, data)
    return score(network, data, "held_out")


def instanas(bench: Bench) -> Line:
    """What a policy picks for each image names more than the best network alone that takes no longer in the mean, the
    policy's own time counted.

    Both are chosen by the images kept apart, which policies learn from, and judged by held-out ones: a network that is
    chosen by the images that judge it would have an advantage of its own. The twin that does not look at images gives
    the same networks to as many images each, drawn evenly. Random search: networks drawn evenly, and both corners,
    with the same weights: what policies reach is judged beside what these do, as what they pick from is no find.
    """
    mine = bench.run()
    driver = cast(PerImage, mine.driver)
    picked = _judged_by_goal(mine, driver.mixtures)
    even = _judged_by_goal(mine, driver.single)
    gaps, said, blind = list[float](), list[str](), list[float]()
    times = [single.latency_ms for single in driver.single]
    for item in driver.mixtures:
        fast = [single for single in driver.single if single.latency_ms <= item.latency_ms]
        single = max(fast, key=lambda one: one.known).accuracy
        kept = driver.single[: len(item.shares)]
        unseen = sum(share * one.accuracy for share, one in zip(item.shares, kept, strict=True))
        gaps.append(item.accuracy - single)
        blind.append(item.accuracy - unseen)
        said.append(f"{item.accuracy:.3f} in {item.latency_ms:.4f} ms (best single {single:.3f}, blind {unseen:.3f})")
    gap, over = float(np.mean(gaps)), float(np.mean(blind))
    text = (
        f"at {len(said)} prices of latency the networks that it picks name {'; '.join(said)}; {gap:+.4f} from the best "
        f"single in the mean, {over:+.4f} from blind; "
        f"of these times the policy's own is {driver.own_ms:.4f} ms, the smallest network's {min(times):.4f} ms"
    )
    found = versus(mine.recipe.goal, [picked], [even], share=1.0)
    return bench.line(text, gap > 0 and over > 0, picked, even, {"gap": gap, "over_blind": over}, found)


def _judged_by_goal(mine: Run, judged: Sequence[Mixture] | Sequence[Single]) -> Run:
    """What mixtures, or networks alone, do with held-out images, as trials."""
    outcomes = [Outcome({"accuracy": item.accuracy, "latency_ms": item.latency_ms}) for item in judged]
    return replace(mine, trials=[Trial(Told({}, outcome)) for outcome in outcomes])


def greedynas(bench: Bench) -> Line:
    """Good networks are served better by weights that greedy paths trained than by those of as many even paths.

    Networks are drawn evenly, unseen by either training; of these the better third by the sum of both accuracies, which
    favours neither, is compared in pairs. All of them are told beside it: the others are what greedy training gives up.
    """
    mine, even = bench.run(), bench.random()
    greedy, plain = (_shared(bench.recipe(variant)) for variant in ("reduced", "control"))
    top = np.argsort(-(greedy + plain), kind="stable")[: JUDGED // 3]
    gap, p = float((greedy - plain)[top].mean()), float(wilcoxon(greedy[top], plain[top], alternative="greater").pvalue)
    text = (
        f"of {JUDGED} even draws the better third names {greedy[top].mean():.3f} with its shared weights, "
        f"{plain[top].mean():.3f} with those of as many even paths (p = {p:.0e}); all {greedy.mean():.3f} and "
        f"{plain.mean():.3f}; the best {greedy.max():.3f} and {plain.max():.3f}"
    )
    worked = gap > 0 and p < 0.01 and greedy.max() > plain.max()
    return bench.line(text, worked, mine, even, {"gap": gap, "p": p, "best": greedy.max(), "even_best": plain.max()})


def one_shot(bench: Bench) -> Line:
    """Weights whose parts were dropped in training serve the networks that are left when parts are taken away.

    Beside weights that only the largest network trained (none dropped), for as many steps.
    """
    mine, even = bench.run(), bench.random()
    dropped, whole = _shared(mine.recipe), _shared(mine.recipe, largest=True)
    p = float(wilcoxon(dropped, whole, alternative="greater").pvalue)
    text = (
        f"{JUDGED} even draws name {dropped.mean():.3f} with weights whose parts were dropped, {whole.mean():.3f} "
        f"with those of the largest network alone (p = {p:.0e})"
    )
    return bench.line(text, p < 0.01, mine, even, {"dropped": dropped.mean(), "whole": whole.mean(), "p": p})


def beside_even(bench: Bench) -> Line:
    """Networks do better with weights that were trained so than with those of as many even paths.

    Networks are drawn evenly and compared in pairs.
    """
    mine, even = bench.run(), bench.random()
    ours, plain = (_shared(bench.recipe(variant)) for variant in ("reduced", "control"))
    p = float(wilcoxon(ours, plain, alternative="greater").pvalue)
    top = np.argsort(-(ours + plain), kind="stable")[: JUDGED // 3]
    text = (
        f"{JUDGED} even draws name {ours.mean():.3f} with its shared weights, {plain.mean():.3f} with those of as "
        f"many even paths (p = {p:.0e}); the better third {ours[top].mean():.3f} and {plain[top].mean():.3f}"
    )
    return bench.line(text, p < 0.01, mine, even, {"ours": ours.mean(), "even": plain.mean(), "p": p})


def scarlet_nas(bench: Bench) -> Line:
    """With a learned map in place of a block, what stands behind it reads features more like those of the block than
    where the block is just left out; each network that is taken out computes what it did within, to the last bit.

    How well networks do with either weights is told, whatever its sign.
    """
    mine, even = bench.run(), bench.random()
    trainer, bare = (trained(bench.recipe(variant)) for variant in ("reduced", "control"))
    mapped, plain = judged(trainer), judged(bare)
    p = float(wilcoxon(mapped, plain, alternative="greater").pvalue)
    alike, before = (_consistency(item, bench.seed) for item in (trainer, bare))
    rng, images = np.random.default_rng([bench.seed, 3]), torch.from_numpy(trainer.data.images["held_out"][:64])
    drawn = [trainer.corners.workload_at(trainer.corners.space.draw(rng)) for _ in range(12)]
    equal = sum(torch.equal(trainer.network.extract(w).train()(images), trainer.network(images, w)) for w in drawn)
    text = (
        f"features behind a map are like those of the block that it stands for by {alike:.2f} (cosine), behind what is "
        f"just left out by {before:.2f}; {equal} of {len(drawn)} networks that are taken out compute what they did "
        f"within; {JUDGED} even draws name {mapped.mean():.3f} with shared weights, {plain.mean():.3f} without maps "
        f"(p = {p:.0e})"
    )
    figures = {"alike": alike, "without": before, "mapped": mapped.mean(), "plain": plain.mean(), "p": p}
    return bench.line(text, alike > before + 0.05 and equal == len(drawn), mine, even, figures)


def _consistency(trainer: Trainer, seed: int) -> float:
    """Mean cosine between what a block that may be left out gives and what stands in its place, over draws that keep
    all blocks."""
    rng, images = np.random.default_rng([seed, 9]), torch.from_numpy(trainer.data.images["held_out"][:128])
    corners, parts, out = trainer.corners, dict(trainer.network.parts.items()), list[float]()
    largest = corners.workload_at(corners.largest)
    skips = skips_of(largest, corners.covering(), corners.parts)
    maps = {(source, target): parts.get(map_name(source, target)) for source, target in skips}
    for _ in range(12):
        point = {**corners.largest, **corners.space.draw(rng)}
        kept = {name: "keep" if name.endswith("_block") else value for name, value in point.items()}
        network = trainer.network.extract(corners.workload_at(corners.space.canonical(kept))).train()
        with torch.no_grad():
            values = network.values(network.entered(images))
            for (source, target), matrix in maps.items():
                stands = values[source] if matrix is None else torch.einsum("kc,nchw->nkhw", matrix, values[source])
                out.append(float(torch.cosine_similarity(stands.flatten(1), values[target].flatten(1), dim=1).mean()))
    return float(np.mean(out))


def epnas(bench: Bench) -> Line:
    """What the policy transforms does better with shared weights, round by round, and better trained alone."""
    mine = bench.run()
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random")))
    heard = quarters(cast(SharedPolicy, mine.driver).heard)
    controller = cast(GrowthPolicy, mine.controller())
    certain = float(np.mean([controller.certainty(trial.told.point) for trial in mine.trials]))
    ours, random = (float(np.mean(run.values("accuracy"))) for run in (mine, even))
    text = (
        f"transformed cells name {', '.join(f'{value:.2f}' for value in heard)} by quarter with shared weights, "
        f"certainty {certain:.2f}; trained alone {ours:.3f}, random ones {random:.3f}"
    )
    found = versus(mine.recipe.goal, [mine], [even], share=1.0)
    figures = {"first": heard[0], "last": heard[-1], "certainty": certain, "alone": ours, "random": random}
    return bench.line(text, heard[-1] > heard[0] + 0.1 and certain > 0.1, mine, even, figures, found)


def teacher_guided(bench: Bench) -> Line:
    """After a short training, the score with the likeness ranks networks as a long one does, better than accuracy."""
    mine, even = bench.run(), bench.random()
    (step,) = mine.steps
    provider, rng = cast(TaughtProvider, step.provider), np.random.default_rng([bench.seed, 5])
    space = mine.recipe.space
    drawn = [space.network_at(space.decisions.draw(rng)).workload for _ in range(JUDGED // 3)]
    steps = int(mine.recipe.providers[0].option("steps"))
    short = np.array([provider.judged(workload, steps) for workload in drawn if workload is not None])
    whole = [provider.judged(workload, 20 * steps)[0] for workload in drawn if workload is not None]
    early, alike, both = (float(spearmanr(each, whole).statistic) for each in (*short.T, short.sum(axis=1)))
    text = (
        f"of {len(whole)} networks, after {steps} steps of {20 * steps}, accuracy ranks with correlation {early:.2f}, "
        f"the likeness to the teacher with {alike:.2f}, their sum with {both:.2f}"
    )
    return bench.line(text, both > early, mine, even, {"accuracy": early, "likeness": alike, "sum": both})


def cars(bench: Bench) -> Line:
    """The population does better with the weights that it trains, round by round; its front is ahead, trained alone."""
    mine = bench.run()
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random")))
    heard = quarters(cast(SharedPolicy, mine.driver).heard)
    sizes = [float(np.mean(run.values("parameters"))) for run in (mine, even)]
    ours, random = (float(np.mean(run.values("accuracy"))) for run in (mine, even))
    text = (
        f"offspring name {', '.join(f'{value:.2f}' for value in heard)} by quarter with the weights that they share; "
        f"trained alone the last front names {ours:.3f} with {sizes[0]:,.0f} parameters on average, random networks "
        f"{random:.3f} with {sizes[1]:,.0f}"
    )
    figures = {"first": heard[0], "last": heard[-1], "alone": ours, "random": random}
    found = versus(mine.recipe.goal, [mine], [even], share=1.0)
    return bench.line(text, heard[-1] > heard[0] + 0.1, mine, even, figures, found)


def hat(bench: Bench) -> Line:
    """Evolution by shared weights keeps to the latency and ends ahead of as many even draws; shared weights rank
    networks as training each alone does."""
    mine, even, alone = bench.run(), bench.random(), bench.run(bench.recipe("alone"))
    trainer = trained(mine.recipe)
    drawn = [trainer.corners.workload_at(trial.told.point) for trial in alone.trials]
    shared = [measured(trainer.network, workload, trainer.data, "held_out", 256) for workload in drawn]
    rank = spearmanr(shared, alone.values("accuracy"), alternative="greater")
    late, over = float(np.mean(refused(mine)[-_LATE:])), float(np.mean(refused(even)))
    text = (
        f"over the latency {100 * late:.0f}% of late networks, of even draws {100 * over:.0f}%; within it the best "
        f"names {mine.best():.3f} with shared weights, of as many even draws {even.best():.3f}; {len(drawn)} networks "
        f"trained alone rank as with shared weights with correlation {rank.statistic:.2f} (p = {rank.pvalue:.0e})"
    )
    figures = {"late_over": late, "even_over": over, "spearman": rank.statistic, "p": rank.pvalue}
    worked = late < over and mine.best() >= even.best() and rank.pvalue < 0.01
    return bench.line(text, worked, mine, even, figures)


def dna_blockwise(bench: Bench) -> Line:
    """Summed errors of blocks rank networks as training each alone does, and lead to networks that are better alone.

    Beside it: how weights of whole networks, trained by labels with as many updates, rank the same networks.
    """
    mine, alone = bench.run(), bench.run(bench.recipe("alone"))
    alone = replace(alone, trials=[trial for trial in alone.trials if trial.told.outcome.feasible])
    fine = [trial.told.point for trial in alone.trials]
    order = np.argsort([outcome.metrics.get("block_error", np.inf) for outcome in mine.outcomes], kind="stable")
    named = _alone(alone, [mine.trials[int(row)].told.point for row in order[:_NAMED]])
    truth = alone.values("accuracy")
    errors, shared = (_told(bench.recipe(variant), fine, metric) for variant, metric in _JUDGES)
    rank, plain = (spearmanr(item, truth, alternative="greater") for item in (-errors, shared))
    text = (
        f"of {len(fine)} even draws within {mine.recipe.limits[0][1]:.0f} macs trained alone, summed errors of blocks "
        f"rank with correlation {rank.statistic:.2f} (p = {rank.pvalue:.0e}), whole networks with shared weights "
        f"{plain.statistic:.2f}; trained alone the {_NAMED} of least error name "
        f"{named.values('accuracy').mean():.3f}, even draws {truth.mean():.3f}"
    )
    figures = {"spearman": rank.statistic, "p": rank.pvalue, "whole": plain.statistic, "errors": errors.mean()}
    found = versus(alone.recipe.goal, [named], [alone], share=1.0)
    return bench.line(text, rank.pvalue < 0.01, named, alone, figures, found)


def smash(bench: Bench) -> Line:
    """Predicted weights rank networks as training each alone does, and are of use to no other network."""
    return _predicted(bench)


def ghn(bench: Bench) -> Line:
    """As of `smash`, with weights that one decoder predicts from the states of the network's own graph."""
    return _predicted(bench)


def _predicted(bench: Bench) -> Line:
    """Networks that are named by predicted weights and even ones are trained alone, each for as long.

    The control of the prediction is the same network with weights that were predicted for another one: of more networks
    than are trained alone, as nothing is trained for it.
    """
    mine, even = bench.run(), bench.run(bench.recipe("alone"))
    accuracies = mine.values("accuracy")
    best = [mine.trials[int(row)].told.point for row in np.argsort(-accuracies, kind="stable")[:_NAMED]]
    named = _alone(even, best)
    trainer = trained(mine.recipe)
    alone = [trainer.corners.workload_at(trial.told.point) for trial in even.trials]
    rank = spearmanr(_scored(trainer, alone, 0), even.values("accuracy"), alternative="greater")
    drawn = _drawn(trainer)
    own, other = (_scored(trainer, drawn, shift) for shift in (0, 1))
    p = float(wilcoxon(own, other, alternative="greater").pvalue)
    text = (
        f"of {len(drawn)} even draws predicted weights name {own.mean():.3f}, weights that were predicted for another "
        f"{other.mean():.3f} (p = {p:.0e}); rank correlation of {len(alone)} with training each alone "
        f"{rank.statistic:.2f} (p = {rank.pvalue:.0e}); trained alone the best {_NAMED} of {len(accuracies)} name "
        f"{named.values('accuracy').mean():.3f}, even draws {even.values('accuracy').mean():.3f}"
    )
    figures = {"own": own.mean(), "other": other.mean(), "spearman": rank.statistic, "p": rank.pvalue}
    worked = p < 0.01 and rank.pvalue < 0.01
    return bench.line(text, worked, named, even, figures, versus(even.recipe.goal, [named], [even], share=1.0))


def _alone(even: Run, points: list[Point]) -> Run:
    """Points as a run of the recipe that trains each network by itself."""
    with opened(even.recipe) as steps:
        problem = SearchProblem(even.recipe.space, even.recipe.goal, steps)
        told = [Trial(Told(point, outcome)) for point, outcome in zip(points, problem.measure(points), strict=True)]
    return replace(even, trials=told)


def _told(recipe: Recipe, points: list[Point], metric: str) -> NDArray[np.float64]:
    """A metric of some points by the recipe's providers."""
    with opened(recipe) as steps:
        outcomes = SearchProblem(recipe.space, recipe.goal, steps).measure(points)
    return np.array([outcome.metrics[metric] for outcome in outcomes])


def _scored(trainer: Trainer, networks: list[Workload], shift: int) -> NDArray[np.float64]:
    """Held-out accuracies of networks with the weights that are predicted for the one ``shift`` places on."""
    out, parts = [], dict(trainer.network.parts.items())
    for place, workload in enumerate(networks):
        alone = trainer.network.extract(workload)
        with torch.no_grad():
            told = weights(parts, networks[(place + shift) % len(networks)])
            for layer in workload.layers:
                if layer.op.spec.convolves:
                    part = fitting(told[layer.name], layer)[: layer.channels_out, : layer.C]
                    alone.get_parameter(f"steps.{layer.name}.weight").copy_(part)
        recalibrate(alone, trainer.data, 256)
        out.append(score(alone, trainer.data, "held_out"))
    return np.array(out)


def _shared(recipe: Recipe, *, largest: bool = False) -> NDArray[np.float64]:
    """Held-out accuracies of networks that are drawn evenly, with the shared weights as the recipe trains them.

    Args:
        largest: every step is the largest network's, whatever the recipe's strategy.
    """
    return judged(trained(recipe, largest=largest))


def judged(trainer: Trainer) -> NDArray[np.float64]:
    """Held-out accuracies of networks that are drawn evenly, with the weights of a training."""
    drawn = _drawn(trainer)
    return np.array([measured(trainer.network, workload, trainer.data, "held_out", 256) for workload in drawn])


def _drawn(trainer: Trainer) -> list[Workload]:
    """Networks that are drawn evenly to judge a training by."""
    rng = np.random.default_rng(1_000_003)
    return [trainer.corners.workload_at(trainer.corners.space.draw(rng)) for _ in range(JUDGED)]


def trained(recipe: Recipe, *, largest: bool = False) -> Trainer:
    """The supernet as the recipe's provider trains it, or through its largest network alone."""
    (part,) = [part for part in recipe.providers if part.name == "supernet"]
    given = {**PROVIDERS.get("supernet").checked(part.given, "supernet"), "seed": recipe.seed}
    names = {field.name for field in fields(TrainingOptions)}
    how = TrainingOptions(**{name: value for name, value in given.items() if name in names})
    trainer = Trainer(corners_of(recipe.space), load_dataset(recipe.space.network.dataset), how)
    if largest:
        trainer._plan = lambda step: StepPlan((trainer.corners.largest,))
    trainer.run()
    return trainer
