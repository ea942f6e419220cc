"""Millions of mappings at once: the same model as ``accel_models.reuse.evaluate``, over columns.

``evaluate_batch(layers, mappings, accelerators)`` takes mixed layers and accelerators in one call. What cannot be built
is data: a code, no figures. ``stream_batch`` does the same for an endless supply of columns in constant memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from accel_models.columns.codes import CAPACITY, FANOUT, MALFORMED, OK, OVERFLOW, UNCOUNTED
from accel_models.columns.general import structure
from accel_models.columns.kernel import Columns, Work, new_work
from accel_models.columns.run import run
from accel_models.columns.tables import layer_table, machine_table
from accel_models.hardware.accelerator import Accelerator
from accel_models.report import Infeasible
from accel_models.reuse.evaluate import evaluate_nest
from accel_models.reuse.parts import bias_bits, bias_cost
from accel_models.reuse.translate import column_to_nest, mappings_to_columns
from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.loops import bounds_of
from mappings.mapping import Mapping
from mappings.mapspace import MappingColumns
from mappings.phases import phases


class _Scratch(threading.local):
    """Each thread's own scratch, by levels: the kernel runs without the interpreter's lock."""

    def __init__(self) -> None:
        self.by_levels: dict[int, Work] = {}

    def of(self, levels: int) -> Work:
        if levels not in self.by_levels:
            self.by_levels[levels] = new_work(levels)
        return self.by_levels[levels]


_SCRATCH = _Scratch()


@dataclass(frozen=True)
class BatchCost:
    """Figures of ``n`` mappings.

    Attributes:
        energy_pj: float64 (n,); not a number where infeasible or not modelled.
        cycles, compute_cycles: int64 (n,); 0 where infeasible.
        code: uint8 (n,); 0 feasible, else see :meth:`reason`.
    """

    energy_pj: NDArray[np.float64]
    cycles: NDArray[np.int64]
    compute_cycles: NDArray[np.int64]
    code: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.code)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """(n,) True where the figures mean something."""
        return np.asarray(self.code == OK)

    @staticmethod
    def reason(code: int, accelerator: Accelerator) -> str:
        """What a code says."""
        if code >= CAPACITY:
            return f"{accelerator.levels[code - CAPACITY].name} capacity"
        return {
            OK: "",
            FANOUT: "wider than the array",
            MALFORMED: "sizes that grow or do not end at 1, or loops that are not all eight dims",
            OVERFLOW: "more bits moved than 62-bit counts hold",
            UNCOUNTED: "windows beyond what the model walks",
        }[code]


def evaluate_batch(
    layers: Sequence[Layer], mappings: MappingColumns | Sequence[Mapping], accelerators: Sequence[Accelerator]
) -> BatchCost:
    """Cost of many mappings.

    Args:
        layers: those that the columns index; for a sequence of mappings, one for each, or one for all.
        mappings: columns, or mappings in directives.
        accelerators: as ``layers``.

    Raises:
        SpecError: an index out of range, a hierarchy of another depth than the columns, a mapping in directives
            that is not one of its layer.
    """
    if isinstance(mappings, MappingColumns):
        return _evaluate_columns(layers, mappings, accelerators)
    count = len(mappings)
    layer_of = _one_each("layers", len(layers), count)
    machine_of = _one_each("accelerators", len(accelerators), count)
    cost = _empty(count)
    by_depth: dict[int, list[int]] = {}
    for row in range(count):
        by_depth.setdefault(len(accelerators[machine_of[row]].levels), []).append(row)
    for rows in by_depth.values():
        columns, broken = mappings_to_columns(
            layers,
            [mappings[row] for row in rows],
            accelerators,
            [layer_of[row] for row in rows],
            [machine_of[row] for row in rows],
        )
        part = _evaluate_columns(layers, columns, accelerators)
        for place, infeasible in enumerate(broken):
            if infeasible is not None:
                _refuse(part, place, FANOUT)
        for name in ("energy_pj", "cycles", "compute_cycles", "code"):
            getattr(cost, name)[rows] = getattr(part, name)
    return cost


def stream_batch(
    layers: Sequence[Layer], chunks: Iterable[MappingColumns], accelerators: Sequence[Accelerator]
) -> Iterator[tuple[MappingColumns, BatchCost]]:
    """Evaluate columns as they come; nothing is kept."""
    for columns in chunks:
        yield columns, _evaluate_columns(layers, columns, accelerators)


def _one_each(what: str, given: int, wanted: int) -> list[int]:
    if given not in (1, wanted):
        raise SpecError(Fault(what, f"has {given} for {wanted} mappings", "one for each, or one for all"))
    return list(range(given)) if given == wanted else [0] * wanted


def _empty(count: int) -> BatchCost:
    return BatchCost(
        np.full(count, np.nan), np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.uint8)
    )


def _refuse(cost: BatchCost, row: int, code: int) -> None:
    cost.energy_pj[row], cost.cycles[row], cost.compute_cycles[row], cost.code[row] = np.nan, 0, 0, code


def _check(layers: Sequence[Layer], columns: MappingColumns, accelerators: Sequence[Accelerator]) -> bool:
    """Whether all columns (one or more) are of one layer on one accelerator.

    Raises:
        SpecError: an index out of range, a hierarchy of another depth than the columns.
    """
    faults, ends = [], []
    for name, index, most in (
        ("layer", columns.layer, len(layers)),
        ("accelerator", columns.accelerator, len(accelerators)),
    ):
        low, high = int(index.min()), int(index.max())
        ends.append((low, high))
        if not 0 <= low <= high < most:
            faults.append(Fault(f"columns.{name}", f"holds {low} to {high}", f"0 to {most - 1}"))
    low, high = ends[1]
    for machine in () if faults else [low] if low == high else np.unique(columns.accelerator):
        depth = len(accelerators[machine].levels)
        if depth != columns.levels:
            faults.append(
                Fault("columns", f"have {columns.levels} levels", f"{depth}, as {accelerators[machine].name}")
            )
    if faults:
        raise SpecError(faults)
    return all(low == high for low, high in ends)


def _runs(columns: MappingColumns) -> Iterator[tuple[int, int]]:
    """Stretches of columns with one layer and one accelerator."""
    changes = (np.diff(columns.layer) != 0) | (np.diff(columns.accelerator) != 0)
    yield from pairwise([0, *(np.flatnonzero(changes) + 1).tolist(), len(columns)])


def _evaluate_columns(
    layers: Sequence[Layer], columns: MappingColumns, accelerators: Sequence[Accelerator]
) -> BatchCost:
    count = len(columns)
    if count == 0:
        return _empty(0)
    alike, order = _check(layers, columns, accelerators), None
    if not alike:
        key = columns.layer.astype(np.int64) * len(accelerators) + columns.accelerator
        if np.count_nonzero(np.diff(key)) >= max(64, len(layers) * len(accelerators)):  # bring equal ones together
            order = np.argsort(key, kind="stable")
            columns = columns.rows(order)
    cost = BatchCost(np.empty(count), np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.uint8))
    arrays = Columns(columns.chains, columns.orders, columns.keeps)
    for lo, hi in [(0, count)] if alike else _runs(columns):
        layer, machine = layers[columns.layer[lo]], accelerators[columns.accelerator[lo]]
        if layer.op.spec.transposed:
            _run_phases(lo, hi, columns, layer, machine, cost)
        else:
            _run(lo, hi, arrays, columns, layer, machine, cost)
    if order is None:
        return cost
    back = np.empty_like(order)
    back[order] = np.arange(count)
    return BatchCost(cost.energy_pj[back], cost.cycles[back], cost.compute_cycles[back], cost.code[back])


def _run(
    lo: int, hi: int, arrays: Columns, columns: MappingColumns, layer: Layer, machine: Accelerator, cost: BatchCost
) -> None:
    """Rows ``lo`` to ``hi``, all of one layer that runs as one nest."""
    table, hardware = layer_table(layer), machine_table(layer, machine)
    results = (cost.energy_pj, cost.cycles, cost.compute_cycles, cost.code)
    run(lo, hi, arrays, table, hardware, _SCRATCH.of(columns.levels), results)
    if table.overflows:
        for row in range(lo, hi):
            code = structure(columns.chains[:, :, row], table.bounds, hardware.fanout)
            cost.code[row] = _evaluate_scalar(columns, row, layer, machine, cost) if code == OK else code


def _run_phases(lo: int, hi: int, columns: MappingColumns, layer: Layer, machine: Accelerator, cost: BatchCost) -> None:
    """Rows ``lo`` to ``hi`` of a transposed convolution: the sum over its phases (:mod:`accel_models.reuse.parts`)."""
    table, hardware = layer_table(layer), machine_table(layer, machine)
    total = _empty(hi - lo)
    total.energy_pj[:] = 0.0
    if bias_bits(layer):
        extra = bias_cost(layer, machine)
        total.cycles[:] = extra.cycles
        total.energy_pj[:] = np.nan if extra.total_energy_pj is None else extra.total_energy_pj
    total.code[:] = [structure(columns.chains[:, :, row], table.bounds, hardware.fanout) for row in range(lo, hi)]
    kept = columns.rows(slice(lo, hi))
    for phase in phases(layer):
        if phase.empty:
            continue
        chains = np.minimum(kept.chains, np.array(bounds_of(phase.layer), np.int32)[:, None, None])
        part, cut = _empty(hi - lo), replace(kept, chains=np.ascontiguousarray(chains))
        _run(0, hi - lo, Columns(cut.chains, cut.orders, cut.keeps), cut, phase.layer, machine, part)
        total.code[:] = np.where(total.code == OK, part.code, total.code)
        for name in ("energy_pj", "cycles", "compute_cycles"):
            getattr(total, name)[:] += getattr(part, name)
    for row in np.flatnonzero(total.code != OK):
        _refuse(total, int(row), int(total.code[row]))
    for name in ("energy_pj", "cycles", "compute_cycles", "code"):
        getattr(cost, name)[lo:hi] = getattr(total, name)


def _evaluate_scalar(
    columns: MappingColumns,
    row: int,
    layer: Layer,
    accelerator: Accelerator,
    cost: BatchCost,
) -> int:
    """One column by the scalar path, which counts in integers of any size; its code."""
    try:
        result = evaluate_nest(column_to_nest(columns, row, layer, accelerator), accelerator)
    except SpecError:
        return OVERFLOW
    if isinstance(result, Infeasible):
        names = [level.name for level in accelerator.levels]
        return CAPACITY + max(m for m, name in enumerate(names) if result.resource.startswith(f"{name} capacity"))
    energy = result.total_energy_pj
    cost.energy_pj[row] = np.nan if energy is None else energy
    cost.cycles[row], cost.compute_cycles[row] = result.cycles, result.compute_cycles
    return OK
