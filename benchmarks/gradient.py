"""Differentiable search under hard limits: five latency limits, three relaxations; where each derived network ends.

    python benchmarks/gradient.py
    python benchmarks/gradient.py --steps 400 --train 450     # longer; the middle limit's networks are trained, too
    python benchmarks/gradient.py --only-table --data cifar10.npz [--table nb201.csv.gz]   # cells of NAS-Bench-201

Every limit is a share of the way from the fastest to the slowest network of the space on one accelerator. A derived
network must be under its limit by the exact model, and within 5 % of it. With `--train`, the network that each method
derives under the middle limit is trained, beside the best of as many random networks under it as cost as many passes.
Then network and hardware together, against the enumerated optimum of both (`gradient_codesign.py`). With `--data`
the same relaxations search NAS-Bench-201's cells beside random search with as many passes (`gradient_cells.py`).
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np
import torch

from benchmarks.common import Figure, reference_dir, show
from benchmarks.gradient_cells import judged
from benchmarks.gradient_codesign import regrets
from benchmarks.supernet import alone
from codesign.accuracy.data import load_dataset
from codesign.decisions import Point
from codesign.drivers.base import DriverContext, Trial
from codesign.drivers.gradient import Gradient
from codesign.drivers.registry import DRIVERS
from codesign.explorer.problem import SearchProblem, Step
from codesign.providers.base import ProviderContext
from codesign.providers.registry import PROVIDERS, make_provider
from codesign.recipe import Part, Recipe, load_recipe
from mappings.errors import SpecError

METHODS = {"fbnet": "Gumbel-softmax", "proxylessnas": "two-path gates", "gdas": "hard Gumbel"}
RELAXATIONS = {"gumbel_soft": "Gumbel-softmax", "two_path": "two-path gates", "gumbel_hard": "hard Gumbel"}
SHARES = (0.15, 0.3, 0.5, 0.7, 0.9)
FILL = 0.95
HARDWARE = {
    "array": "weight_stationary", "rows": 8, "cols": 8, "input_buffer_kib": 8, "weight_buffer_kib": 8,
    "acc_buffer_kib": 8, "output_buffer_kib": 4, "axi_bits": 64, "clock_mhz": 100,
}  # fmt: skip


class Kept(list[Trial]):
    """A journal in memory."""

    def since(self, start: int) -> list[Trial]:
        """Trials from a number on."""
        return self[start:]

    def append(self, trials: Any, start: int = 0) -> None:
        """A batch."""
        del start
        self.extend(trials)


def problem_of(recipe: Recipe) -> SearchProblem:
    """What is searched, with costs alone."""
    context = ProviderContext(recipe.seed, recipe.device, recipe.space, Path())
    step = Step("schedule", PROVIDERS.get("schedule"), make_provider("schedule", context))
    return SearchProblem(recipe.space, recipe.goal, [step])


def with_limit(recipe: Recipe, limit: float | None, steps: int, seed: int) -> Recipe:
    """The method's recipe on the benchmark's accelerator, costs alone."""
    given = dict(recipe.driver.options) | {"steps": steps, "held": HARDWARE, "hardware_draws": 1, "fill": FILL}
    return replace(
        recipe,
        objectives=("latency_ms",),
        limits=() if limit is None else (("latency_ms", limit),),
        providers=(Part("schedule"),),
        driver=Part("gradient", tuple(given.items())),
        trials=1,
        seed=seed,
    )


def relaxed_as(name: str, base: Recipe) -> Recipe:
    """The networks and limits of one recipe, relaxed as another method does it."""
    return replace(base, driver=load_recipe(name).driver)


def searched(recipe: Recipe) -> Trial:
    """What one search ends with."""
    journal = Kept()
    told = DRIVERS.get("gradient").checked(recipe.driver.given, "driver")

    def maker(*_: Any) -> Any:
        raise AssertionError("a gradient asks no controller")

    space, seed = recipe.space, recipe.seed
    Gradient().run(
        DriverContext(problem_of(recipe), maker, journal, 1, 1, seed, options=told, search_space=space)  # type: ignore[arg-type]
    )
    return journal[0]


def latencies(recipe: Recipe, points: list[Point]) -> list[float]:
    """By the exact model."""
    return [outcome.metrics["latency_ms"] for outcome in problem_of(recipe).measure(points)]


def corner(recipe: Recipe, place: int) -> Point:
    """The point of first or last choices, on the benchmark's accelerator."""
    values = {d.name: d.choices[place] for d in recipe.space.decisions.choices} | HARDWARE
    if place == 0:  # the least block is one that is left out
        values |= {d.name: "skip" for d in recipe.space.decisions.choices if d.name.endswith("_block")}
    return recipe.space.decisions.canonical(values)


def random_best(recipe: Recipe, limit: float, count: int, steps: int, seed: int) -> float:
    """The best held-out accuracy of random networks within the window under a limit."""
    rng, data, best, found = np.random.default_rng(seed), load_dataset(recipe.space.network.dataset), 0.0, 0
    while found < count:
        point = recipe.space.decisions.completed(HARDWARE, rng)
        (latency,) = latencies(recipe, [point])
        if latency <= limit:
            workload = recipe.space.network_at(point).workload
            assert workload is not None
            best, found = max(best, alone(workload, data, steps, seed)), found + 1
    return best


def limited(options: argparse.Namespace) -> list[Figure]:
    """Each method under each limit."""
    base = load_recipe("fbnet")
    plain = with_limit(base, None, options.steps, options.seed)
    low, high = latencies(plain, [corner(plain, 0), corner(plain, -1)])
    figures = [Figure("fastest network, ms", low), Figure("slowest network, ms", high)]
    for name, words in METHODS.items():
        started, kept = time.process_time(), list[Trial]()
        for share in SHARES:
            limit = low + share * (high - low)
            trial = searched(with_limit(relaxed_as(name, base), limit, options.steps, options.seed))
            latency = trial.told.outcome.metrics["latency_ms"]
            kept.append(trial)
            what = f"{words}: latency over a limit of {limit:.4f} ms"
            met = FILL <= latency / limit <= 1
            figures.append(Figure(what, latency / limit, f"{FILL} to 1", met))
        figures.append(
            Figure(f"{words}: {len(SHARES)} searches of {options.steps} steps, CPU-s", time.process_time() - started)
        )
        if options.train:
            limit = low + SHARES[2] * (high - low)
            found = plain.space.network_at(kept[2].told.point).workload
            assert found is not None
            accuracy = alone(found, load_dataset("mnist5k"), options.train, options.seed)
            count = max(2, round(1 + 2 * options.steps / options.train))
            other = random_best(plain, limit, count, options.train, options.seed)
            figures.append(
                Figure(
                    f"{words}: held-out accuracy under {limit:.4f} ms",
                    accuracy,
                    peer=f"{other:.3f}: best of {count} random",
                )
            )
    return figures


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=60, help="of each search")
    parser.add_argument("--train", type=int, default=0, help="steps with which networks are trained; 0: none is")
    parser.add_argument("--searches", type=int, default=4, help="of network and hardware together; 0: none")
    parser.add_argument("--only-together", action="store_true", help="network and hardware together alone")
    parser.add_argument("--data", help="colour images, on which cells of NAS-Bench-201 are searched, too")
    parser.add_argument("--only-table", action="store_true", help="cells of NAS-Bench-201 alone, on --data")
    parser.add_argument("--table", help="accuracies of NAS-Bench-201 (CODESIGN_REFERENCE_DIR/nas/...)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.only_table and not options.data:
        parser.error("--only-table needs --data, the colour images that cells are searched on")
    torch.set_num_threads(1)
    figures = [] if options.only_together or options.only_table else limited(options)
    if options.data and not options.only_together:
        table = options.table or str(reference_dir() / "nas" / "nb201_accuracy_hw.csv.gz")
        try:
            figures += judged(table, options.data, RELAXATIONS, options.steps, options.seed)
        except SpecError as error:
            print(error, file=sys.stderr)
            return 2
    if options.searches and not options.only_table:
        figures += regrets(options.seed, options.searches)
    return show(f"gradient search under limits, {options.steps} steps each", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
