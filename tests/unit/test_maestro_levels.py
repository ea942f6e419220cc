"""Cluster levels and iteration cases of MAESTRO's semantics, by hand."""

from __future__ import annotations

import pytest

from accel_models.published.maestro import read_mapping
from accel_models.published.maestro.cases import Position, directive_states, enumerate_cases
from accel_models.published.maestro.levels import Level, TileSizes, build_levels, quotient
from accel_models.published.maestro.problem import Problem, is_batched, read_problem
from accel_models.report import Infeasible
from mappings.directives import SpatialMap, TemporalMap
from mappings.errors import SpecError
from tests.unit.maestro_texts import CONV1_DIMS, KCP, layer, network


def problem(dims: str, kind: str = "CONV", stride: int = 1) -> Problem:
    (only,) = read_mapping(network(layer(dims, "SpatialMap(1,1) C;", kind, stride))).layers
    return read_problem(only, is_batched(kind, (only,)))


def levels(dims: str, flow: str, num_pes: int, kind: str = "CONV", stride: int = 1) -> tuple[Level, ...]:
    (only,) = read_mapping(network(layer(dims, flow, kind, stride))).layers
    built = build_levels(only, read_problem(only, is_batched(kind, (only,))), num_pes)
    assert not isinstance(built, Infeasible)
    return built


def test_truncating_division() -> None:
    assert [quotient(*pair) for pair in ((7, 2), (-7, 2), (-61, 64), (0, 3), (-64, 64))] == [3, -3, 0, 0, -1]


def test_output_dims_ignore_the_stride() -> None:
    assert problem(CONV1_DIMS, stride=2).sizes["X'"] == 224 - 7 + 1


def test_input_dims_from_output_dims() -> None:
    sizes = problem("K: 1, C: 1, R: 3, S: 5, Y': 10, X': 12").sizes
    assert (sizes["Y"], sizes["X"]) == (12, 16)


def test_couplings_of_every_kind() -> None:
    dims = "N: 2, G: 2, K: 2, C: 2, R: 1, S: 1, Y: 2, X: 2"
    assert problem(dims).coupled == {"I": ("N", "C", "Y", "X"), "W": ("K", "C", "R", "S"), "O": ("N", "K", "Y", "X")}
    assert problem(dims, "TRCONV").coupled == problem(dims).coupled
    assert problem(dims, "DSCONV").coupled["W"] == ("C", "R", "S")
    assert problem(dims, "DSCONV").coupled["O"] == ("N", "C", "Y", "X")
    assert problem(dims, "NGCONV").coupled["O"] == ("N", "G", "K", "C", "Y", "X")


def test_gemm_has_no_batch() -> None:
    (only,) = read_mapping(network(layer("M: 2, N: 3, K: 4", "SpatialMap(1,1) M;", "GEMM"))).layers
    assert not is_batched("GEMM", (only,))
    assert read_problem(only, False).coupled == {"I": ("M", "K"), "W": ("K", "N"), "O": ("M", "N")}


def test_first_layer_decides_the_batch() -> None:
    with_batch = layer("N: 4, K: 1, C: 1, R: 1, S: 1, Y: 1, X: 1", "SpatialMap(1,1) K;")
    without = layer("K: 1, C: 1, R: 1, S: 1, Y: 1, X: 1", "SpatialMap(1,1) K;")
    first, second = read_mapping(network(with_batch, without)).layers
    assert is_batched("CONV", (first, second)) and not is_batched("CONV", (second, first))
    with pytest.raises(SpecError, match="dimension N of CONV layer L not found; the first layer of a type"):
        read_problem(second, True)


def test_missing_dims_are_told() -> None:
    with pytest.raises(SpecError, match="dimension K, S of CONV layer L not found"):
        problem("C: 1, R: 1, Y: 1, X: 1")


def test_units_of_the_worked_example() -> None:
    top, inner = levels(CONV1_DIMS, KCP, 256, stride=2)
    assert (top.units, inner.units) == (4, 64)
    assert (top.edge_units, inner.edge_units) == (1, 3)  # 64 K fill 4 units evenly; 3 C fill 3 of 64


def test_inheritance_is_reversed_and_in_front() -> None:
    _, inner = levels(CONV1_DIMS, KCP, 256)
    assert [str(item) for item in inner.maps[:2]] == ["TemporalMap(1,1) K", "SpatialMap(1,1) C"]
    _, inner = levels(
        "K: 4, C: 4, R: 1, S: 1, Y: 4, X: 4",
        "SpatialMap(1,1) K; TemporalMap(2,2) C; Cluster(2, P); SpatialMap(1,1) X;",
        4,
    )
    assert [item.dim for item in inner.maps] == ["Y", "S", "R", "C", "K", "X"]
    assert inner.dims["C"] == 2  # the tile that the upper level hands down


def test_output_maps_become_input_maps() -> None:
    (top,) = levels(
        "K: 1, C: 1, R: 3, S: 3, Y: 9, X: 9", "SpatialMap(2,2) X'; TemporalMap(3,3) S; TemporalMap(3,3) R;", 2
    )
    assert str(top.maps[0]) == "SpatialMap(4,2) X"
    assert top.tiles["X'"].mapped == 2
    with pytest.raises(SpecError, match="X' is mapped without S"):
        levels("K: 1, C: 1, R: 3, S: 3, Y: 9, X: 9", "SpatialMap(2,2) X';", 2)


def test_strides_stretch_tiles() -> None:
    flow = (
        "SpatialMap(1,1) K; TemporalMap(9,2) X; TemporalMap(2,1) Y; TemporalMap(3,3) R; TemporalMap(3,3) S;"
        "Cluster(2,P); SpatialMap(1,1) C;"
    )
    top, inner = levels("K: 4, C: 2, R: 3, S: 3, Y: 30, X: 30", flow, 4, stride=2)
    # X: (9 + 2 - 3) // 2 = 4 steps of 2 and a window that reaches 1 further; Y is below the window and stays.
    assert [str(item) for item in top.maps[1:3]] == ["TemporalMap(9,8) X", "TemporalMap(2,1) Y"]
    assert "TemporalMap(9,8) X" in [str(item) for item in inner.maps]
    top, inner = levels("K: 4, C: 2, R: 1, S: 1, Y: 30, X: 30", flow.replace("3,3", "1,1"), 4, stride=4)
    # The window is narrower than the stride: (9 + 4 - 1) // 4 = 3 tiles of 1, inside 3 * 4 elements.
    assert str(top.maps[1]) == "TemporalMap(3,12) X"
    # Stretched once more where it is inherited: (3 + 4 - 1) // 4 = 1, and the offset counts windows, not strides.
    assert "TemporalMap(1,1) X" in [str(item) for item in inner.maps]


def test_tile_sizes_with_a_ragged_edge() -> None:
    (top,) = levels("K: 10, C: 1, R: 1, S: 1, Y: 1, X: 1", "TemporalMap(4,4) K; SpatialMap(1,1) X;", 1)
    # 10 = 4 + 4 + 2: the edge has 2 elements, and 4 - (4 - 2) of them are new.
    assert top.tiles["K"] == TileSizes(4, 4, 2, 2)
    assert top.tiles["X"] == TileSizes(1, 1, 1, 0)  # unique of an edge that is not there: MAESTRO's rule
    assert top.tiles["C"] == TileSizes(1, 0, 1, 0)  # in time and whole: nothing new


def test_edge_units() -> None:
    for size, units, expected in ((3, 64, 3), (64, 4, 1), (1, 4, 1), (10, 4, 2), (11, 4, 3)):
        flow = "SpatialMap(1,1) K; TemporalMap(1,1) C;"
        (top,) = levels(f"K: {size}, C: 1, R: 1, S: 1, Y: 1, X: 1", flow, units)
        assert top.edge_units == expected, (size, units)


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        ("TemporalMap(1,1) K;", "0 SpatialMaps in a level"),
        ("SpatialMap(1,1) K; SpatialMap(1,1) C; SpatialMap(1,1) X;", "3 SpatialMaps in a level"),
        ("SpatialMap(1,1) K;" + "Cluster(1,P); SpatialMap(1,1) K;" * 4, "4 Clusters"),
        ("SpatialMap(1,1) K; Cluster(2,P);", "cluster level 1: 0 SpatialMaps"),
    ],
)
def test_mappings_that_maestro_dies_of(flow: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        levels("K: 4, C: 4, R: 1, S: 1, Y: 4, X: 4", flow, 64)


def test_a_dim_that_the_level_below_lacks() -> None:
    flow = "SpatialMap(1,1) K; Cluster(2,P); SpatialMap(1,1) C;"
    with pytest.raises(SpecError, match=r"cluster level 1: .* dimension K not found in this level"):
        levels("K: 1, C: 4, R: 1, S: 1, Y: 4, X: 4", flow, 4, "DSCONV")


def test_states_of_a_temporal_map() -> None:
    def positions(size: int) -> list[tuple[Position, int, bool, bool]]:
        states = directive_states(TemporalMap("K", 4, 4), size, 1)
        return [(state.position, state.occurrences, state.unrolled, state.at_edge) for state in states]

    init, steady, edge = Position.INIT, Position.STEADY, Position.EDGE
    assert positions(3) == [(init, 1, True, True)]
    assert positions(4) == [(init, 1, True, False)]
    assert positions(6) == [(init, 1, False, False), (edge, 1, False, True)]
    assert positions(14) == [(init, 1, False, False), (steady, 2, False, False), (edge, 1, False, True)]


def test_states_of_a_spatial_map() -> None:
    def shape(size: int) -> list[tuple[Position, int, bool]]:
        states = directive_states(SpatialMap("K", 2, 2), size, 3)
        return [(state.position, state.occurrences, state.ragged_unit) for state in states]

    init, steady, edge = Position.INIT, Position.STEADY, Position.EDGE
    assert shape(5) == [(init, 1, True)]
    assert shape(6) == [(init, 1, False)]
    assert shape(12) == [(init, 1, False), (steady, 1, False)]
    assert shape(15) == [(init, 1, False), (steady, 1, False), (edge, 1, True)]  # 3 left: one full unit, one ragged
    assert shape(16) == [(init, 1, False), (steady, 1, False), (edge, 1, False)]


def test_case_order_and_counts() -> None:
    flow = "TemporalMap(1,1) K; TemporalMap(2,2) C; SpatialMap(1,1) X;"
    (top,) = levels("K: 3, C: 5, R: 1, S: 1, Y: 1, X: 1", flow, 1)
    cases = list(enumerate_cases(top, top.dims))
    # K: init, steady x 2; C: init, steady x 1, edge. Case n takes state ceil(n / 3) mod 2 of K and n mod 3 of C.
    assert [case.occurrences for case in cases] == [1, 2, 2, 2, 1, 1]
    assert [case.changed for case in cases] == [-1, 1, 1, 0, 1, 1]
    assert sum(case.occurrences for case in cases) == 3 * 3


def test_too_many_cases_are_refused() -> None:
    flow = "SpatialMap(1,1) X;" + "TemporalMap(2,2) K;" * 12
    (top,) = levels("K: 5, C: 1, R: 1, S: 1, Y: 1, X: 1", flow, 1)
    with pytest.raises(SpecError, match="531441 iteration cases"):
        next(enumerate_cases(top, top.dims))
