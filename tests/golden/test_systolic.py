"""SCALE-Sim's compute cycles, every row."""

from __future__ import annotations

import pytest

from accel_models.published.systolic import systolic_cycles
from benchmarks.systolic import compare
from mappings.errors import SpecError
from mappings.layer import Layer, Op
from tests.reference import reference


def test_every_row_equals_scalesim() -> None:
    figures = compare(reference("systolic", "scalesim_compute_cycles.csv"))
    assert all(figure.met for figure in figures), figures


def test_by_hand() -> None:
    """A 3 x 2 product with 5 in the reduction, on a 2 x 2 array."""
    layer = Layer("fc", Op.LINEAR, K=2, C=5, P=3)
    found = systolic_cycles(layer, "ws", 2, 2)
    assert (found.steps, found.passes, found.fill) == (3 * 3, 3, 4)
    assert found.total == 9 + 12 - 1
    found = systolic_cycles(layer, "os", 2, 2)
    assert (found.steps, found.passes, found.fill) == (2 * 5, 2, 2)
    with pytest.raises(SpecError, match="unknown systolic dataflow"):
        systolic_cycles(layer, "rs", 2, 2)
