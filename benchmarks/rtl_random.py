"""Random layers on random hardware under random back-pressure: bit-exact, never hung, in the predicted cycles."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np
from rich.console import Console

from accel_models.report import Infeasible
from accel_models.schedule import schedule_network
from accel_models.template.spec import ArrayKind, Template
from benchmarks.common import Figure, show
from benchmarks.rtl_cases import design, inputs, quantized, reference
from benchmarks.rtl_graphs import random_workload
from benchmarks.rtl_layers import narrowed, pruned, random_memory, random_template
from mappings.errors import SpecError
from rtl_templates.simulate import Job, simulate_jobs


@dataclass
class Tally:
    """What the cases came to.

    Attributes:
        cases, infeasible: layers run, and layers that no tile of the hardware's buffers holds.
        timed: cases without pauses, whose cycles are predicted.
        wrong, inexact, failed: descriptions of cases that differ, are not as predicted, or did not end.
        operators: how many of each.
        parts: configurations with each array, size, width and option.
    """

    cases: int = 0
    infeasible: int = 0
    timed: int = 0
    hardware: int = 0
    wrong: list[str] = field(default_factory=list)
    inexact: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    operators: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)


def parts_of(template: Template) -> list[str]:
    """What a configuration covers."""
    return [
        str(template.array),
        "square" if template.rows == template.cols else "rows differ from columns",
        f"largest side {template.word_lanes}",
        *(["32 x 32"] if template.rows == template.cols == 32 else []),
        f"int{template.act_bits}",
        f"bus of {template.axi_bits} bits",
        f"{template.acc_stages} stages to the accumulators",
        f"{template.ppu_stages} stages behind post-processing",
        f"{template.vector_taps} taps in the vector unit",
        f"{template.weight_packing} weights in the place of one",
        *(["two narrow products at a time"] if template.dual_rate else []),
        *(["skipped taps"] if template.tap_skipping else []),
        "buffers at any byte" if template.unaligned else "buffers between words",
    ]


def draw_job(rng: np.random.Generator, template: Template) -> Job | None:
    """A random network at random places, its numbers and inputs; None: no tile of it fits the buffers."""
    workload = pruned(rng, narrowed(rng, random_workload(rng, template), template), template)
    places = int(rng.integers(1000)) if rng.integers(2) else None
    try:
        schedule = schedule_network(design(workload, random_memory(rng, template)), scatter=places)
    except SpecError:  # taps are skipped by blocks of channels, which lie with holes between them
        workload = replace(workload, layers=tuple(replace(y, kept_taps=0, tap_block=(0, 0)) for y in workload.layers))
        schedule = schedule_network(design(workload, random_memory(rng, template)), scatter=places)
    if isinstance(schedule, Infeasible):
        return None
    draw = int(rng.integers(2**31))
    stall = int(rng.choice([0, 0, 20, 80, 160]))
    return Job(schedule, quantized(workload, draw), inputs(workload, draw + 1), stall, draw)


def run_hardware(number: int, seed: int, cases: int, tally: Tally) -> None:
    """One random hardware of each array in turn, and ``cases`` random layers on it."""
    rng = np.random.default_rng([seed, number])
    largest = 32 if number % 11 == 9 else None
    template = random_template(rng, list(ArrayKind)[number % len(ArrayKind)], largest)
    tally.parts.update(parts_of(template))
    jobs: list[Job] = []
    names: list[str] = []
    while len(jobs) < cases:
        job = draw_job(rng, template)
        if job is None:
            tally.infeasible += 1
            continue
        workload = job.schedule.workload
        jobs.append(job)
        names.append(f"seed {seed} hardware {number} case {len(names)}: {workload.layers[-1].to_dict()} on {template}")
        tally.operators[workload.name] += 1
        tally.operators["with skipped taps"] += any(plan.shape.kept > 0 for plan in job.schedule.plans)
    tally.hardware += 1
    tally.cases += len(jobs)
    try:
        reports = simulate_jobs(jobs)
    except SpecError as error:
        tally.failed.append(f"hardware {number}: {error}")
        return
    for job, name, report in zip(jobs, names, reports, strict=True):
        expected = reference(job.network, job.inputs)
        if any(not np.array_equal(expected[key], value) for key, value in report.outputs.items()):
            tally.wrong.append(name)
        if job.stall == 0:
            tally.timed += 1
            if not report.exact:
                tally.inexact.append(f"{name}: {report.cycles} cycles, predicted {report.predicted_cycles}")


def main() -> int:
    """The exit status is 1 where a case fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--hardware", type=int, default=0, help="configurations; default: one for 50 cases, at least 1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    console = Console(stderr=True)
    hardware = options.hardware or max(1, options.cases // 50)
    tally, begin = Tally(), time.perf_counter()
    for number in range(hardware):
        share = options.cases * (number + 1) // hardware - options.cases * number // hardware
        run_hardware(number, options.seed, share, tally)
        console.print(
            f"{tally.cases} cases on {tally.hardware} configurations, {len(tally.wrong)} wrong, "
            f"{len(tally.inexact)} inexact, {len(tally.failed)} failed, {time.perf_counter() - begin:.0f} s"
        )
    for line in [*tally.wrong, *tally.inexact, *tally.failed]:
        console.print(line)
    enough = tally.cases >= options.cases
    figures = [
        Figure("cases run", tally.cases, f"{options.cases}", enough),
        Figure("hardware configurations", tally.hardware, f"{hardware}", tally.hardware >= hardware),
        Figure("cases not bit-exact", len(tally.wrong), "0", not tally.wrong),
        Figure("configurations that hung or failed", len(tally.failed), "0", not tally.failed),
        Figure("cases without pauses", tally.timed),
        Figure("of these not in the predicted cycles", len(tally.inexact), "0", not tally.inexact),
        Figure("layers that no buffer holds, drawn again", tally.infeasible),
        Figure("seconds", time.perf_counter() - begin),
    ]
    figures += [Figure(f"cases: {name}", count) for name, count in sorted(tally.operators.items())]
    figures += [Figure(f"configurations: {name}", count) for name, count in sorted(tally.parts.items())]
    return show("Random layers on random hardware", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
