"""Fronts and knees, by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.explorer.front import as_costs, crowding, knee, nondominated, thinned


def test_nondominated_by_hand() -> None:
    costs = np.array([[1, 5], [2, 2], [5, 1], [3, 3], [2, 2], [1, 6]], dtype=float)
    assert nondominated(costs) == [0, 1, 2]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=25))
def test_a_front_is_what_nothing_dominates(rows: list[tuple[int, int, int]]) -> None:
    costs = np.array(rows, dtype=float)
    front = nondominated(costs)
    assert front
    for row in range(len(costs)):
        dominated = any((costs[f] <= costs[row]).all() and (costs[f] < costs[row]).any() for f in front)
        equal = any((costs[f] == costs[row]).all() for f in front)
        assert dominated or equal
        assert not (row in front and dominated)


def test_knee_is_nearest_to_the_ideal() -> None:
    assert knee(np.array([[0, 10], [1, 1], [10, 0]], dtype=float)) == 1
    assert knee(np.array([[3.0, 3.0]])) == 0


def test_thinning_keeps_the_ends() -> None:
    costs = np.array([[0, 10], [1, 9], [1.1, 8.9], [5, 5], [10, 0]], dtype=float)
    assert thinned(costs, 4) in ([0, 1, 3, 4], [0, 2, 3, 4])
    assert {0, 4} <= set(thinned(costs, 2))
    assert thinned(costs, 9) == [0, 1, 2, 3, 4]
    assert crowding(costs)[3] > crowding(costs)[1]


def test_costs_compare_ratios() -> None:
    costs = as_costs(np.array([0.9]), np.array([np.e]), np.array([1.0]))
    assert np.allclose(costs, [[0.1, 1.0, 0.0]])
