"""Columns of one layer on one accelerator: closed forms for what divides, the formulas themselves for the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accel_models.columns.codes import IRREGULAR, OVERFLOW, UNCOUNTED
from accel_models.columns.general import evaluate_rows
from accel_models.columns.kernel import Columns, Work, evaluate_run
from accel_models.columns.tables import MAX_SIZE, Floats, Ints, LayerTable, MachineTable

#: Energy, cycles, compute cycles and code of each column.
Results = tuple[Floats, Ints, Ints, NDArray[np.uint8]]


def run(
    lo: int, hi: int, columns: Columns, layer: LayerTable, machine: MachineTable, work: Work, results: Results
) -> None:
    """Evaluate columns ``lo .. hi - 1``; where the code is not ``OK``, the energy is not a number and the cycles are 0.

    A layer whose counts 62 bits may not hold gets ``OVERFLOW`` throughout: only the scalar path can tell.
    """
    energy_pj, cycles, compute_cycles, code = results
    if layer.overflows:
        energy_pj[lo:hi], cycles[lo:hi], compute_cycles[lo:hi], code[lo:hi] = np.nan, 0, 0, OVERFLOW
        return
    slides = machine.slides.any() and len(machine.place) == 1
    if not layer.closed or machine.fanout.max() > MAX_SIZE or slides:
        evaluate_one_by_one(np.arange(lo, hi), columns, layer, machine, results)
        return
    evaluate_run(lo, hi, columns, layer, machine, work, results)
    open_rows = np.flatnonzero(code[lo:hi] == IRREGULAR) + lo
    if len(open_rows):
        evaluate_one_by_one(open_rows, columns, layer, machine, results)


def evaluate_one_by_one(
    rows: Ints, columns: Columns, layer: LayerTable, machine: MachineTable, results: Results
) -> None:
    """Some columns by the compiled formulas; ``UNCOUNTED`` where these refuse to walk."""
    at = np.zeros(1, np.int64)
    while at[0] < len(rows):
        try:
            evaluate_rows(rows, at, columns, layer, machine, results)
        except OverflowError:
            results[3][rows[at[0]]] = UNCOUNTED
        else:
            return
        at[0] += 1
