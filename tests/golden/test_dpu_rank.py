"""Latencies measured on a board, a part of the networks: the ranking, the parameter counts, other tables' forms."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.dpu_rank import columns, figures
from mappings.errors import SpecError
from tests.reference import reference


def test_ranking_of_measured_networks() -> None:
    table = pd.read_csv(reference("fpga", "accel_nasbench_zcu102.csv.gz")).iloc[::16]
    found = {figure.name: figure for figure in figures(table)}
    assert all(figure.met is not False for figure in found.values())
    assert found["networks"].value == len(table) > 300
    assert float(found["zcu102: Spearman of predicted latency and measured latency"].value) > 0.995
    assert float(found["zcu102: mean absolute error of latency (%)"].value) < 2.5


def test_a_wrong_ranking_is_missed() -> None:
    table = pd.read_csv(reference("fpga", "accel_nasbench_zcu102.csv.gz")).iloc[:40]
    table["latency_zcu102"] = 30 - table["latency_zcu102"]
    missed = [figure.name for figure in figures(table) if figure.met is False]
    assert missed == ["zcu102: Spearman of predicted latency and measured latency"]


def test_the_board_is_told_by_column_file_or_option() -> None:
    table = pd.read_csv(reference("fpga", "accel_nasbench_zcu102.csv.gz")).iloc[:40]
    assert [column.board for column in columns(table)] == ["zcu102"]
    other = table.rename(columns={"latency_zcu102": "latency_vck190"})
    (column,) = columns(other)
    assert (column.machine, column.reciprocal) == ("vck190", False)
    plain = table.rename(columns={"latency_zcu102": "latency_ms"})
    assert [column.machine for column in columns(plain)] == [""]
    assert [column.machine for column in columns(plain, "accel_nasbench_vck190.csv.gz")] == ["vck190"]
    assert [column.machine for column in columns(plain, board="zcu102")] == ["zcu102"]


def test_throughput_serves_where_there_is_no_latency() -> None:
    table = pd.read_csv(reference("fpga", "accel_nasbench_zcu102.csv.gz")).iloc[::64].drop(columns="latency_zcu102")
    found = {figure.name: figure for figure in figures(table)}
    assert found["zcu102: Spearman of predicted latency and measured 1 / throughput"].met
    assert not [name for name in found if "a100" in name]


def test_an_unknown_board_is_ranked_by_all_descriptions() -> None:
    table = pd.read_csv(reference("fpga", "accel_nasbench_zcu102.csv.gz")).iloc[::64]
    found = {figure.name: figure for figure in figures(table.rename(columns={"latency_zcu102": "latency_kria"}))}
    assert found["kria: description"].value == "mean of all"
    assert float(found["kria: Spearman of predicted latency and measured latency"].value) > 0.98


def test_a_table_without_measurements_is_told() -> None:
    table = pd.read_csv(reference("fpga", "accel_nasbench_zcu102.csv.gz")).iloc[:4]
    with pytest.raises(SpecError, match="latency_BOARD"):
        figures(table[["e", "k", "l", "se"]])
