"""Mechanisms of learned predictors of accuracy; each is asked of networks that it was not fitted to."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.recipes_lines import Bench, Line
from benchmarks.recipes_runs import PAIRS, Run, opened, paired, versus
from codesign.drivers.budgeted import Budgeted
from codesign.drivers.forecast import Forecast
from codesign.explorer.problem import SearchProblem
from codesign.predictors.base import PredictorContext, make_predictor
from codesign.providers.accuracy.table import read_table
from codesign.recipe import Part


def srm(bench: Bench) -> Line:
    """Forecasts from the beginning of a curve rank networks better than the last value that was seen of it."""
    mine, even = bench.run(), _even(bench)
    driver = cast(Forecast, mine.driver)
    points, whole, short = _unseen(bench, even)
    guessed = driver.forecast(points, short[:, None])
    line = np.polynomial.Polynomial.fit(*_first(mine), 1)
    gap, plain = float(np.mean(np.abs(guessed - whole))), float(np.mean(np.abs(line(short) - whole)))
    rank, early = float(spearmanr(guessed, whole).statistic), float(spearmanr(short, whole).statistic)
    text = (
        f"forecasts after 12 of 200 epochs are {gap:.3f} off on {len(points)} unseen networks, a line through the "
        f"accuracy there {plain:.3f}; rank correlation {rank:.2f}, of that accuracy {early:.2f}"
    )
    figures = {"error": gap, "line_error": plain, "spearman": rank, "early_spearman": early}
    return bench.line(text, rank > early, mine, even, figures)


def peephole(bench: Bench) -> Line:
    """From layers alone, before any training, it ranks networks that it has not seen."""
    mine, even = bench.run(), _even(bench)
    points, whole, _ = _unseen(bench, even)
    rank = float(spearmanr(cast(Forecast, mine.driver).forecast(points), whole).statistic)
    text = f"forecasts from the layers alone rank {len(points)} unseen networks with correlation {rank:.2f}"
    return bench.line(text, rank > 0.5, mine, even, {"spearman": rank})


def tap(bench: Bench) -> Line:
    """With hardly a training on the new data set it ranks networks there and knows how accurate they come out."""
    mine, even = bench.run(), _even(bench)
    points, whole, _ = _unseen(bench, even)
    guessed = cast(Forecast, mine.driver).forecast(points)
    rank, gap = float(spearmanr(guessed, whole).statistic), float(np.mean(np.abs(guessed - whole)))
    spread = float(np.mean(np.abs(whole - whole.mean())))
    full = int(mine.recipe.driver.option("full"))
    text = (
        f"with {full} trainings on the new data it is {gap:.3f} off there on {len(points)} unseen networks (their "
        f"mean: {spread:.3f}) and ranks them with correlation {rank:.2f}"
    )
    return bench.line(text, rank > 0.5 and gap < spread, mine, even, {"spearman": rank, "error": gap, "mean": spread})


def proxy_budget(bench: Bench) -> Line:
    """The budget that was picked ranks networks that were not picked by, and what it saves finds better ones.

    Random search measures in full, for as many full measurements as the search's cost in all.
    """
    mine = bench.run()
    driver = cast(Budgeted, mine.driver)
    spent = sum(trial.fidelity for trial in mine.trials)
    even = bench.random(bench.recipe(driver=Part("ask_tell"), trials=round(spent)))
    rng = np.random.default_rng([bench.seed, 78])
    points = [mine.recipe.space.decisions.draw(rng) for _ in range(60)]
    with opened(mine.recipe) as steps:
        problem = SearchProblem(mine.recipe.space, mine.recipe.goal, steps)
        whole, part = (problem.measure(points, fidelity=level) for level in (1.0, driver.fidelity))
    rank = float(spearmanr(*([o.metrics["accuracy"] for o in each] for each in (whole, part))).statistic)
    tried = ", ".join(f"{level:g}: {found:.2f}" for level, found in driver.correlations.items())
    text = (
        f"shares of a measurement and their rank correlation: {tried}; {driver.fidelity:g} ranks 60 others with "
        f"{rank:.2f}; {len(mine.trials)} measurements for the price of {spent:.0f}"
    )
    kept = [trial.told.outcome for trial in mine.trials if trial.phase == "kept"]
    found = versus(mine.recipe.goal, [replace(mine, trials=[t for t in mine.trials if t.phase == "kept"])], [even], 1.0)
    figures = {"fidelity": driver.fidelity, "spearman": rank, "price": spent, "kept": len(kept)}
    return bench.line(text, rank > 0.6 and driver.fidelity < 1.0, mine, even, figures, found)


def gnn_predictor(bench: Bench) -> Line:
    """Over graphs it ranks networks that it has not seen, better than a forest over decisions."""
    mine, even = bench.run(), bench.random()
    graphs, trees = (_ranks(bench, even, kind, PAIRS) for kind in ("graph", "trees"))
    chance, p = paired(graphs, trees)
    text = (
        f"fitted to 40 networks it ranks others with correlation {np.mean(graphs):.2f}, a forest over the decisions "
        f"{np.mean(trees):.2f} (better in {chance:.0%} of {PAIRS} draws, p = {p:.0e})"
    )
    figures = {"graph": float(np.mean(graphs)), "trees": float(np.mean(trees)), "p": p}
    return bench.line(text, float(np.mean(graphs)) > 0.5 and p < 0.01, mine, even, figures)


def semi_nas(bench: Bench) -> Line:
    """Networks that nobody trained make the same predictor better."""
    mine, even = bench.run(), bench.random()
    taught, alone = (_ranks(bench, even, "semi_supervised", PAIRS, drawn) for drawn in (400, 0))
    chance, p = paired(taught, alone)
    text = (
        f"fitted to 40 networks it ranks others with correlation {np.mean(taught):.2f}, without unmeasured ones "
        f"{np.mean(alone):.2f} (better in {chance:.0%} of {PAIRS} draws, p = {p:.0e})"
    )
    return bench.line(
        text, p < 0.01, mine, even, {"taught": float(np.mean(taught)), "alone": float(np.mean(alone)), "p": p}
    )


def _ranks(bench: Bench, even: Run, kind: str, draws: int, unmeasured: int = 400) -> list[float]:
    """Rank correlations, on 300 networks, of predictors that are each fitted to 40 others."""
    recipe = even.recipe
    space, network = recipe.space.decisions, recipe.space.network
    known = read_table(bench.table).accuracy[str(network.dataset), "test_200"]
    out = []
    for draw in range(draws):
        rng = np.random.default_rng([bench.seed, draw])
        points = [space.draw(rng) for _ in range(340)]
        accuracies = np.array([[known[recipe.space.network_at(point).key]] for point in points])
        predictor = make_predictor(kind, PredictorContext(space, draw, recipe.space.hooks, unmeasured=unmeasured))
        predictor.fit(points[:40], accuracies[:40])
        out.append(float(spearmanr(predictor.predict(points[40:])[0][:, 0], accuracies[40:, 0]).statistic))
    return out


def _even(bench: Bench) -> Run:
    """Random search with as many full measurements as the method has: what it measured in part is not counted."""
    recipe = bench.recipe()
    options = recipe.driver
    full, first, levels = int(options.option("full")), int(options.option("first")), len(options.option("levels"))
    left = recipe.trials - first * levels
    if options.option("reads") == "curve":
        kept = float(options.option("keep"))
        left = full + round((left - full) * kept / (1 + kept))
    return bench.random(bench.recipe(driver=Part("ask_tell"), trials=left))


def _unseen(bench: Bench, even: Run) -> tuple[list[dict[str, object]], NDArray[np.float64], NDArray[np.float64]]:
    """300 networks, with their accuracies after the long training and after the short one."""
    rng = np.random.default_rng([bench.seed, 77])
    space = even.recipe.space
    points = [space.decisions.draw(rng) for _ in range(300)]
    names = [space.network_at(point).key for point in points]
    table = read_table(bench.table).accuracy
    dataset = str(space.network.dataset)
    whole, short = (np.array([table[dataset, split][name] for name in names]) for split in ("test_200", "test_12"))
    return points, whole, short


def _first(mine: Run) -> tuple[list[float], list[float]]:
    """Short and full accuracies of the networks that the forecast was fitted to."""
    short = {str(t.told.point): t.told.outcome.metrics["accuracy"] for t in mine.trials if t.fidelity < 1.0}
    whole = [t.told for t in mine.trials if t.phase == "first"]
    return [short[str(item.point)] for item in whole], [item.outcome.metrics["accuracy"] for item in whole]
