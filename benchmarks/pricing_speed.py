"""Designs priced a second by the compiled path, its equality with the readable one, and a roof of the same run.

    python -m benchmarks.pricing_speed [--cases 2000] [--compared 500] [--networks 3] [--seed 1] [--json]

One core; CPU time of the process after compilation, from networks and templates to cycles, energy and resources. Each
row is printed as it is measured. A case is a random network of `elastic_mnist` on a random accelerator of `templates`,
no device's budget in the way. A roof is a compiled loop of multiply-adds, each on the one before: as many as the
networks have, as the front's space has designs, or as the policy's matrices have weights for a proposal and its update.
All 10,000 designs are compared with `--cases 10000 --compared 10000`, some ten minutes of the readable path.

The front of a network over the whole hardware space of the default recipe is found by proofs
(`accel_models.pricing.whole`); the slowest of some random networks counts, with what networks share made anew for it,
and none of as many random designs as were timed may stand beside the front.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np

from accel_models.hardware.devices import device
from accel_models.jit import uncounted_entry
from accel_models.pricing.best_first import FIGURES
from accel_models.pricing.price import Priced, Pricer
from accel_models.template.accelerator import template_accelerator
from accel_models.template.cost import mapped_design, template_cost
from accel_models.template.spec import Template
from benchmarks.common import Figure, show
from codesign.controllers.controller import ControllerContext, Told
from codesign.controllers.registry import CONTROLLERS, make_controller
from codesign.objectives import Goal, Outcome
from codesign.providers.cost.whole_hardware import WholeHardware
from codesign.recipe import load_recipe
from codesign.zoo import NETWORKS
from mappings.workload import Workload

DEVICE, TECHNOLOGY = "zynq7020", "fpga_28nm"
TARGET_DEFAULT, TARGET_RESNET, TARGET_WHOLE_S, TARGET_PROPOSALS = 2_000, 100, 10.0, 1_000
Case = tuple[Workload, Template, int, int]


def cases(count: int, seed: int) -> list[Case]:
    """Random points of the default space."""
    rng, space = np.random.default_rng(seed), load_recipe("default").space
    found = []
    for _ in range(count):
        point = space.decisions.draw(rng)
        workload = space.network_at(point).workload
        assert workload is not None
        template = space.hardware.hardware_at(point, workload)
        found.append((workload, template, int(point["tile_rows"]), int(point["tile_channels"])))
    return found


def large_cases(count: int, seed: int) -> list[Case]:
    """ResNet-18 at 224 on random 16x16 accelerators of the default space, 8 bits."""
    rng, space = np.random.default_rng(seed), load_recipe("default").space
    network, hardware = NETWORKS.get("resnet18").workload(), space.decisions.of_groups("hardware", "mapping")
    found: list[Case] = []
    while len(found) < count:
        point = hardware.draw(rng)
        template = space.hardware.hardware_at(point, network)
        if template.rows == template.cols == 16 and template.act_bits == template.weight_bits == 8:
            found.append((network, template, int(point["tile_rows"]), int(point["tile_channels"])))
    return found


def price(drawn: list[Case]) -> Priced:
    """All of them, nothing kept from before."""
    workloads, templates, rows, channels = zip(*drawn, strict=True)
    return Pricer(tech=TECHNOLOGY).price(workloads, templates, rows, channels)


def differing(drawn: list[Case], priced: Priced) -> int:
    """How many figures of designs differ from the readable path's."""
    wrong = 0
    for i, (workload, template, rows, channels) in enumerate(drawn):
        design = mapped_design(workload, template, DEVICE, rows, channels)
        if isinstance(design, tuple):
            wrong += int(priced.code[i] == 0)
            continue
        cost = template_cost(replace(design, accelerator=template_accelerator(template, TECHNOLOGY)))
        if isinstance(cost, tuple):
            wrong += int(priced.code[i] == 0)
            continue
        same = (
            priced.cycles[i] == cost.latency_cycles
            and priced.energy_pj[i] == cost.energy_pj
            and priced.latency_ms[i] == cost.latency_ms
            and cost.resources is not None
            and priced.resources[i].tolist() == [value for _, value in cost.resources]
        )
        wrong += int(not same)
    return wrong


def whole(networks: int, seed: int) -> list[Figure]:
    """Fronts over every accelerator and cap, for latency and energy."""
    recipe, rng = load_recipe("default"), np.random.default_rng(seed)
    space, part = recipe.space, device(recipe.device)
    goal = Goal(("accuracy", "latency_ms", "energy_uj"))
    hardware = space.decisions.of_groups("hardware", "mapping")
    slowest, better, timed, pricer = 0.0, 0, 0, Pricer(part)
    for number in range(networks + 1):
        point = space.decisions.draw(rng)
        workload = space.network_at(point).workload
        assert workload is not None
        started = time.process_time()
        found = WholeHardware(space, part, goal, FIGURES)
        front = found.front(workload)
        if not number:
            continue  # compiled
        slowest, timed = max(slowest, time.process_time() - started), timed + found.account.timed
        drawn = [hardware.draw(rng) for _ in range(found.account.timed)]
        points = [*front, *drawn]
        templates = [space.hardware.hardware_at({**point, **one}, workload) for one in points]
        rows, channels = [int(one["tile_rows"]) for one in points], [int(one["tile_channels"]) for one in points]
        priced = pricer.price([workload], templates, rows, channels)
        costs = np.column_stack([priced.latency_ms, priced.energy_pj])
        kept, others = costs[: len(front)], costs[len(front) :][priced.code[len(front) :] == 0]
        better += int(sum(not (kept <= cost).all(axis=1).any() for cost in others))
    designs = f"{space.accelerators:,.0f} accelerators"
    started = time.process_time()
    multiply_add(int(space.accelerators), 0.5)
    roof_s = time.process_time() - started
    return [
        Figure(f"front of a network over {designs}, s", slowest, f"<= {TARGET_WHOLE_S:g}", slowest <= TARGET_WHOLE_S),
        Figure("as many multiply-adds as it has designs, s", roof_s),
        Figure("programs timed for it, mean", timed / networks),
        Figure(f"of {timed} random designs, not dominated by the front", better, "0", better == 0),
    ]


@uncounted_entry
def multiply_add(count: int, value: float) -> float:
    """A plain loop of so many multiply-adds, each on the result of the one before."""
    total = value
    for _ in range(count):
        total = total * value + 1.0
    return total


def rate(drawn: list[Case]) -> tuple[float, Priced]:
    """Designs a second, and their figures."""
    started = time.process_time()
    priced = price(drawn)
    return len(drawn) / (time.process_time() - started), priced


def roof(drawn: list[Case]) -> float:
    """Designs a second of the loop, each with its network's multiply-adds."""
    macs = sum(workload.macs for workload, *_ in drawn)
    multiply_add(1, 0.5)
    started = time.process_time()
    multiply_add(macs, 0.5)
    return len(drawn) / (time.process_time() - started)


def proposals(count: int, seed: int) -> list[Figure]:
    """Proposals of the policy (`reinforce`) in batches, each told and learned from."""
    space, rng = load_recipe("default").space, np.random.default_rng(seed)
    goal = Goal(("accuracy", "latency_ms", "energy_uj"))
    made = make_controller("reinforce", ControllerContext(seed, space.decisions, goal, 250, count))
    figures = rng.random((count, 3))

    def batch(rows: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
        told = [
            Told(point, Outcome(dict(zip(goal.objectives, map(float, row), strict=True))))
            for point, row in zip(made.ask(len(rows)), rows, strict=True)
        ]
        made.tell(told)

    batch(figures[:16])
    started = time.process_time()
    for start in range(0, count, 250):
        batch(figures[start : start + 250])
    mine = count / (time.process_time() - started)
    # Drawn half as often again as asked for; followed before and in the update, whose way back is twice as long.
    passes = 1.5 + 1 + 3
    hidden = int(CONTROLLERS.get("reinforce").checked({}, "reinforce")["hidden"])
    weights = 8 * hidden * hidden * len(space.decisions.decisions)  # of the cell, each decision
    started = time.process_time()
    multiply_add(int(passes * weights * count), 0.5)
    roofed = count / (time.process_time() - started)
    return [
        Figure("RL proposals/s, in batches of 250", mine, f">= {TARGET_PROPOSALS:,}", mine >= TARGET_PROPOSALS),
        Figure("as many multiply-adds, proposals/s", roofed),
    ]


class Rows(list[Figure]):
    """Figures that are told as they come."""

    def extend(self, some: Iterable[Figure]) -> None:
        """Tell each."""
        for one in some:
            value = f"{one.value:,.4g}" if isinstance(one.value, float) else str(one.value)
            print(f"{one.name}: {value} {one.target}", file=sys.stderr, flush=True)
            self.append(one)


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--compared", type=int, default=500, help="of them, with the readable path")
    parser.add_argument("--networks", type=int, default=3, help="whose whole hardware space is looked at")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = Rows()
    figures.extend(proposals(2_000, options.seed))
    drawn = cases(options.cases, options.seed)
    price(drawn[:1])
    default, priced = rate(drawn)
    figures.extend([
        Figure("default space, designs/s", default, f">= {TARGET_DEFAULT}", default >= TARGET_DEFAULT),
        Figure("of these, that run", float(np.mean(priced.code == 0))),
        Figure("as many multiply-adds, designs/s", roof(drawn)),
    ])  # fmt: skip
    figures.extend(compared(drawn[: options.compared], priced))

    large = large_cases(options.cases // 10, options.seed + 1)
    resnet, priced = rate(large)
    figures.extend([
        Figure("ResNet-18 at 224, 16x16, designs/s", resnet, f">= {TARGET_RESNET}", resnet >= TARGET_RESNET),
        Figure("of these, that run", float(np.mean(priced.code == 0))),
        Figure("as many multiply-adds, designs/s", roof(large[:1])),
    ])  # fmt: skip
    figures.extend(compared(large[:4], priced))
    figures.extend(whole(options.networks, options.seed + 2))
    return show("pricing of template designs, one core", figures, options.json)


def compared(drawn: list[Case], priced: Priced) -> list[Figure]:
    """How many of the first designs differ from the readable path."""
    first = Priced(*(getattr(priced, name)[: len(drawn)] for name in Priced.__dataclass_fields__))
    started = time.process_time()
    wrong = differing(drawn, first)
    readable = len(drawn) / (time.process_time() - started)
    return [
        Figure(f"differing from the readable path, of {len(drawn)}", wrong, "0", wrong == 0),
        Figure("the readable path, designs/s", readable),
    ]


if __name__ == "__main__":
    sys.exit(main())
