"""The engine's counts against Timeloop's cycles and Accelergy's energy, on mappings of Gemmini configurations.

For ``python benchmarks/gemmini.py --timeloop``. Timeloop's rules differ from the engine's in three ways, each of which
is followed here and none of which is the machine's: (1) cycles are the steps divided by a slowdown in double precision,
rounded up; (2) an input window that slides over the scratchpad's tiles keeps its overlap, unless the loop over filters
turns inside; (3) where a stride skips inputs, the whole box between the first and the last is moved. What is left
apart are windows that slide over filter taps with a stride: Timeloop takes their boxes to overlap, the elements do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import spearmanr

from accel_models.hardware.accelerator import Accelerator
from accel_models.published.gemmini import Gemmini
from accel_models.published.gemmini_mapping import parse_mapping
from accel_models.reuse.counts import count
from accel_models.reuse.lower import lower
from accel_models.reuse.nest import Nest
from benchmarks.common import Figure
from mappings.layer import DIMS, Layer, Op

Floats = NDArray[np.float64]

TARGET_NEAR = 0.95
#: Words a cycle of DRAM, and of the two ports of an accumulator, in DOSA's Timeloop description.
DRAM_WORDS = 8
ACCUMULATOR_WORDS = 2


@dataclass(frozen=True)
class Point:
    """What the engine's counts say of one of Timeloop's points.

    Attributes:
        cycles: the slowest of array, DRAM, scratchpad and accumulators, as Timeloop takes it.
        accesses: MACs, then accesses to DRAM, to the scratchpad, to the accumulators and to the weight registers.
    """

    cycles: int
    accesses: tuple[float, ...]


def layer_of(row: dict[str, Any], name: str) -> Layer:
    """The layer of a row; its padding is not part of these problems."""
    extents: dict[str, Any] = {dim: int(row[f"prob.{dim}"]) for dim in "NKCPQRS"}
    strides = (int(row["prob.Wstride"]), int(row["prob.Hstride"]))  # P and R run along the width
    dilations = (int(row["prob.Wdilation"]), int(row["prob.Hdilation"]))
    return Layer(name, Op.CONV, stride=strides, dilation=dilations, **extents)


@lru_cache(maxsize=64)
def _machine(mesh: int, slides: bool) -> Accelerator:
    machine = Gemmini(mesh=mesh).accelerator
    levels = tuple(replace(level, keeps_overlap=slides and level.name == "SP") for level in machine.levels)
    return replace(machine, levels=levels)


def nest_of(layer: Layer, text: str, mesh: int, where: str) -> Nest:
    """The nest of a row, its scratchpad sliding where Timeloop's does."""
    mapping = parse_mapping(text, layer, mesh, where)
    nest = lower(layer, mapping, _machine(mesh, True))
    assert isinstance(nest, Nest), nest  # parse_mapping refuses what is wider than the array
    turning = [d for d in nest.orders[0] if nest.chains[d][0] < nest.bounds[d]]
    if turning and DIMS[turning[-1]] == "K":
        nest = lower(layer, mapping, _machine(mesh, False))
        assert isinstance(nest, Nest), nest
    return nest


def timeloop_point(nest: Nest, scratchpad_words: int) -> Point:
    """Cycles under Timeloop's throughput model, and accesses, from the engine's counts.

    An accumulator's ports serve the read and the write of every step, and the partial sums that come back from DRAM.

    Args:
        nest: as :func:`nest_of` makes it.
        scratchpad_words: a cycle.
    """
    counts = count(nest)
    totals = [float(sum(reads) + sum(writes)) for reads, writes in zip(counts.reads, counts.writes, strict=True)]
    skipped = counts.reads[0][0] * (_box(nest) - 1)
    totals[0] += skipped
    totals[1] += skipped
    dram, scratchpad, accumulator, register = totals
    returning = counts.reads[0][2] / counts.units[2]
    slowdown = ACCUMULATOR_WORDS / ((counts.steps + returning) / counts.steps + 1.0)
    cycles = max(
        math.ceil(counts.steps / min(1.0, slowdown)),
        math.ceil(dram / DRAM_WORDS),
        math.ceil(scratchpad / scratchpad_words),
    )
    return Point(cycles, (counts.macs, dram, scratchpad, accumulator, register))


def _box(nest: Nest) -> float:
    """Inputs of a scratchpad's tile with those that a stride skips, over those without."""
    tile = {dim: nest.chains[index][0] for index, dim in enumerate(DIMS)}
    out = 1.0
    for stride, outputs, taps in zip(nest.layer.stride, (tile["P"], tile["Q"]), (tile["R"], tile["S"]), strict=True):
        if stride > taps:
            out *= ((outputs - 1) * stride + taps) / (outputs * taps)
    return out


def timeloop_figures(table: pd.DataFrame) -> list[Figure]:
    """What the command prints with ``--timeloop``."""
    points = []
    for index, row in enumerate(table.to_dict("records")):
        layer = layer_of(row, f"row {index}")
        nest = nest_of(layer, row["mapping.mapping"], int(row["arch.meshX"]), f"row {index}")
        points.append(timeloop_point(nest, int(row["arch.mem2_shared_bandwidth"])))
    cycles = np.array([point.cycles for point in points], dtype=float)
    theirs = table["target.cycle"].to_numpy(dtype=float)
    ratio = cycles / theirs
    near = float(np.mean(np.abs(ratio - 1) <= 1e-3))
    errors = energy_errors(table, np.array([point.accesses for point in points], dtype=float))
    out = [
        Figure("points of Timeloop", len(table), "some", len(table) > 0),
        Figure("cycles equal to Timeloop's (%)", 100 * float(np.mean(cycles == theirs))),
        Figure("cycles within 1 of Timeloop's (%)", 100 * float(np.mean(np.abs(cycles - theirs) <= 1))),
        Figure("cycles within 0.1 % (%)", 100 * near, f">= {100 * TARGET_NEAR:g}", near >= TARGET_NEAR),
        Figure("cycles more than 0.1 % above (%)", 100 * float(np.mean(ratio > 1.001))),
        Figure("cycles more than 0.1 % below (%)", 100 * float(np.mean(ratio < 0.999))),
        Figure("Spearman of cycles", float(spearmanr(cycles, theirs).statistic)),
    ]
    if len(errors):
        out += [
            Figure("points whose energy is compared, prices of the accesses fitted on others", len(errors)),
            Figure("their median error of energy (%)", 100 * float(np.median(errors))),
            Figure("their mean error of energy (%)", 100 * float(np.mean(errors))),
        ]
    return out


def energy_errors(table: pd.DataFrame, accesses: Floats) -> Floats:
    """Relative errors of energy as a price times each count, on the rows that the prices were not fitted on.

    Accelergy's prices are not in the table: for each configuration they are found on every other row.
    """
    energy = table["target.energy"].to_numpy(dtype=float)
    columns = [name for name in table if str(name).startswith("arch.")]
    groups = table.groupby(columns, sort=False).ngroup().to_numpy()
    errors = [np.zeros(0)]
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        fit, test = rows[::2], rows[1::2]
        if len(fit) < 2 * accesses.shape[1]:
            continue
        prices, _ = nnls(accesses[fit] / energy[fit, None], np.ones(len(fit)))
        errors.append(np.abs(accesses[test] @ prices / energy[test] - 1))
    return np.concatenate(errors)
