"""Evaluations a second of the scalar and the batch path, their equality, and growth from 10^3 mappings on.

    python -m benchmarks.batch_speed [--quick] [--most 100000000] [--seed 1] [--json]

One core; the time is CPU time of the process. The batch is evaluated complete: bits of every level, capacities, cycles
and energy, for a 3x3 convolution on three levels of memory and 7 loops. All mappings of a run are distinct, and stream
in constant memory: see :class:`Stream`. "evaluations/s" times the evaluation alone, "with generation" all of it. The
roof is a plain compiled loop over as many columns at a time, of as many multiply-adds as an evaluation has pairs of
operations (:mod:`benchmarks.operations`), in the same run.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from itertools import islice, permutations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import numpy as np
from numpy.typing import NDArray

from accel_models.columns.batch import evaluate_batch
from accel_models.columns.counts import CHUNK as CHUNK_OF_KERNEL
from accel_models.columns.tables import layer_table, machine_table
from accel_models.hardware.accelerators import accelerator
from accel_models.mapper.generate import Generator
from accel_models.report import Infeasible
from accel_models.reuse.evaluate import evaluate_nest
from accel_models.reuse.translate import column_to_nest
from benchmarks.common import Figure, show
from benchmarks.operations import multiply_adds, operations_of
from mappings.layer import Bits, Layer, Op
from mappings.loops import bounds_of
from mappings.mapspace import MappingColumns, order_code

LAYER = Layer("conv3x3", Op.CONV, N=4, K=64, C=64, P=56, Q=56, R=3, S=3, bits=Bits(8, 8, 8, 8))
CHUNK = 50_000
#: Chunks that use the same tilings, each in other loop orders.
CHUNKS_A_DRAW = 20
#: Loop orders in which a chunk has each of its tilings.
ORDERS_A_CHUNK = 9
TARGET_RATE, TARGET_RAGGED_RATE, TARGET_SHARE = 10e6, 1e5, 0.5
#: Mappings whose operations are counted, in plain Python.
COUNTED = 504
MAX_GROWTH_MB = 50


class Stream:
    """Distinct mappings that fit, without end, in chunks.

    A chunk has distinct tilings (with what each memory stores), each in ``ORDERS_A_CHUNK`` pairs of loop orders of the
    outer two levels. No two chunks share a pair: pair ``i`` is a number of two digits in base 7!, one digit shifted by
    the other, and chunk ``k`` has pairs ``9 k`` to ``9 k + 8``. So no mapping comes twice. The tilings are drawn anew
    every ``CHUNKS_A_DRAW`` chunks.
    """

    def __init__(self, seed: int = 1) -> None:
        self._generator = Generator(LAYER, accelerator("ca1"), seed)
        active = [d for d, bound in enumerate(bounds_of(LAYER)) if bound > 1]
        others = tuple(d for d in range(8) if d not in active)
        self._orders = np.array([order_code(others + order) for order in permutations(active)], np.int32)

    def chunks(self) -> Iterator[MappingColumns]:
        """The stream; each chunk's arrays are written over by a later one."""
        number = 0
        turn = np.arange(CHUNK) % ORDERS_A_CHUNK
        while True:
            columns = self._tilings()
            for _ in range(CHUNKS_A_DRAW):
                first, shift = divmod(number * ORDERS_A_CHUNK + np.arange(ORDERS_A_CHUNK), len(self._orders))
                columns.orders[0] = self._orders[shift][turn]
                columns.orders[1] = self._orders[(first + 17 * shift) % len(self._orders)][turn]
                yield columns
                number += 1

    def _tilings(self) -> MappingColumns:
        """``CHUNK`` columns whose (tiling, place among its orders) are distinct."""
        parts: list[MappingColumns] = []
        count = 0
        while count < CHUNK:
            drawn = self._generator.take(CHUNK // ORDERS_A_CHUNK * ORDERS_A_CHUNK)
            tilings = MappingColumns.join([*parts, drawn.rows(slice(0, None, ORDERS_A_CHUNK))])
            parts = [tilings.rows(first_of_each(tilings))]
            count = len(parts[0]) * ORDERS_A_CHUNK
        return parts[0].rows(np.arange(CHUNK) // ORDERS_A_CHUNK)


def first_of_each(columns: MappingColumns) -> NDArray[np.int64]:
    """Rows of distinct tilings: by a 64-bit hash, so that at worst one too many is dropped."""
    rows = np.concatenate([columns.chains.reshape(-1, len(columns)), columns.keeps]).astype(np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, len(rows), dtype=np.uint64) | np.uint64(1)
    total: NDArray[np.uint64] = (rows * factors[:, None]).sum(axis=0, dtype=np.uint64)
    return np.sort(np.unique(total, return_index=True)[1])


def ragged(count: int, seed: int) -> MappingColumns:
    """Tiles of any size, which mostly leave a smaller last one: what has no closed form."""
    rng = np.random.default_rng((seed, 5))
    columns = MappingColumns.empty(3, count)
    for d, bound in enumerate(bounds_of(LAYER)):
        sizes = np.sort(rng.integers(1, bound + 1, (2, count), dtype=np.int32), axis=0)
        columns.chains[d, :3], columns.chains[d, 3:6] = sizes[1], np.minimum(sizes[0], 4)
        columns.chains[d, 3:6] = np.minimum(columns.chains[d, 3:6], columns.chains[d, :3])
    orders = np.array([order_code(tuple(rng.permutation(8).tolist())) for _ in range(64)], np.int32)
    columns.orders[:] = orders[rng.integers(0, len(orders), columns.orders.shape)]
    return columns


def memory_mb() -> float:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare(columns: MappingColumns, rows: NDArray[np.int64]) -> tuple[float, int]:
    """Scalar evaluations a second, and how many of some columns differ from the batch."""
    target = accelerator("ca1")
    cost = evaluate_batch([LAYER], columns, [target])
    nests = [column_to_nest(columns, int(row), LAYER, target) for row in rows]
    started = time.process_time()
    scalar = [evaluate_nest(nest, target) for nest in nests]
    rate = len(rows) / (time.process_time() - started)
    different = 0
    for row, one in zip(rows, scalar, strict=True):
        if isinstance(one, Infeasible):
            different += int(cost.code[row] == 0)
        else:
            energy = one.total_energy_pj or 0.0
            same = cost.cycles[row] == one.cycles and abs(cost.energy_pj[row] - energy) <= 1e-12 * energy
            different += int(not same)
    return rate, different


def stream(size: int, seed: int) -> tuple[float, float, float]:
    """Evaluate ``size`` distinct mappings: evaluations a second without and with generation, and share that fits."""
    target = accelerator("ca1")
    started, evaluating, left, feasible = time.process_time(), 0.0, size, 0
    for columns in Stream(seed).chunks():
        part = columns if left >= CHUNK else columns.rows(slice(0, left))
        before = time.process_time()
        cost = evaluate_batch([LAYER], part, [target])
        evaluating += time.process_time() - before
        feasible += int(cost.feasible.sum())
        left -= len(part)
        if left == 0:
            break
    return size / evaluating, size / (time.process_time() - started), feasible / size


def counted(seed: int) -> tuple[float, int]:
    """Operations of an evaluation, and how many of the mappings that were counted have other cycles than the batch."""
    target, columns = accelerator("ca1"), next(Stream(seed).chunks()).rows(slice(0, COUNTED))
    spent, cycles = operations_of(columns, layer_table(LAYER), machine_table(LAYER, target))
    return spent, int((cycles != evaluate_batch([LAYER], columns, [target]).cycles).sum())


def roof(operations: float) -> float:
    """Evaluations a second of multiply-adds, two operations each, over as many columns as the kernel has at a time."""
    values, rounds, chunks = np.ones(CHUNK_OF_KERNEL), round(operations / 2), 2_000
    multiply_adds(1, values, 0.5, 0.5)
    started = time.process_time()
    multiply_adds(rounds * chunks, values, 0.5, 0.5)
    return chunks * len(values) / (time.process_time() - started)


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="fewer mappings, no judgement of the speed")
    parser.add_argument("--most", type=int, default=10**8, help="mappings of the longest run")
    parser.add_argument("--seed", type=int, default=1, help="of the mappings")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.most < 1000:
        parser.error(f"--most: is {options.most} (allowed: 1000 or more)")
    samples = 30 if options.quick else 200
    different = 0
    for columns in islice(
        Stream(options.seed).chunks(), 0, 3 * CHUNKS_A_DRAW, CHUNKS_A_DRAW + 1
    ):  # other tilings, other orders
        rate, wrong = compare(columns, np.linspace(0, CHUNK - 1, samples, dtype=np.int64))
        different += wrong
    figures = [
        Figure("scalar, evaluations/s", rate),
        Figure("differing from the scalar path", different, "0", different == 0),
    ]
    sizes = [10**k for k in range(3, 9) if 10**k <= (10**5 if options.quick else options.most)]
    spent, wrong = counted(options.seed)
    rates, peaks, roofs = [], [], []
    for size in sizes:
        roofs.append(roof(spent))
        alone, generated, fits = stream(size, options.seed)
        rates.append(alone)
        peaks.append(memory_mb())
        figures.append(Figure(f"batch of {size:.0e} distinct, evaluations/s", alone))
        figures.append(Figure(f"batch of {size:.0e} distinct, with generation", generated))
        if fits < 0.99:
            raise AssertionError(f"only {fits:.1%} of the mappings fit")
    growth = peaks[-1] - peaks[0]
    fastest = float(np.max(rates))
    judged = None if options.quick else fastest >= TARGET_RATE
    figures.append(Figure("batch, evaluations/s", fastest, ">= 1e7", judged, "Timeloop 4e3, ZigZag 3e2"))
    most = max(roofs)
    share = fastest / most
    figures += [
        Figure("operations of an evaluation, counted", spent),
        Figure("cycles of the counted ones that differ", wrong, "0", wrong == 0),
        Figure("as many in plain multiply-adds, evaluations/s (fastest)", most),
        Figure("share of that roof", share, f">= {TARGET_SHARE:g}", None if options.quick else share >= TARGET_SHARE),
    ]
    steady = None if options.quick else rates[-1] >= 0.5 * fastest
    figures.append(Figure("largest over fastest", rates[-1] / fastest, ">= 0.5", steady))
    figures.append(
        Figure(
            f"memory growth from {sizes[0]:.0e} to {sizes[-1]:.0e}, MB",
            growth,
            f"<= {MAX_GROWTH_MB}",
            growth <= MAX_GROWTH_MB,
        )
    )
    figures += ragged_figures(options.quick, options.seed)
    return show("batch evaluation, 3x3 convolution on ca1, one core", figures, options.json)


def ragged_figures(quick: bool, seed: int) -> list[Figure]:
    """The same for tiles that do not divide."""
    columns = ragged(2_000 if quick else 50_000, seed)
    _, different = compare(columns, np.arange(60 if quick else 300))
    started = time.process_time()
    evaluate_batch([LAYER], columns, [accelerator("ca1")])
    rate = len(columns) / (time.process_time() - started)
    judged = None if quick else rate >= TARGET_RAGGED_RATE
    return [
        Figure("ragged tiles, evaluations/s", rate, ">= 1e5", judged),
        Figure("ragged tiles, differing from the scalar path", different, "0", different == 0),
    ]


if __name__ == "__main__":
    sys.exit(main())
