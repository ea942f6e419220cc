"""Mechanisms of searches that shrink a network, or its space, to what a device can run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from scipy.stats import spearmanr

from benchmarks.recipes_lines import Bench, Line, quarters, refused
from benchmarks.recipes_runs import PAIRS, Run, Versus, opened, paired, versus
from codesign.accuracy.data import load_dataset
from codesign.accuracy.training import recalibrate, score
from codesign.drivers.registry import DRIVERS
from codesign.drivers.shrinking import Shrinking
from codesign.drivers.transferred import Transferred
from codesign.gradient.predictor import fitted_predictor
from codesign.providers.accuracy.train import TrainProvider
from codesign.recipe import Part, Recipe
from mappings.workload import Workload


def netadapt(bench: Bench) -> Line:
    """The most accurate proposal of each step leads to a better network at the limit than any proposal does.

    Paired over seeds; the control is the same descent, with the same proposals to choose from, and differs in which of
    them it goes on with.
    """
    seeds = [replace(bench, seed=bench.seed + place) for place in range(PAIRS)]
    runs = [each.run() for each in seeds]
    drawn = [each.run(each.recipe("control")) for each in seeds]
    chance, p = paired([run.best() for run in runs], [run.best() for run in drawn])
    mine, limit = runs[0], dict(runs[0].recipe.limits)["macs"]
    steps = [trial.phase for trial in mine.trials]
    costs = [max(t.told.outcome.metrics["macs"] for t in mine.trials if t.phase == s) for s in dict.fromkeys(steps)]
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random"), trials=len(mine.trials)))
    gain = float(np.mean([run.best() for run in runs]) - np.mean([run.best() for run in drawn]))
    text = (
        f"{len(costs)} steps of {len(mine.trials)} proposals to {limit:.0f} multiply-accumulates; over {PAIRS} seeds "
        f"{gain:+.3f} accuracy there against drawn proposals, better in {chance:.0%} (p = {p:.0e})"
    )
    return bench.line(text, gain > 0, mine, even, {"gain": gain, "better": chance, "p": p}, Versus(chance, p))


def haq(bench: Bench) -> Line:
    """Late episodes are ahead of drawn actions that are lowered alike; the best, tuned, of the same bits for all."""
    return _agent(bench, {f"weight_bits_{place}": 2 for place in range(6)}, "2 bits a layer")


def amc(bench: Bench) -> Line:
    """Late episodes are ahead of drawn actions that are bounded alike; the best, tuned, of one share for all."""
    recipe = bench.recipe()
    limit, names = (
        dict(recipe.limits)["macs"],
        [d.name for d in recipe.space.decisions.of_groups("compression").choices],
    )
    shares = recipe.space.decisions.of_groups("compression").choices[0].choices
    fitting = [share for share in shares if _workload(recipe, dict.fromkeys(names, share)).macs <= limit]
    widest = max(float(share) for share in fitting)
    return _agent(bench, dict.fromkeys(names, widest), f"{widest:.0%} of the channels of each")


def _agent(bench: Bench, uniform: dict[str, Any], called: str) -> Line:
    """An agent of compression against drawn actions in its own action space, and its best against a uniform choice.

    The control differs in the actions alone: what is done to hold the limit, and so what can be reached, is the same.
    """
    mine, drawn = bench.run(), bench.run(bench.recipe("control"))
    recipe = mine.recipe
    even = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random")))
    found = versus(recipe.goal, [mine], [drawn])
    metric, limit = recipe.limits[0]
    within = float(1 - np.mean(refused(mine)))
    best = max(
        (t.told for t in mine.trials if t.told.outcome.feasible), key=lambda told: told.outcome.metrics["accuracy"]
    )
    ours, plain = _finished(recipe, [_workload(recipe, best.point), _workload(recipe, uniform)])
    last = quarters(mine.values("accuracy"))[-1]
    text = (
        f"{within:.0%} of {len(mine.trials)} episodes within {limit:.0f} {metric} (random points: "
        f"{1 - np.mean(refused(even)):.0%}); the last quarter names {last:.3f} untuned, drawn actions that are held "
        f"to it alike {np.mean(drawn.values('accuracy')):.3f}; tuned, in integers: its best {ours:.3f}, "
        f"{called} {plain:.3f}"
    )
    figures = {"within": within, "last_quarter": last, "tuned": ours, "uniform": plain, "p": found.p}
    return bench.line(text, within == 1.0 and ours >= plain, mine, even, figures, found)


def _workload(recipe: Recipe, values: dict[str, Any]) -> Workload:
    decisions = recipe.space.decisions.choices
    found = recipe.space.network_at({d.name: d.choices[-1] for d in decisions} | values).workload
    assert found is not None, "a trainable space has workloads"
    return found


def _finished(recipe: Recipe, workloads: list[Workload]) -> list[float]:
    """Accuracies of networks on held-out images, tuned as for deployment, in integers."""
    with opened(recipe) as steps:
        provider = steps[-1].provider
        assert isinstance(provider, TrainProvider), "the last provider trains"
        return [float(found["held_out"]) for _, found in provider.deploy(workloads)]


def atomnas(bench: Bench) -> Line:
    """Networks shrink under their limit while they train, and need no other training; a cheaper channel stays rather.

    The control is the same with one price for all channels. Random points within the limit are tuned as long as the
    channels that are left are.
    """
    mine, alike = bench.run(), bench.run(bench.recipe("control"))
    plain = Part("ask_tell")
    even = bench.run(bench.recipe(driver=plain, controller=Part("random"), trials=60, batch=20))
    runs = [cast(Shrinking, run.driver).found for run in (mine, alike)]
    data = load_dataset(mine.recipe.space.network.dataset)
    for found in (*runs[0], *runs[1]):
        recalibrate(found.network, data)
    own, others = (float(np.mean([score(f.network, data, "held_out") for f in found])) for found in runs)
    limit = dict(mine.recipe.limits)["macs"]
    # By the network itself, before its channels are rounded up to shares.
    within = float(np.mean([found.network.workload.macs <= limit for found in runs[0]]))
    steps = [float(np.sum(np.diff(found.costs) < 0)) for found in runs[0]]
    fitting = even.values("accuracy")
    text = (
        f"{len(runs[0])} networks of {runs[0][0].costs[0]:.0f} multiply-accumulates, {within:.0%} of them under "
        f"{limit:.0f} after {np.mean(steps):.0f} shrinkings on average, name {own:.3f} as they are; with one price for "
        f"all channels {others:.3f}; their channels, from a whole network and tuned, "
        f"{np.mean(mine.values('accuracy')):.3f}, {len(fitting)} random ones within the limit {np.mean(fitting):.3f}"
    )
    figures = {"within": within, "own": own, "one_price": others, "random": float(np.mean(fitting))}
    found = versus(mine.recipe.goal, [mine], [_fitting(even)], share=1.0)
    return bench.line(text, within == 1.0 and min(steps) >= 3 and own > others, mine, even, figures, found)


def mcunet(bench: Bench) -> Line:
    """Even draws of the chosen space that fit are ahead of those of the whole space that fit.

    The control draws as evenly under the same limit and differs in the space alone; the evolution that follows decides
    nothing here.
    """
    mine = bench.run()
    plain = Part("random")
    drawn = bench.run(bench.recipe(controller=plain))
    even = bench.run(bench.recipe(controller=plain, driver=Part("ask_tell"), trials=2 * len(drawn.trials)))
    fit, whole = _fitting(drawn), _fitting(even)
    found = versus(mine.recipe.goal, [fit], [whole], share=1.0)
    names = (*mine.recipe.driver.option("space"), *mine.recipe.driver.option("tied"))
    held = {name: drawn.trials[0].told.point[name] for name in names}
    text = (
        f"chosen: {', '.join(f'{name} {value}' for name, value in held.items())}; {len(fit.trials)} of "
        f"{len(drawn.trials)} draws of it fit, {len(whole.trials)} of {len(even.trials)} of the whole space; those "
        f"that fit are ahead with chance {found.chance:.2f} (p = {found.p:.0e})"
    )
    return bench.line(text, found.told_apart, mine, even, {"space_ahead": found.chance, "p": found.p})


def apq(bench: Bench) -> Line:
    """What the predictor learned of whole networks makes it better at quantised ones that it never saw.

    The control is the same predictor fitted to the same quantised networks alone; both are judged by networks drawn
    without a limit.
    """
    mine = bench.run()
    drawn = Part("ask_tell"), Part("random")
    even = bench.run(bench.recipe(driver=drawn[0], controller=drawn[1]))
    judges = bench.run(bench.recipe(driver=drawn[0], controller=drawn[1], limits=(), trials=100, batch=50))
    driver = cast(Transferred, mine.driver)
    points = [trial.told.point for trial in judges.trials]
    known = judges.values("accuracy")
    assert driver.predictor is not None
    rank, error = _rank(driver.predictor.predicted(points), known)
    fewer = [_alone(mine, driver, points, known, seed) for seed in range(3)]
    alone, missed = (float(np.mean(column)) for column in zip(*fewer, strict=True))
    searched = replace(mine, trials=[trial for trial in mine.trials if trial.phase == "searched"])
    text = (
        f"rank correlation with {len(known)} quantised networks that it did not see {rank:.2f}, off by {error:.3f}; "
        f"fitted to the same {len(driver.compressed)} quantised ones alone {alone:.2f}, off by {missed:.3f}; "
        f"{len(searched.trials)} designs that it leads to name {np.mean(searched.values('accuracy')):.3f} with the "
        f"shared weights, random ones within the limit {np.mean(even.values('accuracy')):.3f}"
    )
    figures = {"rank": rank, "error": error, "rank_alone": alone, "error_alone": missed}
    found = versus(mine.recipe.goal, [searched], [_fitting(even)], share=1.0)
    return bench.line(text, rank > alone + 0.03 and error < missed, searched, even, figures, found)


def _rank(guess: Any, known: Any) -> tuple[float, float]:
    """Rank correlation, and the mean of how far off."""
    return float(spearmanr(guess, known).statistic), float(np.mean(np.abs(np.asarray(guess) - known)))


def _alone(mine: Run, driver: Transferred, points: list[Any], known: Any, seed: int) -> tuple[float, float]:
    """Of a predictor without the transfer."""
    options = DRIVERS.get("transferred").checked(mine.recipe.driver.given, "driver")
    accuracies = [told.outcome.metrics["accuracy"] for told in driver.compressed]
    fitted = fitted_predictor(
        mine.recipe.space.decisions.of_groups("network", "compression").choices,
        [told.point for told in driver.compressed],
        accuracies,
        2 * int(options["fit_steps"]),
        float(options["learning_rate"]),
        seed,
    )
    return _rank(fitted.predicted(points), known)


def _fitting(item: Run) -> Run:
    return replace(item, trials=[trial for trial in item.trials if trial.told.outcome.feasible])
