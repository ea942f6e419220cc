"""Fronts and knees, by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_models.report import Infeasible
from codesign.objectives import Goal, Limit, Outcome
from codesign.objectives.front import crowding, incumbent, knee, nondominated, ranked, scaled_costs, thinned


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
    found = Outcome({"accuracy": 0.9, "latency_ms": np.e, "energy_uj": 1.0})
    assert np.allclose(scaled_costs(Goal(), [found]), [[-0.9, 1.0, 0.0]])


def test_ranks_put_fronts_first_and_the_nearest_of_the_infeasible_last() -> None:
    goal = Goal(("accuracy", "latency_ms"))
    far, near = (Outcome({}, (Infeasible("DSP", demand, 10, "blocks", ""),)) for demand in (40, 12))
    good = [Outcome({"accuracy": a, "latency_ms": b}) for a, b in ((0.5, 2.0), (0.9, 2.0), (0.8, 1.0), (0.4, 3.0))]
    assert ranked(goal, [far, near, *good])[-4:] == [2, 5, 1, 0]
    assert set(ranked(goal, [far, near, *good])[:2]) == {3, 4}


def test_what_runs_is_nearer_than_what_does_not() -> None:
    """A buffer too small by half is no nearer to a limit on latency than a design that is 30 times too slow."""
    goal = Goal(("latency_ms",), (Limit("latency_ms", 1.0),))
    slow = Outcome({"latency_ms": 30.0}, goal.broken({"latency_ms": 30.0}))
    slower = Outcome({"latency_ms": 31.0}, goal.broken({"latency_ms": 31.0}))
    unable = Outcome({}, (Infeasible("weight_buffer_bytes", 2048, 1024, "bytes", ""),))
    assert unable.violation < slow.violation
    assert ranked(goal, [unable, slower, slow]) == [2, 1, 0]
    assert incumbent(goal, [unable, slower, slow]) == 2
    assert goal.distance(Outcome({"latency_ms": 0.5})) == (0, 0.0)
