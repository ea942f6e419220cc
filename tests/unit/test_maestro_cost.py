"""Costs with MAESTRO's semantics: the worked example, and each quirk where it shows."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from accel_models.published.maestro import MaestroReport, maestro_cost, read_mapping, write_csv
from accel_models.published.maestro.cost import read_problem
from accel_models.published.maestro.csv_file import cell, header_line
from accel_models.published.maestro.figures import ratio, wrap32
from accel_models.published.maestro.levels import build_levels
from accel_models.published.maestro.recursion import LayerRun
from accel_models.report import Infeasible
from mappings.errors import SpecError
from tests.unit.maestro_texts import CONV1_DIMS, KCP, hardware, layer, network, rows

CONV2_DIMS = "K: 64, C: 64, R: 1, S: 1, Y: 56, X: 56"
STEP_BY_STEP = "".join(f"TemporalMap(1,1) {dim}; " for dim in "KCRSY") + "SpatialMap(1,1) X;"


def test_worked_example() -> None:
    (row,) = rows(network(layer(CONV1_DIMS, KCP, stride=2)), hardware(256, 32, 2))
    # Top: fill 24 + 60, then 109 * 109 * 16 - 1 steps of 60; MACs: 16 K-folds * 109 * 109 tiles * 4 * 3 * 49.
    assert row.runtime_cycles == 84 + 60 * (109 * 109 * 16 - 1) == 11_405_784
    assert row.macs == 16 * 109 * 109 * 4 * 3 * 49 == 111_776_448
    assert row.l1_required_elements == 2 * (49 + 49 + 49)
    assert row.l2_required_elements == 2 * (147 + 588 + 4)
    assert (row.ingress_delay.least_cycles, row.ingress_delay.most_cycles) == (3, 24)
    assert row.active_pes == 12
    # The stride does not divide the image: the layer's true output is 109 x 109, as MAESTRO counts here.
    assert row.warnings == ()


def test_inner_level_of_the_worked_example() -> None:
    (only,) = read_mapping(network(layer(CONV1_DIMS, KCP, stride=2))).layers
    problem = read_problem(only, False)
    levels = build_levels(only, problem, 256)
    assert not isinstance(levels, Infeasible)
    total = LayerRun(levels, problem, hardware(256, 32, 2), 1).total()
    inner = total.first
    assert inner is not None and inner is not total
    # 3 of 64 PEs: 3 * 49 inputs and weights, ceil(294 / 32) - 1 + 2 cycles; 7 * 7 MACs each; one step.
    assert (inner.runtime_cycles, inner.active_units, inner.occurrences) == (11 + 49, 3, 1)


def test_lanes_divide_the_work_of_a_unit() -> None:
    (row,) = rows(network(layer(CONV1_DIMS, KCP, stride=2)), hardware(256, 32, 2), simd_lanes=4)
    # Inner compute ceil(49 / 4) = 13, + 11; steady steps are as long as the inner level: 24.
    assert row.runtime_cycles == 24 + 24 + 24 * (109 * 109 * 16 - 1)
    assert row.simd_lanes == 4


def test_q1_csv_energy_takes_the_previous_layers_l1_accesses() -> None:
    given = hardware(256, 32, 2)
    _, second = rows(network(layer(CONV1_DIMS, KCP, stride=2), layer(CONV2_DIMS, KCP)), given)
    (alone,) = rows(network(layer(CONV2_DIMS, KCP)), given)
    assert (cell(second.energy_nj), cell(alone.energy_nj)) == ("191415", "15494.3")
    assert second.total_energy_nj == alone.total_energy_nj == pytest.approx(40_403.07, abs=0.01)


def test_q1_spares_layers_of_one_level() -> None:
    text = layer("K: 2, C: 2, R: 1, S: 1, Y: 1, X: 1", STEP_BY_STEP)
    first, second = rows(network(text, text), hardware(1))
    assert first.energy_nj == second.energy_nj
    # L2: 3 + 2 (I), 4 + 4 (W), 4 (O written); L1: 4 + 3, 4 + 4, 4 + 4.
    assert first.energy_nj == pytest.approx(0.00023 * (18.61 * 17 + 1.68 * 23))


def test_q2_refetch_is_free() -> None:
    (row,) = rows(network(layer("K: 2, C: 2, R: 1, S: 1, Y: 1, X: 1", STEP_BY_STEP)), hardware(1))
    assert row.input.l2_reads == 3  # truly 4: each of 2 inputs for each of 2 outputs
    assert row.weight.l2_reads == 4


def test_q3_output_is_written_on_every_step() -> None:
    (row,) = rows(network(layer("K: 2, C: 2, R: 1, S: 1, Y: 1, X: 1", STEP_BY_STEP)), hardware(1))
    assert row.output.l2_writes == 4  # truly 2, if it accumulates in place
    assert row.output.l2_reads == 2  # the whole output, once


def test_q4_ragged_tiles_come_in_at_full_size() -> None:
    flow = "TemporalMap(4,4) C; SpatialMap(1,1) X;"
    (row,) = rows(network(layer("K: 1, C: 6, R: 1, S: 1, Y: 1, X: 1", flow)), hardware(1))
    assert row.input.l2_reads == 8  # truly 6
    assert row.macs == 6


def test_q8_clusters_beyond_the_pes_are_infeasible() -> None:
    outcome = maestro_cost(network(layer(CONV1_DIMS, KCP)), hardware(63))
    assert isinstance(outcome, Infeasible)
    assert (outcome.demand, outcome.bound, outcome.unit) == (64, 63, "PEs")


def test_q8_idle_pes_are_told() -> None:
    (row,) = rows(network(layer(CONV1_DIMS, KCP)), hardware(100))
    assert "36 of 100 PEs belong to no cluster" in row.warnings


def test_q9_batch_of_a_later_layer_is_lost() -> None:
    plain, batched = ("K: 2, C: 2, R: 1, S: 1, Y: 2, X: 2", "N: 4, K: 2, C: 2, R: 1, S: 1, Y: 2, X: 2")
    first, second = rows(network(layer(plain, STEP_BY_STEP), layer(batched, STEP_BY_STEP)), hardware(2))
    assert second.macs == first.macs == 16
    assert second.warnings == ("16 MACs are counted, the layer has 64",)
    (alone,) = rows(network(layer(batched, STEP_BY_STEP)), hardware(2))
    assert alone.macs == 64 and alone.warnings == ()


def test_q11_no_traffic_over_a_network_without_latency() -> None:
    # G moves neither input nor weight of a CONV: its second step receives nothing, which takes ceil(0) - 1 cycles.
    text = network(layer("G: 2, K: 1, C: 1, R: 1, S: 1, Y: 1, X: 1", "SpatialMap(1,1) K; TemporalMap(1,1) G;"))
    (row,) = rows(text, hardware(1, 32, 0))
    assert (row.ingress_delay.least_cycles, row.ingress_delay.most_cycles) == (-1, 0)
    assert "a figure is negative" in row.warnings
    (row,) = rows(text, hardware(1, 32, 1))
    assert (row.ingress_delay.least_cycles, row.ingress_delay.most_cycles) == (0, 1)


def test_q12_occurrences_that_overflow_32_bits() -> None:
    # All loops past their first step: 2048 * 2048 * 64 * 64 = 2^34 steps, 0 in 32 bits.
    dims = "K: 2049, C: 2049, R: 1, S: 1, Y: 65, X: 65"
    flow = STEP_BY_STEP.replace("SpatialMap(1,1) X", "TemporalMap(1,1) X; SpatialMap(1,1) N")
    with pytest.raises(SpecError, match="MAESTRO's 32-bit counter overflows"):
        rows(network(layer("N: 1, " + dims, flow)), hardware(1))


def test_q7_inner_level_without_work() -> None:
    flow = (
        "TemporalMap(2,2) K; TemporalMap(3,3) C; TemporalMap(3,3) R; SpatialMap(3,1) Y; TemporalMap(3,1) X;"
        "Cluster(3,P); SpatialMap(1,1) X; SpatialMap(1,1) R; TemporalMap(3,3) S;"
    )
    with pytest.raises(SpecError, match="the level below has no work at all"):
        rows(network(layer("K: 64, C: 3, R: 3, S: 3, Y: 224, X: 224", flow)), hardware(64))


def test_q14_trconv_is_conv_and_cluster_kinds_are_one() -> None:
    given = hardware(128)
    (conv,) = rows(network(layer(CONV2_DIMS, KCP)), given)
    (trconv,) = rows(network(layer(CONV2_DIMS, KCP, "TRCONV")), given)
    (logical,) = rows(network(layer(CONV2_DIMS, KCP.replace("64, P", "64, L"))), given)
    assert conv == trconv == logical


def test_no_step_with_work_prints_what_maestro_prints() -> None:
    flow = "SpatialMap(1,1) X; TemporalMap(3,3) Y; TemporalMap(3,3) R; TemporalMap(3,3) S;"
    (row,) = rows(network(layer("K: 1, C: 1, R: 3, S: 3, Y: 3, X: 2", flow)), hardware(2))
    assert row.runtime_cycles == 0 and math.isnan(row.average_bandwidth)
    assert row.ingress_delay.least_cycles == -(2**63)
    assert row.warnings[0].startswith("no step of the mapping holds a whole filter window")
    assert "a figure is negative" in row.warnings


def test_depthwise_grouped_and_matrix_layers_count_their_macs() -> None:
    flow = "SpatialMap(1,1) X; TemporalMap(3,1) Y; TemporalMap(3,3) R; TemporalMap(3,3) S;"
    flow = flow.replace("SpatialMap(1,1)", "SpatialMap(3,1)")
    dims = "C: 4, R: 3, S: 3, Y: 8, X: 8"
    (row,) = rows(network(layer(dims, flow, "DSCONV")), hardware(2))
    assert (row.macs, row.warnings) == (4 * 9 * 36, ())
    (row,) = rows(network(layer("G: 2, K: 3, " + dims, flow, "NGCONV")), hardware(2))
    assert (row.macs, row.warnings) == (2 * 3 * 4 * 9 * 36, ())
    flow = "SpatialMap(1,1) M; TemporalMap(2,2) N; TemporalMap(8,8) K;"
    (row,) = rows(network(layer("M: 4, N: 6, K: 8", flow, "GEMM")), hardware(2))
    assert (row.macs, row.warnings) == (4 * 6 * 8, ())
    assert (row.input_elements, row.weight_elements) == (32, 48)


def test_slow_dram_stretches_every_step() -> None:
    text = network(layer(CONV1_DIMS, KCP, stride=2))
    (row,) = rows(text, hardware(256, 32, 2, offchip=4))
    # Operands of two tiles 2 * (147 + 588) over 4 a cycle, halved: 183 > 60 and 84.
    assert row.runtime_cycles == (2 * (147 + 588) // 4 // 2) * (109 * 109 * 16)


def test_area_and_power_formulas() -> None:
    (row,) = rows(network(layer(CONV1_DIMS, KCP, stride=2)), hardware(256, 32, 2))
    assert row.pe_power_mw == pytest.approx(1.2223 * 256)
    assert row.l1_power_mw == pytest.approx(0.00345 * 294 * 256)
    assert row.l2_power_mw == pytest.approx(0.00345 * 1478)
    assert row.power_mw == pytest.approx(row.pe_power_mw + row.l1_power_mw + row.l2_power_mw + row.noc_power_mw)
    assert row.area_um2 == pytest.approx(4.63544e7, rel=1e-5)


def test_counts_beyond_64_bits_are_refused() -> None:
    big = 2**31 - 1
    flow = f"TemporalMap({big},{big}) K; TemporalMap({big},{big}) C; TemporalMap({big},{big}) Y; SpatialMap(1,1) X;"
    with pytest.raises(SpecError, match="64 bits"):
        rows(network(layer(f"K: {big}, C: {big}, R: 1, S: 1, Y: {big}, X: 1", flow)), hardware(1))


def test_number_format() -> None:
    assert [cell(value) for value in (1.0, 253671.04, 1e10 / 3, 0.5, math.nan, -0.0, math.inf, 12, "x")] == [
        *("1", "253671", "3.33333e+09", "0.5", "-nan", "-0", "inf", "12", "x")
    ]
    assert wrap32(2**31) == -(2**31) and wrap32(-1) == -1
    assert math.isnan(ratio(0, 0)) and ratio(-1, 0) == -math.inf and ratio(3, 2) == 1.5


def test_csv_file(tmp_path: Path) -> None:
    report = maestro_cost(network(layer(CONV1_DIMS, KCP, stride=2)), hardware(256, 32, 2))
    assert isinstance(report, MaestroReport)
    path = tmp_path / "out.csv"
    write_csv(report.rows, path)
    write_csv(report.rows, path)
    first, second = path.read_text().splitlines()
    assert first == header_line() and len(first.split(",")) == 52
    assert second.startswith(
        "net,L,256,11405784,38927.9,9.79998,251747,4.63544e+07,703.688,12,0.716675,12,1,12,1478,294"
    )
    assert second.endswith(", 3, 24, 3, 2, 2, 2, 60, 60, 60, 12, 14")
    assert report.csv == path.read_text() and report.warnings == ()


def test_ragged_last_unit_in_space() -> None:
    flow = "SpatialMap(2,2) K; TemporalMap(1,1) C;"
    (row,) = rows(network(layer("K: 5, C: 1, R: 1, S: 1, Y: 1, X: 1", flow)), hardware(4))
    # 5 = 2 + 2 + 1 on three of four units.
    assert (row.macs, row.weight.l2_reads, row.output.l2_writes, row.active_pes) == (5, 5, 5, 3)
    assert row.input.l2_reads == 1  # the same for all: multicast
    assert row.warnings == ()


def test_q6_ragged_last_unit_of_a_later_fold_is_miscounted() -> None:
    flow = "SpatialMap(2,2) K; TemporalMap(1,1) C;"
    (row,) = rows(network(layer("K: 13, C: 1, R: 1, S: 1, Y: 1, X: 1", flow)), hardware(4))
    # The first fold takes 8. Of the 5 left, MAESTRO gives 2 to one unit and 1 to the last, and forgets 2.
    assert row.macs == 8 + 2 + 1
    assert row.warnings == ("11 MACs are counted, the layer has 13",)
    (row,) = rows(network(layer("K: 10, C: 1, R: 1, S: 1, Y: 1, X: 1", flow.replace("2,2", "4,4"))), hardware(2))
    assert row.macs == 8 + 2


def test_ragged_reduction_in_space() -> None:
    flow = "SpatialMap(2,2) C; TemporalMap(1,1) K;"
    (row,) = rows(network(layer("K: 1, C: 5, R: 1, S: 1, Y: 1, X: 1", flow)), hardware(4))
    assert (row.macs, row.input.l2_reads, row.weight.l2_reads) == (5, 5, 5)
    assert row.output.l2_writes == 1  # summed over the units for free
    (row,) = rows(network(layer("K: 1, C: 13, R: 1, S: 1, Y: 1, X: 1", flow)), hardware(4))
    assert row.macs == 8 + 2 + 1
    (row,) = rows(network(layer("K: 1, C: 10, R: 1, S: 1, Y: 1, X: 1", flow.replace("2,2", "4,4"))), hardware(2))
    assert row.macs == 8 + 2


def test_overlapping_windows_in_space() -> None:
    flow = "TemporalMap(3,3) R; SpatialMap(3,1) Y; TemporalMap(1,1) C;"
    dims = "K: 1, C: 1, R: 3, S: 1, Y: 10, X: 1"
    (row,) = rows(network(layer(dims, flow)), hardware(4))
    # First fold: 4 units of 3 rows each. Second: the first unit takes all its 3, the others the 1 row that is new.
    assert row.input.l2_reads == 4 * 3 + (3 + 3 * 1)
    assert row.output.l2_writes == 8
    assert row.macs == 8 * 3


def test_restarted_inner_loops_fetch_whole_tiles() -> None:
    flow = "TemporalMap(1,1) C; TemporalMap(3,1) Y; TemporalMap(3,3) R; SpatialMap(1,1) K;"
    (row,) = rows(network(layer("K: 1, C: 2, R: 3, S: 1, Y: 5, X: 1", flow)), hardware(1))
    # Each channel: a tile of 3 rows, then 2 steps of 1 new row.
    assert row.input.l2_reads == 2 * (3 + 2 * 1)


def test_a_strided_edge_that_outgrows_its_tile_is_refused() -> None:
    # Y: tiles of 1 every 3 rows; the last of 10 starts at row 27 and leaves row 28 of 29: MAESTRO hands down all 29.
    flow = (
        "SpatialMap(3,1) Y; TemporalMap(1,1) C; TemporalMap(1,1) R; TemporalMap(1,1) S; Cluster(2,P);"
        "TemporalMap(1,1) Y; SpatialMap(1,1) C;"
    )
    with pytest.raises(SpecError, match="a step brings nothing new"):
        rows(network(layer("C: 4, R: 1, S: 1, Y: 29, X: 14", flow, "DSCONV", stride=3)), hardware(8))
