"""How much each controller's own settings matter, against the true front of NAS-Bench-201 on all accelerators.

    python -m benchmarks.oracle_settings --table FILE [--controllers nsga2,...] [--settings 20] [--limit 300] [--json]

A controller that wins with settings found by luck has won a lottery (Krishnan 2023). Each controller runs with its
defaults and with ``--settings`` drawn ones, all from the same seed: whole and real numbers by up to four times less or
more than the default, evenly in logarithms; shares (defaults of at most 1) stay at most 1; a default of 0 stays; true
and false are drawn. Figures are shares of the true hypervolume after ``--limit`` networks (`nested`) and as many pairs
(`ask_tell`): least, median and largest over the drawn settings.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np

from benchmarks.common import Figure, show
from benchmarks.oracle_race import BUDGETS, GOAL, opened, run
from benchmarks.oracle_space import OracleProblem
from codesign.controllers.registry import CONTROLLERS
from codesign.options import Option, as_option
from mappings.errors import SpecError

#: A proposal of theirs takes microseconds; the others are asked for by name.
CHEAP = (
    "local_search,coordinate_descent,nsga2,regularized_evolution,learned_mutation,history_evolution,structured_genome,"
    "evolution_strategy,q_learning,natural_gradient,agents,pruned,tree_search"
)
_FACTOR = 4.0


def drawn(controller: str, rng: np.random.Generator) -> dict[str, Any]:
    """Settings of a controller; names stay at their defaults, since they choose another method."""
    out: dict[str, Any] = {}
    for name, given in CONTROLLERS.get(controller).options.items():
        option = as_option(given)
        if isinstance(option.default, bool):
            out[name] = bool(rng.integers(2))
        elif isinstance(option.default, int | float) and option.default:
            out[name] = _scaled(option, rng)
    return out


def _scaled(option: Option, rng: np.random.Generator) -> float:
    """A number within the option's bounds, drawn about its default."""
    while True:
        value = option.default * float(np.exp(rng.uniform(-1, 1) * np.log(_FACTOR)))
        if isinstance(option.default, int):
            value = max(1, round(value))
        elif option.default <= 1.0:
            value = min(value, 1.0)
        try:
            found: float = option.read(value)
        except ValueError:
            continue
        return found


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--table", required=True)
    parser.add_argument("--dataset", default="cifar10", choices=("cifar10", "cifar100", "imagenet16"))
    parser.add_argument("--device", default="zynq7020")
    parser.add_argument("--controllers", default=CHEAP)
    parser.add_argument("--settings", type=int, default=20)
    parser.add_argument("--limit", type=int, default=300, choices=BUDGETS, help="networks, and pairs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = options.controllers.split(",")
    try:
        oracle, fronts, truth = opened(options, names)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    problem, figures = OracleProblem(oracle, GOAL, fronts), list[Figure]()
    for driver, title in (("nested", "networks, nested"), ("ask_tell", "pairs, joint")):
        for name in names:
            rng, given = np.random.default_rng(options.seed), [dict[str, Any]()]
            given += [drawn(name, rng) for _ in range(options.settings)]
            found = [
                run(oracle, truth, problem, driver, name, options.limit, options.seed, None, item).shares[options.limit]
                for item in given
            ]
            low, middle, high = np.percentile(found[1:], (0, 50, 100))
            value = f"{low:.2%} to {high:.2%}, median {middle:.2%}; defaults {found[0]:.2%}"
            beaten = float(np.mean(np.array(found[1:]) > found[0]))
            figures.append(Figure(f"{title}, {name}, after {options.limit:,}", value))
            figures.append(Figure("  settings that are better than the defaults", beaten))
    return show(f"settings on NAS-Bench-201, {options.dataset}, {options.device}", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
