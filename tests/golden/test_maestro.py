"""Every cell that MAESTRO printed in 148 runs, and a refusal where it crashed."""

from __future__ import annotations

from benchmarks.maestro_parity import Tally, compare, compare_text, figures
from tests.reference import reference


def test_every_cell_of_every_case() -> None:
    tally = compare(reference("maestro", "INDEX.csv").parent)
    assert tally.examples == []
    assert all(figure.met is not False for figure in figures(tally))
    assert tally.identical_files == tally.cases - tally.failing > 0


def test_a_single_wrong_cell_is_a_mismatch() -> None:
    tally = Tally()
    compare_text("case", "network,layer,runtime\nn,a,1\nn,b,2\n", "network,layer,runtime\nn,a,1\nn,b,3\n", tally)
    assert (tally.mismatches, tally.cells, tally.layers) == (1, 6, 2)
    assert tally.examples == ["case b: runtime is 3, MAESTRO has 2"]


def test_a_missing_layer_is_a_mismatch() -> None:
    tally = Tally()
    compare_text("case", "network,layer,runtime\nn,a,1\nn,b,2\n", "network,layer,runtime\nn,a,1\n", tally)
    assert tally.mismatches == 52
