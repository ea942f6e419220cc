"""Columns of one layer on one accelerator: closed forms for what divides, the formulas themselves for the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accel_models.batch_codes import IRREGULAR, MALFORMED, OK, OVERFLOW, UNCOUNTED
from accel_models.batch_general import evaluate_rows
from accel_models.batch_kernel import Columns, Work, evaluate_run
from accel_models.batch_tables import Floats, Ints, LayerTable, MachineTable

#: Energy, cycles, compute cycles and code of each column.
Results = tuple[Floats, Floats, Ints, NDArray[np.uint8]]


def run(
    lo: int, hi: int, columns: Columns, layer: LayerTable, machine: MachineTable, work: Work, results: Results
) -> None:
    """Evaluate columns ``lo .. hi - 1``; figures mean something where the code is ``OK``.

    A layer whose counts 62 bits may not hold gets ``OVERFLOW`` throughout: only the scalar path can tell.
    """
    code = results[3]
    if layer.overflows:
        code[lo:hi] = OVERFLOW
        return
    evaluate_run(lo, hi, columns, layer, machine, work, results)
    open_rows = code[lo:hi] == IRREGULAR
    if not layer.tabulated:
        open_rows = code[lo:hi] != MALFORMED
    if machine.slides.any():
        sliding = (columns.keeps[1:, lo:hi] & machine.slides[1:, None] & 1).any(axis=0)
        open_rows |= (code[lo:hi] == OK) & sliding
    if open_rows.any():
        evaluate_one_by_one(np.flatnonzero(open_rows) + lo, columns, layer, machine, results)


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
