"""Mechanisms of searches that know the hardware; each says what its figure is and when it counts as working."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from scipy.stats import fisher_exact, mannwhitneyu

from benchmarks.recipes_lines import Bench, Line, quarters, refused
from benchmarks.recipes_runs import Run, exactly, standing, versus, worth
from codesign.controllers.plain import CoordinateDescent
from codesign.controllers.policy import PolicySearch
from codesign.controllers.surrogate import SurrogateEvolution
from codesign.decisions import Decision, Point
from codesign.providers.cost.predicted import PredictedProvider
from codesign.providers.cost.targets import TargetsProvider
from codesign.quantization.deploy import deploy
from codesign.quantization.qat import QatNetwork
from codesign.recipe import Part
from mappings.workload import Workload
from rtl_templates.simulate import SimReport, simulate

#: Searches for several devices whose late networks are counted together.
_SEARCHES = 3


def fnas(bench: Bench) -> Line:
    """Refused networks are never trained, and the policy learns to propose fewer of them."""
    mine, even, free = bench.run(), bench.random(), bench.run(bench.recipe("ungated"))
    over = quarters(refused(mine))
    trained, bound = mine.trained, dict(mine.recipe.limits)["latency_ms"]
    best = max(free.outcomes, key=lambda outcome: outcome.metrics["accuracy"])
    misses, speedup = best.metrics["latency_ms"] / bound, len(mine.trials) / trained
    text = (
        f"{len(mine.trials)} networks, {trained} trained ({speedup:.2f}x fewer); over the limit {over[0]:.0%} of the "
        f"first quarter, {over[-1]:.0%} of the last (random "
        f"{refused(even).mean():.0%}); ungated best misses it {misses:.2f}x"
    )
    worked = over[-1] < 0.5 * over[0] and speedup > 1 and misses > 1
    return bench.line(
        text, worked, mine, even, {"speedup": speedup, "ungated_misses": misses, "last_refused": over[-1]}
    )


def fnass(bench: Bench) -> Line:
    """Networks meet the limit by their best schedule that one schedule for all would refuse."""
    mine, even = bench.run(), bench.random()
    space, bound = mine.recipe.space.decisions, dict(mine.recipe.limits)["latency_ms"]
    mapping = [decision for decision in space.choices if decision.group == "mapping"]
    schedules, names = _product(mapping), {decision.name for decision in mapping}
    networks = {mine.recipe.space.network_at(trial.told.point).key: trial.told.point for trial in mine.trials}
    rows = []
    for point in networks.values():
        network = {name: value for name, value in point.items() if name not in names}
        rows.append([outcome.metrics["latency_ms"] for outcome in mine.problem.price(network, schedules)])
    table = np.array(rows)  # [networks, schedules]
    best = table.min(axis=1)
    rescued = ((table > bound) & (best <= bound)[:, None]).sum(axis=0)
    gain = float(np.median((table / best[:, None]).mean(axis=0)))
    middle, least = float(np.median(rescued)), int(rescued.min())
    text = (
        f"{len(networks)} networks, {len(schedules)} schedules each: the median of the schedules for all would refuse "
        f"{middle:.0f} that meet the limit by their own (the best: {least}) and is {gain:.2f}x slower; "
        f"{int((best > bound).sum())} meet it by none and are not trained"
    )
    return bench.line(text, middle > 0, mine, even, {"rescued_median": middle, "rescued_least": least, "gain": gain})


def _product(decisions: Sequence[Decision]) -> list[Point]:
    out: list[Point] = [{}]
    for decision in decisions:
        out = [{**point, decision.name: choice} for point in out for choice in decision.choices]
    return out


def co_exploration(bench: Bench) -> Line:
    """The fast level prices many designs for each training of the slow one, and its front is ahead of one level's."""
    mine, even = bench.run(), bench.random()
    trained = mine.trained
    priced = mine.recipe.trials * int(mine.recipe.driver.option("inner_trials"))
    joint = bench.run(
        bench.recipe(driver=Part("ask_tell"), controller=Part("reinforce"), controllers=(), trials=trained, batch=8)
    )
    ahead = _front_ahead(mine, joint)
    text = (
        f"{priced} designs priced for {trained} trainings; its designs are ahead of those of one level "
        f"with as many trainings with chance {ahead:.2f}"
    )
    return bench.line(
        text, priced > 10 * trained and ahead > 0.6, mine, even, {"priced": priced, "trained": trained, "ahead": ahead}
    )


def _front_ahead(one: Run, other: Run) -> float:
    rated = standing(one.recipe.goal, [*one.outcomes, *other.outcomes])
    first, second = rated[: len(one.outcomes)], rated[len(one.outcomes) :]
    return float(mannwhitneyu(first, second).statistic) / (len(first) * len(second))


def software_defined_dse(bench: Bench) -> Line:
    """Widths of data found with the network meet both limits; the network first, at 16 bits, does worse."""
    mine, even, after = bench.run(), bench.random(), bench.run(bench.recipe("afterwards"))
    over = quarters(refused(mine))
    separate = after.best()
    gain = mine.best() - (0.0 if np.isnan(separate) else separate)
    said = "nothing" if np.isnan(separate) else f"{separate:.3f}"
    widths = [trial.told.point["weight_bits"] for trial in mine.trials[-80:] if trial.told.outcome.feasible]
    text = (
        f"over a limit {over[0]:.0%} of the first quarter, {over[-1]:.0%} of the last; accuracy {mine.best():.3f}, "
        f"network first at 16 bits: {said}; late weights have {float(np.mean(widths)):.1f} bits"
    )
    return bench.line(text, over[-1] < 0.5 * over[0] and gain > 0, mine, even, {"gain": gain, "last_refused": over[-1]})


def mnasnet(bench: Bench) -> Line:
    """A soft target bends the search, a hard one bends it more."""
    mine, even, hard = bench.run(), bench.random(), bench.run(bench.recipe("hard"))
    assert mine.recipe.reward is not None
    target = float(mine.recipe.reward.option("target"))

    def over(item: Run) -> float:
        values = item.values("latency_ms")
        return float((values[len(values) // 2 :] > target).mean())

    soft, strict, drawn = over(mine), over(hard), over(even)
    reward = mine.recipe.goal.reward
    assert reward is not None
    by_quarter = quarters([reward(outcome.metrics) for outcome in mine.outcomes])
    text = (
        f"reward by quarter {', '.join(f'{value:.2f}' for value in by_quarter)}; over the target {soft:.0%} of late "
        f"designs, with the hard form {strict:.0%}, at random {drawn:.0%}"
    )
    worked = by_quarter[-1] > by_quarter[0] and strict < soft and strict < drawn
    return bench.line(text, worked, mine, even, {"over_soft": soft, "over_hard": strict, "over_random": drawn})


def monas(bench: Bench) -> Line:
    """The weight moves the search along the trade-off; the constrained mode learns its bound."""
    mine, even = bench.run(), bench.random()
    frugal, bound = bench.run(bench.recipe("frugal")), bench.run(bench.recipe("constrained"))

    def late(item: Run, metric: str) -> float:
        values = item.values(metric)
        return float(np.median(values[-len(values) // 3 :]))

    over = quarters(refused(bound))
    energies = late(mine, "energy_uj"), late(frugal, "energy_uj")
    text = (
        f"late energy {energies[0]:.1f} uJ at accuracy {late(mine, 'accuracy'):.2f}, with more weight on energy "
        f"{energies[1]:.1f} uJ at {late(frugal, 'accuracy'):.2f}; "
        f"constrained: over the bound {over[0]:.0%}, then {over[-1]:.0%}"
    )
    worked = energies[1] < 0.9 * energies[0] and over[-1] < over[0]
    return bench.line(
        text, worked, mine, even, {"energy_uj": energies[0], "frugal_energy_uj": energies[1], "last_refused": over[-1]}
    )


def fpnet(bench: Bench) -> Line:
    """The macro-architecture stays, the policy learns, and the hardware runs in the cycles that the search was told."""
    mine, even = bench.run(), bench.random()
    certain = cast(PolicySearch, mine.controller()).certainty()
    reward = mine.recipe.goal.reward
    assert reward is not None
    best = max(mine.trials, key=lambda trial: reward(trial.told.outcome.metrics))
    told = best.told.outcome.metrics["latency_cycles"]
    ran = _simulated_cycles(mine, best.told.point, bench.seed)
    depths = {
        len(candidate.workload.layers)
        for candidate in mine.recipe.space.decode([t.told.point for t in mine.trials[:20]])
        if candidate.workload
    }
    text = f"one depth ({depths}); certainty {certain:.2f}; the best takes {told:.0f} cycles, {ran} in simulated RTL"
    return bench.line(
        text, len(depths) == 1 and ran == told and certain > 0.2, mine, even, {"told_cycles": told, "rtl_cycles": ran}
    )


def _simulated_cycles(item: Run, point: Mapping[str, Any], seed: int) -> int:
    """Cycles of a design with random weights on one random image, under Verilator."""
    (candidate,) = item.recipe.space.decode([dict(point)])
    assert candidate.design is not None and candidate.workload is not None
    torch.manual_seed(seed)
    network = deploy(QatNetwork(candidate.workload).eval())
    image = np.random.default_rng(seed).integers(0, 127, (1, *_shape(candidate.workload)))
    report = simulate(candidate.design, network, {candidate.workload.inputs[0].name: image.astype(np.int64)})
    assert isinstance(report, SimReport)
    return report.cycles


def _shape(workload: Workload) -> tuple[int, int, int]:
    image = workload.inputs[0]
    return image.C, image.H, image.W


def fpga_dnn(bench: Bench) -> Line:
    """Coordinate steps that were kept are no worse; they are few, and the walks rise."""
    mine, even = bench.run(), bench.random()
    controller = cast(CoordinateDescent, mine.controller())
    tried, kept = sum(controller.tried.values()), sum(controller.kept.values())
    groups = {d.name: d.group for d in mine.recipe.space.decisions.decisions}
    both = {groups[name] for name in controller.kept if name}
    text = f"{tried} single-coordinate steps, {kept} kept ({kept / tried:.0%}), in {', '.join(sorted(both))}"
    worked = 0 < kept < tried and {"network", "hardware"} <= both
    return bench.line(text, worked, mine, even, {"tried": tried, "kept": kept})


def yoso(bench: Bench) -> Line:
    """The predictor is right enough on networks that it never saw, and one stage is ahead of two by exact figures."""
    mine, even, two = bench.run(), bench.random(), bench.run(bench.recipe("two_stage"))
    predictor = next(step.provider for step in mine.steps if step.name == "predicted")
    error = {item.metric: item for item in cast(PredictedProvider, predictor).calibration}
    reward, judge = mine.recipe.goal.reward, two.problem
    assert reward is not None
    best = sorted((t for t in mine.trials if t.told.outcome.feasible), key=lambda t: -reward(t.told.outcome.metrics))[
        :10
    ]
    exact = [judge.measure([trial.told.point])[0] for trial in best]
    one, other = (max((o.metrics for o in outcomes if o.feasible), key=reward) for outcomes in (exact, two.outcomes))
    gain = reward(one) / reward(other)
    less = {metric: one[metric] / other[metric] for metric in ("latency_ms", "energy_uj")}
    text = (
        f"held-out networks: latency off by {error['latency_ms'].mape:.1%} (rank {error['latency_ms'].spearman:.2f}), "
        f"energy by {error['energy_uj'].mape:.1%}; its best, priced exactly, scores {gain:.2f}x that of two stages, "
        f"with {less['latency_ms']:.2f}x its latency, {less['energy_uj']:.2f}x its energy and accuracy "
        f"{one['accuracy']:.3f} beside {other['accuracy']:.3f}"
    )
    worked = error["latency_ms"].spearman > 0.7 and error["energy_uj"].spearman > 0.7 and gain > 1
    figures = {"mape_latency": error["latency_ms"].mape, "spearman_latency": error["latency_ms"].spearman, "gain": gain}
    return bench.line(text, worked, mine, even, figures | less)


def chamnet(bench: Bench) -> Line:
    """Predictors rank what they never saw, and what they admit meets the limit by exact figures, or nearly."""
    mine, even = bench.run(), bench.random()
    predictor = cast(PredictedProvider, next(step.provider for step in mine.steps if step.name == "predicted"))
    error = {item.metric: item for item in predictor.calibration}["latency_ms"]
    accuracy = float(np.mean(cast(SurrogateEvolution, mine.controller()).correlations))
    admitted = [trial.told.point for trial in mine.trials if trial.told.outcome.feasible]
    bound = dict(mine.recipe.limits)["latency_ms"]
    exact = exactly(bench.recipe(), admitted)
    within = float(np.mean([ms <= bound * (1 + 2 * error.mape) for ms in exact]))
    text = (
        f"held-out networks: latency off by {error.mape:.1%} (rank {error.spearman:.2f}); accuracy and latency of "
        f"unseen proposals ranked with {accuracy:.2f}; {within:.0%} of {len(exact)} admitted are within the limit and "
        "twice that error"
    )
    worked = error.spearman > 0.7 and accuracy > 0.2 and within > 0.9
    return bench.line(text, worked, mine, even, {"mape": error.mape, "spearman": error.spearman, "within": within})


def htas(bench: Bench) -> Line:
    """Late networks of a search for all devices miss the limit on some less often than those of searches for one.

    The control is the same search for each of the devices alone, in turn, so that no choice of a device decides. Late
    networks of several seeds are counted together, each seed's beside its own controls.
    """
    together, single = list[bool](), dict[str, list[bool]]()
    runs, drawn = list[Run](), list[Run]()
    for place in range(_SEARCHES):
        each = replace(bench, seed=bench.seed + 100 * place)
        mine = each.run()
        runs, drawn = [*runs, mine], [*drawn, each.random()]
        together += _missing(mine, mine)
        part = next(part for part in mine.recipe.providers if part.name == "targets")
        for device in part.option("hardware"):
            alone = tuple(
                Part("targets", (("hardware", (device,)),)) if p is part else p for p in mine.recipe.providers
            )
            single.setdefault(device, []).extend(_missing(bench.run(replace(mine.recipe, providers=alone)), mine))
    apart = [miss for found in single.values() for miss in found]
    share, control = float(np.mean(together)), float(np.mean(apart))
    table = [[sum(together), len(together) - sum(together)], [sum(apart), len(apart) - sum(apart)]]
    p = float(fisher_exact(table, alternative="less").pvalue)
    said = ", ".join(f"{name} {float(np.mean(found)):.0%}" for name, found in single.items())
    text = (
        f"{_SEARCHES} searches: of {len(together)} late networks {share:.0%} miss the limit on some device; of "
        f"{len(apart)} of searches for one device {control:.0%} ({said}), p = {p:.0e}; accuracy {runs[0].best():.3f}"
    )
    figures = {"missing": share, "single_missing": control, "p": p}
    return bench.line(text, p < 0.01, runs[0], drawn[0], figures, versus(runs[0].recipe.goal, runs, drawn))


def _missing(item: Run, judge: Run) -> list[bool]:
    """Whether each late network of a run is over the limit on any of the devices of the judge."""
    provider = cast(TargetsProvider, next(step.provider for step in judge.steps if step.name == "targets"))
    bound = dict(judge.recipe.limits)["latency_ms"]
    late = [item.recipe.space.network_at(t.told.point).workload for t in item.trials[len(item.trials) // 2 :]]
    return [max(m.metrics["latency_ms"] for m in provider.each(w).values()) > bound for w in late if w]


def hurricane(bench: Bench) -> Line:
    """Even draws from the device's own pool are ahead of those from the whole space; late layers come first.

    What the method adds is the pool, so the control draws as evenly and differs in the pool alone. Against evolution in
    the whole space its late trials are told beside it, and decide nothing: there the two stages differ too.
    """
    mine, even = bench.run(), bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random")))
    whole = bench.run(bench.recipe(driver=Part("ask_tell")))
    found = worth(bench.recipe())
    pool = tuple((name, tuple(sorted({t.told.point[name] for t in mine.trials}))) for name in found)
    drawn = bench.run(bench.recipe(driver=Part("ask_tell"), controller=Part("random"), choices=pool))
    choices = next(iter(found.values()))
    mean = {choice: float(np.mean([each[choice] for each in found.values()])) for choice in choices}
    spread = max(mean.values()) / min(mean.values())
    gain = versus(mine.recipe.goal, [drawn], [even], share=1.0)
    late = versus(mine.recipe.goal, [mine], [replace(whole, trials=whole.trials[len(whole.trials) // 2 :])])
    phases = {phase: sum(trial.phase == phase for trial in mine.trials) for phase in ("late", "early")}
    text = (
        f"pool: {', '.join(map(str, sorted({c for _, kept in pool for c in kept})))} of {', '.join(map(str, choices))} "
        f"(worth {spread:.2f}x the least), whose even draws are ahead with chance {gain.chance:.2f}; "
        f"{phases['late']} late, {phases['early']} early trials; against evolution in the whole space {late.chance:.2f}"
    )
    figures = {"worth_spread": spread, "pool_ahead": gain.chance, "ahead_of_whole_space": late.chance}
    return bench.line(text, spread > 1.05 and gain.told_apart, mine, even, figures)


def codesign_nas(bench: Bench) -> Line:
    """Phases in turn, each of which raises the reward; phases are ahead of the separate strategy."""
    mine, even = bench.run(), bench.random()
    combined, separate = bench.run(bench.recipe("combined")), bench.run(bench.recipe("separate"))
    reward = mine.recipe.goal.reward
    assert reward is not None
    best, gains = -np.inf, dict[str, float]()
    for trial in mine.trials:
        if not trial.told.outcome.feasible:
            continue
        found = reward(trial.told.outcome.metrics)
        gains.setdefault(trial.phase, 0.0)
        if found > best:
            gains[trial.phase] += found - best if np.isfinite(best) else 0.0
            best = found
    parts = {
        part: sum(gain for phase, gain in gains.items() if phase.endswith(part)) for part in ("network", "hardware")
    }
    text = (
        f"{len(gains)} phases; those of networks add {parts['network']:.3f} to the best reward, those of hardware "
        f"{parts['hardware']:.3f}; best {best:.3f}, combined {combined.best():.3f}, separate {separate.best():.3f}"
    )
    worked = min(parts.values()) > 0 and best > separate.best()
    return bench.line(text, worked, mine, even, {**parts, "combined": combined.best(), "separate": separate.best()})
