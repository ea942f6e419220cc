"""Evaluations a second of the scalar and the batch path, their equality, and growth from 10^3 mappings on.

    python -m benchmarks.batch_speed [--quick] [--most 100000000] [--json]

One core; the time is CPU time of the process. The batch is evaluated complete: bits of every level, capacities, cycles
and energy, for a 3x3 convolution on three levels of memory and 7 loops. Mappings stream through one buffer.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np

from accel_models.accelerators import accelerator
from accel_models.batch import evaluate_batch
from accel_models.evaluate import evaluate_nest
from accel_models.mapper.generate import Generator
from accel_models.report import Infeasible
from accel_models.translate import column_to_nest
from benchmarks.common import Figure, show
from mappings.layer import Bits, Layer, Op
from mappings.mapspace import MappingColumns

LAYER = Layer("conv3x3", Op.CONV, N=4, K=64, C=64, P=56, Q=56, R=3, S=3, bits=Bits(8, 8, 8, 8))
CHUNK = 50_000
TARGET_RATE = 10e6
MAX_GROWTH_MB = 50


def memory_mb() -> float:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(columns: MappingColumns, count: int) -> tuple[float, int]:
    """Scalar evaluations a second, and how many of the first ``count`` differ from the batch."""
    target = accelerator("ca1")
    cost = evaluate_batch([LAYER], columns, [target])
    nests = [column_to_nest(columns, row, LAYER, target) for row in range(count)]
    started = time.process_time()
    scalar = [evaluate_nest(nest, target) for nest in nests]
    rate = count / (time.process_time() - started)
    different = 0
    for row, one in enumerate(scalar):
        if isinstance(one, Infeasible):
            different += int(cost.code[row] == 0)
        else:
            energy = one.total_energy_pj or 0.0
            same = cost.cycles[row] == one.cycles and abs(cost.energy_pj[row] - energy) <= 1e-12 * energy
            different += int(not same)
    return rate, different


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="fewer mappings, no judgement of the speed")
    parser.add_argument("--most", type=int, default=10**8, help="mappings of the longest run")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    target = accelerator("ca1")
    columns = Generator(LAYER, target, seed=1).take(CHUNK)
    rate, different = compare(columns, 60 if options.quick else 400)
    figures = [
        Figure("scalar, evaluations/s", rate),
        Figure("differing from the scalar path", different, "0", different == 0),
    ]
    sizes = [10**k for k in range(3, 9) if 10**k <= (10**5 if options.quick else options.most)]
    rates, before = [], memory_mb()
    for size in sizes:
        started, left, checksum = time.process_time(), size, 0
        while left > 0:
            part = columns if left >= CHUNK else columns.rows(slice(0, left))
            checksum += int(evaluate_batch([LAYER], part, [target]).feasible.sum())
            left -= len(part)
        rates.append(size / (time.process_time() - started))
        figures.append(Figure(f"batch of {size:.0e}, evaluations/s", rates[-1]))
        if not 0 < checksum <= size:
            raise AssertionError("no feasible mapping, or more than were made")
    fastest = float(np.max(rates))
    judged = None if options.quick else fastest >= TARGET_RATE
    figures.append(Figure("batch, evaluations/s", fastest, ">= 1e7", judged, "Timeloop 4e3, ZigZag 3e2"))
    steady = None if options.quick else rates[-1] >= 0.5 * fastest
    figures.append(Figure("largest over fastest", rates[-1] / fastest, ">= 0.5", steady))
    growth = memory_mb() - before
    figures.append(Figure("memory growth, MB", growth, f"<= {MAX_GROWTH_MB}", growth <= MAX_GROWTH_MB))
    return show("batch evaluation, 3x3 convolution on ca1, one core", figures, options.json)


if __name__ == "__main__":
    sys.exit(main())
