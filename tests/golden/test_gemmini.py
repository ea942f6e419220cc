"""Gemmini's RTL cycles, and the engine's counts against Timeloop's results, a part of the points."""

from __future__ import annotations

import pandas as pd

from benchmarks.gemmini import firesim_figures, timeloop_figures
from tests.reference import reference


def test_cycles_under_firesim() -> None:
    table = pd.read_csv(reference("gemmini_rtl", "firesim_111.csv.gz"))
    found = {figure.name: figure for figure in firesim_figures(table, folds=1)}
    assert all(figure.met is not False for figure in found.values())
    assert found["layers with a mapping"].value == len(table)
    held_out = found["mean error (%) where the figures are refitted on another half"]
    assert 0 < float(held_out.value) <= 15


def test_wrong_cycles_are_missed() -> None:
    table = pd.read_csv(reference("gemmini_rtl", "firesim_111.csv.gz")).iloc[:30]
    table["target.gemmini_cycle"] *= 2
    assert [figure.name for figure in firesim_figures(table) if figure.met is False] == [
        "mean absolute error of cycles (%)"
    ]


def test_counts_against_timeloop() -> None:
    table = pd.read_csv(reference("gemmini_rtl", "timeloop_gemmini_72700.csv.xz")).iloc[::200]
    found = {figure.name: figure for figure in timeloop_figures(table)}
    assert all(figure.met is not False for figure in found.values())
    assert float(found["cycles equal to Timeloop's (%)"].value) > 85
