"""Latencies measured on a board, a part of the networks: the ranking, and the parameter counts exactly."""

from __future__ import annotations

import pandas as pd

from benchmarks.dpu_rank import figures
from tests.reference import reference


def test_ranking_of_measured_networks() -> None:
    table = pd.read_csv(reference("fpga", "accel_nasbench_zcu102.csv.gz")).iloc[::16]
    found = {figure.name: figure for figure in figures(table)}
    assert all(figure.met is not False for figure in found.values())
    assert found["networks"].value == len(table) > 300
    assert float(found["zcu102: Spearman of predicted and measured latency"].value) > 0.995
    assert float(found["zcu102: mean absolute error of latency (%)"].value) < 2.5


def test_a_wrong_ranking_is_missed() -> None:
    table = pd.read_csv(reference("fpga", "accel_nasbench_zcu102.csv.gz")).iloc[:40]
    table["latency_zcu102"] = -table["latency_zcu102"]
    missed = [figure.name for figure in figures(table) if figure.met is False]
    assert missed == ["zcu102: Spearman of predicted and measured latency"]
