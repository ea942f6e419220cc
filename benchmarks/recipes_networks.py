"""Mechanisms of searches for networks; each says what its figure is and when it counts as working."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.recipes_lines import Bench, Line, quarters, scores
from benchmarks.recipes_runs import Run, Versus, opened, paired, versus
from codesign.accuracy.data import load_dataset
from codesign.accuracy.training import Training, tensors, train
from codesign.controllers.bayes import EncoderSearch, GraphBayes
from codesign.controllers.evolution import RegularizedEvolution
from codesign.controllers.growth_policy import GrowthPolicy
from codesign.controllers.hybrid import HistoryEvolution, LearnedMutation
from codesign.controllers.plain import LocalSearch
from codesign.controllers.policy import PolicySearch
from codesign.controllers.proposals import key_of, neighbours
from codesign.controllers.surrogate import SurrogateEvolution
from codesign.controllers.value import QLearning, TreeSearch
from codesign.explorer.problem import SearchProblem
from codesign.networks.morphism import inherited, logits, random_weights
from codesign.providers.accuracy.table import read_table
from codesign.quantization.qat import QatNetwork
from codesign.recipe import Part
from codesign.spaces.network.nasbench201 import operations_of
from mappings.errors import SpecError

#: Seeds of the comparison of bests: one draw of a search says little.
_PAIRS = 12


def nas_rl(bench: Bench) -> Line:
    """The policy grows certain of choices that are more accurate."""
    mine, even = bench.run(), bench.random()
    certain = cast(PolicySearch, mine.controller()).certainty()
    by_quarter = quarters(mine.values("accuracy"))
    text = f"policy from 0 to {certain:.2f} of certainty, accuracy by quarter {_list(by_quarter)}"
    return bench.line(text, certain > 0.2 and by_quarter[-1] > by_quarter[0] + 0.02, mine, even, {"certainty": certain})


def nasnet(bench: Bench) -> Line:
    """Cells that were found on one data set are good on a larger one."""
    mine, even = bench.run(), bench.random()
    table = read_table(bench.table).accuracy
    late = [trial.told.point for trial in mine.trials[len(mine.trials) // 2 :]]
    names = [mine.recipe.space.network_at(point).key for point in late]
    other = table["imagenet16", "test_200"]
    everywhere = np.array(sorted(other.values()))
    places = [float(np.searchsorted(everywhere, other[name]) / len(everywhere)) for name in names]
    searched = [trial.told.outcome.metrics["accuracy"] for trial in mine.trials[len(mine.trials) // 2 :]]
    rank = float(spearmanr(searched, [other[name] for name in names]).statistic)
    share = float(np.mean(places))
    text = f"late cells of CIFAR-10 are better on ImageNet16 than {share:.0%} of all; rank correlation {rank:.2f}"
    return bench.line(text, share > 0.65 and rank > 0.5, mine, even, {"better_than": share, "spearman": rank})


def amoebanet(bench: Bench) -> Line:
    """Death is by age, whatever a member is worth."""
    mine, even = bench.run(), bench.random()
    controller = cast(RegularizedEvolution, mine.controller())
    population = int(mine.recipe.controller.option("population"))
    ages = controller.ages
    best = int(np.argmax(mine.values("accuracy")[: len(mine.trials) // 2]))
    gone = len(mine.trials) - best > max(ages)
    text = f"{len(ages)} alive, aged {min(ages)} to {max(ages)}; the best of the first half (trial {best}) has died"
    right = len(ages) == population and max(ages) == population and gone
    return bench.line(text, right, mine, even, {"alive": len(ages), "oldest": max(ages)})


def pnas(bench: Bench) -> Line:
    """The predictor ranks networks that it has not seen, as the space opens."""
    mine, even = bench.run(), bench.random()
    return bench.line(*_surrogate(mine), mine, even, _correlations(mine))


def dpp_net(bench: Bench) -> Line:
    """As PNAS, for a front of objectives of the device."""
    mine, even = bench.run(), bench.random()
    return bench.line(*_surrogate(mine), mine, even, _correlations(mine))


def _correlations(mine: Run) -> dict[str, float]:
    found = cast(SurrogateEvolution, mine.controller()).correlations
    return {"spearman": float(np.mean(found)), "generations": len(found)}


def _surrogate(mine: Run) -> tuple[str, bool]:
    found = cast(SurrogateEvolution, mine.controller()).correlations
    stages = int(mine.recipe.controller.option("progressive"))
    mean = float(np.mean(found))
    goal = ", ".join(mine.recipe.objectives)
    text = f"rank correlation of predicted and measured {goal} on {len(found)} unseen generations {mean:.2f}"
    return f"{text}, {stages} stages", mean > 0.2


def nsganet(bench: Bench) -> Line:
    """What the Bayesian network proposes is ahead of what crossover and mutation do."""
    mine, even = bench.run(), bench.random()
    share = float(cast(HistoryEvolution, mine.controller())._context.options["exploit_share"])
    found, count = scores(mine), len(mine.trials)
    start = round(count * (1 - share))
    bred, drawn = found[start - round(count * share) : start], found[start:]
    gain = float((drawn[:, None] > bred[None, :]).mean() + 0.5 * (drawn[:, None] == bred[None, :]).mean())
    text = f"{len(drawn)} samples of its history's network are ahead of as many bred before with chance {gain:.2f}"
    return bench.line(text, gain > 0.5, mine, even, {"exploitation_ahead": gain})


def moremnas(bench: Bench) -> Line:
    """Learned mutations make parents at least as often as drawn ones, and are no longer even."""
    mine, even = bench.run(), bench.random()
    controller = cast(LearnedMutation, mine.controller())
    kept = {who: good / max(made, 1) for who, (good, made) in controller.rates.items()}
    odds = controller.learned
    uneven = float(odds.max() * len(odds))
    text = (
        f"{kept['learned']:.0%} of learned mutations survive, {kept['drawn']:.0%} of drawn ones; "
        f"most likely place {uneven:.1f}x"
    )
    worked = kept["learned"] > kept["drawn"] and uneven > 1.2
    return bench.line(text, worked, mine, even, {**kept, "most_likely": uneven})


def lemonade(bench: Bench) -> Line:
    """Children that grew compute, with inherited weights, what their parents did."""
    mine, even = bench.run(), bench.random()
    space = mine.recipe.space
    images = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(bench.seed))
    exact = grown = 0
    worst = 0.0
    rng = np.random.default_rng(bench.seed)
    for trial in mine.trials[-60:]:
        for child in neighbours(space.decisions, trial.told.point, rng)[:6]:
            before, after = space.network_at(trial.told.point).workload, space.network_at(child).workload
            assert before is not None and after is not None
            weights = random_weights(before, 0)
            try:
                gap = float(
                    (logits(after, inherited(before, weights, after), images) - logits(before, weights, images))
                    .abs()
                    .max()
                )
            except SpecError:
                continue  # no larger network
            grown, exact, worst = grown + 1, exact + (gap < 1e-9), max(worst, gap)
    sizes = quarters(mine.values("parameters"))
    text = f"{exact} of {grown} morphisms keep the function (largest gap {worst:.0e}); parameters {_list(sizes, 0)}"
    worked = exact == grown > 0 and sizes[0] < float(np.mean(even.values("parameters")))
    return bench.line(text, worked, mine, even, {"morphisms": grown, "exact": exact, "largest_gap": worst})


def blockqnn(bench: Bench) -> Line:
    """Epsilon falls, and Q ranks blocks as their accuracy does."""
    mine, even = bench.run(), bench.random()
    controller = cast(QLearning, mine.controller())
    unseen = even.trials
    values = [controller.value_of(trial.told.point) for trial in unseen]
    rank = float(spearmanr(values, [trial.told.outcome.metrics["accuracy"] for trial in unseen]).statistic)
    text = (
        f"epsilon from 1 to {controller.epsilon:.2f}; Q ranks {len(unseen)} random blocks with correlation {rank:.2f}"
    )
    return bench.line(
        text, controller.epsilon < 0.2 and rank > 0.2, mine, even, {"epsilon": controller.epsilon, "spearman": rank}
    )


def alphax(bench: Bench) -> Line:
    """Descents go where subtrees are worth more, by what the whole table says of them.

    What the search itself measured in a subtree would be no judge: where it looks more it also looks better. The mean
    over every network of the table below a node is free of that. The control draws evenly, and has no tree.
    """
    mine, even = bench.run(), bench.random()
    root = cast(TreeSearch, mine.controller()).visits(0)
    names = mine.recipe.space.decisions.names
    known = read_table(bench.table).accuracy["cifar10", "test_200"]
    below: dict[tuple[str, ...], list[float]] = {}
    for name, accuracy in known.items():
        below.setdefault((operations_of(name) or ())[:2], []).append(accuracy)
    nodes = sorted(below)
    worth = [float(np.mean(below[node])) for node in nodes]

    def rank(item: Run) -> Any:
        counts = Counter(tuple(trial.told.point[name] for name in names[:2]) for trial in item.trials)
        return spearmanr([counts[node] for node in nodes], worth, alternative="greater")

    tree, drawn = rank(mine), rank(even)
    text = (
        f"visits of the root's children {root.min()} to {root.max()}; those of the {len(nodes)} nodes below go with "
        f"the mean accuracy of all networks of the table below them by a rank correlation of {tree.statistic:.2f} "
        f"(p = {tree.pvalue:.0e}), at random {drawn.statistic:.2f}"
    )
    worked = tree.pvalue < 0.01 and root.max() > 2 * max(root.min(), 1)
    figures = {"spearman": tree.statistic, "p": tree.pvalue, "random_spearman": drawn.statistic}
    return bench.line(text, worked, mine, even, figures)


def nasbot(bench: Bench) -> Line:
    """The process over the distance of graphs predicts networks that are left out, better than over plain decisions."""
    mine, even = bench.run(), bench.random()
    graphs = cast(GraphBayes, mine.controller())
    plain = GraphBayes(replace(graphs._context, hooks={}))
    seen = GraphBayes(graphs._context)
    for judge in (plain, seen):
        judge.tell([trial.told for trial in even.trials])
    with_graphs, without = seen.left_out(), plain.left_out()
    text = (
        f"left-one-out rank correlation on random networks {with_graphs:.2f} by transport, {without:.2f} by decisions"
    )
    figures = {"transport": with_graphs, "decisions": without}
    return bench.line(text, with_graphs > 0.3 and with_graphs > without, mine, even, figures)


def nao(bench: Bench) -> Line:
    """The decoder gives back what was encoded, also networks that were never encoded before."""
    mine, even = bench.run(), bench.random()
    controller = cast(EncoderSearch, mine.controller())
    known = controller.reconstructed([trial.told.point for trial in mine.trials])
    unseen = controller.reconstructed([trial.told.point for trial in even.trials])
    text = f"{known:.0%} of decisions of known networks come back from the encoder's space, {unseen:.0%} of random ones"
    chance = 1.0 / float(np.mean(mine.recipe.space.decisions.cardinalities))
    return bench.line(text, known > 0.9 and unseen > 2 * chance, mine, even, {"known": known, "unseen": unseen})


def random_search(bench: Bench) -> Line:
    """Early stopping: what is measured in full is ahead of plain draws, for as many training images in all."""
    mine = bench.run()
    images = sum(trial.fidelity for trial in mine.trials)
    full = sum(trial.fidelity == 1.0 for trial in mine.trials)
    plain = bench.run(bench.recipe(driver=Part("ask_tell"), trials=round(images), batch=16))
    found = versus(mine.recipe.goal, [mine], [plain], share=1.0)
    text = f"{full} of {len(mine.trials)} measurements are full, beside {len(plain.trials)} plain draws of equal cost"
    return bench.line(text, full < len(mine.trials) / 4, mine, plain, {"full": full, "plain": len(plain.trials)}, found)


def local_search(bench: Bench) -> Line:
    """Climbs that end where no neighbour is better, each of which was measured; the best is ahead of random search's.

    Late proposals are no measure of it: they are neighbours of an optimum, none of which is better than it, and even
    draws after it. What it delivers is the best that it came to, so bests are compared, in pairs over seeds.
    """
    mine, even = bench.run(), bench.random()
    optima = list(dict.fromkeys(cast(LocalSearch, mine.controller()).optima))
    known = {key_of(trial.told.point): trial.told.outcome.metrics["accuracy"] for trial in mine.trials}
    space, rng = mine.recipe.space.decisions, np.random.default_rng(0)
    around = [[key_of(other) for other in neighbours(space, mine.trials[row].told.point, rng)] for row in optima]
    tops = [known[key_of(mine.trials[row].told.point)] for row in optima]
    none_better = all(known.get(key, np.inf) <= top for keys, top in zip(around, tops, strict=True) for key in keys)
    others = [replace(bench, seed=bench.seed + 100 + place) for place in range(_PAIRS - 1)]
    runs, drawn = [mine, *(each.run() for each in others)], [even, *(each.random() for each in others)]
    chance, p = paired([run.best() for run in runs], [run.best() for run in drawn])
    gain = float(np.mean([run.best() for run in runs]) - np.mean([run.best() for run in drawn]))
    text = (
        f"{len(optima)} climbs ended, at {_list(tops, 3)}; all {sum(map(len, around))} neighbours of these were "
        f"measured and none is better: {'yes' if none_better else 'no'}; over {_PAIRS} seeds its best is {gain:+.3f} "
        f"from random search's, ahead in {chance:.0%} (p = {p:.0e})"
    )
    figures = {"climbs": len(optima), "gain": gain, "ahead": chance, "p": p}
    return bench.line(text, bool(optima) and none_better, mine, even, figures, Versus(chance, p))


def eas(bench: Bench) -> Line:
    """The policy grows certain of transformations, and what it transforms ranks above what it came from."""
    mine, even = bench.run(), bench.random()
    controller = cast(GrowthPolicy, mine.controller())
    bases = [trial.told.point for trial in mine.trials[-40:]]
    certain = float(np.mean([controller.certainty(point) for point in bases]))
    by_quarter = quarters(mine.values("accuracy"))
    text = f"certainty of the last 40 networks' transformations {certain:.2f}, accuracy by quarter {_list(by_quarter)}"
    worked = certain > 0.1 and by_quarter[-1] > by_quarter[0] + 0.02
    return bench.line(text, worked, mine, even, {"certainty": certain})


def nascaps(bench: Bench) -> Line:
    """Routing routes: in a trained network of three rounds votes weigh unevenly, and more so from round to round."""
    mine, even = bench.run(), bench.random()
    found = max(mine.trials, key=lambda trial: trial.told.outcome.metrics.get("accuracy", 0.0)).told.point
    space, data = mine.recipe.space, load_dataset("digits")
    workload = space.network_at({**found, "rounds": 3}).workload
    assert workload is not None, "a trainable space has workloads"
    torch.manual_seed(bench.seed)
    network = QatNetwork(workload)
    train(network, data, Training(150, 0.02), bench.seed)
    network.eval()
    with torch.no_grad():
        values = network.values(network.entered(tensors(data, "held_out")[0]))
    uneven = []
    for number in (2, 3):
        layer = workload.by_name[f"r{number}t1_weights"]
        shares = values[layer.name].reshape(-1, layer.C)
        shares = shares / shares.sum(dim=1, keepdim=True).clamp_min(1e-6)
        uneven.append(float(shares.max(dim=1).values.mean()) * layer.C)
    text = (
        f"the likeliest vote weighs {uneven[0]:.2f} times an even share in the second round of routing, "
        f"{uneven[1]:.2f} times in the third; the most accurate network has {found['rounds']} rounds"
    )
    return bench.line(text, uneven[1] > uneven[0] > 1.05, mine, even, {"second": uneven[0], "third": uneven[1]})


def uninet(bench: Bench) -> Line:
    """A search over kinds comes to more than draws of any one kind do, of as many networks each."""
    mine, even = bench.run(), bench.random()
    space, rng = mine.recipe.space.decisions, np.random.default_rng(bench.seed)
    reward, kinds = mine.recipe.goal.reward, ("conv", "attention", "mixer")
    assert reward is not None, "the recipe has one"
    best = {}
    with opened(mine.recipe) as steps:
        problem = SearchProblem(mine.recipe.space, mine.recipe.goal, steps)
        for kind in kinds:
            held = {"s1_choice": kind, "s2_choice": kind}
            points = [space.completed(held, rng) for _ in range(len(mine.trials))]
            best[kind] = max(reward(outcome.metrics) for outcome in problem.measure(points))
    found = max(mine.trials, key=lambda trial: reward(trial.told.outcome.metrics)).told.point
    chosen = " then ".join(str(found[name]) for name in ("s1_choice", "s2_choice"))
    alone = ", ".join(f"{kind} {value:.3f}" for kind, value in best.items())
    text = f"best reward {mine.best():.3f} ({chosen}); of {len(mine.trials)} drawn networks of one kind {alone}"
    return bench.line(text, mine.best() > max(best.values()), mine, even, best)


def _list(values: list[float], digits: int = 2) -> str:
    return ", ".join(f"{value:,.{digits}f}" for value in values)
